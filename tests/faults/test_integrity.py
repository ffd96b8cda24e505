"""Wrong bytes never get a name: one more try from the hub, then an error that names both hashes."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from faulthub import FaultHub, Repository, faults
from faulthub.clean import faults_of
from faulthub.repo import git_hash
from hfhub import hf_hub_download, snapshot_download
from hfhub.errors import IntegrityError

ID = "org/data"
FILES = {
    "small.txt": b"some text\n" * 100,
    "large.bin": random.Random(1).randbytes(3_000_000),
    "huge.bin": random.Random(2).randbytes(40_000_000),
}
KINDS = pytest.mark.parametrize("name", FILES)


@pytest.fixture(scope="module")
def made() -> Repository:
    repo = Repository("dataset", ID)
    repo.commit(FILES)
    return repo


@pytest.fixture
def hub(fault_hub: FaultHub, made: Repository) -> FaultHub:
    made.access = fault_hub.repo("dataset", ID).access
    fault_hub.repos["dataset", ID] = made
    return fault_hub


def get(name: str) -> bytes:
    return Path(hf_hub_download(ID, name, repo_type="dataset")).read_bytes()


def on_disk(cache: Path) -> list[Path]:
    return [p for p in cache.glob("*--*/**/*") if p.is_file() and p.parent.name != "refs"]


@KINDS
def test_the_second_body_is_right(hub: FaultHub, fault_env: Path, name: str) -> None:
    wrong = hub.fault(name, faults.flip(1234), method="GET", statuses=(200, 206), times=1)
    assert get(name) == FILES[name]
    assert wrong.hits == 1
    assert hub.served(name) <= 2 * len(FILES[name])
    assert faults_of(fault_env / "hub") == []


@KINDS
def test_wrong_twice(hub: FaultHub, fault_env: Path, name: str) -> None:
    hub.fault(name, faults.flip(1234), method="GET", statuses=(200, 206))
    with pytest.raises(IntegrityError) as caught:
        get(name)
    data = FILES[name]
    promised = hashlib.sha256(data).hexdigest() if name.endswith(".bin") else git_hash("blob", data)
    assert promised in str(caught.value)
    if name != "huge.bin":  # its parts are each wrong somewhere
        bad = bytearray(data)
        bad[1234 % len(data)] ^= 0x55
        found = hashlib.sha256(bad).hexdigest() if name.endswith(".bin") else git_hash("blob", bytes(bad))
        assert found in str(caught.value)
    assert (caught.value.repo_id, caught.value.path) == (ID, name)
    assert hub.served(name) <= 2 * len(data)
    assert on_disk(fault_env / "hub") == []
    assert faults_of(fault_env / "hub", resumable=False) == []


def test_the_right_files_of_a_snapshot_stay(hub: FaultHub, fault_env: Path) -> None:
    hub.fault("small", faults.flip(), method="GET", statuses=(200, 206))
    with pytest.raises(IntegrityError, match=r"small\.txt"):
        snapshot_download(ID, repo_type="dataset", allow_patterns=["small.txt", "large.bin"], max_workers=1)
    assert faults_of(fault_env / "hub") == []
    hub.clear()
    folder = Path(snapshot_download(ID, repo_type="dataset", allow_patterns=["small.txt", "large.bin"]))
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {n: FILES[n] for n in ("small.txt", "large.bin")}
    assert hub.served("large") <= len(FILES["large.bin"])
