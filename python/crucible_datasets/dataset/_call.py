"""Calls of a user's function over a dataset, block by block: what `map` and `filter` share."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from _crucible._native import Count, LazyRow, true_numbers
from crucible_datasets.formatting import TABLES
from crucible_datasets.utils import Meter

if TYPE_CHECKING:
    from crucible_datasets.dataset._rows import RowsMixin

MutableMapping.register(LazyRow)

_AT_ONCE = 1000
"""Async calls that run at the same time."""


_TOLD = (
    "function",
    "with_indices",
    "with_rank",
    "input_columns",
    "batched",
    "batch_size",
    "drop_last_batch",
    "fn_kwargs",
)


@dataclass(frozen=True)
class Call:
    """A user's function and how it is called.

    Attributes:
        function: called with the row (or batch), or with the `input_columns` one by one; then the index, the rank.
        with_indices: whether the index (or the list of indices) is passed.
        with_rank: whether the rank is passed.
        input_columns: columns passed instead of the row.
        batched: whether a call gets `batch_size` rows.
        batch_size: rows of a call.
        drop_last_batch: whether a shorter last batch is left out.
        fn_kwargs: more keyword arguments.
        rank: number of the process, None without processes.
        offset: added to the indices.
        meter: counts the rows that are done.
    """

    function: Callable[..., Any]
    with_indices: bool = False
    with_rank: bool = False
    input_columns: list[str] | None = None
    batched: bool = False
    batch_size: int = 1000
    drop_last_batch: bool = False
    fn_kwargs: Mapping[str, Any] = field(default_factory=dict)
    rank: int | None = None
    offset: int = 0
    meter: Meter = field(default_factory=Meter)

    def told(self, processes: int) -> dict[str, Any]:
        """What the results depend on, by name."""
        told = {name: getattr(self, name) for name in _TOLD}
        if not self.batched:
            del told["batch_size"]
        if self.with_rank or self.drop_last_batch:
            told["processes"] = processes
        return told

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)


Merged: TypeAlias = tuple[list[str], dict[str, Sequence[Any]]]
"""Columns of the source that stay as they are, and the others by name."""


@dataclass
class Block:
    """Neighbouring rows and what the function returned for them.

    Attributes:
        start: first row.
        stop: end.
        inputs: what was passed, one a call: lazy rows, formatted rows, or None where columns were passed.
        results: what was returned, one a call; of calls that were merged, only what is no mapping.
        mappings: whether there were mappings that are not in `results`.
        merged: what comes of them, if all were mappings.
    """

    start: int
    stop: int
    inputs: Any
    results: list[Any]
    mappings: bool = False
    merged: Merged | None = None


def row_blocks(
    source: RowsMixin,
    call: Call,
    block_rows: int,
    *,
    what: str,
    remove: list[str] | None = None,
    scalars: bool = False,
) -> Iterator[Block]:
    """Calls the function on each row; a block at a time.

    `remove`: columns left out where results are merged. `scalars`: rows of data frames are dicts of values, as `filter`
    passes them, not frames of one row.
    """
    if remove is not None and _is_lazy(source, call) and not call.is_async:
        yield from _merged_blocks(source, call, block_rows, what, set(remove))
        return
    called, run = _called(call), _runner(call)
    for start in range(0, len(source), block_rows):
        stop = min(start + block_rows, len(source))
        kind = source._format.type
        if scalars and (kind == "pandas" or (kind in TABLES and call.input_columns is not None)):
            inputs, passed = None, _values_of_rows(source, call, start, stop)
        else:
            inputs, passed = _row_inputs(source, call, start, stop)
        passed += _numbers(call, start, stop)
        results = run(map(called, *passed), partial(_row_place, what, start + call.offset), stop - start)
        yield Block(start, stop, inputs, results)
        call.meter.reached(stop)


def _merged_blocks(source: RowsMixin, call: Call, block_rows: int, what: str, remove: set[str]) -> Iterator[Block]:
    """The blocks of lazy rows; what the function returns for a row is merged before the next row is made."""
    rows = len(source)
    calls = source._table.row_calls(_called(call), _numbers(call, 0, rows), source._decoding())
    for start in range(0, rows, block_rows):
        stop = min(start + block_rows, rows)
        with _counted(call, partial(_row_place, what, start + call.offset), stop - start) as done:
            results, merged = calls.merge(stop - start, remove, done)
        yield Block(start, stop, None, results, len(done) > len(results), merged)
        call.meter.reached(stop)


def true_rows(source: RowsMixin, call: Call, block_rows: int, *, what: str) -> np.ndarray[Any, Any]:
    """The numbers of the rows for which the function is true."""
    rows = len(source)
    if _is_lazy(source, call) and not call.is_async:
        calls = source._table.row_calls(_called(call), _numbers(call, 0, rows), source._decoding(), remember=False)
        with _counted(call, partial(_row_place, what, call.offset), rows) as done:
            return np.frombuffer(calls.true_rows(done), dtype=np.int64)
    parts = []
    for block in row_blocks(source, call, block_rows, what=what, scalars=True):
        parts.append(np.frombuffer(true_numbers(iter(block.results), Count()), dtype=np.int64) + block.start)
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _is_lazy(source: RowsMixin, call: Call) -> bool:
    return call.input_columns is None and source._format.type is None


def _numbers(call: Call, start: int, stop: int) -> list[Iterable[Any]]:
    """The further arguments of the calls of some rows: indices and ranks."""
    passed: list[Iterable[Any]] = []
    if call.with_indices:
        passed.append(range(start + call.offset, stop + call.offset))
    if call.with_rank:
        passed.append(itertools.repeat(call.rank, stop - start))
    return passed


@contextmanager
def _counted(call: Call, place: Callable[[int], str], number: int) -> Iterator[Count]:
    """Counts calls; an exception gets a note with the place."""
    done = Count()
    call.meter.live = done
    with _noted(done, place):
        yield done
        _check_number(done, number)


@contextmanager
def _noted(done: Sized, place: Callable[[int], str]) -> Iterator[None]:
    """An exception gets a note with the place."""
    try:
        yield
    except Exception as error:
        error.add_note(f"The function failed in {place(len(done))}")
        raise


def _check_number(done: Sized, number: int) -> None:
    if len(done) < number:
        msg = "The function raised StopIteration"  # for the iterator of the calls that is its end
        raise RuntimeError(msg)


def batch_blocks(source: RowsMixin, call: Call, *, what: str) -> Iterator[Block]:
    """Calls the function on each batch; a block is a batch (several when the function is async)."""
    rows = len(source)
    size = call.batch_size
    spans = [
        (start, min(start + size, rows))
        for start in range(0, rows, size)
        if not call.drop_last_batch or start + size <= rows
    ]
    called, run = _called(call), _runner(call)
    step = _AT_ONCE if call.is_async else 1
    for first in range(0, len(spans), step):
        group = spans[first : first + step]
        prepared = [_batch_inputs(source, call, start, stop) for start, stop in group]
        passed = [
            (
                *arguments,
                *([list(range(start + call.offset, stop + call.offset))] if call.with_indices else []),
                *([call.rank] if call.with_rank else []),
            )
            for (_, arguments), (start, stop) in zip(prepared, group, strict=True)
        ]
        place = partial(_batch_place, what, [(a + call.offset, b + call.offset) for a, b in group])
        results = run(itertools.starmap(called, passed), place, len(group))
        for (inputs, _), (start, stop), result in zip(prepared, group, results, strict=True):
            yield Block(start, stop, [inputs], [result])
            call.meter.reached(stop)


def _row_place(what: str, start: int, done: int) -> str:
    return f"{what}: row {start + done}"


def _batch_place(what: str, spans: list[tuple[int, int]], done: int) -> str:
    start, stop = spans[done]
    return f"{what}: rows {start} to {stop - 1}"


def _row_inputs(source: RowsMixin, call: Call, start: int, stop: int) -> tuple[list[Any] | None, list[Iterable[Any]]]:
    table = source._table
    plain = source._format.type is None
    if call.input_columns is None:
        if plain:
            lazy = table.lazy_rows(start, stop, source._decoding())
            return lazy, [lazy]
        shown = source._all_columns()
        rows = [shown._format_row(index) for index in range(start, stop)]
        return rows, [rows]
    if plain:
        part = table.slice(start, stop)
        return None, [source._python_column(part, name) for name in call.input_columns]
    shown = source._all_columns()
    formatted = [shown._format_row(index) for index in range(start, stop)]
    return None, [[row[name] for row in formatted] for name in call.input_columns]


def _values_of_rows(source: RowsMixin, call: Call, start: int, stop: int) -> list[Iterable[Any]]:
    """Rows of a table format as `filter` passes them: dicts of values, or the values of some columns."""
    batch = source._all_columns()._format_batch(source._table.slice(start, stop))
    names = source.column_names if call.input_columns is None else call.input_columns
    columns = {name: [batch[name][row] for row in range(stop - start)] for name in names}
    if call.input_columns is not None:
        return list(columns.values())
    return [[dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]]


def _batch_inputs(source: RowsMixin, call: Call, start: int, stop: int) -> tuple[Any, tuple[Any, ...]]:
    plain = source._format.type is None
    if call.input_columns is None and plain:
        batch: Any = source._table.lazy_batch(start, stop, source._decoding())
        return batch, (batch,)
    part = source._table.slice(start, stop)
    if plain:
        return None, tuple(source._python_column(part, name) for name in call.input_columns or [])
    shown = source._all_columns()
    if shown._format.type in TABLES and start < stop:
        batch = shown._rows_as_table(range(start, stop))
    else:
        batch = shown._format_batch(part)
    if call.input_columns is None:
        return batch, (batch,)
    return None, tuple(batch[name] for name in call.input_columns)


Run: TypeAlias = Callable[[Iterator[Any], Callable[[int], str], int], list[Any]]


def _called(call: Call) -> Callable[..., Any]:
    kwargs = dict(call.fn_kwargs)
    return partial(call.function, **kwargs) if kwargs else call.function


def _runner(call: Call) -> Run:
    """What makes the calls of a block, which are those of an iterator; an exception gets a note with the place."""

    def run(calls: Iterator[Any], place: Callable[[int], str], number: int) -> list[Any]:
        results: list[Any] = []
        if not call.batched:
            call.meter.live = results
        with _noted(results, place):
            results.extend(calls)
            _check_number(results, number)
        return results

    def run_async(calls: Iterator[Any], place: Callable[[int], str], number: int) -> list[Any]:  # noqa: ARG001
        work = _gather(list(calls), place)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(work)
        with ThreadPoolExecutor(1) as pool:  # a loop runs here already (a notebook): it cannot be waited in
            return pool.submit(asyncio.run, work).result()

    return run_async if call.is_async else run


async def _gather(calls: list[Awaitable[Any]], place: Callable[[int], str]) -> list[Any]:
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        for index, task in enumerate(tasks):
            with _noted(range(index), place):
                await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]


def loaded(module: str, name: str) -> type | None:
    """A class of a package if the package is in use: values of it cannot exist otherwise."""
    found = sys.modules.get(module)
    return getattr(found, name, None)
