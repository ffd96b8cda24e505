"""`map`, `filter` and `batch` on tables."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from _crucible._native import Table
from crucible_datasets.features import Features
from crucible_datasets.formatting import Format, from_table_format, to_table_format
from crucible_datasets.iterable._call import Call
from crucible_datasets.iterable._plan import (
    Declared,
    Plan,
    Run,
    State,
    StateError,
    Wrap,
    WrapRun,
    pull_exactly,
    skip_by_reading,
)
from crucible_datasets.iterable._rows import in_features
from crucible_datasets.iterable._state import members, natural

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALL = 1 << 40
_TOGETHER = 1024
"""Rows that are grouped at a time at the most, where batches are smaller."""


@dataclass(frozen=True, eq=False)
class MapTables(Declared, Wrap):
    """A function from tables to tables; or, for `filter`, to a mask.

    Attributes:
        call: the function.
        format: "arrow", "pandas" or "polars": what the function gets and gives.
        size: rows of a table, None for all.
        drop_last: whether a shorter last table is left out.
        shown: features that tables are cast to before.
        declared: features of the result.
        filters: whether the function gives a mask.
        batched: whether indices are lists.
    """

    call: Call
    format: Format
    size: int | None
    drop_last: bool
    shown: Features | None
    declared: Features | None
    filters: bool
    batched: bool

    @property
    def by_tables(self) -> bool:
        return True

    @property
    def told(self) -> Features | None:
        return None if self.filters else self.declared

    @property
    def typed(self) -> bool:
        return self.declared is not None or (self.filters and self.before.typed)

    def read_features(self) -> Features | None:
        return self.before.read_features() if self.filters and self.declared is None else self.declared

    def by_rows(self) -> Plan:
        return self

    def open(self) -> Run:
        return _MapTablesRun(self)


class _MapTablesRun(WrapRun):
    """The place in the middle of a result: before its input, and how many of its rows are done."""

    def __init__(self, plan: MapTables) -> None:
        super().__init__(plan.before.open())
        self._plan = plan
        self._size = plan.size or _ALL
        self._text = None if plan.shown is None else plan.shown.to_text()
        self._start: State | None = None
        self._taken = 0
        self._count = 0
        self._rows = 0
        self._out: Table | None = None

    def state(self) -> State:
        before = self._before.state() if self._start is None else self._start
        return {"before": before, "count": self._count, "taken": self._taken}

    def load(self, state: State) -> None:
        super().load(state)
        count, taken = members(state, "map", "count", "taken")
        self._count, self._taken = natural(count, state, "map"), natural(taken, state, "map")
        self._start = self._out = None

    def skip(self, count: int) -> int:
        return skip_by_reading(self, count, arrow=True)

    def pull(self, most: int) -> Table | None:
        while self._out is not None or self._call():
            out = self._out
            if out is None:
                return None
            start, stop = self._taken, min(self._taken + most, out.num_rows)
            if stop == out.num_rows:
                self._finish()
            else:
                self._taken = stop
            if start < stop:
                return out if stop - start == out.num_rows else out.slice(start, stop)
        return None

    def _finish(self) -> None:
        self._count += self._rows
        self._start = self._out = None
        self._taken = 0

    def _call(self) -> bool:
        plan = self._plan
        start = self._before.state()
        table = pull_exactly(self._before, self._size)
        if table is None or (plan.drop_last and plan.batched and plan.size and table.num_rows < plan.size):
            return False
        table = in_features(table, plan.shown, self._text)
        index: Any = list(range(self._count, self._count + table.num_rows)) if plan.batched else self._count
        try:
            result = self._result(table, index)
        except Exception as error:
            what = "filter" if plan.filters else "map"
            error.add_note(f"The function failed in {what}: from row {self._count} on, {table.num_rows} rows")
            raise
        self._out = self._masked(table, result) if plan.filters else self._made(result)
        if self._taken > self._out.num_rows:
            msg = f"the state is {self._taken} rows into {self._out.num_rows}: map gives other rows than before"
            raise StateError(msg)
        self._start, self._rows = start, table.num_rows
        return True

    def _result(self, table: Table, index: Any) -> Any:
        call, kind = self._plan.call, self._plan.format.type
        if call.inputs is None:
            passed = [to_table_format(table, kind, {})]  # functions get values as they are stored, as in `datasets`
        else:
            whole = to_table_format(table, "arrow", {})
            passed = [whole[name] for name in call.inputs]
        if call.with_indices:
            passed.append(index)
        return call.function(*passed, **call.kwargs)

    def _made(self, result: Any) -> Table:
        table = from_table_format(result)
        if table is None:
            kind = self._plan.format.type
            msg = f"Provided `function` which is applied to {kind} tables returns a variable of type {type(result)}. Make sure provided `function` returns a {kind} table to update the dataset."
            raise TypeError(msg)
        remove = self._plan.call.remove
        if remove & set(table.column_names):
            table = table.select_columns([name for name in table.column_names if name not in remove])
        return table

    def _masked(self, table: Table, result: Any) -> Table:
        if hasattr(result, "as_py"):
            result = result.as_py()
        if hasattr(result, "to_pylist"):
            result = result.to_pylist()
        mask: Iterable[Any] = result if hasattr(result, "__iter__") else [result]
        kept = [bool(keep) for keep in mask]
        if len(kept) != table.num_rows:
            msg = f"filter: the function returned a mask of {len(kept)} values for {table.num_rows} rows"
            raise ValueError(msg)
        return table.select([row for row, keep in enumerate(kept) if keep])


@dataclass(frozen=True, eq=False)
class BatchTables(Wrap):
    """Rows of lists of `size` rows, without a Python object made.

    Attributes:
        size: rows of a batch.
        drop_last: whether a shorter last batch is left out.
        shown: features that tables are cast to before.
        declared: features of the result.
        official_rows: whether the official library makes rows here.
    """

    size: int
    drop_last: bool
    shown: Features
    declared: Features
    official_rows: bool

    @property
    def by_tables(self) -> bool:
        return not self.official_rows

    @property
    def told(self) -> Features | None:
        return self.declared

    @property
    def features(self) -> Features | None:
        return self.declared

    @property
    def typed(self) -> bool:
        return True

    def read_features(self) -> Features | None:
        return self.declared

    def by_rows(self) -> Plan:
        return self

    def length(self) -> int | None:
        rows = self.before.length()
        return None if rows is None else rows // self.size if self.drop_last else -(-rows // self.size)

    def open(self) -> Run:
        return _BatchTablesRun(self)


class _BatchTablesRun(WrapRun):
    def __init__(self, plan: BatchTables) -> None:
        super().__init__(plan.before.open())
        self._size, self._drop_last, self._shown = plan.size, plan.drop_last, plan.shown
        self._text, self._after = plan.shown.to_text(), plan.declared.to_text()

    def skip(self, count: int) -> int:
        return skip_by_reading(self, count, arrow=True)

    def pull(self, most: int) -> Table | None:
        size = self._size
        batches = max(1, min(most, _TOGETHER // size))
        table = pull_exactly(self._before, batches * size)
        if table is None:
            return None
        rows = table.num_rows
        if self._drop_last and rows % size:
            rows -= rows % size
            if not rows:
                return None
            table = table.slice(0, rows)
        ends = [min(end, rows) for end in islice(range(size, rows + size, size), batches)]
        return in_features(table, self._shown, self._text).grouped(ends).with_features(self._after)
