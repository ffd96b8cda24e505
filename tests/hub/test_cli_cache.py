"""`hfhub cache` and `hfhub extract`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from hfhub.cli import main
from hub.cachemaker import Repo, commit, make_mixed, tree

pytestmark = pytest.mark.usefixtures("hf_env")

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def cache(hf_env: Path) -> Path:
    """The cache of the environment, of all kinds of things."""
    make_mixed(hf_env / "hub")
    return hf_env / "hub"


def printed(capsys: Capture, *words: str, code: int = 0) -> Any:
    assert main(["cache", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_ls(cache: Path, capsys: Capture) -> None:
    official = huggingface_hub.scan_cache_dir(cache)
    rows = printed(capsys, "ls")
    assert {row["id"]: row["size"] for row in rows} == {r.cache_id: r.size_on_disk for r in official.repos}
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert main(["cache", "ls"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["ID", "SIZE", "ACCESSED", "MODIFIED", "REFS"]
    assert out.splitlines()[-1] == f"{len(rows)} repositories, {official.size_on_disk_str}"
    assert "9 folders are not in order" in err
    assert "2 incomplete" in err
    assert main(["cache", "ls", "--show-warnings"]) == 0
    assert "dangling" in capsys.readouterr().err
    revisions = printed(capsys, "ls", "--revisions")
    assert {row["revision"] for row in revisions} == {r.commit_hash for repo in official.repos for r in repo.revisions}


@pytest.mark.parametrize(
    ("tests", "ids"),
    [
        (["size>999"], {"dataset/b/two", "model/b/three"}),
        (["size>=1k", "type=model"], {"model/b/three"}),
        (["refs=refs/pr/1"], {"dataset/a/one"}),
        (["type!=dataset", "type!=model"], {"space/a/no/links"}),
        (["accessed>400d"], set()),
        (["modified<1h", "refs=v1"], {"dataset/a/one"}),
    ],
)
def test_filters(cache: Path, capsys: Capture, tests: list[str], ids: set[str]) -> None:
    words = [word for test in tests for word in ("--filter", test)]
    assert {row["id"] for row in printed(capsys, "ls", *words)} == ids


def test_sort_and_limit(cache: Path, capsys: Capture) -> None:
    sizes = [row["size"] for row in printed(capsys, "ls", "--sort", "size")]
    assert sizes == sorted(sizes, reverse=True)
    assert [row["size"] for row in printed(capsys, "ls", "--sort", "size:asc")] == sorted(sizes)
    assert len(printed(capsys, "ls", "--sort", "name:desc", "--limit", "2")) == 2
    assert main(["cache", "ls", "--limit", "-1"]) == 2


def test_scan_and_stats(cache: Path, capsys: Capture) -> None:
    facts = printed(capsys, "scan")
    official = huggingface_hub.scan_cache_dir(cache)
    assert facts["size_on_disk"] == official.size_on_disk
    assert (len(facts["repos"]), len(facts["warnings"])) == (len(official.repos), len(official.warnings))
    assert main(["cache", "scan", "-v"]) == 0
    assert commit(1) in capsys.readouterr().out
    assert printed(capsys, "stats")["size_on_disk"] == official.size_on_disk
    assert main(["cache", "stats"]) == 0
    assert "largest" in capsys.readouterr().out


def test_rm(cache: Path, capsys: Capture) -> None:
    before = tree(cache)
    facts = printed(capsys, "rm", "dataset/a/one", commit(4), "--dry-run")
    assert (sorted(facts["deleted"]), facts["missing"]) == (sorted(["dataset/a/one", commit(4)]), [])
    assert tree(cache) == before
    # Without a terminal nothing is deleted unasked.
    assert main(["cache", "rm", "dataset/a/one"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert tree(cache) == before
    assert main(["cache", "rm", "dataset/a/one", "model/gpt2", "-y"]) == 0
    assert not (cache / "datasets--a--one").exists()
    assert not (cache / "models--gpt2").exists()
    assert main(["cache", "rm", "hf://models/b/three/small", "-y"]) == 0
    assert not (cache / "models--b--three" / "snapshots" / commit(7) / "small").exists()
    capsys.readouterr()
    assert printed(capsys, "rm", "dataset/no/such", "-y", code=1)["missing"] == ["dataset/no/such"]
    assert main(["cache", "rm", commit(7), "hf://models/b/three/weights/big.bin", "-y"]) == 2


def test_prune(cache: Path, capsys: Capture) -> None:
    plan = printed(capsys, "prune", "--dry-run")
    assert (plan["dry_run"], len(plan["incomplete"])) == (True, 2)
    assert main(["cache", "prune"]) == 2
    done = printed(capsys, "prune", "-y")
    assert (done["freed"], done["revisions"]) == (plan["freed"], plan["revisions"])
    assert main(["cache", "prune", "-y"]) == 0
    assert "nothing to prune" in capsys.readouterr().out
    assert printed(capsys, "prune", "-y", "--max-size", "0")["size_on_disk"] <= 8  # a payload without a list stays


def test_prune_keeps(cache: Path, capsys: Capture) -> None:
    done = printed(capsys, "prune", "-y", "--keep-unreferenced", "--keep-incomplete")
    assert done["freed"] == 0
    old = Repo(cache, "datasets--old--one")
    old.add(commit(50), "f", b"old", time.time() - 100 * 86_400)
    old.ref("main", commit(50))
    done = printed(capsys, "prune", "-y", "--keep-unreferenced", "--keep-incomplete", "--older-than", "90d")
    assert done["revisions"] == [f"dataset/old/one@{commit(50)}"]


def test_asks_at_a_terminal(cache: Path) -> None:
    for answer, gone in ((b"n\n", False), (b"y\n", True)):
        leader, follower = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "hfhub", "cache", "rm", "model/gpt2"],
            stdin=follower,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            os.write(leader, answer)
            _, err = process.communicate(timeout=60)
        os.close(follower)
        os.close(leader)
        assert b"[y/N]" in err
        assert process.returncode == (0 if gone else 1)
        assert (cache / "models--gpt2").exists() != gone


def test_verify(hf_env: Path, capsys: Capture) -> None:
    assert main(["snapshot", "org/small"]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert main(["cache", "verify"]) == 0
    assert "3 files checked" in capsys.readouterr().out
    (folder / "README.md").resolve().write_text("# other\n")
    assert main(["cache", "verify", "org/small"]) == 1
    out = capsys.readouterr().out
    assert "README.md" in out
    assert "--repair" in out
    facts = printed(capsys, "verify", code=1)
    assert [bad["reason"] for bad in facts["bad"]] == ["hash"]
    assert main(["cache", "verify", "--repair"]) == 0
    assert (folder / "README.md").read_text() == "# small\n"
    assert main(["cache", "verify", "models/org/small"]) == 1


def test_no_cache_is_said(capsys: Capture, tmp_path: Path) -> None:
    for words in (["ls"], ["scan"], ["verify"], ["prune", "-y"], ["rm", "model/x", "-y"], ["stats"]):
        assert main(["cache", *words, "--cache-dir", str(tmp_path / "none")]) == 1
        assert "CacheNotFound: there is no cache at" in capsys.readouterr().err


def test_color_is_for_terminals_that_want_it(cache: Path) -> None:
    def shown(**environment: str) -> bytes:
        leader, follower = pty.openpty()
        command = [sys.executable, "-m", "hfhub", "cache", "ls", "--limit", "1"]
        env = {**os.environ, "TERM": "xterm", **environment}
        with subprocess.Popen(command, stdout=follower, stderr=subprocess.DEVNULL, env=env) as process:
            os.close(follower)
            seen = b""
            try:
                while part := os.read(leader, 4096):
                    seen += part
            except OSError:
                pass  # the other end was closed
            process.wait(60)
        os.close(leader)
        return seen

    assert b"\x1b[1m" in shown()
    assert b"\x1b" not in shown(NO_COLOR="1")
    assert b"ID" in shown(NO_COLOR="1")


def test_extract(tmp_path: Path, hf_env: Path, capsys: Capture) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a/b.txt", "b")
    assert main(["extract", str(tmp_path / "x.zip"), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "a" / "b.txt").read_text() == "b"
    assert main(["extract", str(tmp_path / "x.zip"), str(tmp_path / "out")]) == 1
    assert "FileExistsError" in capsys.readouterr().err
    assert main(["extract", str(tmp_path / "x.zip"), "--max-size", "0"]) == 1
    assert "ArchiveLimitError" in capsys.readouterr().err
    assert main(["extract", str(tmp_path / "x.zip"), "--json"]) == 0
    assert (Path(json.loads(capsys.readouterr().out)["path"]) / "a" / "b.txt").exists()
