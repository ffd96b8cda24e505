"""Files of kept results: whole or not there, and used only for what they were made for.

A result of `map` is a file of its new columns; those that the function left alone are taken from the source. The head
of the file says for what it was made and which columns are whose.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from _crucible._native import GrowingFile, Table
from _crucible.errors import DataError
from crucible_datasets.features import Features
from crucible_datasets.store import mark_used
from crucible_datasets.utils.logging import get_logger

logger = get_logger(__name__)
_HEAD = "crucible"
_INDICES = "indices"
_TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class KeptFile:
    """A file of a result.

    Attributes:
        path: where it is, or will be.
        key: fingerprint of the result.
        whole: whether the user named the file: it then has all columns, in the form that `datasets` reads.
    """

    path: Path
    key: str
    whole: bool = False

    def of_part(self, template: str, rank: int, parts: int) -> KeptFile:
        """The file of a process's part."""
        suffix = template.format(rank=rank, num_proc=parts)
        path = self.path.with_name(f"{self.path.stem}{suffix}{self.path.suffix}")
        return replace(self, path=path, key=f"{self.key}{suffix}")

    def parts(self, template: str) -> dict[int, set[int]]:
        """The parts that are there, by the number of processes that they are of."""
        pattern = _pattern(template)
        found: dict[int, set[int]] = {}
        stem = self.path.stem
        for path in self.path.parent.glob(f"{_literal(stem)}*{self.path.suffix}"):
            match = pattern.fullmatch(path.stem[len(stem) :])
            if match:
                found.setdefault(int(match["num_proc"]), set()).add(int(match["rank"]))
        return {parts: {rank for rank in ranks if rank < parts} for parts, ranks in found.items()}

    def files(self, template: str) -> list[str]:
        """The files that are there: of the whole, or of the parts that make it up."""
        if self.path.exists():
            return [str(self.path)]
        found = self.parts(template)
        return [
            str(self.of_part(template, rank, parts).path)
            for parts, ranks in sorted(found.items())
            for rank in sorted(ranks)
        ]

    # ------------------------------------------------------------------------------------------------------ writing

    def headed(self, table: Table, order: list[str], kept: list[str], features: Features, rows: int | None) -> Table:
        """The table with the head that `read_map` understands."""
        head = {"key": self.key, "order": order, "kept": kept, "features": features.to_text(), "rows": rows}
        return table.with_metadata(_HEAD, json.dumps(head))

    def growing(self, table: Table) -> GrowingFile:
        """A file for the rows of a headed table and those that follow, under a name of its own until `put`."""
        return GrowingFile(self.path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}{self.path.suffix}"), table)

    def put(self, file: GrowingFile) -> None:
        """Completes a growing file and gives it its name."""
        path = file.finish().path
        if path is None:
            msg = f"the temporary file of {self.path} is gone"
            raise OSError(msg)
        os.replace(path, self.path)  # noqa: PTH105

    def forget(self, table: Table) -> None:
        """Deletes files that `growing` began and that are no result after all."""
        for path in map(Path, table.files()):
            if path.parent == self.path.parent and path.name.startswith(_TEMPORARY):
                path.unlink(missing_ok=True)

    def write(self, table: Table) -> None:
        """Writes a headed table."""
        if self.whole:
            table.write_stream(self.path)
        else:
            GrowingFile(self.path, table).finish()

    def write_rows(self, numbers: np.ndarray[Any, Any]) -> None:
        """Writes the row numbers of `filter`."""
        table = Table.from_columns({_INDICES: numbers.astype(np.uint64)})
        self.write(table.with_metadata(_HEAD, json.dumps({"key": self.key})))

    # ------------------------------------------------------------------------------------------------------ reading

    def _opened(self) -> tuple[Table, dict[str, Any] | None] | None:
        """The table of the file and its head; None if there is no file for this key."""
        if not self.path.exists():
            return None
        try:
            table = Table.open_ipc(str(self.path))
            head = table.metadata(_HEAD)
            said = None if head is None else json.loads(head)
        except (DataError, OSError, ValueError) as error:
            logger.warning("The file of a kept result is broken and made again: %s", error)
            return None
        if said is None:
            # Not ours: `datasets` wrote it, or the user. Only a file that the user names is taken as it is.
            return (table, None) if self.whole else None
        if said.get("key") != self.key:
            logger.warning("%s holds another result and is made again", self.path)
            return None
        if not self.whole:  # the time of a file of the user stays his
            mark_used(self.path)
        return table, said

    def read_map(self, source: Table) -> tuple[Table, Features] | None:
        """The result of `map`, None if it is not there.

        Args:
            source: the table that is mapped.
        """
        opened = self._opened()
        if opened is None:
            return None
        table, head = opened
        if head is None:
            return table, Features.from_text(table.features)
        features, order, kept = Features.from_text(head["features"]), head["order"], head["kept"]
        new = [name for name in order if name not in kept]
        sides = []
        if kept:
            rows = table.num_rows if new else head["rows"]
            sides.append(source.slice(0, rows).select_columns(kept))
        if new:
            sides.append(table)
        if not sides:
            return Table.from_columns({}), features
        both = sides[0] if len(sides) == 1 else Table.side_by_side(sides)
        if both.column_names != order:
            both = both.select_columns(order)
        return (both.with_features(features.to_text()) if new else both), features

    def read_rows(self) -> np.ndarray[Any, Any] | None:
        """The row numbers of `filter`, None if they are not there."""
        opened = self._opened()
        if opened is None:
            return None
        table, _ = opened
        memory = table.numeric(_INDICES, 0, table.num_rows) if _INDICES in table.column_names else None
        if memory is None:
            logger.warning("%s holds no row numbers and is made again", self.path)
            return None
        return np.asarray(memory, dtype=np.uint64)


def _literal(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


def _pattern(template: str) -> re.Pattern[str]:
    """What the template's texts look like."""
    sample = template.format(rank=10**9 + 1, num_proc=10**9 + 2)
    escaped = re.escape(sample)
    return re.compile(
        escaped.replace(str(10**9 + 1), r"(?P<rank>\d+)", 1).replace(str(10**9 + 2), r"(?P<num_proc>\d+)", 1)
    )
