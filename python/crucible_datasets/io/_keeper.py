"""Tables that come piece by piece, as one: on the heap up to the memory budget, in the store's file above it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from _crucible._native import GrowingFile, Table
from _crucible._settings import settings
from crucible_datasets.store import clean_store


def kept(tables: Iterator[Table], path: Path, keep_in_memory: bool | None, cache_dir: str) -> Table:
    """One table of many. The file appears when all were written.

    Args:
        tables: one or more, of equal columns.
        path: the file, in the store.
        keep_in_memory: True never writes it, False always does, None goes by the memory budget.
        cache_dir: whose store is cleaned where there is a limit.
    """
    budget = 0 if keep_in_memory is False else settings().memory_budget
    held: list[Table] = []
    size = 0
    for table in tables:
        held.append(table)
        size += table.nbytes
        if keep_in_memory or size <= budget:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        file = GrowingFile(str(path), held[0])
        for one in held[1:]:
            file.write(one)
        held.clear()
        for one in tables:
            file.write(one)
        made = file.finish()
        if settings().store_limit is not None:
            clean_store(cache_dir=cache_dir, keep={path})
        return made
    return held[0] if len(held) == 1 else Table.concat(held)
