"""Ctrl-C while hfhub waits: for a body, an answer, a listing, a rate limit, a lock. The call returns at once."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faulthub import FaultHub, faults

SCRIPT = """
import sys, time
from hfhub import HfApi, hf_hub_download, snapshot_download
print("ready", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""
DOWNLOAD = 'hf_hub_download("org/data", "big.bin", repo_type="dataset")'
SNAPSHOT = 'snapshot_download("org/data", repo_type="dataset")'
LIST = 'HfApi().list_repo_files("org/data", repo_type="dataset")'
BOUND = 5.0
"""Seconds. The aim is 0.5; this bound only has to be far from the 60 s that each wait would take."""


@pytest.fixture
def stalling(fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> FaultHub:
    """A hub with one dataset, and clients that would wait a minute."""
    fault_hub.repo("dataset", "org/data").commit({"README.md": b"# data", "big.bin": bytes(2_000_000)})
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "60")
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "60")
    return fault_hub


def interrupted_after(hub: FaultHub, call: str, about: str) -> float:
    """Starts the call in a process, sends SIGINT once the hub was asked `about`. Returns the seconds until it raised."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(call=call)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            assert hub.wait_until(lambda: bool(hub.requests(about))), "the hub was not asked"
            time.sleep(0.2)  # not to synchronise: so that the call waits in earnest
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, err[-2000:]
    return float(out) - sent


@pytest.mark.parametrize("call", [DOWNLOAD, SNAPSHOT])
def test_in_the_middle_of_a_body(stalling: FaultHub, call: str) -> None:
    stalling.fault("big.bin", faults.stall(100_000), origin="cdn")
    assert interrupted_after(stalling, call, "big.bin") < BOUND


@pytest.mark.parametrize(
    ("call", "about"), [(DOWNLOAD, "resolve/main"), (SNAPSHOT, "/revision/"), (SNAPSHOT, "/tree/"), (LIST, "/tree/")]
)
def test_before_an_answer(stalling: FaultHub, call: str, about: str) -> None:
    stalling.fault(about, faults.delay(60))
    assert interrupted_after(stalling, call, about) < BOUND


@pytest.mark.parametrize(("call", "about"), [(DOWNLOAD, "resolve"), (LIST, "/tree/")])
def test_in_the_wait_of_a_rate_limit(stalling: FaultHub, call: str, about: str) -> None:
    stalling.fault(about, faults.rate_limited(60))
    assert interrupted_after(stalling, call, about) < BOUND


def test_in_the_wait_for_a_lock(stalling: FaultHub, fault_env: Path) -> None:
    etag = stalling.repos["dataset", "org/data"].resolve("main").files["big.bin"].etag
    lock = fault_env / "hub" / ".locks" / "datasets--org--data" / f"{etag}.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert interrupted_after(stalling, DOWNLOAD, "resolve") < BOUND
    assert not list((fault_env / "hub").glob("*/blobs/*"))
    assert json.dumps(sorted(p.name for p in lock.parent.iterdir())) == json.dumps([lock.name])
