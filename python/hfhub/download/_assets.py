"""Folders for what other libraries keep beside the hub's files."""

from __future__ import annotations

import os
from pathlib import Path

from _crucible._settings import settings


def cached_assets_path(
    library_name: str,
    namespace: str = "default",
    subfolder: str = "default",
    *,
    assets_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """A folder for a library's own files; it is made if it is not there.

    Args:
        library_name: the library.
        namespace: what the files belong to, for example a dataset.
        subfolder: what kind of files.
        assets_dir: the folder of all of them; `HF_ASSETS_CACHE` when absent.

    Returns:
        `assets_dir/library_name/namespace/subfolder`, with `--` in place of spaces and slashes.

    Raises:
        ValueError: a file is where the folder should be.
    """
    root = Path(assets_dir if assets_dir is not None else settings().assets_cache).expanduser().resolve()
    path = root
    for part in (library_name, namespace, subfolder):
        path /= part.replace(" ", "--").replace("/", "--").replace("\\", "--")
    try:
        path.mkdir(exist_ok=True, parents=True)
    except (FileExistsError, NotADirectoryError) as error:
        msg = f"there is a file where the folder {path} should be"
        raise ValueError(msg) from error
    return path
