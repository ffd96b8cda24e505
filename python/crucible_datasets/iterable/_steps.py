"""Steps that choose rows by number: take, skip, every n-th, and again. They work on tables and on rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from crucible_datasets.iterable._plan import (
    OrderFrozenError,
    Plan,
    Row,
    Run,
    State,
    Wrap,
    WrapRun,
    skip_by_reading,
)
from crucible_datasets.iterable._state import flags, members, natural

if TYPE_CHECKING:
    import numpy as np

    from _crucible._native import Table


class CountingRun(WrapRun):
    """A run that also counts."""

    def __init__(self, before: Run, arrow: bool, largest: int) -> None:
        super().__init__(before)
        self._arrow = arrow
        self._count = 0
        self._largest = largest

    def skip(self, count: int) -> int:
        return skip_by_reading(self, count, arrow=self._arrow)

    def state(self) -> State:
        return {"before": self._before.state(), "count": self._count}

    def load(self, state: State) -> None:
        super().load(state)
        owner = type(self).__name__
        [count] = members(state, owner, "count")
        self._count = natural(count, state, owner, self._largest)


@dataclass(frozen=True, eq=False)
class _Bounded(Wrap):
    """A step that counts rows from the start: the order of what is before it is fixed."""

    count: int
    split: bool = True
    """Whether the rows are divided among parts of the shards."""
    passes_columns: ClassVar[bool] = True

    def shuffled(self, rng: np.random.Generator) -> Plan:
        del rng
        raise OrderFrozenError

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        before = self.before.sharded(count, index, contiguous)
        if not self.split:
            return self._over(before)
        parts = min(count, self.num_shards)
        div, mod = divmod(self.count, parts)
        return replace(self, before=before, count=div + (index < mod) if index < parts else 0)

    @property
    def cutting(self) -> str:
        return "never" if self.before.cutting == "never" else "rows"


class Take(_Bounded):
    """The first rows."""

    def length(self) -> int | None:
        before = self.before.length()
        return None if before is None else min(before, self.count)

    def window(self, start: int, stop: int) -> Plan | None:
        return self.before.window(min(start, self.count), min(stop, self.count))

    def open(self) -> Run:
        return _TakeRun(self.before.open(), self.arrow, self.count)


class _TakeRun(CountingRun):
    def __init__(self, before: Run, arrow: bool, most: int) -> None:
        super().__init__(before, arrow, most)
        self._most = most

    def rows(self) -> Iterator[Row]:
        if self._count >= self._most:
            return
        for row in self._before.rows():
            self._count += 1
            yield row
            if self._count >= self._most:
                return

    def pull(self, most: int) -> Table | None:
        if self._count >= self._most:
            return None
        table = self._before.pull(min(most, self._most - self._count))
        if table is not None:
            self._count += table.num_rows
        return table

    def skip(self, count: int) -> int:
        done = self._before.skip(max(0, min(count, self._most - self._count)))
        self._count += done
        return done


class Skip(_Bounded):
    """All but the first rows. Files that know their rows are not read for it."""

    def length(self) -> int | None:
        before = self.before.length()
        return None if before is None else max(0, before - self.count)

    def window(self, start: int, stop: int) -> Plan | None:
        return self.before.window(start + self.count, stop + self.count)

    def open(self) -> Run:
        return _SkipRun(self.before.open(), self.arrow, self.count)


class _SkipRun(CountingRun):
    def __init__(self, before: Run, arrow: bool, rows: int) -> None:
        super().__init__(before, arrow, rows)
        self._rows = rows

    def _go(self) -> None:
        if self._count < self._rows:
            self._before.skip(self._rows - self._count)
            self._count = self._rows

    def rows(self) -> Iterator[Row]:
        self._go()
        yield from self._before.rows()

    def pull(self, most: int) -> Table | None:
        self._go()
        return self._before.pull(most)

    def skip(self, count: int) -> int:
        self._go()
        return self._before.skip(count)


@dataclass(frozen=True, eq=False)
class Step(Wrap):
    """Every `step`-th row from `offset` on."""

    step: int
    offset: int
    passes_columns: ClassVar[bool] = True

    def length(self) -> int | None:
        before = self.before.length()
        return None if before is None else len(range(self.offset, before, self.step))

    def open(self) -> Run:
        return _StepRun(self.before.open(), self.arrow, self.step, self.offset)


class _StepRun(CountingRun):
    """Its count is that of the rows read, modulo the step."""

    def __init__(self, before: Run, arrow: bool, step: int, offset: int) -> None:
        super().__init__(before, arrow, step - 1)
        self._step, self._offset = step, offset

    def rows(self) -> Iterator[Row]:
        for row in self._before.rows():
            mine = self._count == self._offset
            self._count = (self._count + 1) % self._step
            if mine:
                yield row

    def pull(self, most: int) -> Table | None:
        while (table := self._before.pull(most * self._step)) is not None:
            first = (self._offset - self._count) % self._step
            self._count = (self._count + table.num_rows) % self._step
            if first < table.num_rows:
                return table if self._step == 1 else table.select(range(first, table.num_rows, self._step))
        return None


@dataclass(frozen=True, eq=False)
class Repeat(Wrap):
    """The rows `times` times; for ever if that is None."""

    times: int | None
    passes_columns: ClassVar[bool] = True

    def length(self) -> int | None:
        before = self.before.length()
        return None if before is None or self.times is None else before * max(self.times, 0)

    def open(self) -> Run:
        return _RepeatRun(self.before, self.times)


class _RepeatRun(Run):
    def __init__(self, plan: Plan, times: int | None) -> None:
        self._plan, self._times = plan, times
        self._before = plan.open()
        self._pass = 0
        self._empty = True
        """Whether this pass has had no row, as far as it is known: a pass without rows ends an endless stream."""

    def _more(self) -> bool:
        return self._times is None or self._pass < self._times

    def _again(self) -> bool:
        """Goes to the next pass; False if that would go on for ever without a row."""
        if self._times is None and self._empty:
            return False
        self._before.release()
        self._before = self._plan.open()
        self._pass += 1
        self._empty = True
        return self._more()

    def rows(self) -> Iterator[Row]:
        while self._more():
            for row in self._before.rows():
                self._empty = False
                yield row
            if not self._again():
                return

    def pull(self, most: int) -> Table | None:
        while self._more():
            table = self._before.pull(most)
            if table is not None:
                self._empty = False
                return table
            if not self._again():
                break
        return None

    def skip(self, count: int) -> int:
        done = 0
        while done < count and self._more():
            passed = self._before.skip(count - done)
            done += passed
            self._empty = self._empty and not passed
            if done < count and not self._again():
                break
        return done

    def state(self) -> State:
        return {"before": self._before.state(), "pass": self._pass, "empty": self._empty}

    def load(self, state: State) -> None:
        before, times, empty = members(state, "repeat", "before", "pass", "empty")
        self._pass = natural(times, state, "repeat")
        [self._empty] = flags([empty], state, "repeat", 1)
        self._before.load(before)

    def release(self) -> None:
        self._before.release()
