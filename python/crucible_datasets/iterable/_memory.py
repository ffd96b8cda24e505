"""The rows of tables in memory, and of a generator function."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from crucible_datasets.features import Features
from crucible_datasets.iterable._plan import Plan, Row, Run, State, StateError, part_of, skip_by_reading
from crucible_datasets.iterable._state import members, natural

if TYPE_CHECKING:
    import numpy as np

    from _crucible._native import Table


def _placed(state: State, owner: str, shards: int) -> tuple[int, int]:
    shard, row = members(state, owner, "shard", "row")
    return natural(shard, state, owner, shards), natural(row, state, owner)


@dataclass(frozen=True, eq=False)
class TablesPlan(Plan):
    """Tables, each a shard, all of the same features."""

    tables: tuple[Table, ...]
    own: Features

    @property
    def num_shards(self) -> int:
        return len(self.tables)

    @property
    def features(self) -> Features | None:
        return self.own

    def open(self) -> Run:
        return _TablesRun(self.tables)

    def shuffled(self, rng: np.random.Generator) -> Plan:
        order = list(range(len(self.tables)))
        copy.deepcopy(rng).shuffle(order)
        return replace(self, tables=tuple(self.tables[place] for place in order))

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        chosen = part_of(len(self.tables), count, index, contiguous)
        return replace(self, tables=tuple(self.tables[place] for place in chosen))

    def projected(self, names: list[str]) -> Plan | None:
        tables = tuple(table.select_columns(names) for table in self.tables)
        return replace(self, tables=tables, own=Features({name: self.own[name] for name in names}))

    def length(self) -> int | None:
        return sum(table.num_rows for table in self.tables)

    def window(self, start: int, stop: int) -> Plan | None:
        made, first = [], 0
        for table in self.tables:
            low, high = max(start - first, 0), min(stop - first, table.num_rows)
            if low < high:
                made.append(table.slice(low, high))
            first += table.num_rows
        return replace(self, tables=tuple(made))

    @property
    def cutting(self) -> str:
        return "deep"

    def cut(self, count: int, index: int) -> Plan:
        rows = part_of(sum(table.num_rows for table in self.tables), count, index)
        return self.window(rows.start, rows.stop) or self


class _TablesRun(Run):
    def __init__(self, tables: tuple[Table, ...]) -> None:
        self._tables = tables
        self._shard, self._row = 0, 0

    def pull(self, most: int) -> Table | None:
        while self._shard < len(self._tables):
            table = self._tables[self._shard]
            start, stop = self._row, min(self._row + most, table.num_rows)
            if stop == table.num_rows:
                self._shard, self._row = self._shard + 1, 0
            else:
                self._row = stop
            if start < stop:
                return table.slice(start, stop)
        return None

    def skip(self, count: int) -> int:
        left = count
        while left and self._shard < len(self._tables):
            rows = self._tables[self._shard].num_rows - self._row
            if rows > left:
                self._row += left
                return count
            left -= rows
            self._shard, self._row = self._shard + 1, 0
        return count - left

    def state(self) -> State:
        return {"shard": self._shard, "row": self._row}

    def load(self, state: State) -> None:
        self._shard, self._row = _placed(state, "tables", len(self._tables))
        rows = self._tables[self._shard].num_rows if self._shard < len(self._tables) else 0
        if self._row > rows:
            msg = f"the state is {self._row} rows into a shard of {rows}: the data is not what it was"
            raise StateError(msg)


@dataclass(frozen=True, eq=False)
class GeneratorPlan(Plan):
    """The rows of a generator function. The lists among its arguments are the shards.

    Attributes:
        function: called for each shard, with lists of one item in place of the lists.
        kwargs: its arguments.
        order: the shards.
    """

    function: Callable[..., Iterable[Mapping[str, Any]]]
    kwargs: Mapping[str, Any]
    order: tuple[int, ...]

    @classmethod
    def of(cls, function: Callable[..., Iterable[Mapping[str, Any]]], kwargs: Mapping[str, Any]) -> GeneratorPlan:
        """With all shards.

        Raises:
            RuntimeError: lists of several lengths.
        """
        lengths = {name: len(value) for name, value in kwargs.items() if isinstance(value, list)}
        if len(set(lengths.values())) > 1:
            msg = (
                f"Sharding is ambiguous for this dataset: gen_kwargs has lists of several lengths: {lengths}. "
                "Use lists only for the data sources, and tuples otherwise."
            )
            raise RuntimeError(msg)
        return cls(function, dict(kwargs), tuple(range(max([1, *lengths.values()]))))

    @property
    def arrow(self) -> bool:
        return False

    @property
    def num_shards(self) -> int:
        return len(self.order)

    def arguments(self, shard: int) -> dict[str, Any]:
        """What the function is called with for a shard."""
        return {
            name: [value[shard]] if isinstance(value, list) and value else value for name, value in self.kwargs.items()
        }

    def open(self) -> Run:
        return _GeneratorRun(self)

    def shuffled(self, rng: np.random.Generator) -> Plan:
        order = list(range(len(self.order)))
        copy.deepcopy(rng).shuffle(order)
        return replace(self, order=tuple(self.order[place] for place in order))

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        chosen = part_of(len(self.order), count, index, contiguous)
        return replace(self, order=tuple(self.order[place] for place in chosen))

    @property
    def cutting(self) -> str:
        return "never"  # a generator may give other rows each time, and costs what it costs


class _GeneratorRun(Run):
    """The place: the shard, and how many of its rows are done. Going there runs the generator from its start."""

    def __init__(self, plan: GeneratorPlan) -> None:
        self._plan = plan
        self._shard, self._row = 0, 0

    def rows(self) -> Iterator[Row]:
        while self._shard < len(self._plan.order):
            arguments = self._plan.arguments(self._plan.order[self._shard])
            found = iter(self._plan.function(**arguments))
            passed = sum(1 for _ in islice(found, self._row))
            if passed < self._row:
                msg = f"the state is {self._row} rows into a shard of a generator that gave {passed}: it gives other rows than before"
                raise StateError(msg)
            for row in found:
                self._row += 1
                yield row if isinstance(row, dict) else dict(row)
            self._shard, self._row = self._shard + 1, 0

    def skip(self, count: int) -> int:
        return skip_by_reading(self, count, arrow=False)

    def state(self) -> State:
        return {"shard": self._shard, "row": self._row}

    def load(self, state: State) -> None:
        self._shard, self._row = _placed(state, "a generator", len(self._plan.order))
