"""`verify_repo_checksums`, its command, and repairs of a `local_dir`: against the official client."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from hfhub import HfApi, HubServer, hf_hub_download, snapshot_download, verify_cache, verify_repo_checksums
from hfhub.cli import main
from hfhub.errors import HFValidationError, HubConnectionError, RepositoryNotFoundError, RevisionNotFoundError

pytestmark = pytest.mark.usefixtures("hf_env")

REPO: dict[str, Any] = {"repo_id": "org/small", "repo_type": "dataset"}


def both(hub: HubServer, **more: Any) -> dict[str, Any]:
    """What ours says, which is what the official client says."""
    mine = dataclasses.asdict(verify_repo_checksums(**REPO, **more))
    assert mine == dataclasses.asdict(huggingface_hub.HfApi(endpoint=hub.url).verify_repo_checksums(**REPO, **more))
    assert mine == dataclasses.asdict(HfApi(endpoint=hub.url).verify_repo_checksums(**REPO, **more))
    return mine


def damage(folder: Path) -> None:
    """Changes a small and a large file, removes one, adds two, one of which never counts."""
    for name in ("README.md", "data/big.bin"):
        path = (folder / name).resolve()
        path.chmod(0o644)
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    (folder / "extra.txt").write_text("mine")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("")


@pytest.mark.parametrize("where", ["cache", "local"])
def test_as_the_official_client(hub: HubServer, tmp_path: Path, where: str) -> None:
    place: dict[str, Any] = {"cache_dir" if where == "cache" else "local_dir": tmp_path / where}
    folder = Path(snapshot_download(**REPO, **place))
    good = {name: (folder / name).read_bytes() for name in ("README.md", "data/big.bin")}
    clean = both(hub, **place)
    assert (clean["checked_count"], clean["mismatches"], clean["missing_paths"], clean["extra_paths"]) == (
        3,
        [],
        [],
        [],
    )
    damage(folder)
    other = next(
        p for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).as_posix() in set(_listed()) - set(good)
    )
    other.unlink()
    found = both(hub, **place)
    assert [m["path"] for m in found["mismatches"]] == ["README.md", "data/big.bin"]
    assert [m["algorithm"] for m in found["mismatches"]] == ["git-sha1", "sha256"]
    assert (found["missing_paths"], found["extra_paths"]) == ([other.relative_to(folder).as_posix()], ["extra.txt"])
    repaired = verify_repo_checksums(**REPO, **place, repair=True)
    assert (repaired.mismatches, repaired.extra_paths) == ([], ["extra.txt"])
    assert {name: (folder / name).read_bytes() for name in good} == good
    assert not other.exists()


def _listed() -> list[str]:
    return HfApi().list_repo_files("org/small", repo_type="dataset")


def test_a_repair_never_brings_wrong_bytes(hub: HubServer, tmp_path: Path) -> None:
    folder = Path(snapshot_download(**REPO, local_dir=tmp_path / "local"))
    damage(folder)
    bad = (folder / "data/big.bin").read_bytes()
    hub.add_fault(json.dumps({"path": "big.bin", "method": "GET", "action": "corrupt"}))
    for repair in (verify_cache, verify_repo_checksums):
        with pytest.raises(OSError, match="wrong bytes"):
            repair(**REPO, local_dir=folder, repair=True)
        assert (folder / "data/big.bin").read_bytes() == bad
        assert not verify_cache(local_dir=folder).ok


def test_a_local_dir_is_repaired_by_its_notes(hub: HubServer, hub_root: Path, tmp_path: Path) -> None:
    folder = Path(snapshot_download(**REPO, local_dir=tmp_path / "local"))
    good = {name: (folder / name).read_bytes() for name in ("README.md", "data/big.bin")}
    damage(folder)
    (hub_root / "datasets/org/small/new.txt").write_text("main moved on")
    with pytest.raises(HFValidationError, match="repo_id"):
        verify_cache(local_dir=folder, repair=True)
    hub.clear_requests()
    report = verify_cache(**REPO, local_dir=folder, repair=True)
    assert (report.ok, sorted(bad.path.name for bad in report.repaired)) == (True, ["README.md", "big.bin"])
    assert {name: (folder / name).read_bytes() for name in good} == good
    assert (folder / "extra.txt").read_text() == "mine"
    assert not (folder / "new.txt").exists()


def test_without_a_network_by_the_cached_listing(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = Path(snapshot_download(**REPO))
    online = verify_repo_checksums(**REPO)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert verify_repo_checksums(**REPO) == online
    damage(folder)
    assert [m["path"] for m in verify_repo_checksums(**REPO).mismatches] == ["README.md", "data/big.bin"]
    for listing in (folder.parent.parent / "trees").iterdir():
        listing.unlink()
    with pytest.raises(OSError, match=r"(?i)offline"):
        verify_repo_checksums(**REPO)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(HubConnectionError):
        verify_repo_checksums(**REPO, endpoint="http://127.0.0.1:9")


def test_errors(hub: HubServer, tmp_path: Path) -> None:
    hf_hub_download(filename="README.md", **REPO)
    wrong: list[dict[str, Any]] = [
        {"local_dir": tmp_path / "none"},
        {"local_dir": tmp_path, "cache_dir": tmp_path},
        {"revision": "v9"},
        {"revision": "0" * 40},
    ]
    for more in wrong:
        with pytest.raises(HFValidationError) as caught:
            verify_repo_checksums(**REPO, **more)
        assert isinstance(caught.value, ValueError)
        with pytest.raises(ValueError):  # noqa: PT011  # each has its own text
            huggingface_hub.HfApi(endpoint=hub.url).verify_repo_checksums(**REPO, **more)
    with pytest.raises(HFValidationError, match="not in the cache"):
        verify_repo_checksums("org/other")
    with pytest.raises(RepositoryNotFoundError):
        verify_repo_checksums("org/other", local_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        verify_repo_checksums(**REPO, local_dir=tmp_path, revision="v9")


def test_the_command(hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(snapshot_download(**REPO, local_dir=tmp_path / "local"))
    words = ["cache", "verify", "org/small", "--type", "dataset", "--local-dir", str(folder)]
    assert main([*words, "--remote"]) == 0
    assert "the same on both sides" in capsys.readouterr().out
    (folder / "extra.txt").write_text("mine")
    assert main([*words, "--remote", "--fail-on-missing-files"]) == 0
    assert main([*words, "--fail-on-extra-files"]) == 1
    assert "not on the hub: extra.txt" in capsys.readouterr().out
    (folder / "extra.txt").unlink()
    (folder / "README.md").unlink()
    assert main([*words, "--fail-on-extra-files", "--json"]) == 1  # the notes of the download promise it
    facts = json.loads(capsys.readouterr().out)
    assert facts["remote"]["missing_paths"] == ["README.md"]
    assert [bad["reason"] for bad in facts["bad"]] == ["missing"]
    assert main([*words, "--repair", "--fail-on-missing-files"]) == 0
    assert (folder / "README.md").read_text() == "# small\n"
    for bad in (["--remote"], ["--repair", "--local-dir", str(folder)], ["--local-dir", "a", "--cache-dir", "b"]):
        assert main(["cache", "verify", *bad]) == 2
