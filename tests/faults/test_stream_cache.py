"""`load_dataset(..., streaming=True, cache=True)`: what was read once is read from this machine."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import streamed
from crucible_datasets import load_dataset
from faulthub import FaultHub, Request, Response, faults
from faulthub.clean import faults_of
from hfhub import cache_stats, prune, scan_cache_dir, try_to_load_from_cache
from hfhub.errors import IntegrityError
from streamed import MAKERS, all_answered, jsonl, kept, numbers, rows_of

ID = "org/kept"
ROWS = 1200


@pytest.fixture(params=sorted(MAKERS))
def kind(request: pytest.FixtureRequest, fault_hub: FaultHub, fault_env: Path) -> str:
    """A dataset of two files of this format, some megabytes each."""
    files = {f"{n}.{request.param}": MAKERS[request.param](rows_of(n * ROWS, ROWS, 1000)) for n in range(2)}
    fault_hub.repo("dataset", ID).commit(files, lfs=("*",))
    return str(request.param)


def stream_of(kind: str, cache: bool | int = True, **more: Any) -> Any:
    return streamed.stream_of(ID, kind, cache=cache, **more)


def settled(hub: FaultHub, home: Path) -> None:
    """Waits until what is read ahead is there and written: nothing else is asked for while nobody takes rows."""
    assert all_answered(hub)
    before, looked = -1, threading.Event()
    while before != kept(home):
        before = kept(home)
        looked.wait(0.1)


def test_blocks_are_fetched_once(kind: str, fault_hub: FaultHub) -> None:
    """Row groups and pieces are read side by side, and meet in blocks."""
    size = sum(len(b.data) for b in fault_hub.repos["dataset", ID].resolve("main").files.values())  # type: ignore[union-attr]
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))
    assert fault_hub.served(r"\d\.") == size


def test_several_row_groups_are_read_ahead(fault_hub: FaultHub, fault_env: Path) -> None:
    """As without a cache: while one waits for its bytes, others are on their way."""
    data = MAKERS["parquet"](rows_of(0, ROWS, 3000))  # row groups of 600 kB
    fault_hub.repo("dataset", ID).commit({"0.parquet": data}, lfs=("*",))
    rows = iter(stream_of("parquet"))
    assert numbers(next(rows) for _ in range(230)) == list(range(230))
    assert fault_hub.wait_until(lambda: fault_hub.served(r"0\.") > len(data) * 4.5 / 12)
    assert numbers(rows) == list(range(230, ROWS))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", ["parquet", "jsonl"], indirect=True)
def test_a_forked_child_goes_on(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(230)) == list(range(230))
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        os._exit(0 if numbers(rows) == list(range(230, 2 * ROWS)) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert numbers(rows) == list(range(230, 2 * ROWS))
    assert faults_of(fault_env / "hub") == []


def test_the_second_epoch_asks_for_no_data(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    stream = stream_of(kind)
    first = list(stream)
    assert [row["i"] for row in first] == list(range(2 * ROWS))
    fault_hub.forget()
    assert list(stream) == first
    assert list(stream_of(kind)) == first
    assert list(pickle.loads(pickle.dumps(stream))) == first
    assert fault_hub.served(r"\d\.(parquet|jsonl)") == 0
    assert faults_of(fault_env / "hub") == []


def test_it_goes_without_a_network(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(stream_of(kind))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert list(stream_of(kind)) == first


def test_a_file_that_was_read_whole_is_a_downloaded_one(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    list(stream_of(kind))
    commit = fault_hub.repos["dataset", ID].resolve("main")
    assert commit is not None
    for path, blob in commit.files.items():
        found = try_to_load_from_cache(ID, path, repo_type="dataset")
        assert isinstance(found, str), path
        assert Path(found).read_bytes() == blob.data
    assert kept(fault_env) == 0
    assert not list(fault_env.glob("hub/*/streams"))
    fault_hub.forget()
    assert len(load_dataset(ID, split="train")) == 2 * ROWS
    assert fault_hub.served(r"\d\.(parquet|jsonl)") == 0
    assert scan_cache_dir().warnings == []


def test_what_was_downloaded_is_not_streamed(kind: str, fault_hub: FaultHub) -> None:
    load_dataset(ID, split="train")
    fault_hub.forget()
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))
    assert fault_hub.served(r"\d\.(parquet|jsonl)") == 0


def test_a_stream_that_is_broken_off_keeps_what_it_had(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(10)) == list(range(10))
    settled(fault_hub, fault_env)
    del rows
    had = fault_hub.served(r"0\.")
    assert kept(fault_env) > 0
    fault_hub.forget()
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))
    size = sum(len(b.data) for b in fault_hub.repos["dataset", ID].resolve("main").files.values())  # type: ignore[union-attr]
    assert fault_hub.served(r"\d\.") <= size - had + (1 << 19)


SCRIPT = """
import sys
from crucible_datasets import Features, Value, load_dataset
features = None if sys.argv[1] == "parquet" else Features({"i": Value("int64"), "t": Value("string")})
rows = iter(load_dataset("org/kept", split="train", streaming=True, features=features, cache=True))
for number, row in enumerate(rows):
    if number == 300:
        print("there", flush=True)
"""


@pytest.mark.parametrize("kind", ["parquet", "jsonl"], indirect=True)
def test_a_killed_process_leaves_no_wrong_bytes(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    fault_hub.fault(r"0\.", faults.drip(3_000_000), statuses=(200, 206))
    with subprocess.Popen([sys.executable, "-c", SCRIPT, kind], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGKILL)
    fault_hub.clear()
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))


@pytest.mark.parametrize("kind", ["parquet", "jsonl"], indirect=True)
def test_several_processes_keep_the_same_files(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    script = SCRIPT + "\nassert number == 2399\n"
    ranks = [subprocess.Popen([sys.executable, "-c", script, kind], stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [rank.wait(60) for rank in ranks] == [0, 0, 0]
    fault_hub.forget()
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))
    assert fault_hub.served(r"\d\.(parquet|jsonl)") == 0
    assert faults_of(fault_env / "hub") == []


def test_a_damaged_block_is_fetched_again(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(10)) == list(range(10))
    settled(fault_hub, fault_env)
    del rows
    segments = list(fault_env.glob("hub/*/streams/*/*"))
    assert segments
    for path in segments:
        content = bytearray(path.read_bytes())
        for at in range(4096 + 1000, len(content), 1 << 18):
            content[at] ^= 1
        path.write_bytes(content)
    assert numbers(stream_of(kind)) == list(range(2 * ROWS))


def test_the_limit_holds(kind: str, fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [len(b.data) for b in fault_hub.repos["dataset", ID].resolve("main").files.values()]  # type: ignore[union-attr]
    limit = max(sizes) + 300_000  # one of the two, which then becomes a file of the cache: blocks of the other follow
    monkeypatch.setenv("CRUCIBLE_STREAM_CACHE_LIMIT", str(limit))
    for _ in range(2):
        rows = iter(stream_of(kind))
        for number in range(2 * ROWS):
            assert next(rows)["i"] == number
            if number % 100 == 0:
                assert kept(fault_env) <= limit
    assert numbers(stream_of(kind, cache=1000)) == list(range(2 * ROWS))
    fault_hub.forget()
    assert kept(fault_env) <= limit


def test_no_room_keeps_nothing(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    size = sum(len(b.data) for b in fault_hub.repos["dataset", ID].resolve("main").files.values())  # type: ignore[union-attr]
    for limit in (1000, 0):
        fault_hub.forget()
        assert numbers(stream_of(kind, cache=limit)) == list(range(2 * ROWS))
        assert fault_hub.served(r"\d\.") <= size + 2 * 3 * (1 << 18)  # whole blocks as long as they may be kept
    assert kept(fault_env) == 0


def test_the_cache_tools_know_it(kind: str, fault_hub: FaultHub, fault_env: Path) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(10)) == list(range(10))
    settled(fault_hub, fault_env)
    segments = sorted(fault_env.glob("hub/*/streams/*/*"))
    (fault_env / "hub" / "datasets--org--kept" / "snapshots").mkdir(exist_ok=True)
    assert 0 < cache_stats().streams_size <= kept(fault_env)
    assert prune().streams == []
    assert prune(streams=True, dry_run=True).streams == segments
    report = prune(streams=True)
    assert report.streams == segments
    assert report.freed > 0
    assert cache_stats().streams_size == 0
    assert not list(fault_env.glob("hub/*/streams"))
    assert numbers(rows) == list(range(10, 2 * ROWS))


@pytest.fixture
def readable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache in a folder that every user may read; pytest's own may not."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        monkeypatch.setenv("HF_HOME", str(folder / "home"))
        yield folder / "home"
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o700 if path.is_dir() else 0o600)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", ["parquet", "jsonl"], indirect=True)
def test_a_cache_that_may_only_be_read_is_read(kind: str, fault_hub: FaultHub, readable: Path) -> None:
    rows = iter(stream_of(kind))
    assert numbers(next(rows) for _ in range(40)) == list(range(40))
    settled(fault_hub, readable)
    del rows
    had = fault_hub.served(r"0\.")
    for path in [readable, *readable.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_size for path in readable.rglob("*.blocks")}
    assert before
    fault_hub.forget()
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        if os.getuid() == 0:  # who may write everything
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        os._exit(0 if numbers(stream_of(kind)) == list(range(2 * ROWS)) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    size = sum(len(b.data) for b in fault_hub.repos["dataset", ID].resolve("main").files.values())  # type: ignore[union-attr]
    assert fault_hub.served(r"\d\.") <= size - had + (1 << 19)
    assert {path: path.stat().st_size for path in readable.rglob("*.blocks")} == before


def another_letter(_: Request, response: Response) -> None:
    """One digit of a text is wrong, and the line is as good as before."""
    response.body = bytes(response.body).replace(b"a", b"b", 1)


def test_wrong_bytes_are_not_kept(fault_hub: FaultHub, fault_env: Path) -> None:
    fault_hub.repo("dataset", ID).commit({"0.jsonl": jsonl(rows_of(0, ROWS, 1000))}, lfs=("*",))
    wrong = fault_hub.fault(r"0\.", another_letter, method="GET", times=1, statuses=(200, 206))
    with pytest.raises(IntegrityError, match=r"0\.jsonl"):
        list(stream_of("jsonl"))
    assert wrong.hits == 1
    assert kept(fault_env) == 0
    assert numbers(stream_of("jsonl")) == list(range(ROWS))


def test_arguments(kind: str) -> None:
    with pytest.raises(ValueError, match="streaming"):
        load_dataset(ID, split="train", cache=True)
    with pytest.raises(ValueError, match="-1"):
        stream_of(kind, cache=-1)
