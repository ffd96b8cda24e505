"""Where written bytes go: a path, compressed or not, another file system, or a file object."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from _crucible._optional import require
from crucible_datasets.errors import UnsupportedError

Output = str | bytes | os.PathLike[str] | BinaryIO
"""A path, an address that fsspec knows, or an open binary file."""

_SUFFIXES = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".lzma": "lzma"}
_OTHER_SUFFIXES = (".zip", ".zst", ".lz4", ".snappy")
_PACKERS: dict[str, Callable[[Any], Any]] = {
    "gzip": lambda out: gzip.GzipFile(fileobj=out, mode="wb"),
    "bz2": lambda out: bz2.BZ2File(out, "wb"),
    "xz": lambda out: lzma.LZMAFile(out, "wb"),  # noqa: SIM115 - `opened` closes it
    "lzma": lambda out: lzma.LZMAFile(out, "wb"),  # noqa: SIM115 - `opened` closes it
}


def is_path(target: Output) -> bool:
    """Whether something names a file, and is not an open one."""
    return isinstance(target, str | bytes | os.PathLike)


def inferred_compression(target: Output) -> str | None:
    """The compression that the suffix of a path says.

    Raises:
        UnsupportedError: a suffix of a compression that is not written.
    """
    name = os.fsdecode(target).lower() if isinstance(target, str | bytes | os.PathLike) else ""
    if name.endswith(_OTHER_SUFFIXES):
        msg = f"{name!r} would have to be compressed in a way that is not written: use .gz, .bz2 or .xz, or compression=None"
        raise UnsupportedError(msg)
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


@contextmanager
def opened(
    target: Output, compression: str | None = None, storage_options: Mapping[str, Any] | None = None
) -> Iterator[IO[bytes]]:
    """A file to write bytes to. A local one appears under its name only when the block is done.

    Args:
        target: a path (missing folders are made), an address that fsspec knows, or an open binary file (left open).
        compression: "gzip", "bz2" or "xz"; not for open files.
        storage_options: options of the file system of an address.

    Raises:
        ImportError: an address, and fsspec is not installed.
        OSError: the file cannot be written.
    """
    if not isinstance(target, str | bytes | os.PathLike):
        yield target
        return
    text = os.fsdecode(target)
    local = text.removeprefix("file://")
    if "://" in local or "::" in local:
        fsspec = require("fsspec", extra="fs", why=f"writing to {text!r}")
        with fsspec.open(text, "wb", compression=compression, **(storage_options or {})) as out:
            yield out
        return
    with _local(Path(local).expanduser()) as raw:
        if compression is None:
            yield raw
        else:
            with _PACKERS[compression](raw) as packed:
                yield packed


@contextmanager
def _local(path: Path) -> Iterator[IO[bytes]]:
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():  # a pipe or a device; a folder is an error
        with path.open("wb") as out:
            yield out
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as out:
            yield out
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def by_path(write: Callable[[Path], None], target: Output, storage_options: Mapping[str, Any] | None = None) -> None:
    """Lets a function that writes a file under a name write to any output.

    Args:
        write: gets a path of this machine, whose folder exists.
        target: as `opened`.
        storage_options: as `opened`.
    """
    if isinstance(target, str | bytes | os.PathLike):
        local = os.fsdecode(target).removeprefix("file://")
        if "://" not in local and "::" not in local:
            path = Path(os.path.realpath(Path(local).expanduser()))
            if not path.exists() or path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path)
                return
    with tempfile.TemporaryDirectory(prefix="crucible-") as folder:
        path = Path(folder) / "written"
        write(path)
        with path.open("rb") as made, opened(target, storage_options=storage_options) as out:
            shutil.copyfileobj(made, out, 1 << 20)
