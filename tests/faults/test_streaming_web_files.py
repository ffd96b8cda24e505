"""Streams of several files of a web server: the next ones are opened while the rows of one are used."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest

from crucible_datasets import load_dataset
from faulthub import FaultHub, faults
from hfhub.errors import HubError
from streamed import FEATURES, MAKERS, all_answered, asks_no_more, in_child, numbers, rows_of

ID = "org/files"
FILES, ROWS = 20, 200


@pytest.fixture(params=["parquet", "jsonl"])
def kind(request: pytest.FixtureRequest, fault_hub: FaultHub, fault_env: Path) -> str:
    """20 files of 200 rows in this format."""
    made = [MAKERS[request.param](rows_of(number * ROWS, ROWS, 300)) for number in range(FILES)]
    named = {f"{number:02}.{request.param}": data for number, data in enumerate(made)}
    fault_hub.repo("dataset", ID).commit(named, lfs=("*",))
    return str(request.param)


def stream_of(hub: FaultHub, kind: str) -> Any:
    """The files by their addresses, as those of any server."""
    at = [f"{hub.url}/datasets/{ID}/resolve/main/{number:02}.{kind}" for number in range(FILES)]
    builder = "parquet" if kind == "parquet" else "json"
    return load_dataset(builder, data_files=at, split="train", streaming=True, features=FEATURES)


def asked(hub: FaultHub, number: int) -> int:
    return len(hub.requests(rf"/{number:02}\."))


def test_others_are_opened_while_one_hangs(kind: str, fault_hub: FaultHub) -> None:
    stream = stream_of(fault_hub, kind)
    hanging = fault_hub.fault(r"/04\.", faults.stall(0), statuses=(200, 206))
    rows = iter(stream)
    first = numbers(next(rows) for _ in range(3 * ROWS + 150))
    assert fault_hub.wait_until(lambda: hanging.hits > 0 and asked(fault_hub, 6) > 0)
    assert first + numbers(next(rows) for _ in range(50)) == list(range(4 * ROWS))


def test_who_takes_some_rows_opens_no_other(kind: str, fault_hub: FaultHub) -> None:
    stream = stream_of(fault_hub, kind)
    assert all_answered(fault_hub)
    before = [asked(fault_hub, number) for number in range(1, FILES)]
    rows = iter(stream)
    assert numbers(next(rows) for _ in range(10)) == list(range(10))
    assert all_answered(fault_hub)
    assert [asked(fault_hub, number) for number in range(1, FILES)] == before


@pytest.mark.parametrize("first", [0, ROWS - 1, ROWS, 5 * ROWS + 50, FILES * ROWS - 1])
def test_rows_come_in_order_and_states_go_on(kind: str, fault_hub: FaultHub, first: int) -> None:
    expected = list(range(first, FILES * ROWS))
    before = stream_of(fault_hub, kind)
    rows = iter(before)
    assert numbers(next(rows) for _ in range(first)) == list(range(first))
    after = stream_of(fault_hub, kind)
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    assert numbers(after) == numbers(rows) == expected


def test_a_file_that_is_not_there_fails_in_its_turn(kind: str, fault_hub: FaultHub) -> None:
    stream = stream_of(fault_hub, kind)
    gone = fault_hub.fault(r"/07\.", faults.status(404))
    rows = iter(stream)
    assert numbers(next(rows) for _ in range(7 * ROWS - 1)) == list(range(7 * ROWS - 1))
    assert gone.hits == 1
    assert next(rows)["i"] == 7 * ROWS - 1
    with pytest.raises(HubError, match=r"07\."):
        next(rows)


@pytest.mark.parametrize("which", [r"/(0[2-9]|1\d)\.", r"/05\."], ids=["most", "one"])
def test_a_server_may_know_no_ranges(kind: str, fault_hub: FaultHub, which: str) -> None:
    """Then a file is downloaded in its turn."""
    stream = stream_of(fault_hub, kind)
    fault_hub.fault(which, faults.ignore_range())
    assert numbers(stream) == list(range(FILES * ROWS))


def test_each_byte_is_asked_for_about_once(kind: str, fault_hub: FaultHub) -> None:
    stream = stream_of(fault_hub, kind)
    assert all_answered(fault_hub)
    before = fault_hub.served(ID)
    assert numbers(stream) == list(range(FILES * ROWS))
    # A row is 600 digits and at most 40 bytes more. Each file is asked for its first byte and the end, of 16 KiB.
    end = (16 << 10) + 1 if kind == "parquet" else 1
    assert fault_hub.served(ID) - before <= FILES * (ROWS * 640 + end)


def test_a_broken_off_stream_stops_all_that_are_opened(kind: str, fault_hub: FaultHub) -> None:
    stream = stream_of(fault_hub, kind)
    hanging = fault_hub.fault(r"/(0[4-9]|1\d)\.", faults.stall(0), statuses=(200, 206))
    rows = iter(stream)
    assert numbers(next(rows) for _ in range(3 * ROWS + 150)) == list(range(3 * ROWS + 150))
    assert fault_hub.wait_until(lambda: hanging.hits > 1)
    del rows
    gc.collect()
    assert asks_no_more(fault_hub, ID)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_opens_the_next_files_itself(kind: str, fault_hub: FaultHub) -> None:
    stream = stream_of(fault_hub, kind)
    hanging = fault_hub.fault(r"/04\.", faults.delay(0.2), times=1)
    rows = iter(stream)
    assert numbers(next(rows) for _ in range(3 * ROWS + 150)) == list(range(3 * ROWS + 150))
    assert fault_hub.wait_until(lambda: hanging.hits > 0)
    rest = list(range(3 * ROWS + 150, FILES * ROWS))
    in_child(lambda: numbers(rows) == rest or pytest.fail("other rows in the child"))
    assert numbers(rows) == rest
