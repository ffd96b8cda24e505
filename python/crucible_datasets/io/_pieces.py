"""A table in pieces of whole batches, each small enough to be held as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _crucible._native import Table

_PIECE = 8 << 20
"""Arrow bytes of a piece, about; its text is a few times as large."""


def pieces(table: Table, batch_size: int) -> Iterator[tuple[int, int]]:
    """First and last row (not included) of each piece: as many batches as give it some megabytes, at least one."""
    rows = table.num_rows
    row_bytes = max(1, table.nbytes // max(1, table.total_rows))
    step = batch_size * max(1, _PIECE // row_bytes // batch_size)
    for start in range(0, rows, step):
        yield start, min(rows, start + step)


def checked_num_proc(num_proc: int | None) -> None:
    """Refuses numbers of processes that are none.

    Raises:
        ValueError: 0 or less.
    """
    if num_proc is not None and num_proc <= 0:
        msg = f"num_proc {num_proc} must be an integer > 0."
        raise ValueError(msg)
