"""Rows, columns, order and formats of `Dataset`, against the official library in the same process."""

from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal
from typing import Any

import datasets as theirs
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crucible_datasets as ours

ROWS = [
    {
        "i": k,
        "f": k / 4,
        "s": f"text {k} é",
        "b": k % 2 == 0,
        "l": list(range(k % 4)),
        "r": [k, k + 1],
        "m": [{"role": "user", "content": "x" * k}],
        "o": {"p": k, "q": None},
        "n": None if k % 3 else k,
    }
    for k in range(12)
]


@pytest.fixture(scope="module")
def pair() -> tuple[ours.Dataset, theirs.Dataset]:
    return ours.Dataset.from_list(ROWS), theirs.Dataset.from_list(ROWS)


def test_shape(pair: tuple[ours.Dataset, theirs.Dataset]) -> None:
    a, b = pair
    assert (len(a), a.shape, a.column_names, a.num_columns) == (len(b), b.shape, b.column_names, b.num_columns)
    assert a.features.to_dict() == b.features.to_dict()
    assert repr(a) == repr(b)


@pytest.mark.parametrize(
    "key",
    [0, -1, 5, np.int64(3), slice(2, 5), slice(None, None, -1), slice(3, 1), slice(-4, None, 2), [1, 4, 1], (0, 2), range(3, 6),
     np.array([5, 2]), [-1, 0], [], "i", "m"],
)  # fmt: skip
def test_keys(pair: tuple[ours.Dataset, theirs.Dataset], key: Any) -> None:
    a, b = pair
    if isinstance(key, str):
        assert list(a[key]) == list(b[key])
        assert repr(a[key]) == repr(b[key])
        assert a[key][2:4] == b[key][2:4]
        assert a[key][-1] == b[key][-1]
    else:
        assert a[key] == b[key]


@pytest.mark.parametrize("key", [12, -13, [0, 12], [-13], True, 1.5, None, range(10, 14), "zz"])
def test_wrong_keys(pair: tuple[ours.Dataset, theirs.Dataset], key: Any) -> None:
    a, b = pair
    with pytest.raises(Exception) as official:  # noqa: PT011
        list(b[key]) if isinstance(key, str) else b[key]
    with pytest.raises(official.type):
        list(a[key]) if isinstance(key, str) else a[key]


def test_iteration(pair: tuple[ours.Dataset, theirs.Dataset]) -> None:
    a, b = pair
    assert list(a) == list(b) == a.to_list() == ROWS
    assert list(a.iter(5)) == list(b.iter(5))
    assert list(a.iter(5, drop_last_batch=True)) == list(b.iter(5, drop_last_batch=True))
    assert a.__getitems__([3, 1]) == b.__getitems__([3, 1])
    assert a.to_dict() == b.to_dict()


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_orders_compose_like_the_official_ones(pair: tuple[ours.Dataset, theirs.Dataset], data: st.DataObject) -> None:
    a, b = pair
    for _ in range(data.draw(st.integers(1, 4))):
        n = len(b)
        if n == 0:
            break
        step = data.draw(st.sampled_from(["select", "range", "shuffle", "take", "shard"]))
        if step == "select":
            rows = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=15))
            a, b = a.select(rows), b.select(rows)
        elif step == "range":
            low = data.draw(st.integers(0, n - 1))
            high = data.draw(st.integers(low + 1, n))
            a, b = a.select(range(low, high)), b.select(range(low, high))
        elif step == "shuffle":
            seed = data.draw(st.integers(0, 100))
            a, b = a.shuffle(seed=seed), b.shuffle(seed=seed)
        elif step == "take":
            a, b = a.take(data.draw(st.integers(0, n))), b.take(len(a)) if False else b
            b = b.take(len(a))
        else:
            count = data.draw(st.integers(1, n))
            index = data.draw(st.integers(0, count - 1))
            a, b = a.shard(count, index), b.shard(count, index)
    assert a.to_list() == b.to_list()
    assert list(a["i"]) == list(b["i"])


@pytest.mark.parametrize("seed", [0, 1, 42, 2**31])
@pytest.mark.parametrize("size", [1, 2, 10, 1000, 7473])
def test_shuffle_is_the_official_permutation(seed: int, size: int) -> None:
    columns = {"i": list(range(size))}
    a, b = ours.Dataset.from_dict(columns).shuffle(seed=seed), theirs.Dataset.from_dict(columns).shuffle(seed=seed)
    assert list(a["i"]) == list(b["i"])


def test_shuffle_vectors() -> None:
    ds = ours.Dataset.from_dict({"i": list(range(100))})
    assert list(ds.shuffle(seed=42)["i"][:10]) == [59, 21, 56, 18, 33, 42, 50, 27, 92, 71]
    np.random.seed(5)
    assert list(ds.shuffle()["i"][:5]) == [29, 49, 91, 4, 84]
    assert list(ds.shuffle()["i"][:5]) == [35, 97, 9, 0, 94]
    generator = np.random.default_rng(42)
    assert list(ds.shuffle(generator=generator)["i"][:3]) == [59, 21, 56]
    with pytest.raises(ValueError, match="just one"):
        ds.shuffle(seed=1, generator=generator)


def test_columns(pair: tuple[ours.Dataset, theirs.Dataset]) -> None:
    a, b = pair
    assert a.select_columns(["s", "i"]).to_list() == b.select_columns(["s", "i"]).to_list()
    assert a.remove_columns("m").column_names == b.remove_columns("m").column_names
    assert a.rename_column("i", "j")[2] == b.rename_column("i", "j")[2]
    assert (
        a.shuffle(seed=3).rename_columns({"i": "x", "s": "y"})[0]
        == b.shuffle(seed=3).rename_columns({"i": "x", "s": "y"})[0]
    )
    for wrong in (lambda: a.select_columns("zz"), lambda: a.rename_column("i", "s"), lambda: a.remove_columns(["zz"])):
        with pytest.raises(ValueError, match=r"zz|already in the dataset"):
            wrong()


def same(a: Any, b: Any) -> bool:
    if isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in b)
    if isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape):
            return False
        return (
            all(same(x, y) for x, y in zip(a.ravel(), b.ravel(), strict=True))
            if b.dtype == object
            else np.array_equal(a, b, equal_nan=b.dtype.kind == "f")
        )
    return type(a) is type(b) and (a == b or a != a)


@pytest.mark.parametrize("column", ["i", "f", "s", "b", "l", "r", "n"])
def test_numpy_format(pair: tuple[ours.Dataset, theirs.Dataset], column: str) -> None:
    a, b = (ds.with_format("numpy", columns=[column]) for ds in pair)
    for key in (0, 1, slice(0, 6), [5, 3]):
        assert same(a[key], b[key]), (key, a[key], b[key])
    assert same(a.shuffle(seed=0)[:][column], b.shuffle(seed=0)[:][column])


def test_numpy_sees_rust_memory() -> None:
    ds = ours.Dataset.from_dict({"i": np.arange(1000), "f": np.arange(1000, dtype=np.float32)})
    for column in ("i", "f"):
        table = pa.table(ds)
        array = np.asarray(ds.with_format("numpy")[column])
        assert array.dtype == {"i": np.int64, "f": np.float32}[column]
        assert array.ctypes.data == table[column].chunk(0).buffers()[1].address
        assert array.ctypes.data == np.asarray(ds.with_format("numpy")[column]).ctypes.data
        assert not array.flags.writeable
        part = pa.table(ds.select(range(100, 200)))[column].chunk(0)
        assert part.buffers()[1].address + part.offset * part.type.bit_width // 8 == array[100:].ctypes.data
    del ds, table
    assert array[999] == 999


def test_pyarrow_memory_is_shared_both_ways() -> None:
    table = pa.table({"a": np.arange(100), "s": [str(i) for i in range(100)]})
    ds = ours.Dataset.from_arrow(table)
    assert np.asarray(ds.with_format("numpy")["a"]).ctypes.data == table["a"].chunk(0).buffers()[1].address
    assert ds[7] == {"a": 7, "s": "7"}
    assert pa.table(ds.shuffle(seed=1)).to_pylist() == ds.shuffle(seed=1).to_list()


def test_batches_are_fresh_and_writable() -> None:
    ds = ours.Dataset.from_dict({"i": np.arange(10)}).with_format("numpy")
    batch = ds[:]["i"]
    batch[0] = 99
    assert ds[0]["i"] == 0


def test_values_of_every_kind() -> None:
    rows = [
        {
            "date": dt.date(2020, 2, 29),
            "stamp": dt.datetime(2020, 1, 1, 12, 30, 1, 5),
            "zoned": dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
            "delta": dt.timedelta(days=1, microseconds=3),
            "time": dt.time(1, 2, 3, 4),
            "decimal": Decimal("1.50"),
            "bytes": b"\x00\xff",
            "nested": [[1, 2], [], None],
            "empty": None,
        },
        dict.fromkeys(["date", "stamp", "zoned", "delta", "time", "decimal", "bytes", "nested", "empty"]),
    ]
    a, b = ours.Dataset.from_list(rows), theirs.Dataset.from_list(rows)
    assert a.to_list() == b.to_list() == rows
    assert a.features.to_dict() == b.features.to_dict()


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"row 1.*column \"a\"|column \"a\".*row 1") as caught:
        ours.Dataset.from_list([{"a": 1}, {"a": "x"}])
    assert (caught.value.row, caught.value.column) == (1, "a")
    with pytest.raises(ValueError, match="values"):
        ours.Dataset.from_dict({"a": [1], "b": [1, 2]})
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="deeper"):
        ours.Dataset.from_dict({"a": loop})
    with pytest.raises(ValueError, match="int64"):
        ours.Dataset.from_dict({"a": [2**70]})
    with pytest.raises(ValueError, match="surrogate"):
        ours.Dataset.from_dict({"a": ["\ud800"]})
    assert len(ours.Dataset.from_list([])) == len(theirs.Dataset.from_list([])) == 0


def test_features_are_imposed() -> None:
    features = ours.Features({"label": ours.ClassLabel(names=["neg", "pos"]), "x": ours.Value("float32")})
    ds = ours.Dataset.from_dict({"label": ["pos", 0, None], "x": [1, 2.5, None]}, features)
    assert ds.to_list() == [{"label": 1, "x": 1.0}, {"label": 0, "x": 2.5}, {"label": None, "x": None}]
    assert ds.features["label"].int2str(1) == "pos"
    with pytest.raises(ValueError, match="good"):
        ours.Dataset.from_dict({"label": ["good"], "x": [1]}, features)
    with pytest.raises(ValueError, match="fraction"):
        ours.Dataset.from_dict({"a": [1.5]}).cast_column("a", ours.Value("int32"))


def test_pickle_and_dict() -> None:
    ds = ours.Dataset.from_list(ROWS).shuffle(seed=1)
    assert pickle.loads(pickle.dumps(ds)).to_list() == ds.to_list()
    both = ours.DatasetDict({"train": ds, "test": ds.select([0])})
    official = theirs.DatasetDict(
        {"train": theirs.Dataset.from_list(ds.to_list()), "test": theirs.Dataset.from_list([ds[0]])}
    )
    assert repr(both) == repr(official)
    assert both.num_rows == official.num_rows
    assert list(both.shuffle(seed=3)["train"]["i"]) == list(official.shuffle(seed=3)["train"]["i"])
    with pytest.raises(KeyError, match="select a split"):
        both[0]
