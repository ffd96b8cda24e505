"""The same operation on this library and on the official one: both answers, or both exceptions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import datasets as theirs
import numpy as np
import pytest

import crucible_datasets as ours

BUILTIN = (
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    NotImplementedError,
    ValueError,
    AttributeError,
    OSError,
    ArithmeticError,
)

ROWS = [
    {
        "i": k,
        "f": k / 4,
        "s": f"text {k}",
        "n": None if k % 3 == 0 else k,
        "l": list(range(k % 4)),
        "m": [{"role": "user", "content": "x" * k}],
        "o": {"p": k, "q": "y"},
    }
    for k in range(11)
]
"""Rows of every kind of value, for `pair`."""


def pair(data: list[dict[str, Any]] | dict[str, list[Any]], features: dict[str, Any] | None = None) -> tuple[Any, Any]:
    """A dataset of each library over the same data. `features`: their JSON form."""
    made = []
    for library in (ours, theirs):
        declared = None if features is None else library.Features.from_dict(features)
        make = library.Dataset.from_list if isinstance(data, list) else library.Dataset.from_dict
        made.append(make(data, features=declared))
    return made[0], made[1]


def equal(a: Any, b: Any) -> bool:
    """Equality where NaN equals NaN and types of numbers count."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        same = a.dtype == b.dtype and a.shape == b.shape
        return same and equal(a.tolist(), b.tolist())
    return type(a) is type(b) and bool(a == b)


def formatted(dataset: Any) -> dict[str, Any]:
    """The format; the order of its columns means nothing."""
    return {**dataset.format, "columns": sorted(dataset.format["columns"])}


def assert_same(a: Any, b: Any) -> None:
    """Two results of an operation are the same: datasets, dicts of them, or plain values."""
    if isinstance(b, theirs.DatasetDict):
        assert isinstance(a, ours.DatasetDict)
        assert list(a) == list(b)
        for name in b:
            assert_same(a[name], b[name])
        return
    if isinstance(b, theirs.Dataset):
        assert isinstance(a, ours.Dataset), type(a)
        assert a.column_names == b.column_names
        assert a.features.to_dict() == b.features.to_dict()
        assert len(a) == len(b)
        assert formatted(a) == formatted(b)
        x, y = a.with_format(None).to_list(), b.with_format(None).to_list()
        assert equal(x, y), f"{x} != {y}"
        return
    assert equal(a, b), f"{a!r} != {b!r}"


def both(a: Any, b: Any, work: Callable[[Any], Any]) -> None:
    """Does the same with both: the results are the same, or the exceptions are of the same kind."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the oracle's own
            expected = work(b)
    except Exception as error:  # noqa: BLE001  # whatever the oracle raises
        kinds = [kind for kind in BUILTIN if isinstance(error, kind)]
        assert kinds, f"the official library raised {error!r}"
        with pytest.raises(kinds[0]):
            work(a)
        return
    assert_same(work(a), expected)
