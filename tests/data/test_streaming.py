"""Streaming: rows, steps, requests, and states that resume exactly."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from hfhub import HubServer

pytestmark = pytest.mark.usefixtures("hf_env")


@pytest.fixture
def repo(hub_root: Path, hf_env: Path) -> str:
    folder = hub_root / "datasets" / "org" / "stream"
    folder.mkdir()
    for part in range(2):
        table = pa.table({"i": list(range(part * 50, part * 50 + 50)), "s": [str(i) for i in range(50)]})
        pq.write_table(table, folder / f"train-0000{part}-of-00002.parquet", row_group_size=20)
    return "org/stream"


def twice(row: dict[str, Any]) -> dict[str, Any]:
    return {"d": row["i"] * 2}


def spread(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {"i": [i for i in batch["i"] for _ in range(2)]}


def odd(row: dict[str, Any]) -> bool:
    return bool(row["i"] % 2)


PLANS = {
    "plain": lambda ds: ds,
    "map": lambda ds: ds.map(twice).take(70),
    "indices": lambda ds: ds.map(lambda row, k: {"k": k}, with_indices=True, remove_columns="s"),
    "batched": lambda ds: ds.map(spread, batched=True, batch_size=7, remove_columns=["s"]),
    "batch": lambda ds: ds.skip(3).batch(8),
    "filter": lambda ds: ds.filter(odd).batch(4, drop_last_batch=True),
    "columns": lambda ds: ds.select_columns("i").map(twice, remove_columns=["i"]),
}


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("stop", [0, 1, 7, 8, 13, 20])
def test_states_resume_exactly(repo: str, name: str, stop: int) -> None:
    stream = PLANS[name](ours.load_dataset(repo, split="train", streaming=True))
    whole = list(stream)
    assert whole
    running = iter(stream)
    head = [next(running) for _ in range(min(stop, len(whole)))]
    state = json.loads(json.dumps(stream.state_dict()))
    fresh = PLANS[name](ours.load_dataset(repo, split="train", streaming=True))
    fresh.load_state_dict(state)
    assert head + list(fresh) == whole
    assert list(fresh) == whole


def test_rows_equal_the_loaded_ones(repo: str) -> None:
    stream = ours.load_dataset(repo, split="train", streaming=True)
    assert list(stream) == ours.load_dataset(repo, split="train").to_list()
    assert stream.column_names == ["i", "s"]
    assert stream.num_shards == 2
    with pytest.raises(ValueError, match="Bad split"):
        ours.load_dataset(repo, split="train[:3]", streaming=True)
    assert list(ours.load_dataset(repo, streaming=True)) == ["train"]


def test_only_what_is_asked_for_is_read(repo: str, hub: HubServer) -> None:
    stream = ours.load_dataset(repo, split="train", streaming=True)
    hub.clear_requests()
    next(iter(stream))
    assert len(hub.requests()) <= 3
    assert not any("00001-of" in path for _, path, _ in hub.requests())


def test_resuming_seeks(repo: str, hub: HubServer) -> None:
    stream = ours.load_dataset(repo, split="train", streaming=True)
    running = iter(stream)
    for _ in range(75):
        next(running)
    state = stream.state_dict()
    stream.load_state_dict(state)
    hub.clear_requests()
    assert next(iter(stream))["i"] == 75
    assert len(hub.requests()) <= 3
    assert not any("00000-of" in path for _, path, _ in hub.requests())


def test_json_lines_by_chunks(hub_root: Path) -> None:
    folder = hub_root / "datasets" / "org" / "lines"
    folder.mkdir()
    rows = [{"i": i, "t": "x" * 200} for i in range(30_000)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    stream = ours.load_dataset("org/lines", split="train", streaming=True)
    running = iter(stream)
    head = [next(running) for _ in range(25_000)]
    stream.load_state_dict(stream.state_dict())
    assert head + list(stream) == rows


def test_streams_pickle(repo: str) -> None:
    """The plan travels, and a loaded state; how far an iteration is does not: workers start at the start."""
    stream = ours.load_dataset(repo, split="train", streaming=True).map(twice)
    running = iter(stream)
    next(running)
    state = stream.state_dict()
    copied = pickle.loads(pickle.dumps(stream))
    assert next(iter(copied))["i"] == 0
    copied.load_state_dict(state)
    assert next(iter(pickle.loads(pickle.dumps(copied))))["i"] == 1


def test_errors_of_mapped_functions_pass(repo: str) -> None:
    stream = ours.load_dataset(repo, split="train", streaming=True)
    with pytest.raises(ZeroDivisionError):
        list(stream.map(lambda row: {"x": 1 // 0}))
    with pytest.raises(TypeError, match="returns a dict"):
        list(stream.map(lambda row: [row]))
    with pytest.raises(ValueError, match="batch_size"):
        stream.batch(0)


def test_filters_keep_what_the_files_say(repo: str) -> None:
    """The features of Parquet files are known behind a `filter`, of rows and of tables."""
    stream = ours.load_dataset(repo, split="train", streaming=True)
    for kept in (
        stream.filter(odd),
        stream.filter(odd).shuffle(1).skip(1),
        stream.with_format("arrow").filter(lambda table: [True] * len(table), batched=True),
    ):
        assert kept.column_names == ["i", "s"]
        assert kept.features == stream.features
    cast = stream.filter(odd).cast_column("i", ours.Value("string"))
    assert next(iter(cast))["i"] == "1"


def test_peek_has_the_format_of_the_iteration(repo: str) -> None:
    stream = ours.load_dataset(repo, split="train", streaming=True)
    for kind in ("arrow", "pandas", "polars"):
        shown = stream.with_format(kind)
        row = shown.peek(51)
        assert type(row) is type(next(iter(shown)))
        assert row["i"].to_list() == [51] if kind != "arrow" else row["i"].to_pylist() == [51]
        assert len(shown.peek(slice(3, 6))) == 3
    assert stream.with_format("numpy").peek(3)["i"].dtype == "int64"


def test_batches_of_lists_of_unequal_lengths() -> None:
    """What flows as rows is stacked only where the shapes fit."""
    stream = ours.IterableDataset.from_dict({"l": [[1], [2, 3], [4, 5]], "i": [0, 1, 2]}).filter(lambda row: True)
    batch = next(stream.with_format("numpy").iter(3))
    assert [values.tolist() for values in batch["l"]] == [[1], [2, 3], [4, 5]]
    assert batch["i"].tolist() == [0, 1, 2]
    seen: list[Any] = []
    list(stream.with_format("numpy").map(lambda rows: (seen.append(rows["l"]), {})[1], batched=True))
    assert [values.tolist() for values in seen[0]] == [[1], [2, 3], [4, 5]]
    kept = stream.with_format("numpy").filter(lambda rows: [len(each) > 1 for each in rows["l"]], batched=True)
    assert [row["i"] for row in kept] == [1, 2]


def test_batches_of_text_are_arrays_of_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x\ny\nz\n")
    stream = ours.IterableDataset.from_text(str(tmp_path / "a.txt")).with_format("numpy")
    assert [batch["text"].dtype.kind for batch in stream.iter(2)] == ["U", "U"]
