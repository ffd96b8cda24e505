"""`filter` and splits against the official library."""

from __future__ import annotations

from typing import Any

import datasets as theirs
import numpy as np
import pyarrow as pa
import pytest

import crucible_datasets as ours
from oracle_pair import ROWS, assert_same, both, pair


@pytest.fixture(scope="module")
def datasets() -> tuple[Any, Any]:
    return pair(ROWS)


FILTERS: list[tuple[Any, dict[str, Any]]] = [
    (lambda r: r["i"] % 2 == 0, {}),
    (lambda r: True, {}),
    (lambda r: False, {}),
    (lambda r: "no", {}),
    (lambda r: None, {}),
    (lambda r: r["l"], {}),
    (lambda r, i: i > 4, {"with_indices": True}),
    (lambda i: i > 4, {"input_columns": "i"}),
    (lambda i, s: i > 4 and s, {"input_columns": ["i", "s"]}),
    (lambda i: i > 4, {"input_columns": "zz"}),
    (lambda b: [i > 4 for i in b["i"]], {"batched": True}),
    (lambda b: np.array(b["i"]) > 4, {"batched": True, "batch_size": 3}),
    (lambda b: pa.array([i > 4 for i in b["i"]]), {"batched": True}),
    (lambda b: [1, 0] * 5 + [1], {"batched": True, "batch_size": None}),
    (lambda b: True, {"batched": True}),
    (lambda r, low: r["i"] > low, {"fn_kwargs": {"low": 3}}),
    (lambda r: r["zz"], {}),
    (lambda r, k: k is None, {"with_rank": True}),
    (None, {}),
]


@pytest.mark.parametrize("case", range(len(FILTERS)))
@pytest.mark.parametrize("shuffled", [False, True])
def test_filter(datasets: tuple[Any, Any], case: int, shuffled: bool) -> None:
    function, arguments = FILTERS[case]
    a, b = datasets
    both(a, b, lambda ds: (ds.shuffle(seed=1) if shuffled else ds).filter(function, **arguments))


def test_filter_copies_nothing(datasets: tuple[Any, Any]) -> None:
    a = datasets[0]
    kept = a.filter(lambda r: r["i"] != 3)
    assert kept.nbytes == a.nbytes
    assert_same(kept.filter(lambda r: r["i"] != 4), datasets[1].filter(lambda r: r["i"] not in {3, 4}))


def test_short_mask(datasets: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="mask of 1 values"):
        datasets[0].filter(lambda b: [True], batched=True)


def test_dict_of_splits(datasets: tuple[Any, Any]) -> None:
    a, b = datasets
    dicts = (
        ours.DatasetDict({"train": a, "test": a.select([2, 1])}),
        theirs.DatasetDict({"train": b, "test": b.select([2, 1])}),
    )
    both(*dicts, lambda dd: dd.map(lambda r: {"x": r["i"]}, remove_columns="m"))
    both(*dicts, lambda dd: dd.map(lambda r, split: {"x": split}, with_split=True))
    both(*dicts, lambda dd: dd.map(lambda r, i, split: {"x": f"{i}{split}"}, with_split=True, with_indices=True))
    both(*dicts, lambda dd: dd.map(lambda r: {"x": r["i"] if r["i"] % 2 else "a"}))
    both(*dicts, lambda dd: dd.filter(lambda r, i: i != 1, with_indices=True))
