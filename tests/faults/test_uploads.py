"""Uploads on a bad network: nothing is lost, nothing is committed twice, the token stays with the hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faulthub import FaultHub, Repository, faults
from hfhub import CommitOperationAdd, CommitOperationDelete, HfApi
from hfhub.errors import ForbiddenError, HfHubHTTPError, HubConnectionError, OfflineModeIsEnabled, UnauthorizedError

ID = "org/data"
BIG = os.urandom(2_000_000)


@pytest.fixture
def repo(fault_hub: FaultHub, fault_env: Path) -> Repository:
    made = fault_hub.repo("dataset", ID)
    made.commit({"README.md": b"# data"})
    return made


@pytest.fixture
def api(repo: Repository) -> HfApi:
    return HfApi(token="hf_good")


def upload(api: HfApi, content: Any = BIG, **more: Any) -> Any:
    return api.upload_file(path_or_fileobj=content, path_in_repo="big.bin", repo_id=ID, repo_type="dataset", **more)


def content(repo: Repository) -> bytes:
    commit = repo.resolve("main")
    assert commit is not None
    return commit.files["big.bin"].data


def messages(repo: Repository) -> list[str]:
    newest = repo.resolve("main")
    assert newest is not None
    return [commit.message for commit in repo.history(newest)]


FAULTS: dict[str, tuple[str, Callable[[], Any], dict[str, Any]]] = {
    "the store is away": (".", lambda: faults.status(503), {"origin": "cdn", "times": 2}),
    "the store hangs up at once": (".", lambda: faults.hang_up(0), {"origin": "cdn", "times": 2}),
    "the store hangs up in the middle": (".", lambda: faults.hang_up(700_000), {"origin": "cdn", "times": 2}),
    "the store's answer is lost": (".", faults.lose_answer, {"origin": "cdn", "times": 2}),
    "the store wants a pause": (".", lambda: faults.rate_limited(1), {"origin": "cdn", "times": 1}),
    "an address is refused": (".", lambda: faults.status(403), {"origin": "cdn", "method": "PUT", "times": 1}),
    "the question fails": ("preupload", lambda: faults.status(500), {"times": 2}),
    "the question's answer is lost": ("preupload", faults.lose_answer, {"times": 1}),
    "the batch fails": ("objects/batch", lambda: faults.status(502), {"times": 2}),
    "the batch is cut": ("objects/batch", lambda: faults.cut(30), {"times": 1}),
    "verification fails": ("objects/verify", lambda: faults.status(504), {"times": 1}),
    "too many requests": ("/api/", lambda: faults.rate_limited(1), {"times": 1}),
    "too many commits": ("/commit/", lambda: faults.rate_limited(1), {"times": 1}),
}


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
@pytest.mark.parametrize("source", ["bytes", "file"])
@pytest.mark.parametrize("name", FAULTS)
def test_faults_that_pass(
    fault_hub: FaultHub, repo: Repository, api: HfApi, name: str, source: str, parts: bool, tmp_path: Path
) -> None:
    if parts:
        fault_hub.lfs_part = 800_000
    about, change, options = FAULTS[name]
    fault = fault_hub.fault(about, change(), **options)
    (tmp_path / "big").write_bytes(BIG)
    upload(api, BIG if source == "bytes" else tmp_path / "big", commit_message="m")
    assert content(repo) == BIG
    assert messages(repo)[0] == "m"
    assert len(messages(repo)) == 2
    assert fault.hits == options["times"]
    assert not fault_hub.tokens_on("cdn")


@pytest.mark.parametrize("name", ["lost", "cut"])
def test_a_commit_whose_answer_is_lost_is_found(fault_hub: FaultHub, repo: Repository, api: HfApi, name: str) -> None:
    parent = repo.refs["refs/heads/main"]
    fault_hub.fault("/commit/", faults.lose_answer() if name == "lost" else faults.cut(10), times=1)
    made = upload(api, commit_message="m", parent_commit=parent)
    assert messages(repo) == ["m", "commit"]
    assert made.oid == repo.refs["refs/heads/main"]
    assert made.commit_url.endswith(f"/datasets/{ID}/commit/{made.oid}")
    assert content(repo) == BIG


def test_a_commit_of_somebody_else_is_not_taken_for_it(fault_hub: FaultHub, repo: Repository, api: HfApi) -> None:
    parent = repo.refs["refs/heads/main"]
    fault_hub.fault("/commit/", faults.first(lambda: repo.commit({"x": b"x"}, message="theirs")), times=1)
    fault_hub.fault("/commit/", faults.hang_up(), times=1)
    with pytest.raises(HfHubHTTPError) as caught:
        upload(api, commit_message="m", parent_commit=parent)
    assert caught.value.status == 412
    assert messages(repo) == ["theirs", "commit"]


def test_a_commit_with_the_same_message_is_not_taken_for_it(fault_hub: FaultHub, repo: Repository, api: HfApi) -> None:
    """Many commits are called "Upload dataset": what is in it tells whose it is."""
    parent = repo.refs["refs/heads/main"]
    fault_hub.fault("/commit/", faults.first(lambda: repo.commit({"big.bin": b"theirs"}, message="m")), times=1)
    fault_hub.fault("/commit/", faults.hang_up(), times=1)
    with pytest.raises(HfHubHTTPError) as caught:
        upload(api, commit_message="m", parent_commit=parent)
    assert caught.value.status == 412
    assert content(repo) == b"theirs"


def test_a_lost_commit_is_found_below_a_later_one(fault_hub: FaultHub, repo: Repository, api: HfApi) -> None:
    parent = repo.refs["refs/heads/main"]
    fault_hub.fault("/commit/", faults.lose_answer(), times=1)
    later = faults.first(lambda: repo.commit({"later": b"l"}, message="theirs"))
    fault_hub.fault("/commit/", later, skip=1, times=1)
    operations = [
        CommitOperationAdd("big.bin", BIG),
        CommitOperationAdd("s.txt", b"s"),
        CommitOperationDelete("README.md"),
    ]
    made = api.create_commit(ID, operations, commit_message="m", parent_commit=parent, repo_type="dataset")
    assert messages(repo) == ["theirs", "m", "commit"]
    newest = repo.resolve("main")
    assert newest is not None
    assert made.oid == newest.parent
    assert set(newest.files) == {"big.bin", "s.txt", "later"}


def test_a_commit_without_a_parent_is_made_once(fault_hub: FaultHub, repo: Repository, api: HfApi) -> None:
    fault_hub.fault("/commit/", faults.lose_answer(), times=1)
    with pytest.raises(HubConnectionError) as caught:
        upload(api, commit_message="m")
    assert any("may have been made" in note and "parent_commit" in note for note in caught.value.__notes__)
    assert messages(repo) == ["m", "commit"]
    assert len(fault_hub.requests("/commit/")) == 1


@pytest.mark.parametrize("parent", [True, False])
def test_a_hub_that_is_away_for_a_commit(fault_hub: FaultHub, repo: Repository, api: HfApi, parent: bool) -> None:
    fault_hub.fault("/commit/", faults.status(503), times=2)
    more = {"parent_commit": repo.refs["refs/heads/main"]} if parent else {}
    if parent:
        upload(api, commit_message="m", **more)
        assert messages(repo) == ["m", "commit"]
    else:
        with pytest.raises(HfHubHTTPError, match="the server failed"):
            upload(api, commit_message="m", **more)


def test_faults_that_stay(fault_hub: FaultHub, repo: Repository, api: HfApi) -> None:
    fault_hub.fault(".", faults.status(403), origin="cdn")
    with pytest.raises(ForbiddenError, match=re.escape("big.bin")):
        upload(api)
    assert len(fault_hub.requests(origin="cdn")) == 2  # its address was asked for once more
    fault_hub.clear()
    fault_hub.fault(".", faults.status(503), origin="cdn")
    with pytest.raises(HfHubHTTPError, match=r"big\.bin.*tried 4 times"):
        upload(api)
    assert messages(repo) == ["commit"]


def test_an_object_that_the_store_refuses(fault_hub: FaultHub, repo: Repository, api: HfApi) -> None:
    operation = CommitOperationAdd("big.bin", BIG)
    fault_hub.lfs_errors[operation.upload_info.sha256.hex()] = "over your quota"
    with pytest.raises(HfHubHTTPError, match=r"big\.bin.*over your quota") as caught:
        api.create_commit(ID, [operation], commit_message="m", repo_type="dataset")
    assert caught.value.path == "big.bin"
    assert messages(repo) == ["commit"]


BROKEN = {
    "no JSON": ("objects/batch", faults.replace(b"<html>")),
    "no objects": ("objects/batch", faults.replace(b"{}")),
    "objects of another kind": ("objects/batch", faults.replace(b'{"objects": {"a": 1}}')),
    "no files": ("preupload", faults.replace(b'{"files": []}')),
    "files of another kind": ("preupload", faults.replace(b'{"files": [{"path": "big.bin", "uploadMode": 7}]}')),
    "a list": ("preupload", faults.replace(b"[1]")),
    "no commit": ("/commit/", faults.replace(b"{}")),
    "a commit of another kind": ("/commit/", faults.replace(b"[]")),
    "a login page": ("preupload", faults.login_page()),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_answers(fault_hub: FaultHub, repo: Repository, api: HfApi, name: str) -> None:
    fault_hub.fault(*BROKEN[name])
    with pytest.raises(HfHubHTTPError):
        upload(api)


@pytest.mark.parametrize(
    "header",
    [
        {"chunk_size": "0", "1": "X"},
        {"chunk_size": "-5", "1": "X"},
        {"chunk_size": "abc", "1": "X"},
        {"chunk_size": "1"},
        {"chunk_size": "1000000", "1": "X"},
        {"chunk_size": "1000000", "1": "X", "2": "X", "3": "X"},
        {"chunk_size": "1000000", "1": 4, "2": "X"},
    ],
    ids=str,
)
def test_absurd_parts(fault_hub: FaultHub, repo: Repository, api: HfApi, header: dict[str, Any]) -> None:
    oid = CommitOperationAdd("big.bin", BIG).upload_info.sha256.hex()
    address = f"{fault_hub.cdn_url}/part"
    named = {key: address if value == "X" else value for key, value in header.items()}
    said = {"objects": [{"oid": oid, "size": len(BIG), "actions": {"upload": {"href": address, "header": named}}}]}
    fault_hub.fault("objects/batch", faults.replace(json.dumps(said).encode()))
    with pytest.raises(HfHubHTTPError, match=r"big\.bin"):
        upload(api)
    assert not fault_hub.requests(origin="cdn")


def test_a_file_that_becomes_shorter(fault_hub: FaultHub, repo: Repository, api: HfApi, tmp_path: Path) -> None:
    local = tmp_path / "big"
    local.write_bytes(BIG)

    def shorten() -> None:
        local.write_bytes(BIG[:1000])

    fault_hub.fault("objects/batch", faults.first(shorten), times=1)
    with pytest.raises(OSError, match="it became shorter while it was uploaded") as caught:
        upload(api, local)
    assert not isinstance(caught.value, HubConnectionError)
    assert messages(repo) == ["commit"]


def test_a_file_that_changes_is_not_committed(
    fault_hub: FaultHub, repo: Repository, api: HfApi, tmp_path: Path
) -> None:
    local = tmp_path / "big"
    local.write_bytes(BIG)
    fault_hub.fault("objects/batch", faults.first(lambda: local.write_bytes(bytes(len(BIG)))), times=1)  # type: ignore[arg-type,return-value]
    with pytest.raises(HfHubHTTPError, match=r"big\.bin"):
        upload(api, local)
    assert messages(repo) == ["commit"]


@pytest.mark.parametrize("route", ["preupload", "objects/batch", "/commit/"])
def test_the_token_stays_with_the_hub(fault_hub: FaultHub, repo: Repository, api: HfApi, route: str) -> None:
    fault_hub.fault(route, faults.redirect(f"{fault_hub.foreign_url}/elsewhere"), times=1)
    with pytest.raises(HfHubHTTPError):
        upload(api)
    assert not fault_hub.tokens_on("foreign")
    assert fault_hub.requests(origin="foreign")


def test_who_may_not_write(fault_hub: FaultHub, repo: Repository) -> None:
    fault_hub.read_only_tokens.add("hf_other")
    with pytest.raises(ForbiddenError):
        upload(HfApi(token="hf_other"))
    with pytest.raises(UnauthorizedError):
        upload(HfApi(token="hf_bad"))
    with pytest.raises(HfHubHTTPError) as caught:
        upload(HfApi(token=False))
    assert caught.value.status == 401
    assert messages(repo) == ["commit"]


def test_offline(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineModeIsEnabled):
        upload(HfApi(token="hf_good"))


MEMORY = """
import json, sys
from pathlib import Path
from hfhub import HfApi
def peak():
    return int(next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM")).split()[1])
api = HfApi(token="hf_good")
api.upload_file(path_or_fileobj=b"\\0small", path_in_repo="s.bin", repo_id="org/data", repo_type="dataset")
before = peak()
api.upload_file(path_or_fileobj=sys.argv[1], path_in_repo="l.bin", repo_id="org/data", repo_type="dataset")
print(json.dumps((peak() - before) / 1024))
"""


@pytest.mark.parametrize("part", [5 << 30, 16 << 20])
def test_a_large_file_is_not_held(
    fault_hub: FaultHub, repo: Repository, python: Callable[..., Any], tmp_path: Path, part: int
) -> None:
    fault_hub.lfs_part = part
    with (tmp_path / "large").open("wb") as file:
        file.truncate(150 << 20)
    grown = python(MEMORY, str(tmp_path / "large"), HF_ENDPOINT=fault_hub.url, HF_HUB_DOWNLOAD_TIMEOUT="20")
    assert grown < 40  # MiB
    newest = repo.resolve("main")
    assert newest is not None
    assert len(newest.files["l.bin"].data) == 150 << 20
