"""Which format the files of a split have: by counting suffixes, as `datasets` does."""

from __future__ import annotations

from collections import Counter
from typing import Any

from crucible_datasets.errors import DataFilesNotFoundError, UnsupportedError
from crucible_datasets.load import _csv as csv

_FORMATS = {
    ".parquet": "parquet", ".geoparquet": "parquet", ".gpq": "parquet",
    ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".csv": "csv", ".tsv": "csv", ".arrow": "arrow", ".txt": "text", ".tar": "webdataset", ".zip": "zip",
    ".jpg": "imagefolder", ".jpeg": "imagefolder", ".png": "imagefolder",
}  # fmt: skip
_PREFERRED = [".parquet", ".arrow", ".jsonl", ".json", ".csv"]
READ = ("parquet", "json", "csv", "text", "arrow")
OPTIONS: dict[str, set[str]] = {"text": {"sample_by", "keep_linebreaks"}, "csv": csv.NAMES}
"""Options of a format that `load_dataset` takes by name."""


def reader_options(format: str, given: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """The options of a format for the reader, unknown ones refused.

    Args:
        format: one of `READ`.
        given: options by their names in `datasets`.
        paths: the data files; `.tsv` files are parted by tabs.

    Raises:
        ValueError: an option that the format does not have, with those that it has.
        UnsupportedError: an option that `datasets` has and that is not read here.
    """
    known = OPTIONS.get(format, set())
    unknown = sorted(set(given) - known)
    if unknown:
        msg = f"BuilderConfig for format {format!r} doesn't have a {unknown[0]!r} key. Its options are {sorted(known)}"
        raise ValueError(msg)
    if format != "csv":
        return given
    tabs = {"sep": "\t"} if paths and all(".tsv" in _suffixes(path) for path in paths) else {}
    return {"csv": csv.csv_options({**tabs, **given})}


def _suffixes(path: str) -> list[str]:
    name = path.rsplit("/", 1)[-1].lstrip(".")
    return [f".{part}" for part in name.split(".")[1:]]


def _known(path: str) -> list[str]:
    """Known suffixes of a path. Capitals count for images only (`.JPG` is an image, `.CSV` is nothing)."""
    return [
        s.lower()
        for s in _suffixes(path)
        if _FORMATS.get(s.lower()) and (s == s.lower() or _FORMATS[s.lower()] == "imagefolder")
    ]


def with_known_suffix(paths: list[str]) -> list[str]:
    """The paths that may be data files."""
    return [path for path in paths if _known(path)]


def format_of(splits: dict[str, list[str]]) -> str:
    """The one format of all splits.

    Raises:
        DataFilesNotFoundError: no file of a known format.
        ValueError: splits of other formats.
        UnsupportedError: a format that is not read yet.
    """
    found = {split: _of_split(paths) for split, paths in splits.items()}
    formats = {name for name in found.values() if name is not None}
    if not formats:
        msg = (
            f"No (supported) data files found in {sum(map(len, splits.values()))} files; formats that are read: {READ}"
        )
        raise DataFilesNotFoundError(msg)
    if len(set(found.values())) > 1:
        msg = f"Couldn't infer the same data file format for all splits. Got {found}"
        raise ValueError(msg)
    name = formats.pop()
    if name not in READ:
        msg = f"The data files are of format {name!r}, which is not read yet; the formats are {READ}."
        raise UnsupportedError(msg)
    return name


def _of_split(paths: list[str]) -> str | None:
    counts = Counter(suffix for path in paths for suffix in _known(path))
    if not counts:
        return None
    rank = {suffix: len(_PREFERRED) - i for i, suffix in enumerate(_PREFERRED)}
    best = max(counts, key=lambda s: (counts[s], rank.get(s, 0), s))
    return _FORMATS[best]


def of_format(paths: list[str], format: str) -> list[str]:
    """The paths of one format."""
    return [path for path in paths if any(_FORMATS[suffix] == format for suffix in _known(path))]
