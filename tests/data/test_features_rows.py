"""Rows, batches and columns of every feature, in Python and numpy format, against the official library."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import datasets as theirs
import numpy as np
import pytest
from PIL import Image as Pillow

import crucible_datasets as ours
from data.features_of_every_kind import kinds

D = dt.datetime
VALUES: dict[str, list[Any]] = {
    "null": [None, None, None],
    "bool": [True, False, None],
    **{f"int{w}": [1, -2, None] for w in (8, 16, 32, 64)},
    **{f"uint{w}": [1, 200, None] for w in (8, 16, 32)},
    "uint64": [1, 2**62, None],
    **{f"float{w}": [1.5, -0.25, None] for w in (16, 32, 64)},
    "time32[s]": [dt.time(1, 2, 3), None],
    "time32[ms]": [dt.time(1, 2, 3, 4000), None],
    "time64[us]": [dt.time(1, 2, 3, 4), None],
    "time64[ns]": [dt.time(1, 2, 3, 4), None],
    "timestamp[s]": [D(2020, 1, 2, 3), D(1960, 1, 1), None],
    "timestamp[ms]": [D(2020, 1, 2, 3, 4, 5, 6000), None],
    "timestamp[us]": [D(2020, 1, 2, 3, 4, 5, 6), D(1, 1, 1), None],
    "timestamp[ns]": [D(2020, 1, 2, 3, 4, 5, 6), None],
    "timestamp[us, tz=UTC]": [D(2020, 1, 2, 3, tzinfo=dt.UTC), None],
    "timestamp[ms, tz=America/New_York]": [D(2020, 7, 2, 3, tzinfo=dt.UTC), D(2020, 1, 2, 3, tzinfo=dt.UTC), None],
    "timestamp[s, tz=+02:00]": [D(2020, 7, 2, 3, tzinfo=dt.UTC), None],
    "date32": [dt.date(2020, 2, 29), dt.date(1900, 1, 1), None],
    "date64": [dt.date(2020, 2, 29), dt.date(1900, 1, 1), None],
    "duration[s]": [dt.timedelta(days=1), None],
    "duration[ms]": [dt.timedelta(milliseconds=-5), None],
    "duration[us]": [dt.timedelta(microseconds=7), None],
    "duration[ns]": [dt.timedelta(microseconds=7), None],
    "decimal128(10, 2)": [Decimal("1.50"), Decimal("-7"), None],
    "decimal256(50, 3)": [Decimal("1" * 45 + ".125"), None],
    **{kind: [b"a\x00", b"", None] for kind in ("binary", "large_binary", "binary_view")},
    "fixed_size_binary[3]": [b"abc", None],
    **{kind: ["é", "", "more than twelve bytes", None] for kind in ("string", "large_string", "string_view")},
    "labels": ["pos", "neg", None],
    "numbered": [2, 0, -1],
    "list": [[1, 2], [3, 4], []],
    "short list": [["a", "b"], None, []],
    "list of dict": [[{"role": "u", "content": ["a", None]}, {"role": None, "content": None}], [], None],
    "fixed list": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], None],
    "nested list": [[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[], None]],
    "list of labels": [["a", "b"], ["b"], None],
    "large list": [["a"], ["b", None], None],
    "large list of dict": [[{"a": 1}], [], None],
    "sequence": [[1], [2, 3]],
    "sequence of dict": [{"a": [1, 2], "b": ["x", "y"]}, {"a": [], "b": []}],
    "dict": [{"x": True, "y": {"z": 1.5}}, {"x": None, "y": None}, None],
    "array2d": [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0.5] * 3] * 2],
    "array2d free": [[[1, 2, 3]], [[1, 2, 3], [4, 5, 6]]],
    "array3d": [np.arange(6).reshape(1, 2, 3).tolist()] * 2,
    "array4d": [[[[[True, False]], [[False, True]]]]],
    "array5d": [np.ones((1, 1, 2, 1, 2)).tolist()],
    "array in dict": [{"m": [[1, 2], [3, 4]]}, {"m": [[5, 6], [7, 8]]}],
    "translation": [{"en": "a", "fr": "b"}, None],
    "translations": [{"en": "a", "fr": ["b", "c"]}],
    "image rgb": [{"bytes": b"x", "path": "p"}, None],
    "audio raw": [{"bytes": b"x", "path": None}, None],
    "json": [{"a": [1, None, "x"]}, [1], "text", None],
    "json text": [{"a": 1}, None],
    "list of json": [[{"a": 1}, 2], [], None],
}
RAW = {"audio raw"}  # datasets encodes them with torchcodec alone


def official(kind: str, values: list[Any]) -> theirs.Dataset:
    feature = kinds(theirs)[kind]
    made = theirs.Image(decode=False) if kind in RAW else feature
    ds = theirs.Dataset.from_dict(
        {"c": values},
        features=theirs.Features(
            {
                "c": made,
            }
        ),
    )
    return ds.cast_column("c", feature) if kind in RAW else ds


@pytest.fixture(scope="module")
def pairs() -> dict[str, tuple[ours.Dataset, theirs.Dataset]]:
    made = {kind: official(kind, values) for kind, values in VALUES.items()}
    return {kind: (ours.Dataset.from_arrow(b.data.table), b) for kind, b in made.items()}


def same(a: Any, b: Any) -> bool:
    """Equal values of equal types, dtypes and shapes, NaN equal to NaN."""
    if isinstance(b, dict):
        return isinstance(a, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in b)
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape):
            return False
        if b.dtype == object:
            return all(same(x, y) for x, y in zip(a.ravel(), b.ravel(), strict=True))
        return np.array_equal(a, b, equal_nan=b.dtype.kind in "fmM")
    return type(a) is type(b) and bool(a == b or (a != a and b != b))


@pytest.mark.parametrize("kind", list(VALUES))
def test_python_rows(pairs: dict[str, tuple[ours.Dataset, theirs.Dataset]], kind: str) -> None:
    a, b = pairs[kind]
    assert repr(a.features) == repr(b.features)
    rows = list(b)
    assert same(list(a), rows), (list(a), rows)
    assert same([a[i] for i in range(len(a))], rows)
    assert same(a[:], b[:])
    assert same(list(a.iter(2)), list(b.iter(2)))
    assert same(a["c"][:], b["c"][:])
    assert same(a.select([1, 0] if len(a) > 1 else [0])[:], b.select([1, 0] if len(b) > 1 else [0])[:])
    assert same(a.to_dict(), b.to_dict())


@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind != "decimal256(50, 3)"])
def test_made_here(pairs: dict[str, tuple[ours.Dataset, theirs.Dataset]], kind: str) -> None:
    b = pairs[kind][1]
    features = ours.Features({"c": kinds(ours)[kind]})
    a = ours.Dataset.from_dict({"c": VALUES[kind]}, features)
    assert same(list(a), list(b)), (list(a), list(b))
    assert same(list(ours.Dataset.from_list([{"c": value} for value in VALUES[kind]], features)), list(b))


@pytest.mark.parametrize("kind", list(VALUES))
def test_numpy(pairs: dict[str, tuple[ours.Dataset, theirs.Dataset]], kind: str) -> None:
    a, b = (ds.with_format("numpy") for ds in pairs[kind])
    wrong = []
    full = [i for i in range(len(b)) if VALUES[kind][i] is not None]
    keys: list[Any] = [
        *range(len(b)),
        slice(None),
        slice(0, 1),
        slice(0, len(full)),
        [full[-1], full[0]] if full else [],
    ]
    for key in keys:
        try:
            wanted = b[key]["c"]
        except (AttributeError, ValueError, TypeError):
            continue
        got = a[key]["c"]
        if not same(got, wanted):
            wrong.append(f"{key}: {got!r} ({getattr(got, 'dtype', '')}) != {wanted!r} ({getattr(wanted, 'dtype', '')})")
    for got, wanted in zip(a, b, strict=True):
        if not same(got["c"], wanted["c"]):
            wrong.append(f"row: {got!r} != {wanted!r}")
    assert not wrong, "\n".join(wrong)


def test_pillow_images_are_an_image_column() -> None:
    images = [Pillow.new("RGB", (2, 3), "red"), None, Pillow.new("L", (1, 1), 7), Pillow.new("F", (1, 1), 0.5)]
    for columns in (
        {"c": images},
        {"c": [None, *images]},
        {"c": [[images[0]], None, [], [images[2]]]},
        {"c": images, "n": [1, 2, 3, 4]},
    ):
        a, b = ours.Dataset.from_dict(columns), theirs.Dataset.from_dict(columns)
        assert repr(a.features) == repr(b.features)
        assert a.to_dict() == b.to_dict()
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        assert ours.Dataset.from_list(rows).to_dict() == b.to_dict()
    assert ours.Dataset.from_dict({"c": images})[0]["c"].getpixel((0, 0)) == (255, 0, 0)


def test_arrays_are_no_images() -> None:
    columns = {"a": [None, np.array([1, 2]), np.array([3])], "b": [np.int64(1), 2, None]}
    assert ours.Dataset.from_dict(columns)[1] == {"a": [1, 2], "b": 2}
    assert ours.Dataset.from_list([{"a": np.array([1])}, {"a": np.array([2, 3])}])[1] == {"a": [2, 3]}
