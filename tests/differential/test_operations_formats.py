"""Formats and folders, against the official library."""

from __future__ import annotations

import datetime as dt
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets as theirs
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import crucible_datasets as ours
from oracle_pair import assert_same, both, equal, pair
from small_tables import library, rows

# --------------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "numpy", None])
@pytest.mark.parametrize("columns", [None, ["f", "i"], "s"])
def test_formats(kind: str | None, columns: Any) -> None:
    a, b = (ds.with_format(kind, columns) for ds in pair(rows(6)))
    for key in (0, -1, slice(1, 4), [3, 0]):
        assert_shown(a[key], b[key])
    assert_shown(next(iter(a)), next(iter(b)))
    assert_shown(list(a.iter(4))[1], list(b.iter(4))[1])
    if kind in {"pandas", "polars", "arrow"}:
        assert_shown(a["i"], b["i"])
        with pytest.raises(KeyError):
            a["zz"]
    assert a.format == b.format


def assert_shown(x: Any, y: Any) -> None:
    assert type(x) is type(y)
    if isinstance(y, pd.DataFrame):
        pd.testing.assert_frame_equal(x, y)
    elif isinstance(y, pd.Series):
        pd.testing.assert_series_equal(x, y)
    elif isinstance(y, pl.DataFrame | pl.Series):
        assert x.equals(y)
        assert getattr(x, "schema", None) == getattr(y, "schema", None)
    elif isinstance(y, pa.Table):
        assert x.to_pylist() == y.to_pylist()
        assert x.schema.types == y.schema.types
    elif isinstance(y, pa.ChunkedArray):
        assert x.to_pylist() == y.to_pylist()
    else:
        assert equal(x, y), f"{x} {y}"


@pytest.mark.parametrize("kind", ["nonsense", "tf", "jax", "torch"])
def test_formats_that_are_not_there(kind: str) -> None:
    both(*pair(rows(2)), lambda ds: ds.with_format(kind))


def test_output_all_columns() -> None:
    a, b = pair(rows(6))
    both(a, b, lambda ds: ds.with_format("numpy", ["i", "f"], output_all_columns=True)[2])
    both(a, b, lambda ds: ds.with_format("numpy", ["f"], output_all_columns=True)[1:3])
    both(a, b, lambda ds: ds.with_format(None, ["f"], output_all_columns=True)[1:3])
    both(a, b, lambda ds: ds.with_format("pandas", ["f"], output_all_columns=True)[1:3])


def test_transforms() -> None:
    a, b = pair(rows(6))

    def double(batch: dict[str, Any]) -> dict[str, Any]:
        return {"x": [v * 2 for v in batch["i"]], "n": [len(batch["i"])] * len(batch["i"])}

    for key in (0, slice(1, 4), [4, 2]):
        both(a, b, lambda ds, key=key: ds.with_transform(double)[key])
        both(a, b, lambda ds, key=key: ds.with_transform(double, columns=["i"])[key])
        both(a, b, lambda ds, key=key: ds.with_transform(double, ["i"], output_all_columns=True)[key])
    both(a, b, lambda ds: list(ds.with_transform(double)))
    both(a, b, lambda ds: list(ds.with_transform(double).iter(4)))
    both(a, b, lambda ds: ds.with_transform(double).__getitems__([2, 3]))
    both(a, b, lambda ds: ds.with_transform(lambda batch: 5)[0])
    both(a, b, lambda ds: ds.with_transform(double)["x"])
    both(a, b, lambda ds: ds.with_transform(double).shuffle(seed=1)[0])

    def in_place(ds: Any) -> Any:
        ds = ds.select(range(4))
        ds.set_transform(double)
        first = ds[0]
        ds.reset_format()
        return [first, ds[0]]

    both(a, b, in_place)


def test_formatted_as() -> None:
    def work(ds: Any) -> Any:
        with ds.formatted_as("numpy", ["i"], dtype="int8"):
            inside = ds[1:3]
        return [inside, ds[1:3]["i"]]

    both(*pair(rows(6)), work)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_map_of_frames(kind: str) -> None:
    a, b = pair([{"i": k, "s": f"t{k}"} for k in range(7)])

    def function(frame: Any) -> Any:
        return frame.assign(x=frame["i"] * 2) if kind == "pandas" else frame.with_columns(x=pl.col("i") * 2)

    both(
        a.with_format(kind),
        b.with_format(kind),
        lambda ds: ds.map(function, batched=True, batch_size=3).with_format(None),
    )
    both(a.with_format(kind), b.with_format(kind), lambda ds: ds.map(function).with_format(None))


# ------------------------------------------------------------------------------------------------------------ disk


@pytest.mark.parametrize("change", ["none", "select", "format", "split"])
@pytest.mark.parametrize("shards", [None, 1, 3])
def test_disk_both_ways(tmp_path: Path, change: str, shards: int | None) -> None:
    changes: dict[str, Callable[[Any], Any]] = {
        "none": lambda ds: ds,
        "select": lambda ds: ds.shuffle(seed=3),
        "format": lambda ds: ds.with_format("numpy", ["i"], dtype="float32"),
        "split": lambda ds: ds.train_test_split(seed=1)["test"],
    }
    a, b = (changes[change](ds) for ds in pair([{**row, "d": dt.date(2020, 1, 1)} for row in rows(9)]))
    a.save_to_disk(tmp_path / "ours", num_shards=shards)
    b.save_to_disk(str(tmp_path / "theirs"), num_shards=shards)
    assert_same(ours.load_from_disk(tmp_path / "ours"), b)
    assert_same(ours.load_from_disk(tmp_path / "theirs", keep_in_memory=True), b)
    read_back = theirs.load_from_disk(str(tmp_path / "ours"))
    assert_same(a, read_back)
    assert sorted(p.name for p in (tmp_path / "ours").iterdir()) == sorted(
        p.name for p in (tmp_path / "theirs").iterdir()
    )


def test_disk_labels_and_images(tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    picture.write_bytes(ours_png())
    features = ours.Features({"l": ours.ClassLabel(names=["a", "b"]), "i": ours.Image()})
    ds = ours.Dataset.from_dict(
        {"l": [0, 1, None], "i": [str(picture), None, {"bytes": ours_png(), "path": "x.png"}]}, features
    )
    ds.save_to_disk(tmp_path / "d")
    picture.unlink()
    back = theirs.load_from_disk(str(tmp_path / "d"))
    assert back.features["l"].names == ["a", "b"]
    stored = back.cast_column("i", theirs.Image(decode=False))[0]["i"]
    assert stored == {"bytes": ours_png(), "path": "red.png"}
    assert ours.load_from_disk(tmp_path / "d")[0]["i"].size == (2, 1)


def ours_png() -> bytes:
    from _crucible._native import encode_png

    return encode_png(bytes([255, 0, 0] * 2), 2, 1, "RGB")


def test_disk_dict(tmp_path: Path) -> None:
    a, b = pair(rows(9))
    a.train_test_split(seed=1).save_to_disk(tmp_path / "ours", num_shards={"train": 2, "test": 1})
    b.train_test_split(seed=1).save_to_disk(str(tmp_path / "theirs"))
    assert_same(ours.load_from_disk(tmp_path / "theirs"), theirs.load_from_disk(str(tmp_path / "ours")))
    with pytest.raises(FileNotFoundError, match="DatasetDict"):
        ours.Dataset.load_from_disk(tmp_path / "ours")
    with pytest.raises(FileNotFoundError):
        ours.DatasetDict.load_from_disk(tmp_path / "ours" / "train")
    with pytest.raises(FileNotFoundError):
        ours.load_from_disk(tmp_path / "nothing")
    (tmp_path / "ours" / "dataset_dict.json").write_text('{"splits": ["../theirs"]}')
    with pytest.raises(ValueError, match="Split name"):
        ours.load_from_disk(tmp_path / "ours")


def test_disk_errors(tmp_path: Path) -> None:
    a, b = pair(rows(3))
    for number, arguments in enumerate(
        [{"num_shards": 2, "max_shard_size": "1MB"}, {"num_shards": 9}, {"max_shard_size": "x"}]
    ):
        both(
            a, b, lambda ds, n=number, k=arguments: ds.save_to_disk(str(tmp_path / library(ds).__name__ / str(n)), **k)
        )
    a.save_to_disk(tmp_path / "small", max_shard_size=100)
    b.save_to_disk(str(tmp_path / "theirs"), max_shard_size=100)
    files = [len(list((tmp_path / folder).glob("data-*.arrow"))) for folder in ("small", "theirs")]
    assert files[0] == files[1] > 1
    assert_same(ours.load_from_disk(tmp_path / "small"), b)


# ------------------------------------------------------------------------------------------------------------ misc


def test_dicts(tmp_path: Path) -> None:
    a, b = (ds.train_test_split(seed=1) for ds in pair(rows(9)))
    works: list[Callable[[Any], Any]] = [
        lambda dd: dd.sort("s", reverse=True),
        lambda dd: dd.flatten(),
        lambda dd: dd.unique("s"),
        lambda dd: dd.class_encode_column("s"),
        lambda dd: dd.cast_column("i", library(dd).Value("int8")),
        lambda dd: dd.with_format("numpy", ["i"])["test"][0],
        lambda dd: dd.with_transform(lambda batch: {"x": batch["i"]})["test"][0],
        lambda dd: dd.flatten_indices(),
        repr,
        lambda dd: dd.num_rows,
        lambda dd: dd.shape,
        lambda dd: dd.cache_files,
        lambda dd: dd.select_columns("i"),
    ]
    for work in works:
        both(a, b, work)


def test_results_pickle() -> None:
    a, b = pair(rows(9))
    both(a, b, lambda ds: pickle.loads(pickle.dumps(ds.shuffle(seed=1).add_column("x", list(range(9))).sort("s"))))
    assert math.isclose(sum(a.sort("f")["f"]), 9.0)
