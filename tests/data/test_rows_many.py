"""Many values at once: lists of a column's values, distinct ones, and row numbers in bulk."""

from __future__ import annotations

import numpy as np
import pytest

from crucible_datasets import Dataset, Features, Value, concatenate_datasets

TYPES = ["int64", "int32", "int16", "float64", "float32", "bool", "string", "large_string", "binary"]
VALUES = {"bool": [True, None, False], "string": ["a", None, "\u00e4"], "large_string": ["", None, "b" * 300]}


@pytest.mark.parametrize("kind", TYPES)
def test_slices_have_the_values_of_the_rows(kind: str) -> None:
    default = [b"x", None, b"yz"] if kind == "binary" else [1, None, 3]
    values = VALUES.get(kind, default) * 3
    one = Dataset.from_dict({"v": values}, features=Features({"v": Value(kind)}))
    for source in (one, concatenate_datasets([one, one]), one.select([8, 1, 0, 4]), one.select(range(2, 9))):
        rows = [source[index]["v"] for index in range(len(source))]
        for start in range(len(source)):
            for stop in range(start, len(source) + 1):
                assert source[start:stop]["v"] == rows[start:stop]
                assert [type(v) for v in source[start:stop]["v"]] == [type(v) for v in rows[start:stop]]


@pytest.mark.parametrize("kind", ["string", "large_string"])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_distinct_strings_are_in_order_of_appearance(kind: str, seed: int | None) -> None:
    texts = [None if n % 5 == 0 else "\u00e4" * (n % 7) for n in range(500)]
    one = Dataset.from_dict({"v": texts}, features=Features({"v": Value(kind)}))
    source = concatenate_datasets([one, one])
    source = source if seed is None else source.shuffle(seed=seed)
    assert source.unique("v") == list(dict.fromkeys(source["v"][:]))
    assert source.select([]).unique("v") == []


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int32])
def test_row_numbers_in_bulk_are_checked(dtype: type) -> None:
    source = Dataset.from_dict({"v": list(range(10))})
    assert source.select(np.array([9, 0, 9, 4], dtype=dtype))["v"] == [9, 0, 9, 4]
    assert source.select(range(8, -1, -3))["v"] == [8, 5, 2]
    assert source.select(range(2, 9)).select(np.array([6, 0], dtype=dtype))["v"] == [8, 2]
    for bad in ([3, 10], [10], [4, 5, 10]):
        with pytest.raises(IndexError, match="Index 10 out of range for dataset of size 10"):
            source.select(np.array(bad, dtype=dtype))
    with pytest.raises(IndexError):
        source.select(range(0, 20, 5))


def test_an_array_that_changes_later_changes_no_rows() -> None:
    numbers = np.array([3, 1, 2])
    made = Dataset.from_dict({"v": list(range(10))}).select(numbers)
    numbers[:] = 0
    assert made["v"] == [3, 1, 2]
