"""Ctrl-C while hfhub waits: for a body, an answer, a listing, a rate limit, a lock. The call returns at once."""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
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


def interrupted_after(hub: FaultHub, call: str, about: str | Callable[[], bool]) -> float:
    """Starts the call in a process, sends SIGINT once the hub was asked `about`. Returns the seconds until it raised."""
    asked = about if callable(about) else lambda: bool(hub.requests(about))
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(call=call)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            assert hub.wait_until(asked), "the hub was not asked"
            time.sleep(0.2)  # not to synchronise: so that the call waits in earnest
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, err[-2000:]
    return float(out) - sent


UPLOAD = (
    'HfApi(token="hf_good").upload_file(path_or_fileobj=b"\\0" * 9_000_000, path_in_repo="up.bin", '
    'repo_id="org/data", repo_type="dataset")'
)


@pytest.mark.parametrize(("about", "origin"), [("up.bin", "cdn"), ("preupload", "hub"), ("/commit/", "hub")])
def test_in_the_middle_of_an_upload(stalling: FaultHub, about: str, origin: str) -> None:
    where = "." if origin == "cdn" else about
    stalling.fault(where, faults.delay(60), origin=origin)
    assert interrupted_after(stalling, UPLOAD, lambda: bool(stalling.requests(where, origin=origin))) < BOUND


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


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_in_the_middle_of_a_stream(stalling: FaultHub, format: str) -> None:
    """A row was had, the next read hangs in a body."""
    # Lines are read ahead in growing pieces: so many that the last of them come long after the first rows.
    count = {"parquet": 1000, "jsonl": 8000}[format]
    lines = "".join(json.dumps({"i": i, "t": os.urandom(1000).hex()}) + "\n" for i in range(count)).encode()
    if format == "parquet":
        out = io.BytesIO()
        table = pa.Table.from_pylist([json.loads(line) for line in lines.splitlines()])
        pq.write_table(table, out, row_group_size=250, compression="none", use_dictionary=False)
    content = lines if format == "jsonl" else out.getvalue()
    stalling.repo("dataset", "org/rows").commit({f"0.{format}": content}, lfs=("*",))
    # The first bytes and those for the first rows come; what is asked next does not. `served` says when it hangs.
    passed = {"parquet": 2, "jsonl": 3}[format]
    stalling.fault(rf"0.{format}", faults.stall(10_000), origin="cdn", method="GET", skip=passed)
    call = (
        "from crucible_datasets import load_dataset, Features, Value; "
        'list(load_dataset("org/rows", split="train", streaming=True, '
        'features=Features({"i": Value("int64"), "t": Value("string")})))'
    )
    about = lambda: len(stalling.requests(rf"0.{format}", origin="cdn", method="GET")) > passed  # noqa: E731
    assert interrupted_after(stalling, call, about) < BOUND


def test_while_a_file_is_opened(stalling: FaultHub) -> None:
    """The footer of a stream's file does not come."""
    out = io.BytesIO()
    pq.write_table(pa.table({"i": range(100_000)}), out)
    stalling.repo("dataset", "org/rows").commit({"0.parquet": out.getvalue()}, lfs=("*",))
    stalling.fault(r"0.parquet", faults.stall(10), origin="cdn", method="GET")
    call = (
        "from crucible_datasets import load_dataset, Features, Value; "
        'next(iter(load_dataset("org/rows", split="train", streaming=True, features=Features({"i": Value("int64")}))))'
    )
    about = lambda: bool(stalling.requests(r"0.parquet", origin="cdn", method="GET"))  # noqa: E731
    assert interrupted_after(stalling, call, about) < BOUND
