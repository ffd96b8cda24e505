"""Sorting, splitting and putting together, against the official library."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import crucible_datasets as ours
from oracle_pair import both, pair
from small_tables import LABELS, library, rows

# ------------------------------------------------------------------------------------------------------------ sort

SORTABLE: dict[str, list[Any]] = {
    "ints": [3, None, 1, 2, None, 1],
    "small": [3, -1, 1, 2, 0, 1],
    "floats": [1.5, float("nan"), None, -0.0, 0.0, float("-inf")],
    "text": ["b", "", None, "é", "B", "a"],
    "bools": [True, None, False, True, False, None],
    "dates": [dt.date(2020, 1, k) for k in (3, 1, 2, 2, 9, 1)],
    "times": [dt.datetime(2020, 1, k) for k in (3, 1, 2, 2, 9, 1)],
    "decimals": [Decimal("1.5"), None, Decimal("-2.25"), Decimal(10), Decimal(0), Decimal("1.5")],
    "bytes": [b"b", b"", None, b"\xff", b"a", b"b"],
    "nulls": [None] * 6,
    "lists": [[1], [0], [], [2], [3], [1]],
    "structs": [{"a": k % 3, "b": f"x{-k}"} for k in range(6)],
}


@pytest.mark.parametrize("name", SORTABLE)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("place", ["at_end", "at_start"])
def test_sort(name: str, reverse: bool, place: str) -> None:
    a, b = pair({name: SORTABLE[name], "row": list(range(6))})
    both(a, b, lambda ds: ds.sort(name, reverse=reverse, null_placement=place))
    both(a, b, lambda ds: ds.select([5, 3, 1, 4]).sort(name, reverse=reverse, null_placement=place))


@pytest.mark.parametrize("arguments", [
    (["s", "i"],), (["s", "i"], [True, False]), (["s", "i"], [False, True]), (["s", "f"], True), (["s"], [True, False]),
    ("zz",), ([],), (["i", "i"],), ("i", False, "last"), ("i", False, "first"), ("i", False, "nowhere"), (("s", "i"),),
])  # fmt: skip
def test_sort_arguments(arguments: tuple[Any, ...]) -> None:
    a, b = pair(rows(9))
    both(a, b, lambda ds: ds.sort(*arguments))
    both(a, b, lambda ds: ds.shuffle(seed=1).sort(*arguments))


def test_sort_random() -> None:
    draw = np.random.default_rng(7)
    a, b = pair(
        {"x": draw.integers(0, 50, 500).tolist(), "y": draw.random(500).round(1).tolist(), "row": list(range(500))}
    )
    for keys in ("x", "y", ["x", "y"], ["y", "x"]):
        for reverse in (False, True):
            both(a, b, lambda ds, k=keys, r=reverse: ds.sort(k, r)["row"][:])


def test_sort_copies_nothing() -> None:
    a, _ = pair(rows(9))
    assert a.sort("s").nbytes == a.nbytes
    assert a.sort("i")._table.is_range


# ----------------------------------------------------------------------------------------------- train_test_split

SIZES: list[dict[str, Any]] = [
    {}, {"test_size": 0.2}, {"train_size": 0.33}, {"test_size": 7}, {"train_size": 7}, {"test_size": 0.001},
    {"test_size": 0.1, "train_size": 0.1}, {"test_size": 10, "train_size": 5}, {"test_size": 0.7, "train_size": 0.7},
    {"test_size": 0}, {"test_size": 1.0}, {"test_size": 100}, {"test_size": True}, {"test_size": np.float64(0.3)},
    {"test_size": np.int64(20)}, {"test_size": -0.2}, {"test_size": 60, "train_size": 60}, {"train_size": 0.001},
    {"test_size": "x"},
]  # fmt: skip


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("shuffle", [True, False])
def test_split_sizes(sizes: dict[str, Any], shuffle: bool) -> None:
    a, b = pair({"i": list(range(100))})
    both(a, b, lambda ds: ds.train_test_split(shuffle=shuffle, seed=42, **sizes))


@pytest.mark.parametrize("seed", [0, 1, 42, 12345])
@pytest.mark.parametrize("size", [3, 10, 101])
def test_split_seeds(seed: int, size: int) -> None:
    a, b = pair({"i": list(range(size))})
    both(a, b, lambda ds: ds.train_test_split(seed=seed))
    both(a, b, lambda ds: ds.shuffle(seed=3).train_test_split(generator=np.random.default_rng(seed)))

    def by_global_state(ds: Any) -> Any:
        np.random.seed(seed)
        return ds.train_test_split()

    both(a, b, by_global_state)


@pytest.mark.parametrize("seed", [0, 42, 7])
@pytest.mark.parametrize(
    "sizes", [{"test_size": 0.2}, {"test_size": 0.13}, {"test_size": 9, "train_size": 20}, {"test_size": 2}]
)
@pytest.mark.parametrize("counts", [(50, 30, 20), (10, 80, 10), (3, 2, 4), (98, 1, 1)])
def test_split_stratified(seed: int, sizes: dict[str, Any], counts: tuple[int, ...]) -> None:
    labels = [k for k, n in enumerate(counts) for _ in range(n)]
    a, b = pair({"l": labels, "t": [str(i) for i in range(len(labels))]}, LABELS)
    both(a, b, lambda ds: ds.train_test_split(stratify_by_column="l", seed=seed, **sizes))
    both(a, b, lambda ds: ds.shuffle(seed=5).train_test_split(stratify_by_column="l", seed=seed, **sizes))


def test_split_wrong_columns() -> None:
    a, b = pair({"l": [0, 1] * 5, "t": ["x"] * 10}, LABELS)
    for column in ("t", "zz"):
        both(a, b, lambda ds, column=column: ds.train_test_split(stratify_by_column=column))
    both(a, b, lambda ds: ds.train_test_split(stratify_by_column="l", shuffle=False))
    both(*pair({"i": []}), lambda ds: ds.train_test_split())


# -------------------------------------------------------------------------------------- concatenate and interleave


def parts(ds: Any) -> Any:
    return library(ds).Dataset.from_list


JOINS: dict[str, Callable[[Any], list[Any]]] = {
    "same": lambda make: [make(rows(3)), make(rows(2))],
    "one": lambda make: [make(rows(3))],
    "empty list": lambda make: [],
    "with empty": lambda make: [make(rows(3)), make(rows(2)).select([]), make(rows(1))],
    "other order": lambda make: [make([{"a": 1, "b": "x"}]), make([{"b": "y", "a": 2}])],
    "missing": lambda make: [make([{"a": 1, "b": "x"}]), make([{"b": "y"}])],
    "new": lambda make: [make([{"a": 1}]), make([{"b": "y", "a": 3}])],
    "disjoint": lambda make: [make([{"a": 1}]), make([{"b": 1}])],
    "other type": lambda make: [make([{"a": 1}]), make([{"a": "x"}])],
    "int and float": lambda make: [make([{"a": 1}]), make([{"a": 1.5}])],
    "null": lambda make: [make([{"a": None}]), make([{"a": 1}])],
    "null after": lambda make: [make([{"a": 1}]), make([{"a": None}])],
    "null list": lambda make: [make([{"a": []}]), make([{"a": [1]}])],
    "struct fields": lambda make: [make([{"a": {"x": 1, "y": None}}]), make([{"a": {"x": 1, "y": "s"}}])],
    "selected": lambda make: [make(rows(5)).select([4, 0, 2]), make(rows(4)), make(rows(6)).shuffle(seed=1)],
    "slices": lambda make: [make(rows(5)).select(range(1, 4)), make(rows(4)).select(range(2, 4))],
    "self twice": lambda make: [(ds := make(rows(4)).shuffle(seed=2)), ds],
    "not a dataset": lambda make: [make(rows(2)), 5],
}  # fmt: skip


@pytest.mark.parametrize("name", JOINS)
def test_concatenate(name: str) -> None:
    a, b = pair(rows(1))
    both(a, b, lambda ds: library(ds).concatenate_datasets(JOINS[name](library(ds).Dataset.from_list)))


SIDES: dict[str, Callable[[Any], list[Any]]] = {
    "two": lambda make: [make([{"a": 1}, {"a": 2}]), make([{"b": "x"}, {"b": "y"}])],
    "selected": lambda make: [make([{"a": k} for k in range(5)]).select([3, 1]), make([{"b": k} for k in range(2)])],
    "both selected": lambda make: [make([{"a": k} for k in range(5)]).shuffle(seed=1), make([{"b": k} for k in range(5)]).sort("b", reverse=True)],
    "lengths": lambda make: [make([{"a": 1}]), make([{"b": 1}, {"b": 2}])],
    "double": lambda make: [make([{"a": 1}]), make([{"a": 1}])],
}  # fmt: skip


@pytest.mark.parametrize("name", SIDES)
def test_side_by_side(name: str) -> None:
    a, b = pair(rows(1))
    both(a, b, lambda ds: library(ds).concatenate_datasets(SIDES[name](library(ds).Dataset.from_list), axis=1))


def test_concatenate_keeps() -> None:
    a, b = pair(rows(9))
    both(a, b, lambda ds: library(ds).concatenate_datasets([ds.with_format("numpy"), ds.with_format("numpy")]))
    both(a, b, lambda ds: library(ds).concatenate_datasets([ds.with_format("numpy"), ds]))
    joined = ours.concatenate_datasets([a, a], split="x", info=ours.DatasetInfo(description="d"))
    assert (joined.split, joined.info.description) == ("x", "d")
    shuffled = a.shuffle(seed=1)
    assert ours.concatenate_datasets([shuffled, shuffled]).nbytes == a.nbytes


STRATEGIES = ["first_exhausted", "all_exhausted", "all_exhausted_without_replacement", "nonsense"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "chances", [None, [0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [1.0, 0.0, 0.0], [0.5, 0.5], [0.5, 0.6, 0.2]]
)
@pytest.mark.parametrize("lengths", [(3, 4, 5), (1, 1, 1), (40, 7, 300)])
def test_interleave(strategy: str, chances: list[float] | None, lengths: tuple[int, ...]) -> None:
    if strategy.endswith("replacement") and chances and 0.0 in chances:
        pytest.skip("the official library never ends there")
    a, b = pair(rows(1))
    starts = (0, 1000, 2000)

    def work(ds: Any) -> Any:
        make = library(ds).Dataset.from_dict
        sources = [make({"i": list(range(s, s + n))}) for s, n in zip(starts, lengths, strict=True)]
        return library(ds).interleave_datasets(sources, probabilities=chances, seed=42, stopping_strategy=strategy)

    both(a, b, work)


@pytest.mark.parametrize("strategy", STRATEGIES[:3])
@pytest.mark.parametrize("chances", [None, [0.5, 0.5]])
def test_interleave_with_empty(strategy: str, chances: list[float] | None) -> None:
    if strategy.endswith("replacement") and chances:
        pytest.skip("checked below")
    a, b = pair(rows(1))

    def work(ds: Any) -> Any:
        make = library(ds).Dataset.from_dict
        sources = [make({"i": [1, 2, 3]}), make({"i": [5]}).select([])]
        return library(ds).interleave_datasets(sources, probabilities=chances, seed=1, stopping_strategy=strategy)

    both(a, b, work)


def test_interleave_never_ending() -> None:
    one = ours.Dataset.from_dict({"i": [1]})
    with pytest.raises(ValueError, match="never exhausted"):
        ours.interleave_datasets([one, one], [1.0, 0.0], seed=0, stopping_strategy="all_exhausted_without_replacement")
    with pytest.raises(ValueError, match="split"):
        ours.interleave_datasets([ours.DatasetDict({"train": one})])  # type: ignore[list-item]


def test_interleave_long() -> None:
    a, b = pair(rows(1))

    def work(ds: Any) -> Any:
        make = library(ds).Dataset.from_dict
        sources = [make({"i": list(range(1000 * s, 1000 * s + 1000))}) for s in range(3)]
        arguments = {"probabilities": [0.5, 0.3, 0.2], "seed": 42}
        return [
            library(ds).interleave_datasets(sources, stopping_strategy=s, **arguments)["i"][:] for s in STRATEGIES[:3]
        ]

    both(a, b, work)
