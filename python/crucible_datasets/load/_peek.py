"""Features of a file, told by its beginning or end."""

from __future__ import annotations

from crucible_datasets.features import Features
from crucible_datasets.io import is_archive
from crucible_datasets.iterable import FileOrigin, head_features, read_features
from crucible_datasets.load._webdataset import sample_features


def peek_features(origin: FileOrigin, path: str, format: str) -> Features | None:
    """Features as a file tells them without being read whole; None where only reading tells.

    Args:
        origin: the file.
        path: its name.
        format: its format. Parquet: the footer; Arrow: the schema; JSON lines: the first
            chunk; WebDataset: the first samples.

    Raises:
        DataError: the file cannot be read.
    """
    if format == "parquet":
        return read_features(origin, format)
    if format == "webdataset":
        return sample_features(origin.open())
    if format in ("arrow", "json") and not is_archive(path):
        return head_features(origin.open(), format, {})
    return None
