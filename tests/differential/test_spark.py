"""`from_spark` on both libraries, and what it makes of something else.

Those that need Spark are skipped where `pyspark` is not installed (`pip install pyspark`, version 4, and a Java): it is
no test dependency.
"""

from __future__ import annotations

import datetime
import decimal
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import datasets as theirs
import pandas as pd
import pytest
from datasets.distributed import split_dataset_by_node as split_official

import crucible_datasets as ours
from crucible_datasets.distributed import split_dataset_by_node
from crucible_datasets.errors import SchemaError, UnsupportedError

needs_spark = pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed")

ROWS = 23
PARTS = 4


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    made = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "Europe/Berlin")
        .getOrCreate()
    )
    yield made
    made.stop()


@pytest.fixture(scope="module")
def frame(spark: Any) -> Any:
    """Partitions of several lengths, one of them empty; a row in five is null."""
    schema = """id long, text string, small byte, real float, yes boolean, list array<int>, day date, at timestamp,
        local timestamp_ntz, exact decimal(12,3), bytes binary, deep struct<x: int, y: array<struct<z: string, at: timestamp>>>"""
    rows: list[tuple[Any, ...]] = []
    for i in range(ROWS):
        if i % 5 == 3:
            rows.append((i, *[None] * 11))
            continue
        at = datetime.datetime(2024, 1, 1, 1, 2, 3, 456) + datetime.timedelta(days=i)
        deep = (i, [(f"z{i}", at), (None, None)])
        values = (f"é{i}", i, i / 3, i % 2 == 0, [i, None], at.date(), at, at, decimal.Decimal(i) / 8, bytes([i]))
        rows.append((i, *values, deep))
    made = spark.createDataFrame(rows, schema)
    spread = made.repartitionByRange(PARTS, "id").cache()
    spread.count()
    return spread.where("id < 5 or id > 13")


def plain(value: Any) -> Any:
    """Spark's `Row`, which the official library leaves in nested columns, as a dict."""
    if hasattr(value, "asDict"):
        return {name: plain(inner) for name, inner in value.asDict().items()}
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def ids(stream: Any) -> list[int]:
    return [row["id"] for row in stream]


def lengths(frame: Any) -> list[int]:
    found: list[int] = frame.rdd.glom().map(len).collect()
    return found


def numbers(parts: list[list[int]]) -> Iterator[dict[str, int]]:
    for part in parts:
        for number in part:
            yield {"id": number}


def streams(frame: Any, **options: Any) -> tuple[Any, Any]:
    return ours.IterableDataset.from_spark(frame, **options), theirs.IterableDataset.from_spark(frame, **options)


@needs_spark
def test_stream_has_the_official_rows(frame: Any) -> None:
    mine, official = streams(frame)
    assert 0 in lengths(frame)
    assert mine.num_shards == official.num_shards == PARTS
    assert mine.features is None
    assert official.features is None
    assert mine.split == official.split == "train"
    assert list(mine) == plain(list(official))


@needs_spark
def test_parts_of_streams(frame: Any) -> None:
    mine, official = streams(frame)
    for count in (1, 2, 3, PARTS):
        for index in range(count):
            for contiguous in (True, False):
                expected = ids(official.shard(count, index, contiguous))
                assert ids(mine.shard(count, index, contiguous)) == expected
            split = split_official(official, index, count)
            assert ids(split_dataset_by_node(mine, index, count)) == ids(split)


@needs_spark
def test_shuffled_stream(frame: Any) -> None:
    """The official library fails here; its generators with the same shards are in this order."""
    mine = ours.IterableDataset.from_spark(frame)
    parts = [ids(mine.shard(PARTS, index)) for index in range(PARTS)]
    official = theirs.IterableDataset.from_generator(numbers, gen_kwargs={"parts": parts})
    for seed in range(4):
        for size in (1, 5, 100):
            found = ids(mine.shuffle(seed=seed, buffer_size=size))
            assert found == ids(official.shuffle(seed=seed, buffer_size=size))


@needs_spark
def test_state_is_exact_at_every_row(frame: Any) -> None:
    mine = ours.IterableDataset.from_spark(frame)
    every = ids(mine)
    for place in range(len(every) + 1):
        rows = iter(mine)
        assert [next(rows)["id"] for _ in range(place)] == every[:place]
        state = json.loads(json.dumps(mine.state_dict()))
        again = ours.IterableDataset.from_spark(frame)
        again.load_state_dict(state)
        more = iter(again)
        if place + 1 < len(every):  # a state after a loaded state
            assert next(more)["id"] == every[place]
            third = ours.IterableDataset.from_spark(frame)
            third.load_state_dict(again.state_dict())
            assert ids(third) == every[place + 1 :]
        else:
            assert [row["id"] for row in more] == every[place:]


@needs_spark
def test_state_of_another_frame(spark: Any, frame: Any) -> None:
    mine = ours.IterableDataset.from_spark(frame)
    rows = iter(mine)
    for _ in range(4):
        next(rows)
    other = ours.IterableDataset.from_spark(spark.range(0, PARTS, 1, PARTS))
    other.load_state_dict(mine.state_dict())
    with pytest.raises(ValueError, match="rows into a partition of 1"):
        list(other)


@needs_spark
def test_skip_and_take(frame: Any) -> None:
    mine, official = streams(frame)
    for count in (0, 1, 5, 9, 40):
        assert ids(mine.skip(count)) == ids(official.skip(count))
        assert ids(mine.take(count)) == ids(official.take(count))


@needs_spark
@pytest.mark.parametrize(
    "types", [{"id": "int32", "text": "string"}, {"id": "int32"}, {"id": "string"}, {"id": "int64", "none": "string"}]
)
def test_stream_with_features(frame: Any, types: dict[str, str]) -> None:
    found = []
    for library in (ours, theirs):
        features = library.Features({name: library.Value(kind) for name, kind in types.items()})
        made = library.IterableDataset.from_spark(frame.select("id", "text"), features=features)
        assert made.features == features
        found.append(list(made))
    assert found[0] == found[1]


@needs_spark
def test_one_partition_is_one_task(spark: Any) -> None:
    """A shard is computed for itself: the others are not touched."""
    touched = spark.sparkContext.accumulator(0)

    def touch(number: int, rows: Iterator[Any]) -> Iterator[Any]:
        touched.add(1 << number)
        return rows

    source = spark.range(0, 40, 1, 5)
    frame = spark.createDataFrame(source.rdd.mapPartitionsWithIndex(touch), source.schema)
    mine = ours.IterableDataset.from_spark(frame)
    assert touched.value == 0
    assert ids(mine.shard(5, 3)) == list(range(24, 32))
    assert touched.value == 1 << 3


@needs_spark
def test_functions_come_from_no_package_of_the_driver(spark: Any, tmp_path: Path) -> None:
    """Workers of a cluster do not have this library: what is sent to them is there by value."""
    from pyspark import cloudpickle

    from crucible_datasets.iterable._spark import SparkPlan

    rdd = Mock()
    SparkPlan(rdd, (0,)).fetch(0)
    file = tmp_path / "function"
    file.write_bytes(cloudpickle.dumps(rdd.context.runJob.call_args.args[1]))
    code = f"""
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("crucible_datasets", "_crucible"):
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
import pickle
from pyspark.sql import Row
print(list(pickle.load(open({str(file)!r}, "rb"))([Row(a=1, b=[Row(c=2)])])))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[{'a': 1, 'b': [{'c': 2}]}]"


@needs_spark
def test_dataset_is_the_official_one(frame: Any, tmp_path: Path) -> None:
    mine = ours.Dataset.from_spark(frame)
    official = theirs.Dataset.from_spark(frame, cache_dir=str(tmp_path))
    assert str(mine.features) == str(official.features)
    assert "tz=Europe/Berlin" in str(mine.features["at"])
    assert mine.split == official.split == "train"
    assert mine[:] == official[:]
    kept = ours.Dataset.from_spark(frame, keep_in_memory=True, cache_dir=str(tmp_path / "none"), working_dir="none")
    assert kept[:] == official[:]
    assert not (tmp_path / "none").exists()


@needs_spark
def test_dataset_above_the_memory_budget(frame: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ours.Dataset.from_spark(frame)
    monkeypatch.setenv("CRUCIBLE_MEMORY_BUDGET", "100")
    assert ours.Dataset.from_spark(frame)[:] == whole[:]


@needs_spark
def test_dataset_with_features(frame: Any, tmp_path: Path) -> None:
    found = []
    for library in (ours, theirs):
        features = library.Features({"text": library.Value("large_string"), "id": library.Value("int16")})
        options = {} if library is ours else {"cache_dir": str(tmp_path)}
        made = library.Dataset.from_spark(frame.select("id", "text"), features=features, **options)
        found.append((made["id"][:], made["text"][:], {name: str(kind) for name, kind in made.features.items()}))
    assert found[0] == found[1]
    less = ours.Features({"id": ours.Value("int64")})
    with pytest.raises(SchemaError, match="text"):
        ours.Dataset.from_spark(frame.select("id", "text"), features=less)


@needs_spark
def test_frames_that_the_official_library_does_not_read(frame: Any) -> None:
    nothing = frame.where("id < 0")
    assert ours.Dataset.from_spark(nothing).num_rows == 0
    assert ours.Dataset.from_spark(nothing).column_names == frame.columns
    assert list(ours.IterableDataset.from_spark(nothing)) == []
    named = frame.selectExpr("id", "id as part_id")
    assert next(iter(ours.IterableDataset.from_spark(named))) == {"id": 0, "part_id": 0}
    assert ours.Dataset.from_spark(frame, split="test").split == "test"


@needs_spark
def test_refused_frames(frame: Any) -> None:
    with pytest.raises(KeyError, match="duplicated"):
        ours.Dataset.from_spark(frame.selectExpr("id", "id as id"))
    with pytest.raises(UnsupportedError, match="Map"):
        ours.Dataset.from_spark(frame.selectExpr("map('a', id) as m"))
    with pytest.raises(TypeError, match="from_spark got unexpected options"):
        ours.Dataset.from_spark(frame, colums=["id"])
    with pytest.raises(ValueError, match="Split name should match"):
        ours.Dataset.from_spark(frame, split="train[:3]")
    with pytest.raises(ValueError, match="Split name should match"):
        ours.IterableDataset.from_spark(frame, split="train[:3]")


@pytest.mark.parametrize("kind", ["Dataset", "IterableDataset"])
@pytest.mark.parametrize("given", [None, [{"a": 1}], pd.DataFrame({"a": [1]}), "frame"], ids=repr)
def test_something_else(kind: str, given: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"{kind}.from_spark takes a DataFrame of Spark \(pyspark.sql.DataFrame\), got "
    ):
        getattr(ours, kind).from_spark(given)
