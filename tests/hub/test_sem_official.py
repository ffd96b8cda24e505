"""Downloads against the official client on the same hub: arguments, results, exceptions, every file on disk."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import huggingface_hub as official
import pytest
from huggingface_hub import constants

import hfhub as ours
from faulthub import FaultHub, Repository
from hfhub.errors import DryRunError, ForceDownloadError, IncompleteSnapshotError, StaleCacheWarning

pytestmark = pytest.mark.usefixtures("fault_env")

ID = "org/data"
LARGE = bytes(range(256)) * 40
FILES = {"README.md": b"# data\n", "data/a.txt": b"a\n", "data/deep/b.txt": b"b\n", "large.bin": LARGE}


@pytest.fixture
def repo(fault_hub: FaultHub) -> Repository:
    made = fault_hub.repo("dataset", ID)
    made.commit(FILES)
    return made


class Side:
    """One library with a folder of its own."""

    def __init__(self, library: ModuleType, root: Path, url: str) -> None:
        self.library, self.root, self.url = library, root, url
        self.cache, self.local = root / "cache", root / "local"
        self.cache.mkdir(parents=True)

    def file(self, path: str, **arguments: Any) -> Any:
        arguments = {"repo_type": "dataset", "cache_dir": self.cache, "endpoint": self.url, **arguments}
        return self.library.hf_hub_download(ID, path, **arguments)

    def snapshot(self, **arguments: Any) -> Any:
        arguments = {"repo_type": "dataset", "cache_dir": self.cache, "endpoint": self.url, **arguments}
        return self.library.snapshot_download(ID, **arguments)

    def tree(self) -> dict[str, Any]:
        """Everything on disk; times in notes of local folders are left out, listings are parsed."""
        found: dict[str, Any] = {}
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if path.is_symlink():
                found[name] = f"-> {path.readlink()}"
            elif path.is_dir():
                found[name] = "folder"
            elif "/trees/" in name:
                found[name] = json.loads(path.read_text())
            elif name.endswith(".metadata"):
                found[name] = path.read_text().splitlines()[:2]
            else:
                found[name] = f"{path.stat().st_mode & 0o777:o} {path.read_bytes()!r}"
        return found

    def relative(self, value: Any) -> Any:
        return json.loads(json.dumps(value, default=vars).replace(str(self.root), "ROOT"))


Do = Callable[[Side], Any]


@pytest.fixture
def sides(fault_hub: FaultHub, tmp_path: Path) -> list[Side]:
    """Ours and the official one."""
    return [Side(ours, tmp_path / "ours", fault_hub.url), Side(official, tmp_path / "theirs", fault_hub.url)]


def same(sides: list[Side], do: Do) -> None:
    """Both do the same; results and everything on disk are equal."""
    mine, other = [side.relative(do(side)) for side in sides]
    assert mine == other
    assert sides[0].tree() == sides[1].tree()


def test_arguments_and_defaults_are_the_official_ones() -> None:
    for name in ("hf_hub_download", "snapshot_download", "try_to_load_from_cache", "cached_assets_path"):
        mine, other = (inspect.signature(getattr(library, name)).parameters for library in (ours, official))
        assert {n: p.default for n, p in mine.items()} == {n: p.default for n, p in other.items()}, name
        assert {n: p.kind for n, p in mine.items()} == {n: p.kind for n, p in other.items()}, name


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"repo_id": 5}, "5"),
        ({"repo_type": "datasets"}, "datasets"),
        ({"repo_type": "Model"}, "Model"),
        ({"repo_type": "datasets", "dry_run": True}, "datasets"),
    ],
)
def test_arguments_that_cannot_be_right(sides: list[Side], arguments: dict[str, Any], named: str) -> None:
    given = {"repo_id": "org/ds", **arguments}
    for library in (ours, official):
        with pytest.raises(ValueError, match=named):
            library.hf_hub_download(filename="a.txt", **given)
        with pytest.raises(ValueError, match=named):
            library.snapshot_download(**given)
    with pytest.raises(ours.errors.HFValidationError, match="pattern must be a text, not int"):
        ours.snapshot_download("org/ds", allow_patterns=[3])  # type: ignore[list-item]


def test_arguments_that_were_removed_are_ignored_with_a_warning(repo: Repository, sides: list[Side]) -> None:
    for side in sides:
        with pytest.warns(Warning, match="local_dir_use_symlinks"):
            side.file("README.md", local_dir=side.local, local_dir_use_symlinks="auto")
        with pytest.raises(TypeError):
            side.file("README.md", no_such_argument=1)
    assert sides[0].tree() == sides[1].tree()


@pytest.mark.parametrize(
    "do",
    [
        lambda s: s.file("data/a.txt"),
        lambda s: s.file("a.txt", subfolder="data"),
        lambda s: s.file("large.bin", revision="refs/pr/1"),
        lambda s: [s.file("data/a.txt"), s.file("data/a.txt", force_download=True)],
        lambda s: s.snapshot(),
        lambda s: s.snapshot(allow_patterns=["data/"], ignore_patterns="*b.txt"),
        lambda s: [s.snapshot(ignore_patterns=["*.bin"]), s.snapshot()],
        lambda s: s.file("data/a.txt", local_dir=s.local),
        lambda s: s.file("large.bin", local_dir=s.local),
        lambda s: [s.file("large.bin"), s.file("large.bin", local_dir=s.local)],
        lambda s: s.snapshot(local_dir=s.local),
        lambda s: [s.snapshot(local_dir=s.local), s.snapshot(local_dir=s.local, force_download=True)],
        lambda s: s.file("README.md", dry_run=True),
        lambda s: [s.file("README.md"), s.file("README.md", dry_run=True)],
        lambda s: [s.file("README.md"), s.file("README.md", dry_run=True, force_download=True)],
        lambda s: [s.file("README.md", local_dir=s.local), s.file("README.md", dry_run=True, local_dir=s.local)],
        lambda s: sorted(s.snapshot(dry_run=True), key=lambda p: p.filename),
        lambda s: [s.file("README.md"), sorted(s.snapshot(dry_run=True), key=lambda p: p.filename)],
    ],
)
def test_results_and_files(repo: Repository, sides: list[Side], do: Do) -> None:
    repo.commit({"pr.txt": b"pr"}, ref="refs/pr/1")
    same(sides, do)


def test_a_dry_run_of_a_folder_writes_nothing(repo: Repository, sides: list[Side]) -> None:
    """The official client makes the folder and its bookkeeping."""
    mine, other = [side.relative(side.file("README.md", dry_run=True, local_dir=side.local)) for side in sides]
    assert mine == other
    assert not sides[0].local.exists()


def test_a_second_revision_shares_blobs(repo: Repository, sides: list[Side]) -> None:
    for side in sides:
        side.snapshot()
    repo.commit({"README.md": b"# new\n"})
    same(sides, lambda s: s.snapshot())


def test_a_folder_is_brought_up_to_date(repo: Repository, sides: list[Side]) -> None:
    for side in sides:
        side.snapshot(local_dir=side.local)
    repo.commit({"README.md": b"# new\n"})
    same(sides, lambda s: s.snapshot(local_dir=s.local))
    assert (sides[0].local / "README.md").read_bytes() == b"# new\n"


def test_an_edited_file_of_a_folder_is_fetched_again_and_the_right_one_adopted(
    repo: Repository, sides: list[Side], fault_hub: FaultHub
) -> None:
    def do(side: Side) -> list[str]:
        side.local.mkdir(exist_ok=True)
        (side.local / "large.bin").write_bytes(LARGE)  # no note, the right bytes
        paths = [side.file("large.bin", local_dir=side.local), side.file("README.md", local_dir=side.local)]
        note = side.local / ".cache/huggingface/download/README.md.metadata"
        (side.local / "README.md").write_bytes(b"edited\n")
        later = float(note.read_text().splitlines()[2]) + 60
        os.utime(side.local / "README.md", (later, later))
        return [*paths, side.file("README.md", local_dir=side.local)]

    same(sides, do)
    assert (sides[0].local / "README.md").read_bytes() == FILES["README.md"]
    assert fault_hub.served("large.bin") == 0


def test_a_broken_note_is_removed_and_made_anew(repo: Repository, sides: list[Side]) -> None:
    def do(side: Side) -> str:
        side.file("README.md", local_dir=side.local)
        (side.local / ".cache/huggingface/download/README.md.metadata").write_text("broken\n")
        return str(side.file("README.md", local_dir=side.local))

    same(sides, do)


def test_a_pinned_file_of_a_folder_costs_no_request(repo: Repository, sides: list[Side], fault_hub: FaultHub) -> None:
    commit = repo.refs["refs/heads/main"]
    for side in sides:
        side.file("README.md", local_dir=side.local, revision=commit)
        fault_hub.forget()
        side.file("README.md", local_dir=side.local, revision=commit)
        assert fault_hub.requests() == []


def test_notes_of_each_other_are_understood(repo: Repository, sides: list[Side], fault_hub: FaultHub) -> None:
    mine, other = sides
    for first, second in ((mine, other), (other, mine)):
        first.snapshot(local_dir=first.local)
        fault_hub.forget()
        second.snapshot(local_dir=first.local)
        assert [line.target for line in fault_hub.requests(method="GET") if "/resolve" in line.target] == []


@pytest.mark.parametrize(
    "do",
    [
        lambda s: s.file("absent.txt"),
        lambda s: s.file("README.md", revision="v9"),
        lambda s: s.library.hf_hub_download("org/none", "x", repo_type="dataset", cache_dir=s.cache, endpoint=s.url),
        lambda s: s.file("README.md", local_files_only=True),
        lambda s: s.file("README.md", local_files_only=True, local_dir=s.local),
        lambda s: s.file("README.md", local_files_only=True, force_download=True),
        lambda s: s.file("README.md", endpoint="http://127.0.0.1:9", force_download=True),
        lambda s: s.file("README.md", endpoint="http://127.0.0.1:9"),
        lambda s: s.snapshot(endpoint="http://127.0.0.1:9"),
        lambda s: s.snapshot(endpoint="http://127.0.0.1:9", dry_run=True),
        lambda s: s.snapshot(local_files_only=True),
        lambda s: s.snapshot(revision="v9"),
        lambda s: s.library.hf_hub_download("a/b/c", "x", cache_dir=s.cache),
        lambda s: s.library.hf_hub_download(ID, "x", repo_type="nothing", cache_dir=s.cache),
        lambda s: s.file("../x"),
        lambda s: s.library.resolve_revision("org/none", cache_dir=s.cache, local_files_only=True),
    ],
)
def test_errors_are_caught_by_the_same_names(
    repo: Repository, sides: list[Side], do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What catches the official error by a builtin class or by the name of one of its classes catches ours."""
    monkeypatch.setattr("huggingface_hub.file_download._ETAG_RETRY_TIMEOUT", 0.1)
    monkeypatch.setattr("huggingface_hub.utils._http._RETRY_COUNT", 1, raising=False)
    if "127.0.0.1:9" in inspect.getsource(do):
        monkeypatch.setattr("huggingface_hub.file_download._DEFAULT_RETRY_ON_EXCEPTIONS", ())
    caught = []
    for side in sides:
        with pytest.raises(Exception) as error:  # noqa: PT011  # which one is what is compared
            do(side)
        caught.append(error.value)
    names = [{c.__name__ for c in type(error).__mro__} for error in caught]
    of_no_interest = {"HTTPError", "FileMetadataError", "HTTPStatusError", "Exception"}
    assert names[1] - names[0] - of_no_interest == set(), caught


def test_symlink_less_caches(repo: Repository, sides: list[Side], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    same(sides, lambda s: [s.file("README.md"), s.snapshot()])
    assert not [p for p in sides[0].cache.rglob("*") if p.is_symlink()]
    assert list((sides[0].cache / "datasets--org--data" / "blobs").iterdir()) == []
    repo.commit({"new.txt": b"new"})
    same(sides, lambda s: s.snapshot())


def test_a_cache_with_links_is_read_without_them(
    repo: Repository, sides: list[Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in sides:
        side.file("README.md")
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    repo.commit({"other.txt": FILES["README.md"]})  # its blob is there already: copied, not moved
    same(sides, lambda s: [s.file("README.md"), s.file("other.txt")])


def test_resolved_revisions(repo: Repository, sides: list[Side], fault_hub: FaultHub) -> None:
    commit = repo.refs["refs/heads/main"]
    made = [
        ours.resolve_revision(ID, repo_type="dataset", cache_dir=sides[0].cache),
        official.HfApi(endpoint=fault_hub.url).resolve_revision(ID, repo_type="dataset", cache_dir=sides[1].cache),
    ]
    assert [(str(r), r.initial, r.resolved) for r in made] == [("main", None, commit)] * 2
    assert sides[0].tree() == sides[1].tree()
    assert repr(pickle.loads(pickle.dumps(made[0]))) == repr(made[1])
    repo.commit({"README.md": b"# later\n"})
    for revision in made:
        assert Path(sides[0].file("README.md", revision=revision)).read_bytes() == FILES["README.md"]
        assert Path(sides[0].snapshot(revision=revision)).name == commit
    elsewhere = ours.ResolvedRevision("0" * 40, None, "org/other", "dataset")
    assert Path(sides[0].file("README.md", revision=elsewhere)).read_bytes() == b"# later\n"


def test_look_ups(repo: Repository, sides: list[Side]) -> None:
    seen = []
    for side in sides:
        library = side.library
        side.file("README.md")
        with pytest.raises(FileNotFoundError if library is ours else official.errors.EntryNotFoundError):
            side.file("absent.txt")
        found = [
            library.try_to_load_from_cache(ID, name, cache_dir=side.cache, repo_type="dataset")
            for name in ("README.md", "absent.txt", "unknown.txt")
        ]
        assert found[1] is library._CACHED_NO_EXIST
        seen.append([side.relative(found[0]), found[2]])
        folder = library.cached_assets_path("my lib", "a/b", assets_dir=side.root / "assets")
        assert folder.is_dir()
        seen[-1].append(side.relative(str(folder)))
    assert seen[0] == seen[1]


def test_what_is_declared_to_differ(repo: Repository, sides: list[Side]) -> None:
    """Our errors for a hub that is gone say what was asked for, and carry the network's error."""
    mine = sides[0]
    with pytest.raises(ForceDownloadError, match="refused") as force:
        mine.file("README.md", endpoint="http://127.0.0.1:9", force_download=True)
    assert isinstance(force.value, ValueError)
    assert isinstance(force.value.__cause__, ConnectionError)
    with pytest.raises(DryRunError, match="refused"):
        mine.snapshot(endpoint="http://127.0.0.1:9", dry_run=True)
    mine.file("README.md")
    with pytest.warns(StaleCacheWarning, match=re.escape("README.md of dataset org/data@main")):
        mine.file("README.md", endpoint="http://127.0.0.1:9")
    mine.snapshot()
    for path in mine.cache.glob("datasets--org--data/snapshots/*/data/a.txt"):
        path.unlink()
    with pytest.raises(IncompleteSnapshotError, match=r"1 file\(s\) are missing \(data/a.txt\)") as lacking:
        mine.snapshot(endpoint="http://127.0.0.1:9")
    assert lacking.value.missing == ["data/a.txt"]
    assert Path(lacking.value.snapshot_path).is_dir()
    assert mine.snapshot(endpoint="http://127.0.0.1:9", ignore_patterns="data/*")
