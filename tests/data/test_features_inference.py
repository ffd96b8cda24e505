"""Features inferred from Python objects, against the official library."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import datasets as theirs
import numpy as np
import pytest

import crucible_datasets as ours

D, UTC, PLUS2 = dt.datetime, dt.UTC, dt.timezone(dt.timedelta(hours=2))
ARRAYS = {
    f"array {dtype}": np.array([1, 2], dtype)
    for dtype in [
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "bool",
    ]
}
SCALARS = {
    f"scalar {dtype}": [np.dtype(dtype).type(1), None]
    for dtype in [
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "bool",
    ]
}
COLUMNS: dict[str, Any] = {
    **ARRAYS,
    **SCALARS,
    "int32 and int": [np.int32(1), 2],
    "int and int32": [2, np.int32(1)],
    "int8 and int16": [np.int8(1), np.int16(2)],
    "float32 and float64": [np.float32(1), np.float64(1)],
    "float32 and float": [np.float32(1), 1.0],
    "int64 and float32": [np.int64(1), np.float32(1.5)],
    "bool_ and bool": [np.bool_(True), False],
    "large uint64": [np.uint64(2**63 + 1)],
    "datetime64": [np.datetime64("2020-01-01T00:00:01", "us"), np.datetime64("NaT", "us")],
    "datetime64[ns]": [np.datetime64("2020-01-01", "ns")],
    "timedelta64": [np.timedelta64(5, "s"), None],
    "days": np.array(["2020-01-01", "NaT"], "datetime64[D]"),
    "array of durations": np.array([1, 2], "timedelta64[ms]"),
    "array of str": np.array(["a", "bb"]),
    "array of bytes": np.array([b"a", b"bb"]),
    "array of objects": np.array(["a", None], dtype=object),
    "arrays": [np.array([1, 2], np.int32), None, np.array([3], np.int32)],
    "None and array": [None, np.array([1], np.int8)],
    "empty int32 array": [np.array([], np.int32), np.array([1], np.int32)],
    "array 2d": np.zeros((2, 3), np.float32),
    "arrays 2d": [np.zeros((2, 2), np.int8), np.zeros((1, 2), np.int8)],
    "array 5d": np.zeros((1, 2, 1, 2, 3), np.uint8),
    "list of scalars": [[np.int8(1), np.int8(2)], []],
    "list of scalar and int": [[np.int8(1), 2]],
    "dict of array": [{"a": np.array([1], np.int16)}, {"a": None}],
    "dict of array 2d": [{"a": np.zeros((2, 2), np.float32)}],
    "dict of scalar": [{"a": np.float32(1)}],
    "array of datetime64 in list": [[np.datetime64("2020-01-01", "s")]],
    "strings of arrays": [np.array(["a", "b"])],
    "np.str_": [np.str_("a"), "b"],
    "np.bytes_": [np.bytes_(b"a")],
    "int and float": [1, 2.5, None],
    "float and bool": [1.0, True],
    "None": [None, None],
    "empty": [],
    "empty list": [[]],
    "empty list and list": [[], [1]],
    "list of None": [[None]],
    "date and datetime": [dt.date(2020, 1, 1), D(2020, 1, 2, 3)],
    "datetimes": [D(2020, 1, 1), None, D(1960, 1, 1, 1, 1, 1, 1)],
    "zone": [D(2020, 1, 1, tzinfo=PLUS2), None],
    "zones": [D(2020, 1, 1, tzinfo=PLUS2), D(2020, 1, 1, tzinfo=UTC)],
    "zone and none": [D(2020, 1, 1, tzinfo=UTC), D(2020, 1, 1)],
    "none and zone": [D(2020, 1, 1), D(2020, 1, 1, tzinfo=PLUS2)],
    "time": [dt.time(1, 2, 3, 4), None],
    "timedelta": [dt.timedelta(days=-1, microseconds=3), None],
    "decimals": [Decimal("1.5"), Decimal("100"), None],
    "decimal zeros": [Decimal("0.00")],
    "decimal and int": [Decimal("1.5"), 1, None],
    "int and decimal": [1, None, Decimal("1.5")],
    "long decimal": [Decimal("1" * 40), Decimal("-2.5")],
    "decimal with exponent": [Decimal("1E+5")],
    "bytes and str": [b"a", "b", None],
    "str and bytes": ["b", None, b"a"],
    "bytearray": [bytearray(b"a")],
    "memoryview": [memoryview(b"abc")],
    "set": [{1}],
    "tuple": [(1, 2), [3]],
    "dicts": [{"a": 1}, {"b": "x"}, None],
    "empty dict": [{}],
    "mapping": [OrderedDict(a=1)],
    "range": range(3),
    "column as tuple": (1, 2),
    "nan": [float("nan"), 1],
    "nested": [{"a": [{"b": [1.5, None]}]}, {"a": []}],
    "str": "abc",
}
REFUSED: dict[str, Any] = {
    "uint8 and int8": [np.uint8(200), np.int8(-2)],
    "above uint64": [2**64],
    "negative and above int64": [-1, 2**63],
    "int and str": [1, "a"],
    "str and int": ["a", 1],
    "bool and int": [True, 1],
    "int and bool": [1, True],
    "bool and float": [True, 1.0],
    "large int and float": [2**53 + 1, 1.5],
    "float and large int": [1.5, 2**53 + 1],
    "list and int": [[1], 1],
    "dict and int": [{"a": 1}, 1],
    "list and dict": [[1], {"a": 1}],
    "complex": [1j],
    "frozenset": [frozenset([1])],
    "range in list": [range(3)],
    "object": [object()],
    "NaN decimal": [Decimal("NaN")],
    "number as key": [{1: 2}],
    "float and decimal": [1.5, Decimal("1")],
    "surrogate": ["\ud800"],
}


def same(a: Any, b: Any) -> bool:
    return repr(a) == repr(b)


@pytest.mark.parametrize("name", list(COLUMNS))
def test_inferred(name: str) -> None:
    column = COLUMNS[name]
    a, b = ours.Dataset.from_dict({"c": column}), theirs.Dataset.from_dict({"c": column})
    assert repr(a.features) == repr(b.features)
    assert same(a.to_dict(), b.to_dict())
    if len(column) and name != "days":  # the official from_list fails on those scalars
        rows = [{"c": value} for value in column]
        a, b = ours.Dataset.from_list(rows), theirs.Dataset.from_list(rows)
        assert repr(a.features) == repr(b.features)
        assert same(list(a), list(b))


@pytest.mark.parametrize("name", list(REFUSED))
def test_refused(name: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011  # Arrow's own classes
        theirs.Dataset.from_dict({"c": REFUSED[name]})
    with pytest.raises((ValueError, TypeError)):
        ours.Dataset.from_dict({"c": REFUSED[name]})


def test_tensors_are_read_by_their_names() -> None:
    class Dtype:
        def __init__(self, name: str) -> None:
            self.name = name

        def __str__(self) -> str:
            return f"torch.{self.name}"

    class Tensor:
        """What is used of a torch tensor; torch itself is not among the test's packages."""

        def __init__(self, values: Any, dtype: str) -> None:
            self.values, self.dtype = values, Dtype(dtype)

        def tolist(self) -> Any:
            return self.values

    ds = ours.Dataset.from_dict(
        {"c": [Tensor([1, 2], "int32"), Tensor([3], "int32")], "f": [Tensor(0.5, "bfloat16"), None]}
    )
    assert repr(ds.features) == "{'c': List(Value('int32')), 'f': Value('float32')}"
    assert ds[0] == {"c": [1, 2], "f": 0.5}
