"""JSON, CSV, text, Arrow and WebDataset files as units of streams.

A native reader goes forward. Asked for the unit that follows, it goes on; asked for another one, a new reader starts
there. What a unit holds depends on its position alone.
"""

from __future__ import annotations

from typing import Any

from _crucible._native import SampleReader, Source, Table
from _crucible._native import UnitReader as Native
from crucible_datasets.features import Features
from crucible_datasets.io import SampleColumns, recoded
from crucible_datasets.iterable._units import EXAMPLES, READERS, Position, Reading

_RECODING = ("encoding", "encoding_errors")
_PIECE = 8 << 20
_MOST = 256
"""Most bytes and samples of a unit of an archive."""


class FileUnits:
    """A JSON, CSV, text or Arrow file.

    Positions are bytes of the text (of what a compressed file unpacks to), or numbers of record batches. Each unit of CSV
    is 10,000 records and has types of its own; a file of JSON whose types nobody gave has those of its first 10 MiB.
    """

    def __init__(self, source: Source, reading: Reading) -> None:
        options = dict(reading.options)
        if "encoding" in options:
            source = recoded(source, *(options.pop(name) for name in _RECODING))
        self.source, self._format, self._options = source, reading.format, options
        self._types = None if reading.features is None else reading.features.to_text()
        self._columns = None if reading.columns is None else list(reading.columns)
        self._running: tuple[Native, Position] | None = None

    def unit(self, position: Position) -> tuple[Table, Position] | None:
        running, self._running = self._running, None
        if running is not None and running[1] == position and not running[0].lost:
            native = running[0]
        else:
            native = Native(self.source, self._format, position, features=self._types, **self._options)
        found = native.next_unit()
        if found is None:
            return None
        table, _, after = found
        self._running = native, after
        if self._columns is not None and table.num_rows:  # what has no rows may have no columns either
            table = table.select_columns(self._columns)
        return table, after


def head_features(source: Source, format: str, options: dict[str, Any]) -> Features | None:
    """The features that a file tells at its beginning: the first lines of JSON, the schema of Arrow; None for others.

    Args:
        source: the file.
        format: its format.
        options: of the format, as `Reading` has them.

    Raises:
        DataError: the beginning cannot be read.
    """
    if format not in ("json", "arrow"):
        return None
    if "encoding" in options:
        source = recoded(source, *(options[name] for name in _RECODING))
    found = Native.features(source, format, options.get("json"))
    return None if found is None else Features.from_text(found)


class SampleUnits:
    """A WebDataset archive by samples. A position is the byte of the first header of one. `Reading` has the features."""

    def __init__(self, source: Source, reading: Reading) -> None:
        names = reading.columns
        features = reading.features or Features()
        if names is not None:
            features = Features({name: features[name] for name in names})
        self.source, self._samples = source, SampleColumns(features, opens_null=True)
        self._running: tuple[SampleReader, Position] | None = None

    def unit(self, position: Position) -> tuple[Table, Position] | None:
        running, self._running = self._running, None
        reader = running[0] if running is not None and running[1] == position else SampleReader(self.source, position)
        rows = _MOST if position else 1  # the first one at once
        found = reader.next_batch(self._samples.wanted, rows, _PIECE)
        if found is None:
            return None
        table, _, after = found
        self._running = reader, after
        return self._samples.table(table), after


READERS.update(json=FileUnits, csv=FileUnits, text=FileUnits, arrow=FileUnits, webdataset=SampleUnits)
EXAMPLES.add("webdataset")
