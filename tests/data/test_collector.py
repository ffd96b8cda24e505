"""Python's garbage collector is paused while many objects are made, and goes on as it was."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import crucible_datasets

MAKERS: dict[str, Any] = {
    "rows": lambda ds: ds.to_list(),
    "columns": lambda ds: ds.to_dict(),
    "slice": lambda ds: ds[:],
    "column": lambda ds: ds["l"][:],
    "shuffled": lambda ds: ds.shuffle(seed=1)[:],
}


@pytest.fixture(scope="module")
def dataset() -> Any:
    return crucible_datasets.Dataset.from_dict({"l": [[{"a": i}] for i in range(40_000)]})


@pytest.mark.parametrize("name", MAKERS)
def test_no_collection_while_rows_are_made(dataset: Any, name: str) -> None:
    MAKERS[name](dataset.select(range(10)))  # what is made once
    seen: list[int] = []
    gc.callbacks.append(lambda phase, info: seen.append(info["generation"]) if phase == "start" else None)
    try:
        made = MAKERS[name](dataset)
    finally:
        gc.callbacks.pop()
    assert len(made) in (1, 40_000)
    assert len(seen) < 5  # forty thousand lists and dicts ask for more than a hundred
    assert gc.isenabled()


@pytest.mark.parametrize("enabled", [True, False])
def test_it_stays_as_it_was(dataset: Any, enabled: bool) -> None:
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        dataset[:5]
        with pytest.raises(IndexError):
            dataset._table.rows(0, 1 << 40)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()
