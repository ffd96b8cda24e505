"""Slices of a table in a table format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from _crucible._optional import require
from crucible_datasets.formatting._tables import to_arrow, to_frame

if TYPE_CHECKING:
    from _crucible._native import Table
    from crucible_datasets.formatting._format import Format

_KEPT = 256
"""Record batches whose crossing is remembered: a table of pyarrow is some kilobytes besides the shared memory."""
_FRAME = 8192
"""Rows that become one polars frame: that takes hardly longer than a single row does."""


class Slices:
    """Some rows of a table at a time, in a table format.

    A record batch crosses into pyarrow once, when its first rows are asked for, and is sliced there: a crossing takes as
    long as a dozen slices.
    """

    def __init__(self, table: Table, shows: Format, decoders: Mapping[str, Any], *, onward: bool = False) -> None:
        """Slices of a table.

        Args:
            table: the rows.
            shows: the format, one of tables; its `columns` are not looked at.
            decoders: what decodes columns whose shown value is not the stored one; only pandas shows those.
            onward: whether rows are asked for from the first to the last: polars frames are then made of many rows.
        """
        self._table = table
        self.shows = shows
        self._kind = shows.type
        self._decoders = decoders
        self._onward = onward
        self._parts: dict[tuple[int, int], Any] = {}
        self._arrow: tuple[int, int, Any] = (0, 0, None)
        self._frame: tuple[int, int, Any] = (0, 0, None)

    def rows(self, start: int, stop: int) -> Any:
        """Rows `start..stop`; memory is shared where they are in order.

        Args:
            start: the first row.
            stop: the row after the last.
        """
        if self._kind == "polars":
            return self._polars(start, stop)
        shown = self._slice(start, stop)
        return shown if self._kind == "arrow" else to_frame(shown, self._table.slice(start, stop), self._decoders)

    def row(self, index: int) -> Any:
        """One row.

        Args:
            index: its number.
        """
        return self.rows(index, index + 1)

    def _polars(self, start: int, stop: int) -> Any:
        first, end, frame = self._frame
        if not first <= start < stop <= end:
            polars: Any = require("polars", extra="polars", why="the polars format")
            first, end = start, min(max(stop, start + _FRAME), self._table.num_rows) if self._onward else stop
            frame = polars.from_arrow(self._apart(first, end))
            if not self._onward:
                return frame
            self._frame = (first, end, frame)
        return frame.slice(start - first, stop - start)

    def _apart(self, start: int, stop: int) -> Any:
        """As `_slice`, without the rows around: polars takes in all elements of a list array, also those not shown."""
        shown = self._slice(start, stop)
        first, end, held = self._arrow
        if first <= start < stop <= end and (stop - start) * 2 < held.num_rows:
            return shown.take(np.arange(stop - start))
        return shown

    def _slice(self, start: int, stop: int) -> Any:
        first, end, held = self._arrow
        if first <= start < stop <= end:
            return held.slice(start - first, stop - start)
        part = self._table.part(start) if start < stop else None
        if part is None or part[1] < stop:
            return to_arrow(self._table.slice(start, stop), self._kind)
        first, end = part
        held = self._parts.get(part)
        if held is None:
            held = to_arrow(self._table.slice(first, end), self._kind)
            if len(self._parts) >= _KEPT:
                self._parts.clear()
            self._parts[part] = held
        self._arrow = (first, end, held)
        return held.slice(start - first, stop - start)
