"""Formats over every kind of feature: rows, batches, columns and iteration, against the official library.

torch, TensorFlow and jax are compared where they are installed.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
from decimal import Decimal
from typing import Any

import datasets as theirs
import numpy as np
import PIL.Image
import pytest

import crucible_datasets as ours

FORMATS = ["numpy", *(name for name in ("torch", "tensorflow", "jax") if importlib.util.find_spec(name) is not None)]


def value(dtype: str) -> dict[str, str]:
    return {"dtype": dtype, "_type": "Value"}


def listed(inner: Any, length: int = -1) -> dict[str, Any]:
    return {"feature": inner, "length": length, "_type": "List"}


UTC = dt.UTC
CASES: dict[str, tuple[list[Any], Any]] = {
    **{name: ([1, 2, 3, 0], value(name)) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    **{name: ([1.5, -2.0, 0.0, 4.25], value(name)) for name in ("float16", "float32", "float64")},
    "int nulls": ([1, None, 3, 4], value("int32")),
    "float nulls": ([1.5, None, 3.0, float("nan")], value("float64")),
    "bool": ([True, False, True, True], value("bool")),
    "bool nulls": ([True, None, False, True], value("bool")),
    "string": (["a", "bcd", "", "é"], value("string")),
    "large_string": (["a", "bcd", "", "é"], value("large_string")),
    "string nulls": (["a", None, "", "é"], value("string")),
    "binary": ([b"a", b"bc", b"", b"\x01"], value("binary")),
    "binary nulls": ([b"a", None, b"", b"\x01"], value("binary")),
    "null": ([None] * 4, value("null")),
    "label": ([0, 1, 1, 0], {"names": ["n", "p"], "_type": "ClassLabel"}),
    "label nulls": ([0, None, 1, 0], {"names": ["n", "p"], "_type": "ClassLabel"}),
    "date32": ([dt.date(2020, 1, k) for k in (1, 2, 3, 4)], value("date32")),
    "date64": ([dt.date(2020, 1, k) for k in (1, 2, 3, 4)], value("date64")),
    "date nulls": ([dt.date(2020, 1, 1), None, dt.date(2020, 1, 3), None], value("date32")),
    "timestamp[s]": ([dt.datetime(2020, 1, k, 2) for k in (1, 2, 3, 4)], value("timestamp[s]")),
    "timestamp[us]": ([dt.datetime(2020, 1, k, 2, 3, 4, 5) for k in (1, 2, 3, 4)], value("timestamp[us]")),
    "timestamp[ns]": ([dt.datetime(2020, 1, k, 2, 3, 4, 5) for k in (1, 2, 3, 4)], value("timestamp[ns]")),
    "timestamp zone": ([dt.datetime(2020, 1, k, tzinfo=UTC) for k in (1, 2, 3, 4)], value("timestamp[us, tz=UTC]")),
    "timestamp nulls": ([dt.datetime(2020, 1, 1), None, dt.datetime(2020, 1, 3), None], value("timestamp[ms]")),
    "duration": ([dt.timedelta(seconds=k) for k in (1, 2, 3, 4)], value("duration[s]")),
    "time32": ([dt.time(k, 1) for k in (1, 2, 3, 4)], value("time32[s]")),
    "time64": ([dt.time(k, 1) for k in (1, 2, 3, 4)], value("time64[us]")),
    "decimal": ([Decimal(k) for k in ("1.25", "2.50", "3.75", "0.00")], value("decimal128(10, 2)")),
    "list int": ([[1, 2], [3, 4], [5, 6], [7, 8]], listed(value("int32"))),
    "list float": ([[1.5, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], listed(value("float64"))),
    "list bool": ([[True, False], [False, True], [True, True], [False, False]], listed(value("bool"))),
    "list uint8": ([[1, 2], [3, 4], [5, 6], [7, 8]], listed(value("uint8"))),
    "list fixed": ([[1, 2], [3, 4], [5, 6], [7, 8]], listed(value("int16"), 2)),
    "list fixed nulls": ([[1, 2], None, [5, 6], [7, 8]], listed(value("int16"), 2)),
    "list ragged": ([[1], [2, 3], [], [4]], listed(value("int64"))),
    "list ragged float": ([[1.5], [2.0, 3.0], [], [4.0]], listed(value("float32"))),
    "list empty": ([[], [], [], []], listed(value("int64"))),
    "list null rows": ([[1, 2], None, [5, 6], [7]], listed(value("int64"))),
    "list null items": ([[1, None], [3, 4], [5, 6], [None, None]], listed(value("int64"))),
    "list float null items": ([[1.0, None], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]], listed(value("float64"))),
    "list bool null items": ([[True, None], [False, True], [True, True], [False, False]], listed(value("bool"))),
    "list string": ([["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]], listed(value("string"))),
    "list string ragged": ([["a"], ["c", "d"], [], ["g", "h"]], listed(value("string"))),
    "list string nulls": ([["a", None], ["c", "d"], ["e", "f"], ["g", "h"]], listed(value("string"))),
    "list binary": ([[b"a", b"b"], [b"c", b"d"], [b"e", b"f"], [b"g", b"h"]], listed(value("binary"))),
    "list label": ([[0, 1], [1, 0], [0, 0], [1, 1]], listed({"names": ["n", "p"], "_type": "ClassLabel"})),
    "list date": ([[dt.date(2020, 1, k)] for k in (1, 2, 3, 4)], listed(value("date32"))),
    "large list": ([[1, 2], [3, 4], [5, 6], [7, 8]], {"feature": value("int64"), "_type": "LargeList"}),
    "list list": ([[[1, 2], [3, 4]]] * 4, listed(listed(value("int32")))),
    "list list ragged": ([[[1], [2, 3]], [[4, 5], [6, 7]], [[8]], []], listed(listed(value("int64")))),
    "list list float": ([[[1.5, 2.5]], [[3.5, 4.5]], [[5.5, 6.5]], [[7.5, 8.5]]], listed(listed(value("float64")))),
    "list list string": ([[["a", "b"]], [["c", "d"]], [["e", "f"]], [["g", "h"]]], listed(listed(value("string")))),
    "struct": ([{"p": k, "q": f"s{k}"} for k in range(4)], {"p": value("int32"), "q": value("string")}),
    "struct float": ([{"p": k / 2, "q": [k, k]} for k in range(4)], {"p": value("float64"), "q": listed(value("int32"))}),
    "struct nulls": ([{"p": 1, "q": "a"}, {"p": None, "q": None}, {"p": 3, "q": "c"}, {"p": 4, "q": "d"}], {"p": value("int64"), "q": value("string")}),
    "struct struct": ([{"a": {"b": k, "c": [k] * k}} for k in range(4)], {"a": {"b": value("int64"), "c": listed(value("float32"))}}),
    "list struct": ([[{"p": k, "q": "x"}] for k in range(4)], listed({"p": value("int64"), "q": value("string")})),
    "list struct ragged": ([[{"p": k / 2}] * k for k in (1, 2, 3, 1)], listed({"p": value("float64")})),
    "messages": ([[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]] * 4, listed({"role": value("string"), "content": value("string")})),
    "array2d": ([[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[1, 1], [2, 2]], [[0, 0], [9, 9]]], {"shape": (2, 2), "dtype": "int32", "_type": "Array2D"}),
    "array2d float": ([np.arange(6).reshape(2, 3) / 4] * 4, {"shape": (2, 3), "dtype": "float64", "_type": "Array2D"}),
    "array2d bool": ([np.eye(2, dtype=bool)] * 4, {"shape": (2, 2), "dtype": "bool", "_type": "Array2D"}),
    "array2d uint8": ([np.full((2, 2), k, np.uint8) for k in range(4)], {"shape": (2, 2), "dtype": "uint8", "_type": "Array2D"}),
    "array2d dynamic": ([np.ones((k, 2), np.int64) for k in (1, 2, 3, 1)], {"shape": (None, 2), "dtype": "int64", "_type": "Array2D"}),
    "array2d nulls": ([[[1, 2], [3, 4]], None, [[1, 1], [2, 2]], [[0, 0], [9, 9]]], {"shape": (2, 2), "dtype": "int32", "_type": "Array2D"}),
    "array3d": ([np.arange(8).reshape(2, 2, 2)] * 4, {"shape": (2, 2, 2), "dtype": "float32", "_type": "Array3D"}),
    "json": ([{"a": 1}, [1, 2], "x", 3], {"_type": "Json"}),
}  # fmt: skip

KEYS = [0, 2, slice(0, 4), slice(1, 3), [3, 0], slice(0, 0)]


def described(found: Any) -> Any:
    """A value with all its types, as text."""
    kind = type(found)
    if isinstance(found, dict):
        return {name: described(inner) for name, inner in found.items()}
    if isinstance(found, list | tuple):
        return [kind.__name__, [described(item) for item in found]]
    if isinstance(found, np.ndarray):
        items = [described(item) for item in found.ravel().tolist()] if found.dtype == object else repr(found.tolist())
        return ["ndarray", str(found.dtype), found.shape, items]
    if kind.__name__ == "RaggedTensor":
        return ["ragged", str(found.dtype), str(found.shape), str(found.row_splits.dtype), repr(found.to_list())]
    if kind.__module__.startswith(("torch", "jax", "tensorflow")):
        array = np.asarray(found)
        return ["tensor", str(found.dtype), tuple(found.shape), repr(array.tolist())]
    return [kind.__name__, repr(found)]


def asked(work: Any) -> Any:
    try:
        return work()
    except Exception as error:  # noqa: BLE001  # it is the result
        return error


def compared(mine: Any, official: Any, work: Any, known: str | None = None) -> None:
    """The same values and types; where the official library fails, ours may succeed."""
    expected = asked(lambda: work(official))
    if isinstance(expected, Exception):
        return
    found = asked(lambda: work(mine))
    assert not isinstance(found, Exception), found
    assert described(found) == described(expected)


def pair_of(name: str) -> tuple[Any, Any]:
    values, spec = CASES[name]
    made = []
    for library in (ours, theirs):
        features = library.Features.from_dict({"c": spec})  # type: ignore[attr-defined]
        made.append(library.Dataset.from_dict({"c": values}, features=features))  # type: ignore[attr-defined]
    return made[0], made[1]


@pytest.mark.parametrize("options", [{}, {"dtype": None}], ids=str)
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore")
def test_format(name: str, kind: str, options: dict[str, Any]) -> None:
    a, b = pair_of(name)
    a, b = a.with_format(kind, **options), b.with_format(kind, **options)
    for key in KEYS:
        compared(a, b, lambda ds, key=key: ds[key])
        if not isinstance(key, slice) or key.start != key.stop:
            compared(a, b, lambda ds, key=key: ds["c"][key])
    compared(a, b, list)
    compared(a, b, lambda ds: list(ds.iter(3)))
    compared(a, b, lambda ds: ds.select([3, 1, 0])[:])
    compared(a, b, lambda ds: ds.select([3, 1, 0])["c"][:])
    compared(a, b, lambda ds: ds.__getitems__([2, 1]))


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "name", ["int64", "float64", "list int", "list float", "list ragged", "array2d", "struct float"]
)
@pytest.mark.filterwarnings("ignore")
def test_dtype(name: str, kind: str, dtype: str) -> None:
    chosen = getattr({"numpy": np}.get(kind) or importlib.import_module("jax.numpy" if kind == "jax" else kind), dtype)
    a, b = (ds.with_format(kind, dtype=chosen) for ds in pair_of(name))
    for key in (0, slice(0, 4)):
        compared(a, b, lambda ds, key=key: ds[key])
    compared(a, b, lambda ds: ds["c"][:])
    compared(a, b, list)


@pytest.mark.parametrize("sizes", [[(3, 2)] * 3, [(3, 2), (4, 2), (3, 2)]], ids=["equal", "unequal"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.filterwarnings("ignore")
def test_images(kind: str, mode: str, sizes: list[tuple[int, int]]) -> None:
    pictures = [PIL.Image.new(mode, size, color=index + 1) for index, size in enumerate(sizes)]
    made = []
    for library in (ours, theirs):
        features = library.Features({"c": library.Image(), "l": library.List(library.Image())})  # type: ignore[attr-defined]
        columns = {"c": pictures, "l": [[picture, picture] for picture in pictures]}
        made.append(library.Dataset.from_dict(columns, features=features).with_format(kind))  # type: ignore[attr-defined]
    for key in (0, slice(0, 3), [2, 0]):
        compared(made[0], made[1], lambda ds, key=key: ds[key])
        compared(made[0], made[1], lambda ds, key=key: ds["c"][key])
    compared(made[0], made[1], list)


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64", "int8", "uint16", "bool"])
def test_numpy_without_a_copy(dtype: str) -> None:
    """A column for numpy, and whole batches of `dtype=None`, are the table's memory where it lies together."""
    ds = ours.Dataset.from_dict({"x": np.arange(100).astype(dtype)}).with_format("numpy", dtype=None)
    array = np.asarray(ds["x"])
    if dtype == "bool":  # bits in Arrow, bytes in numpy
        assert array.dtype == bool
        return
    again = np.asarray(ds.select(range(10, 20))["x"])
    assert np.shares_memory(array, again)
    assert array.dtype == dtype
    assert again.tolist() == array[10:20].tolist()
    batch = ds[10:20]["x"]
    assert batch.flags.writeable
    assert not np.shares_memory(array, batch)


@pytest.mark.skipif("torch" not in FORMATS, reason="torch is not installed")
def test_tensors_are_the_gathered_memory() -> None:
    """Of numbers in the wanted dtype one copy is made (the rows gathered), none for the tensor."""
    import torch

    ds = ours.Dataset.from_dict({"x": np.arange(1000, dtype=np.int64)}).with_format("torch")
    batch = ds[:]["x"]
    assert batch.dtype is torch.int64
    assert batch.numpy().flags.writeable
    batch[0] = 7
    assert ds[0]["x"].item() == 0


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "name", ["int32", "float64", "bool", "string", "list int", "list ragged", "list string", "struct", "array2d"]
)
@pytest.mark.filterwarnings("ignore")
def test_streams(name: str, kind: str) -> None:
    """Rows and batches of a stream, one of them shorter than the others."""
    a, b = (ds.to_iterable_dataset().with_format(kind) for ds in pair_of(name))
    compared(a, b, list)
    compared(a, b, lambda ds: list(ds.iter(3)))
    compared(a, b, lambda ds: list(ds.iter(3, drop_last_batch=True)))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.filterwarnings("ignore")
def test_map_of_shown_values(kind: str) -> None:
    """A function gets and returns what the format shows; it is stored with the same types."""

    def added(row: dict[str, Any]) -> dict[str, Any]:
        return {"d": row["c"] + row["c"], "e": [row["c"], row["c"]]}

    a, b = (ds.with_format(kind).map(added) for ds in pair_of("list int"))
    assert a.features.to_dict() == b.features.to_dict()
    assert a.with_format(None).to_list() == b.with_format(None).to_list()
