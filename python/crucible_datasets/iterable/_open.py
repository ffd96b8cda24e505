"""Files that are open: those that are far are asked for their footers once."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from _crucible._native import Source
from crucible_datasets.iterable._filtered import FilteredUnits
from crucible_datasets.iterable._source import FileOrigin, LocalOrigin
from crucible_datasets.iterable._units import READERS, CountedReader, ParquetUnits, Reading, UnitReader

_KEPT = 64
"""Files that are kept open."""
_AT_ONCE = 16
"""Files that are opened at the same time."""


class Readers:
    """Readers of files, shared by the plans that come of one another. They stay in their process.

    Local files are opened each time: that costs little, and a file that is kept open costs a descriptor.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], tuple[FileOrigin, Reading, UnitReader]] = OrderedDict()
        self._pid = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), ())

    def known(self, origin: FileOrigin, reading: Reading) -> UnitReader | None:
        """A file's reader, if that costs no request."""
        if isinstance(origin, LocalOrigin):
            return READERS[reading.format](origin.open(), reading)
        if self._pid != os.getpid():  # a forked child: connections are the parent's
            self._kept.clear()
            self._pid = os.getpid()
        found = self._kept.get((id(origin), id(reading)))
        return None if found is None else found[2]

    def open(
        self, origin: FileOrigin, reading: Reading, source: Source | None = None, *, at_start: bool = False
    ) -> UnitReader:
        """A file's reader; `source` is the file where it is open already, `at_start` says that its first unit is next."""
        reader = self.known(origin, reading)
        if reader is None:
            source = origin.open() if source is None else source
            make = READERS[reading.format]
            reader = ParquetUnits(source, reading, at_start=at_start) if make is ParquetUnits else make(source, reading)
            self._keep(origin, reading, reader)
        return reader

    def _keep(self, origin: FileOrigin, reading: Reading, reader: UnitReader) -> None:
        if not isinstance(reader, CountedReader | FilteredUnits):
            return  # it goes forward: two streams would send it back and forth
        self._kept[id(origin), id(reading)] = (origin, reading, reader)  # held, so that their ids stay their own
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def all(self, origins: Sequence[FileOrigin], reading: Reading) -> dict[int, UnitReader]:
        """The readers of several files by the ids of their origins, opened side by side."""
        distinct = list({id(origin): origin for origin in origins}.values())
        found = {id(origin): self.known(origin, reading) for origin in distinct}
        missing = [origin for origin in distinct if found[id(origin)] is None]
        if missing:
            make = READERS[reading.format]
            pool = ThreadPoolExecutor(min(_AT_ONCE, len(missing)))
            try:
                opened = list(pool.map(lambda origin: make(origin.open(), reading), missing))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for the others
            for origin, reader in zip(missing, opened, strict=True):
                found[id(origin)] = reader
                self._keep(origin, reading, reader)
        return {number: reader for number, reader in found.items() if reader is not None}
