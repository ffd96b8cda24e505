"""The rows of files, unit by unit: the usual start of a stream."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crucible_datasets.features import Features
from crucible_datasets.iterable._files_run import FilesRun
from crucible_datasets.iterable._open import Readers
from crucible_datasets.iterable._plan import Plan, Run, part_of
from crucible_datasets.iterable._shard import Shard
from crucible_datasets.iterable._source import LocalOrigin
from crucible_datasets.iterable._steps import Step
from crucible_datasets.iterable._units import (
    AS_GIVEN,
    EXAMPLES,
    READERS,
    CountedReader,
    Reading,
    TypedReader,
)

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class FilesPlan(Plan):
    """Files in order.

    Attributes:
        shards: the files, or parts of them.
        reading: how they are read.
        own: the features that the files say they have, once somebody asked.
        readers: files that are open.
    """

    shards: tuple[Shard, ...]
    reading: Reading
    own: list[Features] = field(default_factory=list)
    readers: Readers = field(default_factory=Readers)

    @property
    def by_tables(self) -> bool:
        return self.reading.format not in EXAMPLES

    @property
    def num_shards(self) -> int:
        return len(self.shards)

    @property
    def features(self) -> Features | None:
        given = self.reading.features
        return given if given is None or self.reading.columns is None else _of(given, self.reading.columns)

    @property
    def typed(self) -> bool:
        return self.reading.features is not None or hasattr(READERS[self.reading.format], "features")

    def read_features(self) -> Features | None:
        if self.reading.features is not None or not self.shards:
            return self.features
        if not self.own:
            reader = self.readers.open(self.shards[0].origin, self.reading)
            if not isinstance(reader, TypedReader):
                return None
            self.own.append(reader.features)
        return self.own[0] if self.reading.columns is None else _of(self.own[0], self.reading.columns)

    @property
    def at_hand(self) -> bool:
        known = self.features is not None or not self.shards or bool(self.own)
        return known or isinstance(self.shards[0].origin, LocalOrigin)

    def open(self) -> Run:
        return FilesRun(self)

    def shuffled(self, rng: np.random.Generator) -> Plan:
        shards = list(self.shards)
        order = list(range(len(shards)))
        copy.deepcopy(rng).shuffle(order)
        return replace(self, shards=tuple(shards[place] for place in order))

    def sharded(self, count: int, index: int, contiguous: bool = True) -> Plan:
        chosen = part_of(len(self.shards), count, index, contiguous)
        return replace(self, shards=tuple(self.shards[place] for place in chosen))

    def resharded(self) -> Plan:
        shards: list[Shard] = []
        readers = self.readers.all([shard.origin for shard in self.shards], self.reading)
        for shard in self.shards:
            reader = readers[id(shard.origin)]
            if not isinstance(reader, CountedReader) or shard.rows is not None or shard.start:
                shards.append(shard)
                continue
            units = range(shard.first, len(reader.unit_rows) if shard.last is None else shard.last)
            shards += [replace(shard, first=unit, last=unit + 1) for unit in units]
        return replace(self, shards=tuple(shards))

    def projected(self, names: list[str]) -> Plan | None:
        return replace(self, reading=replace(self.reading, columns=tuple(names)))

    def as_given(self, features: Features) -> Plan:
        change = AS_GIVEN.get(self.reading.format)
        reading = self.reading if change is None else change(self.reading, features)
        return self if reading is self.reading else replace(self, reading=reading, own=[], readers=Readers())

    def counts(self) -> list[list[int]] | None:
        """Rows of the units of each shard's file, as footers have them; None where only reading tells."""
        found = []
        readers = self.readers.all([shard.origin for shard in self.shards], self.reading)
        for shard in self.shards:
            reader = readers[id(shard.origin)]
            if not isinstance(reader, CountedReader):
                return None
            found.append(reader.unit_rows)
        return found

    def length(self) -> int | None:
        counts = self.counts()
        if counts is None:
            return None
        return sum(shard.total(rows) for shard, rows in zip(self.shards, counts, strict=True))

    def window(self, start: int, stop: int) -> Plan | None:
        counts = self.counts()
        if counts is None:
            return None
        made, first = [], 0
        for shard, rows in zip(self.shards, counts, strict=True):
            total = shard.total(rows)
            low, high = max(start - first, 0), min(stop - first, total)
            if low < high:
                made.append(replace(shard, start=shard.start + low, rows=high - low))
            first += total
        return replace(self, shards=tuple(made))

    @property
    def cutting(self) -> str:
        return "deep"

    def cut(self, count: int, index: int) -> Plan:
        """Whole units where there are enough of them, else rows of units. Each part reads the footers.

        Formats that cannot count are read whole by each part, which keeps every `count`-th row.
        """
        counts = self.counts()
        if counts is None:
            return Step(self, count, index)
        units = [
            replace(shard, first=unit, last=unit + 1)
            for shard, rows in zip(self.shards, counts, strict=True)
            if shard.rows is None and not shard.start
            for unit in range(shard.first, len(rows) if shard.last is None else shard.last)
        ]
        whole = all(shard.rows is None and not shard.start for shard in self.shards)
        if whole and len(units) >= count:
            chosen = part_of(len(units), count, index)
            return replace(self, shards=tuple(units[place] for place in chosen))
        wanted = part_of(sum(shard.total(rows) for shard, rows in zip(self.shards, counts, strict=True)), count, index)
        return self.window(wanted.start, wanted.stop) or self


def _of(features: Features, names: tuple[str, ...]) -> Features:
    return Features({name: features[name] for name in names if name in features})
