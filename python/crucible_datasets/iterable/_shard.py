"""`Shard`: a file of a stream, or a part of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crucible_datasets.iterable._source import FileOrigin


@dataclass(frozen=True)
class Shard:
    """A file, or some of its units, or some rows of those.

    Attributes:
        origin: the file.
        first, last: its units from `first` to before `last`; None for the end.
        start, rows: of the rows of those units, the ones left out at the start, and how many are read; None for all.
    """

    origin: FileOrigin
    first: int = 0
    last: int | None = None
    start: int = 0
    rows: int | None = None

    def span(self, counts: list[int], unit: int) -> tuple[int, int]:
        """The rows of a unit that belong to the shard: from, to."""
        before = sum(counts[self.first : unit]) if self.start or self.rows is not None else 0
        low = max(0, self.start - before)
        high = counts[unit] if self.rows is None else min(counts[unit], self.start + self.rows - before)
        return min(low, max(high, 0)), max(high, 0)

    def named(self) -> tuple[Any, ...]:
        """What tells it from other parts of its file, and from parts of files with other names."""
        return (self.origin.named(), self.first, self.last, self.start, self.rows)

    def total(self, counts: list[int]) -> int:
        """Its rows."""
        rows = sum(counts[self.first : self.last]) - self.start
        return max(0, rows if self.rows is None else min(rows, self.rows))
