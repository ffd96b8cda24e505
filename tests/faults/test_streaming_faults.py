"""What a stream does in bad times: outages, changed commits, slow consumers, broken-off iterators, forks."""

from __future__ import annotations

import gc
import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import streamed
from faulthub import FaultHub, faults
from hfhub import HfApi
from hfhub.errors import RevisionNotFoundError
from streamed import MAKERS, all_answered, in_child, numbers, rows_of

ID = "org/stream"
ROWS = 800


@pytest.fixture(params=["parquet", "jsonl"])
def kind(request: pytest.FixtureRequest, fault_hub: FaultHub, fault_env: Path) -> str:
    """A dataset of one file of some megabytes, in this format."""
    made = MAKERS[request.param](rows_of(0, ROWS, 1500))
    fault_hub.repo("dataset", ID).commit({f"0.{request.param}": made}, lfs=("*",))
    return str(request.param)


def stream_of(kind: str) -> Any:
    return streamed.stream_of(ID, kind)


def test_an_outage_costs_its_time_and_not_the_run(
    kind: str, fault_hub: FaultHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of as many answers as ten seconds of it have with the usual waits: 0.5, 1, 2, 2… seconds apart."""
    monkeypatch.setenv("HFHUB_RETRY_BASE_MS", "1")
    monkeypatch.setenv("HFHUB_MAX_RETRIES", "5")
    rows = iter(stream_of(kind))
    assert next(rows)["i"] == 0
    down = fault_hub.fault(".", faults.status(503), times=20)
    assert numbers(rows) == list(range(1, ROWS))
    assert down.hits == 20


def test_a_branch_that_moves_does_not_move_the_stream(kind: str, fault_hub: FaultHub) -> None:
    stream = stream_of(kind)
    rows = iter(stream)
    assert next(rows)["i"] == 0
    fault_hub.repos["dataset", ID].commit({f"0.{kind}": MAKERS[kind](rows_of(5000, ROWS, 1500))}, lfs=("*",))
    assert numbers(rows) == list(range(1, ROWS))
    assert numbers(stream) == list(range(ROWS))
    assert numbers(stream_of(kind)) == list(range(5000, 5000 + ROWS))


def test_a_state_of_another_commit_is_refused(kind: str, fault_hub: FaultHub) -> None:
    stream = stream_of(kind)
    rows = iter(stream)
    for _ in range(150):
        next(rows)
    state = json.loads(json.dumps(stream.state_dict()))
    fault_hub.repos["dataset", ID].commit({f"0.{kind}": MAKERS[kind](rows_of(5000, ROWS, 1500))}, lfs=("*",))
    moved = stream_of(kind)
    moved.load_state_dict(state)
    with pytest.raises(ValueError, match=f"other data: .*0.{kind} has changed") as caught:
        next(iter(moved))
    assert "revision" in str(caught.value)
    # The branch moved, and the files of the stream did not: the state holds.
    fault_hub.repos["dataset", ID].commit({"README.md": b"# words"})
    moved, again = stream_of(kind), stream_of(kind)
    rows = iter(moved)
    for _ in range(150):
        next(rows)
    again.load_state_dict(moved.state_dict())
    assert numbers(again) == list(range(5150, 5000 + ROWS))


def test_a_commit_that_is_gone_is_named(kind: str, fault_hub: FaultHub) -> None:
    repo = fault_hub.repos["dataset", ID]
    old = repo.refs["refs/heads/main"]
    rows = iter(stream_of(kind))
    assert next(rows)["i"] == 0
    repo.commit({f"0.{kind}": b"new"}, orphan=True)
    del repo.commits[old]
    fault_hub._signed.clear()
    with pytest.raises(RevisionNotFoundError, match=old):
        list(rows)


def test_a_consumer_bounds_what_is_asked(kind: str, fault_hub: FaultHub) -> None:
    rows, groups = (4800, 48) if kind == "parquet" else (2400, 24)
    data = MAKERS[kind](rows_of(0, rows, 1500))
    fault_hub.repos["dataset", ID].commit({f"0.{kind}": data}, lfs=("*",))
    footer = pq.read_metadata(io.BytesIO(data)).serialized_size if kind == "parquet" else 0
    for i, _ in enumerate(stream_of(kind)):
        done = (i // 100 + 1) / groups * len(data) if kind == "parquet" else (i + 1) / rows * len(data)
        # Parquet: the footer, this row group, and after it 2.5 times as much, or 4 MiB. Lines: two units are ahead, each at
        # most as long as what is before it, and twice what came by then is on its way; what came has 2 MiB at once.
        bound = (
            done + max(2.5 * done, 4 << 20) + len(data) / groups + footer + (1 << 16)
            if kind == "parquet"
            else 12 * done + (9 << 19)
        )
        assert fault_hub.served(ID) <= bound, f"row {i}"


def threads_of(hub: FaultHub) -> tuple[int, int]:
    """Threads of the extension, and those of Python that are not the hub's. Those that callers share are made late."""
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir() if (task / "comm").exists()]
    with hub._changed:
        served = set(hub._threads)
    python = [thread for thread in threading.enumerate() if thread not in served and "_serve" not in thread.name]
    return sum(name.startswith(("crucible-cpu", "crucible-io")) for name in names), len(python)


def connections_to(hub: FaultHub) -> int:
    """Connections that some client holds open, as the hub sees them."""
    with hub._changed:
        return len(hub._open)


@pytest.mark.parametrize("ready", [True, False], ids=["between reads", "in a read"])
def test_a_broken_off_stream_leaves_nothing(kind: str, fault_hub: FaultHub, ready: bool) -> None:
    list(stream_of(kind))  # threads and idle connections of the process are there now
    threads = threads_of(fault_hub)
    rows = iter(stream_of(kind))
    for _ in range(60):
        next(rows)
    if not ready:
        # Reading ahead, if there is any, hangs in the middle of a body.
        fault_hub.fault(ID, faults.stall(1000), statuses=(200, 206))
    del rows
    gc.collect()
    ours, python = threads_of(fault_hub)
    assert ours <= threads[0]  # fewer where idle ones of the first stream ended meanwhile
    assert python == threads[1]
    # What was on its way comes before the answers to others; from then on the stream asks for nothing.
    asked = []
    for _ in range(2):
        for _ in range(3):
            assert HfApi().list_repo_files(ID, repo_type="dataset")
        assert all_answered(fault_hub)
        asked.append(len(fault_hub.requests(rf"0.{kind}")))
    assert asked[0] == asked[1]
    assert connections_to(fault_hub) <= 8


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("begun", [1, 60, 130])
def test_an_open_stream_goes_on_in_a_forked_child(kind: str, fault_hub: FaultHub, begun: int) -> None:
    """Also where the next row group was being read ahead; the parent goes on too."""
    rows: Iterator[dict[str, Any]] = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(begun)) == list(range(begun))

    def child() -> None:
        assert numbers(next(rows) for _ in range(5)) == list(range(begun, begun + 5))
        in_child(lambda: numbers(rows) == list(range(begun + 5, ROWS)) or os._exit(3))
        assert numbers(rows) == list(range(begun + 5, ROWS))

    in_child(child)
    assert numbers(rows) == list(range(begun, ROWS))
