"""Streams of folders of images and the like: a row for each file, whose bytes come when it is its turn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from _crucible._native import FilesAhead, Source, Table
from _crucible.errors import DataFileNotFoundError
from crucible_datasets.features import ClassLabel, Feature, Features, LargeList, List, Value
from crucible_datasets.io import LocalFile
from crucible_datasets.iterable import AS_GIVEN, EXAMPLES, READERS, FileOrigin, MemoryOrigin, Position, Reading
from crucible_datasets.load._data_files import file_origins
from crucible_datasets.load._extensions import SIDECARS
from crucible_datasets.load._imagefolder import COLUMNS, media_of, read_folder
from crucible_datasets.load._jobs import ReadJob, StreamJob
from crucible_datasets.load._place import Folder
from crucible_datasets.load._streams import Stream

_ROWS = 256
_FETCHED = 8
"""Rows whose files are fetched together."""
_AHEAD = 4 << 20
_BUDGET = 64 << 20
"""Bytes that all streams of the process may have ahead where files are begun before their turn."""


class FolderUnits:
    """The rows of a folder; a position is the number of a unit.

    The options of the `Reading` are `table`, the rows with paths or addresses of the files, `origins`: the files that
    are elsewhere by address, whose bytes are fetched, and `labelled`: whether labels are the names of folders. Files of
    this machine are shown by their path.
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
        part = self._rows(position)
        if self._origins:
            begun = self._fetch(position, None)
            part = self.made(part, {}) if begun is None else begun.table()
        return part, position + 1

    @property
    def at_once(self) -> int:
        """Files are fetched, not decoded: the usual."""
        return 1

    def bytes_of(self, position: Position) -> int:  # noqa: ARG002  # files tell when they come
        """Bytes that are read for a unit, as far as reading ahead is concerned: two units are ahead at a time."""
        return _AHEAD

    def start(self, positions: Sequence[Position]) -> list[FolderAhead]:
        """Begins to fetch the files of units: of as many as there is memory for, none where nothing is fetched."""
        begun: list[FolderAhead] = []
        for position in positions if self._origins else ():
            unit = self._fetch(position, _BUDGET) if position < len(self.unit_rows) else None
            if unit is None:
                break
            begun.append(unit)
        return begun

    def _rows(self, position: Position) -> Table:
        start = position * self._size
        return self._table.slice(start, start + self.unit_rows[position])

    def _fetch(self, position: Position, budget: int | None) -> FolderAhead | None:
        part = self._rows(position)
        paths: dict[str, None] = {}
        for row in part.rows(0, part.num_rows):
            self._walk(self._features, row, paths.setdefault)
        # A file that is not there, or whose size nobody knows, is met when it is its turn.
        named = {path: self._origins[path].whole() for path in paths if path in self._origins}
        files = {path: file for path, file in named.items() if file is not None}
        begun = FilesAhead.start(list(files.values()), budget)
        return None if begun is None else FolderAhead(self, part, list(files), begun)

    def _walk(self, feature: Feature, value: Any, each: Callable[[str], Any]) -> Any:
        """The value with what `each` gives for the paths of its files as their bytes."""
        if value is None:
            return None
        if isinstance(feature, self._media):
            return {**value, "bytes": each(value["path"])}
        if isinstance(feature, dict):
            return {name: self._walk(inner, value[name], each) for name, inner in feature.items()}
        if isinstance(feature, List | LargeList):
            return [self._walk(feature.feature, item, each) for item in value]
        return value

    def made(self, part: Table, fetched: dict[str, bytes]) -> Table:
        """The rows with the bytes of their files."""

        def bytes_of(path: str) -> bytes:
            return fetched[path] if path in fetched else self._bytes(path)

        rows = [self._walk(self._features, row, bytes_of) for row in part.rows(0, part.num_rows)]
        return Table.from_rows(rows, part.features)

    def _bytes(self, path: str) -> bytes:
        origin = self._origins.get(path)
        if origin is None:
            msg = f"the file {path} that the metadata name is not there"
            raise DataFileNotFoundError(msg)
        source = origin.open()
        return source.read(0, len(source))


class FolderAhead:
    """The files of a unit on their way. Dropped, their reading stops."""

    fetched = True
    """Nothing is gained by more units: the files of one are fetched together."""

    def __init__(self, units: FolderUnits, part: Table, paths: list[str], files: FilesAhead) -> None:
        self._units, self._part, self._paths, self._files = units, part, paths, files

    def wait(self) -> Table | None:
        """The rows with the bytes of their files; None in a forked child, where they will not come."""
        found = self._files.wait()
        return None if found is None else self._units.made(self._part, dict(zip(self._paths, found, strict=True)))

    def table(self) -> Table:
        """The same in the process that began."""
        found = self.wait()
        if found is None:
            msg = "the files are being read by another process"
            raise RuntimeError(msg)
        return found


def _as_given(reading: Reading, features: Features) -> Reading:
    """The rows with columns of other features made of what was given: names of folders, paths of files, Python's values."""
    table: Table = reading.options["table"]
    given = dict(Features.from_text(table.features))
    media = type(media_of(reading.format))
    changed: dict[str, Table] = {}
    for name, own in given.items():
        wanted = features.get(name, own)
        if own != wanted:
            values = table.column(name, 0, table.num_rows)
            if _is_path(own, wanted, media):
                changed[name] = _column(name, [_paths(own, value) for value in values], _in_paths(own))
            elif not _has(own, media):
                named = isinstance(own, ClassLabel) and reading.options["labelled"]
                kept = [None if value is None else own.int2str(value) for value in values] if named else values
                made = _encoded(name, kept, wanted) or (_column(name, kept, Value("string")) if named else None)
                changed.update({} if made is None else {name: made})
    if not changed:
        return reading
    others = [name for name in given if name not in changed]
    both = Table.side_by_side([*([table.select_columns(others)] if others else []), *changed.values()])
    both = both.select_columns(list(given))
    return replace(reading, features=Features.from_text(both.features), options={**reading.options, "table": both})


def _column(name: str, values: list[Any], feature: Feature) -> Table:
    return Table.from_columns({name: values}, Features({name: feature}).to_text())


def _encoded(name: str, values: list[Any], feature: Feature) -> Table | None:
    """A column as `datasets` encodes examples; None where it does not fit: then whoever reads is told."""
    try:
        return _column(name, Features({name: feature}).encode_column(values, name), feature)
    except (ValueError, TypeError, AttributeError):
        return None


def _has(feature: Feature, media: type) -> bool:
    """Whether there are files in a feature."""
    if isinstance(feature, dict):
        return any(_has(inner, media) for inner in feature.values())
    return _has(feature.feature, media) if isinstance(feature, List | LargeList) else isinstance(feature, media)


def _is_path(own: Feature, wanted: Feature, media: type) -> bool:
    """Whether files will be simple values."""
    while isinstance(own, List | LargeList) and isinstance(wanted, List | LargeList):
        own, wanted = own.feature, wanted.feature
    return isinstance(own, media) and isinstance(wanted, Value)


def _in_paths(own: Feature) -> Feature:
    return type(own)(_in_paths(own.feature)) if isinstance(own, List | LargeList) else Value("string")


def _paths(own: Feature, value: Any) -> Any:
    if value is None or not isinstance(own, List | LargeList):
        return None if value is None else value["path"]
    return [_paths(own.feature, item) for item in value]


READERS.update(dict.fromkeys(COLUMNS, FolderUnits))
AS_GIVEN.update(dict.fromkeys(COLUMNS, _as_given))
EXAMPLES.update(COLUMNS)


def stream_folder(job: StreamJob) -> Stream:
    """The rows of a split: metadata files are read at once, other files when it is their turn."""
    files = list(job.files)
    places = file_origins(files, job.store)
    origins: dict[str, FileOrigin] = {}
    names = job.options.get("metadata_filenames") or SIDECARS[job.format]
    metadata = [file for file in files if PurePath(file.path).name in names]
    if job.has_archives(files) or all(isinstance(file.place, Folder) for file in files):
        table = read_folder(_read_job(job, job.local(files)))
    else:
        here = dict(zip([file.shown for file in metadata], job.local(metadata), strict=True))
        table = read_folder(_read_job(job, [LocalFile(file.shown, file.shown) for file in files]), here)
        origins = dict(zip([file.shown for file in files], places, strict=True))
    options = {"table": table, "origins": origins, "labelled": not metadata}
    reading = Reading(job.format, Features.from_text(table.features), None, options)
    return [MemoryOrigin(job.format, _content(places))], reading


def _content(origins: Sequence[FileOrigin]) -> str:
    """What tells a folder from one of other files: their names, of the hub with their hashes."""
    names = hashlib.blake2b(digest_size=8)
    for origin in origins:
        names.update(origin.named().encode() + b"\0")
    return names.hexdigest()


def _read_job(job: StreamJob, files: Sequence[LocalFile]) -> ReadJob:
    return ReadJob(files, job.split, job.format, job.options, job.features, None, job.store)
