"""Locks: shared with the official client, bounded, and nothing depends on them."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from faulthub import FaultHub, Repository, faults
from hfhub import hf_hub_download
from hfhub.errors import LockTimeoutError, LockWarning

ID = "org/data"
LARGE = os.urandom(2_000_000)
ETAG = hashlib.sha256(LARGE).hexdigest()

HOLD = """
import sys
from huggingface_hub.utils import WeakFileLock
with WeakFileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
TRY = """
import sys
from filelock import FileLock, Timeout
try:
    with FileLock(sys.argv[1], timeout=0.2):
        print("free")
except Timeout:
    print("busy")
"""
GET = """
import warnings
warnings.simplefilter("ignore")
from hfhub import hf_hub_download
print(hf_hub_download("org/data", "large.bin", repo_type="dataset"))
"""


@pytest.fixture
def repo(fault_env: Path, fault_hub: FaultHub) -> Repository:
    made = fault_hub.repo("dataset", ID)
    made.commit({"large.bin": LARGE})
    return made


@pytest.fixture
def lock(fault_env: Path, repo: Repository) -> Path:
    path = fault_env / "hub" / ".locks" / "datasets--org--data" / f"{ETAG}.lock"
    path.parent.mkdir(parents=True)
    return path


def get() -> bytes:
    return Path(hf_hub_download(ID, "large.bin", repo_type="dataset")).read_bytes()


@pytest.mark.parametrize("python", [sys.executable, "0.36"])
def test_a_lock_of_the_official_client_is_waited_for_and_its_holder_named(
    lock: Path, python: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    python = request.getfixturevalue("hub036_python") if python == "0.36" else python
    monkeypatch.setenv("HFHUB_LOCK_TIMEOUT", "0.3")
    with subprocess.Popen(
        [python, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockTimeoutError, match=f"process {holder.pid} on {socket.gethostname()}") as caught:
            get()
        assert isinstance(caught.value, TimeoutError)
        assert any("HFHUB_LOCK_TIMEOUT" in note for note in caught.value.__notes__)
        holder.communicate("")
    assert get() == LARGE
    assert lock.read_bytes() == b""


def test_the_official_client_waits_for_ours_until_it_is_killed(lock: Path, fault_hub: FaultHub) -> None:
    def tried() -> str:
        done = subprocess.run([sys.executable, "-c", TRY, str(lock)], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    fault_hub.fault("large.bin", faults.stall(1000), method="GET", origin="cdn")
    patient = {**os.environ, "HF_HUB_DOWNLOAD_TIMEOUT": "100"}
    with subprocess.Popen([sys.executable, "-c", GET], env=patient, stdout=subprocess.DEVNULL) as download:
        assert fault_hub.wait_until(lambda: bool(fault_hub.requests("large.bin", origin="cdn")))
        assert tried() == "busy"
        download.kill()
    assert tried() == "free"
    fault_hub.clear()
    assert get() == LARGE


@pytest.mark.parametrize("mode", ["off", "soft", "flock"])
def test_eight_writers_of_one_file_are_all_right(
    repo: Repository, fault_env: Path, fault_hub: FaultHub, mode: str
) -> None:
    """With `off` nothing waits for anything, as where `flock` does nothing."""
    environment = {**os.environ, "HFHUB_LOCKS": mode}
    writers = [
        subprocess.Popen([sys.executable, "-c", GET], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    paths = {writer.communicate(timeout=60)[0].strip() for writer in writers}
    assert [writer.returncode for writer in writers] == [0] * 8
    (path,) = paths
    assert Path(path).read_bytes() == LARGE
    blobs = fault_env / "hub" / "datasets--org--data" / "blobs"
    assert [p.name for p in blobs.iterdir()] == [ETAG]
    count = len(fault_hub.requests("large.bin", origin="cdn", method="GET"))
    assert count <= 8 if mode == "off" else count == 1


def test_the_lock_file_of_a_dead_process_is_broken_with_a_warning(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lock.write_text(f"{gone.pid}\n{socket.gethostname()}\n")
    monkeypatch.setenv("HFHUB_LOCKS", "soft")
    with pytest.warns(LockWarning, match=f"process {gone.pid} on"):
        assert get() == LARGE
    assert not lock.exists()


def test_a_lock_file_of_another_machine_is_broken_when_it_is_old(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock.write_text("77\nanother-machine\n")
    monkeypatch.setenv("HFHUB_LOCKS", "soft")
    monkeypatch.setenv("HFHUB_LOCK_TIMEOUT", "0.2")
    with pytest.raises(LockTimeoutError, match="process 77 on another-machine"):
        get()
    minute_ago = lock.stat().st_mtime - 61
    os.utime(lock, (minute_ago, minute_ago))
    with pytest.warns(LockWarning, match="another-machine"):
        assert get() == LARGE


def test_an_old_lock_file_does_not_block_flock(lock: Path) -> None:
    lock.write_text("77\nanother-machine\n")
    assert get() == LARGE
