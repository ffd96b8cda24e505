"""The write side of the fault hub: the official client writes, and reads back what it wrote."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import huggingface_hub as official
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub import errors as theirs

from faulthub import FaultHub, Repository, faults
from faulthub.by_hand import GOOD, NDJSON, ByHand, lines, sha256

# The official client gives httpx2 a file in a way that it will not take for ever.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")

LARGE = bytes(range(256)) * 4_000
HEAD = "refs/heads/main"


@pytest.fixture(autouse=True)
def _without_xet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official.constants, "HF_HUB_DISABLE_XET", True)  # the hub speaks LFS only


@pytest.fixture
def api(fault_hub: FaultHub) -> official.HfApi:
    return official.HfApi(endpoint=fault_hub.url, token="hf_good")


@pytest.fixture
def repo(fault_hub: FaultHub) -> Repository:
    made = fault_hub.repo("dataset", "org/data")
    made.commit({"README.md": b"# data\n", "old.bin": b"\0old", "data/a.csv": b"a\n1\n", "data/b.csv": b"b\n2\n"})
    return made


@pytest.fixture
def ask(fault_hub: FaultHub) -> ByHand:
    return ByHand(fault_hub)


class Api:
    """Short for calls about `org/data`."""

    def __init__(self, api: official.HfApi) -> None:
        self.api = api

    def commit(self, *operations: Any, **options: Any) -> official.CommitInfo:
        every: Any = {"commit_message": "change", "repo_type": "dataset", **options}
        made: official.CommitInfo = self.api.create_commit("org/data", list(operations), **every)
        return made

    def add(self, path: str, data: bytes, **options: Any) -> official.CommitInfo:
        return self.commit(CommitOperationAdd(path, data), **options)

    def read(self, path: str, folder: Path, revision: str | None = None) -> bytes:
        got = self.api.hf_hub_download("org/data", path, repo_type="dataset", cache_dir=folder, revision=revision)
        return Path(got).read_bytes()

    def files(self, revision: str = "main") -> list[str]:
        return self.api.list_repo_files("org/data", repo_type="dataset", revision=revision)


@pytest.fixture
def data(api: official.HfApi, repo: Repository) -> Api:
    return Api(api)


# ------------------------------------------------------------------------------------------ the official client


def test_repositories(fault_hub: FaultHub, api: official.HfApi) -> None:
    made = api.create_repo("alice/new", repo_type="dataset", private=True)
    assert (made.repo_id, made.repo_type, made.url) == ("alice/new", "dataset", f"{fault_hub.url}/datasets/alice/new")
    assert api.create_repo("mine").repo_id == "alice/mine"  # without a namespace: that of the token's user
    info = api.dataset_info("alice/new")
    assert info.private
    assert [s.rfilename for s in info.siblings or []] == [".gitattributes"]
    assert [c.title for c in api.list_repo_commits("alice/new", repo_type="dataset")] == ["initial commit"]
    with pytest.raises(theirs.HfHubHTTPError, match="409"):
        api.create_repo("alice/new", repo_type="dataset")
    assert api.create_repo("alice/new", repo_type="dataset", exist_ok=True).repo_id == "alice/new"
    other = official.HfApi(endpoint=fault_hub.url, token="hf_other")
    with pytest.raises(theirs.RepositoryNotFoundError):
        other.dataset_info("alice/new")
    api.update_repo_settings("alice/new", repo_type="dataset", private=False, gated="manual")
    seen = other.dataset_info("alice/new")
    assert (seen.private, seen.gated) == (False, "manual")
    api.move_repo("alice/new", "alice/newer", repo_type="dataset")
    assert api.dataset_info("alice/new").id == "alice/newer"
    api.create_repo("alice/new", repo_type="dataset")  # the old name is free again
    assert api.dataset_info("alice/new").id == "alice/new"
    with pytest.raises(theirs.HfHubHTTPError, match="409"):
        api.move_repo("alice/new", "alice/newer", repo_type="dataset")
    api.delete_repo("alice/newer", repo_type="dataset")
    with pytest.raises(theirs.RepositoryNotFoundError):
        api.delete_repo("alice/newer", repo_type="dataset")
    api.delete_repo("alice/newer", repo_type="dataset", missing_ok=True)


def test_branches_tags_and_squash(data: Api, repo: Repository) -> None:
    api, first = data.api, repo.refs[HEAD]
    second = data.add("c.csv", b"c\n").oid
    api.create_branch("org/data", repo_type="dataset", branch="my/work")
    api.create_branch("org/data", repo_type="dataset", branch="past", revision=first)
    api.create_tag("org/data", repo_type="dataset", tag="v1", revision="past", tag_message="one")
    refs = api.list_repo_refs("org/data", repo_type="dataset")
    branches = {b.name: b.target_commit for b in refs.branches}
    assert branches == {"main": second, "my/work": second, "past": first}
    assert {t.name: t.target_commit for t in refs.tags} == {"v1": first}
    with pytest.raises(theirs.HfHubHTTPError, match="409"):
        api.create_branch("org/data", repo_type="dataset", branch="past")
    api.create_branch("org/data", repo_type="dataset", branch="past", exist_ok=True)
    with pytest.raises(theirs.HfHubHTTPError, match="409"):
        api.create_tag("org/data", repo_type="dataset", tag="v1")
    with pytest.raises(theirs.BadRequestError):
        api.create_branch("org/data", repo_type="dataset", branch="refs/pr/5")
    with pytest.raises(theirs.RevisionNotFoundError):
        api.create_branch("org/data", repo_type="dataset", branch="x", revision="none")
    api.delete_tag("org/data", repo_type="dataset", tag="v1")
    api.delete_branch("org/data", repo_type="dataset", branch="my/work")
    with pytest.raises(theirs.RevisionNotFoundError):
        api.delete_tag("org/data", repo_type="dataset", tag="v1")
    with pytest.raises(theirs.RevisionNotFoundError):
        api.delete_branch("org/data", repo_type="dataset", branch="my/work")
    with pytest.raises(theirs.HfHubHTTPError, match="403"):
        api.delete_branch("org/data", repo_type="dataset", branch="main")
    before = data.files()
    api.super_squash_history("org/data", repo_type="dataset", commit_message="all in one")
    commits = api.list_repo_commits("org/data", repo_type="dataset")
    assert [c.title for c in commits] == ["all in one"]
    assert data.files() == before


@pytest.mark.parametrize("part", [5 << 30, 300_000, 256_000])
def test_a_folder_goes_up_and_comes_back(fault_hub: FaultHub, data: Api, tmp_path: Path, part: int) -> None:
    fault_hub.lfs_part = part  # LARGE is 1,024,000 bytes: whole, with a short last part, in equal parts
    files = {
        "README.md": b"---\nlicense: mit\n---\n# new\n",
        "deep/er/x y[1].txt": b"odd",
        "empty.bin": b"",
        "big.parquet": LARGE,
        "nul.txt": b"a\0b",
        "skip.log": b"ignored",
        ".gitignore": b"# logs\n*.log\nbuild/\n",
        "build/out.bin": b"\0ignored",
    }
    for path, content in files.items():
        (tmp_path / "up" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "up" / path).write_bytes(content)
    done = data.api.upload_folder(
        repo_id="org/data", folder_path=tmp_path / "up", repo_type="dataset", commit_message="m", commit_description="d"
    )
    kept = {p: c for p, c in files.items() if not p.startswith(("skip", "build"))}
    assert data.files() == sorted([*kept, "old.bin", "data/a.csv", "data/b.csv"])
    cache = tmp_path / "cache"
    assert {p: data.read(p, cache, done.oid) for p in kept} == kept
    tree = {e.path: e for e in data.api.list_repo_tree("org/data", repo_type="dataset", recursive=True)}
    lfs = {p: e.lfs.sha256 for p, e in tree.items() if isinstance(e, official.RepoFile) and e.lfs}
    assert lfs == {
        p: sha256(c) for p, c in {**kept, "old.bin": b"\0old"}.items() if p in ("big.parquet", "nul.txt", "old.bin")
    }
    newest = data.api.list_repo_commits("org/data", repo_type="dataset")[0]
    assert (newest.commit_id, newest.title, newest.message) == (done.oid, "m", "d")
    # What the log says about the way that the large file took.
    sent = fault_hub.bodies(sha256(LARGE), origin="cdn", method="PUT")
    assert [len(b) for b in sent] == [min(part, len(LARGE) - at) for at in range(0, len(LARGE), part)]
    assert b"".join(sent) == LARGE
    assert len(fault_hub.bodies("complete_multipart")) == (part < len(LARGE))
    assert not fault_hub.tokens_on("cdn")
    # The same again: nothing is sent, there is no new commit (with ignored files the client would make an empty one).
    fault_hub.forget()
    again = data.api.upload_folder(
        repo_id="org/data", folder_path=tmp_path / "up", repo_type="dataset", ignore_patterns=["*.log", "build/*"]
    )
    assert again.oid == done.oid
    assert not fault_hub.requests("/commit/", method="POST")
    assert not fault_hub.requests(origin="cdn")


def test_deleting_and_copying(fault_hub: FaultHub, data: Api, repo: Repository, tmp_path: Path) -> None:
    data.commit(
        CommitOperationCopy("old.bin", "new/copy.bin"),
        CommitOperationCopy("data/a.csv", "new/a.csv"),
        CommitOperationDelete("old.bin"),
        CommitOperationDelete("data/"),
        CommitOperationAdd("data/c.csv", b"c\n"),
    )
    assert data.files() == ["README.md", "data/c.csv", "new/a.csv", "new/copy.bin"]
    assert (data.read("new/copy.bin", tmp_path), data.read("new/a.csv", tmp_path)) == (b"\0old", b"a\n1\n")
    assert repo.commits[repo.refs[HEAD]].files["new/copy.bin"].lfs
    assert not fault_hub.requests(origin="cdn", method="PUT")
    with pytest.raises(theirs.RemoteEntryNotFoundError, match="Make sure to differentiate file and folder paths"):
        data.commit(CommitOperationDelete("new"))
    with pytest.raises(theirs.RemoteEntryNotFoundError):
        data.commit(CommitOperationDelete("none/"))
    data.api.delete_folder("new", "org/data", repo_type="dataset")
    data.api.delete_file("README.md", "org/data", repo_type="dataset")
    assert data.files() == ["data/c.csv"]


def test_pull_requests(fault_hub: FaultHub, data: Api, repo: Repository, tmp_path: Path) -> None:
    first = repo.refs[HEAD]
    data.add("later.txt", b"later")
    made = data.add("big.bin", LARGE, create_pr=True)
    assert (made.pr_url, made.pr_num) == (f"{fault_hub.url}/datasets/org/data/discussions/1", 1)
    assert made.repo_url.repo_id == "org/data"
    old = data.add("old.txt", b"x", create_pr=True, parent_commit=first)
    assert old.pr_revision == "refs/pr/2"
    assert "later.txt" not in data.files("refs/pr/2")
    data.add("more.txt", b"y", revision="refs/pr/1")
    assert {"big.bin", "later.txt", "more.txt"} < set(data.files("refs/pr/1"))
    assert "big.bin" not in data.files()
    assert data.read("big.bin", tmp_path, "refs/pr/1") == LARGE


def test_who_may_not(fault_hub: FaultHub, repo: Repository) -> None:
    fault_hub.tokens["hf_read"] = "alice"
    fault_hub.read_only_tokens.add("hf_read")
    fault_hub.repo("dataset", "org/secret", private=True).commit({"a": b""})

    def write(token: str | bool, repo_id: str = "org/data", **options: Any) -> None:
        api = official.HfApi(endpoint=fault_hub.url, token=token)
        api.create_commit(repo_id, [CommitOperationDelete("a")], commit_message="m", repo_type="dataset", **options)

    for token, code in (("hf_read", "403"), (False, "401"), ("hf_bad", "401")):
        with pytest.raises(theirs.HfHubHTTPError, match=code):
            write(token)
        with pytest.raises(theirs.HfHubHTTPError, match=code):
            official.HfApi(endpoint=fault_hub.url, token=token).create_repo("alice/x", repo_type="dataset")
    with pytest.raises(theirs.RepositoryNotFoundError):
        write("hf_other", "org/secret")
    with pytest.raises(theirs.RevisionNotFoundError):
        write("hf_good", revision="none")
    with pytest.raises(theirs.RevisionNotFoundError):
        write("hf_good", revision=repo.refs[HEAD])  # a commit is no branch
    readers = official.HfApi(endpoint=fault_hub.url, token="hf_read")
    readers.auth_check("org/data", repo_type="dataset")
    with pytest.raises(theirs.HfHubHTTPError, match="403"):
        readers.auth_check("org/data", repo_type="dataset", write=True)
    assert set(fault_hub.repos) == {("dataset", "org/data"), ("dataset", "org/secret")}


def test_a_parent_that_is_not_the_head(data: Api, repo: Repository) -> None:
    first = repo.refs[HEAD]
    second = data.add("a.txt", b"a", parent_commit=first).oid
    with pytest.raises(theirs.HfHubHTTPError, match=r"412.*\n*A commit has happened since"):
        data.add("b.txt", b"b", parent_commit=first)
    assert repo.refs[HEAD] == second


def test_a_commit_that_gets_in_first(fault_hub: FaultHub, data: Api, repo: Repository) -> None:
    other: list[str] = []
    fault_hub.fault("/commit/", faults.first(lambda: other.append(repo.commit({"other.txt": b"o"}))), times=2)
    with pytest.raises(theirs.HfHubHTTPError, match="412"):
        data.add("a.txt", b"a", parent_commit=repo.refs[HEAD])
    assert repo.refs[HEAD] == other[0]
    made = data.add("a.txt", b"a").oid  # without a parent it is built on what is there
    assert repo.commits[made].parent == other[1]
    assert {"a.txt", "other.txt"} < set(data.files())


def test_metadata_and_objects_that_are_refused(fault_hub: FaultHub, data: Api) -> None:
    fault_hub.yaml_errors = ["license is odd"]
    with pytest.raises(ValueError, match="license is odd"):
        data.add("README.md", b"# x")
    fault_hub.lfs_errors[sha256(LARGE)] = "no room"
    with pytest.raises(ValueError, match="no room"):
        data.add("big.bin", LARGE)


def test_commits_at_once_are_one_after_the_other(fault_hub: FaultHub, data: Api, repo: Repository, ask: ByHand) -> None:
    def all_here() -> bool:
        return len(fault_hub.requests("/commit/", method="POST")) == 8

    def wait(*_: object) -> None:
        assert fault_hub.wait_until(all_here)

    fault_hub.fault("/commit/", wait, times=1)  # the first has been looked at, and changes nothing until all are here
    made: list[str] = []

    def commit(n: int) -> None:
        body = lines(("file", {"path": f"{n}.txt", "content": "YQ==", "encoding": "base64"}))
        made.append(ask("POST", "/api/datasets/org/data/commit/main", body, {**GOOD, **NDJSON})[2]["commitOid"])

    before = len(repo.history(repo.commits[repo.refs[HEAD]]))
    threads = [threading.Thread(target=commit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = repo.history(repo.commits[repo.refs[HEAD]])
    assert {c.id for c in history[:-before]} == set(made)
    assert len(set(made)) == 8
    assert {f"{n}.txt" for n in range(8)} < set(data.files())


# ------------------------------------------------------------------------------------------------ with faults


def test_the_client_sends_again(fault_hub: FaultHub, data: Api, tmp_path: Path) -> None:
    fault_hub.lfs_part = 500_000
    spoilt = [
        fault_hub.fault("partNumber=1", faults.status(503), origin="cdn", method="PUT", times=1),
        fault_hub.fault("partNumber=2", faults.hang_up(100_000), origin="cdn", method="PUT", times=1),
        fault_hub.fault("complete_multipart", faults.lose_answer(), times=1),
        fault_hub.fault("objects/verify", faults.rate_limited(0), times=1),
    ]
    data.add("big.bin", LARGE)
    assert [f.hits for f in spoilt] == [1, 1, 1, 1]
    assert [len(b) for b in fault_hub.bodies("partNumber=2")] == [100_000, 500_000]
    assert data.read("big.bin", tmp_path) == LARGE


def test_an_answer_replaced_means_that_nothing_happened(fault_hub: FaultHub, data: Api, repo: Repository) -> None:
    first = repo.refs[HEAD]
    for change in (faults.status(503), faults.rate_limited(1), faults.hang_up(), faults.hang_up(10)):
        fault_hub.fault("/commit/", change, times=1)
        with pytest.raises(Exception, match=r"503|429|reset|Broken pipe|disconnected"):
            data.add("a.txt", b"a")
    fault_hub.fault("repos/create", faults.status(500), times=1)
    with pytest.raises(theirs.HfHubHTTPError, match="500"):
        data.api.create_repo("alice/x")
    assert repo.refs[HEAD] == first
    assert list(fault_hub.repos) == [("dataset", "org/data")]
    assert len(fault_hub.bodies("/commit/", method="POST")) == 4
    assert len(fault_hub.bodies("/commit/", method="POST")[-1]) == 10


@pytest.mark.parametrize("change", [faults.lose_answer(), faults.cut(3)])
def test_an_answer_lost_means_that_it_happened(
    fault_hub: FaultHub, data: Api, repo: Repository, change: faults.Change
) -> None:
    first = repo.refs[HEAD]
    fault_hub.fault("/commit/", change, times=1)
    with pytest.raises(Exception, match=r"reset|peer closed|disconnected"):
        data.add("a.txt", b"a", parent_commit=first)
    assert repo.commits[repo.refs[HEAD]].parent == first
    assert "a.txt" in data.files()
    with pytest.raises(theirs.HfHubHTTPError, match="412"):  # what a client sees that asks again
        data.add("b.txt", b"b", parent_commit=first)


def test_below_a_path_and_renamed(api: official.HfApi, tmp_path: Path) -> None:
    with FaultHub(prefix="/mirror") as hub:
        hub.lfs_part = 600_000
        hub.repo("model", "org/old").commit({"a": b"a"})
        hub.rename("model", "org/old", "org/new")
        there = official.HfApi(endpoint=hub.url, token="hf_good")
        done = there.upload_file(path_or_fileobj=LARGE, path_in_repo="w.safetensors", repo_id="org/old")
        assert done.repo_url.repo_id == "org/new"
        got = there.hf_hub_download("org/new", "w.safetensors", cache_dir=tmp_path)
        assert Path(got).read_bytes() == LARGE
