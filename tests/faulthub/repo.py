"""Repositories with real git ids: blobs, trees, commits, refs, large files as LFS pointers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path
from typing import Any

LARGE = ("*.bin", "*.parquet", "*.safetensors", "*.zip", "*.gz", "*.tar", "*.arrow", "*.npy")
START = datetime(2024, 1, 1, tzinfo=UTC)
PLURAL = {"model": "models", "dataset": "datasets", "space": "spaces"}


def git_hash(kind: str, data: bytes) -> str:
    """The id that git gives an object."""
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()


@dataclass(frozen=True)
class Blob:
    """The content of a file: in git, or behind an LFS pointer."""

    data: bytes = field(repr=False)
    lfs: bool
    sha256: str
    oid: str
    pointer: bytes

    @classmethod
    def of(cls, data: bytes, *, lfs: bool) -> Blob:
        """Hashes the content."""
        sha256 = hashlib.sha256(data).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(data)}\n".encode()
        return cls(data, lfs, sha256, git_hash("blob", pointer if lfs else data), pointer)

    @property
    def etag(self) -> str:
        """What the hub names it by: sha256 of large files, the git id of others."""
        return self.sha256 if self.lfs else self.oid

    @property
    def xet_hash(self) -> str:
        """A stand-in of the right form."""
        return hashlib.sha256(b"xet" + self.data).hexdigest()


@dataclass(frozen=True)
class Commit:
    """A commit with all its files."""

    id: str
    parent: str | None
    message: str
    date: datetime
    files: dict[str, Blob]
    folders: dict[str, str]
    """Folder to tree id; the root is ''."""


def tree_ids(files: Mapping[str, Blob]) -> dict[str, str]:
    """The git tree id of each folder, the root as ''."""
    children: dict[str, dict[str, tuple[bytes, str]]] = {"": {}}
    for path, blob in files.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            children.setdefault("/".join(parts[:depth]), {})
        children["/".join(parts[:-1])][parts[-1]] = (b"100644", blob.oid)
    ids: dict[str, str] = {}
    for folder in sorted(children, key=lambda f: -f.count("/") - (f != "")):
        entries = sorted(children[folder].items(), key=lambda e: e[0] + ("/" if e[1][0] == b"40000" else ""))
        data = b"".join(mode + b" " + name.encode() + b"\0" + bytes.fromhex(oid) for name, (mode, oid) in entries)
        ids[folder] = git_hash("tree", data)
        if folder:
            parent, _, name = folder.rpartition("/")
            children[parent][name] = (b"40000", ids[folder])
    return ids


@dataclass
class Repository:
    """A repository: `commit` adds to a branch, `tag` and `pull_request` name commits."""

    kind: str
    id: str
    access: Any = None
    card: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    downloads: int = 0
    likes: int = 0
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    """Full names: refs/heads/main, refs/tags/v1, refs/pr/1, refs/convert/parquet."""
    store: dict[str, Blob] = field(default_factory=dict)
    """The large files by their sha256, those that no commit has yet among them."""

    @property
    def key(self) -> str:
        """`datasets/org/name`."""
        return f"{PLURAL[self.kind]}/{self.id}"

    def commit(
        self,
        files: Mapping[str, bytes | None],
        ref: str = "main",
        *,
        message: str = "commit",
        lfs: Iterable[str] = LARGE,
        orphan: bool = False,
    ) -> str:
        """Adds a commit to a branch (or full ref name). None deletes a file. Returns the commit's id."""
        name = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
        parent = None if orphan else self.refs.get(name) or self.refs.get("refs/heads/main")
        content = dict(self.commits[parent].files) if parent else {}
        patterns = tuple(lfs)
        for path, data in files.items():
            if data is None:
                content.pop(path, None)
            else:
                content[path] = Blob.of(data, lfs=any(fnmatch(path, p) for p in patterns))
        made = self.next_commit(content, parent, message)
        self.add(made, name)
        return made.id

    def next_commit(self, content: dict[str, Blob], parent: str | None, message: str) -> Commit:
        """The commit that would hold these files, not yet in the repository."""
        folders = tree_ids(content)
        date = START + timedelta(minutes=len(self.commits))
        lines = [f"tree {folders['']}", *([f"parent {parent}"] if parent else [])]
        who = f"tester <t@example.invalid> {int(date.timestamp())} +0000"
        text = "\n".join([*lines, f"author {who}", f"committer {who}", "", message, ""])
        return Commit(git_hash("commit", text.encode()), parent, message, date, content, folders)

    def add(self, commit: Commit, ref: str) -> None:
        """Puts a commit at a ref (its full name)."""
        self.commits[commit.id] = commit
        self.store.update({blob.sha256: blob for blob in commit.files.values() if blob.lfs})
        self.refs[ref] = commit.id

    def commit_folder(self, folder: Path, ref: str = "main") -> str:
        """A commit of all files below a folder."""
        return self.commit(
            {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}, ref
        )

    def tag(self, name: str, commit: str | None = None) -> None:
        """Names a commit (that of `main` when absent)."""
        self.refs[f"refs/tags/{name}"] = commit or self.refs["refs/heads/main"]

    def branch(self, name: str, commit: str | None = None) -> None:
        """Starts a branch."""
        self.refs[f"refs/heads/{name}"] = commit or self.refs["refs/heads/main"]

    def resolve(self, revision: str) -> Commit | None:
        """The commit of a branch, tag, full ref name, or (at least 7 digits of) an id."""
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if name in self.refs:
                return self.commits[self.refs[name]]
        if len(revision) >= 7:
            found = [c for c in self.commits.values() if c.id.startswith(revision)]
            if len(found) == 1:
                return found[0]
        return None

    def history(self, commit: Commit) -> list[Commit]:
        """The commit and its ancestors, newest first."""
        line = [commit]
        while line[-1].parent:
            line.append(self.commits[line[-1].parent])
        return line

    def last_change(self, commit: Commit, path: str) -> Commit:
        """The commit that brought a path to what it is."""
        line = self.history(commit)

        def state(c: Commit) -> str | None:
            return c.files[path].oid if path in c.files else c.folders.get(path)

        for newer, older in pairwise(line):
            if state(newer) != state(older):
                return newer
        return line[-1]
