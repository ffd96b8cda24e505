"""Row numbers in files that the user names, in the form of `datasets`: an Arrow stream of a uint64 column `indices`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crucible_datasets.dataset._kept import KeptFile
from crucible_datasets.fingerprint import fingerprint_of, is_caching_enabled
from crucible_datasets.utils.logging import get_logger

if TYPE_CHECKING:
    from _crucible._native import Table
    from crucible_datasets.dataset._base import Base

logger = get_logger(__name__)


@dataclass(frozen=True)
class IndexFile:
    """A file of row numbers and what they are for.

    Attributes:
        kept: the file.
        load: whether it is used if it is there: as in `datasets` only for data that came from files.
    """

    kept: KeptFile
    load: bool

    @classmethod
    def of(
        cls,
        source: Base,
        name: str | None,
        transform: str,
        arguments: Mapping[str, Any],
        fingerprint: str | None,
        *,
        keep_in_memory: bool,
        load: bool | None,
    ) -> IndexFile | None:
        """The file that a transform was given; None if it was given none.

        Args:
            source: the dataset.
            name: path of the file.
            transform: name of the transform.
            arguments: what decides on the order.
            fingerprint: that of the result, if it was given: the key of the file in place of the arguments.
            keep_in_memory: refused beside a file.
            load: whether a file that is there is used; as `enable_caching` and `disable_caching` say when absent.

        Raises:
            ValueError: a file is named and `keep_in_memory` is asked for.
        """
        if name is None:
            return None
        if keep_in_memory:
            msg = "Please use either `keep_in_memory` or `indices_cache_file_name` but not both."
            raise ValueError(msg)
        key = fingerprint or fingerprint_of(transform, {"": source._told(), **arguments})[0]
        path = Path(name).absolute()
        used = (is_caching_enabled() if load is None else load) and bool(source.cache_files)
        return cls(KeptFile(path, key, whole=True), used)

    def read(self, table: Table) -> Table | None:
        """The rows that the file says, None if there is none for this key."""
        numbers = self.kept.read_rows() if self.load else None
        if numbers is None:
            return None
        base = table if table.is_range else table.whole()
        try:
            found = base.select(numbers)
        except IndexError as error:
            logger.warning("%s holds the order of another dataset and is made again: %s", self.kept.path, error)
            return None
        logger.info("Loading cached indices for dataset at %s", self.kept.path)
        return found

    def write(self, table: Table, numbers: np.ndarray[Any, Any]) -> bool:
        """Writes row numbers of a table; says whether it did: neighbours need no file.

        Of a table that is in an order itself, the file has the numbers of the rows behind, as in `datasets`.
        """
        rows = len(numbers)
        if rows == 0 or (int(numbers[-1]) - int(numbers[0]) == rows - 1 and bool((np.diff(numbers) == 1).all())):
            return False
        order = table.order()
        behind = numbers if order is None else np.asarray(order)[numbers]
        self.kept.path.parent.mkdir(parents=True, exist_ok=True)
        self.kept.write_rows(behind)
        return True


def state_of(generator: np.random.Generator) -> dict[str, Any]:
    """What a generator will draw."""
    return dict(generator.bit_generator.state)
