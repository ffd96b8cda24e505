"""The cache on disk: offline answers, read-only and shared caches, damaged parts, names from strangers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub as official
import pytest

from faulthub import FaultHub, Repository
from hfhub import hf_hub_download, snapshot_download
from hfhub.errors import (
    IncompleteSnapshotError,
    LocalEntryNotFoundError,
    PartialSnapshotWarning,
    StaleCacheWarning,
)

pytestmark = pytest.mark.usefixtures("fault_env")

ID = "org/data"
FILES = {"README.md": b"# data\n", "data/a.txt": b"a\n", "data/b.txt": b"b\n", "large.bin": bytes(range(256)) * 40}


@pytest.fixture
def repo(fault_hub: FaultHub) -> Repository:
    made = fault_hub.repo("dataset", ID)
    made.commit(FILES)
    return made


@pytest.fixture
def cache(fault_env: Path) -> Path:
    return fault_env / "hub" / "datasets--org--data"


def get(path: str, **arguments: Any) -> Path:
    return Path(hf_hub_download(ID, path, repo_type="dataset", **arguments))


def snapshot(**arguments: Any) -> Path:
    return Path(snapshot_download(ID, repo_type="dataset", **arguments))


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """An endpoint that only counts who connects."""
    seen: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, peer = server.accept()
                except OSError:
                    return
                seen.append(peer)
                connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield seen
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.fixture
def filled(repo: Repository) -> Path:
    return snapshot(allow_patterns=["data/", "README.md"])


@pytest.mark.parametrize("how", ["environment", "argument"])
def test_offline_connects_nowhere(filled: Path, listener: list[Any], monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    offline = {"local_files_only": True} if how == "argument" else {}
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for revision in (None, filled.name):
        assert get("README.md", revision=revision, **offline) == filled / "README.md"
        with pytest.raises(LocalEntryNotFoundError):
            get("large.bin", revision=revision, **offline)
        with pytest.raises(LocalEntryNotFoundError):
            get("absent.txt", revision=revision, **offline)
        assert snapshot(revision=revision, allow_patterns="data/*", **offline) == filled
        with pytest.raises(IncompleteSnapshotError, match=r"large\.bin") as caught:
            snapshot(revision=revision, **offline)
        assert caught.value.missing == ["large.bin"]
        assert caught.value.snapshot_path == str(filled)
        assert isinstance(caught.value, LocalEntryNotFoundError)
    with pytest.raises(LocalEntryNotFoundError):
        snapshot(revision="v1", **offline)
    assert listener == []


def test_an_online_call_would_have_connected(filled: Path, listener: list[Any]) -> None:
    with pytest.warns(StaleCacheWarning):
        get("README.md")
    assert listener


def test_a_snapshot_whose_listing_is_unknown_is_returned_with_a_warning(filled: Path, cache: Path) -> None:
    (cache / "trees" / f"{filled.name}.json").unlink()
    with pytest.warns(PartialSnapshotWarning, match="nobody can say whether it is complete"):
        assert snapshot(local_files_only=True) == filled
    theirs = official.snapshot_download(ID, repo_type="dataset", cache_dir=cache.parent, local_files_only=True)
    assert theirs == str(filled)


@pytest.mark.parametrize("content", ["", "0123abc", "not a commit"])
def test_a_damaged_ref_is_no_ref_and_is_said_to_be(filled: Path, cache: Path, content: str) -> None:
    (cache / "refs" / "main").write_text(content)
    for call in (get, snapshot):
        arguments = ["README.md"] if call is get else []
        with pytest.raises(LocalEntryNotFoundError) as caught:
            call(*arguments, local_files_only=True)
        assert any("does not hold a commit" in note for note in caught.value.__notes__)
    assert get("README.md") == filled / "README.md"
    assert (cache / "refs" / "main").read_text() == filled.name


def test_the_first_network_error_is_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for call in (lambda: get("README.md"), snapshot):
        with pytest.raises(LocalEntryNotFoundError, match="refused") as caught:
            call()
        assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_dead_network_with_a_warm_cache_warns_once(
    filled: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for _ in range(2):
        assert get("README.md") == filled / "README.md"
        assert snapshot(allow_patterns="data/*") == filled
    assert [w.category for w in recwarn] == [StaleCacheWarning]


def marks(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Inode, change and modification time of everything below a folder: what any write would move."""
    return {str(p): (s.st_ino, s.st_ctime_ns, s.st_mtime_ns) for p in [folder, *folder.rglob("*")] for s in [p.lstat()]}


def test_hits_write_nothing(repo: Repository, fault_env: Path) -> None:
    folder = snapshot()
    before = marks(fault_env / "hub")
    assert get("README.md") == folder / "README.md"
    assert get("README.md", revision=folder.name) == folder / "README.md"
    assert snapshot() == folder
    assert snapshot(revision=folder.name) == folder
    assert snapshot(local_files_only=True) == folder
    assert marks(fault_env / "hub") == before


def as_nobody(work: Any) -> str:
    """Runs work in a fork without root's rights; returns what it says."""
    answer, end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            said = str(work())
        except BaseException as error:  # noqa: BLE001  # the parent reports it
            said = f"{type(error).__name__}: {error}"
        os.write(end, said.encode())
        os._exit(0)
    os.close(end)
    with os.fdopen(answer) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_another_user_gets_hits_from_a_cache_that_is_not_his(
    repo: Repository, fault_hub: FaultHub, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # The folders of pytest are private to its user.
    shared = Path("/tmp") / f"hfhub-shared-{os.getpid()}"
    previous = os.umask(0o002)
    try:
        folder = snapshot(cache_dir=shared)
        fault_hub.forget()
        found = as_nobody(lambda: snapshot(cache_dir=shared, revision=folder.name))
        assert found == str(folder)
        assert fault_hub.requests() == []
        assert as_nobody(lambda: snapshot(cache_dir=shared)) == str(folder)
        assert as_nobody(lambda: get("README.md", cache_dir=shared).read_text()) == "# data\n"
        modes = {
            p.relative_to(shared).as_posix(): stat.S_IMODE(p.stat().st_mode) for p in shared.rglob("*") if p.is_file()
        }
        assert {mode for name, mode in modes.items()} == {0o664}, modes
    finally:
        os.umask(previous)
        shutil.rmtree(shared, ignore_errors=True)


def test_blobs_in_the_shared_store_are_used(repo: Repository, fault_hub: FaultHub, cache: Path) -> None:
    """The official client keeps the bytes once for all repositories, and links to them."""
    get("large.bin")
    (blob,) = (cache / "blobs").iterdir()
    store = cache.parent / "blobs" / "ab" / ("ab" * 32)
    store.parent.mkdir(parents=True)
    (cache.parent / "blobs" / ".huggingface-shared-blobs").write_text("1\n")
    blob.rename(store)
    blob.symlink_to(os.path.relpath(store, blob.parent))
    fault_hub.forget()
    assert get("large.bin").read_bytes() == FILES["large.bin"]
    repo.commit({"again.bin": FILES["large.bin"]})
    assert get("again.bin").read_bytes() == FILES["large.bin"]
    assert snapshot(local_dir=cache.parent.parent / "local", allow_patterns="*.bin").is_dir()
    assert fault_hub.served("bin", origin="cdn") == 0
    store.unlink()  # the link now leads nowhere
    assert get("large.bin").read_bytes() == FILES["large.bin"]
    assert not blob.is_symlink()


def test_a_cut_blob_of_an_old_client_is_fetched_again(repo: Repository, cache: Path, fault_hub: FaultHub) -> None:
    pointer = get("large.bin")
    (blob,) = (cache / "blobs").iterdir()
    pointer.unlink()
    blob.write_bytes(b"")
    assert get("large.bin").read_bytes() == FILES["large.bin"]


BAD = ["../evil.txt", "data/../../evil.txt", "/etc/evil", "C:/evil", "\\\\host\\share\\evil", "a\\..\\..\\evil", "a\0b"]


@pytest.mark.parametrize("name", BAD)
def test_names_from_a_cached_listing_are_not_trusted(filled: Path, cache: Path, tmp_path: Path, name: str) -> None:
    listing = cache / "trees" / f"{filled.name}.json"
    tree = json.loads(listing.read_text())
    tree["files"][name] = {"size": 1, "blob_id": "0" * 40}
    listing.write_text(json.dumps(tree))
    for target in ({}, {"local_dir": tmp_path / "local"}):
        with pytest.raises(ValueError, match="not a safe path"):
            snapshot(**target)
        with pytest.raises(ValueError, match="not a safe path"):
            get(name, **target)
    assert not [p for p in tmp_path.rglob("*") if "evil" in p.name]


@pytest.mark.parametrize("etag", ["../../evil", "a/b", "..", "a\\b"])
def test_names_of_blobs_are_not_trusted(filled: Path, cache: Path, tmp_path: Path, etag: str) -> None:
    listing = cache / "trees" / f"{filled.name}.json"
    tree = json.loads(listing.read_text())
    tree["files"]["new.txt"] = {"size": 1, "blob_id": etag}
    listing.write_text(json.dumps(tree))
    for target in ({}, {"local_dir": tmp_path / "local"}):
        with pytest.raises(OSError, match="as the name of a content"):
            snapshot(allow_patterns="new.txt", **target)


def test_a_renamed_repository_is_cached_under_the_name_asked_for(
    repo: Repository, fault_hub: FaultHub, fault_env: Path
) -> None:
    fault_hub.rename("dataset", ID, "org/new")
    assert get("README.md").read_bytes() == FILES["README.md"]
    assert snapshot().is_dir()
    assert [p.name for p in (fault_env / "hub").glob("datasets--*")] == ["datasets--org--data"]


def test_a_push_between_the_two_requests_of_a_file(repo: Repository, fault_hub: FaultHub) -> None:
    """The bytes are those of the commit that was named first."""
    pushed: list[str] = []

    def push(_request: Any, _response: Any) -> None:
        if not pushed:
            pushed.append(repo.commit({"README.md": b"# pushed\n", "large.bin": b"pushed"}))

    for name in ("README.md", "large.bin"):
        fault_hub.fault(name, push, method="HEAD")
        path = get(name, force_download=True)
        content = path.read_bytes()
        assert content in (FILES[name], b"# pushed\n", b"pushed")
        assert content == repo.commits[path.parent.name].files[name].data
    assert pushed
