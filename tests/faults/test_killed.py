"""Processes killed in mid-download: the next one goes on from what is there. The hub counts what it serves."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faulthub import FaultHub, faults
from faulthub.clean import faults_of

MB = 1_000_000
SIZE = 96 * MB
SEGMENT = 4 << 20
"""What a killed connection loses at the most: the segment that it works on."""

DOWNLOAD = """
from hfhub import hf_hub_download
print(hf_hub_download("org/data", "large.bin", repo_type="dataset"))
"""


def start() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", DOWNLOAD], stdout=subprocess.PIPE, text=True)


def written(folder: Path) -> int:
    """Bytes of the incomplete file that are there, in pages that are not empty: it has its size from the start.

    What the hub has served says less: the sockets of a busy machine hold many bytes that nobody read.
    """
    (incomplete,) = (folder / "hub").glob("*/blobs/*.incomplete")
    pages = np.memmap(incomplete, mode="r")
    pages = pages[: pages.size // 4096 * 4096].reshape(-1, 4096)
    return int(np.count_nonzero(pages[:, :64].any(axis=1))) * 4096


@pytest.mark.parametrize("connections", [1, 8])
def test_killed_twice_in_mid_download(
    fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    data = random.Random(2).randbytes(SIZE)
    fault_hub.repo("dataset", "org/data").commit({"large.bin": data})
    slow = fault_hub.fault("large", faults.drip(48 * MB / connections), origin="cdn")
    monkeypatch.setenv("HFHUB_CONNECTIONS", str(connections))
    there = 0
    for _ in range(2):
        process = start()
        assert fault_hub.wait_until(lambda: fault_hub.served("large") > 0.4 * SIZE)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL
        assert not list((fault_env / "hub").glob("*/snapshots/*/large.bin"))
        assert faults_of(fault_env / "hub") == []  # what is incomplete is named by a journal
        before, there = there, written(fault_env)
        assert before + 0.2 * SIZE < there < SIZE
        fault_hub.forget()
    slow.times = 0
    out, _ = start().communicate(timeout=60)
    assert Path(out.strip()).read_bytes() == data
    assert faults_of(fault_env / "hub", resumable=False) == []
    assert fault_hub.served("large") <= SIZE - there + connections * SEGMENT


GIB = 1 << 30


def test_killed_at_half_of_a_gibibyte(fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = random.Random(3).randbytes(1 << 20)
    data = block * 1024
    fault_hub.repo("dataset", "org/data").commit({"large.bin": data})
    process = start()
    assert fault_hub.wait_until(lambda: fault_hub.served("large") > GIB / 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert fault_hub.served("large") < GIB
    there = written(fault_env)
    assert GIB // 4 < there < GIB
    fault_hub.forget()
    out, _ = start().communicate(timeout=90)
    with Path(out.strip()).open("rb") as file:
        for index in range(1024):
            assert file.read(len(block)) == block, index
    # The rest, and of each connection at most a segment that was not complete.
    assert fault_hub.served("large") <= GIB - there + 8 * SEGMENT
