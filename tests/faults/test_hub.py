"""The fault hub itself: the official clients find in it what they find in the hub."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub as official
import pytest
from huggingface_hub import errors as theirs

from faulthub import FaultHub, faults

SMALL = b"a,b\n1,2\n"
LARGE = bytes(range(256)) * 20_000


@pytest.fixture
def filled(fault_hub: FaultHub) -> FaultHub:
    repo = fault_hub.repo("dataset", "org/data", tags=("language:en", "task_categories:other"))
    repo.commit({"README.md": b"# old\n", "data/a.csv": SMALL}, message="first\n\nwith a body")
    repo.commit({"README.md": b"# new\n", "data/big.bin": LARGE, "deep/er/x y[1].txt": b"odd"}, message="second")
    repo.commit({"pr.txt": b"pr"}, "refs/pr/1")
    repo.commit({"default/train/0000.parquet": b"PAR1"}, "refs/convert/parquet", orphan=True)
    repo.commit({"b.txt": b"b"}, "my/branch")
    repo.tag("v1", repo.history(repo.commits[repo.refs["refs/heads/main"]])[-1].id)
    fault_hub.repo("dataset", "org/secret", private=True).commit({"s.txt": b"s"})
    fault_hub.repo("dataset", "org/gated", gated="auto").commit({"g.txt": b"g"})
    fault_hub.repo("dataset", "org/off", disabled=True).commit({"o.txt": b"o"})
    fault_hub.repo("model", "gpt").commit({"config.json": b"{}"})
    fault_hub.repo("dataset", "org/old").commit({"r.txt": b"r"})
    fault_hub.rename("dataset", "org/old", "org/new")
    return fault_hub


@pytest.fixture
def api(filled: FaultHub) -> official.HfApi:
    return official.HfApi(endpoint=filled.url, token=False)


def test_info_refs_commits(filled: FaultHub, api: official.HfApi) -> None:
    info = api.dataset_info("org/data", files_metadata=True)
    repo = filled.repos["dataset", "org/data"]
    assert info.sha == repo.refs["refs/heads/main"]
    big = next(s for s in info.siblings or [] if s.rfilename == "data/big.bin")
    assert big.lfs is not None
    assert (big.size, big.lfs.sha256) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert api.dataset_info("org/data", revision="v1").sha == repo.refs["refs/tags/v1"]
    assert api.dataset_info("org/data", expand=["sha"]).likes is None
    refs = api.list_repo_refs("org/data", repo_type="dataset", include_pull_requests=True)
    assert [b.name for b in refs.branches] == ["main", "my/branch"]
    assert [t.ref for t in refs.tags] == ["refs/tags/v1"]
    assert [c.ref for c in refs.converts] == ["refs/convert/parquet"]
    assert [p.name for p in refs.pull_requests or []] == ["1"]
    filled.commit_page = 1
    commits = api.list_repo_commits("org/data", repo_type="dataset")
    assert [c.title for c in commits] == ["second", "first"]
    assert commits[1].message == "with a body"


def test_listings_are_paged(filled: FaultHub, api: official.HfApi) -> None:
    filled.tree_page = 2
    tree = list(api.list_repo_tree("org/data", repo_type="dataset", recursive=True))
    assert [e.path for e in tree] == [
        "README.md",
        "data",
        "data/a.csv",
        "data/big.bin",
        "deep",
        "deep/er",
        "deep/er/x y[1].txt",
    ]
    below = list(api.list_repo_tree("org/data", "deep/er", repo_type="dataset", expand=True))
    assert [e.path for e in below] == ["deep/er/x y[1].txt"]
    assert below[0].last_commit is not None
    assert below[0].last_commit.title == "second"
    with pytest.raises(theirs.EntryNotFoundError):
        list(api.list_repo_tree("org/data", "none", repo_type="dataset"))
    infos = api.get_paths_info("org/data", ["data", "data/a.csv", "absent"], repo_type="dataset")
    assert [i.path for i in infos] == ["data", "data/a.csv"]
    with pytest.raises(theirs.HfHubHTTPError, match="413"):
        api.get_paths_info("org/data", [f"f{i}" for i in range(1001)], repo_type="dataset")
    filled.list_page = 1
    assert [d.id for d in api.list_datasets(author="org")] == ["org/data", "org/gated", "org/new", "org/off"]
    assert [d.id for d in api.list_datasets(search="dat", filter="language:en", limit=1)] == ["org/data"]
    assert [m.id for m in api.list_models()] == ["gpt"]


def test_downloads(filled: FaultHub, api: official.HfApi, tmp_path: Path) -> None:
    for revision, path, data in [
        ("main", "data/a.csv", SMALL),
        ("main", "data/big.bin", LARGE),
        ("main", "deep/er/x y[1].txt", b"odd"),
        ("v1", "README.md", b"# old\n"),
        ("refs/pr/1", "pr.txt", b"pr"),
        ("my/branch", "b.txt", b"b"),
    ]:
        got = api.hf_hub_download("org/data", path, repo_type="dataset", revision=revision, cache_dir=tmp_path)
        assert Path(got).read_bytes() == data
    assert Path(api.hf_hub_download("gpt", "config.json", cache_dir=tmp_path)).read_bytes() == b"{}"
    assert filled.served("big.bin") == len(LARGE)
    # A small file is a relative redirect on the hub, a large one an absolute redirect to the other origin.
    assert {r.origin for r in filled.requests("big.bin", method="GET")} == {"cdn"}
    assert any("/api/resolve-cache/datasets/org/data/" in r.target for r in filled.requests("a.csv"))
    folder = api.snapshot_download("org/data", repo_type="dataset", cache_dir=tmp_path)
    assert len([p for p in Path(folder).rglob("*") if p.is_file()]) == 4
    assert not official.scan_cache_dir(tmp_path).warnings


def test_ids_are_gits(filled: FaultHub, tmp_path: Path) -> None:
    commit = filled.repos["dataset", "org/data"].resolve("main")
    assert commit is not None
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    for path, blob in commit.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(blob.pointer if blob.lfs else blob.data)
    subprocess.run([*git, "add", "."], check=True)
    tree = subprocess.run([*git, "write-tree"], check=True, capture_output=True, text=True).stdout.strip()
    assert tree == commit.folders[""]


@pytest.mark.parametrize(
    ("repo", "token", "error"),
    [
        ("org/none", False, theirs.RepositoryNotFoundError),
        ("org/secret", False, theirs.RepositoryNotFoundError),
        ("org/secret", "hf_other", theirs.RepositoryNotFoundError),
        ("org/gated", False, theirs.GatedRepoError),
        ("org/gated", "hf_other", theirs.GatedRepoError),
    ],
)
def test_refusals(filled: FaultHub, tmp_path: Path, repo: str, token: str | bool, error: type[Exception]) -> None:
    api = official.HfApi(endpoint=filled.url, token=token)
    with pytest.raises(error):
        api.hf_hub_download(repo, "g.txt", repo_type="dataset", cache_dir=tmp_path)


def test_more_errors_and_access(filled: FaultHub, api: official.HfApi, tmp_path: Path) -> None:
    with pytest.raises(theirs.RevisionNotFoundError):
        api.dataset_info("org/data", revision="v9")
    with pytest.raises(theirs.DisabledRepoError):
        api.dataset_info("org/off")
    with pytest.raises(theirs.RemoteEntryNotFoundError):
        api.hf_hub_download("org/data", "absent", repo_type="dataset", cache_dir=tmp_path)
    assert list(tmp_path.glob("*/.no_exist/*/absent"))
    with pytest.raises(theirs.HfHubHTTPError, match="401"):
        official.HfApi(endpoint=filled.url, token="hf_bad").dataset_info("org/data")
    good = official.HfApi(endpoint=filled.url, token="hf_good")
    assert good.whoami()["name"] == "alice"
    good.auth_check("org/secret", repo_type="dataset")
    got = good.hf_hub_download("org/secret", "s.txt", repo_type="dataset", cache_dir=tmp_path)
    assert Path(got).read_bytes() == b"s"
    assert api.dataset_info("org/old").id == "org/new"
    assert Path(api.hf_hub_download("org/old", "r.txt", repo_type="dataset", cache_dir=tmp_path)).read_bytes() == b"r"


def test_what_the_official_client_does_with_faults(filled: FaultHub, api: official.HfApi, tmp_path: Path) -> None:
    filled.fault("a.csv", faults.rate_limited(0), times=1, method="GET", origin="hub")
    got = api.hf_hub_download("org/data", "data/a.csv", repo_type="dataset", cache_dir=tmp_path)
    assert Path(got).read_bytes() == SMALL
    filled.fault("big.bin", faults.reset(1_000_000), origin="cdn")
    with pytest.raises(Exception, match="reset by peer"):
        api.hf_hub_download("org/data", "data/big.bin", repo_type="dataset", cache_dir=tmp_path)
    filled.fault("README", faults.flip(), method="GET")
    wrong = api.hf_hub_download("org/data", "README.md", repo_type="dataset", cache_dir=tmp_path)
    assert Path(wrong).read_bytes() != b"# new\n"  # it looks at lengths only
    assert not filled.tokens_on("cdn")


OLD = """
import json, sys
from huggingface_hub import HfApi, hf_hub_download, snapshot_download, scan_cache_dir
from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError
url, cache = sys.argv[1:]
api = HfApi(endpoint=url, token=False)
out = {"sha": api.dataset_info("org/data").sha}
out["files"] = api.list_repo_files("org/data", repo_type="dataset")
out["pages"] = len(list(api.list_repo_tree("org/data", repo_type="dataset", recursive=True)))
out["text"] = open(hf_hub_download("org/data", "data/a.csv", repo_type="dataset", cache_dir=cache, endpoint=url)).read()
out["big"] = len(open(hf_hub_download("org/data", "data/big.bin", repo_type="dataset", cache_dir=cache, endpoint=url), "rb").read())
out["errors"] = []
for repo, path in (("org/none", "x"), ("org/data", "absent")):
    try:
        hf_hub_download(repo, path, repo_type="dataset", cache_dir=cache, endpoint=url)
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        out["errors"].append(type(error).__name__)
snapshot_download("org/data", repo_type="dataset", cache_dir=cache, endpoint=url)
out["warnings"] = [str(w) for w in scan_cache_dir(cache).warnings]
print(json.dumps(out))
"""


def test_the_older_client(filled: FaultHub, hub036_python: str, tmp_path: Path) -> None:
    filled.tree_page = 3
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [hub036_python, "-c", OLD, filled.url, str(tmp_path / "cache")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    out: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert out["sha"] == filled.repos["dataset", "org/data"].refs["refs/heads/main"]
    assert out["files"] == ["README.md", "data/a.csv", "data/big.bin", "deep/er/x y[1].txt"]
    assert (out["pages"], out["text"], out["big"]) == (7, SMALL.decode(), len(LARGE))
    assert out["errors"] == ["RepositoryNotFoundError", "EntryNotFoundError"] or out["errors"] == [
        "RepositoryNotFoundError",
        "RemoteEntryNotFoundError",
    ]
    assert out["warnings"] == []


DATASETS = """
import json
from datasets import load_dataset
rows = load_dataset("org/rows")
stream = load_dataset("org/rows", split="train", streaming=True)
print(json.dumps([{k: list(v["a"]) for k, v in rows.items()}, [r["a"] for r in stream]]))
"""


def test_the_official_datasets(fault_hub: FaultHub, fault_env: Path, python: Callable[..., Any]) -> None:
    repo = fault_hub.repo("dataset", "org/rows")
    repo.commit({"data/train.csv": b"a,b\n1,2\n3,4\n", "data/test.csv": b"a,b\n5,6\n", "README.md": b"# rows\n"})
    shown = python(DATASETS, HF_ENDPOINT=fault_hub.url, HF_HOME=str(fault_env))
    assert shown == [{"train": [1, 3], "test": [5]}, [1, 3]]
