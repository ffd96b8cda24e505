"""HfFileSystem against the official one on the same server: names, facts, patterns, bytes, exceptions."""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

import fsspec
import huggingface_hub
import pytest
from huggingface_hub.utils import parse_hf_uri as official_parse

from faulthub import FaultHub
from hfhub import HfFileSystem, HubServer, install_fsspec
from hfhub.errors import HfUriError, ReadOnlyError
from hfhub.fs import parse_hf_uri

pytestmark = pytest.mark.usefixtures("hf_env")

ROOT = "datasets/org/small"
WEIRD = ["a [1].txt", "b^|.txt", "c %20#?.txt", "ü/é è.txt", "d@x.txt", "e+f&g=h.txt"]


@pytest.fixture
def hub_root(hub_root: Path) -> Path:
    small = hub_root / "datasets" / "org" / "small"
    for name in [*WEIRD, "deep/er/est/z.csv", "deep/y.csv", "deep/er/empty.txt"]:
        path = small / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if "empty" in name else f"content of {name}\n")
    model = hub_root / "models" / "org" / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (hub_root / "spaces" / "org" / "space").mkdir(parents=True)
    (hub_root / "spaces" / "org" / "space" / "app.py").write_text("print()")
    return hub_root


@pytest.fixture
def both(hub: HubServer) -> tuple[Any, Any]:
    """Ours and the official one, without shared instances."""
    theirs = huggingface_hub.HfFileSystem(endpoint=hub.url, token=False, skip_instance_cache=True)
    return HfFileSystem(endpoint=hub.url, token=False, skip_instance_cache=True), theirs


def plain(value: Any) -> Any:
    """Facts as plain dicts: the official ones have classes of their own."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def by_name(infos: list[Any]) -> list[Any]:
    return sorted((plain(info) for info in infos), key=lambda info: info["name"])


def outcome(work: Any, *arguments: Any, **options: Any) -> Any:
    """The result, or the kind of exception as callers catch it."""
    try:
        return plain(work(*arguments, **options))
    except FileNotFoundError:
        return FileNotFoundError
    except (NotImplementedError, IsADirectoryError) as error:
        return type(error).__mro__[1] if isinstance(error, ReadOnlyError) else type(error)
    except ValueError:
        return ValueError


FOLDERS = ["", "/data", "/deep", "/deep/er", "/deep/er/", "/ü", "/README.md", "/missing", "/missing/x", "/deep/y.csv/x"]


@pytest.mark.parametrize("prefix", ["", "hf://"])
@pytest.mark.parametrize("revision", ["", "@main"])
def test_ls_and_info(both: tuple[Any, Any], prefix: str, revision: str) -> None:
    ours, theirs = both
    for path in FOLDERS:
        at = f"{prefix}{ROOT}{revision}{path}"
        a, b = outcome(ours.ls, at), outcome(theirs.ls, at)
        assert (by_name(a) if isinstance(a, list) else a) == (by_name(b) if isinstance(b, list) else b), path
        a, b = outcome(ours.ls, at, detail=False), outcome(theirs.ls, at, detail=False)
        assert (sorted(a) if isinstance(a, list) else a) == (sorted(b) if isinstance(b, list) else b), path
        assert outcome(ours.info, at) == outcome(theirs.info, at), path
        for question in ("exists", "isfile", "isdir"):
            assert getattr(ours, question)(at) == getattr(theirs, question)(at), (question, at)


def walked(fs: Any, at: str, maxdepth: int | None) -> Any:
    return sorted((top, sorted(dirs), sorted(files)) for top, dirs, files in fs.walk(at, maxdepth=maxdepth))


@pytest.mark.parametrize("withdirs", [False, True])
@pytest.mark.parametrize("maxdepth", [None, 1, 2])
def test_find_and_walk(both: tuple[Any, Any], maxdepth: int | None, withdirs: bool) -> None:
    ours, theirs = both
    options: dict[str, Any] = {"maxdepth": maxdepth, "withdirs": withdirs}
    for path in FOLDERS:
        at = ROOT + path
        assert outcome(ours.find, at, **options) == outcome(theirs.find, at, **options), path
        found = outcome(ours.find, at, detail=True, **options)
        assert found == outcome(theirs.find, at, detail=True, **options), path
        assert outcome(walked, ours, at, maxdepth) == outcome(walked, theirs, at, maxdepth), path


PATTERNS = [
    "*",
    "*.txt",
    "**",
    "**/*.csv",
    "deep/*",
    "deep/**",
    "deep/*/*",
    "d*/?.csv",
    "[ab]*.txt",
    "ü/*",
    "README.md",
    "nothing*",
    "missing/*",
]


def test_glob(both: tuple[Any, Any]) -> None:
    ours, theirs = both
    for pattern in PATTERNS:
        for prefix in (f"hf://{ROOT}/", f"{ROOT}@main/"):
            assert sorted(ours.glob(prefix + pattern)) == sorted(theirs.glob(prefix + pattern)), pattern


@pytest.mark.parametrize("name", [*WEIRD, "data/big.bin", "data/train.jsonl", "deep/er/empty.txt", "missing.txt"])
def test_bytes(both: tuple[Any, Any], name: str, tmp_path: Path) -> None:
    ours, theirs = both
    at = f"{ROOT}/{name}"
    assert outcome(ours.cat_file, at) == outcome(theirs.cat_file, at)
    if name == "missing.txt":
        with pytest.raises(FileNotFoundError):
            ours.open(at)
        return
    size = ours.info(at)["size"]
    for start, end in [(0, 5), (3, None), (-4, None), (-6, -2), (size, size + 10), (2, 2)]:
        if size:
            assert ours.cat_file(at, start, end) == theirs.cat_file(at, start, end), (start, end)
    with ours.open(at) as a, theirs.open(at) as b:
        for position, count in [(0, 3), (10, 7), (size // 2, 100), (max(0, size - 5), 50), (1, 0)]:
            assert (a.seek(position), a.read(count), a.tell()) == (b.seek(position), b.read(count), b.tell())
        a.seek(0)
        b.seek(0)
        assert a.read() == b.read()
    if not name.endswith(".bin"):
        with ours.open(at, "r", encoding="utf-8", newline="") as a, theirs.open(at, "r", newline="") as b:
            assert a.readlines() == b.readlines()
    ours.get_file(at, str(tmp_path / "a"))
    theirs.get_file(at, str(tmp_path / "b"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_cat_and_get_of_many(both: tuple[Any, Any], tmp_path: Path) -> None:
    ours, theirs = both
    # The official one fails here: it reads the folders too.
    assert ours.cat(f"{ROOT}/deep", recursive=True) == {name: ours.cat_file(name) for name in ours.find(f"{ROOT}/deep")}
    assert ours.cat([f"{ROOT}/deep/y.csv", f"{ROOT}/README.md"]) == theirs.cat(
        [f"{ROOT}/deep/y.csv", f"{ROOT}/README.md"]
    )
    ours.get(ROOT, str(tmp_path / "a"), recursive=True)
    theirs.get(ROOT, str(tmp_path / "b"), recursive=True)

    def tree(folder: Path) -> dict[str, bytes | None]:
        return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}

    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert len(tree(tmp_path / "a")) > 10


def test_other_kinds_and_addresses(both: tuple[Any, Any], hub: HubServer) -> None:
    ours, theirs = both
    for root in ("org/model", "spaces/org/space", "models/org/model"):
        assert by_name(ours.ls(root)) == by_name(theirs.ls(root))
        assert ours.find(root) == theirs.find(root)
    commit = huggingface_hub.HfApi(endpoint=hub.url).dataset_info("org/small").sha
    at = f"{ROOT}@{commit}/deep"
    assert by_name(ours.ls(at)) == by_name(theirs.ls(at))
    assert by_name(ours.ls(f"{ROOT}/deep", revision=commit)) == by_name(theirs.ls(f"{ROOT}/deep", revision=commit))
    for path in (f"{ROOT}/README.md", f"{ROOT}/deep", "org/model/config.json"):
        assert ours.url(path) == theirs.url(path)
    for missing in ("datasets/org/none", "datasets/org/none/x", f"{ROOT}@nope/x", "org/model@refs/pr/1/x"):
        for call in ("ls", "info", "find", "exists", "isdir", "cat_file"):
            a, b = (outcome(lambda fs=fs, call=call, at=missing: getattr(fs, call)(at)) for fs in both)
            assert a == b, (call, missing)
    for wrong in ("", "hf://", "datasets/org", "dataset/org/small", f"{ROOT}@/x", f"{ROOT}//x"):
        assert outcome(lambda at=wrong: ours.ls(at)) == outcome(lambda at=wrong: theirs.ls(at)), wrong
    with pytest.raises(ValueError, match="argument"):
        ours.resolve_path(f"{ROOT}@main/x", revision="other")


def test_resolved_paths(both: tuple[Any, Any]) -> None:
    ours, theirs = both
    for path, revision in [
        (f"{ROOT}/a", None),
        (f"hf://{ROOT}@main/a/b", None),
        (f"{ROOT}@main/a", "main"),
        (f"{ROOT}/a", "main"),
        ("org/model", None),
        ("spaces/org/space@main", None),
    ]:
        a, b = ours.resolve_path(path, revision), theirs.resolve_path(path, revision)
        for name in ("repo_type", "repo_id", "revision", "path_in_repo", "root", "path"):
            assert getattr(a, name) == getattr(b, name), (path, name)
        assert a.unresolve() == b.unresolve()


@pytest.fixture
def forked(fault_hub: FaultHub) -> tuple[Any, Any]:
    """Both filesystems on a hub with branches, pull requests, converted files, commits and xet hashes."""
    repo = fault_hub.repo("dataset", "org/data")
    repo.commit({"README.md": b"# old", "a/x.csv": b"x"})
    repo.commit({"README.md": b"# new", "a/big.bin": b"big" * 1000, "a/b/c.txt": b"c"})
    repo.commit({"pr.txt": b"pr"}, "refs/pr/1")
    repo.commit({"default/train/0000.parquet": b"PAR1"}, "refs/convert/parquet", orphan=True)
    repo.commit({"branch.txt": b"b"}, "my/branch")
    fault_hub.xet = True
    theirs = huggingface_hub.HfFileSystem(endpoint=fault_hub.url, token=False, skip_instance_cache=True)
    return HfFileSystem(endpoint=fault_hub.url, token=False, skip_instance_cache=True), theirs


REFS = ["", "@main", "@refs/pr/1", "@refs%2Fpr%2F1", "@refs/convert/parquet", "@my%2Fbranch", "@nope", "@refs/pr/2"]


@pytest.mark.parametrize("revision", REFS)
def test_revisions(forked: tuple[Any, Any], revision: str) -> None:
    ours, theirs = forked
    at = f"datasets/org/data{revision}"
    for path in ("", "/a", "/a/b/c.txt", "/README.md", "/default/train", "/branch.txt"):
        a, b = outcome(ours.ls, at + path), outcome(theirs.ls, at + path)
        assert (by_name(a) if isinstance(a, list) else a) == (by_name(b) if isinstance(b, list) else b)
        assert outcome(ours.info, at + path) == outcome(theirs.info, at + path)
        assert outcome(ours.find, at + path) == outcome(theirs.find, at + path)
        if not ours.isdir(at + path):
            assert outcome(ours.cat_file, at + path) == outcome(theirs.cat_file, at + path)
            assert outcome(ours.modified, at + path) == outcome(theirs.modified, at + path)
    assert outcome(ours.glob, f"{at}/**/*.*") == outcome(theirs.glob, f"{at}/**/*.*")
    unquoted = revision[1:].replace("%2F", "/") or None
    assert outcome(ours.find, "datasets/org/data", revision=unquoted) == outcome(
        theirs.find, "datasets/org/data", revision=unquoted
    )


def test_expanded_facts(forked: tuple[Any, Any]) -> None:
    ours, theirs = forked
    for path in ("datasets/org/data", "datasets/org/data/a"):
        a, b = ours.ls(path, expand_info=True), theirs.ls(path, expand_info=True)
        a, b = (sorted(found, key=lambda info: str(info["name"])) for found in (a, b))
        assert plain(a) == plain(b)
        assert all(info["last_commit"] is not None for info in a)
    for path in ("datasets/org/data/README.md", "datasets/org/data/a/b"):
        a, b = (fs.info(path, expand_info=True) for fs in forked)
        assert plain(a) == plain(b)
        assert ours.modified(path) == theirs.modified(path)


def test_a_branch_that_moves(fault_hub: FaultHub, forked: tuple[Any, Any]) -> None:
    ours, _ = forked
    at = "datasets/org/data/README.md"
    file = ours.open(at)
    fault_hub.repos["dataset", "org/data"].commit({"README.md": b"# newest"})
    assert file.read() == ours.cat_file(at) == b"# new"  # the commit that was seen first
    assert ours.info(at, refresh=True)["size"] == 8
    assert ours.cat_file(at) == b"# newest"


GRAMMAR = [
    "hf://org/name",
    "hf://models/org/name/a/b.txt",
    "hf://datasets/org/name@refs/convert/parquet/default/train/0.parquet",
    "hf://datasets/org/name@refs/pr/12/x@y",
    "hf://datasets/org/name@my%2Fbranch/a/b",
    "hf://datasets/org/name@a/b@c",
    "hf://spaces/org/name/",
    "hf://gpt2/config.json",
    "hf://gpt2",
    "hf://datasets",
    "hf://datasets/org",
    "hf://dataset/org/name",
    "hf://datasets/org/name@",
    "hf://datasets/org/name/a//b",
    "hf://datasets/or g/name",
    "hf://",
    "https://huggingface.co/datasets/org/name/blob/main/a%20b.csv",
    "https://hf.co/org/name/resolve/refs%2Fpr%2F3/a.txt?download=true",
    "https://huggingface.co/org/name/tree/feature%2Ffoo",
    "https://huggingface.co/org/name/commits/main",
    "https://huggingface.co/org",
    "https://example.org/org/name",
]


@pytest.mark.parametrize("uri", GRAMMAR)
def test_grammar(uri: str) -> None:
    def facts(parse: Any) -> Any:
        found = parse(uri)
        return found.type, found.id, found.revision, found.path_in_repo

    assert outcome(lambda: facts(parse_hf_uri)) == outcome(lambda: facts(official_parse))


def test_what_leaves_the_repository_is_refused(hub: HubServer) -> None:
    fs = HfFileSystem(endpoint=hub.url, skip_instance_cache=True)
    for path in (f"{ROOT}/../x", f"{ROOT}/a/../../x", f"{ROOT}@main/.."):
        with pytest.raises(HfUriError, match=r"\.\."):
            fs.info(path)
    assert parse_hf_uri(f"{hub.url}/datasets/org/small/blob/main/x", hub.url).path_in_repo == "x"


def test_writing_is_refused(hub: HubServer, tmp_path: Path) -> None:
    fs = HfFileSystem(endpoint=hub.url, skip_instance_cache=True)
    (tmp_path / "x").write_text("x")
    for work in (
        lambda: fs.open(f"{ROOT}/x", "wb"),
        lambda: fs.open(f"{ROOT}/x", "a"),
        lambda: fs.rm(f"{ROOT}/README.md"),
        lambda: fs.put_file(str(tmp_path / "x"), f"{ROOT}/x"),
        lambda: fs.pipe_file(f"{ROOT}/x", b"x"),
        lambda: fs.cp_file(f"{ROOT}/README.md", f"{ROOT}/x"),
        lambda: fs.mkdir(f"{ROOT}/folder"),
        fs.start_transaction,
    ):
        with pytest.raises(ReadOnlyError, match="read"):
            work()
    assert issubclass(ReadOnlyError, NotImplementedError)


def test_pickles_with_its_pins_and_open_files(hub: HubServer) -> None:
    fs = HfFileSystem(endpoint=hub.url, token=False, skip_instance_cache=True)
    file = fs.open(f"{ROOT}/data/big.bin")
    file.seek(1000)
    again = pickle.loads(pickle.dumps(file))
    hub.clear_requests()
    assert (again.tell(), again.read(10), again.size) == (1000, file.read(10), file.size)
    assert not [r for r in hub.requests() if r[1].startswith("/api/datasets")]
    other = pickle.loads(pickle.dumps(fs))
    assert other.ls(ROOT) == fs.ls(ROOT)


def test_it_is_registered_on_demand(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = importlib.import_module("fsspec.registry")
    monkeypatch.setitem(registry._registry, "hf", huggingface_hub.HfFileSystem)  # restored after the test
    install_fsspec()
    with fsspec.open(f"hf://{ROOT}/README.md", "rt") as file:
        assert file.read() == "# small\n"
    assert type(fsspec.filesystem("hf")) is HfFileSystem
