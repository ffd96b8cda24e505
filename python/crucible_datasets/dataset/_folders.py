"""Folders of `save_to_disk` at addresses: of this machine, or of a file system that fsspec knows."""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from _crucible._optional import require
from crucible_datasets.dataset._spill import process_folder
from crucible_datasets.errors import UnsupportedError

_numbers = count()


def is_address(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is of another file system than this machine's."""
    return "://" in os.fspath(path).removeprefix("file://")


def local_folder(path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None) -> Path:
    """A folder of this machine.

    Raises:
        UnsupportedError: options, which only other file systems have.
    """
    text = os.fspath(path).removeprefix("file://")
    if storage_options:
        msg = f"storage_options are for addresses such as s3://bucket/folder; {text!r} is a folder of this machine"
        raise UnsupportedError(msg)
    return Path(text).expanduser().resolve()


@contextmanager
def uploaded(address: str | os.PathLike[str], storage_options: Mapping[str, Any] | None) -> Iterator[Path]:
    """A new folder of this machine; what is in it when the block is done goes to an address.

    Args:
        address: the folder there.
        storage_options: options of its file system.

    Raises:
        ImportError: fsspec, or the package of the file system, is not installed.
    """
    fs, root = _file_system(address, storage_options)
    with tempfile.TemporaryDirectory(prefix="crucible-") as made:
        yield Path(made)
        fs.makedirs(root, exist_ok=True)
        for file in sorted(path for path in Path(made).rglob("*") if path.is_file()):
            target = posixpath.join(root, file.relative_to(made).as_posix())
            fs.makedirs(posixpath.dirname(target), exist_ok=True)
            fs.put_file(str(file), target)


def fetched(address: str | os.PathLike[str], storage_options: Mapping[str, Any] | None) -> Path:
    """A folder of this machine with the files of an address: itself, or a copy that lasts as long as this process.

    Args:
        address: the folder.
        storage_options: options of its file system.

    Raises:
        FileNotFoundError: there is nothing at the address.
        ImportError: fsspec, or the package of the file system, is not installed.
        ValueError: a name of a file leads out of the folder.
    """
    if not is_address(address):
        return local_folder(address, storage_options)
    fs, root = _file_system(address, storage_options)
    files = fs.find(root)
    if not files:
        msg = f"Directory {os.fspath(address)} not found"
        raise FileNotFoundError(msg)
    folder = process_folder() / f"fetched-{next(_numbers):06d}"
    for file in files:
        inside = PurePosixPath(posixpath.relpath(file, root))
        if ".." in inside.parts or inside.is_absolute():
            msg = f"{file!r} leads out of {root!r}"
            raise ValueError(msg)
        target = folder.joinpath(*inside.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        fs.get_file(file, str(target))
    return folder


def _file_system(address: str | os.PathLike[str], storage_options: Mapping[str, Any] | None) -> tuple[Any, str]:
    text = os.fspath(address)
    core = require("fsspec.core", extra="fs", why=f"the folder {text!r}")
    fs, root = core.url_to_fs(text, **(storage_options or {}))
    return fs, str(root)
