"""The cache on disk as it is documented: every path, mode, link and byte, and who can read it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cachefuzz.hub import Hub
from cachefuzz.trees import dump

FOLDER = "datasets--org--ds"
FILES = ("README.md", "data/deep/er/large.bin")

SCRIPT = """
import json, os, sys
from hfhub import hf_hub_download, snapshot_download
from hfhub.errors import EntryNotFoundError
cache, umask, user, steps = json.loads(sys.argv[1])
os.umask(umask)
if user is not None:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
found = []
for step in steps:
    options = {"repo_type": "dataset", "cache_dir": cache, "revision": step.get("revision")}
    options |= {"local_files_only": step.get("local", False)}
    try:
        if "file" in step:
            found.append(hf_hub_download("org/ds", step["file"], **options))
        else:
            found.append(snapshot_download("org/ds", **options))
        open(found[-1] if "file" in step else f"{found[-1]}/README.md", "rb").read()
    except EntryNotFoundError:
        found.append("missing")
    except OSError as error:
        found.append(str(error))
print(json.dumps(found))
"""
TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by huggingface_hub.\n"
    "# For information about cache directory tags, see:\n#\thttps://bford.info/cachedir/\n"
)


@pytest.fixture
def history() -> Iterator[Hub]:
    with Hub() as running:
        yield running


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach; those of pytest are private."""
    folder = Path(tempfile.mkdtemp(prefix="golden-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def run(hub: Hub, cache: Path, umask: int, *steps: dict[str, Any], user: int | None = None) -> list[str]:
    """Does the steps in a fresh process with this umask, as this user (who may have no right to start a
    Python, so it becomes that user after the imports). Returns their results."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([str(cache), umask, user, steps])],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(cache.parent / "home"),
            "HOME": str(cache.parent),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: list[str] = json.loads(done.stdout)
    return answer


def listing(hub: Hub, commit: str) -> str:
    """`trees/<commit>.json`, written by hand."""
    files: dict[str, dict[str, Any]] = {}
    for path, file in sorted(hub.repos["datasets/org/ds"].commits[commit].items()):
        files[path] = {"size": len(file.data), "blob_id": file.oid}
        if file.lfs:
            files[path] |= {"lfs_sha256": file.sha256, "lfs_size": len(file.data)}
    return json.dumps({"format_version": 1, "files": files}, indent=1)


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_every_path_mode_and_byte(history: Hub, tmp_path: Path, umask: int) -> None:
    cache = tmp_path / "cache"
    steps = [
        {"file": FILES[0]},
        {"file": FILES[1]},
        {"file": "nope/no.txt"},
        {"file": FILES[0], "revision": "refs/pr/1"},
    ]
    assert run(history, cache, umask, *steps)[2] == "missing"
    dataset = history.repos["datasets/org/ds"]
    commit, pr = dataset.mains[0], dataset.fixed["refs/pr/1"]
    assert commit != pr
    small, large = (dataset.commits[commit][name] for name in FILES)
    other = dataset.commits[pr][FILES[0]]
    directory = {"kind": "folder", "mode": f"{0o777 & ~umask:o}"}

    def file(data: bytes, mode: int = 0o666 & ~umask) -> dict[str, str]:
        return {"kind": "file", "mode": f"{mode:o}", "content": repr(data)}

    def link(target: str) -> dict[str, str]:
        return {"kind": "link", "content": target}

    folders = [".locks", f".locks/{FOLDER}", FOLDER]
    below = ["blobs", "refs", "refs/refs", "refs/refs/pr", "snapshots", ".no_exist", f".no_exist/{commit}"]
    below += [f".no_exist/{commit}/nope", f"snapshots/{pr}"]
    below += [f"snapshots/{commit}{more}" for more in ("", "/data", "/data/deep", "/data/deep/er")]
    expected = dict.fromkeys([*folders, *(f"{FOLDER}/{name}" for name in below)], directory)
    expected["CACHEDIR.TAG"] = file(TAG.encode())
    for blob in (small, large, other):
        expected[f"{FOLDER}/blobs/{blob.etag}"] = file(blob.data)
        expected[f".locks/{FOLDER}/{blob.etag}.lock"] = file(b"", 0o664)
    expected |= {
        f"{FOLDER}/refs/main": file(commit.encode()),
        f"{FOLDER}/refs/refs/pr/1": file(pr.encode()),
        f"{FOLDER}/snapshots/{commit}/README.md": link(f"../../blobs/{small.oid}"),
        f"{FOLDER}/snapshots/{commit}/{FILES[1]}": link(f"../../../../../blobs/{large.sha256}"),
        f"{FOLDER}/snapshots/{pr}/README.md": link(f"../../blobs/{other.oid}"),
        f"{FOLDER}/.no_exist/{commit}/nope/no.txt": file(b""),
    }
    assert dump(cache) == expected


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_snapshot_leaves_its_listing(history: Hub, tmp_path: Path, umask: int) -> None:
    cache = tmp_path / "cache"
    run(history, cache, umask, {})
    commit = history.repos["datasets/org/ds"].mains[0]
    tree = cache / FOLDER / "trees" / f"{commit}.json"
    assert tree.read_text() == listing(history, commit)
    assert tree.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two users")
@pytest.mark.parametrize("umask", [0o022, 0o002])
def test_another_user_reads_the_cache_without_a_request(history: Hub, open_folder: Path, umask: int) -> None:
    """The cache cannot be written by the second user: hits write nothing, and what is asked of the hub is only a ref."""
    cache = open_folder / "cache"
    commit = history.repos["datasets/org/ds"].mains[0]
    first = run(history, cache, umask, {}, {"file": FILES[0]})
    before = dump(cache)
    times = {path: path.lstat().st_mtime_ns for path in cache.rglob("*")}
    history.log.clear()
    pinned = [{"revision": commit}, {"revision": commit, "file": FILES[0]}, {"local": True}]
    assert run(history, cache, 0o077, *pinned, user=65534) == [*first, first[0]]
    assert history.log == []
    assert run(history, cache, 0o077, {}, {"file": FILES[1]}, user=65534)[0] == first[0]
    assert {method for method, _, _ in history.log} <= {"GET", "HEAD"}
    assert not [target for _, target, _ in history.log if "/tree/" in target or "/cdn/" in target]
    assert dump(cache) == before
    assert {path: path.lstat().st_mtime_ns for path in cache.rglob("*")} == times


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_new_commit_of_known_files_needs_a_writable_cache_and_says_so(history: Hub, open_folder: Path) -> None:
    cache = open_folder / "cache"
    run(history, cache, 0o022, {})
    history.advance("datasets/org/ds")
    (said,) = run(history, cache, 0o022, {"file": "README.md"}, user=65534)
    assert "Permission denied" in said
    assert str(cache) in said
