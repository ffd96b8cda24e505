"""Streams in turns, or drawn at random."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from _crucible._native import Table
from crucible_datasets.iterable._joined import Concat, Several, SeveralRun
from crucible_datasets.iterable._plan import Plan, Row, Run, State, StateError
from crucible_datasets.iterable._random import generator_state, shifted, with_state
from crucible_datasets.iterable._rows import in_features
from crucible_datasets.iterable._state import flags, members, natural

_DRAWS = 1000
"""Streams are drawn in blocks, as in `datasets`: the order of random numbers depends on it."""
_PULLED = 64
"""Rows pulled at a time from a stream of tables."""
STRATEGIES = ("first_exhausted", "all_exhausted", "all_exhausted_without_replacement")


@dataclass(frozen=True, eq=False)
class Interleave(Several):
    """The rows of streams in turns.

    Attributes:
        strategy: when it ends, see `interleave_datasets`.
        rng: the generator that draws streams; they come in turns without one.
        chances: how likely each is.
    """

    strategy: str
    rng: np.random.Generator | None = None
    chances: tuple[float, ...] | None = None

    @property
    def num_shards(self) -> int:
        return min((part.num_shards for part in self.parts), default=0)

    def shuffled(self, rng: np.random.Generator) -> Plan:
        parts = tuple(part.shuffled(rng) for part in self.parts)
        return replace(self, parts=parts, rng=None if self.rng is None else copy.deepcopy(rng))

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        shards = min(count, self.num_shards)
        if index >= shards:
            return Concat((), self.declared)
        return replace(self, parts=tuple(part.sharded(shards, index, contiguous) for part in self.parts))

    def shifted(self, value: int) -> Plan:
        made = replace(self, parts=tuple(part.shifted(value) for part in self.parts))
        return made if self.rng is None else replace(made, rng=shifted(self.rng, value))

    def open(self) -> Run:
        return _InterleaveRun(self)


class _Ahead:
    """A stream with a look at whether there is one row more. Its place is before that row."""

    def __init__(self, plan: Plan, fit: Callable[[Table], Table]) -> None:
        self._plan, self._fit = plan, fit
        self._run = plan.open()
        self._forget(0)

    def _forget(self, skipped: int) -> None:
        self._rows: Iterator[Row] | None = None
        self._start: State | None = None
        self._have: list[Any] = []
        self._taken, self._skipped = 0, skipped

    def more(self) -> bool:
        """Whether there is one."""
        if self._taken < len(self._have):
            return True
        self._start = self._run.state()
        self._taken = 0
        if self._plan.arrow:
            table = self._run.pull(_PULLED)
            fitted = None if table is None else self._fit(table)
            self._have = [] if fitted is None else [(fitted, row) for row in range(fitted.num_rows)]
        else:
            if self._rows is None:
                self._rows = self._run.rows()
            row = next(self._rows, None)
            self._have = [] if row is None else [row]
        self._taken, self._skipped = self._skipped, 0
        if self._taken > len(self._have):
            msg = f"the state is {self._taken} rows into {len(self._have)} rows: the data is not what it was"
            raise StateError(msg)
        return self._taken < len(self._have)

    def take(self) -> Any:
        """The row: a dict, or a table and a number."""
        self._taken += 1
        return self._have[self._taken - 1]

    def again(self) -> None:
        """Back to the start of the stream."""
        self._run.release()
        self._run = self._plan.open()
        self._forget(0)

    def state(self) -> State:
        if self._start is None or self._taken >= len(self._have):
            return {"before": self._run.state(), "taken": self._skipped}
        return {"before": self._start, "taken": self._taken}

    def load(self, state: State) -> None:
        before, taken = members(state, "interleave", "before", "taken")
        taken = natural(taken, state, "interleave", _PULLED)
        self._run.load(before)
        self._forget(taken)

    def release(self) -> None:
        self._run.release()


class _InterleaveRun(SeveralRun):
    def __init__(self, plan: Interleave) -> None:
        super().__init__(plan)
        self._runs = []
        self._sources = [_Ahead(part, self._fitted) for part in plan.parts]
        self._ended = [False] * len(plan.parts)
        self._strategy, self._chances = plan.strategy, plan.chances
        self._turn = 0
        self._rng = copy.deepcopy(plan.rng)
        self._block: list[int] | None = None
        self._block_rng: State | None = None

    def _fitted(self, table: Table) -> Table:
        return in_features(table, self._features, self._text)

    def _next_source(self) -> int:
        if self._rng is None:
            source = self._turn
            self._turn = (self._turn + 1) % len(self._sources)
            return source
        if self._block is None or self._turn == _DRAWS:
            self._turn %= _DRAWS
            self._block_rng = generator_state(self._rng)
            count = len(self._sources)
            if self._chances is None:
                drawn = self._rng.integers(0, count, size=_DRAWS)
            else:
                drawn = self._rng.choice(count, size=_DRAWS, p=self._chances)
            self._block = [int(source) for source in drawn]
        self._turn += 1
        return self._block[self._turn - 1]

    def _over(self) -> bool:
        return any(self._ended) if self._strategy == "first_exhausted" else all(self._ended)

    def _picked(self) -> Any:
        """The next row; None at the end."""
        once = self._strategy == "all_exhausted_without_replacement"
        while not self._over():
            number = self._next_source()
            if once and self._ended[number]:
                continue
            source = self._sources[number]
            found = source.take() if source.more() else None
            if not source.more():
                self._ended[number] = True
                if not once:
                    source.again()
            if found is not None:
                return found
        return None

    def rows(self) -> Iterator[Row]:
        while (row := self._picked()) is not None:
            yield row

    def pull(self, most: int) -> Table | None:
        tables: dict[int, tuple[Table, int]] = {}
        order: list[int] = []
        total = 0
        while len(order) < min(most, _PULLED) and (found := self._picked()) is not None:
            table, row = found
            if id(table) not in tables:
                tables[id(table)] = (table, total)
                total += table.num_rows
            order.append(tables[id(table)][1] + row)
        if not order:
            return None
        held = [table for table, _ in tables.values()]
        return (held[0] if len(held) == 1 else Table.concat(held)).select(order)

    def state(self) -> State:
        turn, rng = self._turn, None
        if self._rng is not None:
            # A block that is used up is not drawn again.
            whole = self._block is None or turn == _DRAWS
            turn, rng = turn % _DRAWS, generator_state(self._rng) if whole else self._block_rng
        return {
            "turn": turn,
            "rng": rng,
            "ended": list(self._ended),
            "parts": [source.state() for source in self._sources],
        }

    def load(self, state: State) -> None:
        parts = state.get("parts") if isinstance(state, dict) else None
        if not isinstance(parts, list) or len(parts) != len(self._sources):
            msg = f"the state does not fit an interleaving of {len(self._sources)} streams: {state!r:.200}"
            raise StateError(msg)
        for source, part in zip(self._sources, parts, strict=True):
            source.load(part)
        turn, ended, rng = members(state, "interleave", "turn", "ended", "rng")
        most = len(self._sources) - 1 if self._rng is None else _DRAWS
        self._turn = natural(turn, state, "interleave", most)
        self._ended = flags(ended, state, "interleave", len(self._sources))
        self._block = self._block_rng = None
        if self._rng is not None:
            self._rng = with_state(self._rng, rng)

    def release(self) -> None:
        for source in self._sources:
            source.release()
