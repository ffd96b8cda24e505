"""`scan_cache_dir` and deletions, against the official client on the same or an equal cache."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

import hfhub
from hfhub.cache import HFCacheInfo, scan_cache_dir
from hfhub.errors import CacheNotFound, CorruptedCacheException
from hub.cachemaker import Repo, Store, commit, copy, make_mixed, tree


def plain(value: Any) -> Any:
    """Dataclasses of either library as comparable values."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, frozenset | set):
        return sorted((plain(item) for item in value), key=repr)
    return value


def compare(cache: Path) -> HFCacheInfo:
    ours, theirs = scan_cache_dir(cache), huggingface_hub.scan_cache_dir(cache)
    got, want = plain(ours), plain(theirs)
    assert len(got.pop("warnings")) == len(want.pop("warnings"))
    assert got == want
    # The same folders are named, one in each warning.
    for name in (path.name for path in cache.iterdir()):
        named = [sum(name in str(warning) for warning in found.warnings) for found in (ours, theirs)]
        assert named[0] == named[1], name
    assert ours.size_on_disk_str == theirs.size_on_disk_str
    assert ours.incomplete_size_on_disk == theirs.incomplete_size_on_disk
    twins = {repo.repo_path: repo for repo in theirs.repos}
    for repo in ours.repos:
        other = twins[repo.repo_path]
        assert (repo.cache_id, repo.size_on_disk_str) == (other.cache_id, other.size_on_disk_str)
        assert (repo.last_accessed_str, repo.last_modified_str) == (other.last_accessed_str, other.last_modified_str)
        assert {ref: r.commit_hash for ref, r in repo.refs.items()} == {
            ref: r.commit_hash for ref, r in other.refs.items()
        }
        assert sorted(r.nb_files for r in repo.revisions) == sorted(r.nb_files for r in other.revisions)
    return ours


def test_everything_at_once(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    make_mixed(cache)
    info = compare(cache)
    assert len(info.warnings) == 9
    assert all(isinstance(warning, CorruptedCacheException) for warning in info.warnings)
    assert {repo.repo_id for repo in info.repos} >= {"a/one", "gpt2", "a/no/links", "b/two", "b/three", "a/empty"}
    assert len(info.incomplete_files) == 2


def test_caches_of_both_clients(hub_root: Path, hf_env: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    hfhub.snapshot_download("org/small", repo_type="dataset", cache_dir=cache)
    (hub_root / "datasets" / "org" / "small" / "README.md").write_text("# second\n")
    endpoint = hfhub.HfApi().endpoint or __import__("os").environ["HF_ENDPOINT"]
    huggingface_hub.snapshot_download("org/small", repo_type="dataset", cache_dir=cache, endpoint=endpoint)
    info = compare(cache)
    assert not info.warnings
    (repo,) = info.repos
    assert len(repo.revisions) == 2
    assert [sorted(r.refs) for r in sorted(repo.revisions, key=lambda r: len(r.refs))] == [[], ["main"]]


def test_no_cache(tmp_path: Path) -> None:
    with pytest.raises(CacheNotFound) as caught:
        scan_cache_dir(tmp_path / "none")
    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.cache_dir == tmp_path / "none"
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file"):
        scan_cache_dir(tmp_path / "file")


def test_an_unreadable_ref_is_a_warning(tmp_path: Path) -> None:
    repo = Repo(tmp_path, "datasets--a--b")
    repo.add(commit(1), "a", b"a")
    (repo.path / "refs").mkdir()
    (repo.path / "refs" / "main").write_bytes(b"\xff\xfe")
    assert len(scan_cache_dir(tmp_path).warnings) == 1


@pytest.mark.parametrize("numbers", [(1,), (2,), (1, 2), (1, 2, 3), (4,), (5,), (6,), (7,), (6, 7), (1, 4, 7), (99,)])
def test_deleted_revisions(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    cache = tmp_path / "cache"
    make_mixed(cache)
    other = copy(cache, tmp_path / "other")
    hashes = [commit(number) for number in numbers]
    ours = scan_cache_dir(cache).delete_revisions(*hashes)
    same = huggingface_hub.scan_cache_dir(cache).delete_revisions(*hashes)
    assert plain(ours) == plain(same)
    assert ours.expected_freed_size_str == same.expected_freed_size_str
    before = tree(cache)
    ours.execute()
    huggingface_hub.scan_cache_dir(other).delete_revisions(*hashes).execute()
    assert without_locks(tree(cache)) == without_locks(tree(other))
    assert (tree(cache) == before) == (numbers == (99,))
    compare(cache)


def without_locks(found: dict[str, Any]) -> dict[str, Any]:
    return {name: content for name, content in found.items() if not name.endswith(".lock")}


def test_deleted_files(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    make_mixed(cache)
    other = copy(cache, tmp_path / "other")
    for seed in range(12):
        pick = random.Random(seed)
        ours, theirs = scan_cache_dir(cache), huggingface_hub.scan_cache_dir(cache)
        paths = {f.file_path for repo in ours.repos for r in repo.revisions for f in r.files}
        chosen = {path for path in sorted(paths) if pick.random() < 0.25}
        plans = [
            info.delete_files(
                *[f for repo in info.repos for r in repo.revisions for f in r.files if f.file_path in chosen]
            )
            for info in (ours, theirs)
        ]
        assert plain(plans[0]) == plain(plans[1])
        twin = huggingface_hub.scan_cache_dir(other)
        there = {other / path.relative_to(cache) for path in chosen}
        twin.delete_files(
            *[f for repo in twin.repos for r in repo.revisions for f in r.files if f.file_path in there]
        ).execute()
        plans[0].execute()
        assert without_locks(tree(cache)) == without_locks(tree(other))
    assert not any(r.files for repo in scan_cache_dir(cache).repos for r in repo.revisions) or seed == 11


def test_shared_payload_stays_until_the_last_link_goes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one, two = Repo(tmp_path, "datasets--a--one"), Repo(tmp_path, "datasets--a--two")
    payload = store.payload(b"p" * 50, (one, "e1"), (two, "e2"))
    one.link(commit(1), "f", one.path / "blobs" / "e1")
    two.link(commit(2), "f", two.path / "blobs" / "e2")
    first = scan_cache_dir(tmp_path).delete_revisions(commit(1))
    assert first.expected_freed_size == 0
    first.execute()
    assert payload.exists()
    assert payload.with_name(f"{payload.name}.refs").read_text() == "datasets--a--two/blobs/e2\n"
    last = huggingface_hub.scan_cache_dir(tmp_path).delete_revisions(commit(2))
    assert last.expected_freed_size == 50
    scan_cache_dir(tmp_path).delete_revisions(commit(2)).execute()
    assert not payload.exists()


def test_table(tmp_path: Path) -> None:
    make_mixed(tmp_path / "cache")
    info = scan_cache_dir(tmp_path / "cache")
    theirs = huggingface_hub.scan_cache_dir(tmp_path / "cache")
    for verbosity in (0, 1):
        ours = info.export_as_table(verbosity=verbosity).splitlines()
        want = theirs.export_as_table(verbosity=verbosity).splitlines()
        assert [line.split() for line in ours if "---" not in line] == [
            line.split() for line in want if "---" not in line
        ]
