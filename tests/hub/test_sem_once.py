"""Costs in requests: snapshots, negative answers, and processes that want the same thing at the same time."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import crucible_datasets
from faulthub import FaultHub, Repository, Request, Response
from hfhub import HubServer, hf_hub_download, resolve_revision, snapshot_download
from hfhub.errors import EntryNotFoundError

ID = "org/data"

# A crowd: forks of one process that has imported everything start together at a gate.
CROWD = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import hfhub
from hfhub import hf_hub_download, snapshot_download
count, work = int(sys.argv[1]), sys.argv[2]
gate_in, gate_out = os.pipe()
results = []
for rank in range(count):
    answer_in, answer_out = os.pipe()
    if os.fork() == 0:
        os.close(gate_out)
        os.read(gate_in, 1)
        try:
            said = eval(work, {**globals(), "rank": rank})
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(answer_out, json.dumps(said).encode())
        os._exit(0)
    os.close(answer_out)
    results.append(answer_in)
os.close(gate_out)
print(json.dumps([json.loads(os.read(answer, 1 << 16)) for answer in results]))
"""


def crowd(count: int, work: str, **environment: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", CROWD, str(count), work],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture
def repo(fault_env: Path, fault_hub: FaultHub) -> Repository:
    made = fault_hub.repo("dataset", ID)
    made.commit({f"data/{i:03}.txt": f"file {i}\n".encode() for i in range(60)})
    return made


def logical(hub: FaultHub) -> list[str]:
    """Requests as the hub counts them: what a relative redirect leads to belongs to the first."""
    return [line.target for line in hub.requests(origin="hub") if "/api/resolve-cache/" not in line.target]


def test_a_snapshot_costs_its_listing_and_its_files(repo: Repository, fault_hub: FaultHub) -> None:
    folder = snapshot_download(ID, repo_type="dataset")
    assert not fault_hub.requests(method="HEAD")
    assert len(logical(fault_hub)) == 2 + 60
    fault_hub.forget()
    assert snapshot_download(ID, repo_type="dataset") == folder
    assert len(logical(fault_hub)) == 1
    fault_hub.forget()
    assert snapshot_download(ID, repo_type="dataset", revision=Path(folder).name) == folder
    assert fault_hub.requests() == []


def test_only_what_is_missing_is_fetched(repo: Repository, fault_hub: FaultHub) -> None:
    snapshot_download(ID, repo_type="dataset")
    repo.commit({"data/001.txt": b"new\n"})
    fault_hub.forget()
    snapshot_download(ID, repo_type="dataset")
    assert len(logical(fault_hub)) == 3


def test_the_same_content_is_fetched_once(fault_env: Path, fault_hub: FaultHub, tmp_path: Path) -> None:
    fault_hub.repo("dataset", ID).commit({f"{i}.bin": b"the same\n" * 100 for i in range(9)})
    for target in ({}, {"local_dir": tmp_path / "local"}):
        fault_hub.forget()
        folder = Path(snapshot_download(ID, repo_type="dataset", cache_dir=tmp_path / "cache", **target))
        assert {p.read_bytes() for p in folder.glob("*.bin")} == {b"the same\n" * 100}
        assert len(list(folder.glob("*.bin"))) == 9
        assert len(fault_hub.requests(r"\.bin", origin="cdn")) == (0 if target else 1)


def test_a_file_at_a_listed_commit_needs_no_head(repo: Repository, fault_hub: FaultHub) -> None:
    folder = Path(snapshot_download(ID, repo_type="dataset", allow_patterns="data/000.txt"))
    fault_hub.forget()
    path = hf_hub_download(ID, "data/007.txt", repo_type="dataset", revision=folder.name)
    assert Path(path).read_bytes() == b"file 7\n"
    assert not fault_hub.requests(method="HEAD")
    fault_hub.forget()
    with pytest.raises(EntryNotFoundError, match="no such file"):
        hf_hub_download(ID, "absent.txt", repo_type="dataset", revision=folder.name)
    assert fault_hub.requests() == []


def test_absence_is_remembered(repo: Repository, fault_hub: FaultHub) -> None:
    commit = repo.refs["refs/heads/main"]
    for expected in (1, 0):
        fault_hub.forget()
        with pytest.raises(EntryNotFoundError):
            hf_hub_download(ID, "absent.txt", repo_type="dataset", revision=commit)
        assert len(logical(fault_hub)) == expected


def test_a_warm_load_dataset_is_one_request_and_none_offline(
    hub: HubServer, hf_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = crucible_datasets.load_dataset("org/small", split="train").to_list()
    hub.clear_requests()
    assert crucible_datasets.load_dataset("org/small", split="train").to_list() == rows
    assert len(hub.requests()) == 1
    hub.clear_requests()
    pinned = resolve_revision("org/small", repo_type="dataset")
    crucible_datasets.load_dataset("org/small", split="train", revision=pinned)
    assert len(hub.requests()) == 1
    hub.clear_requests()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert crucible_datasets.load_dataset("org/small", split="train").to_list() == rows
    assert hub.requests() == []


def test_processes_that_want_the_same_file_fetch_it_once(repo: Repository, fault_hub: FaultHub) -> None:
    repo.commit({"large.bin": os.urandom(3_000_000)})
    found = crowd(12, "hf_hub_download('org/data', 'large.bin', repo_type='dataset')")
    assert len(set(found)) == 1
    assert len(fault_hub.requests("large.bin", origin="cdn", method="GET")) == 1


def test_processes_that_want_the_same_snapshot_list_it_once(repo: Repository, fault_hub: FaultHub) -> None:
    found = crowd(12, "snapshot_download('org/data', repo_type='dataset')")
    assert len(set(found)) == 1
    assert Path(found[0]).is_dir(), found
    assert len(fault_hub.requests("/tree/")) == 1
    assert len([t for t in logical(fault_hub) if "/resolve/" in t]) == 60
    assert len(fault_hub.requests("/revision/")) == 12


def test_ranks_ask_for_the_commit_once(repo: Repository, fault_hub: FaultHub) -> None:
    found = crowd(12, "snapshot_download('org/data', repo_type='dataset')", WORLD_SIZE="12")
    assert Path(found[0]).is_dir(), found
    assert len(fault_hub.requests("/revision/")) == 1
    assert len(logical(fault_hub)) == 2 + 60
    fault_hub.forget()
    warm = crowd(12, "hf_hub_download('org/data', f'data/{rank:03}.txt', repo_type='dataset')", WORLD_SIZE="12")
    assert all(Path(p).is_file() for p in warm), warm
    assert logical(fault_hub) == []  # the answer of the first start is still young


def test_ranks_that_load_the_same_dataset_ask_once(hub: HubServer, hf_env: Path) -> None:
    work = "len(__import__('crucible_datasets').load_dataset('org/small', split='train'))"
    assert crowd(4, work, WORLD_SIZE="4", HFHUB_REVISION_TTL="0") == [50] * 4
    hub.clear_requests()
    assert crowd(8, work, WORLD_SIZE="8") == [50] * 8
    assert len(hub.requests()) == 1


def test_a_commit_that_others_asked_for_runs_out(
    repo: Repository, fault_hub: FaultHub, monkeypatch: pytest.MonkeyPatch, fault_env: Path
) -> None:
    monkeypatch.setenv("HFHUB_REVISION_TTL", "60")
    first = snapshot_download(ID, repo_type="dataset")
    repo.commit({"new.txt": b"new"})
    assert snapshot_download(ID, repo_type="dataset") == first
    (note,) = (fault_env / "hub" / ".locks" / "datasets--org--data").glob("*.revision")
    told = json.loads(note.read_text())
    note.write_text(json.dumps({**told, "at": told["at"] - 61}))
    assert snapshot_download(ID, repo_type="dataset") != first
    monkeypatch.setenv("HFHUB_REVISION_TTL", "0")
    fault_hub.forget()
    snapshot_download(ID, repo_type="dataset")
    assert len(logical(fault_hub)) == 1


class Limit:
    """A limit of requests per time on a fault hub, told on every answer; what a relative redirect leads to is free."""

    def __init__(self, hub: FaultHub, quota: int, seconds: float) -> None:
        self.asked = self.refused = self.used = 0
        self.quota, self.seconds, self.start = quota, seconds, 0.0
        self.lock = threading.Lock()
        hub.fault("", self.change, origin="hub")

    def change(self, request: Request, response: Response) -> Response | None:
        if "/api/resolve-cache/" in request.target:
            return None
        with self.lock:
            now = time.monotonic()
            if now >= self.start + self.seconds:
                self.start, self.used = now, 0
            over = self.used >= self.quota
            self.used += not over
            self.asked += 1
            self.refused += over
            left, reset = self.quota - self.used, max(1, math.ceil(self.start + self.seconds - now))
        told = [
            ("RateLimit", f'"resolvers";r={left};t={reset}'),
            ("RateLimit-Policy", f'"fixed window";"resolvers";q={self.quota};w={self.seconds:g}'),
        ]
        if over:
            return Response(429, told, b"", response.about)
        kept = [(k, v) for k, v in response.headers if not k.lower().startswith("ratelimit")]
        return replace(response, headers=[*kept, *told])


def test_a_crowd_keeps_within_the_rate_limit(fault_env: Path, fault_hub: FaultHub) -> None:
    """Rank 4, smaller: 16 processes, 200 files, 120 requests in 2 s allowed."""
    fault_hub.repo("dataset", ID).commit({f"{i:03}.txt": f"file {i}\n".encode() for i in range(200)})
    limit = Limit(fault_hub, quota=120, seconds=2)
    found = crowd(16, "snapshot_download('org/data', repo_type='dataset')", WORLD_SIZE="16", HFHUB_MAX_RETRIES="10")
    assert all(Path(p).is_dir() for p in found), found
    assert len(set(found)) == 1
    assert limit.asked <= 1.2 * 200
    assert limit.refused <= 0.05 * limit.asked
