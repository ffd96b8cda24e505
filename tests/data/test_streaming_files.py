"""Streams of files: row numbers without reading, rows from the middle, reading ahead, and nothing left behind."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from _crucible._native import ParquetFile, Source
from crucible_datasets.iterable import READERS, IterableDataset, _files_run
from crucible_datasets.iterable._units import ParquetUnits
from hfhub import HubServer

GROUP = 25


@pytest.fixture
def repo(hub_root: Path, hf_env: Path) -> str:
    """Three files of 100 rows in row groups of 25; large enough that a row group is not in a footer's request."""
    folder = hub_root / "datasets" / "org" / "stream"
    folder.mkdir()
    for part in range(3):
        rows = range(part * 100, part * 100 + 100)
        table = pa.table({"i": list(rows), "pad": [bytes([i % 251]) * 9000 for i in rows]})
        pq.write_table(
            table, folder / f"{part}.parquet", row_group_size=GROUP, compression="none", use_dictionary=False
        )
    return "org/stream"


def stream_of(repo: str) -> IterableDataset:
    made: IterableDataset = ours.load_dataset(repo, split="train", streaming=True)
    return made


def data_requests(hub: HubServer) -> list[str]:
    return [path for method, path, _ in hub.requests() if method == "GET" and path.endswith(".parquet")]


def test_row_numbers_come_from_footers(repo: str, hub: HubServer) -> None:
    stream = stream_of(repo)
    hub.clear_requests()
    assert stream.num_rows == 300
    assert len(data_requests(hub)) <= 3
    assert stream.take(7).num_rows == 7
    assert stream.skip(290).num_rows == 10
    assert stream.skip(400).num_rows == 0
    assert stream.repeat(2).num_rows == 600
    assert stream.repeat(None).num_rows is None
    assert stream.shuffle(1).map(lambda row: row).select_columns("i").num_rows == 300
    assert stream.batch(7).num_rows == 43
    assert stream.batch(7, drop_last_batch=True).num_rows == 42
    assert stream.filter(lambda row: True).num_rows is None
    assert ours.concatenate_datasets([stream, stream.take(3)]).num_rows == 303


@pytest.mark.usefixtures("hf_env")
def test_lines_do_not_say_how_many_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"i": 0}\n{"i": 1}\n{"i": 2}\n')
    stream = IterableDataset.from_json(str(tmp_path / "a.jsonl"))
    assert stream.num_rows is None
    assert stream.peek(1) == {"i": 1}
    assert stream.peek(slice(1, None)) == [{"i": 1}, {"i": 2}]
    with pytest.raises(ValueError, match="from the end"):
        stream.peek(-1)
    for row in (3, 1 << 70):
        with pytest.raises(IndexError):
            stream.peek(row)
        with pytest.raises(IndexError):
            stream.filter(lambda _: True).peek(row)
    assert stream.filter(lambda _: True).peek(slice(1 << 70, 1 << 71)) == []


def test_peek(repo: str, hub: HubServer) -> None:
    stream = stream_of(repo).select_columns("i")
    assert stream.peek(0) == {"i": 0}
    hub.clear_requests()
    assert stream.peek(260) == {"i": 260}
    assert len(data_requests(hub)) <= 5
    assert stream.peek(-1) == {"i": 299}
    assert [row["i"] for row in stream.peek(slice(95, 130))] == list(range(95, 130))
    assert [row["i"] for row in stream.peek(slice(-3, None))] == [297, 298, 299]
    assert [row["i"] for row in stream.peek(slice(10, 30, 7))] == [10, 17, 24]
    assert stream.peek(slice(5, 5)) == []
    with pytest.raises(IndexError, match="300"):
        stream.peek(300)
    with pytest.raises(ValueError, match="step"):
        stream.peek(slice(None, None, -1))
    for chain in (
        stream.map(lambda row: {"j": -row["i"]}),
        stream.map(lambda row, n: {"n": n}, with_indices=True),
        stream.shuffle(3, buffer_size=50),
        stream.skip(30).take(100),
        stream.filter(lambda row: row["i"] % 2),
        stream.batch(8),
    ):
        rows = list(chain)
        assert [chain.peek(k) for k in (0, 5, len(rows) - 1)] == [rows[0], rows[5], rows[-1]]
    running = iter(stream)
    next(running)
    stream.peek(200)
    assert next(running) == {"i": 1}
    assert stream.state_dict()["examples_iterable"]["taken"] == 2


class Noted(ParquetUnits):
    """Notes which row groups are begun ahead of their turn."""

    begun: ClassVar[list[int]]

    def start(self, positions: Any) -> Any:
        self.begun.extend(positions)
        return super().start(positions)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    Noted.begun = []
    monkeypatch.setitem(READERS, "parquet", Noted)
    return Noted.begun


class Clock:
    """A clock that goes as it is told: by `ask` whenever bytes may have come, else when a test moves it."""

    def __init__(self, ask: float) -> None:
        self.ask = ask
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.ask
        return self.now


def test_the_next_row_group_is_read_ahead(
    repo: str, hub: HubServer, begun: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before a tenth of a row group is done: who wants the first rows only does not pay for more."""
    clock = Clock(1.0)
    monkeypatch.setattr(_files_run, "perf_counter", clock)
    running = (batch["i"][0] for batch in stream_of(repo).iter(1))
    next(running)
    hub.clear_requests()
    assert begun == []
    assert data_requests(hub) == []
    for _ in range(GROUP // 10):
        clock.now += 60
        next(running)
    assert begun == [1]  # rows are used slower than they come
    assert list(running) == list(range(GROUP // 10 + 1, 300))
    assert begun == [1, 2, 3, *[0, 1, 2, 3] * 2]


@pytest.mark.parametrize(("seconds", "most"), [(0.01, 6), (0.0001, 3)])
def test_more_is_decoded_ahead_where_decoding_is_waited_for(
    seconds: float, most: int, tmp_path: Path, begun: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many row groups as there are decode threads; else 8 MiB of them."""
    rows = pa.table({"i": range(16), "t": [os.urandom(2 << 20) for _ in range(16)]})
    pq.write_table(rows, tmp_path / "0.parquet", row_group_size=1, compression="none", use_dictionary=False)
    monkeypatch.setattr(Noted, "at_once", 6)
    monkeypatch.setattr(_files_run, "perf_counter", Clock(seconds))
    stream = ours.load_dataset("parquet", data_files=str(tmp_path / "0.parquet"), split="train", streaming=True)
    ahead = []
    for number, row in enumerate(stream):
        assert row["i"] == number
        ahead.append(len(begun) + 1 - number)  # the first one was not begun ahead
    assert max(ahead) - 1 == most
    assert all(count - 1 <= max(2, 2.5 * (number + 1)) for number, count in enumerate(ahead))


def test_a_reader_who_is_faster_than_the_line_has_more_read_ahead(
    repo: str, begun: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(100.0)
    monkeypatch.setattr(_files_run, "perf_counter", clock)
    running = (batch["i"][0] for batch in stream_of(repo).iter(1))
    next(running)
    assert begun == []
    clock.ask = 0.01
    for _ in range(GROUP // 10):
        next(running)
    assert begun == [1, 2, 3]
    assert list(running) == list(range(GROUP // 10 + 1, 300))
    assert begun == [1, 2, 3, *[0, 1, 2, 3] * 2]


def test_reading_ahead_keeps_to_its_budget(tmp_path: Path) -> None:
    pq.write_table(pa.table({"i": list(range(1000))}), tmp_path / "a.parquet", row_group_size=500)
    file = ParquetFile(Source.local(str(tmp_path / "a.parquet")))
    gc.collect()  # streams of other tests may have a share
    assert file.start_row_group(0, budget=10) is None
    first = file.start_row_group(1, ["i"])
    assert first is not None
    assert first.wait().column("i", 0, 2) == [500, 501]  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="taken"):
        first.wait()
    share = file.start_row_group(0, budget=20_000)
    assert share is not None
    assert file.start_row_group(0, budget=5_000) is None
    del share, first
    gc.collect()
    again = file.start_row_group(0, budget=5_000)
    assert again is not None
    with pytest.raises(IndexError, match="row group 9 of 2"):
        file.start_row_group(9).wait()  # type: ignore[union-attr]
    assert file.read_rows(1, 3, 5).column("i", 0, 2) == [503, 504]
    with pytest.raises(IndexError, match="500"):
        file.read_rows(1, 3, 501)


LEFT = """
import json, os, sys, threading
import crucible_datasets as ours
from _crucible import _native

def open_now():
    return [len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), threading.active_count()]

def broken_off(kind):
    stream = ours.load_dataset(sys.argv[1], split="train", streaming=True)
    if kind:
        stream = ours.interleave_datasets([stream.shuffle(1, buffer_size=20), stream])
    for place, row in enumerate(stream):
        if place == 30:
            break
    return stream

busy = _native._test_busy()  # so that callers get their own threads, which the process keeps
ours.Dataset.from_dict({"a": [1]})._table.to_ipc()
del busy
streams = [broken_off(0), broken_off(1)]
before = open_now()
streams += [broken_off(kind) for kind in (0, 1) * 6]
print(json.dumps([before, open_now()]))
"""


def test_a_broken_off_iterator_leaves_nothing(repo: str, python: Callable[..., Any]) -> None:
    before, after = python(LEFT, repo)
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 2  # connections are kept for the next call, a few for the process
    assert before[2] == after[2] == 1


def test_states_are_the_same_with_what_was_read_ahead(repo: str) -> None:
    stream = stream_of(repo)
    running = iter(stream)
    for _ in range(GROUP - 1):
        next(running)
    state = json.loads(json.dumps(stream.state_dict()))
    resumed = stream_of(repo)
    resumed.load_state_dict(state)
    assert [row["i"] for row in resumed] == list(range(GROUP - 1, 300))


def test_shuffling_row_groups_mixes_few_large_files(tmp_path: Path) -> None:
    """One file of 40 row groups: how many of them are in a hundred neighbouring rows?"""
    rows = 10_000
    pq.write_table(pa.table({"i": list(range(rows))}), tmp_path / "a.parquet", row_group_size=250)
    stream = IterableDataset.from_parquet(str(tmp_path / "a.parquet"))

    def mixed(strategy: str) -> float:
        order = [row["i"] for row in stream.shuffle(5, buffer_size=200, strategy=strategy)]
        assert sorted(order) == list(range(rows))
        windows = [order[start : start + 100] for start in range(0, rows, 100)]
        return sum(len({i // 250 for i in window}) for window in windows) / len(windows)

    assert mixed("shards") < 4
    assert mixed("row_groups") > 9
    fine = list(stream.shuffle(5, buffer_size=200, strategy="row_groups"))
    assert fine == list(stream.reshard().shuffle(5, buffer_size=200))
    with pytest.raises(ValueError, match="take and skip"):
        stream.take(5).shuffle(5, strategy="row_groups")
    with pytest.raises(ValueError, match="strategy"):
        stream.shuffle(5, strategy="rows")


def test_files_are_asked_for_their_footers_once(repo: str, hub: HubServer) -> None:
    stream = stream_of(repo).shuffle(1, strategy="row_groups")
    hub.clear_requests()
    assert sorted(row["i"] for row in stream) == list(range(300))
    assert len(data_requests(hub)) <= 3 + 12  # a footer a file, a request a row group
    hub.clear_requests()
    assert len(list(stream)) == 300
    assert len(data_requests(hub)) <= 12
