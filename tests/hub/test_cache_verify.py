"""`verify_cache`: finds every changed byte, and repairs with exactly the requests that are needed."""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path

import huggingface_hub
import pytest

from hfhub import HubServer, hf_hub_download, snapshot_download
from hfhub.cache import scan_cache_dir, verify_cache
from hfhub.errors import CacheNotFound, HubError, LocalEntryNotFoundError
from hub.cachemaker import Repo, Store, commit


def flip(path: Path, at: int = 0) -> bytes:
    """Changes one byte; returns what was there."""
    good = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    return good


@pytest.fixture
def many(hub_root: Path, hub: HubServer, hf_env: Path) -> Path:
    """The snapshot of a dataset of 500 files, small and large ones."""
    repo = hub_root / "datasets" / "org" / "many"
    (repo / "data").mkdir(parents=True)
    for number in range(500):
        (repo / "data" / f"{number:03}.txt").write_bytes(f"file {number}\n".encode() * (1 + number % 7))
    (repo / "data" / "large.bin").write_bytes(bytes(range(256)) * 60_000)  # LFS
    return Path(snapshot_download("org/many", repo_type="dataset"))


def gets(hub: HubServer) -> list[str]:
    """Files whose bytes were asked for; what a redirect leads to is the same file."""
    asked = hub.requests()
    assert not [path for _, path, _ in asked if path.startswith("/api/datasets")]  # neither info nor listing
    paths = [path for method, path, _ in asked if method == "GET"]
    assert len(paths) == len(set(paths))  # none twice
    return sorted({path.rsplit("/", 1)[1] for path in paths})


def test_three_of_many_are_repaired_by_three_requests(many: Path, hub: HubServer) -> None:
    chosen = [many / "data" / "007.txt", many / "data" / "large.bin", many / "data" / "499.txt"]
    good = [flip(path.resolve(), 3) for path in chosen]
    hub.clear_requests()
    report = verify_cache()
    assert (report.checked, report.ok, hub.requests()) == (501, False, [])
    assert sorted(name for bad in report.bad for name in bad.files) == sorted(
        f"{many.name}/data/{path.name}" for path in chosen
    )
    for bad in report.bad:
        content = bad.path.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        assert bad.actual in (git, hashlib.sha256(content).hexdigest())
        assert (bad.reason, bad.expected) == ("hash", bad.path.name)
    repaired = verify_cache("org/many", repo_type="dataset", repair=True)
    assert gets(hub) == ["007.txt", "499.txt", "large.bin"]
    assert (len(repaired.repaired), repaired.ok) == (3, True)
    assert [path.read_bytes() for path in chosen] == good
    hub.clear_requests()
    again = verify_cache(repair=True)
    assert (again.ok, again.repaired, hub.requests()) == (True, [], [])
    assert not huggingface_hub.scan_cache_dir(many.parents[2]).warnings


def test_every_kind_of_damage(many: Path, hub: HubServer, hf_env: Path) -> None:
    pick = random.Random(3)
    files = pick.sample(sorted((many / "data").glob("*.txt")), 4)
    longer, shorter, empty, gone = (path.resolve() for path in files)
    longer.write_bytes(longer.read_bytes() + b"\n")
    shorter.write_bytes(shorter.read_bytes()[:-1])
    empty.write_bytes(b"")
    gone.unlink()
    report = verify_cache("org/many", repo_type="dataset")
    assert {bad.path: bad.reason for bad in report.bad} == {
        longer: "hash",
        shorter: "hash",
        empty: "hash",
        gone: "missing",
    }
    assert verify_cache("org/many", repo_type="dataset", repair=True).ok
    assert all(path.read_bytes().startswith(b"file ") for path in files)


def test_a_bad_blob_that_nothing_uses_goes(many: Path) -> None:
    pointer = many / "data" / "001.txt"
    blob = pointer.resolve()
    pointer.unlink()
    flip(blob)
    report = verify_cache(repair=True)
    assert [bad.files for bad in report.repaired] == [[]]
    assert not blob.exists()


def test_a_file_without_link_is_checked_by_the_listing(many: Path, hub: HubServer) -> None:
    pointer = many / "data" / "002.txt"
    content = pointer.read_bytes()
    pointer.unlink()
    pointer.write_bytes(content)
    assert verify_cache().ok
    flip(pointer)
    (bad,) = verify_cache().bad
    assert (bad.path, bad.files) == (pointer, [f"{many.name}/data/002.txt"])
    for tree in (many.parent.parent / "trees").iterdir():
        tree.write_text("{}")
    assert pointer in verify_cache().unchecked


def test_what_cannot_be_repaired_stays_named(many: Path, hub: HubServer, hub_root: Path) -> None:
    blob = (many / "data" / "003.txt").resolve()
    flip(blob)
    shutil.rmtree(hub_root / "datasets" / "org" / "many")
    with pytest.raises(HubError):
        verify_cache(repair=True)
    assert not verify_cache().ok


def test_by_revision_and_errors(many: Path, hub_root: Path) -> None:
    assert verify_cache("org/many", repo_type="dataset", revision="main").checked == 501
    assert verify_cache("org/many", repo_type="dataset", revision=many.name).checked == 501
    with pytest.raises(LocalEntryNotFoundError, match="v9"):
        verify_cache("org/many", repo_type="dataset", revision="v9")
    with pytest.raises(LocalEntryNotFoundError, match="model org/many"):
        verify_cache("org/many")
    with pytest.raises(CacheNotFound):
        verify_cache(cache_dir=many / "no-such")


def test_progress(many: Path) -> None:
    seen: list[tuple[int, int]] = []
    verify_cache(progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (501, 501)
    assert seen == sorted(seen)


def test_a_shared_payload_is_repaired_for_all(hub: HubServer, hub_root: Path, hf_env: Path, tmp_path: Path) -> None:
    content = bytes(range(256)) * 60_000
    cache = tmp_path / "cache"
    store = Store(cache)
    repos, etag = [], hashlib.sha256(content).hexdigest()
    for name in ("one", "two"):
        (hub_root / "datasets" / "org" / name).mkdir()
        (hub_root / "datasets" / "org" / name / "large.bin").write_bytes(content)
        (hub_root / "datasets" / "org" / name / "README.md").write_text(name)  # so that their commits differ
        path = Path(hf_hub_download("org/" + name, "large.bin", repo_type="dataset", cache_dir=cache))
        assert path.resolve().name == etag
        path.resolve().unlink()
        repo = Repo(cache, f"datasets--org--{name}")
        repos.append((repo, path))
    payload = store.payload(content, *((repo, etag) for repo, _ in repos))
    assert verify_cache(cache_dir=cache).ok
    flip(payload, 1000)
    report = verify_cache(cache_dir=cache)
    assert len(report.bad) == 2
    hub.clear_requests()
    assert len(verify_cache(cache_dir=cache, repair=True).repaired) == 2
    assert len(gets(hub)) == 1
    for _, path in repos:
        assert path.read_bytes() == content
        assert path.resolve() == payload
    info = huggingface_hub.scan_cache_dir(cache)
    assert (info.size_on_disk, info.warnings) == (len(content), [])
    info.delete_revisions(*[r.commit_hash for repo in info.repos for r in repo.revisions]).execute()
    assert not payload.exists()


def test_a_hand_made_cache(tmp_path: Path) -> None:
    repo = Repo(tmp_path, "models--a--b")
    blob = repo.blob(b"content")
    repo.link(commit(1), "f", blob)
    opaque = repo.path / "blobs" / "opaque-etag-7"
    opaque.write_bytes(b"?")
    repo.link(commit(1), "g", opaque)
    report = verify_cache(cache_dir=tmp_path)
    assert (report.checked, report.bytes, report.ok, report.unchecked) == (1, 7, True, [opaque])
    assert len(scan_cache_dir(tmp_path).repos) == 1


def test_a_folder_by_its_notes(tmp_path: Path) -> None:
    notes = tmp_path / ".cache" / "huggingface" / "download"
    (notes / "data").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    for name in ("good", "bad", "lost"):
        etag = hashlib.sha256(name.encode()).hexdigest()
        (notes / "data" / f"{name}.metadata").write_text(f"{commit(1)}\n{etag}\n1.0\n")
    (tmp_path / "data" / "good").write_bytes(b"good")
    (tmp_path / "data" / "bad").write_bytes(b"worse")
    report = verify_cache(local_dir=tmp_path)
    assert {bad.path.name: bad.reason for bad in report.bad} == {"bad": "hash", "lost": "missing"}
    assert report.checked == 2
