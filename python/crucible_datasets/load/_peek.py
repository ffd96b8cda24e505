"""Features of a file, told by its beginning or end."""

from __future__ import annotations

from _crucible._native import JsonLinesFile, Table
from crucible_datasets.features import Features
from crucible_datasets.iterable import FileOrigin, LocalOrigin, read_features


def peek_features(origin: FileOrigin, path: str, format: str) -> Features | None:
    """Features as a file tells them without being read whole; None where only reading tells.

    Args:
        origin: the file.
        path: its name.
        format: its format. Parquet: the footer; Arrow: the schema, of local files; JSON lines: the first chunk.

    Raises:
        DataError: the file cannot be read.
    """
    if format == "parquet":
        return read_features(origin, format)
    if format == "arrow" and isinstance(origin, LocalOrigin):
        return Features.from_text(Table.read([origin.path], "arrow").features)
    if format == "json" and path.endswith((".jsonl", ".ndjson", ".json")):
        source = origin.open()
        if len(source) and source.read(0, min(len(source), 64)).lstrip()[:1] == b"{":
            return Features.from_text(JsonLinesFile(source).read_chunk(0)[0].features)
    return None
