"""The local disk as a filesystem of the uniform API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from hfhub.fs.base import Files, Info, clamped, copy_out


def local_path(path: str) -> Path:
    """The path of a plain name or a `file://` address."""
    if path.startswith("file://"):
        name = unquote(path.removeprefix("file://").removeprefix("localhost"))
        return Path(name.lstrip("/") if os.name == "nt" else name)  # file:///C:/x
    return Path(path).expanduser()


class LocalFiles(Files):
    """Files of the local disk, by path or `file://` address. Names are absolute paths with `/`."""

    protocol = "file"

    def info(self, path: str) -> Info:
        """Facts of a file or folder: `name`, `size`, `type`, `mtime` (seconds since 1970)."""
        found = local_path(path)
        stat = found.stat()
        folder = found.is_dir()
        return {
            "name": found.absolute().as_posix(),
            "size": 0 if folder else stat.st_size,
            "type": "directory" if folder else "file",
            "mtime": stat.st_mtime,
        }

    def entries(self, path: str) -> list[Info]:
        """What is in a folder, by name; a file is its own only entry."""
        found = local_path(path)
        if not found.is_dir():
            return [self.info(path)]
        return [self.info(str(p)) for p in sorted(found.iterdir()) if p.exists()]

    def open_binary(self, path: str, block_size: int | None = None) -> IO[bytes]:
        """The builtin file object."""
        return local_path(path).open("rb", buffering=block_size if block_size and block_size > 1 else -1)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """Bytes `start` to `end` of a file, as Python slices count."""
        found = local_path(path)
        low, high = clamped(start, end, found.stat().st_size)
        with found.open("rb") as file:
            file.seek(low)
            return file.read(high - low)

    def get_file(self, path: str, target: str | Path) -> None:
        """Copies one file."""
        copy_out(str(local_path(path)), Path(target))

    def _named(self, pattern: str) -> str:
        return local_path(pattern).absolute().as_posix()
