"""`IterableColumn`: the values of one column of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class IterableColumn:
    """A column of a stream, or a field of one; iterating reads the stream.

    >>> for text in stream["text"]: ...  # doctest: +SKIP
    """

    def __init__(self, source: Iterable[Any], column_name: str) -> None:
        self.source = source
        self.column_name = column_name

    def __iter__(self) -> Iterator[Any]:
        """The values."""
        for row in self.source:
            yield row[self.column_name]

    def __getitem__(self, column_name: str) -> IterableColumn:
        """A field of the values."""
        return IterableColumn(self, column_name)
