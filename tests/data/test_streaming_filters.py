"""`filters` of streams of Parquet: the rows of the load that is no stream, and no more asked of the hub than they need."""

from __future__ import annotations

import datetime
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from crucible_datasets import Features, Value, load_dataset
from crucible_datasets.errors import MissingColumnError
from hfhub import HubServer
from streamed import ranges

ROWS, GROUP = 800, 100


@pytest.fixture
def repo(hub_root: Path, hf_env: Path) -> str:
    """Two files of four row groups; the first with a page index."""
    rng = random.Random(8)
    table = pa.table(
        {
            "n": list(range(ROWS)),
            "small": pa.array([None if rng.random() < 0.1 else rng.randint(-5, 5) for _ in range(ROWS)], pa.int8()),
            "word": [rng.choice(["", "apple", "berry", "zebra"]) for _ in range(ROWS)],
            "day": [datetime.date(2020, 1, 1) + datetime.timedelta(days=i // 10) for i in range(ROWS)],
            "turns": [[{"role": "user", "content": str(i)}] * (i % 3) for i in range(ROWS)],
            "pad": [rng.randbytes(2000) for _ in range(ROWS)],
        }
    )
    folder = hub_root / "datasets" / "org" / "filtered"
    folder.mkdir()
    options: dict[str, Any] = {
        "row_group_size": GROUP,
        "write_statistics": ["n", "small", "word", "day"],
        "compression": "none",
    }
    paged = {"write_page_index": True, "data_page_size": 4000, "write_batch_size": 10}
    pq.write_table(table.slice(0, ROWS // 2), folder / "a.parquet", **options, **paged)
    pq.write_table(table.slice(ROWS // 2), folder / "b.parquet", **options)
    return "org/filtered"


FILTERS: dict[str, Any] = {
    "range": [("n", ">=", 130), ("n", "<", 333)],
    "few": [("n", "=", 77)],
    "both files": [("n", "in", [3, 399, 400, 799])],
    "none": [("n", ">", 10**6)],
    "or": [[("n", "<", 5)], [("word", "==", "berry"), ("small", ">", 2)]],
    "date": [("day", ">=", datetime.date(2020, 3, 1))],
    "null": [("small", "==", None), ("n", "<", 150)],
    "expression": (pc.field("n") > 700) | pc.field("small").is_null(),
}


@pytest.mark.parametrize("columns", [None, ["n", "word"], ["turns"]])
@pytest.mark.parametrize("name", FILTERS)
def test_rows(repo: str, name: str, columns: list[str] | None) -> None:
    chosen = {"filters": FILTERS[name], "columns": columns, "split": "train"}
    whole, stream = load_dataset(repo, **chosen), load_dataset(repo, **chosen, streaming=True)
    assert list(stream) == whole.to_list()
    assert stream.num_rows is None
    assert list(stream.take(3)) == whole.to_list()[:3]


@pytest.mark.parametrize("name", ["range", "or", "expression"])
def test_resume_at_every_row(repo: str, name: str) -> None:
    def stream() -> Any:
        return load_dataset(repo, split="train", streaming=True, filters=FILTERS[name], columns=["n"])

    rows = list(stream())
    running = stream()
    for place, row in enumerate(running, 1):
        assert row == rows[place - 1]
        if place % 13 == 0:
            resumed = stream()
            resumed.load_state_dict(json.loads(json.dumps(running.state_dict())))
            assert list(resumed) == rows[place:]
    parts = [list(stream().shard(2, k)) for k in range(2)]
    assert parts[0] + parts[1] == rows
    halves = [list(ours.distributed.split_dataset_by_node(stream(), k, 3)) for k in range(3)]
    assert sorted(row["n"] for half in halves for row in half) == [row["n"] for row in rows]


def test_what_is_excluded_is_not_fetched(repo: str, hub: HubServer) -> None:
    stream = load_dataset(repo, split="train", streaming=True, filters=[("n", ">=", 640), ("n", "<", 660)])
    hub.clear_requests()
    assert [row["n"] for row in stream] == list(range(640, 660))
    sent = sum(length for _, length in ranges(hub, "b.parquet"))
    assert sent < 1.6 * GROUP * 2000  # a row group of four, and the footer's request
    sent = sum(length for _, length in ranges(hub, "a.parquet"))
    assert sent <= 1 << 16  # the footer alone


def test_types_and_names(repo: str) -> None:
    types = Features({"n": Value("int32"), "word": Value("large_string")})
    chosen = {"columns": ["n", "word"], "features": types, "split": "train", "streaming": True}
    stream = load_dataset(repo, filters=[("n", ">", 797)], **chosen)
    assert stream.features == types
    assert [row["n"] for row in stream] == [798, 799]
    assert stream.with_format("arrow").iter(10).__next__().schema.field("n").type == pa.int32()
    with pytest.raises(MissingColumnError, match="nope"):
        list(load_dataset(repo, split="train", streaming=True, filters=[("nope", "==", 3)]))
