"""`to_json`: the bytes of `datasets`, which are pandas'."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import lzma
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets as official
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crucible_datasets as ours
from crucible_datasets.io import _json_out

D = Decimal
TEXTS = ["", None, "a/b", 'q"q\\', "n\n\r\t\b\f", "\0\x1f\x7f\x80", "é😀\ud7ff\uffff", "<&>'\u2028", "},{"]
FLOATS = [1.0, None, 0.1, 1e16, 1.1e16, 1e15, 1e-5, 1e-11, 1.5e-10, float("inf"), float("nan"), -0.0, 1e22, 5e-324, 1 / 3,
          -2 / 3, 1e-15, 9.99e-16, 0.30000000000000004, 1e300, 123456789.123456789, 0.99999999999, 0.00000000005,
          12345678901234.5678, 1.00000000005, 2.5, 0.5]  # fmt: skip
NESTED_TIMES = {
    f"{where}_{kind('s')}_{unit}": pa.array(values(base), wrap(kind(unit)))
    for unit, base in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9))
    for kind in (pa.timestamp, pa.duration, lambda unit: pa.timestamp(unit, "Europe/Paris"))
    for where, wrap, values in (
        ("plain", lambda kind: kind, lambda one: [0, None, 1_600_000_000, -1, 15 * one, -1501]),
        ("list", pa.list_, lambda one: [[0, None, 1_600_000_000, -1], [], None, [15 * one, -1501]]),
        (
            "struct",
            lambda kind: pa.struct([("x", kind)]),
            lambda one: [{"x": 0}, {"x": None}, None, {"x": -1}, {"x": 15 * one}],
        ),
        (
            "deep",
            lambda kind: pa.list_(pa.struct([("x", pa.list_(kind))])),
            lambda one: [[{"x": [0, None, 15 * one]}], None],
        ),
    )
}
COLUMNS: dict[str, pa.Array] = {
    "string": pa.array(TEXTS),
    "large": pa.array(TEXTS, pa.large_string()),
    "float64": pa.array(FLOATS),
    "float32": pa.array(FLOATS, pa.float32()),
    "float16": pa.array([1.0, 0.1, None, 65504.0], pa.float16()),
    "int8": pa.array([1, None, -128], pa.int8()),
    "int64": pa.array([0, 2**63 - 1, -(2**63)]),
    "uint64": pa.array([0, 2**64 - 1, None], pa.uint64()),
    "bool": pa.array([True, None, False]),
    "null": pa.nulls(3),
    "date": pa.array([dt.date(2020, 2, 29), None, dt.date(1700, 1, 1), dt.date(2262, 1, 1)]),
    "far": pa.array([dt.date(1, 1, 1)]),
    "date64": pa.array([0, 86_400_000, -1], pa.date64()),
    "time": pa.array([dt.time(1, 2, 3), dt.time(0, 0, 0, 5), None]),
    "time_ms": pa.array([5, None], pa.time32("ms")),
    "decimal": pa.array([D("1.50"), None, D("-0.01"), D("0.00")], pa.decimal128(10, 2)),
    "decimal_small": pa.array([D("1E-10"), D("0")], pa.decimal128(30, 10)),
    "decimal_wide": pa.array([D("-1.5")], pa.decimal256(60, 20)),
    "bytes": pa.array([b"abc", None, 'é"/'.encode(), b"\0"]),
    "not_text": pa.array([b"\xff"]),
    "fixed_bytes": pa.array([b"ab"], pa.binary(2)),
    "ints": pa.array([[1, 2], None, [], [1, None]]),
    "floats": pa.array([[1.5, None, float("nan"), 1e22], [0.1]]),
    "floats32": pa.array([[0.1]], pa.list_(pa.float32())),
    "bools": pa.array([[True, None], [False]]),
    "texts": pa.array([["a/", None], []]),
    "lists": pa.array([[[1, 2], [3]], [None, []], None]),
    "large_list": pa.array([[1, None]], pa.large_list(pa.int64())),
    "fixed_list": pa.array([[1, 2], None, [3, None]], pa.list_(pa.int64(), 2)),
    "struct": pa.array([{"x": 1, "y/é": "a"}, None, {"x": None, "y/é": None}]),
    "deep": pa.array([[{"x": 1, "y": [b"a", None], "z": {"u": D("1.5"), "v": dt.date(2020, 1, 1)}}, None], []]),
    "empty_struct": pa.array([{}], pa.struct([])),
    "nulls": pa.array([[None], None], pa.list_(pa.null())),
    **NESTED_TIMES,
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"force_ascii": False},
    {"double_precision": 15},
    {"double_precision": 1},
    {"double_precision": 0},
    {"date_unit": "s"},
    {"date_unit": "us"},
    {"date_unit": "ns"},
    {"date_format": "iso"},
    {"date_format": "epoch"},
    {"lines": False},
    {"lines": False, "indent": 2},
    {"index": False},
    {"orient": "split"},
    {"orient": "split", "index": True},
    {"orient": "table"},
    {"orient": "columns"},
    {"orient": "index"},
    {"orient": "values"},
]
FAILING: list[dict[str, Any]] = [
    {"orient": "split", "lines": True},
    {"orient": "nonsense"},
    {"double_precision": 16},
    {"date_unit": "h"},
    {"index": True},
    {"num_proc": 0},
    {"compression": "gzip"},
    {"compression": "zip"},
    {"mode": "x"},
    {"nonsense": 1},
    {"batch_size": 2, "lines": False},
]
PANDAS = {"far", "not_text", *(name for name in COLUMNS if name.startswith("struct") and name.endswith("_ns"))}


def theirs(data: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about its own future
        assert data.to_json(out, **options) == len(out.getvalue())
    return out.getvalue()


def mine(data: ours.Dataset, **options: Any) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert data.to_json(out, **options) == len(out.getvalue())
    return out.getvalue()


def same(table: pa.Table, **options: Any) -> None:
    """Both write the same bytes, or both fail in the same way."""
    try:
        expected = theirs(official.Dataset(table), **options)
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

    monkeypatch.setattr(_json_out, "frame", refuse)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type(name: str) -> None:
    array = COLUMNS[name]
    same(pa.table({name: array}))
    beside = pa.table({"é/first": pa.array(range(len(array))), name: array})
    same(beside, force_ascii=False, date_unit="us", batch_size=2)
    same(beside, lines=False)


@pytest.mark.parametrize("name", sorted(set(COLUMNS) - PANDAS))
@pytest.mark.usefixtures("no_pandas")
def test_these_types_need_no_pandas(name: str) -> None:
    assert mine(ours.Dataset.from_arrow(pa.table({name: COLUMNS[name]})))


PLAIN = pa.table(
    {
        "a/b": pa.array(TEXTS),
        "f": pa.array(FLOATS[: len(TEXTS)]),
        "t": pa.array([i * 10**6 * 3600 - 1 for i in range(len(TEXTS))], pa.timestamp("us")),
        "d": pa.array([dt.date(2020, 1, 1)] * len(TEXTS)),
        "l": pa.array([[{"x": i}] for i in range(len(TEXTS))]),
    }
)


@pytest.mark.parametrize("options", [*OPTIONS, *FAILING], ids=str)
def test_options(options: dict[str, Any]) -> None:
    same(PLAIN, **options)
    same(PLAIN.slice(0, 0), **options)


@pytest.mark.parametrize("rows", [0, 1, 999, 1000, 1001, 2500])
def test_sizes_and_orders(rows: int) -> None:
    columns = {"a": list(range(rows)), "t": [f"x{i}" for i in range(rows)], "l": [[i / 7] for i in range(rows)]}
    here, there = ours.Dataset.from_dict(columns), official.Dataset.from_dict(columns)
    picked = [(i * 7919) % rows for i in range(rows)]
    for left, right in [
        (here, there),
        (here.select(picked), there.select(picked)),
        (here.with_format("numpy", columns=["a"]), there.with_format("numpy", columns=["a"])),
        (ours.concatenate_datasets([here, here]), official.concatenate_datasets([there, there])),
    ]:
        assert mine(left) == theirs(right)
        assert mine(left, batch_size=7) == theirs(right, batch_size=7)


def test_classes_and_json() -> None:
    def made(library: Any) -> Any:
        features = library.Features(
            {
                "c": library.ClassLabel(names=["n", "y"]),
                "j": library.Json(),
                "l": library.List(library.Json()),
            }
        )
        rows = {"c": [0, 1], "j": [{"a": [1, "x/é", 0.1]}, None], "l": [[{"a": 1}, "t"], []]}
        return library.Dataset.from_dict(rows, features=features)

    assert mine(made(ours)) == theirs(made(official))
    assert mine(made(ours).select([1, 0]), lines=False) == theirs(made(official).select([1, 0]), lines=False)


def test_arrays_are_nested_lists() -> None:
    """`datasets` writes their first numbers only."""
    features = ours.Features({"x": ours.Array2D((2, 2), "int32")})
    data = ours.Dataset.from_dict({"x": [[[1, 20], [3, 4]], [[0, 0], [0, -1]]]}, features)
    assert mine(data) == b'{"x":[[1,20],[3,4]]}\n{"x":[[0,0],[0,-1]]}\n'


@pytest.mark.parametrize(
    ("name", "options", "unpack"),
    [
        ("a.jsonl", {}, bytes),
        ("a.jsonl.gz", {}, gzip.decompress),
        ("a.jsonl.bz2", {}, bz2.decompress),
        ("a.jsonl.xz", {}, lzma.decompress),
        ("new/a.jsonl", {"compression": "gzip"}, gzip.decompress),
        ("a.jsonl.gz", {"compression": None}, bytes),
        ("a.GZ", {"compression": "xz"}, lzma.decompress),
    ],
)
def test_paths_and_compression(tmp_path: Path, name: str, options: dict[str, Any], unpack: Any) -> None:
    columns = {"a": list(range(3000))}
    here, there = ours.Dataset.from_dict(columns), official.Dataset.from_dict(columns)
    assert here.to_json(tmp_path / "mine" / name, **options) == there.to_json(
        str(tmp_path / "theirs" / name), **options
    )
    written = (tmp_path / "mine" / name).read_bytes()
    assert unpack(written) == unpack((tmp_path / "theirs" / name).read_bytes())
    assert len(list((tmp_path / "mine" / name).parent.iterdir())) == 1


def test_a_compression_that_is_not_written_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError, match=r"a\.jsonl\.zst"):
        ours.Dataset.from_dict({"a": [1]}).to_json(tmp_path / "a.jsonl.zst")
    assert not list(tmp_path.iterdir())


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True) | st.floats(-1e6, 1e6) | st.floats(-1, 1), min_size=1, max_size=50),
    st.integers(1, 15),
)
def test_floats(values: list[float], precision: int) -> None:
    same(pa.table({"a": pa.array(values, pa.float64())}), double_precision=precision)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "t": st.none() | st.text(max_size=8),
                "l": st.none() | st.lists(st.none() | st.text(max_size=3) | st.just("/\\"), max_size=3),
                "s": st.none() | st.fixed_dictionaries({"f": st.none() | st.floats(), "b": st.none() | st.booleans()}),
            }
        ),
        max_size=8,
    ),
    st.booleans(),
    st.booleans(),
)
def test_generated_rows(rows: list[dict[str, Any]], force_ascii: bool, lines: bool) -> None:
    struct = pa.struct([("f", pa.float64()), ("b", pa.bool_())])
    schema = pa.schema([("t", pa.string()), ("l", pa.list_(pa.string())), ("s", struct)])
    same(pa.Table.from_pylist(rows, schema), force_ascii=force_ascii, lines=lines)
