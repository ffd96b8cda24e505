"""Files of the hub, of the local disk and of the web, read by position. `HfFileSystem` needs fsspec, the rest does not."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from _crucible._native import RemoteFile
from _crucible._optional import require
from hfhub.fs.base import Files
from hfhub.fs.stream import Chunks, download_stream, open_range
from hfhub.fs.uniform import filesystem, open_file
from hfhub.fs.uri import HfUri, ResolvedPath, parse_hf_uri

if TYPE_CHECKING:
    from hfhub.fs.hffs import HfFileSystem

__all__ = [
    "Chunks",
    "Files",
    "HfFileSystem",
    "HfUri",
    "RemoteFile",
    "ResolvedPath",
    "download_stream",
    "filesystem",
    "install_fsspec",
    "open_file",
    "open_range",
    "parse_hf_uri",
]


def install_fsspec() -> None:
    """Makes fsspec (and so pandas, dask, duckdb, zarr…) read `hf://` through `HfFileSystem`, in this process.

    A call and not an entry point of the package: huggingface_hub has an entry point of the same name, and which of two
    wins is undefined. Filesystems that were made before stay what they are.

    Raises:
        ImportError: fsspec is not installed.
    """
    fsspec = require("fsspec", extra="fs", why="install_fsspec()")
    module = importlib.import_module("hfhub.fs.hffs")
    fsspec.register_implementation("hf", module.HfFileSystem, clobber=True)


def __getattr__(name: str) -> Any:
    """Imports what needs fsspec when it is first used."""
    if name == "HfFileSystem":
        return importlib.import_module("hfhub.fs.hffs").HfFileSystem
    msg = f"module 'hfhub.fs' has no attribute {name!r}"
    raise AttributeError(msg)
