"""`to_csv`: the bytes of `datasets`, which are pandas'."""

from __future__ import annotations

import csv
import datetime as dt
import io
import sys
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets as official
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crucible_datasets as ours
from crucible_datasets.io import _csv

D = Decimal
DAY = 86_400
TEXTS = ["", None, "a,b", 'q"q', "n\nl", "r\rr", "\0", "é😀", " x ", "1", "it's", "a;b\tc", "b\\s", "NA", '"', "\r\n"]
FLOATS = [0.0, -0.0, None, 0.1, 1e16, 9999999999999998.0, 1e-5, 1e-4, 5e-324, 1.7976931348623157e308, float("inf"),
          float("-inf"), float("nan"), 1 / 3, 123456789.123456789, 1e22, -2.5, 1e15, 0.125, 2.5, 0.375, 1.005]  # fmt: skip
COLUMNS: dict[str, pa.Array] = {
    "string": pa.array(TEXTS),
    "large": pa.array(TEXTS, pa.large_string()),
    "empty": pa.array(["", "", None]),
    "float64": pa.array(FLOATS),
    "float32": pa.array(FLOATS, pa.float32()),
    "int8": pa.array([1, None, -128, 127], pa.int8()),
    "int64": pa.array([0, 2**63 - 1, -(2**63)]),
    "uint64": pa.array([0, 2**64 - 1, None], pa.uint64()),
    "bool": pa.array([True, None, False]),
    "true": pa.array([True, False]),
    "null": pa.nulls(3),
    "date": pa.array([dt.date(2020, 2, 29), None, dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1969, 12, 31)]),
    "date64": pa.array([0, 86_400_000, -1], pa.date64()),
    "time": pa.array([dt.time(1, 2, 3), dt.time(0, 0, 0, 5), None, dt.time(23, 59, 59, 999999)]),
    "time_s": pa.array([0, 86_399], pa.time32("s")),
    "time_ms": pa.array([5, None], pa.time32("ms")),
    "time_ns": pa.array([5000, 10**9], pa.time64("ns")),
    "decimal": pa.array([D("1.50"), None, D("-0.01"), D("0.00"), D("12345678.90")], pa.decimal128(10, 2)),
    "decimal_small": pa.array([D("1E-10"), D("0"), D("-12.5")], pa.decimal128(30, 10)),
    "decimal_wide": pa.array([D("1.5"), D("-99999999999999999999999999999999999999.25")], pa.decimal256(60, 20)),
    "bytes": pa.array([b"abc", b"a'b", b"a'\"b", b"\x00\xff\n\t\r\\,", None, b""]),
    "fixed_bytes": pa.array([b"ab", b"c,"], pa.binary(2)),
    **{
        f"{name}_{unit}": pa.array(values, kind(unit))
        for unit, one in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9))
        for kind in (
            pa.timestamp,
            pa.duration,
            lambda unit: pa.timestamp(unit, "UTC"),
            lambda unit: pa.timestamp(unit, "-05:30"),
        )
        for name, values in (
            (f"{kind('s')}_days", [0, None, -DAY * one, 365 * DAY * one]),
            (f"{kind('s')}_hours", [0, None, 3600 * one, -5 * one]),
            (f"{kind('s')}_ticks", [0, None, 1, -1, 1_234_567_891]),
            (f"{kind('s')}_none", [None, None]),
        )
    },
    "us_as_ms": pa.array([1000, 1_000_000], pa.timestamp("us")),
    "ns_as_us": pa.array([1_500_000, 2000], pa.timestamp("ns")),
    "paris": pa.array([0, 1_500_000, None], pa.timestamp("us", "Europe/Paris")),
    "far": pa.array([253_402_300_800, -62_135_596_801], pa.timestamp("s")),
    "lists": pa.array([[1, 2], [], None, [None, 3]]),
    "texts": pa.array([["a", None], ["b,'c"]]),
    "structs": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
    "deep": pa.array([[{"a": [1.5]}], []]),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"sep": ";"},
    {"sep": "\t", "na_rep": "NA"},
    {"sep": " "},
    {"sep": "1"},
    {"sep": "-"},
    {"sep": "é"},
    {"sep": "a"},
    {"header": False},
    {"index": True},
    {"index": True, "index_label": "row,number"},
    {"index": True, "sep": "1", "quoting": csv.QUOTE_NONNUMERIC},
    {"na_rep": "null,"},
    {"na_rep": "a text of null that is long: longer than numpy's numbers are"},
    {"quoting": csv.QUOTE_ALL},
    {"quoting": csv.QUOTE_NONNUMERIC},
    {"quoting": csv.QUOTE_NONNUMERIC, "na_rep": "NA"},
    {"quotechar": "'"},
    {"escapechar": "\\"},
    {"doublequote": False, "escapechar": "\\"},
    {"lineterminator": "\r\n"},
    {"lineterminator": "END"},
    {"float_format": "%.2f"},
    {"float_format": "%.10f", "quoting": csv.QUOTE_NONNUMERIC},
    {"float_format": "%.3e"},
    {"decimal": ","},
    {"date_format": "%Y/%m/%d"},
    {"encoding": "utf-16"},
    {"chunksize": 2},
]
NATIVE = {name for name in COLUMNS if name not in {"paris", "far", "lists", "texts", "structs", "deep"}}


def theirs_of(data: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    assert data.to_csv(out, **options) == len(out.getvalue())
    return out.getvalue()


def theirs(table: pa.Table, **options: Any) -> bytes:
    return theirs_of(official.Dataset(table), **options)


def mine(data: ours.Dataset, **options: Any) -> bytes:
    out = io.BytesIO()
    assert data.to_csv(out, **options) == len(out.getvalue())
    return out.getvalue()


def same(table: pa.Table, **options: Any) -> None:
    """Both write the same bytes, or both fail in the same way."""
    try:
        expected = theirs(table, **options)
    except Exception as error:  # noqa: BLE001 - whatever it is, ours is the same
        with pytest.raises(type(error)):
            mine(ours.Dataset.from_arrow(table), **options)
        return
    assert mine(ours.Dataset.from_arrow(table), **options) == expected


@pytest.fixture
def no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        msg = "pandas was asked"
        raise AssertionError(msg)

    monkeypatch.setattr(_csv, "frame", refuse)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type(name: str) -> None:
    array = COLUMNS[name]
    alone = pa.table({name: array})
    beside = pa.table({"first": pa.array(range(len(array))), name: array})
    same(alone)
    same(beside)
    same(beside, na_rep="NA", quoting=csv.QUOTE_NONNUMERIC, index=True)
    same(beside, batch_size=2)


@pytest.mark.parametrize("name", sorted(NATIVE))
@pytest.mark.usefixtures("no_pandas")
def test_plain_types_need_no_pandas(name: str) -> None:
    assert mine(ours.Dataset.from_arrow(pa.table({name: COLUMNS[name]})))


PLAIN = pa.table(
    {
        "a,b": pa.array(TEXTS),
        "f": pa.array((FLOATS * 2)[: len(TEXTS)]),
        "n": pa.array([None if i % 3 == 0 else i for i in range(len(TEXTS))]),
        "t": pa.array([i * 10**6 * 3600 for i in range(len(TEXTS))], pa.timestamp("us")),
        "b": pa.array([i % 2 == 0 for i in range(len(TEXTS))]),
        "f4": pa.array((FLOATS * 2)[: len(TEXTS)], pa.float32()),
        "dec": pa.array([D("1.5")] * len(TEXTS)),
        "by": pa.array([b"x,'\n"] * len(TEXTS)),
    }
)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("batch_size", [None, 3])
def test_options(options: dict[str, Any], batch_size: int | None) -> None:
    same(PLAIN, batch_size=batch_size, **options)
    same(PLAIN.select(["a,b"]), batch_size=batch_size, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"columns": ["n", "a,b"]},
        {"columns": ["n"], "header": ["number"]},
        {"columns": ["n", "missing"]},
        {"header": ["x"]},
        {"header": [f"c{i}" for i in range(len(PLAIN.column_names))]},
        {"quoting": csv.QUOTE_NONE},
        {"quoting": csv.QUOTE_NONE, "escapechar": "\\"},
        {"doublequote": False},
        {"quotechar": "''"},
        {"num_proc": 0},
        {"nonsense": 1},
        {"float_format": "{:.1f}".format},
    ],
    ids=lambda options: ", ".join(f"{name}={'a function' if callable(it) else it!r}" for name, it in options.items()),
)
def test_options_that_choose_or_fail(options: dict[str, Any]) -> None:
    same(PLAIN, **options)


@pytest.mark.parametrize("rows", [0, 1, 2, 999, 1000, 1001, 2500])
def test_sizes_and_orders(rows: int) -> None:
    columns = {"a": list(range(rows)), "t": [f"x{i}" for i in range(rows)], "f": [i / 7 for i in range(rows)]}
    here, there = ours.Dataset.from_dict(columns), official.Dataset.from_dict(columns)
    picked = [(i * 7919) % rows for i in range(rows)]
    for left, right in [
        (here, there),
        (here.select(picked), there.select(picked)),
        (here.with_format("numpy", columns=["a"]), there.with_format("numpy", columns=["a"])),
        (ours.concatenate_datasets([here, here]), official.concatenate_datasets([there, there])),
        (here.select(range(rows // 2)), there.select(range(rows // 2))),
    ]:
        assert mine(left, index=True) == theirs_of(right, index=True)


def test_many_columns_change_how_times_are_written() -> None:
    columns: dict[str, Any] = {f"c{i}": pa.array([0] * 700) for i in range(200)}
    columns["t"] = pa.array([0] * 600 + [1] * 100, pa.timestamp("us"))
    same(pa.table(columns))


def test_arrays_classes_and_media() -> None:
    def made(library: Any) -> Any:
        features = library.Features(
            {
                "x": library.Array2D((2, 2), "int32"),
                "c": library.ClassLabel(names=["n", "y"]),
                "i": library.Image(),
                "j": library.Json(),
            }
        )
        rows = {
            "x": [[[1, 20], [3, 4]], [[0, 0], [0, -1]]],
            "c": [0, 1],
            "i": [{"bytes": b"\x89PNG", "path": None}, None],
            "j": [{"a": [1, "x"]}, None],
        }
        return library.Dataset.from_dict(rows, features=features)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy, about an `__array__` of `datasets`
        expected = theirs_of(made(official))
    assert mine(made(ours)) == expected


def test_paths(tmp_path: Path) -> None:
    here, there = ours.Dataset.from_dict({"a": [1, 2]}), official.Dataset.from_dict({"a": [1, 2]})
    for name in ("a.csv", "new/folder/a.csv", "a.csv.gz"):
        assert here.to_csv(tmp_path / "mine" / name) == there.to_csv(str(tmp_path / "theirs" / name))
        assert (tmp_path / "mine" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()
    assert here.to_csv("memory://mine.csv") == there.to_csv("memory://theirs.csv")
    memory = pytest.importorskip("fsspec").filesystem("memory")
    assert memory.cat("/mine.csv") == memory.cat("/theirs.csv")


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    data = ours.Dataset.from_dict({"a": ['"']})
    with pytest.raises(csv.Error):
        data.to_csv(path, doublequote=False)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_nested_columns_without_pandas_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_csv.*pandas"):
        ours.Dataset.from_dict({"a": [[1]]}).to_csv(io.BytesIO())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.text(max_size=8),
            st.none() | st.floats() | st.floats(width=32),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.binary(max_size=6),
            st.none() | st.integers(-(10**15), 10**15),
            st.none()
            | st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9),
        ),
        max_size=12,
    ),
    st.sampled_from([1, 3, 1000]),
    st.sampled_from(OPTIONS[:22]),
)
def test_generated_rows(rows: list[tuple[Any, ...]], batch_size: int, options: dict[str, Any]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 6
    kinds = [pa.string(), pa.float64(), pa.int64(), pa.binary(), pa.timestamp("us"), pa.decimal128(20, 4)]
    arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
    arrays.append(pa.array(columns[1], pa.float64()).cast(pa.float32(), safe=False))
    arrays.append(pa.array(columns[4], pa.duration("us")))
    same(pa.table(arrays, [f"c{i}" for i in range(len(arrays))]), batch_size=batch_size, **options)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(width=64), min_size=1, max_size=50))
def test_floats_are_pythons(values: list[float]) -> None:
    written = mine(ours.Dataset.from_arrow(pa.table({"a": values})), header=False).decode().splitlines()
    assert written == ['""' if np.isnan(value) else repr(value) for value in values]
