"""What streams keep in a cache: `<repository>/streams/<hash>/`.

`*.blocks` are what `load_dataset(..., streaming=True, cache=True)` read, `file.end` is the footer of a Parquet file; `*.incomplete`
was left by a process that was killed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path


def segments(cache: Path) -> dict[Path, int]:
    """The files with their bytes on disk, which are fewer than their lengths where there are holes."""
    found: dict[Path, int] = {}
    for path in cache.glob("*/streams/*/*"):
        if path.suffix not in (".blocks", ".end", ".incomplete"):
            continue
        with contextlib.suppress(OSError):  # a stream may remove it meanwhile
            facts = path.lstat()
            found[path] = min(facts.st_size, getattr(facts, "st_blocks", facts.st_size) * 512)
    return found


def remove(paths: dict[Path, int]) -> dict[Path, int]:
    """Removes files and the folders that are empty then. A stream that reads them asks the hub again."""
    gone = {}
    for path, size in paths.items():
        with contextlib.suppress(OSError):
            path.unlink()
            gone[path] = size
            path.parent.rmdir()
            path.parent.parent.rmdir()
    return gone
