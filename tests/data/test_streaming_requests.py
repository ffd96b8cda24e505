"""What a stream asks of the hub: requests and bytes, as the hub counts them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from crucible_datasets.iterable import IterableDataset
from hfhub import HubServer

ROWS, GROUP = 2000, 500


@pytest.fixture
def path(hub_root: Path, hf_env: Path) -> Path:
    """A file of four row groups. Bytes that do not compress: "a" 4 kB a row, "b" and "c" 1 kB, "far" behind a gap."""
    rng = random.Random(3)
    table = pa.table(
        {
            "i": list(range(ROWS)),
            "a": [rng.randbytes(4000) for _ in range(ROWS)],
            "b": [rng.randbytes(1000) for _ in range(ROWS)],
            "c": [rng.randbytes(1000) for _ in range(ROWS)],
            "far": [rng.randbytes(2000) for _ in range(ROWS)],
        }
    )
    path = hub_root / "datasets" / "org" / "asked" / "train.parquet"
    path.parent.mkdir()
    options = {"compression": "none", "use_dictionary": False, "write_statistics": ["i"]}
    pq.write_table(table, path, row_group_size=GROUP, **options)
    return path


def opened() -> IterableDataset:
    made: IterableDataset = ours.load_dataset("org/asked", split="train", streaming=True)
    return made


def ranges(hub: HubServer) -> list[tuple[int, int]]:
    """Start and length of each part of the file that was sent."""
    return [(start, length) for _, path, status, start, length in hub.answers() if status == 206 and "asked" in path]


def needed(path: Path, names: list[str], groups: list[int]) -> int:
    footer = pq.read_metadata(path)
    chunks = [footer.row_group(g).column(c) for g in groups for c in range(footer.num_columns)]
    used = sum(c.total_compressed_size for c in chunks if c.path_in_schema in names)
    return int(used + footer.serialized_size + 8)


def test_first_row(path: Path, hub: HubServer) -> None:
    """Where the file is, its footer, and a row group."""
    stream = opened()
    hub.clear_requests()
    assert next(iter(stream))["i"] == 0
    assert len(hub.requests()) <= 3
    asked = sum(length for _, length in ranges(hub))
    assert asked <= 1.05 * needed(path, ["i", "a", "b", "c", "far"], [0])


def test_whole_file(path: Path, hub: HubServer) -> None:
    stream = opened()
    hub.clear_requests()
    assert [row["i"] for row in stream] == list(range(ROWS))
    assert len(hub.requests()) <= 2 + ROWS // GROUP
    assert sum(length for _, length in ranges(hub)) <= 1.05 * needed(path, ["i", "a", "b", "c", "far"], [0, 1, 2, 3])


def test_some_columns(path: Path, hub: HubServer) -> None:
    """Neighbouring columns come together, what lies between others is not fetched."""
    stream = opened().select_columns(["b", "c"])
    hub.clear_requests()
    assert sum(len(batch["b"]) for batch in stream.iter(100)) == ROWS
    assert len(ranges(hub)) == 1 + ROWS // GROUP
    assert sum(length for _, length in ranges(hub)) <= 1.05 * needed(path, ["b", "c"], [0, 1, 2, 3])

    stream = opened().select_columns(["a", "far"])
    hub.clear_requests()
    assert sum(len(batch["far"]) for batch in stream.iter(100)) == ROWS
    assert len(ranges(hub)) == 1 + 2 * (ROWS // GROUP)
    assert sum(length for _, length in ranges(hub)) <= 1.05 * needed(path, ["a", "far"], [0, 1, 2, 3])


@pytest.mark.parametrize("place", [1, GROUP // 2, GROUP, ROWS // 2 + 7, ROWS - 1])
def test_resume(path: Path, hub: HubServer, place: int) -> None:
    """The footer and the row group of the next row, whatever was read before; where the file is costs one more."""
    before = opened()
    rows = iter(before)
    for _ in range(place):
        next(rows)
    state = json.loads(json.dumps(before.state_dict()))
    rows.close()  # type: ignore[attr-defined]
    stream = opened()
    hub.clear_requests()
    stream.load_state_dict(state)
    assert next(iter(stream))["i"] == place
    assert len(ranges(hub)) <= 2
    assert len(hub.requests()) <= 3
    asked = sum(length for _, length in ranges(hub))
    assert asked <= 1.05 * needed(path, ["i", "a", "b", "c", "far"], [place // GROUP])


def test_skipped_row_groups_are_not_fetched(path: Path, hub: HubServer) -> None:
    stream = opened().skip(ROWS - 10)
    hub.clear_requests()
    assert [row["i"] for row in stream] == list(range(ROWS - 10, ROWS))
    assert len(ranges(hub)) == 2
    assert sum(length for _, length in ranges(hub)) <= 1.05 * needed(path, ["i", "a", "b", "c", "far"], [3])


@pytest.fixture
def paged(hub_root: Path, hf_env: Path) -> Path:
    """One row group of 8 MB with a page index: pages of about 50 rows, nested and with dictionaries too."""
    rng = random.Random(4)
    table = pa.table(
        {
            "i": list(range(ROWS)),
            "a": [rng.randbytes(3000) for _ in range(ROWS)],
            "turns": [[{"role": "user", "content": rng.randbytes(300).hex()}] * (i % 4) for i in range(ROWS)],
            "word": [f"word {i % 50}" for i in range(ROWS)],
        }
    )
    path = hub_root / "datasets" / "org" / "asked" / "train.parquet"
    path.parent.mkdir()
    options = {"use_dictionary": ["word"], "write_statistics": ["i"], "data_page_size": 100_000, "write_batch_size": 20}
    pq.write_table(table, path, write_page_index=True, compression="zstd", **options)
    return path


def test_peek_reads_pages(paged: Path, hub: HubServer) -> None:
    """The footer, then the pages of the row; where they are is known from the footer's request."""
    rows = pq.read_table(paged).to_pylist()
    for place in (0, 51, 1234, ROWS - 1):
        stream = opened()
        hub.clear_requests()
        assert stream.peek(place) == rows[place]
        sent = sum(length for _, length in ranges(hub))
        assert sent < paged.stat().st_size / 8
        hub.clear_requests()
        assert stream.peek(slice(place, place + 60)) == rows[place : place + 60]
        sent = sum(length for _, length in ranges(hub))
        assert sent < paged.stat().st_size / 6


def test_peek_without_a_page_index(path: Path, hub: HubServer) -> None:
    rows = pq.read_table(path).to_pylist()
    stream = opened()
    assert stream.peek(ROWS - 3) == rows[ROWS - 3]
    hub.clear_requests()
    assert stream.peek(7) == rows[7]
    assert len(ranges(hub)) == 1
    assert sum(length for _, length in ranges(hub)) <= 1.05 * needed(path, ["i", "a", "b", "c", "far"], [0])


def test_lines(hub_root: Path, hub: HubServer, hf_env: Path) -> None:
    """Each byte is asked for once, but for the head that tells the types; a resumed stream starts where it was."""
    path = hub_root / "datasets" / "org" / "asked" / "train.jsonl"
    path.parent.mkdir()
    rng = random.Random(5)
    path.write_text("".join(json.dumps({"i": i, "t": rng.randbytes(500).hex()}) + "\n" for i in range(8000)))
    stream = opened()
    hub.clear_requests()
    rows = iter(stream)
    assert next(rows)["i"] == 0
    assert len(hub.requests()) <= 3  # where the file is (two for a small one), and its first bytes
    assert [row["i"] for row in rows] == list(range(1, 8000))
    assert sum(length for _, length in ranges(hub)) <= 1.05 * path.stat().st_size
    rows = iter(stream)
    for _ in range(5000):
        next(rows)
    state = stream.state_dict()
    stream = opened()
    hub.clear_requests()
    stream.load_state_dict(state)
    assert next(iter(stream))["i"] == 5000
    assert len(hub.requests()) <= 6  # where the file is, its head, the unit and the rest of its last line
