"""Unfinished large files: who goes on with them, and who leaves them alone."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faulthub import FaultHub, faults
from faulthub.clean import faults_of
from hfhub import hf_hub_download
from hfhub._client import client
from hfhub.errors import HfHubHTTPError, IntegrityError

ID = "org/data"
MIB = 1 << 20
SEGMENT = 4 * MIB
DATA = random.Random(8).randbytes(60_000_000)
ETAG = hashlib.sha256(DATA).hexdigest()

FETCH = f"import hfhub; hfhub.hf_hub_download({ID!r}, 'large.bin', repo_type='dataset')"


@pytest.fixture
def hub(fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> FaultHub:
    fault_hub.repo("dataset", ID).commit({"large.bin": DATA})
    monkeypatch.setenv("HFHUB_CONNECTIONS", "2")  # what an interruption costs is a segment for each
    return fault_hub


@pytest.fixture
def cache(fault_env: Path) -> Path:
    return fault_env / "hub"


def get() -> bytes:
    return Path(hf_hub_download(ID, "large.bin", repo_type="dataset")).read_bytes()


def journal(cache: Path) -> Path:
    return cache / ".locks" / "datasets--org--data" / f"{ETAG}.hfhub"


def noted(cache: Path) -> int:
    """Segments that the journal has."""
    try:
        lines = journal(cache).read_text().splitlines()[1:]
    except FileNotFoundError:
        return 0
    return len([line for line in lines if line != "released"])


def temporary(cache: Path) -> list[Path]:
    return list((cache / "datasets--org--data" / "blobs").glob("*.incomplete"))


def kill_when(hub: FaultHub, cache: Path, segments: int) -> None:
    """Runs a download and kills it when so many segments are there."""
    running = subprocess.Popen([sys.executable, "-c", FETCH], env=os.environ.copy())
    try:
        assert hub.wait_until(lambda: noted(cache) >= segments, timeout=60)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert running.returncode == -signal.SIGKILL


def test_killed_twice_then_finished(hub: FaultHub, cache: Path) -> None:
    slow = hub.fault("large", faults.drip(10_000_000), origin="cdn")
    kill_when(hub, cache, 4)
    first = noted(cache)
    kill_when(hub, cache, first + 4)
    assert len(temporary(cache)) == 1
    slow.times = 0
    before = hub.served("large")
    there = noted(cache) * SEGMENT
    assert get() == DATA
    assert hub.served("large") - before <= len(DATA) - there + SEGMENT
    # Each kill costs the begun segments of two connections, and what was in the sockets.
    assert hub.served("large") <= len(DATA) + 2 * 2 * SEGMENT + 8 * MIB
    assert not journal(cache).exists()
    assert not temporary(cache)
    assert faults_of(cache, resumable=False) == []


def test_an_interrupt_leaves_what_is_there_to_the_next(hub: FaultHub, cache: Path) -> None:
    hub.fault("large", faults.drip(20_000_000), origin="cdn")

    def interrupt(*_: object) -> None:
        if noted(cache) >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client().download_file("dataset", ID, "large.bin", None, progress=interrupt)
    assert len(temporary(cache)) == 1
    assert journal(cache).read_text().endswith("released\n")
    hub.clear()
    hub.forget()
    there = noted(cache) * SEGMENT
    assert get() == DATA
    assert hub.served("large") <= len(DATA) - there + SEGMENT
    assert faults_of(cache, resumable=False) == []


def test_a_server_that_dies_leaves_what_is_there_to_the_next(hub: FaultHub, cache: Path) -> None:
    dead = hub.fault("large", faults.status(503), method="GET", skip=4)
    with pytest.raises(HfHubHTTPError):
        get()
    assert noted(cache) >= 1
    dead.times = 0
    hub.forget()
    assert get() == DATA
    assert hub.served("large") < len(DATA)
    assert faults_of(cache, resumable=False) == []


def test_damaged_segments_are_fetched_again(hub: FaultHub, cache: Path) -> None:
    slow = hub.fault("large", faults.drip(20_000_000), origin="cdn")
    kill_when(hub, cache, 3)
    slow.times = 0
    [unfinished] = temporary(cache)
    with unfinished.open("r+b") as file:
        file.seek(int(journal(cache).read_text().splitlines()[1].split()[0]) * SEGMENT)
        file.write(b"damage")
    there = (noted(cache) - 1) * SEGMENT
    hub.forget()
    assert get() == DATA
    assert len(DATA) - there <= hub.served("large") <= len(DATA) - there + SEGMENT
    assert faults_of(cache, resumable=False) == []


def test_a_living_writer_is_left_alone(hub: FaultHub, cache: Path) -> None:
    """Where locks do nothing, two may bring one file: each its own."""
    hub.fault("large", faults.drip(20_000_000), origin="cdn")
    kill_when(hub, cache, 2)
    hub.clear()
    text = journal(cache).read_text()
    header, rest = text.split("\n", 1)
    said = json.loads(header)
    stat = Path(f"/proc/{os.getpid()}/stat")
    if not stat.exists():
        pytest.skip("this kernel does not tell when a process was started")
    said["writer"] |= {"pid": os.getpid(), "started": stat.read_text().rpartition(")")[2].split()[19]}
    journal(cache).write_text(json.dumps(said) + "\n" + rest)
    [others] = temporary(cache)
    content = others.read_bytes()
    hub.forget()
    assert get() == DATA
    assert hub.served("large") == len(DATA)
    assert others.read_bytes() == content


def test_files_of_others_are_not_touched(hub: FaultHub, cache: Path) -> None:
    blobs = cache / "datasets--org--data" / "blobs"
    blobs.mkdir(parents=True)
    theirs = [blobs / f"{ETAG}.incomplete", blobs / f"{ETAG}.0123abcd.incomplete"]
    for path in theirs:
        path.write_bytes(b"not ours")
    assert get() == DATA
    assert [p.read_bytes() for p in theirs] == [b"not ours"] * 2


def test_wrong_bytes_leave_nothing(hub: FaultHub, cache: Path) -> None:
    hub.fault("large", faults.flip(9), origin="cdn")
    with pytest.raises(IntegrityError):
        get()
    assert not temporary(cache)
    assert not journal(cache).exists()
    assert faults_of(cache, resumable=False) == []
