"""The API against the official client: same server, same questions, same answers, attribute by attribute."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import pickle
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import huggingface_hub as official
import pytest

import hfhub
from faulthub import FaultHub
from hfhub import HfApi
from hfhub.api import DatasetInfo, ModelInfo, RepoFile, RepoFolder, SpaceInfo

pytestmark = pytest.mark.usefixtures("fault_env")

LARGE = bytes(range(256)) * 400


@pytest.fixture
def filled(fault_hub: FaultHub) -> FaultHub:
    fault_hub.xet = True
    repo = fault_hub.repo("dataset", "org/data", tags=("language:en", "task_categories:other", "free"))
    repo.card, repo.likes, repo.downloads = {"license": "mit", "language": ["en"], "tags": ["free"]}, 3, 7
    repo.commit({"README.md": b"# old\n", "data/a.csv": b"a\n1\n"}, message="first\n\nwith a body")
    repo.commit({"README.md": b"# new\n", "data/big.bin": LARGE, "deep/er/x y[1].txt": b"odd"}, message="second")
    repo.commit({"pr.txt": b"pr"}, "refs/pr/1")
    repo.commit({"default/train/0000.parquet": b"PAR1"}, "refs/convert/parquet", orphan=True)
    repo.commit({"b.txt": b"b"}, "my/branch")
    repo.tag("v1")
    for number in range(7):
        more = fault_hub.repo("dataset", f"other/set{number}", tags=("language:fr",) if number % 2 else ())
        more.downloads = number * 10
        more.commit({"x.txt": b"x"})
    fault_hub.repo("dataset", "org/gated", gated="manual").commit({"g.txt": b"g"})
    model = fault_hub.repo("model", "org/net", tags=("pytorch",))
    model.commit({"config.json": b"{}", "w.safetensors": LARGE})
    fault_hub.repo("model", "gpt").commit({"config.json": b"{}"})
    fault_hub.repo("space", "org/app", tags=("gradio",)).commit({"app.py": b""})
    return fault_hub


@pytest.fixture
def ours(filled: FaultHub) -> HfApi:
    return HfApi(endpoint=filled.url, token=False)


@pytest.fixture
def theirs(filled: FaultHub) -> official.HfApi:
    return official.HfApi(endpoint=filled.url, token=False)


def plain(value: Any) -> Any:
    """A result without its classes: name of the class and all attributes of the official one."""
    if isinstance(value, (str, int, float, bool, type(None), bytes, dt.datetime)):
        return value
    if dataclasses.is_dataclass(value) or hasattr(value, "__dict__"):
        names = [f.name for f in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
        names += [n for n in getattr(value, "__dict__", {}) if n not in names]
        names += [n for n in ("rfilename", "lastCommit") if n not in names and hasattr(type(value), n)]
        return type(value).__name__, {n: plain(getattr(value, n)) for n in names}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, Iterable):
        return [plain(v) for v in value]
    raise AssertionError(type(value))


def same(mine: Any, other: Any, path: str = "") -> None:
    """Whatever an official result has, ours has with the same value."""
    if isinstance(other, tuple) and len(other) == 2 and isinstance(other[1], dict):
        assert mine[0] == other[0], path
        for name, value in other[1].items():
            assert name in mine[1], f"{path}.{name} is missing"
            same(mine[1][name], value, f"{path}.{name}")
    elif isinstance(other, list):
        assert len(mine) == len(other), path
        for index, (a, b) in enumerate(zip(mine, other, strict=True)):
            same(a, b, f"{path}[{index}]")
    else:
        assert mine == other, path


CALLS: dict[str, Callable[[Any], Any]] = {
    "dataset_info": lambda api: api.dataset_info("org/data"),
    "files_metadata": lambda api: api.dataset_info("org/data", files_metadata=True),
    "tag": lambda api: api.dataset_info("org/data", revision="v1"),
    "branch with slash": lambda api: api.dataset_info("org/data", revision="my/branch"),
    "ref": lambda api: api.dataset_info("org/data", revision="refs/convert/parquet"),
    "expand": lambda api: api.dataset_info("org/data", expand=["sha", "tags", "cardData", "siblings"]),
    "timeout": lambda api: api.dataset_info("org/data", timeout=30),
    "gated info": lambda api: api.dataset_info("org/gated"),
    "model_info": lambda api: api.model_info("org/net", files_metadata=True),
    "securityStatus": lambda api: api.model_info("org/net", securityStatus=True),
    "legacy model": lambda api: api.model_info("gpt"),
    "space_info": lambda api: api.space_info("org/app"),
    "repo_info model": lambda api: api.repo_info("org/net"),
    "repo_info dataset": lambda api: api.repo_info("org/data", repo_type="dataset", expand=["likes"]),
    "repo_info space": lambda api: api.repo_info("org/app", repo_type="space"),
    "files": lambda api: sorted(api.list_repo_files("org/data", repo_type="dataset")),
    "files of a branch": lambda api: sorted(api.list_repo_files("org/data", repo_type="dataset", revision="my/branch")),
    "tree": lambda api: api.list_repo_tree("org/data", repo_type="dataset"),
    "tree, deep": lambda api: api.list_repo_tree("org/data", repo_type="dataset", recursive=True),
    "tree, expanded": lambda api: api.list_repo_tree("org/data", repo_type="dataset", recursive=True, expand=True),
    "tree of a folder": lambda api: api.list_repo_tree("org/data", "deep/er", repo_type="dataset"),
    "tree of a PR": lambda api: api.list_repo_tree("org/data", revision="refs/pr/1", repo_type="dataset"),
    "paths": lambda api: api.get_paths_info("org/data", ["data", "data/big.bin", "nope"], repo_type="dataset"),
    "one path": lambda api: api.get_paths_info("org/data", "deep/er/x y[1].txt", repo_type="dataset", expand=True),
    "refs": lambda api: api.list_repo_refs("org/data", repo_type="dataset"),
    "refs with PRs": lambda api: api.list_repo_refs("org/data", repo_type="dataset", include_pull_requests=True),
    "commits": lambda api: api.list_repo_commits("org/data", repo_type="dataset"),
    "commits formatted": lambda api: api.list_repo_commits("org/data", repo_type="dataset", formatted=True),
    "list_datasets": lambda api: api.list_datasets(),
    "search": lambda api: api.list_datasets(search="set"),
    "search, two": lambda api: api.list_datasets(search="set", dataset_name="other"),
    "author": lambda api: api.list_datasets(author="org"),
    "filter": lambda api: api.list_datasets(filter="free"),
    "filters": lambda api: api.list_datasets(filter=("free", "language:en")),
    "language": lambda api: api.list_datasets(language="fr"),
    "task_categories": lambda api: api.list_datasets(task_categories=["other"], language=["language:en"]),
    "gated": lambda api: api.list_datasets(gated=True),
    "not gated": lambda api: api.list_datasets(gated=False, author="org"),
    "sort": lambda api: api.list_datasets(sort="downloads", limit=3),
    "sort by date": lambda api: api.list_datasets(sort="last_modified"),
    "limit": lambda api: api.list_datasets(limit=2),
    "full": lambda api: api.list_datasets(full=True),
    "expand list": lambda api: api.list_datasets(expand=["likes", "lastModified"]),
    "list_models": lambda api: api.list_models(),
    "models by tag": lambda api: api.list_models(filter="pytorch", full=True, cardData=True, fetch_config=True),
    "list_spaces": lambda api: api.list_spaces(filter="gradio"),
    "whoami": lambda api: api.whoami(token="hf_good"),
    "auth_check": lambda api: api.auth_check("org/data", repo_type="dataset"),
    "dataset tags": lambda api: api.get_dataset_tags(),
    "exists": lambda api: [
        api.repo_exists("org/data", repo_type="dataset"),
        api.repo_exists("org/data"),
        api.repo_exists("org/gated", repo_type="dataset"),
        api.revision_exists("org/data", "v1", repo_type="dataset"),
        api.revision_exists("org/data", "v2", repo_type="dataset"),
        api.revision_exists("org/none", "v2", repo_type="dataset"),
        api.file_exists("org/data", "data/a.csv", repo_type="dataset"),
        api.file_exists("org/data", "data/b.csv", repo_type="dataset"),
        api.file_exists("org/data", "b.txt", revision="my/branch", repo_type="dataset"),
        api.file_exists("org/none", "b.txt", repo_type="dataset"),
    ],
}


@pytest.mark.parametrize("name", CALLS)
def test_results(name: str, ours: HfApi, theirs: official.HfApi) -> None:
    same(plain(CALLS[name](ours)), plain(CALLS[name](theirs)))


@pytest.mark.parametrize("name", ["data/a.csv", "data/big.bin", "deep/er/x y[1].txt"])
@pytest.mark.parametrize("revision", [None, "my/branch", "v1"])
def test_file_metadata(name: str, revision: str | None, ours: HfApi, theirs: official.HfApi) -> None:
    address = {"repo_type": "dataset", "revision": revision, "endpoint": ours.endpoint}
    url = official.hf_hub_url("org/data", name, **address)
    assert hfhub.hf_hub_url("org/data", name, **address) == url  # type: ignore[arg-type]
    mine, other = ours.get_hf_file_metadata(url=url, token=False), theirs.get_hf_file_metadata(url=url, token=False)
    facts = [(m.commit_hash, m.etag, m.size) for m in (mine, other)]
    assert facts[0] == facts[1]
    assert mine.location.split("?")[0] == other.location.split("?")[0]  # each asking gets its own signature
    same(plain(mine.xet_file_data), plain(other.xet_file_data))


@pytest.mark.parametrize(
    ("repo_id", "name", "more"),
    [
        ("a/b", "c.txt", {}),
        ("gpt2", "d/e f.bin", {"repo_type": "model"}),
        ("a/b", "x[1]^|%#?.txt", {"repo_type": "dataset", "revision": "refs/pr/1"}),
        ("a/b", "é/ü.txt", {"repo_type": "space", "revision": "a b", "subfolder": "s/t"}),
        ("a/b", "x", {"subfolder": "", "endpoint": "http://mirror/hub"}),
        ("a/b", "~-_.!*'()", {}),
    ],
)
def test_hf_hub_url(
    repo_id: str, name: str, more: dict[str, str], fault_hub: FaultHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", official.constants.ENDPOINT)
    assert hfhub.hf_hub_url(repo_id, name, **more) == official.hf_hub_url(repo_id, name, **more)  # type: ignore[arg-type]


def requests(hub: FaultHub) -> int:
    return len(hub.log)


def test_listings_are_lazy(ours: HfApi, filled: FaultHub) -> None:
    filled.tree_page = filled.list_page = 2
    before = requests(filled)
    tree = ours.list_repo_tree("org/data", recursive=True, repo_type="dataset")
    found = ours.list_datasets()
    assert requests(filled) == before
    next(tree), next(tree), next(found)
    assert requests(filled) == before + 2
    assert len(list(tree)) + 2 == 7
    assert sum(1 for _ in found) + 1 == 9
    before = requests(filled)
    assert len(list(ours.list_datasets(limit=3))) == 3
    assert requests(filled) <= before + 2
    assert [d.id for d in islice(ours.list_datasets(search="set"), 2)] == ["other/set0", "other/set1"]


def test_any_number_of_paths(ours: HfApi, theirs: official.HfApi, filled: FaultHub) -> None:
    repo = filled.repos["dataset", "org/data"]
    repo.commit({f"many/{i:04}.txt": str(i).encode() for i in range(1300)})
    wanted = [f"many/{i:04}.txt" for i in range(1300)] + ["absent"] * 700
    with pytest.raises(official.errors.HfHubHTTPError):  # the server refuses so many at once
        theirs.get_paths_info("org/data", wanted, repo_type="dataset")
    found = ours.get_paths_info("org/data", wanted, repo_type="dataset")
    assert [entry.path for entry in found] == wanted[:1300]
    tree = {e.path: e for e in ours.list_repo_tree("org/data", "many", repo_type="dataset")}
    assert found == [tree[path] for path in wanted[:1300]]
    assert ours.get_paths_info("org/data", iter(wanted[:2]), repo_type="dataset") == found[:2]
    assert ours.get_paths_info("org/data", [], repo_type="dataset") == []


def test_a_pinned_listing_costs_no_second_request(ours: HfApi, filled: FaultHub) -> None:
    commit = filled.repos["dataset", "org/data"].refs["refs/heads/main"]
    first = ours.list_repo_files("org/data", revision=commit, repo_type="dataset")
    before = requests(filled)
    assert ours.list_repo_files("org/data", revision=commit, repo_type="dataset") == first
    assert requests(filled) == before


def test_a_resolved_revision_pins(ours: HfApi, filled: FaultHub) -> None:
    revision = ours.resolve_revision("org/data", repo_type="dataset")
    filled.repos["dataset", "org/data"].commit({"later.txt": b"x"})
    at: dict[str, Any] = {"revision": revision, "repo_type": "dataset"}
    assert ours.repo_info("org/data", **at).sha == revision.resolved
    assert "later.txt" not in ours.list_repo_files("org/data", **at)
    assert "later.txt" not in [e.path for e in ours.list_repo_tree("org/data", **at)]
    assert ours.get_paths_info("org/data", "later.txt", **at) == []
    assert ours.list_repo_commits("org/data", **at)[0].commit_id == revision.resolved
    assert ours.get_paths_info("org/data", "later.txt", repo_type="dataset")
    # Of another repository: what was asked for, there.
    assert ours.dataset_info("other/set1", revision=revision).id == "other/set1"


RAW = {
    "id": "a/b",
    "sha": "0" * 40,
    "lastModified": "2024-03-01T10:20:30.456Z",
    "createdAt": "2022-03-02T23:29:04Z",
    "gated": "auto",
    "cardData": {"license": "mit", "train-eval-index": [1], "configs": [{"config_name": "x"}], "odd": 1},
    "siblings": [{"rfilename": "a", "size": 1, "blobId": "b", "lfs": {"sha256": "c", "size": 1, "pointerSize": 2}}],
    "mainSize": 5,
    "paperswithcode_id": "p",
    "resourceGroup": {"id": "g"},
    "trendingScore": 3,
    "usedStorage": 9,
    "downloadsAllTime": 8,
    "newFieldOfTomorrow": {"deep": [1]},
}
MODEL = {
    **RAW,
    "cardData": {"license": "mit", "tags": ["a", "a", "b"], "base_model": "x"},
    "transformersInfo": {"auto_model": "AutoModel", "pipeline_tag": "t"},
    "safetensors": {"parameters": {"F32": 3}, "total": 3},
    "inferenceProviderMapping": {"p": {"providerId": "i", "status": "live", "task": "t"}},
    "model-index": None,
    "widgetData": [{"text": "x"}],
    "baseModels": ["x"],
    "childrenModelCount": 2,
    "pipeline_tag": "t",
    "config": {"a": 1},
    "securityRepoStatus": {"scansDone": True},
}
SPACE = {
    **RAW,
    "cardData": {"title": "t", "sdk": "gradio", "tags": ["a", "a"]},
    "sdk": "gradio",
    "runtime": {"stage": "RUNNING", "hardware": {"current": "cpu", "requested": None}, "gcTimeout": 5, "replicas": 1},
    "host": "h",
    "subdomain": "s",
    "models": ["m"],
}


@pytest.mark.parametrize(
    ("mine", "other", "raw"),
    [
        (DatasetInfo, official.DatasetInfo, RAW),
        (ModelInfo, official.ModelInfo, MODEL),
        (SpaceInfo, official.SpaceInfo, SPACE),
        (DatasetInfo, official.DatasetInfo, {"id": "a/b"}),
        (ModelInfo, official.ModelInfo, {"id": "a/b"}),
        (SpaceInfo, official.SpaceInfo, {"id": "a/b"}),
    ],
)
def test_infos(mine: type[Any], other: type[Any], raw: dict[str, Any]) -> None:
    info = mine(**raw)
    same(plain(info), plain(other(**raw)))
    assert info.raw == raw
    assert info == pickle.loads(pickle.dumps(info))
    assert info != mine(id="another")
    assert repr(info).startswith(f"{mine.__name__}(")
    if "newFieldOfTomorrow" in raw:
        assert info.newFieldOfTomorrow == {"deep": [1]}
        assert (info.card_data is info.cardData, info.lastModified) == (True, info.last_modified)


def test_odd_answers_do_not_break() -> None:
    info = DatasetInfo(id="a/b", lastModified="yesterday", siblings=[{"rfilename": "x"}, {"odd": 1}], cardData="text")
    assert (info.last_modified, len(info.siblings or []), info.card_data) == (None, 1, "text")
    file = RepoFile(path="x")
    assert (file.size, file.blob_id, file.lfs) == (0, "", None)


def test_entries() -> None:
    raw = {
        "type": "file",
        "path": "d/x.bin",
        "size": 9,
        "oid": "o",
        "lfs": {"oid": "s", "size": 9, "pointerSize": 130},
        "xetHash": "h",
        "lastCommit": {"id": "c", "title": "t", "date": "2024-03-01T10:20:30.000Z"},
        "securityFileStatus": {"status": "safe", "avScan": {"x": 1}, "pickleImportScan": None},
    }
    mine, other = RepoFile(**raw), official.hf_api.RepoFile(**raw)
    same(plain(mine), plain(other))
    assert dataclasses.asdict(mine)["lfs"] == dataclasses.asdict(other)["lfs"]
    assert (mine.rfilename, mine.lastCommit) == (other.rfilename, mine.last_commit)
    assert mine.lfs is not None
    assert (mine.lfs["sha256"], mine.lfs.sha256, dict(mine.lfs)) == ("s", "s", dict(other.lfs or {}))
    newer = RepoFile(**raw, tomorrow=[1])
    assert (newer.tomorrow, newer.extra, newer == mine) == ([1], {"tomorrow": [1]}, True)
    copy = pickle.loads(pickle.dumps(newer))
    assert (copy, copy.tomorrow, copy.lfs["size"]) == (newer, [1], 9)
    with pytest.raises(AttributeError, match="yesterday"):
        _ = newer.yesterday
    folder = RepoFolder(type="directory", path="d", oid="t", size=0, tomorrow=2)
    assert (folder.tree_id, folder.tomorrow) == ("t", 2)
    assert repr(folder) == repr(official.hf_api.RepoFolder(path="d", oid="t"))
    assert "lfs=" in repr(mine)
    json.dumps(mine.lfs)


def test_card_data_behaves_as_the_official() -> None:
    data = {"license": "mit", "train-eval-index": [1], "odd": None, "n": 1}
    mine, other = hfhub.DatasetCardData(**data), official.DatasetCardData(**data)
    assert mine.to_dict() == other.to_dict()
    assert str(mine) == str(other)
    assert repr(mine) == repr(other)
    assert (mine["license"], mine.get("odd", 5), "license" in mine, len(mine)) == ("mit", 5, True, len(other))
    mine["new"] = 1
    assert (mine.new, mine.pop("new"), "new" in mine) == (1, 1, False)
    assert mine == hfhub.DatasetCardData(**data)


def test_exclusive_arguments() -> None:
    for api in (HfApi(endpoint="http://127.0.0.1:1"), official.HfApi(endpoint="http://127.0.0.1:1")):
        for call in (
            lambda api: api.dataset_info("a/b", expand=["sha"], files_metadata=True),
            lambda api: api.model_info("a/b", expand=["sha"], securityStatus=True),
            lambda api: list(api.list_datasets(expand=["sha"], full=True)),
            lambda api: list(api.list_models(expand=["sha"], cardData=True)),
            lambda api: list(api.list_models(emissions_thresholds=(1, 2))),
            lambda api: list(api.list_spaces(expand=["sha"], full=True)),
            lambda api: api.repo_info("a/b", repo_type="nothing"),
            lambda api: api.auth_check("a/b", repo_type="nothing"),
            lambda api: api.whoami(token=False),
        ):
            with pytest.raises(ValueError):  # noqa: PT011  # the texts differ
                call(api)


def test_signatures() -> None:
    import inspect

    names = [
        "model_info",
        "dataset_info",
        "space_info",
        "repo_info",
        "list_repo_files",
        "list_repo_tree",
        "get_paths_info",
        "list_repo_refs",
        "list_repo_commits",
        "list_datasets",
        "list_models",
        "list_spaces",
        "repo_exists",
        "file_exists",
        "revision_exists",
        "whoami",
        "auth_check",
        "hf_hub_url",
        "get_hf_file_metadata",
        "list_dataset_parquet_files",
        "verify_repo_checksums",
        "scan_cache_dir",
        "resolve_revision",
        "interpreter_login",
        "login",
        "logout",
        "auth_switch",
        "auth_list",
        "get_token",
        "create_repo",
        "delete_repo",
        "move_repo",
        "update_repo_settings",
        "create_branch",
        "delete_branch",
        "create_tag",
        "delete_tag",
        "super_squash_history",
        "create_commit",
        "preupload_lfs_files",
        "upload_file",
        "upload_folder",
        "delete_file",
        "delete_folder",
        "run_as_future",
        "CommitOperationAdd",
        "CommitOperationDelete",
        "CommitOperationCopy",
        "RepoUrl",
    ]
    absent = {
        "create_repo": [
            "space_hardware",
            "space_secrets",
            "space_sleep_time",
            "space_template",
            "space_variables",
            "space_volumes",
        ],
        "CommitOperationCopy": ["src_repo_id", "src_repo_type", "_src_oid", "_dest_oid", "_is_duplicated"],
    }
    for name in names:
        mine = inspect.signature(getattr(hfhub, name)).parameters
        other = dict(inspect.signature(getattr(official, name)).parameters)
        for unknown in (*absent.get(name, ()), "_hot_reload"):
            other.pop(unknown, None)
        assert list(other) == [n for n in mine if n in other], name
        for parameter in other.values():
            if (name, parameter.name) != ("get_hf_file_metadata", "timeout"):  # ours: None is the setting
                assert mine[parameter.name].default == parameter.default, (name, parameter.name)
            assert mine[parameter.name].kind == parameter.kind, (name, parameter.name)
    init = inspect.signature(HfApi.__init__).parameters
    assert list(init) == list(inspect.signature(official.HfApi.__init__).parameters)


def test_pickles_and_settings(filled: FaultHub) -> None:
    api = HfApi(
        endpoint=filled.url + "/",
        token="hf_good",
        library_name="lib",
        library_version="1.2",
        user_agent={"a": "b"},
        headers={"x-mine": "yes"},
    )
    assert "hf_good" not in repr(api)
    copy = pickle.loads(pickle.dumps(api))
    assert copy.dataset_info("org/data").id == "org/data"
    sent = filled.log[-1].headers
    assert (sent["authorization"], sent["x-mine"]) == ("Bearer hf_good", "yes")
    assert "lib/1.2" in sent["user-agent"]
    assert "a/b" in sent["user-agent"]
    assert copy.endpoint == filled.url
