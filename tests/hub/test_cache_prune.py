"""`prune` and `cache_stats`: what goes, what stays, and that the official client agrees with what is left."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import huggingface_hub
import pytest

from hfhub.cache import cache_stats, prune, scan_cache_dir
from hfhub.cache._text import parse_duration, parse_size
from hub.cachemaker import Repo, Store, commit, copy, make_mixed, tree

NOW = time.time()
DAY = 86_400.0


@contextmanager
def other_process_holds(lock: Path) -> Iterator[None]:
    """Another process holds a lock file, as a download does."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    script = (
        "import fcntl, sys\nfile = open(sys.argv[1], 'a')\nfcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.kill()


def lock_of(blob: Path) -> Path:
    repo = blob.parent.parent
    return repo.parent / ".locks" / repo.name / f"{blob.name}.lock"


def lru_cache(cache: Path) -> list[Path]:
    """Ten blobs of 100 bytes in three repositories; the first is the longest unused."""
    repos = [Repo(cache, f"datasets--a--r{i}") for i in range(3)]
    blobs = []
    for number in range(10):
        repo = repos[number % 3]
        content = f"{number:03}".encode() + b"." * 97
        blobs.append(repo.add(commit(number % 3), f"f{number}", content, NOW - (20 - number) * DAY))
        blobs[-1] = repo.path / "blobs" / blobs[-1].resolve().name
    for number, repo in enumerate(repos):
        repo.ref("main", commit(number))
    return blobs


def test_as_the_official_prune(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    make_mixed(cache)
    other = copy(cache, tmp_path / "other")
    hf = Path(sys.executable).parent / "hf"
    subprocess.run([hf, "cache", "prune", "-y", "--cache-dir", str(other)], check=True, capture_output=True, timeout=60)
    expected = prune(cache, dry_run=True)
    report = prune(cache)
    assert (report.freed, report.revisions, report.incomplete, report.shared) == (
        expected.freed,
        expected.revisions,
        expected.incomplete,
        expected.shared,
    )

    def plain(root: Path) -> dict[str, object]:
        return {name: what for name, what in tree(root).items() if not name.startswith(".locks") and "lock" not in name}

    assert plain(cache) == plain(other)
    assert report.size_on_disk == huggingface_hub.scan_cache_dir(cache).size_on_disk
    assert prune(cache).freed == 0


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    make_mixed(tmp_path)
    before = tree(tmp_path)
    report = prune(tmp_path, older_than=timedelta(0), max_size=0, dry_run=True)
    assert report.dry_run
    assert report.freed > 1000
    assert tree(tmp_path) == before


def test_the_switches(tmp_path: Path) -> None:
    make_mixed(tmp_path)
    only_incomplete = prune(tmp_path, unreferenced=False, dry_run=True)
    assert (len(only_incomplete.incomplete), only_incomplete.revisions, only_incomplete.shared) == (2, [], [])
    only_loose = prune(tmp_path, incomplete=False, dry_run=True)
    assert not only_loose.incomplete
    assert any(name.endswith(commit(3)) for name in only_loose.revisions)
    assert not prune(tmp_path, unreferenced=False, incomplete=False).freed


def test_least_recently_used_go_first(tmp_path: Path) -> None:
    blobs = lru_cache(tmp_path)
    planned = prune(tmp_path, max_size=400, dry_run=True)
    report = prune(tmp_path, max_size="400B")
    assert planned.blobs == report.blobs
    assert [blob.exists() for blob in blobs] == [False] * 6 + [True] * 4
    assert (report.freed, report.size_on_disk) == (600, 400)
    left = huggingface_hub.scan_cache_dir(tmp_path)
    assert not left.warnings
    assert left.size_on_disk == 400
    assert prune(tmp_path, max_size=400).blobs == []


def test_a_snapshot_that_loses_every_file_goes_with_its_ref(tmp_path: Path) -> None:
    old, new = Repo(tmp_path, "models--a--old"), Repo(tmp_path, "models--a--new")
    old.add(commit(1), "f", b"o" * 10, NOW - DAY)
    new.add(commit(2), "f", b"n" * 10, NOW)
    old.ref("main", commit(1))
    new.ref("main", commit(2))
    report = prune(tmp_path, max_size=10)
    assert report.revisions == [f"model/a/old@{commit(1)}"]
    assert not old.path.exists()
    assert new.path.exists()
    assert not huggingface_hub.scan_cache_dir(tmp_path).warnings


def test_what_a_process_holds_stays(tmp_path: Path) -> None:
    blobs = lru_cache(tmp_path)
    with other_process_holds(lock_of(blobs[1])):
        report = prune(tmp_path, max_size=0)
        assert [blob.exists() for blob in blobs] == [False, True] + [False] * 8
        assert report.busy == ["dataset/a/r1"]
        assert not huggingface_hub.scan_cache_dir(tmp_path).warnings
    assert prune(tmp_path, max_size=0).size_on_disk == 0


def test_a_repository_at_work_keeps_its_loose_snapshots(tmp_path: Path) -> None:
    repo = Repo(tmp_path, "datasets--a--b")
    blob = repo.add(commit(1), "f", b"f")
    with other_process_holds(lock_of(repo.path / "blobs" / ("9" * 64))):
        report = prune(tmp_path, older_than=0)
        assert blob.exists()
        assert (report.revisions, report.busy) == ([], ["dataset/a/b"])
    assert prune(tmp_path).revisions == [f"dataset/a/b@{commit(1)}"]


def test_incomplete_files_of_the_living_stay(tmp_path: Path) -> None:
    repo = Repo(tmp_path, "datasets--a--b")
    (repo.path / "blobs").mkdir()
    held, noted, dead, foreign, old, left = (repo.path / "blobs" / f"{c * 40}.0a1b2c3d.incomplete" for c in "abcdef")
    for path in (held, noted, dead, foreign, old, left):
        path.write_bytes(b"half")
    locks = tmp_path / ".locks" / repo.path.name
    locks.mkdir(parents=True)
    me = {"pid": os.getpid(), "host": platform.node()}
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (locks / f"{'b' * 40}.hfhub").write_text(json.dumps({"writer": me}) + "\n0 hash\n")
    (locks / f"{'c' * 40}.hfhub").write_text(json.dumps({"writer": {**me, "pid": gone.pid}}) + "\n")
    (locks / f"{'f' * 40}.hfhub").write_text(json.dumps({"writer": me}) + "\n0 hash\nreleased\n")
    (locks / f"{'d' * 40}.hfhub").write_text("a form that nobody knows")
    (locks / f"{'e' * 40}.hfhub").write_text("a form that nobody knows")
    os.utime(locks / f"{'e' * 40}.hfhub", (NOW - DAY, NOW - DAY))
    with other_process_holds(locks / f"{'a' * 40}.lock"):
        report = prune(tmp_path)
    assert report.incomplete == [dead, old, left]
    assert report.busy == [str(held), str(noted), str(foreign)]
    assert [path.exists() for path in (held, noted, dead, foreign, old, left)] == [
        True,
        True,
        False,
        True,
        False,
        False,
    ]
    assert sorted(path.name[0] for path in locks.glob("*.hfhub")) == ["b", "d"]


def test_by_age(tmp_path: Path) -> None:
    repo = Repo(tmp_path, "datasets--a--b")
    repo.add(commit(1), "f", b"old", NOW - 40 * DAY)
    repo.add(commit(2), "f", b"new", NOW - 2 * DAY)
    repo.ref("v1", commit(1))
    repo.ref("main", commit(2))
    assert prune(tmp_path, older_than="90d").revisions == []
    assert prune(tmp_path, older_than="30d").revisions == [f"dataset/a/b@{commit(1)}"]
    assert prune(tmp_path, older_than=timedelta(days=1)).revisions == [f"dataset/a/b@{commit(2)}"]
    assert not repo.path.exists()


def test_shared_payloads(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one, two = Repo(tmp_path, "datasets--a--one"), Repo(tmp_path, "models--a--two")
    for number, age in enumerate((3, 2, 1)):
        payload = store.payload(f"{number}".encode() * 100, (one, f"e{number}"), (two, f"e{number}"))
        os.utime(payload, (NOW - age * DAY, NOW - age * DAY))
        for repo, revision in ((one, commit(1)), (two, commit(2))):
            repo.link(revision, f"f{number}", repo.path / "blobs" / f"e{number}")
    one.ref("main", commit(1))
    two.ref("main", commit(2))
    report = prune(tmp_path, max_size=200)
    assert (report.freed, report.size_on_disk) == (100, 200)
    left = huggingface_hub.scan_cache_dir(tmp_path)
    assert not left.warnings
    for repo in left.repos:
        assert {f.file_name for r in repo.revisions for f in r.files} == {"f1", "f2"}
    # What is left is still swept correctly by the official client.
    left.delete_revisions(commit(1), commit(2)).execute()
    assert not [path for path in (tmp_path / "blobs").rglob("*") if len(path.name) == 64]


def test_stats(tmp_path: Path) -> None:
    make_mixed(tmp_path)
    stats = cache_stats(tmp_path)
    official = huggingface_hub.scan_cache_dir(tmp_path)
    assert stats.size_on_disk == official.size_on_disk
    assert (stats.repos, stats.warnings) == (len(official.repos), len(official.warnings))
    assert stats.incomplete_size == official.incomplete_size_on_disk
    loose = [r.commit_hash for repo in official.repos for r in repo.revisions if not r.refs]
    assert stats.unreferenced_size == official.delete_revisions(*loose).expected_freed_size
    assert stats.unreferenced_revisions == len(loose)
    assert (stats.shared_size, stats.shared_unused_size) == (1000 + 6 + 8, 6)
    assert stats.largest[0][1] >= stats.largest[-1][1]
    assert stats.disk_free > 0


def test_a_lock_in_this_process_counts_too(tmp_path: Path) -> None:
    blobs = lru_cache(tmp_path)
    lock_of(blobs[0]).parent.mkdir(parents=True)
    with lock_of(blobs[0]).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        prune(tmp_path, max_size=900)
    assert blobs[0].exists()


@pytest.mark.parametrize(
    ("text", "size"), [("10", 10), ("1k", 1000), ("1.5KB", 1500), ("2GiB", 2 << 30), ("3 MB", 3_000_000)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "ten", "5 lightyears", "-1", "1KiBB"])
def test_what_is_no_size_or_age(text: str, tmp_path: Path) -> None:
    for parse in (parse_size, parse_duration):
        with pytest.raises(ValueError, match="write it like"):
            parse(text)
    with pytest.raises(ValueError, match="write it like"):
        prune(tmp_path, max_size=text)


def test_scan_of_a_cache_in_use(tmp_path: Path) -> None:
    """Locks made while pruning give no warning to either client."""
    lru_cache(tmp_path)
    prune(tmp_path, max_size=500)
    assert (tmp_path / ".locks").is_dir()
    assert not scan_cache_dir(tmp_path).warnings
    assert not huggingface_hub.scan_cache_dir(tmp_path).warnings
