"""Dicts that are None among others: pandas shows the numbers of the others as integers, as `datasets` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import datasets as official
import numpy as np
import pytest

import crucible_datasets as ours

ROWS: dict[str, list[Any]] = {
    "none first": [None, {"x": 1}],
    "none last": [{"x": 1}, None],
    "wide": [{"x": 2**60 + 1}, None],
    "flags": [{"x": True}, None],
    "nested": [{"x": 1, "y": {"z": 2}}, None, {"x": 1, "y": None}],
    "of lists": [[{"x": 1}, None], None],
    "lists": [{"x": [1, 2]}, None],
    "null numbers": [{"x": 1}, {"x": None}, None],
    "missing": [{"x": 1}, {"y": 2}, None],
    "others": [{"f": 1.5, "s": "a", "b": b"c"}, None],
    "none": [None, None],
}

WAYS: dict[str, Callable[[Any], Any]] = {
    "pandas": lambda d: d.to_pandas()["a"],
    "format": lambda d: d.with_format("pandas")[:]["a"],
    "stream": lambda d: d.to_iterable_dataset().to_pandas()["a"],
    "generated": lambda d: type(d).from_generator(lambda: iter(list(d))).to_pandas()["a"],
    "kept": lambda d: d.map(lambda row: {"k": 1}).to_pandas()["a"],
    "taken": lambda d: d.select(range(len(d))).to_pandas()["a"],
    "numpy": lambda d: d.with_format("numpy")[:]["a"],
    "rows": lambda d: d[:]["a"],
    "flat": lambda d: d.flatten().to_dict().items(),
    "arrow": lambda d: d.with_format("arrow")[:]["a"].to_pylist(),
}


def typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: typed(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
        return [typed(inner) for inner in value]
    return type(value).__name__, repr(value)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", ROWS)
def test_numbers_beside_dicts_that_are_none(rows: str, way: str) -> None:
    official.disable_progress_bars()
    found = []
    for library in (official, ours):
        made = library.Dataset.from_list([{"a": value} for value in ROWS[rows]])
        found.append([typed(value) for value in WAYS[way](made)])
    assert found[1] == found[0]


def test_numbers_that_a_function_gives_are_exact() -> None:
    """`datasets` casts such columns, and gives floats then."""
    made = ours.Dataset.from_list([{"a": value} for value in ROWS["wide"]]).map(lambda row: {"b": row["a"]})
    assert [typed(made.to_pandas()[name][0]) for name in "ab"] == [typed(ROWS["wide"][0])] * 2


def test_dicts_that_are_none_stay_none(tmp_path: Any) -> None:
    """Whatever lies below them: in files, sorted, and as the rows that a fingerprint is made of."""
    rows = [{"a": None, "k": 2}, {"a": {"x": 0}, "k": 1}, {"a": {"x": None}, "k": 0}]
    made = ours.Dataset.from_list(rows)
    made.to_parquet(str(tmp_path / "a.parquet"))
    made.to_json(str(tmp_path / "a.jsonl"))
    for path, kind in (("a.parquet", ours.Dataset.from_parquet), ("a.jsonl", ours.Dataset.from_json)):
        assert list(kind(str(tmp_path / path), cache_dir=str(tmp_path / "cache"))) == rows
    assert list(made.sort("k")) == rows[::-1]
    assert list(ours.concatenate_datasets([made, made]).select([3, 1, 5])) == rows
    assert made.flatten()["a.x"][:] == [None, 0, None]
