"""The mirror's API beyond files: other revisions, refs, commits, search, rights; asked by both clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub as official
import pytest

import hfhub
from hfhub import HubServer

pytestmark = pytest.mark.usefixtures("hf_env")
API = hfhub.HfApi | official.HfApi


def put(root: Path, repo: str, files: dict[str, str], **facts: Any) -> None:
    for path, text in files.items():
        (root / repo / path).parent.mkdir(parents=True, exist_ok=True)
        (root / repo / path).write_text(text)
    if facts:
        (root / repo / ".info.json").write_text(json.dumps(facts))


@pytest.fixture
def hub_root(tmp_path: Path) -> Path:
    root = tmp_path / "hub"
    put(root, "datasets/org/data", {"a.txt": "main", "d/b.txt": "b"}, tags=["language:en", "x"], likes=5, downloads=1)
    put(root, "datasets/org/data@refs%2Fconvert%2Fparquet", {"default/train/0000.parquet": "PAR1"})
    put(root, "datasets/org/data@my%2Fbranch", {"a.txt": "branch"})
    put(root, "datasets/org/data@refs%2Ftags%2Fv1", {"a.txt": "tag"})
    put(root, "datasets/org/data@refs%2Fpr%2F3", {"a.txt": "pr"})
    for number in range(5):
        card = {"license": "mit"}
        put(root, f"datasets/other/set{number}", {"x": "x"}, downloads=number, tags=["x"] * (number % 2), cardData=card)
    put(root, "datasets/org/gated", {"g.txt": "g"})
    put(root, "datasets/org/secret", {"s.txt": "s"})
    put(root, "datasets/org/odd", {"o.txt": "o"})
    (root / "datasets/org/odd/.info.json").write_text("[1, 2")
    return root


@pytest.fixture
def hub(hub_root: Path) -> Iterator[HubServer]:
    options: dict[str, Any] = {"tokens": ["hf_good", "hf_two"], "private": ["org/secret"], "gated": ["org/gated"]}
    with HubServer(str(hub_root), page_size=2, **options) as server:
        yield server


@pytest.fixture(params=["hfhub", "official"])
def api(request: pytest.FixtureRequest, hub: HubServer) -> API:
    library = hfhub if request.param == "hfhub" else official
    return library.HfApi(endpoint=hub.url, token=False)


def test_other_revisions(api: API, tmp_path: Path) -> None:
    texts = {}
    for revision in ("main", "my/branch", "v1", "refs/tags/v1", "refs/pr/3"):
        sha = api.dataset_info("org/data", revision=revision).sha
        for asked in (revision, sha):
            path = api.hf_hub_download(
                "org/data", "a.txt", revision=asked, repo_type="dataset", cache_dir=str(tmp_path / "cache")
            )
            texts[revision] = Path(str(path)).read_text()
    assert list(texts.values()) == ["main", "branch", "tag", "tag", "pr"]
    files = api.list_repo_files("org/data", revision="refs/convert/parquet", repo_type="dataset")
    assert files == ["default/train/0000.parquet"]
    assert not api.revision_exists("org/data", "v2", repo_type="dataset")
    assert not api.revision_exists("org/data", "0" * 40, repo_type="dataset")


def test_refs_and_commits(api: API) -> None:
    refs = api.list_repo_refs("org/data", repo_type="dataset", include_pull_requests=True)
    assert [(b.name, b.ref) for b in refs.branches] == [
        ("main", "refs/heads/main"),
        ("my/branch", "refs/heads/my/branch"),
    ]
    assert [c.ref for c in refs.converts] == ["refs/convert/parquet"]
    assert [(t.name, t.ref) for t in refs.tags] == [("v1", "refs/tags/v1")]
    assert [p.name for p in refs.pull_requests or []] == ["3"]
    assert api.list_repo_refs("org/data", repo_type="dataset").pull_requests is None
    (commit,) = api.list_repo_commits("org/data", repo_type="dataset", revision="my/branch", formatted=True)
    assert commit.commit_id == refs.branches[1].target_commit
    assert commit.formatted_title == commit.title


def ids(found: Any) -> list[str]:
    return [item.id for item in found]


def test_search(api: API, hub: HubServer) -> None:
    public = ["org/data", "org/gated", "org/odd"] + [f"other/set{n}" for n in range(5)]
    assert ids(api.list_datasets()) == public
    assert ids(api.list_datasets(search="SET")) == public[3:]
    assert ids(api.list_datasets(search="set", dataset_name="3")) == ["other/set3"]
    assert ids(api.list_datasets(author="org", gated=False)) == ["org/data", "org/odd"]
    assert ids(api.list_datasets(gated=True)) == ["org/gated"]
    assert ids(api.list_datasets(filter="x", sort="downloads")) == ["other/set3", "org/data", "other/set1"]
    assert ids(api.list_datasets(filter=["x"], language="en")) == ["org/data"]
    assert ids(api.list_datasets(sort="downloads", limit=3)) == ["other/set4", "other/set3", "other/set2"]
    assert ids(api.list_datasets(sort="likes", limit=1)) == ["org/data"]
    hub.clear_requests()
    assert ids(api.list_datasets(limit=2)) == public[:2]
    assert len(hub.requests()) == 1
    assert ids(api.list_datasets(search="nothing")) == []
    assert "org/secret" in ids(api.list_datasets(token="hf_good"))
    (full,) = api.list_datasets(search="set3", full=True)
    assert (full.downloads, full.card_data is not None) == (3, True)
    (short,) = api.list_datasets(search="set3")
    assert short.card_data is None
    (some,) = api.list_datasets(search="set3", expand=["cardData"])
    assert (some.downloads, some.card_data is not None) == (None, True)


def test_facts_beside_the_files(api: API) -> None:
    info = api.dataset_info("org/data")
    assert (info.likes, info.tags) == (5, ["language:en", "x"])
    assert [s.rfilename for s in info.siblings or []] == ["a.txt", "d/b.txt"]  # the facts are no file
    some = api.dataset_info("org/data", expand=["likes", "sha"])
    assert (some.likes, some.sha, some.siblings) == (5, info.sha, None)
    assert api.dataset_info("org/odd").likes == 0  # a broken file of facts counts as none
    assert api.dataset_info("org/gated").gated == "auto"


def test_rights(api: API) -> None:
    library = hfhub if isinstance(api, hfhub.HfApi) else official
    api.auth_check("org/data", repo_type="dataset")
    api.auth_check("org/gated", repo_type="dataset", token="hf_good")
    with pytest.raises(library.errors.GatedRepoError):
        api.auth_check("org/gated", repo_type="dataset")
    with pytest.raises(library.errors.RepositoryNotFoundError):
        api.auth_check("org/secret", repo_type="dataset")
    with pytest.raises(library.errors.HfHubHTTPError):
        api.auth_check("org/data", repo_type="dataset", write=True)
    names = [api.whoami(token=token)["auth"]["accessToken"]["displayName"] for token in ("hf_good", "hf_two")]
    assert names == ["mirror", "mirror-2"]


def test_a_listing_is_of_one_state(hub: HubServer, hub_root: Path) -> None:
    """Pages after the first are of the commit of the first."""
    put(hub_root, "datasets/org/data", {f"f{n}.txt": "x" for n in range(6)})
    tree = hfhub.HfApi(endpoint=hub.url).list_repo_tree("org/data", recursive=True, repo_type="dataset")
    first = next(tree)
    put(hub_root, "datasets/org/data", {"a0.txt": "new"})
    paths = [first.path, *(entry.path for entry in tree)]
    assert paths == ["a.txt", "d", "d/b.txt"] + [f"f{n}.txt" for n in range(6)]
