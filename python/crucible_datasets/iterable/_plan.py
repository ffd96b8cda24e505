"""Plans and runs: what a stream does, and the doing of it.

A `Plan` is plain, immutable data: it pickles, and can be shuffled, split and cut before anything is read. It opens as a
`Run`, which has a place. Tables flow where nothing needs Python objects (`Plan.arrow`), rows elsewhere. A run hands out
what was asked for and no more, so nothing is in flight between two of them: the state of a chain is exactly the place
after the last row that was handed out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from _crucible._native import Table
from crucible_datasets.features import Features

if TYPE_CHECKING:
    import numpy as np

Row: TypeAlias = dict[str, Any]
State: TypeAlias = dict[str, Any]


class OrderFrozenError(Exception):
    """`take` and `skip` fix the order of the shards below them."""


class StateError(ValueError):
    """A state that does not fit the stream it is loaded into."""


class Run:
    """A running step: its place, and what comes next."""

    def rows(self) -> Iterator[Row]:
        """Rows from the place on. The place is right at each of them."""
        raise NotImplementedError

    def pull(self, most: int) -> Table | None:
        """The next rows, at least one and at most `most`; None at the end. Only of plans with `arrow`."""
        raise NotImplementedError

    def skip(self, count: int) -> int:
        """Goes past rows. Returns how many there were."""
        raise NotImplementedError

    def state(self) -> State:
        """The place: plain data, made for JSON."""
        raise NotImplementedError

    def load(self, state: State) -> None:
        """Goes to a place. Reads nothing yet."""
        raise NotImplementedError

    def release(self) -> None:
        """Lets go of open files and what was read ahead; the place stays."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A step of a stream and, through its fields, the steps before it."""

    @property
    def arrow(self) -> bool:
        """Whether tables flow."""
        return True

    @property
    def by_tables(self) -> bool:
        """Whether the official library has tables here too: the order of `shuffle` depends on it."""
        return self.arrow

    @property
    def num_shards(self) -> int:
        """Parts that can be given to different readers."""
        raise NotImplementedError

    @property
    def features(self) -> Features | None:
        """The features that what flows is known to have."""
        return None

    @property
    def typed(self) -> bool:
        """Whether `read_features` gives something."""
        return self.features is not None

    def read_features(self) -> Features | None:
        """The features; asks the first file where only it knows them."""
        return self.features

    @property
    def at_hand(self) -> bool:
        """Whether `read_features` asks no other machine."""
        return True

    @property
    def told(self) -> Features | None:
        """The features that a function's step was given: the official library does not cast to them, and reads rows."""
        return None

    def open(self) -> Run:
        """A run at the start."""
        raise NotImplementedError

    # Changes of what is read. Each gives a new plan.

    def shuffled(self, rng: np.random.Generator) -> Plan:
        """Shards in another order. `rng` is not advanced."""
        raise NotImplementedError

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        """One of `count` parts of the shards."""
        raise NotImplementedError

    def resharded(self) -> Plan:
        """More and smaller shards where files have parts."""
        return self

    def shifted(self, value: int) -> Plan:
        """Other random numbers in buffers and random choices."""
        del value
        return self

    def projected(self, names: list[str]) -> Plan | None:
        """Only some columns read; None where that cannot be passed on."""
        del names
        return None

    def by_rows(self) -> Plan:
        """The order that the official library has where it reads rows instead of tables."""
        return self

    def as_given(self, features: Features) -> Plan:
        """With columns that will be cast to other features as they were given, where those are kept: names of classes."""
        del features
        return self

    def length(self) -> int | None:
        """Number of rows, where it can be known without reading them."""
        return None

    def window(self, start: int, stop: int) -> Plan | None:
        """Rows `start..stop` without what is before them; None where they must be read to."""
        del start, stop
        return None

    @property
    def cutting(self) -> str:
        """How rows are split among more readers than shards: "deep" in the files, "rows" one by one, "never"."""
        return "rows"

    def cut(self, count: int, index: int) -> Plan:
        """One of `count` parts of the rows; only where `cutting` is "deep"."""
        raise NotImplementedError


def part_of(total: int, count: int, index: int, contiguous: bool = True) -> range:
    """The numbers of part `index` of `count`: neighbours in parts of nearly equal length, or every `count`-th."""
    if not contiguous:
        return range(index, total, count)
    div, mod = divmod(total, count)
    start = div * index + min(index, mod)
    return range(start, start + div + (index < mod))


@dataclass(frozen=True, eq=False)
class Wrap(Plan):
    """A step after one other step, which passes on what it does not change."""

    before: Plan
    passes_columns: ClassVar[bool] = False
    """Whether it does the same with fewer columns."""
    row_by_row: ClassVar[bool] = False
    """Whether it makes one row of each row, whatever the others are."""

    def _over(self, before: Plan) -> Self:
        return replace(self, before=before)

    @property
    def arrow(self) -> bool:
        return self.before.arrow

    @property
    def by_tables(self) -> bool:
        return self.before.by_tables

    @property
    def num_shards(self) -> int:
        return self.before.num_shards

    @property
    def features(self) -> Features | None:
        return self.before.features

    @property
    def typed(self) -> bool:
        return self.before.typed

    def read_features(self) -> Features | None:
        return self.before.read_features()

    @property
    def at_hand(self) -> bool:
        return self.before.at_hand

    @property
    def told(self) -> Features | None:
        return self.before.told

    def shuffled(self, rng: np.random.Generator) -> Plan:
        return self._over(self.before.shuffled(rng))

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        return self._over(self.before.sharded(count, index, contiguous))

    def resharded(self) -> Plan:
        return self._over(self.before.resharded())

    def shifted(self, value: int) -> Plan:
        return self._over(self.before.shifted(value))

    def projected(self, names: list[str]) -> Plan | None:
        before = self.before.projected(names) if self.passes_columns else None
        return None if before is None else self._over(before)

    def by_rows(self) -> Plan:
        return self._over(self.before.by_rows())

    def as_given(self, features: Features) -> Plan:
        before = self.before.as_given(features) if self.passes_columns else self.before
        return self if before is self.before else self._over(before)

    def length(self) -> int | None:
        return self.before.length() if self.row_by_row else None

    def window(self, start: int, stop: int) -> Plan | None:
        before = self.before.window(start, stop) if self.row_by_row else None
        return None if before is None else self._over(before)

    @property
    def cutting(self) -> str:
        return self.before.cutting

    def cut(self, count: int, index: int) -> Plan:
        return self._over(self.before.cut(count, index))


class Declared:
    """Beside `Wrap`: a step whose features are those it was given, `declared`; None where nobody knows them."""

    declared: Features | None

    @property
    def features(self) -> Features | None:
        return self.declared

    @property
    def typed(self) -> bool:
        return self.declared is not None

    def read_features(self) -> Features | None:
        return self.declared


class WrapRun(Run):
    """A run after one other run; its place is that of the other."""

    def __init__(self, before: Run) -> None:
        self._before = before

    def skip(self, count: int) -> int:
        return self._before.skip(count)

    def state(self) -> State:
        return {"before": self._before.state()}

    def load(self, state: State) -> None:
        if not isinstance(state, dict) or "before" not in state:
            msg = f"the state does not fit the stream: {type(self).__name__} got {state!r:.200}"
            raise StateError(msg)
        self._before.load(state["before"])

    def release(self) -> None:
        self._before.release()


def pull_exactly(run: Run, count: int) -> Table | None:
    """The next `count` rows as one table, fewer only at the end; None if there are none."""
    first = run.pull(count)
    if first is None or first.num_rows == count:
        return first
    parts, rows = [first], first.num_rows
    while rows < count and (part := run.pull(count - rows)) is not None:
        parts.append(part)
        rows += part.num_rows
    return first if len(parts) == 1 else Table.concat(parts)


def skip_by_reading(run: Run, count: int, *, arrow: bool) -> int:
    """Reads rows and drops them."""
    done = 0
    if not arrow:
        rows = run.rows()
        for _ in islice(rows, count):
            done += 1
        return done
    while done < count and (part := run.pull(count - done)) is not None:
        done += part.num_rows
    return done
