"""Hashes of objects: those that differ have other hashes, whatever Python's equality says."""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
import threading
from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from crucible_datasets import Dataset, Value
from crucible_datasets.fingerprint import (
    Hasher,
)


@dataclasses.dataclass
class Point:
    x: int
    y: list[int] = dataclasses.field(default_factory=list)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def module_function(x: Any) -> Any:
    return x


OBJECTS: list[Any] = [
    None,
    0,
    1,
    1.0,
    True,
    2**100,
    "1",
    b"1",
    (),
    [],
    {},
    set(),
    frozenset(),
    (1,),
    [1],
    {1},
    [[1]],
    [1, [2]],
    {"a": 1},
    {"a": 1.0},
    {"a": [1]},
    {"a": [2]},
    OrderedDict(a=1),
    Counter("aab"),
    range(3),
    slice(1),
    Point(1),
    Point(1, [2]),
    Color.RED,
    Color.BLUE,
    re.compile("a"),
    re.compile("a", re.I),
    functools.partial(module_function, 1),
    functools.partial(module_function, 2),
    len,
    "a".upper,
    "b".upper,
    np.float32(1),
    np.float64(1),
    np.array([1, 2]),
    np.array([1, 2], dtype=np.int32),
    np.array([[1, 2]]),
    np.array([1.0, 2.0]),
    np.array(["a", None], dtype=object),
    np.array(["a", "b"], dtype=object),
    np.zeros(0),
    np.dtype("f4"),
    np.random.default_rng(1),
    np.random.default_rng(2),
    np.add,
    np.subtract,
    np.sum,
    pd.DataFrame({"a": [1]}),
    pd.DataFrame({"a": [2]}),
    pa.table({"a": [1]}),
    pa.table({"a": [2]}),
    pa.int32(),
    Dataset.from_dict({"a": [1]}),
    Dataset.from_dict({"a": [2]}),
    Dataset.from_dict({"b": [1]}),
    Value("int32"),
    Value("int64"),
    Point,
    Color,
    threading.Lock(),
]


def test_objects_differ() -> None:
    found = [Hasher.hash(value) for value in OBJECTS]
    twice = {h: [value for value, one in zip(OBJECTS, found, strict=True) if one == h] for h in found}
    assert [values for values in twice.values() if len(values) > 1] == []
    assert [Hasher.hash(value) for value in OBJECTS] == found
    assert all(re.fullmatch("[0-9a-f]{16}", h) for h in found)


def test_cycles_and_sharing() -> None:
    one: list[Any] = [1]
    one.append(one)
    other: list[Any] = [2]
    other.append(other)
    assert Hasher.hash(one) != Hasher.hash(other)
    shared: list[Any] = [[]]
    assert Hasher.hash([shared, shared]) != Hasher.hash([shared, [[]]])  # a change of one is a change of the other


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.sets(st.integers() | st.text(max_size=2), max_size=3)
    ),
    max_leaves=8,
)


def exact(value: Any) -> str:
    """A text that tells apart what Python's equality does not: 1, 1.0 and True."""
    if isinstance(value, set):
        return f"set({sorted(map(exact, value))})"
    if isinstance(value, dict):
        return f"dict({[(exact(k), exact(v)) for k, v in value.items()]})"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({[exact(item) for item in value]})"
    return f"{type(value).__name__}:{value.hex() if isinstance(value, float) else value!r}"


@given(values, values)
def test_equal_hashes_mean_equal_values(one: Any, other: Any) -> None:
    assert (Hasher.hash(one) == Hasher.hash(other)) == (exact(one) == exact(other))
