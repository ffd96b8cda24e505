"""Where a stream's rows come from: files, and units in them (row groups, chunks of lines).

A cursor is three numbers: the file, the unit in it (row group, or byte offset of a line), and the rows of the unit
that the consumer has had. Resuming seeks there; nothing is read again but the unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from _crucible._native import HubClient, JsonLinesFile, ParquetFile, Source, Table
from crucible_datasets.features import Features, decoder

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
    """Features of a file as its footer gives them; None for JSON, where only the rows tell."""
    return Features.from_text(ParquetFile(origin.open()).features) if format == "parquet" else None


class SourceNode:
    """The rows of files, in order.

    Args:
        files: the files.
        format: "parquet" or "json".
        features: types to cast to, None for the files' own.
        columns: columns to read, None for all (projection reaches the reader of Parquet files).
    """

    def __init__(
        self, files: list[FileOrigin], format: str, features: Features | None, columns: list[str] | None
    ) -> None:
        self._files = files
        self._format = format
        self._features = features
        self._columns = columns
        self._cursor = [0, 0, 0]

    def state(self) -> dict[str, Any]:
        """The cursor of the next row."""
        return {"cursor": list(self._cursor)}

    def load(self, state: dict[str, Any]) -> None:
        """Goes to a cursor."""
        self._cursor = list(state["cursor"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows from the cursor on."""
        cursor = self._cursor
        while cursor[0] < len(self._files):
            source = self._files[cursor[0]].open()
            units = self._row_groups(source) if self._format == "parquet" else self._chunks(source)
            for table, unit, after in units:
                cursor[1] = unit
                yield from self._rows_of(table)
                cursor[1], cursor[2] = after, 0
            self._cursor[:] = [cursor[0] + 1, 0, 0]

    def _row_groups(self, source: Source) -> Iterator[tuple[Table, int, int]]:
        file = ParquetFile(source)
        text = None if self._features is None or self._columns is not None else self._features.to_text()
        for group in range(self._cursor[1], len(file.row_groups)):
            yield file.read_row_group(group, self._columns, text), group, group + 1

    def _chunks(self, source: Source) -> Iterator[tuple[Table, int, int]]:
        file = JsonLinesFile(source)
        text = None if self._features is None else self._features.to_text()
        offset = self._cursor[1]
        while offset < len(source):
            table, after = file.read_chunk(offset, text)
            yield (table if self._columns is None else table.select_columns(self._columns)), offset, after
            offset = after

    def _rows_of(self, table: Table) -> Iterator[dict[str, Any]]:
        features = self._features if self._features is not None else Features.from_text(table.features)
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
