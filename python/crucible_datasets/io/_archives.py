"""Archives among the data files: unpacked once, then their files in order."""

from __future__ import annotations

import importlib
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from _crucible.errors import DecodeError
from crucible_datasets.io._files import LocalFile, StorePlace

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")


def is_archive(path: str) -> bool:
    """Whether a file's name says zip or tar."""
    return path.endswith(_ARCHIVES)


def unpacked(files: Sequence[LocalFile], store: StorePlace) -> list[LocalFile]:
    """The files, with those in zip and tar archives in the archives' places.

    Args:
        files: in order.
        store: archives are unpacked in its folder `extracted`, each content once.

    Raises:
        ArchiveError: a broken or unsafe archive.
    """
    out: list[LocalFile] = []
    for file in files:
        if not is_archive(file.path):
            out.append(file)
            continue
        # Late: few data files are archives.
        extract_archive = importlib.import_module("hfhub.cache").extract_archive
        folder = Path(extract_archive(file.path, cache_dir=store.folder / "extracted"))
        found = [os.path.relpath(path, folder) for path in _walk(folder)]
        out += [LocalFile(str(folder / path), f"{file.content}!{path}") for path in found]
    return out


def _walk(folder: Path) -> list[str]:
    """Files in sorted order, those of a folder before those of its folders; hidden names and `__` names left out."""
    out: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        out += [os.path.join(parent, name) for name in sorted(names) if not name.startswith((".", "__"))]  # noqa: PTH118
    return out


def members(path: str) -> list[str]:
    """Names of the files of a zip archive.

    Raises:
        DecodeError: it is no zip archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError) as error:
        msg = f"{path} is no zip archive: {error}"
        raise DecodeError(msg) from error
