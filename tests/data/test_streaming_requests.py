"""What a stream asks of the hub: requests and bytes, as the hub counts them."""

from __future__ import annotations

import json
import random
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
import streamed
from _crucible._native import ParquetFile
from crucible_datasets.iterable import IterableDataset
from hfhub import HubServer, cache_stats, prune

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
    return streamed.ranges(hub, "asked")


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
    assert len(ranges(hub)) == 2 * (ROWS // GROUP)  # the footer is known
    assert sum(length for _, length in ranges(hub)) <= 1.05 * needed(path, ["a", "far"], [0, 1, 2, 3])


def stopped(place: int) -> Any:
    """The state after so many rows."""
    stream = opened()
    rows = iter(stream)
    for _ in range(place):
        next(rows)
    return json.loads(json.dumps(stream.state_dict()))


def of_file(hub: HubServer) -> list[tuple[str, int]]:
    """Method and status of each request for the file."""
    return [(method, status) for method, path, status in hub.requests() if "train.parquet" in path]


RESUME = """
import json, sys
from crucible_datasets import load_dataset
stream = load_dataset("org/asked", split="train", streaming=True)
stream.load_state_dict(json.loads(sys.argv[1]))
rows = iter(stream)
print(next(rows)["i"])
"""


@pytest.mark.parametrize("place", [1, GROUP // 2, GROUP, ROWS // 2 + 7, ROWS - 1])
def test_resume(path: Path, hub: HubServer, place: int) -> None:
    """Where the file is, and the row group of the next row, whatever was read before."""
    state = stopped(place)
    stream = opened()
    hub.clear_requests()
    stream.load_state_dict(state)
    assert next(iter(stream))["i"] == place
    assert len(hub.requests()) == 2
    [(_, asked)] = ranges(hub)
    assert asked <= 1.05 * needed(path, ["i", "a", "b", "c", "far"], [place // GROUP])


@pytest.mark.parametrize("place", [1, GROUP, ROWS // 2 + 7])
def test_resume_in_a_new_process(path: Path, hub: HubServer, python: Callable[..., Any], place: int) -> None:
    """The same where the state is all that the process got: the footer is in the cache."""
    state = json.dumps(stopped(place))
    hub.clear_requests()
    assert python(RESUME, state) == place
    assert of_file(hub) == [("HEAD", 302), ("GET", 206)]
    [(start, asked)] = ranges(hub)
    assert start + asked < path.stat().st_size
    assert asked <= 1.05 * needed(path, ["i", "a", "b", "c", "far"], [place // GROUP])


def test_a_damaged_footer_is_fetched_again(
    path: Path, hub: HubServer, hf_env: Path, python: Callable[..., Any]
) -> None:
    state = json.dumps(stopped(GROUP + 3))
    [end] = hf_env.glob("hub/*/streams/*/file.end")
    good = end.read_bytes()
    for wrong in (good[:-100], good[:100] + b"?" + good[101:], b"", good[:8], b"{}"):
        end.write_bytes(wrong)
        hub.clear_requests()
        assert python(RESUME, state) == GROUP + 3
        assert len(ranges(hub)) == 2
        assert end.read_bytes() == good
    # Other bytes under the right sum, as a damaged line may have left them: told where they lead.
    footer = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    for at in (footer + 3, footer + 400, len(good) - 2):
        wrong = bytearray(good)
        wrong[at] ^= 0xFF
        name, size, start = end.parent.name, good[8:16], good[16:24]
        wrong[24:32] = zlib.crc32(name.encode() + size + start + wrong[32:]).to_bytes(8, "little")
        end.write_bytes(wrong)
        hub.clear_requests()
        assert python(RESUME, state) == GROUP + 3, at
        assert end.read_bytes() == good


def test_the_footer_of_a_file_that_changed_is_not_used(
    path: Path, hub: HubServer, hf_env: Path, python: Callable[..., Any]
) -> None:
    stopped(3)
    [end] = hf_env.glob("hub/*/streams/*/file.end")
    old = end.parent.name
    pq.write_table(pq.read_table(path).slice(5), path, row_group_size=70, compression="none")
    stream = opened()
    assert next(iter(stream))["i"] == 5
    names = {found.parent.name for found in hf_env.glob("hub/*/streams/*/file.end")}
    assert len(names - {old}) == 1


def test_it_goes_where_nothing_can_be_kept(path: Path, hub: HubServer, hf_env: Path) -> None:
    state = stopped(1)
    [end] = hf_env.glob("hub/*/streams/*/file.end")
    end.unlink()
    end.parent.rmdir()
    end.parent.write_bytes(b"no folder")
    stream = opened()
    stream.load_state_dict(state)
    hub.clear_requests()
    assert next(iter(stream))["i"] == 1
    assert len(ranges(hub)) == 2


def test_the_cache_tools_know_footers(path: Path, hf_env: Path) -> None:
    stopped(1)
    [end] = hf_env.glob("hub/*/streams/*/file.end")
    assert 0 < cache_stats().streams_size <= end.stat().st_size + 4096
    assert prune(streams=True).streams == [end]
    assert not list(hf_env.glob("hub/*/streams"))


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


@pytest.fixture
def small(hub_root: Path, hf_env: Path) -> list[Path]:
    """Two files of 50 row groups of 40 rows, 40 kB each."""
    rng = random.Random(6)
    folder = hub_root / "datasets" / "org" / "asked"
    folder.mkdir()
    paths = [folder / f"train-{number:05}-of-00002.parquet" for number in range(2)]
    for number, path in enumerate(paths):
        table = pa.table(
            {
                "i": range(number * ROWS, (number + 1) * ROWS),
                "a": [rng.randbytes(900) for _ in range(ROWS)],
                "b": [rng.randbytes(100) for _ in range(ROWS)],
            }
        )
        pq.write_table(table, path, row_group_size=40, compression="none", use_dictionary=False)
    return paths


def test_small_row_groups_come_together(small: list[Path], hub: HubServer) -> None:
    """A request brings many of them, and the first one not much more than it has to."""
    stream = opened()
    hub.clear_requests()
    rows = iter(stream)
    assert next(rows)["i"] == 0
    # Where the file is, its footer (longer than what is asked for first), and beside that the first rows.
    assert len(hub.requests()) <= 4
    assert (0, 256 << 10) in ranges(hub)
    assert sum(length for _, length in ranges(hub)) <= 400_000
    assert [row["i"] for row in rows] == list(range(1, 2 * ROWS))
    assert len(hub.requests()) <= 40
    size = sum(path.stat().st_size for path in small)
    assert sum(length for _, length in ranges(hub)) <= 1.05 * size

    stream = opened().select_columns(["i", "b"])
    hub.clear_requests()
    assert sum(batch.num_rows for batch in stream.with_format("arrow").iter(1000)) == 2 * ROWS
    assert len(hub.requests()) <= 40
    spans = sorted(ranges(hub))
    assert all(start >= 0 and length for start, length in spans)


def test_a_part_of_a_row_group_that_came_first_is_used(hub_root: Path, hub: HubServer, hf_env: Path) -> None:
    """A long footer seems to be one of small row groups, but they are longer than the first bytes."""
    path = hub_root / "datasets" / "org" / "asked" / "train.parquet"
    path.parent.mkdir()
    rng = random.Random(8)
    table = pa.table({"i": list(range(800)), "t": [rng.randbytes(1500).hex() for _ in range(800)]})
    pq.write_table(table, path, row_group_size=100, compression="none", use_dictionary=False)  # statistics of 3 kB
    stream = opened()
    hub.clear_requests()
    assert list(stream) == table.to_pylist()
    asked = ranges(hub)
    assert (0, 256 << 10) in asked
    assert sum(length for _, length in asked) <= 1.001 * path.stat().st_size

    stream = opened().select_columns(["t"])
    hub.clear_requests()
    assert [row["t"] for row in stream] == table["t"].to_pylist()
    assert sum(length for _, length in ranges(hub)) <= 1.001 * path.stat().st_size


def test_small_row_groups_go_on_anywhere(small: list[Path], hub: HubServer) -> None:
    for stop in (1, 39, 40, 41, 777, ROWS - 1, ROWS, ROWS + 41):
        before = opened()
        rows = iter(before)
        for _ in range(stop):
            next(rows)
        state = json.loads(json.dumps(before.state_dict()))
        rows.close()  # type: ignore[attr-defined]
        stream = opened()
        stream.load_state_dict(state)
        assert [row["i"] for row in stream] == list(range(stop, 2 * ROWS))


def test_the_next_file_is_opened_ahead(small: list[Path], hub: HubServer) -> None:
    """While the rows of one are used, the next one is asked for its footer and its first row groups."""
    stream = opened()
    hub.clear_requests()
    rows = iter(stream)
    for _ in range(ROWS - 60):
        next(rows)
    sleeper, deadline = threading.Event(), time.monotonic() + 20
    while not any("00001-of" in path for _, path, status, *_ in hub.answers() if status == 206):
        assert time.monotonic() < deadline, "the second file was not opened"
        sleeper.wait(0.01)
    assert [row["i"] for row in rows] == list(range(ROWS - 60, 2 * ROWS))
    del rows


def test_a_file_that_cannot_be_opened_ahead_is_opened_in_its_turn(small: list[Path], hub: HubServer) -> None:
    """What fails ahead of its turn fails only then, and rows before it come."""
    stream = opened()
    hub.add_fault(json.dumps({"path": "train-00001-of-00002.parquet", "action": "status", "status": 404}))
    rows = iter(stream)
    assert [next(rows)["i"] for _ in range(ROWS)] == list(range(ROWS))
    with pytest.raises(Exception, match="00001-of-00002"):
        next(rows)


def test_long_footers_of_the_next_files_come_ahead_and_once(hub_root: Path, hub: HubServer, hf_env: Path) -> None:
    """Footers of 16 KiB and more take two requests: both are made before the file's turn, and none is repeated."""
    folder = hub_root / "datasets" / "org" / "asked"
    folder.mkdir()
    rng = random.Random(5)
    for number in range(3):
        columns = {f"c{n}": [rng.random() for _ in range(400)] for n in range(150)}
        table = pa.table({"i": list(range(number * 400, number * 400 + 400)), **columns})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=100, compression="none")
    stream = opened()
    hub.clear_requests()
    assert [row["i"] for row in stream] == list(range(1200))
    for number in range(1, 3):
        asked = sorted(streamed.ranges(hub, f"/{number}.parquet"))
        assert len(asked) >= 3
        footer = pq.read_metadata(folder / f"{number}.parquet").serialized_size + 8
        assert footer > 16 << 10
        ends = [start + length for start, length in asked]
        assert all(end <= start for end, (start, _) in zip(ends, asked[1:], strict=False)), asked
        assert sum(length for _, length in asked) <= (folder / f"{number}.parquet").stat().st_size


def test_huge_footers_do_not_come_ahead(hub_root: Path, hub: HubServer, hf_env: Path) -> None:
    """Several files are opened at a time: what they announce is taken into memory one after the other."""
    folder = hub_root / "datasets" / "org" / "asked"
    folder.mkdir()
    for number in range(2):
        table = pa.table({"i": list(range(number * 400, number * 400 + 400))})
        table = table.replace_schema_metadata({"long": random.Random(number).randbytes(3 << 20).hex()})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=100)
    stream = opened()
    hub.clear_requests()
    opening = stream._plan.shards[1].origin.begin()
    sleeper, deadline = threading.Event(), time.monotonic() + 20
    while not opening.ready:
        assert time.monotonic() < deadline, "the file was not opened"
        sleeper.wait(0.01)
    assert max(length for _, length in ranges(hub)) <= 64 << 10
    assert ParquetFile(opening.source()).row_groups == [100] * 4
    assert max(length for _, length in ranges(hub)) > 6 << 20
    assert [row["i"] for row in stream] == list(range(800))
