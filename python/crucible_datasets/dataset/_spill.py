"""Columns that grow block by block: in memory up to the memory budget, in an Arrow file above it."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

from _crucible._native import GrowingFile, StoreLock, Table
from _crucible._settings import settings
from crucible_datasets.store import owned_folder

_numbers = count()
_folders: dict[tuple[int, Path], Path] = {}
_locks: dict[tuple[int, Path], StoreLock] = {}


def process_folder() -> Path:
    """The folder of this process's files, removed when it ends."""
    root = settings().datasets_cache
    key = (os.getpid(), root)
    if key not in _folders or not _folders[key].is_dir():
        _folders[key], _locks[key] = owned_folder(root, "tmp-map-")
        atexit.register(_remove, *key)
    return _folders[key]


def _remove(pid: int, root: Path) -> None:
    if pid == os.getpid():  # a forked child must not remove its parent's files
        folder = _folders.pop((pid, root), None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


class Grower:
    """Tables of the same columns, one after the other.

    Args:
        budget: bytes kept in memory; above them all rows go to a file, which is mapped at the end. None: no limit.
        start: makes that file, of the first table; a temporary one of this process when absent.
    """

    def __init__(self, budget: int | None, start: Callable[[Table], GrowingFile] | None = None) -> None:
        self._budget = budget
        self._start = start or _temporary
        self._parts: list[Table] = []
        self._bytes = 0
        self._file: GrowingFile | None = None

    def add(self, table: Table) -> None:
        """Appends rows."""
        if self._file is not None:
            self._file.write(table)
            return
        self._parts.append(table)
        self._bytes += table.nbytes
        if self._budget is not None and self._bytes > self._budget:
            self._file = self._start(self._parts[0])
            for part in self._parts[1:]:
                self._file.write(part)
            self._parts = []

    @property
    def file(self) -> GrowingFile | None:
        """The file that has all rows, if there is one."""
        return self._file

    def finish(self) -> Table:
        """All rows as one table."""
        return Table.concat(self._parts) if self._file is None else self._file.finish()


def _temporary(table: Table) -> GrowingFile:
    return GrowingFile(process_folder() / f"{next(_numbers):06d}.arrow", table)


class Segment:
    """Neighbouring blocks of which the same columns came unchanged from the source: those are shared, not written.

    Args:
        kept: names of the columns that are shared.
        budget: as for `Grower`.
        start: the same.
    """

    def __init__(
        self, kept: list[str], budget: int | None, start: Callable[[Table], GrowingFile] | None = None
    ) -> None:
        self.kept = kept
        self._shared: list[Table] = []
        self._new = Grower(budget, start)
        self._any = False

    def add(self, shared: Table | None, new: list[Table]) -> None:
        """Appends a block: its shared columns and the others."""
        if shared is not None:
            self._shared.append(shared)
        if new:
            self._new.add(new[0] if len(new) == 1 else Table.side_by_side(new))
            self._any = True

    @property
    def file(self) -> GrowingFile | None:
        """The file that has the columns that are not shared, if there is one."""
        return self._new.file

    def new(self) -> Table | None:
        """The columns that are not shared."""
        return self._new.finish() if self._any else None

    def finish(self) -> Table:
        """All rows as one table; columns in any order."""
        sides = [Table.concat(self._shared)] if self._shared else []
        new = self.new()
        sides += [] if new is None else [new]
        return sides[0] if len(sides) == 1 else Table.side_by_side(sides)
