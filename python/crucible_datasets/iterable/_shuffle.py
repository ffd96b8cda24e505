"""`shuffle`: several parts of the shards read in turns, then a buffer. The order is that of `datasets` 5.1 and later.

A round fills the buffer with a *span* of the input, permutes it, hands out all but half a buffer and keeps the rest. A
row therefore outlives a round with a chance of about one half, and the buffer holds rows of the last dozen spans or so.
That makes an exact state small: it has where each span began that still has rows in the buffer, the random state before
the oldest of them, and no row. Going there draws the same permutations again, without data, and reads the spans that
are still needed.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar, TypeAlias

import numpy as np

from _crucible._native import Table
from crucible_datasets.iterable._plan import (
    Plan,
    Row,
    Run,
    State,
    StateError,
    Wrap,
    pull_exactly,
    skip_by_reading,
)
from crucible_datasets.iterable._random import generator_state, shifted, with_state
from crucible_datasets.iterable._rows import Rows
from crucible_datasets.iterable._state import flags, members, natural, unfit

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


@dataclass(frozen=True, eq=False)
class Shuffle(Wrap):
    """Rows mixed by a buffer.

    Attributes:
        buffer: rows of the buffer.
        inputs: parts of the shards that are read in turns.
        rng: the generator; copied where it is used.
        chunk: rows that a part gives when it is its turn.
        fine: whether the shards are divided into row groups, which are put in a random order of their own.
    """

    buffer: int
    inputs: int
    rng: np.random.Generator
    chunk: int
    fine: bool = False
    passes_columns: ClassVar[bool] = True

    def length(self) -> int | None:
        return self.before.length()

    def open(self) -> Run:
        return ShuffleRun(self)

    def shifted(self, value: int) -> Plan:
        return replace(self, before=self.before.shifted(value), rng=shifted(self.rng, value))

    def by_rows(self) -> Plan:
        before = self.before.by_rows()
        if before.arrow and not before.typed:
            before = Rows(
                before, None
            )  # tables of several files may have several types: the buffer would not hold them
        return replace(self, before=before, chunk=1)

    def parts(self) -> list[Plan]:
        """The parts of the shards."""
        whole = self.before.resharded().shuffled(self.rng) if self.fine else self.before
        count = min(whole.num_shards, self.inputs)
        if self.inputs <= 1 or count == 0:
            return [whole]
        return [whole.sharded(count, index) for index in range(count)]


class Inputs:
    """Parts that are read in turns, a chunk each; those that have ended are passed by."""

    def __init__(self, parts: list[Plan], chunk: int) -> None:
        self._runs = [part.open() for part in parts]
        self._arrow = all(part.arrow for part in parts)
        self._chunk = chunk
        self._turn = 0
        self._ended = [False] * len(parts)
        self._rows: dict[int, Iterator[Row]] = {}

    def state(self) -> State:
        return {"turn": self._turn, "ended": list(self._ended), "parts": [run.state() for run in self._runs]}

    def load(self, state: State) -> None:
        turn, ended, parts = members(state, "shuffle", "turn", "ended", "parts")
        if not isinstance(parts, list) or len(parts) != len(self._runs):
            msg = f"the state is not of a shuffle of {len(self._runs)} parts: {state!r:.200}"
            raise StateError(msg)
        self._turn = natural(turn, state, "shuffle", max(0, len(self._runs) - 1))
        self._ended = flags(ended, state, "shuffle", len(self._runs))
        for run, part in zip(self._runs, parts, strict=True):
            run.load(part)
        self._rows = {}

    def release(self) -> None:
        for run in self._runs:
            run.release()

    def next(self, need: int) -> list[Any]:
        """The next chunks, up to the one that makes `need` rows or more: tables, or rows. Fewer at the end."""
        if not self._arrow:
            return self._next_rows(max(1, need)) if self._chunk == 1 else self._next_chunks(max(1, need))
        if self._chunk == 1:
            return self._next_singles(max(1, need))
        found: list[Any] = []
        rows = 0
        while not found or rows < need:
            part = self._advance()
            if part is None:
                break
            table = pull_exactly(self._runs[part], self._chunk)
            if table is None:
                self._ended[part] = True
                continue
            found.append(table)
            rows += table.num_rows
            self._pass(part)
        return found

    def _advance(self) -> int | None:
        """The part whose turn it is."""
        if all(self._ended):
            return None
        while self._ended[self._turn]:
            self._pass(self._turn)
        return self._turn

    def _pass(self, part: int) -> None:
        self._turn = (part + 1) % len(self._runs)

    def _next_rows(self, need: int) -> list[Row]:
        found: list[Row] = []
        while len(found) < need and (part := self._advance()) is not None:
            rows = self._rows.get(part)
            if rows is None:
                rows = self._rows[part] = self._runs[part].rows()
            row = next(rows, None)
            if row is None:
                self._ended[part] = True
                continue
            found.append(row)
            self._pass(part)
        return found

    def _next_chunks(self, need: int) -> list[Row]:
        """Chunks of rows, where the official library has tables."""
        found: list[Row] = []
        while len(found) < need and (part := self._advance()) is not None:
            if part not in self._rows:
                self._rows[part] = self._runs[part].rows()
            rows = list(islice(self._rows[part], self._chunk))
            self._ended[part] = len(rows) < self._chunk
            found += rows
            if rows:
                self._pass(part)
        return found

    def _next_singles(self, need: int) -> list[Table]:
        """Row by row in turns, but each part is asked for all the rows of several rounds at once."""
        found: list[Table] = []
        rows = 0
        while rows < need and (first := self._advance()) is not None:
            count = len(self._runs)
            live = [part for part in (*range(first, count), *range(first)) if not self._ended[part]]
            rounds, extra = divmod(need - rows, len(live))
            asked = [(part, rounds + (place < extra)) for place, part in enumerate(live)]
            if rounds:
                asked = [(part, rounds) for part, _ in asked]
            tables: list[Table] = []
            order: list[Numbers] = []
            start = 0
            for place, (part, wanted) in enumerate(asked):
                table = pull_exactly(self._runs[part], wanted) if wanted else None
                got = 0 if table is None else table.num_rows
                self._ended[part] = got < wanted
                if table is not None:
                    tables.append(table)
                    order.append(np.stack([np.arange(got), np.full(got, place), start + np.arange(got)]))
                    start += got
            if not rounds:
                self._turn = live[extra % len(live)]
            if tables:
                keys = np.concatenate(order, axis=1)
                turns = keys[2][np.lexsort((keys[1], keys[0]))]
                found.append(_joined(tables).select(turns))
                rows += start
        return found


def _joined(tables: list[Table]) -> Table:
    return tables[0] if len(tables) == 1 else Table.concat(tables)


@dataclass
class Span:
    """What a round reads.

    Attributes:
        place: where the inputs were before it; None if none of its rows is left.
        rng: the random state before its round.
        length: its rows.
        rows: the rows, while some are left.
    """

    place: State | None
    rng: State
    length: int
    rows: Table | list[Row] | None


class ShuffleRun(Run):
    """The running buffer."""

    def __init__(self, plan: Shuffle) -> None:
        if plan.buffer < 0:
            msg = f"buffer_size must not be negative, got {plan.buffer}"
            raise ValueError(msg)
        self._size, self._arrow = plan.buffer, plan.arrow
        self._longest = plan.buffer + plan.chunk
        """A span fills the buffer, and its last chunk may be too much."""
        parts = plan.parts()
        self._inputs = Inputs(parts, plan.chunk)
        self._rng = copy.deepcopy(plan.rng)
        self._spans: deque[Span] = deque()
        self._oldest = 0
        self._kept = _nowhere()
        self._out = _nowhere()
        self._done = 0
        self._before_oldest = 0
        self._waiting: State | None = None
        self._made: Table | None = None
        self._first = 0

    # ------------------------------------------------------------------------------------------------------ rounds

    def _draw(self, length: int) -> None:
        """The permutation of a round, whose span of `length` rows has been added to the kept ones."""
        span = np.full(length, self._oldest + len(self._spans) - 1, dtype=np.int64)
        pool = np.concatenate([self._kept, np.stack([span, np.arange(length, dtype=np.int64)])], axis=1)
        rows = pool.shape[1]
        keep = self._size // 2 if rows >= self._size and length else 0
        chosen = pool[:, self._rng.permutation(rows)]
        self._out, self._kept = chosen[:, : rows - keep], chosen[:, rows - keep :]
        self._done = 0
        self._made = None

    def _round(self) -> bool:
        """Fills and permutes the buffer. False at the end."""
        kept = self._kept.shape[1]
        place, rng = self._inputs.state(), generator_state(self._rng)
        chunks = self._inputs.next(self._size - kept)
        content: Table | list[Row] = chunks
        length = len(chunks)
        if self._arrow and chunks:
            content = _joined(chunks)
            length = content.num_rows
        if not length and not kept:
            return False
        if not self._spans:
            self._before_oldest = kept
        self._spans.append(Span(place, rng, length, content))
        self._draw(length)
        self._forget()
        return True

    def _left(self) -> list[int]:
        """How many rows of each span are in the buffer or still to be handed out."""
        spans = np.concatenate([self._kept[0], self._out[0, self._done :]]) - self._oldest
        rows: list[int] = np.bincount(spans, minlength=len(self._spans)).tolist()
        return rows

    def _forget(self) -> None:
        """Lets go of spans without rows in the buffer or still to be handed out."""
        left = self._left()
        for place, span in enumerate(self._spans):
            if not left[place]:
                span.rows = span.place = None
        while len(self._spans) > 1 and self._spans[0].place is None:
            gone = self._spans.popleft()
            pool = self._before_oldest + gone.length
            self._before_oldest = self._size // 2 if pool >= self._size and gone.length else 0
            self._oldest += 1

    def _ready(self) -> bool:
        """Whether there is a row to hand out; starts the next round where needed."""
        if self._waiting is not None:
            self._restore()
        while self._done >= self._out.shape[1]:
            if not self._round():
                return False
        return True

    # --------------------------------------------------------------------------------------------------------- rows

    def rows(self) -> Iterator[Row]:
        while self._ready():
            span, row = (int(number) for number in self._out[:, self._done])
            found = self._spans[span - self._oldest].rows
            self._done += 1
            if not isinstance(found, list):
                msg = "the rows of a span are gone"
                raise StateError(msg)
            yield found[row]

    def pull(self, most: int) -> Table | None:
        if not self._ready():
            return None
        if self._made is None:
            self._made = self._gathered()
        start = self._done
        self._done = min(start + most, self._out.shape[1])
        return self._made.slice(start - self._first, self._done - self._first)

    def _gathered(self) -> Table:
        """The rows of the round that are still to be handed out."""
        self._first = self._done
        tables, starts, total = [], np.zeros(len(self._spans), dtype=np.int64), 0
        for place, span in enumerate(self._spans):
            if isinstance(span.rows, Table) and span.rows.num_rows:
                starts[place] = total
                total += span.rows.num_rows
                tables.append(span.rows)
        out = self._out[:, self._first :]
        return _joined(tables).select(starts[out[0] - self._oldest] + out[1])

    def skip(self, count: int) -> int:
        return skip_by_reading(self, count, arrow=self._arrow)

    # -------------------------------------------------------------------------------------------------------- place

    def state(self) -> State:
        if self._waiting is not None:
            return self._waiting
        left = self._left()
        spans = [
            {"length": span.length, "place": span.place if left[place] else None}
            for place, span in enumerate(self._spans)
        ]
        rng = self._spans[0].rng if self._spans else generator_state(self._rng)
        return {
            "inputs": self._inputs.state(),
            "rng": rng,
            "kept": self._before_oldest,
            "spans": spans,
            "done": self._done,
        }

    def load(self, state: State) -> None:
        _, _, kept, spans, done = members(state, "shuffle", "inputs", "rng", "kept", "spans", "done")
        natural(kept, state, "shuffle", self._size)
        natural(done, state, "shuffle")
        if not isinstance(spans, list):
            raise unfit(state, "shuffle")
        for span in spans:
            length, _ = members(span, "shuffle", "length", "place")
            natural(length, state, "shuffle", self._longest)
        self._waiting = state
        self._spans.clear()
        self._kept = self._out = _nowhere()
        self._made = None

    def _restore(self) -> None:
        """Draws the permutations again, then reads the spans that have rows left."""
        state, self._waiting = self._waiting, None
        if state is None:
            return
        self._rng = with_state(self._rng, state["rng"])
        self._oldest, self._before_oldest = 0, state["kept"]
        self._kept = np.full((2, state["kept"]), -1, dtype=np.int64)
        self._out = _nowhere()
        needs = []
        for entry in state["spans"]:
            needs.append(self._size - self._kept.shape[1])
            self._spans.append(Span(entry["place"], generator_state(self._rng), entry["length"], None))
            self._draw(entry["length"])
        self._done = state["done"]
        odd = self._done > self._out.shape[1] or (self._kept[0] < 0).any() or (self._out[0, self._done :] < 0).any()
        if odd or any(left and span.place is None for left, span in zip(self._left(), self._spans, strict=True)):
            msg = "the state of a shuffle does not fit its numbers"
            raise StateError(msg)
        follows = False
        for span, need in zip(self._spans, needs, strict=True):
            if span.place is None:
                follows = False
                continue
            if not follows:
                self._inputs.load(span.place)
            chunks = self._inputs.next(need)
            span.rows = _joined(chunks) if self._arrow and chunks else chunks
            length = span.rows.num_rows if isinstance(span.rows, Table) else len(span.rows)
            if length != span.length:
                msg = f"shuffle: {length} rows where there were {span.length}: the data is not what it was"
                raise StateError(msg)
            follows = True
        if not follows:
            self._inputs.load(state["inputs"])

    def release(self) -> None:
        """The rows go, too: the place is enough to read them again."""
        self.load(self.state())
        self._inputs.release()


def _nowhere() -> Numbers:
    return np.empty((2, 0), dtype=np.int64)
