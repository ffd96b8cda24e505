"""Steps of a stream. Each knows its place exactly: the state of a chain is the states of its steps.

A step pulls from the one before only what the consumer asked for, so no row is in flight when a state is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol

Row = dict[str, Any]


class Node(Protocol):
    """A step: rows from its place on, and that place."""

    def rows(self) -> Iterator[Row]:
        """Rows from here on."""

    def state(self) -> dict[str, Any]:
        """Where it is."""

    def load(self, state: dict[str, Any]) -> None:
        """Goes there."""


class _Step:
    """A step whose place is that of the step before."""

    def __init__(self, before: Node) -> None:
        self._before = before

    def state(self) -> dict[str, Any]:
        return {"before": self._before.state()}

    def load(self, state: dict[str, Any]) -> None:
        self._before.load(state["before"])


class _Counting(_Step):
    """A step that also counts rows."""

    _count = 0

    def state(self) -> dict[str, Any]:
        return {**super().state(), "count": self._count}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self._count = state["count"]


class TakeNode(_Counting):
    """The first `n` rows."""

    def __init__(self, before: Node, n: int) -> None:
        super().__init__(before)
        self._n = n

    def rows(self) -> Iterator[Row]:
        if self._count >= self._n:
            return
        for row in self._before.rows():
            self._count += 1
            yield row
            if self._count >= self._n:
                return


class SkipNode(_Counting):
    """All but the first `n` rows."""

    def __init__(self, before: Node, n: int) -> None:
        super().__init__(before)
        self._n = n

    def rows(self) -> Iterator[Row]:
        for row in self._before.rows():
            if self._count < self._n:
                self._count += 1
            else:
                yield row


class BatchNode(_Step):
    """Rows of lists of `size` rows."""

    def __init__(self, before: Node, size: int, drop_last: bool) -> None:
        super().__init__(before)
        self._size, self._drop_last = size, drop_last

    def rows(self) -> Iterator[Row]:
        before = self._before.rows()
        while rows := list(islice(before, self._size)):
            if len(rows) < self._size and self._drop_last:
                return
            yield as_batch(rows)


class FilterNode(_Counting):
    """Rows for which a function is true."""

    def __init__(self, before: Node, function: Callable[..., Any], arguments: MapArguments) -> None:
        super().__init__(before)
        self._function, self._arguments = function, arguments

    def rows(self) -> Iterator[Row]:
        for row in self._before.rows():
            index = self._count
            self._count += 1
            if self._function(*self._arguments.inputs(row, index), **self._arguments.fn_kwargs):
                yield row


class MapArguments:
    """What a mapped function is called with, and what becomes of the row."""

    def __init__(
        self,
        with_indices: bool,
        input_columns: list[str] | None,
        remove_columns: list[str] | None,
        fn_kwargs: dict[str, Any] | None,
    ) -> None:
        self.with_indices = with_indices
        self.input_columns = input_columns
        self.remove_columns = remove_columns or []
        self.fn_kwargs = fn_kwargs or {}

    def inputs(self, row: Row, index: Any) -> list[Any]:
        """Positional arguments."""
        values = [row] if self.input_columns is None else [row[name] for name in self.input_columns]
        return [*values, index] if self.with_indices else values

    def merged(self, row: Row, result: Any) -> Row:
        """The row after the function."""
        if result is None:
            result = {}
        if not hasattr(result, "keys"):
            msg = f"Provided `function` which is applied to all elements of table returns a variable of type {type(result)}. Make sure provided `function` returns a dict."
            raise TypeError(msg)
        return {**{k: v for k, v in row.items() if k not in self.remove_columns}, **dict(result)}


class MapNode(_Counting):
    """A function on each row."""

    def __init__(self, before: Node, function: Callable[..., Any], arguments: MapArguments) -> None:
        super().__init__(before)
        self._function, self._arguments = function, arguments

    def rows(self) -> Iterator[Row]:
        arguments = self._arguments
        for row in self._before.rows():
            index = self._count
            self._count += 1
            result = self._function(*arguments.inputs(dict(row), index), **arguments.fn_kwargs)
            yield arguments.merged(row, result)


class BatchedMapNode(_Step):
    """A function on batches, which may return another number of rows.

    Its place is that of the step before at the start of the batch, and how many of the batch's results were taken.
    """

    def __init__(
        self, before: Node, function: Callable[..., Any], arguments: MapArguments, size: int, drop_last: bool
    ) -> None:
        super().__init__(before)
        self._function, self._arguments, self._size, self._drop_last = function, arguments, size, drop_last
        self._start: dict[str, Any] | None = None
        self._taken = 0
        self._seen = 0

    def state(self) -> dict[str, Any]:
        before = self._before.state() if self._start is None else self._start
        return {"before": before, "taken": self._taken, "seen": self._seen}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self._taken, self._seen, self._start = state["taken"], state["seen"], None

    def rows(self) -> Iterator[Row]:
        before = self._before.rows()
        while True:
            start = self._before.state()
            rows = list(islice(before, self._size))
            if not rows or (len(rows) < self._size and self._drop_last):
                return
            batch = as_batch(rows)
            indices = list(range(self._seen, self._seen + len(rows)))
            result = self._function(*self._arguments.inputs(dict(batch), indices), **self._arguments.fn_kwargs)
            outputs = as_rows(self._arguments.merged(batch, result))
            self._start = start
            while self._taken < len(outputs):
                self._taken += 1
                last = self._taken == len(outputs)
                row = outputs[self._taken - 1]
                if last:
                    self._finish(len(rows))
                yield row
                if last:
                    break
            else:
                self._finish(len(rows))

    def _finish(self, rows: int) -> None:
        """The batch is done: the place is that of the step before."""
        self._start, self._taken = None, 0
        self._seen += rows


def as_batch(rows: list[Row]) -> dict[str, list[Any]]:
    """Rows to lists by column."""
    return {name: [row.get(name) for row in rows] for name in rows[0]}


def as_rows(batch: dict[str, Any]) -> list[Row]:
    """Lists by column to rows.

    Raises:
        ValueError: columns of other lengths.
    """
    lengths = {name: len(values) for name, values in batch.items()}
    if len(set(lengths.values())) > 1:
        msg = f"Columns of a batch must have equal lengths, got {lengths}"
        raise ValueError(msg)
    return [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
