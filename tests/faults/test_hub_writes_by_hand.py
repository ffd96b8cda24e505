"""The write side of the fault hub, asked by hand: traps, refusals, the storage of large files."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from faulthub import FaultHub, Repository, faults
from faulthub.by_hand import GOOD, LFS, NDJSON, ByHand, lines, sha256

LARGE = bytes(range(256)) * 4_000
HEAD = "refs/heads/main"


@pytest.fixture
def repo(fault_hub: FaultHub) -> Repository:
    made = fault_hub.repo("dataset", "org/data")
    made.commit({"README.md": b"# data\n", "old.bin": b"\0old", "data/a.csv": b"a\n1\n", "data/b.csv": b"b\n2\n"})
    return made


@pytest.fixture
def ask(fault_hub: FaultHub) -> ByHand:
    return ByHand(fault_hub)


def test_a_commit_that_is_no_ndjson_is_empty(repo: Repository, ask: ByHand) -> None:
    first, target = repo.refs[HEAD], "/api/datasets/org/data/commit/main"
    body = lines(("file", {"path": "a.txt", "content": "YQ==", "encoding": "base64"}))
    status, _, value = ask("POST", target, body, {**GOOD, "Content-Type": "application/json"})
    made = repo.commits[repo.refs[HEAD]]
    assert (status, value["success"], value["commitOid"], made.parent) == (200, True, made.id, first)
    assert made.files == repo.commits[first].files
    status, _, value = ask("POST", target, body, {**GOOD, **NDJSON})
    assert (status, "pullRequestUrl" in value) == (200, False)
    assert repo.commits[value["commitOid"]].files["a.txt"].data == b"a"
    status, _, value = ask("POST", target, lines(create_pr="1"), {**GOOD, **NDJSON})  # counts in the query only
    assert (status, "pullRequestUrl" in value) == (200, False)


@pytest.mark.parametrize(
    ("operations", "status", "kind"),
    [
        ([("lfsFile", {"path": "a.bin", "algo": "sha256", "oid": "0" * 64, "size": 1})], 400, None),
        ([("lfsFile", {"path": "a.bin", "algo": "sha256", "oid": sha256(b"\0old"), "size": 5})], 400, None),
        ([("file", {"path": "../a", "content": "", "encoding": "base64"})], 400, None),
        ([("file", {"path": "data", "content": "", "encoding": "base64"})], 400, None),
        ([("file", {"path": "README.md/x", "content": "", "encoding": "base64"})], 400, None),
        ([("file", {"path": "a", "content": "?", "encoding": "base64"})], 400, None),
        ([("file", {"path": "a", "content": base64.b64encode(bytes(11 << 20)).decode(), "encoding": "base64"})], 400, None),
        ([("moved", {"path": "a"})], 400, None),
        ([("deletedFile", {"path": "none"})], 404, "EntryNotFound"),
        ([("deletedFolder", {"path": "README.md"})], 404, "EntryNotFound"),
    ],
)  # fmt: skip
def test_commits_that_are_refused(
    repo: Repository, ask: ByHand, operations: list[tuple[str, dict[str, Any]]], status: int, kind: str | None
) -> None:
    first = repo.refs[HEAD]
    good = ("file", {"path": "good.txt", "content": "YQ==", "encoding": "base64"})
    got = ask("POST", "/api/datasets/org/data/commit/main", lines(good, *operations), {**GOOD, **NDJSON})
    assert (got[0], got[1]["X-Error-Code"]) == (status, kind)
    assert repo.refs[HEAD] == first


def test_a_commit_needs_a_summary(repo: Repository, ask: ByHand) -> None:
    for body in (b"", b"nonsense\n", lines(summary="")):
        assert ask("POST", "/api/datasets/org/data/commit/main", body, {**GOOD, **NDJSON})[0] == 400
    for body in (b"nonsense", b"[]", b'{"files": 3}'):
        assert ask("POST", "/api/datasets/org/data/preupload/main", body, GOOD)[0] == 400


def test_preupload(repo: Repository, ask: ByHand) -> None:
    def asked(*files: tuple[str, bytes, int], **more: Any) -> Any:
        listed = [{"path": p, "sample": base64.b64encode(s).decode(), "size": n} for p, s, n in files]
        return ask("POST", "/api/datasets/org/data/preupload/main", json.dumps({"files": listed, **more}), GOOD)

    rules = "*.tmp\n!keep.tmp\n/top.txt\nbuild/\n"
    wanted = [
        ("data/a.csv", b"x", 1), ("old.bin", b"", 0), ("huge.txt", b"x", 11 << 20), ("nul", b"\0", 1),
        ("a/x.tmp", b"", 0), ("a/keep.tmp", b"", 0), ("top.txt", b"", 0), ("a/top.txt", b"", 0), ("a/build/o", b"", 0),
    ]  # fmt: skip
    found = {f["path"]: f for f in asked(*wanted, gitIgnore=rules)[2]["files"]}
    assert [p for p, f in found.items() if f["uploadMode"] == "lfs"] == ["old.bin", "huge.txt", "nul"]
    assert [p for p, f in found.items() if f["shouldIgnore"]] == ["a/x.tmp", "top.txt", "a/build/o"]
    files = repo.commits[repo.refs[HEAD]].files
    known = {p: f["oid"] for p, f in found.items() if "oid" in f}
    assert known == {"data/a.csv": files["data/a.csv"].oid, "old.bin": sha256(b"\0old")}
    assert asked(*[(f"{n}", b"", 0) for n in range(257)])[0] == 413
    assert asked(*[(f"{n}", b"", 0) for n in range(256)])[0] == 200


def test_what_the_storage_refuses(fault_hub: FaultHub, repo: Repository, ask: ByHand) -> None:
    told = ask.batch(LARGE)[0]
    href = told["actions"]["upload"]["href"]
    assert href.startswith(fault_hub.cdn_url)
    assert ask("PUT", href, LARGE, GOOD)[0] == 400  # the signature is the permission: a token is one too many
    assert ask("PUT", href, LARGE[:-1])[0] == 400
    assert ask("PUT", href, LARGE[:-1] + b"!")[0] == 400
    assert ask("PUT", href, iter([LARGE]))[0] == 501  # no length is known: chunks
    assert ask("PUT", href.replace("Signature=", "Signature=0"), LARGE)[0] == 403
    assert ask("GET", href)[0] == 403
    verify = told["actions"]["verify"]["href"]
    named = {"oid": sha256(LARGE), "size": len(LARGE)}
    assert ask("POST", verify, json.dumps(named), GOOD)[0] == 404
    assert sha256(LARGE) not in repo.store
    assert ask("PUT", href, LARGE)[0] == 200
    assert ask("POST", verify, json.dumps(named), GOOD)[0] == 200
    assert ask("POST", verify, json.dumps({**named, "size": 1}), GOOD)[0] == 400
    assert ask("POST", verify, json.dumps(named))[0] == 401
    assert ask.batch(LARGE, b"other")[0] == named
    assert ask.batch(b"other", transfers=["basic"])[0]["actions"]["upload"].get("header") is None


def test_completion(fault_hub: FaultHub, repo: Repository, ask: ByHand) -> None:
    fault_hub.lfs_part = 400_000
    upload = ask.batch(LARGE)[0]["actions"]["upload"]
    assert upload["header"].pop("chunk_size") == "400000"
    assert list(upload["header"]) == ["00001", "00002", "00003"]
    tags = []
    for n, href in enumerate(upload["header"].values()):
        part = LARGE[400_000 * n : 400_000 * (n + 1)]
        assert ask("PUT", href, part + b"!")[0] == 400
        status, headers, _ = ask("PUT", href, part)
        assert (status, headers["ETag"]) == (200, f'"{hashlib.md5(part).hexdigest()}"')
        tags.append({"partNumber": n + 1, "etag": headers["ETag"]})

    def complete(parts: list[dict[str, Any]], **oid: str) -> int:
        return int(ask("POST", upload["href"], json.dumps({**oid, "parts": parts}), LFS)[0])

    wrong = [*tags[:2], {"partNumber": 3, "etag": '"0"'}]
    assert complete(tags) == 400  # without the oid
    for parts in (tags[:2], tags[::-1], [*tags, tags[2]], wrong):
        assert complete(parts, oid=sha256(LARGE)) == 400
    assert sha256(LARGE) not in repo.store
    assert complete(tags, oid=sha256(LARGE)) == 200  # no token: the address has the id of the upload
    assert repo.store[sha256(LARGE)].data == LARGE


def test_the_batch_wants_its_media_type(repo: Repository, ask: ByHand) -> None:
    body = json.dumps({"operation": "upload", "objects": []})
    assert ask("POST", "/datasets/org/data.git/info/lfs/objects/batch", body, GOOD)[0] == 406
    assert ask("POST", "/datasets/org/none.git/info/lfs/objects/batch", body, {**GOOD, **LFS})[0] == 404


def test_a_large_body_and_one_that_waits_to_be_asked(fault_hub: FaultHub, repo: Repository, ask: ByHand) -> None:
    big = LARGE * 60
    href = ask.batch(big)[0]["actions"]["upload"]["href"]
    assert ask("PUT", href, big, {"Expect": "100-continue"})[0] == 200
    assert fault_hub.bodies(origin="cdn") == [big]
    assert repo.store[sha256(big)].data == big


def test_an_address_for_uploads_gets_old(fault_hub: FaultHub, repo: Repository, ask: ByHand) -> None:
    fault_hub.signed_uses = 1
    href = ask.batch(LARGE)[0]["actions"]["upload"]["href"]
    fault_hub.fault("Signature", faults.status(500), times=1)
    assert [ask("PUT", href, LARGE)[0] for _ in range(2)] == [500, 403]
    fresh = ask.batch(LARGE)[0]["actions"]["upload"]["href"]
    assert ask("PUT", fresh, LARGE)[0] == 200
    assert "actions" not in ask.batch(LARGE)[0]
