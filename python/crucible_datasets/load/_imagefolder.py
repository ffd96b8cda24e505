"""Folders of images, sounds, videos and the like: a row for each file, labels from folder names, or metadata files.

Nothing is copied: a cell has the file's path. Files in archives are those that the archive was unpacked to.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from _crucible._native import Table
from _crucible.errors import SchemaError
from crucible_datasets.errors import UnsupportedError
from crucible_datasets.features import (
    Audio,
    ClassLabel,
    Feature,
    Features,
    Image,
    List,
    Mesh,
    Nifti,
    Pdf,
    Value,
    Video,
)
from crucible_datasets.io import LocalFile, read_table
from crucible_datasets.load._extensions import SIDECARS, known_formats

if TYPE_CHECKING:
    from crucible_datasets.load._jobs import ReadJob

_MEDIA: dict[str, Feature] = {
    "imagefolder": Image,
    "audiofolder": Audio,
    "videofolder": Video,
    "pdffolder": Pdf,
    "niftifolder": Nifti,
    "meshfolder": Mesh,
}
COLUMNS = {format: media.__name__.lower() for format, media in _MEDIA.items()}
"""The column of each format."""
OPTIONS: dict[str, Any] = {
    "drop_labels": None, "drop_metadata": None, "metadata_filenames": None, "decode_num_threads": None,
}  # fmt: skip
"""Options that are read. `decode_num_threads` has no effect."""
REFUSED = {"filters": None}

_READERS = {".csv": "csv", ".jsonl": "json", ".parquet": "parquet"}


def media_of(format: str) -> Feature:
    """The feature of a format's files."""
    return _MEDIA[format]()


def read_folder(job: ReadJob, here: Mapping[str, LocalFile] | None = None) -> Table:
    """The rows of a split.

    Without metadata files: the column of the format, and `label` where the files lie in two or more folders of one
    depth, in archives too. With metadata files: their rows and columns, `file_name` and `*_file_name` (one path), `file_names` and
    `*_file_names` (a list of paths) replaced by the files.

    Args:
        job: what to read. No file is opened but metadata files.
        here: where metadata files are on this machine, by path, if elsewhere.

    Raises:
        SchemaError: metadata files of several kinds, without a column of file names, or with a name that leads out of
            its folder; a folder that is no class of the features.
        DecodeError: a broken metadata file.
    """
    options = job.options
    names = options.get("metadata_filenames") or SIDECARS[job.format]
    metadata = [file for file in job.files if PurePath(file.path).name in names]
    files = [file.path for file in job.files if job.format in known_formats(file.path)]
    if metadata and not options.get("drop_metadata"):
        return _of_metadata(job, sorted(metadata, key=lambda file: file.path), here or {})
    column = COLUMNS[job.format]
    rows: list[dict[str, Any]] = [{column: {"bytes": None, "path": path}} for path in files]
    features = Features({column: _MEDIA[job.format]()})
    unpacked = job.store.folder / "extracted"
    roots = {unpacked, unpacked.absolute()}
    labels = [_label(path, roots) for path in files]
    if not metadata and _labelled(options.get("drop_labels"), files, labels):
        features["label"] = ClassLabel(names=sorted({label for label in labels if label is not None}))
        for row, label in zip(rows, labels, strict=True):
            row["label"] = label
    return _table(rows, job.features or features)


def _label(path: str, unpacked: set[Path]) -> str | None:
    """The folder that a file lies in; None for one that its archive has in no folder."""
    folder = Path(path).parent
    return None if folder.parent in unpacked else folder.name


def _labelled(drop: bool | None, files: list[str], labels: list[str | None]) -> bool:
    if drop is not None:
        return not drop
    if None in labels:
        return False
    depths = {len(PurePath(path).parts) for path in files}
    return len(set(labels)) > 1 and len(depths) == 1


def _table(rows: Iterable[dict[str, Any]], features: Features) -> Table:
    try:
        encoded = [features.encode_example(row) for row in rows]
    except ValueError as error:
        msg = f"a folder that is no class of the features: {error}"
        raise SchemaError(msg) from error
    return Table.from_rows(encoded, features.to_text())


# ---------------------------------------------------------------------------------------------------------- metadata


def _of_metadata(job: ReadJob, files: list[LocalFile], here: Mapping[str, LocalFile]) -> Table:
    kinds = {PurePath(file.path).suffix for file in files}
    if len(kinds) > 1:
        msg = f"Found metadata files with different extensions: {sorted(kinds)}"
        raise SchemaError(msg)
    [kind] = kinds
    if kind not in _READERS:
        msg = f"Metadata files are read as {sorted(_READERS)}, got {files[0].path}"
        raise UnsupportedError(msg)
    format = _READERS[kind]
    opened = [here.get(file.path, file) for file in files]
    tables = [read_table([file], format, keep_in_memory=True) for file in opened]
    types = Features.from_text(read_table(opened, format, keep_in_memory=True).features)
    column, media = COLUMNS[job.format], _MEDIA[job.format]()
    features = _replaced(types, column, media)
    if features == types:
        msg = f"`file_name`, `*_file_name`, `file_names` or `*_file_names` must be present as dictionary key in metadata files ({files[0].path})"
        raise SchemaError(msg)
    rows = (
        _filled(types, row, column, posixpath.dirname(file.path.replace("\\", "/")), file.path)
        for file, table in zip(files, tables, strict=True)
        for row in table.rows(0, table.num_rows)
    )
    return _table(rows, job.features or Features(features))


def _renamed(name: str, feature: Feature, column: str) -> tuple[str, bool] | None:
    """The name of a column of file names once it has files, and whether it is a list of them; None for others."""
    for end, plural, types in (
        ("file_name", "", (Value("string"), Value("large_string"))),
        ("file_names", "s", (List(Value("string")), List(Value("large_string")))),
    ):
        if (name == end or name.endswith(f"_{end}")) and feature in types:
            return name[: -len(end) - 1] or column + plural, bool(plural)
    return None


def _replaced(feature: Feature, column: str, media: Feature) -> Feature:
    """The feature with files in place of file names."""
    if isinstance(feature, dict):
        made = {}
        for name, inner in feature.items():
            found = _renamed(name, inner, column)
            if found is None:
                made[name] = _replaced(inner, column, media)
            else:
                made[found[0]] = List(media) if found[1] else media
        return made
    if isinstance(feature, List):
        return List(_replaced(feature.feature, column, media), feature.length)
    return feature


def _filled(feature: Feature, value: Any, column: str, folder: str, source: str) -> Any:
    """The value with files in place of file names."""
    if value is None:
        return None
    if isinstance(feature, dict):
        made = {}
        for name, inner in feature.items():
            found, item = _renamed(name, inner, column), value.get(name)
            if found is None:
                made[name] = _filled(inner, item, column, folder, source)
            elif found[1]:
                made[found[0]] = None if item is None else [_file(one, folder, source) for one in item]
            else:
                made[found[0]] = _file(item, folder, source)
        return made
    if isinstance(feature, List):
        return [_filled(feature.feature, item, column, folder, source) for item in value]
    return value


def _file(name: str | None, folder: str, source: str) -> dict[str, Any] | None:
    """The file that a metadata file names.

    Raises:
        SchemaError: a path that leads out of the metadata file's folder.
    """
    if name is None:
        return None
    path = posixpath.normpath(name.replace("\\", "/"))
    if "://" in name or path.startswith(("/", "../")) or path == ".." or PurePath(name).is_absolute():
        msg = f"Invalid metadata file_name {name!r}: it must be a relative path inside the folder of the metadata file ({source})"
        raise SchemaError(msg)
    return {"bytes": None, "path": f"{folder}/{path}"}
