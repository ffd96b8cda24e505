"""Uploads against the official client: the same calls to two hubs leave the same repositories, by the same requests."""

from __future__ import annotations

import io
import json
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub as official
import pytest

import hfhub
from faulthub import FaultHub
from hfhub import CommitInfo, CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, RepoUrl

BIG = os.urandom(300_000)
ID = "alice/data"
START: dict[str, bytes | None] = {
    "a.txt": b"one\n",
    "b/c.txt": b"two\n",
    "b/d.bin": b"\0" * 2000,
    "logs/x.log": b"x",
    ".gitattributes": b"*.bin filter=lfs\n",
}


class Pair:
    """Two hubs with the same repository, one for each client."""

    def __init__(self, ours: FaultHub, theirs: FaultHub) -> None:
        self.hubs = {"ours": ours, "theirs": theirs}
        self.apis: dict[str, Any] = {
            "ours": HfApi(endpoint=ours.url, token="hf_good"),
            "theirs": official.HfApi(endpoint=theirs.url, token="hf_good"),
        }
        for hub in self.hubs.values():
            hub.repo("dataset", ID).commit(START)

    def both(self, call: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
        """A call with each client and its module: results, or what was raised."""
        done = []
        for name, module in (("ours", hfhub), ("theirs", official)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    done.append(call(self.apis[name], module))
                except Exception as error:  # noqa: BLE001  # compared
                    done.append(error)
        return done[0], done[1]

    def files(self, name: str, revision: str = "main", repo_id: str = ID, kind: str = "dataset") -> Any:
        """What a hub has: content, and whether it is in the store."""
        commit = self.hubs[name].repos[kind, repo_id].resolve(revision)
        assert commit is not None
        return {path: (blob.data, blob.lfs) for path, blob in commit.files.items()}

    def sent(self, name: str, about: str) -> list[Any]:
        """The JSON of the bodies of some requests."""
        bodies = self.hubs[name].bodies(about, method="POST")
        return [[json.loads(line) for line in body.splitlines()] for body in bodies]


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Pair]:
    for name in list(os.environ):
        if name.startswith(("HF_", "HFHUB_", "HUGGING")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with FaultHub() as ours, FaultHub() as theirs:
        yield Pair(ours, theirs)


def add(path: str, content: Any) -> Callable[[Any], Any]:
    return lambda module: module.CommitOperationAdd(path, content)


def delete(path: str, **more: Any) -> Callable[[Any], Any]:
    return lambda module: module.CommitOperationDelete(path, **more)


def copy(source: str, path: str, **more: Any) -> Callable[[Any], Any]:
    return lambda module: module.CommitOperationCopy(source, path, **more)


COMMITS: dict[str, list[Callable[[Any], Any]]] = {
    "regular": [add("new.txt", b"hello\n"), add("deep/er/x.json", b"{}")],
    "large": [add("big.bin", BIG), add("big2.parquet", BIG[:1000])],
    "empty": [add("empty.txt", b""), add("empty.bin", b"")],
    "binary without a pattern": [add("thing", b"a\0b" * 100)],
    "same bytes twice": [add("one.bin", BIG), add("two.bin", BIG)],
    "unchanged left out": [add("a.txt", b"one\n"), add("b/d.bin", b"\0" * 2000), add("n.txt", b"n")],
    "nothing to do": [add("a.txt", b"one\n"), add("b/d.bin", b"\0" * 2000)],
    "changed": [add("a.txt", b"another"), add("b/d.bin", b"\0" * 2001)],
    "deletions": [delete("a.txt"), delete("b/")],
    "folder by flag": [delete("b", is_folder=True), add("z", b"z")],
    "deleted and added again": [delete("a.txt"), add("a.txt", b"one\n")],
    "below a deleted folder": [delete("b/"), add("b/c.txt", b"two\n"), add("b/d.bin", b"\0" * 2000)],
    "copies": [copy("b/d.bin", "e.bin"), copy("a.txt", "copy/of/a.txt")],
    "copy onto itself": [copy("a.txt", "a.txt"), add("k", b"k")],
    "copy of what is absent": [copy("nope", "x")],
    "copy of a folder": [copy("b", "x")],
    "delete what is absent": [delete("nope.txt")],
    "ignored": [add(".gitignore", b"*.log\nskip/\n"), add("y.log", b"y"), add("skip/z", b"z"), add("keep", b"k")],
    "card": [add("README.md", b"---\nlicense: mit\n---\n# hi\n")],
    "odd names": [add("ä b/ü#?.txt", b"u"), add("./dot.txt", b"d"), add("/root.txt", b"r")],
    "nothing": [],
}


@pytest.mark.parametrize("name", COMMITS)
def test_commits(pair: Pair, name: str) -> None:
    made = COMMITS[name]

    def call(api: Any, module: Any) -> Any:
        return api.create_commit(
            ID,
            [operation(module) for operation in made],
            commit_message="change",
            commit_description="at last",
            repo_type="dataset",
        )

    ours, theirs = pair.both(call)
    assert pair.files("ours") == pair.files("theirs")
    for route in ("/preupload/", "/commit/", "/validate-yaml"):
        sent = [sorted(each, key=str) for each in pair.sent("ours", route)]
        assert sent == [sorted(each, key=str) for each in pair.sent("theirs", route)], route
    # What the repository has already is not asked about, and the same bytes once.
    asked, needed = ([o for [b] in pair.sent(name, "/objects/batch") for o in b["objects"]] for name in pair.hubs)
    assert all(one in needed for one in asked)
    assert len({one["oid"] for one in asked}) == len(asked)
    put = [sorted(pair.hubs[name].bodies(origin="cdn", method="PUT")) for name in pair.hubs]
    assert put[0] == sorted(set(put[1]))
    if isinstance(theirs, Exception):
        assert type(theirs).__name__ in [cls.__name__ for cls in type(ours).__mro__], ours
        return
    repositories = [pair.hubs[name].repos["dataset", ID] for name in ("ours", "theirs")]
    assert [r.resolve("main").message for r in repositories] == ["change\n\nat last"] * 2 or ours.oid == theirs.oid
    for attribute in ("commit_message", "commit_description", "oid", "pr_url", "pr_num", "pr_revision"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    assert str(ours).removeprefix(pair.hubs["ours"].url) == str(theirs).removeprefix(pair.hubs["theirs"].url)
    assert ours.repo_url.repo_id == theirs.repo_url.repo_id == ID
    assert ours.repo_url.repo_type == "dataset"


@pytest.mark.parametrize("kind", ["model", "dataset"])
@pytest.mark.parametrize("source", ["bytes", "path", "text", "file", "buffer", "in the middle"])
def test_upload_file(pair: Pair, source: str, kind: str, tmp_path: Path) -> None:
    local = tmp_path / "local.bin"
    local.write_bytes(BIG)
    for hub in pair.hubs.values():
        hub.repo("model", "alice/m").commit({"x": b"x"})
    repo_id = "alice/m" if kind == "model" else ID

    def content() -> Any:
        if source == "in the middle":
            file = io.BytesIO(b"front" + BIG)
            file.seek(5)
            return file
        made: dict[str, Any] = {"bytes": BIG, "path": local, "text": str(local), "buffer": io.BytesIO(BIG)}
        return local.open("rb") if source == "file" else made[source]

    ours, _ = pair.both(
        lambda api, _: api.upload_file(
            path_or_fileobj=content(), path_in_repo="up/big.bin", repo_id=repo_id, repo_type=kind, commit_message="m"
        )
    )
    assert isinstance(ours, CommitInfo)
    if source == "in the middle":  # the official one sends what is before the place too
        assert pair.files("ours", repo_id=repo_id, kind=kind)["up/big.bin"] == (BIG, True)
    else:
        assert pair.files("ours", repo_id=repo_id, kind=kind) == pair.files("theirs", repo_id=repo_id, kind=kind)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"path_in_repo": "in/side"},
        {"path_in_repo": "", "delete_patterns": ["b/*"]},
        {"path_in_repo": "./in/", "delete_patterns": ["*"]},
        {"allow_patterns": ["*.txt"]},
        {"ignore_patterns": "sub/"},
        {"path_in_repo": "b", "delete_patterns": "*.txt"},
        {"delete_patterns": ["*"]},
        {"allow_patterns": [], "delete_patterns": ["logs/*"]},
        {"create_pr": True},
        {"revision": "dev"},
    ],
    ids=str,
)
def test_upload_folder(pair: Pair, options: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for path, content in {
        "a.txt": b"new",
        "sub/b.txt": b"b",
        "sub/deep/c.bin": BIG,
        ".git/config": b"no",
        "sub/.git/x": b"no",
        ".cache/huggingface/y": b"no",
        ".hidden": b"h",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)  # type: ignore[arg-type]
    for hub in pair.hubs.values():
        hub.repos["dataset", ID].branch("dev")
    ours, theirs = pair.both(
        lambda api, _: api.upload_folder(
            folder_path=folder, repo_id=ID, repo_type="dataset", commit_message="f", **options
        )
    )
    revision = "refs/pr/1" if options.get("create_pr") else options.get("revision", "main")
    assert pair.files("ours", revision) == pair.files("theirs", revision)
    assert ours.pr_url is None or ours.pr_url.endswith("/discussions/1")
    assert (ours.pr_num, ours.oid) == (theirs.pr_num, theirs.oid)


def test_deletions(pair: Pair) -> None:
    about: dict[str, Any] = {"repo_type": "dataset", "commit_message": "gone"}
    pair.both(lambda api, _: api.delete_file("a.txt", ID, **about))
    pair.both(lambda api, _: api.delete_folder("b", ID, **about))
    assert pair.files("ours") == pair.files("theirs")
    assert set(pair.files("ours")) == {"logs/x.log", ".gitattributes"}
    ours, theirs = pair.both(lambda api, _: api.delete_file("a.txt", ID, **about))
    assert type(ours).__name__ == type(theirs).__name__ == "RemoteEntryNotFoundError"
    pair.both(lambda api, _: api.delete_files(ID, ["*"], **about))
    assert pair.files("ours") == pair.files("theirs") == {".gitattributes": (START[".gitattributes"], False)}


def test_parts(pair: Pair) -> None:
    for hub in pair.hubs.values():
        hub.lfs_part = 70_000
    pair.both(
        lambda api, _: api.upload_file(
            path_or_fileobj=BIG, path_in_repo="big.bin", repo_id=ID, repo_type="dataset", commit_message="m"
        )
    )
    assert pair.files("ours") == pair.files("theirs")
    assert pair.files("ours")["big.bin"] == (BIG, True)
    lengths = [sorted(len(b) for b in pair.hubs[name].bodies(origin="cdn", method="PUT")) for name in pair.hubs]
    assert lengths[0] == lengths[1] == [20_000, 70_000, 70_000, 70_000, 70_000]


def test_preupload_then_commit(pair: Pair) -> None:
    def call(api: Any, module: Any) -> Any:
        operations = [module.CommitOperationAdd(f"{n}.bin", BIG[n:]) for n in range(3)]
        for operation in operations:
            api.preupload_lfs_files(ID, [operation], repo_type="dataset")
            assert operation.path_or_fileobj == b""
        return api.create_commit(ID, operations, commit_message="all", repo_type="dataset")

    pair.both(call)
    assert pair.files("ours") == pair.files("theirs")
    assert pair.files("ours")["2.bin"] == (BIG[2:], True)
    assert len(pair.hubs["ours"].requests(origin="cdn", method="PUT")) == 3


def repositories(api: Any, _: Any) -> Any:
    made = api.create_repo("alice/new", repo_type="dataset", private=True)
    api.create_repo("alice/new", repo_type="dataset", exist_ok=True)
    short = api.create_repo("short")
    api.create_branch("alice/new", branch="dev", repo_type="dataset")
    api.create_branch("alice/new", branch="dev", repo_type="dataset", exist_ok=True)
    api.create_tag("alice/new", tag="v1", revision="dev", tag_message="first", repo_type="dataset")
    api.create_tag("alice/new", tag="v1", repo_type="dataset", exist_ok=True)
    api.upload_file(path_or_fileobj=b"1", path_in_repo="f", repo_id="alice/new", repo_type="dataset", revision="dev")
    api.super_squash_history("alice/new", branch="dev", repo_type="dataset", commit_message="one")
    api.create_tag("alice/new", tag="v2", repo_type="dataset")
    api.delete_tag("alice/new", tag="v2", repo_type="dataset")
    api.create_branch("alice/new", branch="x/y", repo_type="dataset", revision="dev")
    api.delete_branch("alice/new", branch="x/y", repo_type="dataset")
    api.update_repo_settings("alice/new", gated="auto", private=False, repo_type="dataset")
    api.move_repo("alice/new", "alice/moved", repo_type="dataset")
    api.delete_repo("short", missing_ok=True)
    api.delete_repo("alice/gone", missing_ok=True)
    return made.repo_id, made.repo_type, made.namespace, short.repo_id, str(made).partition("/datasets/")[2]


def test_repositories_branches_and_tags(pair: Pair) -> None:
    ours, theirs = pair.both(repositories)
    assert ours == theirs
    assert ours[3] == "alice/short"
    states = []
    for hub in pair.hubs.values():
        repo = hub.repos["dataset", "alice/moved"]
        history = [commit.message for commit in repo.history(repo.commits[repo.refs["refs/heads/dev"]])]
        states.append((set(hub.repos), repo.refs, repo.access.gated, repo.access.private, history))
    assert states[0] == states[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda api, _: api.create_repo(ID, repo_type="dataset"),
        lambda api, _: api.create_repo("x", repo_type="nothing"),
        lambda api, _: api.create_repo("x", private=True, visibility="public"),
        lambda api, _: api.create_repo("x", repo_type="space"),
        lambda api, _: api.delete_repo("alice/gone"),
        lambda api, _: api.move_repo("one", "two"),
        lambda api, _: api.update_repo_settings(ID, repo_type="dataset"),
        lambda api, _: api.update_repo_settings(ID, gated="yes", repo_type="dataset"),
        lambda api, _: api.create_branch(ID, branch="main", repo_type="dataset"),
        lambda api, _: api.create_branch(ID, branch="refs/pr/1", repo_type="dataset"),
        lambda api, _: api.create_tag(ID, tag="t", revision="nope", repo_type="dataset"),
        lambda api, _: api.delete_branch(ID, branch="main", repo_type="dataset"),
        lambda api, _: api.delete_branch(ID, branch="nope", repo_type="dataset"),
        lambda api, _: api.delete_tag(ID, tag="nope", repo_type="dataset"),
        lambda api, _: api.super_squash_history(ID, branch="nope", repo_type="dataset"),
        lambda api, _: api.create_commit(ID, [], commit_message="", repo_type="dataset"),
        lambda api, _: api.create_commit(ID, [], commit_message="m", parent_commit="xyz", repo_type="dataset"),
        lambda api, m: api.create_commit(
            ID, [m.CommitOperationAdd("z", b"z")], commit_message="m", parent_commit="0" * 40, repo_type="dataset"
        ),
        lambda api, m: api.create_commit(
            ID, [m.CommitOperationAdd("z", b"z")], commit_message="m", revision="nope", repo_type="dataset"
        ),
        lambda api, m: api.create_commit(
            "alice/gone", [m.CommitOperationAdd("z", b"z")], commit_message="m", repo_type="dataset"
        ),
        lambda _, m: m.CommitOperationAdd("../z", b"z"),
        lambda _, m: m.CommitOperationAdd("a/.git/z", b"z"),
        lambda _, m: m.CommitOperationAdd("z", "/no/such/file"),
        lambda _, m: m.CommitOperationAdd("z", 3),
        lambda _, m: m.CommitOperationAdd("z", io.StringIO("text")),
        lambda _, m: m.CommitOperationDelete("z", is_folder="yes"),
        lambda _, m: m.CommitOperationCopy("a/../z", "z"),
        lambda api, _: api.upload_folder(folder_path="/no/such", repo_id=ID, repo_type="dataset"),
    ],
)
def test_what_is_refused(pair: Pair, call: Callable[[Any, Any], Any]) -> None:
    ours, theirs = pair.both(call)
    assert isinstance(theirs, Exception)
    assert isinstance(ours, Exception)
    name = type(theirs).__name__
    assert name in [cls.__name__ for cls in type(ours).__mro__], ours
    if name == "HfHubHTTPError":
        assert ours.response.status_code == theirs.response.status_code  # type: ignore[attr-defined]
    assert pair.files("ours") == pair.files("theirs")


def test_a_card_that_the_hub_refuses(pair: Pair) -> None:
    for hub in pair.hubs.values():
        hub.yaml_errors = ['"license" must be one of them']
    operations = [add("README.md", b"---\nlicense: x\n---\n"), add("big.bin", BIG)]
    ours, theirs = pair.both(
        lambda api, m: api.create_commit(ID, [o(m) for o in operations], commit_message="m", repo_type="dataset")
    )
    assert type(ours) is type(theirs) is ValueError
    assert '"license" must be one of them' in str(ours)
    assert not pair.hubs["ours"].requests(origin="cdn")  # before anything was uploaded


def test_warnings(pair: Pair) -> None:
    api = pair.apis["ours"]
    twice = [CommitOperationAdd("q", b"1"), CommitOperationAdd("q", b"2")]
    with pytest.warns(UserWarning, match="multiple times the same file"):
        api.create_commit(ID, twice, commit_message="m", repo_type="dataset")
    again = [CommitOperationAdd("r/q", b"1"), CommitOperationDelete("r/")]
    with pytest.warns(UserWarning, match="delete a folder containing files"), pytest.raises(OSError, match="folder"):
        api.create_commit(ID, [*again, CommitOperationDelete("nope/")], commit_message="m", repo_type="dataset")
    pair.hubs["ours"].repo("model", "alice/m").commit({"x": b"x"})
    with pytest.warns(UserWarning, match="data file"):
        api.create_commit("alice/m", [CommitOperationAdd("d.parquet", b"1")], commit_message="m")


def test_nothing_to_do_on_top_of_an_older_commit(pair: Pair) -> None:
    """The official client says that all is well; but what it compared with is not what is there."""
    repo = pair.hubs["ours"].repos["dataset", ID]
    parent = repo.refs["refs/heads/main"]
    about: dict[str, Any] = {"commit_message": "m", "repo_type": "dataset", "parent_commit": parent}
    same = [CommitOperationAdd("a.txt", b"one\n")]
    assert pair.apis["ours"].create_commit(ID, same, **about).oid == parent
    repo.commit({"b": b"b"})
    with pytest.raises(OSError, match="412") as caught:
        pair.apis["ours"].create_commit(ID, [CommitOperationAdd("a.txt", b"one\n")], **about)
    assert caught.value.response.status_code == 412  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["", "/", "a//b", "a/b//"])
def test_paths_that_are_none(pair: Pair, path: str) -> None:
    with pytest.raises(ValueError, match="path_in_repo"):
        pair.apis["ours"].upload_file(path_or_fileobj=b"x", path_in_repo=path, repo_id=ID, repo_type="dataset")
    with pytest.raises(TypeError, match="CommitOperationAdd"):
        pair.apis["ours"].create_commit(ID, [path], commit_message="m", repo_type="dataset")


def test_an_operation_is_committed_once(pair: Pair) -> None:
    operation = CommitOperationAdd("q", b"1")
    pair.apis["ours"].create_commit(ID, [operation], commit_message="m", repo_type="dataset")
    with pytest.raises(ValueError, match="committed already"):
        pair.apis["ours"].create_commit(ID, [operation], commit_message="m", repo_type="dataset")


def test_in_the_background(pair: Pair) -> None:
    api = pair.apis["ours"]
    about: dict[str, Any] = {"repo_id": ID, "repo_type": "dataset", "run_as_future": True}
    futures = [
        api.upload_file(path_or_fileobj=str(n).encode(), path_in_repo=f"n/{n}", commit_message=str(n), **about)
        for n in range(4)
    ]
    for future in futures:
        assert isinstance(future.result(60), CommitInfo)
    repo = pair.hubs["ours"].repos["dataset", ID]

    assert [c.message for c in repo.history(repo.resolve("main"))][:4] == ["3", "2", "1", "0"]
    assert api.run_as_future(len, [1, 2]).result(60) == 2
    assert pickle.loads(pickle.dumps(api)).run_as_future(len, [1]).result(60) == 1


def test_operations_know_their_bytes(tmp_path: Path) -> None:
    local = tmp_path / "f"
    local.write_bytes(BIG)
    for content in (BIG, local, io.BytesIO(BIG)):
        ours, theirs = CommitOperationAdd("f", content), official.CommitOperationAdd("f", content)
        for fact in ("sha256", "size", "sample"):
            assert getattr(ours.upload_info, fact) == getattr(theirs.upload_info, fact)
        with ours.as_file() as file:
            assert file.read() == BIG
    assert CommitOperationDelete("f/") == CommitOperationDelete("f/", is_folder=True)
    assert CommitOperationCopy("/a", "b").src_path_in_repo == "a"


def test_a_long_buffer_is_spooled(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hfhub.api._operations._IN_MEMORY", 1 << 16)
    file = io.BytesIO(BIG)
    file.seek(3)
    operation = CommitOperationAdd("s.bin", file)
    pair.apis["ours"].create_commit(ID, [operation], commit_message="m", repo_type="dataset")
    assert pair.files("ours")["s.bin"] == (BIG[3:], True)
    assert file.tell() == 3


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("https://huggingface.co/a/b", None),
        ("https://huggingface.co/datasets/a/b", None),
        ("https://huggingface.co/spaces/a/b", "http://mirror:8000"),
        ("http://mirror:8000/datasets/a/b", "http://mirror:8000"),
        ("a/b", None),
        ("hf://datasets/a/b", None),
    ],
)
def test_addresses_of_repositories(address: str, endpoint: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://huggingface.co")
    ours, theirs = RepoUrl(address, endpoint), official.RepoUrl(address, endpoint)
    for name in ("repo_id", "repo_type", "namespace", "repo_name", "endpoint", "url"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert str(ours) == str(theirs)
    assert repr(ours) == repr(theirs)
    copied = pickle.loads(pickle.dumps(ours))
    assert (copied, copied.repo_id, copied.endpoint) == (ours, ours.repo_id, ours.endpoint)


def test_commit_infos_pickle() -> None:
    made = CommitInfo(
        "http://h/datasets/a/b/commit/1", "m", "d", "1", "http://h", "http://h/datasets/a/b/discussions/7"
    )
    copied = pickle.loads(pickle.dumps(made))
    assert copied.__dict__ == made.__dict__
    assert (copied.pr_num, copied.pr_revision, copied.repo_url.repo_id) == (7, "refs/pr/7", "a/b")
