"""Where results of transforms are kept: a folder of the cache for each source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from _crucible._native import Table
from crucible_datasets.store import mark_used
from crucible_datasets.utils.logging import get_logger

logger = get_logger(__name__)
_said: set[str] = set()


class Home:
    """The folder of a source's results, named by what the source is.

    Args:
        cache: the cache (`HF_DATASETS_CACHE`).
        source: the table that was loaded.
        name: name of the folder, where it is known.
    """

    def __init__(self, cache: Path, source: Table | None, name: str | None = None) -> None:
        self.cache = cache
        self._source = source
        self._name = name

    @property
    def folder(self) -> Path:
        """`<cache>/crucible/maps/<16 hex digits>`."""
        if self._name is None and self._source is not None:
            self._name, self._source = self._source.identity()[:16], None
        return self.cache / "crucible" / "maps" / str(self._name)

    def usable(self) -> bool:
        """Makes the folder; says whether files can be written there."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            writable, why = False, str(error)
        else:
            writable, why = os.access(self.folder, os.W_OK), "no right to write"
        if not writable and str(self.cache) not in _said:
            _said.add(str(self.cache))
            logger.warning("Results of map and filter cannot be kept in %s: %s", self.folder, why)
        return writable

    def kept(self) -> list[Path]:
        """The files of results."""
        return sorted(self.folder.glob("cache-*.arrow"))

    def use(self, files: list[str]) -> None:
        """Notes that files are used now, those that lie in this cache."""
        for file in files:
            if Path(file).is_relative_to(self.cache):
                mark_used(Path(file))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Home, (self.cache, None, self.folder.name))
