"""The place in a stream of files: units are read one after the other, and ahead of their use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from time import perf_counter
from typing import TYPE_CHECKING, Any

from _crucible.errors import CrucibleError
from crucible_datasets.iterable._coming import Coming
from crucible_datasets.iterable._plan import Run, State, StateError
from crucible_datasets.iterable._source import HubOrigin, WebOrigin
from crucible_datasets.iterable._state import members, natural, unfit
from crucible_datasets.iterable._units import (
    Ahead,
    AheadReader,
    CountedReader,
    ForwardReader,
    HeadReader,
    PartialReader,
    Position,
    UnitReader,
)

if TYPE_CHECKING:
    from _crucible._native import Opening, Table
    from crucible_datasets.iterable._files import FilesPlan


_AHEAD = 2
"""Units that are read ahead at least once they follow each other."""
_FIRST = 256 << 10
"""Bytes that are asked for at once at the start, where units are smaller: a request takes longer than these."""
_SOON = 2 << 20
_DEEP = 8 << 20
_DEEPEST = 64 << 20
"""Bytes that are read ahead once units follow each other: at most `_SOON` or twice what was read, and at most `_DEEP`, which doubles up to `_DEEPEST` each time but the first that bytes had to be waited for."""
_QUICK = 4 << 20
_QUICK_TIMES = 2.5
"""The same where rows are used faster than they come: at most `_QUICK` or so many times what was read, and at most one and a half unit more than there are decode threads."""
_SLOW = 0.001
"""Seconds that a unit may be waited for though its bytes are here; longer, and one more is decoded at a time, as many as there are decode threads."""
_MOST_FILES = 32
"""Files that are open ahead of their turn."""
_MOST_OPENED = 16
"""Files that are opened at a time."""
_HEAD = 1024
"""Rows of the first unit that are decoded before its others."""


def _early(start: int, stop: int) -> int:
    """From which row of the first unit on the next one is begun: who wants a few rows does not pay for more."""
    return start + max(1, (stop - start) // 10)


class FilesRun(Run):
    """The place: the shard, the position of the unit in its file, and the rows of the unit that are done."""

    def __init__(self, plan: FilesPlan) -> None:
        self._shards, self._reading = plan.shards, plan.reading
        self._readers = plan.readers
        self._shard, self._offset = 0, 0
        self._position: Position = None
        self._reader: UnitReader | None = None
        self._table: Table | None = None
        self._after: Position = None
        self._base = self._stop = 0
        """The table has the rows from `_base` on of its unit, those up to `_stop` belong to the shard."""
        self._headed = False
        """Whether the table has the first rows only of its unit: `_rest` is the whole one on its way, and its place."""
        self._rest: tuple[tuple[int, Position], Ahead] | None = None
        self._half: int | None = None
        """From which row on the next unit is read ahead."""
        self._ahead: dict[tuple[int, Position], Ahead] = {}
        self._flowing = False
        """Whether a unit followed another: then the reader means to have many."""
        self._deep, self._read = _DEEP, 0
        """Bytes that are read ahead at most, and those of the units that were read."""
        self._wide, self._unit = _AHEAD, 0
        """Units that are decoded ahead, where all have the size of the last one."""
        self._opened_in = 0.0
        self._came: tuple[float, float] | None = None
        """Seconds that opening the file took; when the first rows were here, and how long bytes take about."""
        self._waited = False
        """Whether the bytes of a unit that was read ahead were waited for: the first ones of all were asked for late."""
        self._quick = False
        """Whether rows are used faster than they come."""
        self._coming: dict[int, UnitReader] = {}
        """Readers of the shards that follow, as far as they are open."""
        self._told: tuple[int, str | None] | None = None
        """A shard, and what tells the content of its file."""
        self._opening: dict[int, Opening | None] = {}
        """The next files that are being opened, by the ids of their origins; None where that failed: it is for its turn."""
        self._files = Coming(self._shards)
        """Files that follow one which is read forward."""

    def state(self) -> State:
        place: dict[str, Any] = {"shard": self._shard, "unit": self._position, "row": self._offset}
        content = self._content(self._shard)
        return place if content is None else {**place, "content": content}

    def _content(self, shard: int) -> str | None:
        """What tells the content of a shard's file, where something does: a place in it is none in another."""
        if self._told is None or self._told[0] != shard:
            content = self._shards[shard].origin.content() if shard < len(self._shards) else None
            self._told = shard, content
        return self._told[1]

    def load(self, state: State) -> None:
        shard, unit, row = members(state, "files", "shard", "unit", "row")
        self._shard = natural(shard, state, "files", len(self._shards))
        self._position = None if unit is None else natural(unit, state, "files")
        self._offset = natural(row, state, "files")
        if self._offset and self._position is None:
            raise unfit(state, "files")
        self._told = None
        content = self._content(self._shard)
        if content is not None and state.get("content", content) != content:
            msg = (
                f"the state is of other data: {self._shards[self._shard].origin} has changed since it was taken. Load the "
                "dataset with the revision= that the state is of, or start anew."
            )
            raise StateError(msg)
        self.release()

    def release(self) -> None:
        self._reader = self._table = self._rest = None
        self._ahead, self._coming, self._opening, self._files = {}, {}, {}, Coming(self._shards)
        self._flowing = self._headed = self._waited = self._quick = False
        self._came, self._wide = None, _AHEAD

    def pull(self, most: int) -> Table | None:
        while self._table is not None or self._next():
            table = self._table
            if table is None:
                return None
            start = self._offset
            stop = min(start + most, self._stop)
            if stop == self._stop:
                if not self._headed and isinstance(self._reader, AheadReader):
                    self._flowing = True
                self._done()
            else:
                self._offset = stop
                self._look_ahead()
            if start < stop:
                start, stop = start - self._base, stop - self._base
                return table if start == 0 and stop == table.num_rows else table.slice(start, stop)
        return None

    def _look_ahead(self) -> None:
        """Begins to read the next unit once some of the first one is done, and more of them once units follow."""
        if self._half is None or self._offset < self._half:
            return
        self._half = None
        self._compare()
        room = self._room()
        self._begin_following(_AHEAD if self._flowing or self._quick else 1, room)
        self._open_following(room)

    def _room(self) -> int:
        """Bytes that may be read ahead: who breaks off early has not asked for much more than was used."""
        wide = min(self._wide * self._unit, _DEEPEST, int(_QUICK_TIMES * self._read))
        if self._quick:
            return max(wide, min(self._deep, max(_QUICK, int(_QUICK_TIMES * self._read))))
        return max(wide, min(self._deep, max(_SOON, 2 * self._read))) if self._flowing else _FIRST

    def _compare(self) -> None:
        """Whether what was asked for first was used up, at this pace, before as much came: then much is read ahead."""
        if self._quick or self._came is None or not isinstance(self._reader, AheadReader):
            return
        came, took = self._came
        used = self._read  # where no row of the unit was handed out, those before it; of the first one a part
        if self._offset:
            used = used * self._offset // self._reader.unit_rows[self._position]
        if used and (perf_counter() - came) * max(self._read, _FIRST) < took * used:
            self._hurry()

    def _hurry(self) -> None:
        """From here on more is read ahead: the reader waits for bytes."""
        self._quick = True
        if isinstance(self._reader, AheadReader):
            enough = int((self._reader.at_once + 1.5) * self._reader.bytes_of(self._position))
            self._deep = max(self._deep, min(enough, _DEEPEST))

    def _begin_following(self, least: int, room: int) -> None:
        """Begins to read the next units: `least` of them, and as many as there is room for in bytes. Small ones together."""
        units = size = part = 0
        together: list[Position] = []
        shard = self._shard
        begun = False
        most_together = max(_FIRST, min(room // 2, _DEEP // 2))
        for number, position, reader in self._following():
            length, known = reader.bytes_of(position), (number, position) in self._ahead
            # While much is on its way, nothing is asked for a little more.
            little = length <= _FIRST and not known and not begun
            if units >= least and (size + length > room or (size > room // 2 and little)):
                break
            units, size = units + 1, size + length
            if together and (known or number != shard or part + length > most_together):
                if not self._begin(shard, together):
                    return
                together, part = [], 0
            if not known:
                shard, begun = number, True
                together.append(position)
                part += length
        if together:
            self._begin(shard, together)

    def _following(self) -> Iterator[tuple[int, Position, AheadReader]]:
        """The places of the next units, as far as that is known without a request, or was asked before."""
        number, position, reader = self._shard, self._after, self._reader
        while isinstance(reader, AheadReader):
            last = self._shards[number].last
            last = len(reader.unit_rows) if last is None else last
            for unit in range(position, last):
                yield number, unit, reader
            number += 1
            if number == min(len(self._shards), self._shard + _MOST_FILES):
                return
            reader = self._coming.get(number) or self._opened(number)
            if reader is not None:
                self._coming[number] = reader
            position = self._shards[number].first

    def _opened(self, number: int) -> UnitReader | None:
        """The reader of a shard's file if that costs no request, or once it came."""
        origin = self._shards[number].origin
        with suppress(CrucibleError):  # it is opened again when its turn comes, and fails then
            known = self._readers.known(origin, self._reading)
            if known is not None:
                return known
            opening = self._opening.get(id(origin))
            if opening is None or not opening.ready:
                return None
            source = opening.source()
            if source is not None:
                del self._opening[id(origin)]
                return self._readers.open(origin, self._reading, source, at_start=False)
        self._opening[id(origin)] = None
        return None

    def _open_following(self, room: int) -> None:
        """Begins to open the next files, where what is left before them is soon used up: it takes two requests each."""
        number, position, reader = self._shard, self._after, self._reader
        if not isinstance(reader, AheadReader):
            return
        left = 2 * room
        alike = reader.bytes_of(0) * len(reader.unit_rows)  # where nobody knows how long a file is
        most = _MOST_OPENED if self._flowing else 1
        while left > 0:
            if isinstance(reader, AheadReader):
                last = self._shards[number].last
                last = len(reader.unit_rows) if last is None else last
                if position < last:  # as if its units were all of one size
                    left -= (last - position) * reader.bytes_of(position)
            number += 1
            if number >= min(len(self._shards), self._shard + _MOST_FILES):
                return
            shard = self._shards[number]
            origin, position = shard.origin, shard.first
            if not isinstance(origin, HubOrigin | WebOrigin):
                return
            reader = self._coming.get(number) or self._readers.known(origin, self._reading)
            if reader is not None:
                continue
            if id(origin) not in self._opening and left > 0:
                begun = origin.begin() if len(self._opening) < most else None
                if begun is None:
                    return
                self._opening[id(origin)] = begun
            left -= origin.size or alike

    def _take(self) -> UnitReader:
        """The reader of the shard's file: of the one that was begun to be opened, if it is that."""
        coming = self._coming.pop(self._shard, None)
        if coming is not None:
            return coming
        shard, source = self._shards[self._shard], None
        opening = self._opening.pop(id(shard.origin), None)
        if opening is None:
            source = self._files.take(self._shard)
        else:
            with suppress(CrucibleError):  # then it is opened as the first one is, and that fails
                source = opening.source()
        at_start = source is None and not (self._position or shard.first)
        return self._readers.open(shard.origin, self._reading, source, at_start=at_start)

    def _begin(self, number: int, positions: list[Position]) -> bool:
        """Begins to read units of a shard; whether there was memory for all."""
        shard = self._shards[number]
        reader = self._reader if number == self._shard else self._coming.get(number)
        if not isinstance(reader, AheadReader):
            return False
        counts = reader.unit_rows
        whole = list(takewhile(lambda unit: shard.span(counts, unit) == (0, counts[unit]), positions))
        begun = reader.start(whole) if whole else []
        self._ahead.update(((number, position), unit) for position, unit in zip(whole, begun, strict=False))
        return len(begun) == len(positions) > 0

    def skip(self, count: int) -> int:
        left = count
        while left:
            if self._table is None and not self._seek():
                break
            if self._table is None:
                rows = self._span()
                if rows is not None and rows[1] - max(rows[0], self._offset) <= left:
                    left -= rows[1] - max(rows[0], self._offset)
                    self._position += 1
                    self._offset = 0
                    continue
                if not self._next():
                    break
            passed = min(left, self._stop - self._offset)
            left -= passed
            self._offset += passed
            if self._offset == self._stop:
                self._done()
        return count - left

    def _done(self) -> None:
        """Goes on behind the unit, or with the rows of it that follow its first ones."""
        self._table, self._half = None, None
        if self._headed:
            self._headed, self._offset = False, self._stop
        else:
            self._position, self._offset = self._after, 0

    def _span(self) -> tuple[int, int] | None:
        """The rows of the unit at the position that belong to the shard, where the file knows."""
        if not isinstance(self._reader, CountedReader):
            return None
        return self._shards[self._shard].span(self._reader.unit_rows, self._position)

    def _seek(self) -> bool:
        """Opens the shard's file; goes to the next one at its end. False at the end of all."""
        while self._shard < len(self._shards):
            shard = self._shards[self._shard]
            if self._reader is None:
                asked = perf_counter()
                self._reader = self._take()
                self._opened_in = perf_counter() - asked
                if self._position is None:
                    self._position = shard.first
            if not isinstance(self._reader, CountedReader):
                return True
            last = len(self._reader.unit_rows) if shard.last is None else shard.last
            if self._position < last:
                return True
            if self._position > last or self._offset:
                raise self._elsewhere(f"unit {self._position} of {last}")
            self._leave()
        return False

    def _leave(self) -> None:
        if isinstance(self._reader, ForwardReader):
            self._files.leave(self._reader.source)
        self._shard, self._position, self._offset, self._reader = self._shard + 1, None, 0, None

    def _next(self) -> bool:
        """Reads the unit at the position, or the next one there is. False at the end of all."""
        while self._seek():
            if self._reader is None:
                return False
            span = self._span()
            if span is None:
                unit = self._reader.unit(self._position)
                if unit is None:
                    if self._offset:
                        raise self._elsewhere(f"row {self._offset} behind its end")
                    self._leave()
                    continue
                self._table, self._after = unit
                self._base, self._stop = 0, self._table.num_rows
                if isinstance(self._reader, ForwardReader):
                    self._files.look(self._shard, self._reader.source)
            else:
                self._read_part(*span)
            if self._offset > self._stop:
                raise self._elsewhere(f"row {self._offset} of a unit of {self._stop}")
            if self._offset < self._stop:
                if not self._headed:
                    self._half = self._offset if self._flowing else _early(self._offset, self._stop)
                    self._look_ahead()
                return True
            self._done()
        return False

    def _elsewhere(self, what: str) -> StateError:
        name = self._shards[self._shard].origin.named()
        return StateError(f"the state is of other data: it is at {what} in {name}")

    def _read_part(self, low: int, high: int) -> None:
        """The unit, or what is left of the rows that belong to the shard, where that can be had for less."""
        reader = self._reader
        if not isinstance(reader, CountedReader):
            return
        if self._offset > high:
            raise self._elsewhere(f"row {self._offset} of {high} of unit {self._position}")
        low = max(low, self._offset)
        self._offset, self._stop, self._after = low, high, self._position + 1
        if low >= high:
            return
        here = (self._shard, self._position)
        rest, self._rest = self._rest, None
        if rest is not None and rest[0] == here:
            self._half = max(low, high // 10)
            self._look_ahead()
            self._table, self._base = rest[1].wait(), 0
            if self._table is not None:
                return
        if isinstance(reader, PartialReader) and high - low < reader.unit_rows[self._position]:
            self._table, self._base = reader.rows(self._position, low, high), low
            return
        asked = perf_counter()
        if not self._flowing and not self._begin_small() and self._read_head(low, high, asked):
            return
        self._table, self._base = self._wait(here), 0
        if self._table is not None:
            self._note(asked)
            return
        unit = reader.unit(self._position)
        if unit is None or unit[0].num_rows < high:
            msg = f"unit {self._position} of {self._shards[self._shard].origin} has fewer rows than the file says"
            raise StateError(msg)
        (self._table, self._after), self._base = unit, 0
        self._note(asked)

    def _begin_small(self) -> bool:
        """Where units are small, begins to read the first ones together; whether the one at the position is among them."""
        reader = self._reader
        if self._ahead or not isinstance(reader, AheadReader):
            return bool(self._ahead)
        if reader.bytes_of(self._position) > _FIRST // 2:
            return False
        self._after, after = self._position, self._after
        self._begin_following(1, _FIRST)
        self._after = after
        return (self._shard, self._position) in self._ahead

    def _note(self, asked: float) -> None:
        """The first rows are here: how long they took tells whether the next ones come early enough."""
        if self._came is None:
            now = perf_counter()
            self._came = now, max(now - asked, self._opened_in / 2)  # it takes two requests at least

    def _read_head(self, low: int, high: int, asked: float) -> bool:
        """Reads the first rows of the unit, the others meanwhile: the first one comes early. False where that is no gain."""
        if not isinstance(self._reader, HeadReader) or high - low < 2 * _HEAD:
            return False
        begun = self._reader.start_at(self._position, low, low + _HEAD)
        if begun is None:
            return False
        self._rest = (self._shard, self._position), begun
        self._table, self._base = begun.wait_head(), low
        if self._table is None:
            self._table, self._base, self._rest = begun.wait(), 0, None
            return self._table is not None
        self._headed, self._stop = True, low + self._table.num_rows
        self._read += self._reader.bytes_of(self._position)
        self._note(asked)
        return True

    def _wait(self, here: tuple[int, Position]) -> Table | None:
        """The unit that was read ahead; where units follow each other it is begun here at the latest, others with it."""
        ahead = self._ahead.get(here)
        self._ahead = {place: unit for place, unit in self._ahead.items() if place > here}
        reader = self._reader
        followed = self._read > 0
        if isinstance(reader, AheadReader):
            self._unit = reader.bytes_of(self._position)
            self._read += self._unit
        if ahead is None and self._flowing and isinstance(reader, AheadReader):
            ahead = next(iter(reader.start([self._position])), None)
        elif ahead is not None:
            self._flowing = self._flowing or followed
            if not ahead.fetched:
                if self._waited:
                    self._deep = min(2 * self._deep, _DEEPEST)
                self._waited = True
                self._hurry()
        if ahead is None:
            return None
        fetched = ahead.fetched
        if isinstance(reader, AheadReader) and self._flowing:
            self._half = self._offset
            self._look_ahead()
        asked = perf_counter()
        table = ahead.wait()
        if fetched and isinstance(reader, AheadReader) and perf_counter() - asked > _SLOW:
            self._wide = min(self._wide + 1, max(_AHEAD, reader.at_once))
        return table
