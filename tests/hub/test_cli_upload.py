"""`hfhub upload` and `hfhub repos` against a hub that can be written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from faulthub import FaultHub
from hfhub.cli import main

ID = "alice/data"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def hub(fault_hub: FaultHub, fault_env: Path, monkeypatch: pytest.MonkeyPatch) -> FaultHub:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    return fault_hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "local"
    (made / "sub").mkdir(parents=True)
    (made / "a.txt").write_text("a")
    (made / "sub" / "b.bin").write_bytes(b"\0" * 5000)
    return made


def printed(capsys: Capture, *words: str) -> Any:
    assert main([*words, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def files(hub: FaultHub, revision: str = "main", kind: str = "dataset") -> set[str]:
    commit = hub.repos[kind, ID].resolve(revision)
    assert commit is not None
    return set(commit.files) - {".gitattributes"}


def test_a_folder_makes_its_repository(hub: FaultHub, folder: Path, capsys: Capture) -> None:
    made = printed(capsys, "upload", ID, str(folder), "--private")
    assert files(hub) == {"a.txt", "sub/b.bin"}
    assert hub.repos["dataset", ID].access.private
    assert made["commit"] == hub.repos["dataset", ID].refs["refs/heads/main"]
    assert main(["upload", ID, str(folder), "in/it", "--exclude", "*.bin", "--commit-message", "more"]) == 0
    assert files(hub) == {"a.txt", "sub/b.bin", "in/it/a.txt"}
    assert f"{hub.url}/datasets/{ID}/commit/" in capsys.readouterr().out
    printed(capsys, "upload", ID, str(folder), "--include", "*.txt", "--delete", "sub/*", "in/*")
    assert files(hub) == {"a.txt"}


def test_files_branches_and_pull_requests(hub: FaultHub, folder: Path, capsys: Capture) -> None:
    printed(capsys, "upload", f"models/{ID}", str(folder / "a.txt"))
    printed(capsys, "upload", f"models/{ID}", str(folder / "a.txt"), "x/y.txt")
    printed(capsys, "upload", f"models/{ID}", str(folder / "a.txt"), "x/")
    assert files(hub, kind="model") == {"a.txt", "x/y.txt", "x/a.txt"}
    printed(capsys, "upload", ID, str(folder), "--revision", "dev")
    assert files(hub, "dev") == {"a.txt", "sub/b.bin"}
    made = printed(capsys, "upload", f"hf://datasets/{ID}/here", str(folder), "--create-pr")
    assert made["pr_url"].endswith("/discussions/1")
    assert files(hub, "refs/pr/1") == {"here/a.txt", "here/sub/b.bin"}
    assert files(hub) == set()


def test_misuse(hub: FaultHub, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["upload", ID, "/no/such/folder"]) == 2
    assert main(["upload", ID, str(folder / "a.txt"), "--include", "*"]) == 2
    assert main(["upload", f"hf://datasets/{ID}/x", str(folder), "y"]) == 2
    assert main(["upload", ID, str(folder), "--no-create"]) == 1
    assert "RepositoryNotFoundError" in capsys.readouterr().err
    assert not hub.repos
    monkeypatch.setenv("HF_TOKEN", "hf_bad")
    assert main(["upload", ID, str(folder)]) == 1
    assert "HF_TOKEN" in capsys.readouterr().err


def test_repositories(hub: FaultHub, capsys: Capture) -> None:
    made = printed(capsys, "repos", "create", ID, "--private")
    assert made["repo_id"] == ID
    assert main(["repos", "create", ID]) == 1
    assert main(["repos", "create", ID, "--exist-ok"]) == 0
    assert main(["repos", "branch", ID, "dev"]) == 0
    assert main(["repos", "tag", ID, "v1", "--revision", "dev", "-m", "first"]) == 0
    assert {"refs/heads/dev", "refs/tags/v1"} <= set(hub.repos["dataset", ID].refs)
    assert main(["repos", "branch", ID, "dev", "--delete"]) == 0
    assert main(["repos", "tag", ID, "v1", "--delete"]) == 0
    assert set(hub.repos["dataset", ID].refs) == {"refs/heads/main"}
    assert main(["repos", "move", ID, "alice/new"]) == 0
    capsys.readouterr()
    assert main(["repos", "delete", "alice/new", "--dry-run"]) == 0
    assert ("dataset", "alice/new") in hub.repos
    assert main(["repos", "delete", "alice/new"]) == 2  # no terminal to ask at
    capsys.readouterr()
    assert printed(capsys, "repos", "delete", "alice/new", "--yes") == {"deleted": ["alice/new"]}
    assert not hub.repos
    assert main(["repos", "delete", "alice/new", "--yes"]) == 1
    assert main(["repos", "delete", "alice/new", "--yes", "--missing-ok"]) == 0
