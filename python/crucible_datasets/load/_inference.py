"""Which format the files of all splits have: by counting suffixes, as `datasets` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crucible_datasets.errors import DataFilesNotFoundError
from crucible_datasets.load._extensions import ALL_SIDECARS, FORMAT_OF, PREFERRED, SIDECARS, known_formats, suffixes

_ARCHIVES = 10
"""Archives of a split that are looked into."""
Members = Callable[[str], Sequence[str]]
"""Lists an archive's files."""
Inferred = tuple[str | None, dict[str, Any]]


def _of_split(paths: Sequence[str], members: Members) -> Inferred:
    counts = Counter(
        (suffix.lower(), path.rsplit("/", 1)[-1] in ALL_SIDECARS) for path in paths for suffix in suffixes(path)
    )
    ranked = sorted(counts, key=lambda key: (not key[1], counts[key], *(key[0] == s for s in PREFERRED), key[0]))
    for suffix, _ in reversed(ranked):
        if suffix in FORMAT_OF:
            return FORMAT_OF[suffix]
        if suffix == ".zip":
            return _of_archives([path for path in paths if path.endswith(".zip")], members)
    return None, {}


def _of_archives(archives: Sequence[str], members: Members) -> Inferred:
    inner = Counter(
        suffix.lower() for archive in archives[:_ARCHIVES] for path in members(archive) for suffix in suffixes(path)
    )
    most = inner.most_common(1)
    return FORMAT_OF.get(most[0][0], (None, {})) if most else (None, {})


def format_of(splits: Mapping[str, Sequence[str]], where: str, members: Members) -> tuple[str, dict[str, Any]]:
    """The one format of all splits, and the options that its suffix implies (`.tsv`: tabs).

    Args:
        splits: paths by split.
        where: what to call the dataset in errors.
        members: lists the files of a zip archive.

    Raises:
        DataFilesNotFoundError: no file of a known format.
        ValueError: splits of other formats.
    """
    found = {split: _of_split(paths, members) for split, paths in splits.items()}
    format, options = next(iter(found.values()), (None, {}))
    if any(other != (format, options) for other in found.values()):
        msg = f"Couldn't infer the same data file format for all splits. Got {found}"
        raise ValueError(msg)
    if format is None:
        names = sorted({path.rsplit("/", 1)[-1] for paths in splits.values() for path in paths})[:5]
        msg = f"No (supported) data files found in {where}" + (f"; there are {names}" if names else "")
        raise DataFilesNotFoundError(msg)
    return format, dict(options)


def belongs(path: str, format: str) -> bool:
    """Whether a file is one of a format's: by its suffixes, as an archive, or as one of its metadata files."""
    found = known_formats(path)
    return format in found or "zip" in found or path.rsplit("/", 1)[-1] in SIDECARS.get(format, ())
