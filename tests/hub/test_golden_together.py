"""Three clients at once on one cache: right bytes, nothing left over, no warning of either scan."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cachefuzz.hub import Commit, File, History, Hub
from cachefuzz.run import Worker
from cachefuzz.trees import dump

ROUNDS = 8
REPO = "datasets/org/ds"
CLIENTS = ["hfhub", "hub", "hub036", "hfhub", "hub", "hub036"]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, hub036_python: str) -> Iterator[tuple[Hub, list[Worker]]]:
    """A hub with files large enough that downloads meet, and two processes of each client."""
    files: Commit = {f"small/{i}.txt": File(f"{i}\n".encode() * 50) for i in range(6)}
    files |= {f"large{i}.bin": File(bytes([i]) * 3_000_000, lfs=True) for i in range(3)}
    files["same as large0.bin"] = files["large0.bin"]
    folder = tmp_path_factory.mktemp("together")
    with Hub({REPO: History(REPO, [files], {"other": {**files, "more.txt": File(b"more")}})}) as hub:
        workers = [
            Worker(hub036_python, hub, folder / f"{i}")
            if name == "hub036"
            else Worker(sys.executable, hub, folder / f"{i}", "with-hfhub")
            for i, name in enumerate(CLIENTS)
        ]
        yield hub, workers
        for worker in workers:
            worker.close()


def check_tree(hub: Hub, root: Path, commits: list[str]) -> None:
    """Every file of these commits is there and right, and there is nothing else but locks, refs and listings."""
    found = dump(root / "cache")
    expected = set()
    for commit in commits:
        for path, file in hub.repos[REPO].commits[commit].items():
            assert (root / "cache" / "datasets--org--ds" / "snapshots" / commit / path).read_bytes() == file.data
            expected |= {f"snapshots/{commit}/{path}", f"blobs/{file.etag}"}
    files = {n.removeprefix("datasets--org--ds/") for n, what in found.items() if what["kind"] != "folder"}
    rest = {n for n in files - expected if not n.startswith((".locks/", "refs/", "trees/"))}
    assert rest == {"CACHEDIR.TAG"}
    assert {
        n for n in files if n.startswith((".locks/", "refs/", "trees/")) and not n.endswith((".lock", ".json"))
    } <= {
        "refs/main",
        "refs/other",
    }
    for name, what in found.items():
        if "/blobs/" in name:
            assert what["mode"] == "644", name


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_all_clients_download_the_same_at_once(together: tuple[Hub, list[Worker]], tmp_path: Path, round_: int) -> None:
    hub, workers = together
    (tmp_path / "cache").mkdir()
    snapshots = round_ % 2 == 0
    revisions = ["main", "other"] if round_ % 4 >= 2 else ["main"]
    for i, (name, worker) in enumerate(zip(CLIENTS, workers, strict=True)):
        options = {"root": str(tmp_path), "repo": REPO, "revision": revisions[i % len(revisions)]}
        if snapshots:
            worker.send(name, "snapshot", options)
        else:
            worker.send(name, "download", {**options, "file": f"large{round_ % 3}.bin"})
    answers = [worker.receive() for worker in workers]
    assert all("value" in answer for answer in answers), answers
    history = hub.repos[REPO]
    if snapshots:
        check_tree(hub, tmp_path, [c for r in revisions if (c := history.resolve(r))])
    else:
        expected = history.commits[history.mains[0]][f"large{round_ % 3}.bin"].data
        assert all((tmp_path / answer["value"]).read_bytes() == expected for answer in answers)
        blobs = list((tmp_path / "cache").glob("*/blobs/*"))
        assert len(blobs) == 1, blobs
    for name, worker in zip(CLIENTS[1:3], workers[1:3], strict=True):
        scan = worker.ask(name, "scan", {"root": str(tmp_path)})["value"]
        # The older one does not know the tag of cache folders, whoever wrote it.
        assert [w for w in scan["warnings"] if name == "hub" or "/cache/CACHEDIR" not in w] == []


def test_our_lock_is_the_official_one(together: tuple[Hub, list[Worker]], tmp_path: Path) -> None:
    """Six processes that want one file bring it once: the lock excludes across versions."""
    hub, workers = together
    (tmp_path / "cache").mkdir()
    hub.log.clear()
    for name, worker in zip(CLIENTS, workers, strict=True):
        worker.send(name, "download", {"root": str(tmp_path), "repo": REPO, "file": "large1.bin", "revision": "main"})
    assert all("value" in worker.receive() for worker in workers)
    assert len([1 for method, target, _ in hub.log if method == "GET" and "/cdn/" in target]) == 1
