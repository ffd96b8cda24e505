"""Streams of several files that are read forward: the next ones are opened, and begun, while the last bytes of one come."""

from __future__ import annotations

import gc
import json
import pickle
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import streamed
from crucible_datasets import load_dataset
from faulthub import FaultHub, faults
from hfhub.errors import HubError
from streamed import FEATURES, MAKERS, all_answered, asks_no_more, in_child, numbers, rows_of

ID = "org/files"
FILES, ROWS = 3, 400


def commit(hub: FaultHub, kind: str, files: int = FILES, rows: int = ROWS, size: int = 1500) -> list[bytes]:
    """Files of a dataset with rows that are numbered through."""
    made = [MAKERS[kind](rows_of(number * rows, rows, size)) for number in range(files)]
    hub.repo("dataset", ID).commit({f"{n:02}.{kind}": data for n, data in enumerate(made)}, lfs=("*",))
    return made


@pytest.fixture(params=["jsonl", "jsonl.gz"])
def kind(request: pytest.FixtureRequest, fault_hub: FaultHub, fault_env: None) -> str:
    """A dataset of some files of a megabyte, in this format."""
    commit(fault_hub, request.param)
    return str(request.param)


def stream_of(kind: str) -> Any:
    return streamed.stream_of(ID, kind)


def asked(hub: FaultHub, number: int) -> int:
    """Requests for a file."""
    return len(hub.requests(rf"/{number:02}\.jsonl"))


def resolved(hub: FaultHub, name: str) -> int:
    """How often the hub was asked where a file is."""
    return len(hub.requests(rf"/resolve/.*{name}"))


def begun(hub: FaultHub, number: int) -> None:
    """Waits until a file was asked for."""
    assert hub.wait_until(lambda: asked(hub, number) > 0), f"file {number} is not opened"


def test_the_next_file_is_begun_before_the_end_of_one(kind: str, fault_hub: FaultHub) -> None:
    rows = iter(stream_of(kind))
    before = numbers(next(rows) for _ in range(ROWS - 10))
    begun(fault_hub, 1)
    assert before + numbers(rows) == list(range(FILES * ROWS))


def test_each_byte_is_asked_for_once(fault_hub: FaultHub, fault_env: None) -> None:
    made = commit(fault_hub, "jsonl", files=4, rows=3000)
    rows = iter(stream_of("jsonl"))
    assert numbers(rows) == list(range(4 * 3000))
    assert fault_hub.served(ID) <= 1.02 * sum(map(len, made))
    assert [resolved(fault_hub, rf"{number:02}\.jsonl") for number in range(4)] == [1] * 4


def test_who_takes_some_rows_asks_for_no_other_file(kind: str, fault_hub: FaultHub) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(10)) == list(range(10))
    assert all_answered(fault_hub)
    assert [asked(fault_hub, number) for number in range(1, FILES)] == [0, 0]


def test_small_files_are_begun_several_at_a_time(fault_hub: FaultHub, fault_env: None) -> None:
    """The first row of a file does not wait for the hub where the files are small."""
    commit(fault_hub, "jsonl", files=20, rows=20, size=500)
    rows = iter(stream_of("jsonl"))
    first = numbers(next(rows) for _ in range(5 * 20 + 1))  # twice what was read is more than two files by now
    for number in (6, 7, 8):
        begun(fault_hub, number)
    assert asked(fault_hub, 19) == 0
    assert first + numbers(rows) == list(range(20 * 20))


def test_a_file_that_fails_ahead_fails_in_its_turn(kind: str, fault_hub: FaultHub) -> None:
    fault_hub.fault(rf"/01\.{kind}", faults.status(404))
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(ROWS)) == list(range(ROWS))
    with pytest.raises(HubError, match=rf"01\.{kind}"):
        next(rows)


def test_a_failure_ahead_that_passes_is_not_seen(
    kind: str, fault_hub: FaultHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFHUB_RETRY_BASE_MS", "1")
    down = fault_hub.fault(rf"/01\.{kind}", faults.status(503), times=3)
    assert numbers(stream_of(kind)) == list(range(FILES * ROWS))
    assert down.hits == 3


def test_wrong_bytes_of_a_file_that_was_begun_are_found(kind: str, fault_hub: FaultHub) -> None:
    """In the first bytes, which came ahead: they are hashed with the others."""
    fault_hub.fault(rf"/01\.{kind}", faults.flip(20), statuses=(200, 206))
    with pytest.raises((HubError, ValueError), match=rf"01\.{kind}"):
        list(stream_of(kind))


def test_states_near_the_end_of_a_file_go_on_exactly(kind: str) -> None:
    for stop in (ROWS - 10, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS - 1):
        before = stream_of(kind)
        rows = iter(before)
        assert numbers(next(rows) for _ in range(stop)) == list(range(stop))
        state = json.loads(json.dumps(before.state_dict()))
        after = stream_of(kind)
        after.load_state_dict(state)
        assert numbers(after) == list(range(stop, FILES * ROWS))
        assert numbers(rows) == list(range(stop, FILES * ROWS))


def test_a_broken_off_stream_stops_the_next_file(kind: str, fault_hub: FaultHub) -> None:
    """Its body hangs; who breaks off does not wait for it, and its connection is closed."""
    hanging = fault_hub.fault(rf"/01\.{kind}", faults.stall(1000), statuses=(200, 206))
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(ROWS - 10)) == list(range(ROWS - 10))
    assert fault_hub.wait_until(lambda: hanging.hits > 0)
    threads = threading.active_count()
    start = time.monotonic()
    del rows
    gc.collect()
    assert time.monotonic() - start < 5
    assert threading.active_count() <= threads
    assert asks_no_more(fault_hub, ID)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_opens_the_next_file_itself(kind: str, fault_hub: FaultHub) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(ROWS - 10)) == list(range(ROWS - 10))
    begun(fault_hub, 1)
    rest = list(range(ROWS - 10, FILES * ROWS))
    in_child(lambda: numbers(rows) == rest or pytest.fail("other rows in the child"))
    assert numbers(rows) == rest


# ------------------------------------------------------------------------------------------------- many Parquet files


@pytest.fixture
def many(fault_hub: FaultHub, fault_env: None) -> FaultHub:
    """40 files of two row groups of 100 rows."""
    commit(fault_hub, "parquet", files=40, rows=200, size=300)
    return fault_hub


def opened(hub: FaultHub, number: int) -> bool:
    return bool(hub.requests(rf"/{number:02}\.parquet"))


def test_parquet_files_are_opened_side_by_side(many: FaultHub) -> None:
    """The opening of one hangs; meanwhile others are opened, and rows of the files before it come."""
    hanging = many.fault(r"/04\.parquet", faults.stall(0), statuses=(200, 206))
    rows = iter(stream_of("parquet"))
    first = numbers(next(rows) for _ in range(3 * 200 + 50))
    assert many.wait_until(lambda: hanging.hits > 0 and opened(many, 7))
    assert not opened(many, 39)
    assert first + numbers(next(rows) for _ in range(150)) == list(range(4 * 200))


@pytest.mark.parametrize("first", [0, 1, 199, 200, 1250, 7999])
def test_many_parquet_files_give_their_rows_in_order(many: FaultHub, first: int) -> None:
    expected = list(range(first, 40 * 200))
    assert numbers(stream_of("parquet").skip(first)) == expected
    before = stream_of("parquet").select_columns(["i"])
    rows = iter(before)
    assert numbers(next(rows) for _ in range(first)) == list(range(first))
    after = stream_of("parquet").select_columns(["i"])
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    assert numbers(after) == numbers(rows) == expected


def test_who_takes_some_rows_opens_no_other_parquet_file(many: FaultHub) -> None:
    rows = iter(stream_of("parquet"))
    assert numbers(next(rows) for _ in range(10)) == list(range(10))
    assert all_answered(many)
    assert [opened(many, number) for number in range(1, 40)] == [False] * 39


def test_a_broken_off_stream_stops_all_that_are_opened(many: FaultHub) -> None:
    hanging = many.fault(r"/(0[4-9]|1\d)\.parquet", faults.stall(0), statuses=(200, 206))
    rows = iter(stream_of("parquet"))
    assert numbers(next(rows) for _ in range(700)) == list(range(700))
    assert many.wait_until(lambda: hanging.hits > 1)
    del rows
    gc.collect()
    assert asks_no_more(many, ID)


@pytest.mark.parametrize("resharded", [False, True])
def test_each_parquet_file_is_opened_once(many: FaultHub, resharded: bool) -> None:
    """Also where a shard is a row group, and no file is open yet."""
    stream = stream_of("parquet")
    if resharded:
        stream = pickle.loads(pickle.dumps(stream.reshard()))
        assert stream.num_shards == 80
    before = [resolved(many, rf"{number:02}\.parquet") for number in range(40)]
    assert numbers(stream) == list(range(40 * 200))
    assert [resolved(many, rf"{number:02}\.parquet") for number in range(40)] == [count + 1 for count in before]


def test_a_parquet_file_that_fails_is_asked_for_once_ahead(many: FaultHub) -> None:
    """Its error comes in its turn; rows before it come, and neither wait for it nor ask again."""
    gone = many.fault(r"/12\.parquet", faults.status(404))
    rows = iter(stream_of("parquet"))
    assert numbers(next(rows) for _ in range(12 * 200 - 1)) == list(range(12 * 200 - 1))
    assert gone.hits == 1
    assert next(rows)["i"] == 12 * 200 - 1
    with pytest.raises(HubError, match=r"12\.parquet"):
        next(rows)


@pytest.mark.parametrize("content", [b"PAR1junk", None])
def test_a_wrong_local_parquet_file_fails_in_its_turn(tmp_path: Path, content: bytes | None) -> None:
    paths = [tmp_path / f"{number:02}.parquet" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(MAKERS["parquet"](rows_of(number * ROWS, ROWS, 30)))
    files = list(map(str, paths))
    stream = load_dataset("parquet", data_files=files, split="train", streaming=True, features=FEATURES)
    paths[2].unlink() if content is None else paths[2].write_bytes(content)
    rows = iter(stream)
    assert numbers(next(rows) for _ in range(2 * ROWS)) == list(range(2 * ROWS))
    with pytest.raises((OSError, ValueError), match=r"02\.parquet"):
        next(rows)


class ExpiredError(Exception):
    """What a handler of signals raises."""


def test_what_a_handler_raises_while_a_file_is_opened_is_not_lost(many: FaultHub) -> None:
    hanging = many.fault(r"/04\.parquet", faults.stall(0), statuses=(200, 206))
    rows = iter(stream_of("parquet"))
    assert numbers(next(rows) for _ in range(4 * 200)) == list(range(4 * 200))
    assert many.wait_until(lambda: hanging.hits > 0)

    def expire(*_: object) -> None:
        raise ExpiredError

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(ExpiredError):
            next(rows)
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("number", [0, 4])
def test_a_handler_may_use_the_library_while_a_file_is_opened(many: FaultHub, number: int) -> None:
    many.fault(rf"/{number:02}\.parquet", faults.stall(0), statuses=(200, 206), times=1)
    many.repo("dataset", "org/other").commit({"0.parquet": MAKERS["parquet"](rows_of(0, ROWS, 30))}, lfs=("*",))
    seen: list[list[int]] = []
    rows = iter(stream_of("parquet"))
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(numbers(streamed.stream_of("org/other", "parquet"))))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        assert numbers(rows) == list(range(40 * 200))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen == [list(range(ROWS))]
