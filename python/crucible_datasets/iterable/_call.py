"""Calls of a user's function on what flows by: one at a time, or many async ones at once."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from crucible_datasets.iterable._plan import Row, Run, State, StateError, WrapRun, skip_by_reading
from crucible_datasets.iterable._state import members, natural

_AT_ONCE = 1000
"""Async calls that run at the same time."""
In = TypeVar("In")


@dataclass(frozen=True)
class Call:
    """A user's function and what it gets.

    Attributes:
        function: called with the row or batch, or with `inputs` one by one; then the index.
        with_indices: whether the index (or the list of indices) is passed.
        inputs: columns passed instead of the row.
        remove: columns that are dropped from the input before the result is merged over it.
        kwargs: more keyword arguments.
    """

    function: Callable[..., Any]
    with_indices: bool = False
    inputs: tuple[str, ...] | None = None
    remove: frozenset[str] = frozenset()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)

    def __call__(self, value: Any, index: Any) -> Any:
        """The function's result."""
        passed = [value] if self.inputs is None else [value[name] for name in self.inputs]
        if self.with_indices:
            passed.append(index)
        return self.function(*passed, **self.kwargs)

    def merged(self, kept: Row, given: Row, result: Any) -> Row:
        """A row or batch with the function's result over it.

        Args:
            kept: its columns before the call, without those removed.
            given: what the function got.
            result: what it returned.

        Raises:
            TypeError: not a mapping.
        """
        if not hasattr(result, "keys"):
            msg = (
                "Provided `function` which is applied to all elements of table returns a variable of type "
                f"{type(result)}. Make sure provided `function` returns a dict."
            )
            raise TypeError(msg)
        if result is given and self.remove:
            result = {name: value for name, value in result.items() if name not in self.remove}
        return {**kept, **result}

    def kept(self, value: Row) -> Row:
        """The columns that stay, whatever the function does to what it gets."""
        if not self.remove:
            return dict(value)
        return {name: inner for name, inner in value.items() if name not in self.remove}


@dataclass
class Pending(Generic[In]):
    """An input on its way: where the run before was ahead of it, its first index and its length."""

    start: State
    index: int
    length: int
    value: In
    task: asyncio.Task[Any] | None = None


class CallRun(WrapRun):
    """A run that calls a function. The place: before the oldest input in flight, and how many of its rows are done."""

    def __init__(self, before: Run, call: Call, what: str) -> None:
        super().__init__(before)
        self._call, self._what = call, what
        self._start: State | None = None
        self._count = 0
        self._taken = 0
        self._queue: deque[Pending[Any]] = deque()

    def state(self) -> State:
        before = self._before.state() if self._start is None else self._start
        return {"before": before, "count": self._count, "taken": self._taken}

    def load(self, state: State) -> None:
        super().load(state)
        count, taken = members(state, self._what, "count", "taken")
        self._count, self._taken = natural(count, state, self._what), natural(taken, state, self._what)
        self._start = None

    def skip(self, count: int) -> int:
        return skip_by_reading(self, count, arrow=False)

    def _inputs(self) -> Iterator[tuple[Any, int, bool]]:
        """What the function gets, its number of rows, and whether it gets a batch."""
        raise NotImplementedError

    def _outputs(self, value: Any, result: Any) -> list[Row]:
        """The rows that come of a call."""
        raise NotImplementedError

    def _rewind(self) -> None:
        """An abandoned iteration: back to the oldest input that was in flight."""
        if self._start is not None:
            self._before.load(self._start)
            self._start = None

    def rows(self) -> Iterator[Row]:
        self._rewind()
        taken = self._taken
        for item, result in self._results():
            outputs = self._outputs(item.value, result)
            if taken > len(outputs):
                msg = f"the state is {taken} rows into {len(outputs)} rows: {self._what} gives other rows than before"
                raise StateError(msg)
            after = self._after
            while taken < len(outputs):
                taken += 1
                if taken == len(outputs):
                    self._start, self._count, self._taken = after(item)
                else:
                    self._start, self._count, self._taken = item.start, item.index, taken
                yield outputs[taken - 1]
            self._start, self._count, self._taken = after(item)
            taken = 0

    def _after(self, item: Pending[Any]) -> tuple[State | None, int, int]:
        """The place behind an input: ahead of the next one in flight, if there is one."""
        queue = self._queue
        return (queue[0].start if queue else None, item.index + item.length, 0)

    def _results(self) -> Iterator[tuple[Pending[Any], Any]]:
        self._queue = deque()
        return self._awaited() if self._call.is_async else self._called()

    def _place(self, item: Pending[Any]) -> str:
        last = item.index + item.length - 1
        rows = f"row {item.index}" if last <= item.index else f"rows {item.index} to {last}"
        return f"The function failed in {self._what}: {rows}"

    def _next_index(self, item: Pending[Any], batched: bool) -> Any:
        return list(range(item.index, item.index + item.length)) if batched else item.index

    def _taken_in(self) -> Iterator[tuple[Pending[Any], bool]]:
        index = self._count
        inputs = self._inputs()
        while True:
            start = self._before.state()
            found = next(inputs, None)
            if found is None:
                return
            value, length, batched = found
            yield Pending(start, index, length, value), batched
            index += length

    def _called(self) -> Iterator[tuple[Pending[Any], Any]]:
        call = self._call
        for item, batched in self._taken_in():
            self._start, self._count = item.start, item.index
            try:
                result = call(item.value[0], self._next_index(item, batched))
            except Exception as error:
                error.add_note(self._place(item))
                raise
            yield item, result

    def _awaited(self) -> Iterator[tuple[Pending[Any], Any]]:
        loop = asyncio.new_event_loop()
        queue = self._queue
        try:
            inputs = self._taken_in()
            ended = False
            while True:
                while not ended and len(queue) < _AT_ONCE and not (queue and queue[0].task and queue[0].task.done()):
                    found = next(inputs, None)
                    if found is None:
                        ended = True
                        break
                    item, batched = found
                    item.task = loop.create_task(self._call(item.value[0], self._next_index(item, batched)))
                    queue.append(item)
                if not queue:
                    return
                oldest = queue[0]
                self._start, self._count = oldest.start, oldest.index
                if oldest.task is None:
                    return
                try:
                    result = _run(loop, oldest.task)
                except Exception as error:
                    error.add_note(self._place(oldest))
                    raise
                queue.popleft()
                yield oldest, result
        finally:
            tasks = [item.task for item in queue if item.task is not None]
            for task in tasks:
                task.cancel()
            if tasks:
                _run(loop, asyncio.gather(*tasks, return_exceptions=True))
            loop.close()


def _run(loop: asyncio.AbstractEventLoop, work: Any) -> Any:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return loop.run_until_complete(work)
    with ThreadPoolExecutor(1) as pool:  # a loop runs here already (a notebook): it cannot be waited in
        return pool.submit(loop.run_until_complete, work).result()


def as_batch(rows: list[Row]) -> dict[str, list[Any]]:
    """Rows to lists by column, in order of appearance; what is missing is None."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def as_rows(batch: Mapping[str, Any]) -> list[Row]:
    """Lists by column to rows.

    Raises:
        ValueError: columns of other lengths.
    """
    lengths = {name: len(values) for name, values in batch.items()}
    if len(set(lengths.values())) > 1:
        msg = (
            f"Column lengths mismatch: the columns of a batch must have equal lengths, got {lengths}. Return all "
            "columns at the same length, or drop the other ones with `remove_columns`."
        )
        raise ValueError(msg)
    names = list(batch)
    return [dict(zip(names, values, strict=True)) for values in zip(*batch.values(), strict=True)]
