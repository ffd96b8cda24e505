"""Bad networks: the right bytes, and few of them twice. The hub counts what it serves."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from faulthub import FaultHub, faults
from faulthub.clean import faults_of
from hfhub import hf_hub_download, snapshot_download

ID = "org/data"
MB = 1_000_000


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_a_line_that_is_cut_every_nine_megabytes(fault_hub: FaultHub, fault_env: Path) -> None:
    data = noise(40 * MB)
    fault_hub.repo("dataset", ID).commit({"large.bin": data})
    fault_hub.fault("large", faults.cut_every(9 * MB), origin="cdn")
    path = Path(hf_hub_download(ID, "large.bin", repo_type="dataset"))
    assert path.read_bytes() == data
    assert fault_hub.served("large") <= 1.05 * len(data)
    assert faults_of(fault_env / "hub") == []


def test_three_in_ten_answers_end_in_a_reset(
    fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFHUB_MAX_RETRIES", "8")  # one of 200 files may well have four such answers in a row
    files = {f"f{i // 50}/{i:03}.txt": noise(20_000 + 97 * i, i) for i in range(200)}
    fault_hub.repo("dataset", ID).commit(dict(files))
    fault = fault_hub.fault(
        r"\.txt", faults.reset_at_random(3), probability=0.3, seed=5, method="GET", statuses=(200, 206)
    )
    folder = Path(snapshot_download(ID, repo_type="dataset", max_workers=16))
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.txt")} == files
    assert fault.hits > 40
    assert fault_hub.served(r"\.txt") <= 1.1 * sum(map(len, files.values()))
    assert faults_of(fault_env / "hub") == []


def test_a_body_that_stalls_for_ever_is_noticed_and_finished(fault_hub: FaultHub, fault_env: Path) -> None:
    data = noise(12 * MB)
    fault_hub.repo("dataset", ID).commit({"large.bin": data})
    stalled = fault_hub.fault("large", faults.stall(5 * MB), origin="cdn", times=1)
    path = Path(hf_hub_download(ID, "large.bin", repo_type="dataset"))
    assert path.read_bytes() == data
    assert stalled.hits == 1
    assert fault_hub.served("large") <= 1.05 * len(data)
    assert faults_of(fault_env / "hub") == []
