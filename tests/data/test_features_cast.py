"""Casts between features, against the official library: the same rows, or an error of the same built-in class."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import datasets as theirs
import pyarrow as pa
import pytest

import crucible_datasets as ours

D = dt.datetime
COLUMNS: dict[str, pa.Array] = {
    "int64": pa.array([1, None, -3]),
    "small ints": pa.array([0, 1, None], pa.int8()),
    "uint64": pa.array([1, 2**63, None], pa.uint64()),
    "large int": pa.array([300, 2**53 + 1]),
    "2^24+1": pa.array([2**24 + 1]),
    "float": pa.array([1.0, None, 2.0]),
    "fractions": pa.array([1.5, -0.25, 1e300, None]),
    "odd floats": pa.array([float("nan"), float("inf"), -0.0]),
    "float shapes": pa.array([0.1, 1e16, 1e-7, 123456789.125, 1e22]),
    "float32": pa.array([1.5, 0.1, 3e38], pa.float32()),
    "float16": pa.array([1.5, 2.0], pa.float16()),
    "bool": pa.array([True, False, None]),
    "strings of ints": pa.array(["1", "-3", None]),
    "strings of floats": pa.array(["1.5", "nan", "2e3"]),
    "strings of bools": pa.array(["true", "false", "0", "1"]),
    "strings of dates": pa.array(["2020-01-01", "1969-12-31"]),
    "strings of times": pa.array(["2020-01-01 03:04:05", "2020-01-01T03:04:05.5"]),
    "strings": pa.array(["x", "", None]),
    "padded": pa.array([" 1", "1 "]),
    "yes": pa.array(["yes", "t"]),
    "large strings": pa.array(["1", None], pa.large_string()),
    "views": pa.array(["1", "a string of more than twelve bytes"], pa.string_view()),
    "dictionary": pa.array(["b", "a", None, "b"]).dictionary_encode(),
    "binary": pa.array([b"ab", None]),
    "not utf8": pa.array([b"\xff"]),
    "fixed binary": pa.array([b"abc", None], pa.binary(3)),
    "date32": pa.array([dt.date(2020, 2, 29), None]),
    "date64": pa.array([dt.date(2020, 2, 29), None], pa.date64()),
    "timestamp us": pa.array([D(2020, 1, 1, 3, 4, 5, 600000), D(1969, 12, 31, 23), None], pa.timestamp("us")),
    "timestamp s": pa.array([D(2020, 1, 1, 3), None], pa.timestamp("s")),
    "timestamp ns": pa.array([1577847845000000001], pa.timestamp("ns")),
    "timestamp tz": pa.array([D(2020, 6, 1, 3)], pa.timestamp("us", "America/New_York")),
    "time32": pa.array([dt.time(1, 2, 3)], pa.time32("s")),
    "time64": pa.array([dt.time(1, 2, 3, 4), None], pa.time64("us")),
    "duration": pa.array([dt.timedelta(seconds=5), None], pa.duration("ms")),
    "decimal": pa.array([Decimal("1.50"), Decimal("-2.00"), None]),
    "whole decimal": pa.array([Decimal("3"), None]),
    "null": pa.nulls(2),
    "list": pa.array([[1, 2], [3, None]]),
    "ragged": pa.array([[1], [2, 3], None, []]),
    "list with null": pa.array([[1, 2], None]),
    "large list": pa.array([[1, 2], None], pa.large_list(pa.int32())),
    "fixed list": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int16(), 2)),
    "lists of strings": pa.array([["a", "b"], ["1", None]]),
    "rectangles": pa.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    "struct a": pa.array([{"a": 1}]),
    "structs": pa.array([[{"a": 1, "b": "x"}], []]),
    "struct of lists": pa.array([{"a": [1], "b": ["x", "y"]}]),
    "struct bytes": pa.array([{"bytes": b"x", "path": "p"}, None]),
    "struct path": pa.array([{"path": "p"}]),
    "struct bytes extra": pa.array([{"bytes": b"x", "n": 1}]),
    "json text": pa.array(['{"a": 1}', "[1, 2]", None]),
}


def targets(d: Any) -> dict[str, Any]:
    """Features to cast to."""
    plain = [
        "int8",
        "int32",
        "int64",
        "uint8",
        "uint64",
        "float32",
        "float64",
        "bool",
        "string",
        "large_string",
        "string_view",
        "binary",
        "large_binary",
        "date32",
        "date64",
        "timestamp[us]",
        "timestamp[s]",
        "time64[us]",
        "duration[us]",
        "null",
        "decimal128(10,2)",
    ]
    return {
        **{dtype: d.Value(dtype.replace(",", ", ")) for dtype in plain},
        "timestamp[ms, tz=UTC]": d.Value("timestamp[ms, tz=UTC]"),
        "labels": d.ClassLabel(names=["0", "1", "a", "b"]),
        "list of int8": d.List(d.Value("int8")),
        "list of strings": d.List(d.Value("string")),
        "large list": d.LargeList(d.Value("int64")),
        "two": d.List(d.Value("int32"), length=2),
        "list of labels": d.List(d.ClassLabel(names=["a", "b", "x"])),
        "struct": {"a": d.Value("float64"), "b": d.Value("string")},
        "turned": {"b": d.Value("large_string"), "c": d.Value("int8"), "a": d.Value("int8")},
        "struct with labels": {"a": d.Value("int64"), "b": d.ClassLabel(names=["x", "y"])},
        "structs": d.List({"b": d.Value("string"), "a": d.Value("int16")}),
        "array": d.Array2D((2, 2), "int32"),
        "image": d.Image(decode=False),
        "audio": d.Audio(decode=False),
        "json": d.Json(),
    }


NUMBERS = ("int8", "int32", "int64", "uint8", "uint64", "float32", "float64", "decimal128(10,2)")
LOCAL = ("string", "large_string", "string_view", "date32", "date64", "time64[us]")
DIFFERENT: set[tuple[str, str]] = {
    *(("padded", target) for target in NUMBERS),  # blanks around a number are taken
    *(("timestamp tz", target) for target in LOCAL),  # local times of a named zone are refused
    *(("strings of times", target) for target in ("date32", "date64")),  # the date of a time is taken
    *(("large strings", target) for target in ("audio",)),  # paths in any kind of string are taken
    *(("views", target) for target in ("image", "audio")),
    # JSON of floats in full, of times as ISO texts, of decimals as numbers, of bytes inside structs as hex
    *(
        (name, "json")
        for name in (
            "odd floats",
            "float32",
            "date32",
            "date64",
            "timestamp us",
            "timestamp s",
            "timestamp ns",
            "timestamp tz",
            "duration",
            "decimal",
            "whole decimal",
            "struct bytes",
            "struct bytes extra",
        )
    ),
}
"""Pairs where the libraries differ; docs/differences.md says how."""


def failure(error: Exception) -> Any:
    """The built-in class of an error, and its own."""
    return {next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins"), type(error)}


def result(column: pa.Array, feature: Any) -> Any:
    """Features and rows after a cast, or the class of the error."""
    try:
        ds = ours.Dataset.from_arrow(pa.table({"c": column})).cast_column("c", feature)
        return ds.features.to_dict(), ds.to_dict()["c"]
    except Exception as error:  # noqa: BLE001  # compared by class
        return failure(error)


def expected(column: pa.Array, feature: Any) -> Any:
    """The same of the official library, by what its `cast` calls for each batch: `cast` itself hashes and writes."""
    try:
        features = theirs.Features({"c": feature})
        table = theirs.table.table_cast(theirs.Dataset(pa.table({"c": column})).data.table, features.arrow_schema)
        ds = theirs.Dataset(theirs.table.InMemoryTable(table), info=theirs.DatasetInfo(features=features))
        return ds.features.to_dict(), ds.to_dict()["c"]
    except Exception as error:  # noqa: BLE001  # compared by class
        return failure(error)


def expected_of_all(column: pa.Array, feature: Any) -> Any:
    """The same by `cast_column`."""
    try:
        ds = theirs.Dataset(pa.table({"c": column})).cast_column("c", feature)
        return ds.features.to_dict(), ds.to_dict()["c"]
    except Exception as error:  # noqa: BLE001  # compared by class
        return failure(error)


@pytest.mark.parametrize("index", range(len(COLUMNS)))
def test_the_oracle_is_cast_column(index: int) -> None:
    """`expected` is what `cast_column` gives: each column with another target."""
    column = list(COLUMNS.values())[index]
    feature = list(targets(theirs).values())[index * 7 % len(targets(theirs))]
    assert repr(expected(column, feature)) == repr(expected_of_all(column, feature))


@pytest.mark.parametrize("target", list(targets(ours)))
def test_casts(target: str) -> None:
    a, b = targets(ours)[target], targets(theirs)[target]
    wrong = []
    for name, column in COLUMNS.items():
        if (name, target) in DIFFERENT:
            continue
        got, wanted = result(column, a), expected(column, b)
        both_fail = isinstance(got, set) and isinstance(wanted, set)
        if not both_fail and repr(got) != repr(wanted):
            wrong.append(f"{name}: {got} != {wanted}")
    assert not wrong, "\n".join(wrong)
