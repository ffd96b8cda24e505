"""Streams one after the other, and side by side."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from _crucible._native import Table
from crucible_datasets.features import Features
from crucible_datasets.iterable._plan import Plan, Row, Run, State, StateError, part_of, pull_exactly, skip_by_reading
from crucible_datasets.iterable._rows import in_features, stored_rows
from crucible_datasets.iterable._state import members, natural, unfit

if TYPE_CHECKING:
    import numpy as np

_TOGETHER = 256
"""Rows of a table put side by side at the most."""


@dataclass(frozen=True, eq=False)
class Several(Plan):
    """Several streams as one.

    Attributes:
        parts: the streams; all of tables, or all of rows.
        declared: the features of all columns of all of them.
    """

    parts: tuple[Plan, ...]
    declared: Features

    @property
    def arrow(self) -> bool:
        return all(part.arrow for part in self.parts)

    @property
    def by_tables(self) -> bool:
        return all(part.by_tables for part in self.parts)

    @property
    def features(self) -> Features | None:
        return self.declared if self.arrow else None  # rows are filled up and typed by whoever shows them

    @property
    def told(self) -> Features | None:
        return self.parts[0].told if self.parts else None

    def resharded(self) -> Plan:
        return replace(self, parts=tuple(part.resharded() for part in self.parts))

    def shifted(self, value: int) -> Plan:
        return replace(self, parts=tuple(part.shifted(value) for part in self.parts))

    def by_rows(self) -> Plan:
        parts = [part.by_rows() for part in self.parts]
        if not all(part.arrow for part in parts):
            parts = [stored_rows(part, part.features) for part in parts]
        return replace(self, parts=tuple(parts))

    def as_given(self, features: Features) -> Plan:
        parts = tuple(part.as_given(features) for part in self.parts)
        if all(new is old for new, old in zip(parts, self.parts, strict=True)):
            return self
        declared = Features({name: features.get(name, own) for name, own in self.declared.items()})
        return replace(self, parts=parts, declared=declared)

    @property
    def cutting(self) -> str:
        return "never" if any(part.cutting == "never" for part in self.parts) else "rows"


class SeveralRun(Run):
    """The runs of several streams."""

    def __init__(self, plan: Several) -> None:
        self._runs = [part.open() for part in plan.parts]
        self._arrow = plan.arrow
        self._features, self._text = plan.declared, plan.declared.to_text()

    def skip(self, count: int) -> int:
        return skip_by_reading(self, count, arrow=self._arrow)

    def _parts_of(self, state: State) -> list[Any]:
        parts = state.get("parts") if isinstance(state, dict) else None
        if not isinstance(parts, list) or len(parts) != len(self._runs):
            msg = f"the state does not fit a stream of {len(self._runs)} streams: {state!r:.200}"
            raise StateError(msg)
        return parts

    def release(self) -> None:
        for run in self._runs:
            run.release()


def single_shards(parts: tuple[Plan, ...]) -> list[Plan]:
    """Each shard of each stream as a stream."""
    return [part.sharded(part.num_shards, index) for part in parts for index in range(part.num_shards)]


class Concat(Several):
    """The rows of streams, one stream after the other."""

    @property
    def num_shards(self) -> int:
        return sum(part.num_shards for part in self.parts)

    def length(self) -> int | None:
        lengths = [part.length() for part in self.parts]
        known = [length for length in lengths if length is not None]
        return sum(known) if len(known) == len(lengths) else None

    def shuffled(self, rng: np.random.Generator) -> Plan:
        shards = single_shards(self.parts)
        order = list(range(len(shards)))
        copy.deepcopy(rng).shuffle(order)
        return replace(self, parts=tuple(shards[place] for place in order))

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        shards = single_shards(self.parts)
        return replace(self, parts=tuple(shards[place] for place in part_of(len(shards), count, index, contiguous)))

    @property
    def cutting(self) -> str:
        return "deep" if all(part.cutting == "deep" for part in self.parts) else super().cutting

    def cut(self, count: int, index: int) -> Plan:
        return replace(self, parts=tuple(part.cut(count, index) for part in self.parts))

    def open(self) -> Run:
        return _ConcatRun(self)


class _ConcatRun(SeveralRun):
    """The place: which stream, and the place in it. Those behind it are at their starts."""

    def __init__(self, plan: Several) -> None:
        super().__init__(plan)
        self._plans = plan.parts
        self._at = self._begun = 0
        """The stream that is read, and the last one that was begun."""

    def rows(self) -> Iterator[Row]:
        while self._at < len(self._runs):
            yield from self._runs[self._at].rows()
            self._leave()

    def pull(self, most: int) -> Table | None:
        while self._at < len(self._runs):
            table = self._runs[self._at].pull(most)
            if table is not None:
                return in_features(table, self._features, self._text)
            self._leave()
        return None

    def skip(self, count: int) -> int:
        left = count
        while left and self._at < len(self._runs):
            left -= self._runs[self._at].skip(left)
            if left:
                self._leave()
        return count - left

    def _leave(self) -> None:
        self._runs[self._at].release()
        self._at += 1
        self._begun = max(self._begun, self._at)

    def state(self) -> State:
        place = self._runs[self._at].state() if self._at < len(self._runs) else None
        return {"at": self._at, "streams": len(self._runs), "place": place}

    def load(self, state: State) -> None:
        at, streams, place = members(state, "concatenate", "at", "streams", "place")
        if streams != len(self._runs):
            msg = f"the state does not fit a stream of {len(self._runs)} streams: {state!r:.200}"
            raise StateError(msg)
        self._at = natural(at, state, "concatenate", len(self._runs))
        if (place is None) != (self._at == len(self._runs)):
            raise unfit(state, "concatenate")
        for later in range(self._at + 1, min(self._begun + 1, len(self._runs))):  # a way back: to their starts
            self._runs[later].release()
            self._runs[later] = self._plans[later].open()
        self._begun = self._at
        if place is not None:
            self._runs[self._at].load(place)


class SideBySide(Several):
    """The columns of streams that are read in step. Their order cannot be changed any more."""

    @property
    def num_shards(self) -> int:
        return 1

    def shuffled(self, rng: np.random.Generator) -> Plan:
        del rng
        return self

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        if index in part_of(1, count, index, contiguous):
            return self
        return Concat((), self.declared)

    def resharded(self) -> Plan:
        return self

    def open(self) -> Run:
        return _SideBySideRun(self)


class _SideBySideRun(SeveralRun):
    def rows(self) -> Iterator[Row]:
        found = [run.rows() for run in self._runs]
        while True:
            row: Row = {}
            more = False
            for rows in found:
                part = next(rows, None)
                if part is not None:
                    more = True
                    row.update(part)
            if not more:
                return
            yield row

    def pull(self, most: int) -> Table | None:
        parts = [pull_exactly(run, min(most, _TOGETHER)) for run in self._runs]
        lengths = [0 if part is None else part.num_rows for part in parts]
        if not any(lengths):
            return None
        if len(set(lengths)) > 1:
            msg = f"streams side by side must have equally many rows; one ended before the others ({lengths} rows left)"
            raise ValueError(msg)
        return in_features(Table.side_by_side([part for part in parts if part is not None]), self._features, self._text)

    def state(self) -> State:
        return {"parts": [run.state() for run in self._runs]}

    def load(self, state: State) -> None:
        for run, part in zip(self._runs, self._parts_of(state), strict=True):
            run.load(part)
