"""What a file format gives to a stream: units of rows, and the positions between them.

A format is a class that opens a file (`Source`) as a `Reading` says, and hands out a unit for a position. It keeps no
place of its own: whoever reads knows the position, so a stream resumes by asking for the unit that it was in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

from _crucible._native import ParquetFile, Source, Table
from crucible_datasets.features import Features

Position: TypeAlias = Any
"""Where a unit starts: 0 for the first one, else what the reader named; plain data, made for JSON."""


@dataclass(frozen=True)
class Reading:
    """How the files of a stream are read: a plain value that pickles.

    Attributes:
        format: a name in `READERS`.
        features: types to cast to; the files' own when None.
        columns: columns to read, in this order; all when None.
        options: options of the format.
    """

    format: str
    features: Features | None = None
    columns: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def features_text(self) -> str | None:
        """The features of the columns that are read, as JSON; None where the files' own count."""
        if self.features is None:
            return None
        names = self.features if self.columns is None else self.columns
        return Features({name: self.features[name] for name in names}).to_text()


class UnitReader(Protocol):
    """An open file. `unit` has no side effect: the same position gives the same rows."""

    def unit(self, position: Position) -> tuple[Table, Position] | None:
        """The rows of the unit at a position, and the position after it; None at the end of the file."""


@runtime_checkable
class ForwardReader(UnitReader, Protocol):
    """A file that is read from its start to its end."""

    @property
    def source(self) -> Source:
        """The file."""


@runtime_checkable
class CountedReader(UnitReader, Protocol):
    """A file that knows the rows of its units without reading them: its positions are their numbers."""

    @property
    def unit_rows(self) -> list[int]:
        """Rows of each unit."""


@runtime_checkable
class TypedReader(UnitReader, Protocol):
    """A file that knows its features without reading rows."""

    @property
    def features(self) -> Features:
        """Features of all columns of the file."""


@runtime_checkable
class PartialReader(CountedReader, Protocol):
    """A file that reads some rows of a unit for less than all of it."""

    def rows(self, position: Position, start: int, stop: int) -> Table:
        """Rows `start..stop` of the unit at a position."""


class Ahead(Protocol):
    """A unit on its way. Dropped, its reading stops."""

    def wait(self) -> Table | None:
        """The unit; None in a forked child, where it will not come."""

    @property
    def fetched(self) -> bool:
        """Whether its bytes are here."""


class AheadWithHead(Ahead, Protocol):
    """A unit on its way, some rows of it first."""

    def wait_head(self) -> Table | None:
        """Those rows; None where they do not come before the others."""


@runtime_checkable
class AheadReader(CountedReader, Protocol):
    """A file that can begin to read a unit before it is asked for it."""

    @property
    def at_once(self) -> int:
        """How many units can be decoded at a time."""

    def bytes_of(self, position: Position) -> int:
        """Bytes that are read for the unit at a position."""

    def start(self, positions: Sequence[Position]) -> list[Ahead]:
        """Begins to read units that follow each other, together: as many of the first ones as there is memory for."""


@runtime_checkable
class HeadReader(AheadReader, Protocol):
    """A file that can begin with some rows of a unit."""

    def start_at(self, position: Position, start: int, stop: int) -> AheadWithHead | None:
        """Begins to read the unit at a position, first its rows `start..stop`; None if there is no memory for it."""


class ParquetUnits:
    """A Parquet file by row groups. Some are read ahead, within a budget that all files of the process share."""

    def __init__(self, source: Source, reading: Reading, *, at_start: bool = False) -> None:
        self._file = ParquetFile(source, at_start and reading.columns is None)
        self._columns = None if reading.columns is None else list(reading.columns)
        self._text = reading.features_text()
        self.unit_rows: list[int] = self._file.row_groups
        self._bytes: dict[int, int] = {}

    @property
    def features(self) -> Features:
        return Features.from_text(self._file.features)

    def unit(self, position: Position) -> tuple[Table, Position] | None:
        if position >= len(self.unit_rows):
            return None
        return self._file.read_row_group(position, self._columns, self._text), position + 1

    def rows(self, position: Position, start: int, stop: int) -> Table:
        return self._file.read_rows(position, start, stop, self._columns, self._text)

    @property
    def at_once(self) -> int:
        return self._file.at_once

    def bytes_of(self, position: Position) -> int:
        known = self._bytes.get(position)
        if known is None:
            known = self._bytes[position] = self._file.fetched_bytes(position, self._columns)
        return known

    def start(self, positions: Sequence[Position]) -> list[Ahead]:
        begun: list[Ahead] = []
        begun += self._file.start_row_groups(list(positions), self._columns, self._text)
        return begun

    def start_at(self, position: Position, start: int, stop: int) -> AheadWithHead | None:
        return self._file.start_row_group(position, self._columns, self._text, head=(start, stop))


READERS: dict[str, Callable[[Source, Reading], UnitReader]] = {"parquet": ParquetUnits}
"""The formats that are streamed. A format of its own adds its class here, by the name that `load_dataset` uses."""

EXAMPLES: set[str] = set()
"""The formats whose builders in `datasets` give examples instead of tables, which changes the order of `shuffle`."""
AS_GIVEN: dict[str, Callable[[Reading, Features], Reading]] = {}
"""Formats that know what their values were before they got the features of the reading: names of classes, paths of files.
The function gives the reading for what will be cast to other features: `datasets` casts examples from the start."""
