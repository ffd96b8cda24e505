"""Streams of folders of images and the like: a row for each file, whose bytes come when it is its turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from _crucible._native import Source, Table
from _crucible.errors import DataFileNotFoundError
from crucible_datasets.features import Feature, Features, LargeList, List
from crucible_datasets.io import LocalFile
from crucible_datasets.iterable import READERS, FileOrigin, MemoryOrigin, Position, Reading
from crucible_datasets.load._data_files import file_origins
from crucible_datasets.load._extensions import SIDECARS
from crucible_datasets.load._imagefolder import COLUMNS, media_of, read_folder
from crucible_datasets.load._jobs import ReadJob, StreamJob
from crucible_datasets.load._place import Folder
from crucible_datasets.load._streams import Stream

_ROWS = 256
_FETCHED = 8
"""Rows whose files are fetched together."""


class FolderUnits:
    """The rows of a folder; a position is the number of a unit.

    The options of the `Reading` are `table`, the rows with paths or addresses of the files, and `origins`: the files that
    are elsewhere by address, whose bytes are fetched. Files of this machine are shown by their path.
    """

    def __init__(self, source: Source, reading: Reading) -> None:  # noqa: ARG002  # there is no file
        table: Table = reading.options["table"]
        self._table = table if reading.columns is None else table.select_columns(list(reading.columns))
        self._features = Features.from_text(self._table.features)
        self._media = type(media_of(reading.format))
        self._origins: dict[str, FileOrigin] = reading.options["origins"]
        self._size = _FETCHED if self._origins else _ROWS
        rows = table.num_rows
        self.unit_rows = [min(self._size, rows - start) for start in range(0, rows, self._size)]

    def unit(self, position: Position) -> tuple[Table, Position] | None:
        if position >= len(self.unit_rows):
            return None
        start = position * self._size
        part = self._table.slice(start, start + self.unit_rows[position])
        if self._origins:
            rows = [self._with_bytes(self._features, row) for row in part.rows(0, part.num_rows)]
            part = Table.from_rows(rows, part.features)
        return part, position + 1

    def _with_bytes(self, feature: Feature, value: Any) -> Any:
        """The value with the bytes of its files."""
        if value is None:
            return None
        if isinstance(feature, self._media):
            return {**value, "bytes": self._bytes(value["path"])}
        if isinstance(feature, dict):
            return {name: self._with_bytes(inner, value[name]) for name, inner in feature.items()}
        if isinstance(feature, List | LargeList):
            return [self._with_bytes(feature.feature, item) for item in value]
        return value

    def _bytes(self, path: str) -> bytes:
        origin = self._origins.get(path)
        if origin is None:
            msg = f"the file {path} that the metadata name is not there"
            raise DataFileNotFoundError(msg)
        source = origin.open()
        return source.read(0, len(source))


READERS.update(dict.fromkeys(COLUMNS, FolderUnits))


def stream_folder(job: StreamJob) -> Stream:
    """The rows of a split: metadata files are read at once, other files when it is their turn."""
    files = list(job.files)
    origins: dict[str, FileOrigin] = {}
    if job.has_archives(files) or all(isinstance(file.place, Folder) for file in files):
        table = read_folder(_read_job(job, job.local(files)))
    else:
        names = job.options.get("metadata_filenames") or SIDECARS[job.format]
        metadata = [file for file in files if PurePath(file.path).name in names]
        here = dict(zip([file.shown for file in metadata], job.local(metadata), strict=True))
        table = read_folder(_read_job(job, [LocalFile(file.shown, file.shown) for file in files]), here)
        origins = dict(zip([file.shown for file in files], file_origins(files, job.store), strict=True))
    reading = Reading(job.format, Features.from_text(table.features), None, {"table": table, "origins": origins})
    return [MemoryOrigin(job.format)], reading


def _read_job(job: StreamJob, files: Sequence[LocalFile]) -> ReadJob:
    return ReadJob(files, job.split, job.format, job.options, job.features, None, job.store)
