"""Where a stream's rows come from: files, and units in them (row groups, chunks of lines).

A cursor is the file, the position of the unit in it (see `_units`), and the rows of the unit that the consumer has had. Resuming seeks there; nothing is read again but the unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from _crucible._native import HubClient, Source, Table
from crucible_datasets.features import Features, decoder
from crucible_datasets.iterable._units import READERS, Reading, TypedReader

_BLOCK = 256


class FileOrigin(Protocol):
    """Something that opens a file: in the process that iterates, when it is its turn."""

    def open(self) -> Source:
        """The file's bytes."""


@dataclass(frozen=True)
class LocalOrigin:
    """A local file."""

    path: str

    def open(self) -> Source:
        """The file's bytes."""
        return Source.local(self.path)


@dataclass(frozen=True)
class HubOrigin:
    """A file of a hub dataset at a commit."""

    client: HubClient
    repo_id: str
    commit: str
    path: str

    def open(self) -> Source:
        """The file's bytes, by range requests."""
        return Source.hub(self.client, "dataset", self.repo_id, self.path, self.commit)


def read_features(origin: FileOrigin, format: str) -> Features | None:
    """Features of a file as the file itself gives them; None for formats where only the rows tell."""
    reader = READERS[format](origin.open(), Reading(format))
    return reader.features if isinstance(reader, TypedReader) else None


class SourceNode:
    """The rows of files, in order.

    Args:
        files: the files.
        reading: how they are read.
    """

    def __init__(self, files: list[FileOrigin], reading: Reading) -> None:
        self._files = files
        self._reading = reading
        self._cursor: list[Any] = [0, 0, 0]

    def state(self) -> dict[str, Any]:
        """The cursor of the next row."""
        return {"cursor": list(self._cursor)}

    def load(self, state: dict[str, Any]) -> None:
        """Goes to a cursor."""
        self._cursor = list(state["cursor"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows from the cursor on."""
        cursor = self._cursor
        make = READERS[self._reading.format]
        while cursor[0] < len(self._files):
            reader = make(self._files[cursor[0]].open(), self._reading)
            while (unit := reader.unit(cursor[1])) is not None:
                table, after = unit
                yield from self._rows_of(table)
                cursor[1], cursor[2] = after, 0
            self._cursor[:] = [cursor[0] + 1, 0, 0]

    def _rows_of(self, table: Table) -> Iterator[dict[str, Any]]:
        given = self._reading.features
        features = given if given is not None else Features.from_text(table.features)
        found = {name: decoder(feature) for name, feature in features.items() if name in table.column_names}
        decoders = {name: decode for name, decode in found.items() if decode is not None}
        block = 8 if decoders else _BLOCK
        while self._cursor[2] < table.num_rows:
            start = self._cursor[2]
            for row in table.rows(start, min(start + block, table.num_rows)):
                for name, decode in decoders.items():
                    row[name] = decode(row[name])
                self._cursor[2] += 1
                yield row
