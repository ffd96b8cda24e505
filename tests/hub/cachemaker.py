"""Makes caches on disk without a hub: in order, shared, broken, left by older clients."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any


def commit(number: int) -> str:
    return hashlib.sha1(str(number).encode()).hexdigest()


class Repo:
    """One repository folder."""

    def __init__(self, cache: Path, folder: str) -> None:
        self.path = cache / folder
        (self.path / "snapshots").mkdir(parents=True, exist_ok=True)

    def blob(self, content: bytes, used: float | None = None) -> Path:
        path = self.path / "blobs" / hashlib.sha256(content).hexdigest()
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        if used is not None:
            os.utime(path, (used, used))
        return path

    def link(self, revision: str, name: str, blob: Path) -> Path:
        pointer = self.path / "snapshots" / revision / name
        pointer.parent.mkdir(parents=True, exist_ok=True)
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
        return pointer

    def add(self, revision: str, name: str, content: bytes, used: float | None = None) -> Path:
        return self.link(revision, name, self.blob(content, used))

    def ref(self, name: str, revision: str) -> None:
        path = self.path / "refs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(revision)


class Store:
    """The shared store of a cache, as the official client lays it out."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.path = cache / "blobs"
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / ".huggingface-shared-blobs").write_text("1\n")

    def payload(self, content: bytes, *blobs: tuple[Repo, str], listed: bool = True) -> Path:
        """Puts a payload, and links to it under the given etags of repositories."""
        name = hashlib.sha256(b"xet" + content).hexdigest()
        path = self.path / name[:2] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        lines = ""
        for repo, etag in blobs:
            blob = repo.path / "blobs" / etag
            blob.parent.mkdir(exist_ok=True)
            blob.symlink_to(os.path.relpath(path, blob.parent))
            lines += f"{blob.relative_to(self.cache).as_posix()}\n"
        if listed:
            path.with_name(f"{name}.refs").write_text(lines)
        return path


def tree(root: Path) -> dict[str, Any]:
    """Every path below a folder with its content or link target."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_file():
            found[name] = path.read_bytes()
        else:
            found[name] = "folder"
    return found


def make_mixed(cache: Path) -> None:
    """Everything that a scan must get right or warn about."""
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    (cache / ".locks" / "datasets--a--one").mkdir(parents=True)
    (cache / ".DS_Store").write_text("")
    one = Repo(cache, "datasets--a--one")
    one.add(commit(1), "README.md", b"one")
    one.add(commit(1), "deep/er/data.bin", b"x" * 100)
    same = one.add(commit(2), "README.md", b"one")
    one.add(commit(2), "new.txt", b"new!")
    one.link(commit(2), "copy-of-readme", same.resolve())
    one.ref("main", commit(2))
    one.ref("refs/pr/1", commit(2))
    one.ref("v1", commit(1))
    (one.path / "snapshots" / commit(3)).mkdir()
    (one.path / "refs" / ".DS_Store").write_text("")
    (one.path / "blobs" / "abc.incomplete").write_bytes(b"0.36")
    (one.path / "blobs" / "abc.0a1b2c3d.incomplete").write_bytes(b"2.4 unfinished")
    model = Repo(cache, "models--gpt2")
    model.add(commit(4), "config.json", b"{}")
    no_links = Repo(cache, "spaces--a--no--links")
    plain = no_links.path / "snapshots" / commit(5) / "app.py"
    plain.parent.mkdir()
    plain.write_text("print()")
    no_links.ref("main", commit(5))
    Repo(cache, "datasets--a--empty")
    store = Store(cache)
    two, three = Repo(cache, "datasets--b--two"), Repo(cache, "models--b--three")
    store.payload(b"s" * 1000, (two, "e1"), (three, "e2"))
    two.link(commit(6), "big.bin", two.path / "blobs" / "e1")
    two.ref("main", commit(6))
    three.link(commit(7), "weights/big.bin", three.path / "blobs" / "e2")
    three.add(commit(7), "small", b"small")
    store.payload(b"orphan")
    store.payload(b"unlisted", listed=False)
    # Not in order:
    (cache / "file-at-root").write_text("?")
    (cache / "nodashes").mkdir()
    (cache / "things--a--b").mkdir()
    (cache / "datasets--no--snapshots").mkdir()
    Repo(cache, "datasets--dangling--ref").ref("main", commit(8))
    broken = Repo(cache, "datasets--broken--link")
    broken.link(commit(9), "gone.txt", broken.path / "blobs" / "gone")
    stray = Repo(cache, "datasets--file--among-snapshots")
    (stray.path / "snapshots" / "stray").write_text("")
    empty_ref = Repo(cache, "datasets--empty--ref")
    empty_ref.add(commit(10), "a", b"a")
    empty_ref.ref("main", "")
    file_refs = Repo(cache, "datasets--refs--file")
    (file_refs.path / "refs").write_text("")


def copy(cache: Path, to: Path) -> Path:
    """An equal cache, links as links, times kept."""
    shutil.copytree(cache, to, symlinks=True)
    return to
