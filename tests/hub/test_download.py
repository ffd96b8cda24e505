"""Downloads against the official client on the same server: results, files on disk, requests."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import threading
from pathlib import Path

import huggingface_hub
import pytest

from hfhub import HfApi, HubServer, hf_hub_download, snapshot_download, try_to_load_from_cache
from hfhub.errors import IntegrityError, RemoteEntryNotFoundError

pytestmark = pytest.mark.usefixtures("hf_env")


def tree_of(folder: Path) -> dict[str, object]:
    """Link targets, modes and contents below a folder. Listings compare as JSON; the official one is private (0600)."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[name] = "folder"
        elif "/trees/" in name:
            found[name] = json.loads(path.read_text())
        else:
            found[name] = f"{path.stat().st_mode & 0o777:o} {path.read_bytes()!r}"
    return found


def test_snapshot_leaves_the_official_tree(hub: HubServer, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    a = snapshot_download("org/small", repo_type="dataset", cache_dir=ours)
    b = huggingface_hub.snapshot_download("org/small", repo_type="dataset", cache_dir=theirs, endpoint=hub.url)
    assert Path(a).relative_to(ours) == Path(b).relative_to(theirs)
    assert tree_of(ours) == tree_of(theirs)


def test_one_file_leaves_the_official_tree(hub: HubServer, tmp_path: Path) -> None:
    for name in ("README.md", "data/big.bin"):
        ours, theirs = tmp_path / "ours", tmp_path / "theirs"
        a = hf_hub_download("org/small", name, repo_type="dataset", cache_dir=ours)
        b = huggingface_hub.hf_hub_download("org/small", name, repo_type="dataset", cache_dir=theirs, endpoint=hub.url)
        assert Path(a).read_bytes() == Path(b).read_bytes()
        assert tree_of(ours) == tree_of(theirs)


def test_the_official_client_reads_our_cache_and_the_reverse(hub: HubServer, tmp_path: Path) -> None:
    ours = snapshot_download("org/small", repo_type="dataset", cache_dir=tmp_path / "c")
    theirs = huggingface_hub.snapshot_download(
        "org/small", repo_type="dataset", cache_dir=tmp_path / "c", local_files_only=True
    )
    assert ours == theirs
    scan = huggingface_hub.scan_cache_dir(tmp_path / "c")
    assert not scan.warnings
    assert [repo.repo_id for repo in scan.repos] == ["org/small"]
    b = huggingface_hub.snapshot_download("org/small", repo_type="dataset", cache_dir=tmp_path / "d", endpoint=hub.url)
    assert snapshot_download("org/small", repo_type="dataset", cache_dir=tmp_path / "d", local_files_only=True) == b


def test_warm_snapshot_costs_one_request_or_none(hub: HubServer) -> None:
    snapshot_download("org/small", repo_type="dataset")
    hub.clear_requests()
    path = snapshot_download("org/small", repo_type="dataset")
    assert len(hub.requests()) == 1
    hub.clear_requests()
    assert snapshot_download("org/small", repo_type="dataset", revision=Path(path).name) == path
    assert hub.requests() == []


def test_cold_snapshot_makes_no_head_requests(hub: HubServer) -> None:
    snapshot_download("org/small", repo_type="dataset")
    assert not [r for r in hub.requests() if r[0] == "HEAD"]


def test_patterns(hub: HubServer) -> None:
    path = Path(snapshot_download("org/small", repo_type="dataset", allow_patterns="*.jsonl"))
    assert [p.name for p in path.rglob("*") if p.is_file()] == ["train.jsonl"]


def test_a_cut_body_is_continued(hub: HubServer) -> None:
    hub.add_fault(json.dumps({"path": "lfs-cdn", "method": "GET", "times": 2, "action": "cut", "after": 100_000}))
    path = hf_hub_download("org/small", "data/big.bin", repo_type="dataset")
    assert Path(path).read_bytes() == bytes(range(256)) * 2000
    assert [r[2] for r in hub.requests() if "lfs-cdn" in r[1]] == [200, 206, 206]


def test_corrupt_bytes_are_fetched_again(hub: HubServer) -> None:
    for name in ("data/big.bin", "README.md"):
        hub.add_fault(json.dumps({"path": name, "method": "GET", "times": 1, "action": "corrupt"}))
        path = hf_hub_download("org/small", name, repo_type="dataset")
        assert Path(path).is_file()
    assert Path(path).read_text() == "# small\n"


def test_corrupt_bytes_twice_are_an_error_and_leave_nothing(hub: HubServer, hub_root: Path, hf_env: Path) -> None:
    hub.add_fault(json.dumps({"path": "big.bin", "method": "GET", "action": "corrupt"}))
    with pytest.raises(IntegrityError, match="wrong bytes twice") as caught:
        hf_hub_download("org/small", "data/big.bin", repo_type="dataset")
    error = caught.value
    assert isinstance(error, OSError)
    promised = hashlib.sha256((hub_root / "datasets/org/small/data/big.bin").read_bytes()).hexdigest()
    assert error.expected == promised
    assert error.actual is not None
    assert re.fullmatch("[0-9a-f]{64}", error.actual)
    assert error.actual != promised
    assert (error.repo_id, error.path) == ("org/small", "data/big.bin")
    assert str(error.url).endswith("/data/big.bin")
    assert "?" not in str(error.url)
    again = pickle.loads(pickle.dumps(error))
    assert (again.expected, again.actual, again.url) == (error.expected, error.actual, error.url)
    assert not list((hf_env / "hub").glob("*/blobs/*"))
    assert not [p for p in (hf_env / "hub").glob("*/snapshots/**/*") if not p.is_dir()]


def test_busy_server_is_asked_again(hub: HubServer) -> None:
    fault = {"path": "README.md", "times": 2, "action": "status", "status": 503, "headers": {"retry-after": "0"}}
    hub.add_fault(json.dumps(fault))
    hub.add_fault(json.dumps({**fault, "path": "big.bin", "status": 429}))
    assert Path(hf_hub_download("org/small", "README.md", repo_type="dataset")).is_file()
    assert Path(hf_hub_download("org/small", "data/big.bin", repo_type="dataset")).is_file()


def test_a_missing_file_is_remembered(hub: HubServer, hf_env: Path) -> None:
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download("org/small", "nope.txt", repo_type="dataset")
    assert list((hf_env / "hub").glob("*/.no_exist/*/nope.txt"))


def test_threads_that_want_the_same_file_fetch_it_once(hub: HubServer) -> None:
    paths: list[str] = []
    threads = [
        threading.Thread(target=lambda: paths.append(hf_hub_download("org/small", "data/big.bin", repo_type="dataset")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1
    assert len([r for r in hub.requests() if r[0] == "GET" and "lfs-cdn" in r[1]]) == 1


def test_api_agrees_with_the_official_one(hub: HubServer) -> None:
    ours, theirs = HfApi(), huggingface_hub.HfApi(endpoint=hub.url)
    assert ours.list_repo_files("org/small", repo_type="dataset") == theirs.list_repo_files(
        "org/small", repo_type="dataset"
    )
    a, b = ours.dataset_info("org/small"), theirs.dataset_info("org/small")
    assert (a.id, a.sha, a.last_modified, a.private) == (b.id, b.sha, b.last_modified, b.private)
    assert [s.rfilename for s in a.siblings or []] == [s.rfilename for s in b.siblings or []]
    listed = {(type(e).__name__, e.path) for e in ours.list_repo_tree("org/small", repo_type="dataset")}
    assert listed == {(type(e).__name__, e.path) for e in theirs.list_repo_tree("org/small", repo_type="dataset")}
    for method in ("repo_exists", "file_exists", "revision_exists"):
        for arguments in ([], ["data/big.bin"], ["nope"], ["main"]):
            if (method == "repo_exists") == (not arguments):
                for repo in ("org/small", "org/none"):
                    mine = getattr(ours, method)(repo, *arguments, repo_type="dataset")
                    assert mine == getattr(theirs, method)(repo, *arguments, repo_type="dataset"), (method, arguments)
    url = huggingface_hub.hf_hub_url("org/small", "a b/[x].txt", repo_type="dataset", endpoint=hub.url)
    assert ours.hf_hub_url("org/small", "a b/[x].txt", repo_type="dataset") == url


def test_listing_follows_pages(hub_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = hub_root / "datasets" / "org" / "many"
    many.mkdir()
    for i in range(25):
        (many / f"{i:02}.txt").write_text(str(i))
    with HubServer(str(hub_root), page_size=4) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        expected = [f"{i:02}.txt" for i in range(25)]
        assert HfApi().list_repo_files("org/many", repo_type="dataset") == expected
        assert huggingface_hub.HfApi(endpoint=server.url).list_repo_files("org/many", repo_type="dataset") == expected
        assert len([r for r in server.requests() if "/tree/" in r[1]]) == 14


def test_try_to_load_from_cache(hub: HubServer) -> None:
    assert try_to_load_from_cache("org/small", "README.md", repo_type="dataset") is None
    path = hf_hub_download("org/small", "README.md", repo_type="dataset")
    hub.clear_requests()
    assert try_to_load_from_cache("org/small", "README.md", repo_type="dataset") == path
    assert hub.requests() == []
