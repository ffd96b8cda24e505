"""The twenty traps of the hub's protocol, one test each; where the official client falls into one, the test shows it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub as official
import pytest

from faulthub import FaultHub, Repository, Request, Response, faults
from hfhub import HfApi, hf_hub_download, snapshot_download
from hfhub._client import client
from hfhub.errors import EntryNotFoundError, HubError, IntegrityError, LocalEntryNotFoundError, RateLimitedError

pytestmark = pytest.mark.usefixtures("fault_env")

ID = "org/data"
SMALL = b"small file\n" * 20
LARGE = bytes(range(256)) * 4000


@pytest.fixture
def repo(fault_hub: FaultHub) -> Repository:
    made = fault_hub.repo("dataset", ID)
    made.commit({"small.txt": SMALL, "data/large.bin": LARGE, "deep/er/x y[1].txt": b"odd"})
    return made


@pytest.fixture
def commit(repo: Repository) -> str:
    return repo.refs["refs/heads/main"]


def get(path: str, **arguments: Any) -> bytes:
    return Path(hf_hub_download(ID, path, repo_type="dataset", **arguments)).read_bytes()


def cache() -> Path:
    return Path(os.environ["HF_HOME"]) / "hub" / "datasets--org--data"


def test_01_a_small_file_is_two_exchanges(fault_hub: FaultHub, repo: Repository) -> None:
    assert get("small.txt") == SMALL
    answers = [(line.status, line.path.startswith("/api/resolve-cache/")) for line in fault_hub.requests("small.txt")]
    assert (307, False) in answers
    assert (200, True) in answers
    # A snapshot goes through the redirect as well.
    folder = Path(snapshot_download(ID, repo_type="dataset", cache_dir=cache() / "other"))
    assert (folder / "small.txt").read_bytes() == SMALL


def test_02_the_size_of_a_large_file_is_in_the_linked_headers(fault_hub: FaultHub, repo: Repository) -> None:
    meta = json.loads(client().file_metadata("dataset", ID, "data/large.bin"))
    blob = repo.commits[repo.refs["refs/heads/main"]].files["data/large.bin"]
    assert (meta["size"], meta["etag"]) == (len(LARGE), blob.sha256)
    assert fault_hub.requests("large.bin", origin="cdn") == []  # the CDN was not asked


def test_03_the_token_goes_along_on_the_hub_and_not_to_the_cdn(fault_hub: FaultHub, repo: Repository) -> None:
    repo.access.private = True
    assert get("small.txt", token="hf_good") == SMALL
    assert get("data/large.bin", token="hf_good") == LARGE
    assert {line.token for line in fault_hub.requests("resolve-cache")} == {"hf_good"}
    assert fault_hub.requests("large.bin", origin="cdn")
    assert fault_hub.tokens_on("cdn") == set()


def test_04_another_port_is_another_origin(fault_hub: FaultHub, repo: Repository) -> None:
    # The stranger has the hub's scheme and host: only the port differs.
    fault_hub.fault("/api/", faults.redirect(fault_hub.foreign_url + "{target}"), origin="hub")
    files = HfApi(token="hf_good").list_repo_files(ID, repo_type="dataset")
    assert "small.txt" in files
    assert fault_hub.requests("/tree/", origin="foreign")
    assert fault_hub.tokens_on("foreign") == set()


def test_05_a_next_page_elsewhere_is_not_followed(fault_hub: FaultHub, repo: Repository) -> None:
    link = f'<{fault_hub.foreign_url}/api/datasets/{ID}/tree/main?cursor=MA==>; rel="next"'
    fault_hub.fault("/tree/", faults.header("Link", link), origin="hub")
    with pytest.raises(HubError, match="another host"):
        list(HfApi(token="hf_good").list_repo_tree(ID, repo_type="dataset"))
    assert fault_hub.requests(origin="foreign") == []
    # The reference follows, and takes the token along.
    list(official.HfApi(endpoint=fault_hub.url, token="hf_good").list_repo_tree(ID, repo_type="dataset"))
    assert fault_hub.tokens_on("foreign") == {"hf_good"}


def test_06_paths_info_is_a_form_of_at_most_a_thousand_paths(fault_hub: FaultHub, repo: Repository) -> None:
    wanted = ["small.txt", "data", *(f"absent/{i}" for i in range(1500)), "data/large.bin"]
    found = HfApi().get_paths_info(ID, wanted, repo_type="dataset")
    assert [f.path for f in found] == ["small.txt", "data", "data/large.bin"]
    lines = fault_hub.requests("/paths-info/")
    assert len(lines) > 1
    assert {line.status for line in lines} == {200}
    assert all(line.headers["content-type"].startswith("application/x-www-form-urlencoded") for line in lines)


def test_07_siblings_are_not_believed(fault_hub: FaultHub, repo: Repository) -> None:
    def fewer(_: Request, response: Response) -> None:
        value = json.loads(bytes(response.body))
        value["siblings"] = value["siblings"][:1]
        response.body = json.dumps(value).encode()

    fault_hub.fault(r"/api/datasets/org/data(/revision/main)?(\?|$)", fewer, statuses=(200,))
    assert len(HfApi().list_repo_files(ID, repo_type="dataset")) == 3
    folder = Path(snapshot_download(ID, repo_type="dataset"))
    assert len([p for p in folder.rglob("*") if p.is_file()]) == 3


def test_08_the_listing_names_the_blobs(fault_hub: FaultHub, repo: Repository, commit: str) -> None:
    snapshot_download(ID, repo_type="dataset")
    assert fault_hub.requests(method="HEAD") == []
    names = {p.name for p in (cache() / "blobs").iterdir()}
    assert names == {blob.etag for blob in repo.commits[commit].files.values()}


def test_09_what_is_encoded_and_what_is_not(fault_hub: FaultHub, repo: Repository) -> None:
    repo.commit({"b.txt": b"b"}, "my/branch")
    repo.commit({"p.txt": b"p"}, "refs/pr/7")
    assert get("deep/er/x y[1].txt", revision="my/branch") == b"odd"
    assert get("p.txt", revision="refs/pr/7") == b"p"
    below = list(HfApi().list_repo_tree(ID, "deep/er", repo_type="dataset", revision="refs/pr/7"))
    assert [e.path for e in below] == ["deep/er/x y[1].txt"]
    paths = {line.path for line in fault_hub.requests(origin="hub")}
    assert any(p.startswith("/datasets/org/data/resolve/my%2Fbranch/deep/er/x%20y") for p in paths)
    assert "/api/datasets/org/data/tree/refs%2Fpr%2F7/deep%2Fer" in paths
    assert not [p for p in paths if "org%2F" in p or "[" in p or " " in p]


def test_10_refs_are_forty_digits_without_a_newline(fault_hub: FaultHub, repo: Repository, commit: str) -> None:
    get("small.txt")
    ref = cache() / "refs" / "main"
    assert ref.read_bytes() == commit.encode()
    for broken in (b"", commit[:20].encode(), b"\0" * 40):
        ref.write_bytes(broken)
        with pytest.raises(LocalEntryNotFoundError):
            get("small.txt", local_files_only=True)
    ref.write_bytes(b"")
    assert get("small.txt") == SMALL
    assert ref.read_bytes() == commit.encode()


def test_11_others_can_read_the_cached_listing(repo: Repository, commit: str) -> None:
    old = os.umask(0o022)
    try:
        snapshot_download(ID, repo_type="dataset")
    finally:
        os.umask(old)
    assert stat.S_IMODE((cache() / "trees" / f"{commit}.json").stat().st_mode) == 0o644


def test_12_a_blob_may_be_a_link_into_the_shared_store(fault_hub: FaultHub, repo: Repository, commit: str) -> None:
    blob = repo.commits[commit].files["data/large.bin"]
    store = cache().parent / "blobs" / blob.xet_hash[:2]
    store.mkdir(parents=True)
    (store.parent / ".huggingface-shared-blobs").write_text("1\n")
    (store / blob.xet_hash).write_bytes(LARGE)
    (store / f"{blob.xet_hash}.refs").write_text(f"datasets--org--data/blobs/{blob.sha256}\n")
    (cache() / "blobs").mkdir(parents=True)
    (cache() / "blobs" / blob.sha256).symlink_to(f"../../blobs/{blob.xet_hash[:2]}/{blob.xet_hash}")
    assert get("data/large.bin") == LARGE
    assert fault_hub.served("large.bin") == 0
    assert (cache() / "blobs" / blob.sha256).is_symlink()
    assert not official.scan_cache_dir(cache().parent).warnings


def test_13_what_others_left_incomplete_stays_theirs(repo: Repository, commit: str) -> None:
    blob = repo.commits[commit].files["data/large.bin"]
    (cache() / "blobs").mkdir(parents=True)
    theirs = [cache() / "blobs" / f"{blob.sha256}{end}" for end in (".incomplete", ".0123abcd.incomplete")]
    for path in theirs:
        path.write_bytes(b"wrong" * 100)
    assert get("data/large.bin") == LARGE
    assert [p.read_bytes() for p in theirs] == [b"wrong" * 100] * 2


def test_14_a_full_commit_costs_no_request(fault_hub: FaultHub, repo: Repository, commit: str) -> None:
    snapshot_download(ID, repo_type="dataset")
    fault_hub.forget()
    assert get("small.txt", revision=commit) == SMALL
    snapshot_download(ID, repo_type="dataset", revision=commit)
    assert fault_hub.requests() == []
    snapshot_download(ID, repo_type="dataset")
    assert len(fault_hub.requests()) == 1


def test_15_absence_at_a_commit_is_remembered(fault_hub: FaultHub, repo: Repository, commit: str) -> None:
    with pytest.raises(EntryNotFoundError):
        get("absent.txt", revision=commit)
    assert (cache() / ".no_exist" / commit / "absent.txt").is_file()
    official_answer = official.try_to_load_from_cache(
        ID, "absent.txt", repo_type="dataset", cache_dir=cache().parent, revision=commit
    )
    assert official_answer is official.file_download._CACHED_NO_EXIST
    fault_hub.forget()
    assert client().read_text("dataset", ID, "absent.txt", commit) is None
    assert fault_hub.requests() == []


def test_16_a_rate_limit_is_waited_out(fault_hub: FaultHub, repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    fault_hub.fault("small.txt", faults.rate_limited(1), times=1, method="HEAD")
    assert get("small.txt") == SMALL
    first, second, *_ = fault_hub.requests("small.txt", method="HEAD")
    assert first.status == 429
    assert second.time - first.time >= 1.0
    monkeypatch.setenv("HFHUB_MAX_RETRIES", "0")
    fault_hub.fault("/api/datasets/", faults.rate_limited(55), times=1)
    with pytest.raises(RateLimitedError) as caught:
        HfApi().dataset_info(ID)
    assert caught.value.retry_after == 55


def test_17_hashes_are_checked(fault_hub: FaultHub, repo: Repository, tmp_path: Path) -> None:
    fault_hub.fault("small.txt|large.bin", faults.flip(100), method="GET", statuses=(200, 206))
    for path in ("small.txt", "data/large.bin"):
        with pytest.raises(IntegrityError):
            get(path)
        theirs = official.hf_hub_download(ID, path, repo_type="dataset", endpoint=fault_hub.url, cache_dir=tmp_path)
        assert Path(theirs).read_bytes() not in (SMALL, LARGE)  # the reference counts bytes only


def test_18_a_partial_snapshot_is_not_a_snapshot(repo: Repository, commit: str) -> None:
    snapshot_download(ID, repo_type="dataset", allow_patterns="*.txt")
    with pytest.raises(LocalEntryNotFoundError, match=r"large\.bin"):
        snapshot_download(ID, repo_type="dataset", local_files_only=True)
    folder = snapshot_download(ID, repo_type="dataset", local_files_only=True, allow_patterns="*.txt")
    assert sorted(p.name for p in Path(folder).rglob("*.*")) == ["small.txt", "x y[1].txt"]


@pytest.mark.parametrize(
    "name",
    ["../evil.txt", "a/../../evil.txt", "/tmp/evil-of-the-hub.txt", "a/./b", "C:/evil.txt", "..\\evil.txt", "a//b"],
)
def test_19_names_of_files_are_not_trusted(fault_hub: FaultHub, tmp_path: Path, name: str) -> None:
    fault_hub.repo("dataset", "org/evil").commit({"good.txt": b"good", name: b"evil"})
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises((HubError, ValueError)):
        hf_hub_download("org/evil", name, repo_type="dataset")
    with pytest.raises((HubError, ValueError)):
        snapshot_download("org/evil", repo_type="dataset")
    home = Path(os.environ["HF_HOME"])
    strangers = [p for p in tmp_path.rglob("*") if p.is_file() and p not in before and home not in p.parents]
    assert strangers == []
    assert not [p for p in home.rglob("*") if p.is_file() and p.read_bytes() == b"evil" and p.parent.name != "blobs"]
    assert not Path("/tmp/evil-of-the-hub.txt").exists()


FORK = """
import os, sys
from hfhub import hf_hub_download
def get(path):
    return open(hf_hub_download("org/data", path, repo_type="dataset"), "rb").read()
sizes = [len(get("small.txt"))]
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(write, str(len(get("data/large.bin"))).encode())
    os._exit(0)
os.waitpid(pid, 0)
sizes.append(int(os.read(read, 20)))
sizes.append(len(get("deep/er/x y[1].txt")))
print(sizes)
"""


def test_20_a_child_of_fork_has_its_own_engine(repo: Repository) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == [len(SMALL), len(LARGE), 3]
