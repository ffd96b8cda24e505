"""Between tables and rows: decoding, formats, and back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from _crucible._native import Table
from crucible_datasets.features import Feature, Features, decoder, encode_column, images_in_rows, needs_encoding
from crucible_datasets.formatting import ARRAYS, Format
from crucible_datasets.iterable._plan import Declared, Plan, Row, Run, State, StateError, Wrap, WrapRun, skip_by_reading
from crucible_datasets.iterable._state import members, natural

_PULLED = 1024
"""Rows pulled at a time from tables: a state in between costs their pull again."""
_MADE = 32
"""Rows made at a time, few enough that their memory is reused while it is in the cache."""
_MADE_MEDIA = 8


@lru_cache(maxsize=256)
def _same(one: str, other: str) -> bool:
    """Whether two texts say the same features: asked for every table of a stream, with the same two texts."""
    return one == other or Features.from_text(one) == Features.from_text(other)


def in_features(table: Table, features: Features | None, text: str | None) -> Table:
    """A table cast to features, where it has others."""
    if features is None or text is None:
        return table
    if table.column_names == list(features) and _same(table.features, text):
        return table
    missing = [name for name in features if name not in table.column_names]
    if missing:
        nulls = Table.from_columns({name: [None] * table.num_rows for name in missing})
        table = Table.side_by_side([table, nulls])
    return table.select_columns(list(features)).with_features(text)


def table_of(rows: list[Row]) -> Table:
    """Rows whose features nobody knows as a table. Images are encoded."""
    images = images_in_rows(rows)
    if images is None:
        return Table.from_rows(rows)
    columns, found = images
    table = Table.from_columns(columns)
    return table.with_features(Features({**Features.from_text(table.features), **found}).to_text())


def decoding(feature: Feature, enable: bool) -> Feature:
    """The feature with its media decoded, or not."""
    if isinstance(feature, dict):
        return {name: decoding(inner, enable) for name, inner in feature.items()}
    made = copy.deepcopy(feature)
    inner = getattr(made, "feature", None)
    if inner is not None:
        made.feature = decoding(inner, enable)
    elif hasattr(made, "decode"):
        made.decode = enable
    return made


def row_format(features: Features | None, format: Format) -> Callable[[Row], Row] | None:
    """What a format makes of a row of decoded values; None for Python objects."""
    arrays = format.arrays
    if arrays is None:
        return None
    known = features or Features()
    return lambda row: {name: arrays.cell(value, known.get(name)) for name, value in row.items()}


def decoders_of(features: Features, format: Format) -> dict[str, Any]:
    """What decodes the columns whose shown value is not the stored one."""
    numpy = format.type in ARRAYS
    found = {name: decoder(feature, numpy=numpy) for name, feature in features.items()}
    return {name: decode for name, decode in found.items() if decode is not None}


@dataclass(frozen=True, eq=False)
class Rows(Wrap):
    """Rows of tables: cast, decoded, in a format.

    Attributes:
        declared: the features; those of each table when None.
        format: the format of the values.
        for_calls: whether a function gets the rows: `datasets` cuts those out of formatted batches, whose numbers numpy
            has as int64 and float32.
    """

    declared: Features | None
    format: Format = Format()  # noqa: RUF009  # immutable
    for_calls: bool = False
    row_by_row: ClassVar[bool] = True

    @property
    def arrow(self) -> bool:
        return False

    @property
    def by_tables(self) -> bool:
        return False

    @property
    def features(self) -> Features | None:
        return self.before.features if self.declared is None else self.declared

    @property
    def typed(self) -> bool:
        return self.declared is not None or self.before.typed

    def read_features(self) -> Features | None:
        return self.before.read_features() if self.declared is None else self.declared

    def open(self) -> Run:
        examples = not self.before.by_tables
        return RowsRun(self.before.open(), self.declared, self.format, for_calls=self.for_calls, examples=examples)


def stored_rows(plan: Plan, features: Features | None) -> Plan:
    """The rows of a plan, whose media are not decoded yet.

    Args:
        plan: tables, or rows already.
        features: those of its tables; each has its own when None.
    """
    if not plan.arrow:
        return plan
    return Rows(plan, features and Features({name: decoding(feature, False) for name, feature in features.items()}))


class RowsRun(WrapRun):
    """The place in the middle of a pulled table: where that started, and how many of its rows are done."""

    def __init__(
        self,
        before: Run,
        features: Features | None,
        format: Format,
        *,
        for_calls: bool = False,
        examples: bool = False,
    ) -> None:
        super().__init__(before)
        self._features, self._format = features, format
        self._examples = examples
        self._widened = for_calls and format.type == "numpy" and not examples
        self._text = None if features is None else features.to_text()
        self._start: State | None = None
        self._taken = 0

    def state(self) -> State:
        before = self._before.state() if self._start is None else self._start
        return {"before": before, "taken": self._taken}

    def load(self, state: State) -> None:
        super().load(state)
        [taken] = members(state, "rows", "taken")
        self._start, self._taken = None, natural(taken, state, "rows", _PULLED)

    def skip(self, count: int) -> int:
        """Whole tables of the run before are passed by; the rows of one that is begun are not made."""
        if self._taken or self._start is not None:
            return skip_by_reading(self, count, arrow=False)
        return self._before.skip(count)

    def rows(self) -> Iterator[Row]:
        taken = self._taken
        while True:
            if self._start is not None:  # an abandoned iteration: back to where its table started
                self._before.load(self._start)
            start = self._before.state()
            table = self._before.pull(_PULLED)
            if table is None:
                return
            if taken > table.num_rows:
                msg = f"the state is {taken} rows into a table of {table.num_rows}: the data is not what it was"
                raise StateError(msg)
            self._start = start
            for row in self._made(table, taken):
                taken += 1
                if taken == table.num_rows:
                    self._start, self._taken, taken = None, 0, 0
                else:
                    self._taken = taken
                yield row
            self._start, self._taken, taken = None, 0, 0

    def _made(self, table: Table, first: int) -> Iterator[Row]:
        table = in_features(table, self._features, self._text)
        features = self._features or Features.from_text(table.features)
        decoders = decoders_of(features, self._format)
        # Cells of examples are formatted by what they are, cells of tables by their features.
        shown = row_format(None if self._examples else features, self._format)
        size = _MADE_MEDIA if decoders else _MADE
        for start in range(first, table.num_rows, size):
            rows = table.rows(start, min(start + size, table.num_rows))
            if not decoders and shown is None:
                yield from rows
                continue
            for row in rows:
                for name, decode in decoders.items():
                    row[name] = decode(row[name])
                made = row if shown is None else shown(row)
                yield {name: _widened(value) for name, value in made.items()} if self._widened else made


def _widened(value: Any) -> Any:
    """A cell as numpy's batches have it."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.integer):
        return value.astype(np.int64)  # beyond it wraps, as in datasets
    return np.float32(value) if isinstance(value, np.floating) else value


@dataclass(frozen=True, eq=False)
class TypedRows(Declared, Wrap):
    """Rows in declared features, and in a format: missing columns are None, others are dropped."""

    declared: Features | None
    format: Format = Format()  # noqa: RUF009  # immutable
    row_by_row: ClassVar[bool] = True

    def as_given(self, features: Features) -> Plan:
        own = self.declared
        return (
            self if own is None else replace(self, declared=Features({k: features.get(k, v) for k, v in own.items()}))
        )

    def open(self) -> Run:
        same = self.before.features == self.declared
        return _TypedRun(self.before.open(), None if same else self.declared, self.format)


class _TypedRun(WrapRun):
    def __init__(self, before: Run, target: Features | None, format: Format) -> None:
        super().__init__(before)
        self._target = target
        self._shown = row_format(None, format)

    def rows(self) -> Iterator[Row]:
        target, shown = self._target, self._shown
        for row in self._before.rows():
            made = row
            if target is not None:
                whole = {**dict.fromkeys(target), **made}
                made = target.decode_example(target.encode_example(whole))
            yield made if shown is None else shown(made)


@dataclass(frozen=True, eq=False)
class Tables(Declared, Wrap):
    """Rows as tables, for functions on tables."""

    declared: Features | None

    @property
    def arrow(self) -> bool:
        return True

    def open(self) -> Run:
        known = self.declared
        if known is None and self.before.typed:
            known = self.before.read_features()  # of files that are read now, not when the step was made
        return _TablesOfRowsRun(self.before.open(), known)


class _TablesOfRowsRun(WrapRun):
    def __init__(self, before: Run, features: Features | None) -> None:
        super().__init__(before)
        self._features = features
        self._text = None if features is None else features.to_text()
        self._encoded = [name for name, feature in (features or {}).items() if needs_encoding(feature)]
        self._rows: Iterator[Row] | None = None

    def load(self, state: State) -> None:
        super().load(state)
        self._rows = None

    def skip(self, count: int) -> int:
        if self._rows is None:
            return self._before.skip(count)
        return sum(1 for _ in islice(self._rows, count))

    def pull(self, most: int) -> Table | None:
        if self._rows is None:
            self._rows = self._before.rows()
        rows = list(islice(self._rows, most))
        if not rows:
            return None
        features = self._features
        if features is None:
            return table_of(rows)
        if not self._encoded:
            return Table.from_rows([{name: row.get(name) for name in features} for row in rows], self._text)
        columns = {name: [row.get(name) for row in rows] for name in features}
        for name in self._encoded:
            columns[name] = encode_column(features[name], columns[name])
        return Table.from_columns(columns, self._text)
