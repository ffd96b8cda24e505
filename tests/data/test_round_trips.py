"""What goes out in any format comes back as it was: generated features and rows, Parquet, Arrow IPC, folders, JSON lines."""

from __future__ import annotations

import datetime as dt
import math
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crucible_datasets as d
from arrow_equal import contents

Made = tuple[Any, st.SearchStrategy[Any]]
"""A feature, and values of it."""

UTC = dt.UTC
EAST = dt.timezone(dt.timedelta(hours=2))
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def moments(least: int, most: int, step: int, zone: dt.tzinfo | None = None) -> st.SearchStrategy[dt.datetime]:
    """Instants that are whole steps of microseconds since 1970."""
    start = dt.datetime(1970, 1, 1, tzinfo=UTC)
    return st.integers(least // step, most // step).map(
        lambda ticks: (start + dt.timedelta(microseconds=ticks * step)).astimezone(zone or UTC).replace(tzinfo=zone)
    )


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**digits) + 1, 10**digits - 1).map(lambda n: Decimal(f"{n}E-{scale}"))


YEARS = (-(6 * 10**16), 2 * 10**17)
NANO_YEARS = (-(9 * 10**15), 9 * 10**15)
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "bool": st.booleans(),
    **{f"int{n}": st.integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in (8, 16, 32, 64)},
    **{f"uint{n}": st.integers(0, 2**n - 1) for n in (8, 16, 32, 64)},
    **{f"float{n}": st.floats(width=n) for n in (16, 32, 64)},  # type: ignore[arg-type]
    "string": TEXT,
    "large_string": TEXT,
    "string_view": TEXT,
    "binary": st.binary(max_size=20),
    "large_binary": st.binary(max_size=20),
    "fixed_size_binary[3]": st.binary(min_size=3, max_size=3),
    "date32": st.dates(),
    "date64": st.dates(),
    "time32[s]": st.times().map(lambda t: t.replace(microsecond=0)),
    "time32[ms]": st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)),
    "time64[us]": st.times(),
    "time64[ns]": st.times(),
    "timestamp[s]": moments(*YEARS, 10**6),
    "timestamp[ms]": moments(*YEARS, 10**3),
    "timestamp[us]": moments(*YEARS, 1),
    "timestamp[ns]": moments(*NANO_YEARS, 1),
    "timestamp[us, tz=UTC]": moments(*YEARS, 1, UTC),
    "timestamp[s, tz=+02:00]": moments(*YEARS, 10**6, EAST),
    "duration[s]": st.integers(-(10**9), 10**9).map(lambda n: dt.timedelta(seconds=n)),
    "duration[us]": st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6)),
    "decimal128(10, 2)": decimals(10, 2),
    "decimal256(50, 3)": decimals(50, 3),
}
JSON_LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "bool": st.booleans(),
    "int8": LEAVES["int8"],
    "int64": LEAVES["int64"],
    # `to_json` has ten decimals.
    "float64": st.integers(-(2**40), 2**40).map(lambda n: n / 1024),
    "float32": st.integers(-(2**20), 2**20).map(lambda n: n / 1024),
    "string": TEXT,
    "large_string": TEXT,
}


def leaves(table: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Made]:
    plain = st.sampled_from(sorted(table)).map(lambda dtype: (d.Value(dtype), table[dtype]))
    labels = st.just((d.ClassLabel(names=["n", "y"]), st.sampled_from([0, 1])))
    return plain | labels


def nested(inner: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    def listed(made: Made) -> Made:
        return d.List(made[0]), st.lists(st.none() | made[1], max_size=4)

    def fixed(made: Made) -> Made:
        return d.List(made[0], length=2), st.lists(made[1], min_size=2, max_size=2)

    def large(made: Made) -> Made:
        return d.LargeList(made[0]), st.lists(made[1], max_size=4)

    def struct(fields: dict[str, Made]) -> Made:
        features = {name: made[0] for name, made in fields.items()}
        return features, st.fixed_dictionaries({name: st.none() | made[1] for name, made in fields.items()})

    return (
        inner.map(listed)
        | inner.map(fixed)
        | inner.map(large)
        | st.dictionaries(NAMES, inner, min_size=1, max_size=3).map(struct)
    )


def features_of(table: dict[str, st.SearchStrategy[Any]], extra: list[Made]) -> st.SearchStrategy[Made]:
    start = leaves(table) | st.sampled_from(extra) if extra else leaves(table)
    return st.recursive(start, nested, max_leaves=4)


EXTRA: list[Made] = [
    (
        d.Array2D((2, 2), "int32"),
        st.lists(st.lists(st.integers(-5, 5), min_size=2, max_size=2), min_size=2, max_size=2),
    ),
    (d.Array2D((None, 1), "float32"), st.lists(st.lists(st.floats(width=32), min_size=1, max_size=1), max_size=3)),
    (d.Json(decode=False), st.sampled_from(['{"a":1}', "[]", '"t"', "1.5"])),
    (
        d.Image(decode=False),
        st.fixed_dictionaries({"bytes": st.none() | st.binary(min_size=1, max_size=9), "path": st.just("a.png")}),
    ),
]


@st.composite
def datasets(draw: st.DrawFn, table: dict[str, st.SearchStrategy[Any]], extra: list[Made]) -> d.Dataset:
    columns = draw(st.dictionaries(NAMES, features_of(table, extra), min_size=1, max_size=3))
    rows = draw(st.integers(0, 6))
    values = {name: draw(st.lists(st.none() | made[1], min_size=rows, max_size=rows)) for name, made in columns.items()}
    features = d.Features({name: made[0] for name, made in columns.items()})
    data = d.Dataset.from_dict(values, features)
    for name, value in values.items():
        assert same(data[name][:], value), (name, features[name])
    if rows and draw(st.booleans()):
        data = data.select(draw(st.permutations(range(rows))))
    return data


def same(a: Any, b: Any) -> bool:
    """Equality under which NaN equals NaN, and 0.0 is not -0.0."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    alike = type(a) is type(b) or isinstance(a, dt.datetime | dt.timedelta)  # nanoseconds are those of pandas
    return alike and bool(a == b)


def parquet(data: d.Dataset, folder: Path) -> d.Dataset:
    data.to_parquet(folder / "a.parquet")
    return d.load_dataset("parquet", data_files=str(folder / "a.parquet"), split="train", keep_in_memory=True)


def ipc_file(data: d.Dataset, folder: Path) -> d.Dataset:
    data.write_ipc(folder / "a.arrow", compression="zstd")
    return d.load_dataset("arrow", data_files=str(folder / "a.arrow"), split="train", keep_in_memory=True)


def ipc_stream(data: d.Dataset, folder: Path) -> d.Dataset:
    data.write_ipc_stream(folder / "a.arrow", compression="lz4")
    return d.load_dataset("arrow", data_files=str(folder / "a.arrow"), split="train", keep_in_memory=True)


def mapped_stream(data: d.Dataset, folder: Path) -> d.Dataset:
    data.write_ipc_stream(folder / "a.arrow")
    return d.Dataset.from_file(folder / "a.arrow")


def mapped_file(data: d.Dataset, folder: Path) -> d.Dataset:
    data.write_ipc(folder / "a.arrow")
    return d.Dataset.from_file(folder / "a.arrow")


def disk(data: d.Dataset, folder: Path) -> d.Dataset:
    data.save_to_disk(folder / "saved", num_shards=min(2, max(1, len(data))))
    return d.Dataset.load_from_disk(folder / "saved")


def pyarrow_table(data: d.Dataset, folder: Path) -> d.Dataset:
    del folder
    return d.Dataset.from_arrow(pa.table(data))


ROUTES = [parquet, ipc_file, ipc_stream, mapped_stream, mapped_file, disk, pyarrow_table]
CALM = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("route", ROUTES)
def test_everything_comes_back(route: Callable[[d.Dataset, Path], d.Dataset]) -> None:
    @CALM
    @given(datasets(LEAVES, EXTRA))
    def check(data: d.Dataset) -> None:
        with tempfile.TemporaryDirectory() as folder:
            back = route(data, Path(folder))
            assert back.features == data.features
            assert same(back.to_list(), data.to_list())
            if "extension" not in str(pa.table(data).schema):  # pyarrow puts no extension types together
                assert contents(pa.table(back)) == contents(pa.table(data))

    check()


@CALM
@given(datasets(JSON_LEAVES, []), st.booleans(), st.sampled_from(["a.jsonl", "a.jsonl.gz"]))
def test_json_lines_come_back(data: d.Dataset, force_ascii: bool, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        written = data.to_json(path, force_ascii=force_ascii)
        assert written > 0 or len(data) == 0
        if len(data):
            back = d.load_dataset(
                "json", data_files=str(path), split="train", features=data.features, keep_in_memory=True
            )
            assert back.features == data.features
            assert same(back.to_list(), data.to_list())
