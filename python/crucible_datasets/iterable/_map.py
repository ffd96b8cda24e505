"""`map` and `filter` with functions on Python rows and batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from crucible_datasets.features import Features
from crucible_datasets.formatting import Format
from crucible_datasets.iterable._call import Call, CallRun, as_batch, as_rows
from crucible_datasets.iterable._plan import Declared, Plan, Row, Run, Wrap, WrapRun, pull_exactly
from crucible_datasets.iterable._rows import decoders_of, in_features, row_format

_ALL = 1 << 40
"""A batch of everything."""


@dataclass(frozen=True, eq=False)
class _Called(Wrap):
    call: Call

    @property
    def arrow(self) -> bool:
        return False

    @property
    def told(self) -> Features | None:
        return None

    @property
    def by_tables(self) -> bool:
        return False

    def by_rows(self) -> Plan:
        return self  # what is before a function was settled when the function came


@dataclass(frozen=True, eq=False)
class MapRows(Declared, _Called):
    """A function on each row."""

    declared: Features | None = None
    row_by_row: ClassVar[bool] = True

    @property
    def told(self) -> Features | None:
        return self.declared

    def window(self, start: int, stop: int) -> Plan | None:
        return None if self.call.with_indices else super().window(start, stop)

    def open(self) -> Run:
        return _MapRowsRun(self.before.open(), self.call)


class _MapRowsRun(CallRun):
    def __init__(self, before: Run, call: Call) -> None:
        super().__init__(before, call, "map")

    def rows(self) -> Iterator[Row]:
        return super().rows() if self._call.is_async else self._quick()

    def _quick(self) -> Iterator[Row]:
        """Without anything in flight: the place is that of the run before."""
        call, plain = self._call, self._call.inputs is None and not self._call.with_indices
        function, kwargs = call.function, call.kwargs
        self._rewind()
        for row in self._before.rows():
            kept = call.kept(row)
            index = self._count
            try:
                result = function(row, **kwargs) if plain else call(row, index)
            except Exception as error:
                error.add_note(f"The function failed in map: row {index}")
                raise
            self._count = index + 1
            yield call.merged(kept, row, result)

    def _inputs(self) -> Iterator[tuple[Any, int, bool]]:
        for row in self._before.rows():
            yield (row, self._call.kept(row)), 1, False

    def _outputs(self, value: Any, result: Any) -> list[Row]:
        row, kept = value
        return [self._call.merged(kept, row, result)]


@dataclass(frozen=True, eq=False)
class MapBatches(MapRows):
    """A function on batches, which may give another number of rows. What is before it may be tables.

    Attributes:
        size: rows of a batch, None for all.
        drop_last: whether a shorter last batch is left out.
        shown: features that tables are cast to and decoded as.
        format: the format of batches.
    """

    row_by_row: ClassVar[bool] = False
    size: int | None = None
    drop_last: bool = False
    shown: Features | None = None
    format: Format = Format()  # noqa: RUF009  # immutable

    def open(self) -> Run:
        return _MapBatchesRun(self)


class _MapBatchesRun(CallRun):
    def __init__(self, plan: MapBatches) -> None:
        super().__init__(plan.before.open(), plan.call, "map")
        self._arrow, self._size, self._drop_last = plan.before.arrow, plan.size or _ALL, plan.drop_last
        self._features = plan.shown
        self._text = None if plan.shown is None else plan.shown.to_text()
        self._decoders = None if plan.shown is None else decoders_of(plan.shown, plan.format)
        self._numpy = plan.format
        self._format = row_format(None, plan.format)  # of batches of shown rows: no values of a feature any more

    def _batches(self) -> Iterator[tuple[dict[str, Any], int]]:
        if self._arrow:
            while (table := pull_exactly(self._before, self._size)) is not None:
                table = in_features(table, self._features, self._text)
                batch = table.batch(0, table.num_rows)
                decoders = self._decoders
                if decoders is None:
                    decoders = decoders_of(Features.from_text(table.features), self._numpy)
                for name, decode in decoders.items():
                    batch[name] = [decode(value) for value in batch[name]]
                yield batch, table.num_rows
            return
        before = self._before.rows()
        while rows := list(islice(before, self._size)):
            yield as_batch(rows), len(rows)

    def _inputs(self) -> Iterator[tuple[Any, int, bool]]:
        for batch, length in self._batches():
            if self._drop_last and self._size != _ALL and length < self._size:
                return
            made = batch if self._format is None else self._format(batch)
            yield (made, self._call.kept(made)), length, True

    def _outputs(self, value: Any, result: Any) -> list[Row]:
        batch, kept = value
        return as_rows(self._call.merged(kept, batch, result))


@dataclass(frozen=True, eq=False)
class FilterRows(_Called):
    """Rows for which a function is true.

    Attributes:
        batched: whether it gets batches and gives a mask.
        size: rows of a batch, None for all.
    """

    batched: bool = False
    size: int | None = None
    format: Format = Format()  # noqa: RUF009  # immutable

    def open(self) -> Run:
        return _FilterRun(self)


class _FilterRun(CallRun):
    def __init__(self, plan: FilterRows) -> None:
        super().__init__(plan.before.open(), plan.call, "filter")
        self._batched, self._size = plan.batched, plan.size or _ALL
        self._format = row_format(None, plan.format)

    def rows(self) -> Iterator[Row]:
        return super().rows() if self._call.is_async or self._batched else self._quick()

    def _quick(self) -> Iterator[Row]:
        call = self._call
        self._rewind()
        for row in self._before.rows():
            index = self._count
            try:
                keep = call(dict(row), index)
            except Exception as error:
                error.add_note(f"The function failed in filter: row {index}")
                raise
            self._count = index + 1
            if keep:
                yield row

    def _inputs(self) -> Iterator[tuple[Any, int, bool]]:
        if not self._batched:
            for row in self._before.rows():
                yield (dict(row), [row]), 1, False
            return
        before = self._before.rows()
        while rows := list(islice(before, self._size)):
            batch = as_batch(rows)
            if self._format is not None:
                batch = self._format(batch)
                rows = as_rows(batch)  # what is kept is cut out of the batch, as in `datasets`
            yield (dict(batch), rows), len(rows), True

    def _outputs(self, value: Any, result: Any) -> list[Row]:
        rows = value[1]
        if not self._batched:
            return rows if result else []
        mask = [bool(keep) for keep in (result.to_pylist() if hasattr(result, "to_pylist") else result)]
        if len(mask) != len(rows):
            msg = f"filter: the function returned a mask of {len(mask)} values for {len(rows)} rows"
            raise ValueError(msg)
        return [row for row, keep in zip(rows, mask, strict=True) if keep]


@dataclass(frozen=True, eq=False)
class _Lists(Declared, Wrap):
    declared: Features | None

    @property
    def arrow(self) -> bool:
        return False

    @property
    def told(self) -> Features | None:
        return self.declared

    def by_rows(self) -> Plan:
        return self


@dataclass(frozen=True, eq=False)
class BatchRows(_Lists):
    """Rows of lists of `size` rows."""

    size: int
    drop_last: bool

    def open(self) -> Run:
        return _BatchRowsRun(self.before.open(), self.size, self.drop_last)


class _BatchRowsRun(WrapRun):
    def __init__(self, before: Run, size: int, drop_last: bool) -> None:
        super().__init__(before)
        self._size, self._drop_last = size, drop_last

    def skip(self, count: int) -> int:
        return sum(1 for _ in islice(self.rows(), count))

    def rows(self) -> Iterator[Row]:
        before = self._before.rows()
        while rows := list(islice(before, self._size)):
            if len(rows) < self._size and self._drop_last:
                return
            yield as_batch(rows)


@dataclass(frozen=True, eq=False)
class GroupRows(_Lists):
    """Rows of lists: neighbouring rows with equal values in some columns."""

    names: tuple[str, ...]

    @property
    def by_tables(self) -> bool:
        return True

    def open(self) -> Run:
        return _GroupRun(self.before.open(), self.names)


class _GroupRun(WrapRun):
    """The row that shows that a group has ended is read again after a resume."""

    def __init__(self, before: Run, names: tuple[str, ...]) -> None:
        super().__init__(before)
        self._names = names
        self._start: dict[str, Any] | None = None

    def state(self) -> dict[str, Any]:
        return {"before": self._before.state() if self._start is None else self._start}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self._start = None

    def skip(self, count: int) -> int:
        return sum(1 for _ in islice(self.rows(), count))

    def rows(self) -> Iterator[Row]:
        if self._start is not None:
            self._before.load(self._start)
            self._start = None
        before = self._before.rows()
        row = next(before, None)
        while row is not None:
            group = [row]
            key = [row[name] for name in self._names]
            while True:
                start = self._before.state()
                row = next(before, None)
                if row is None or [row[name] for name in self._names] != key:
                    break
                group.append(row)
            self._start = None if row is None else start
            yield as_batch(group)
