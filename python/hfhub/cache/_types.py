"""What a scan finds, with the official names. Sizes are bytes, times are seconds since 1970."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hfhub.cache._delete import DeleteCacheStrategy, plan_files, plan_revisions
from hfhub.cache._text import age_text, size_text
from hfhub.errors import CorruptedCacheException


@dataclass(frozen=True)
class CachedFileInfo:
    """A file of a snapshot.

    Attributes:
        file_name: its name, without folders.
        file_path: its path in the snapshot.
        blob_path: the repository's blob that it links to (itself perhaps a link into the shared store), or `file_path`
            where links are not possible.
        size_on_disk: bytes of the blob.
        blob_last_accessed: access time of the blob; how exact depends on the file system's mount options.
        blob_last_modified: modification time of the blob.
    """

    file_name: str
    file_path: Path
    blob_path: Path
    size_on_disk: int
    blob_last_accessed: float
    blob_last_modified: float

    @property
    def size_on_disk_str(self) -> str:
        """The size for people: `42.2K`."""
        return size_text(self.size_on_disk)

    @property
    def blob_last_accessed_str(self) -> str:
        """The age of the last access for people: `2 weeks ago`."""
        return age_text(self.blob_last_accessed)

    @property
    def blob_last_modified_str(self) -> str:
        """The age of the last change for people."""
        return age_text(self.blob_last_modified)


@dataclass(frozen=True)
class CachedRevisionInfo:
    """A snapshot.

    Attributes:
        commit_hash: name of the snapshot's folder.
        snapshot_path: that folder.
        size_on_disk: bytes of its blobs, each counted once.
        files: its files.
        refs: branches, tags and the like that point to it; none when it is detached.
        last_modified: the newest modification time of its blobs, or of the folder when it is empty.
    """

    commit_hash: str
    snapshot_path: Path
    size_on_disk: int
    files: frozenset[CachedFileInfo]
    refs: frozenset[str]
    last_modified: float

    @property
    def nb_files(self) -> int:
        """Number of files."""
        return len(self.files)

    @property
    def size_on_disk_str(self) -> str:
        """The size for people."""
        return size_text(self.size_on_disk)

    @property
    def last_modified_str(self) -> str:
        """The age of the last change for people."""
        return age_text(self.last_modified)


@dataclass(frozen=True)
class CachedRepoInfo:
    """A repository in the cache.

    Attributes:
        repo_id: `namespace/name`.
        repo_type: "dataset", "model", "space" or "kernel".
        repo_path: its folder.
        size_on_disk: bytes of its blobs, each counted once; blobs of the shared store too.
        nb_files: number of blobs that snapshots use.
        revisions: its snapshots.
        last_accessed: the newest access time of its blobs, or of the folder when there are none.
        last_modified: the newest modification time of its blobs, likewise.
    """

    repo_id: str
    repo_type: str
    repo_path: Path
    size_on_disk: int
    nb_files: int
    revisions: frozenset[CachedRevisionInfo]
    last_accessed: float
    last_modified: float

    @property
    def cache_id(self) -> str:
        """`type/namespace/name`."""
        return f"{self.repo_type}/{self.repo_id}"

    @property
    def refs(self) -> dict[str, CachedRevisionInfo]:
        """Snapshots by branch, tag and the like."""
        return {ref: revision for revision in self.revisions for ref in revision.refs}

    @property
    def size_on_disk_str(self) -> str:
        """The size for people."""
        return size_text(self.size_on_disk)

    @property
    def last_accessed_str(self) -> str:
        """The age of the last access for people."""
        return age_text(self.last_accessed)

    @property
    def last_modified_str(self) -> str:
        """The age of the last change for people."""
        return age_text(self.last_modified)


@dataclass(frozen=True)
class CachedIncompleteFileInfo:
    """What an interrupted or running download left in `blobs/`.

    Attributes:
        file_path: the `.incomplete` file.
        size_on_disk: its bytes.
    """

    file_path: Path
    size_on_disk: int


@dataclass(frozen=True)
class HFCacheInfo:
    """A scanned cache.

    Attributes:
        size_on_disk: bytes of all blobs, each counted once also when repositories share it; with blobs of the shared
            store that no repository uses any more.
        repos: the repositories that are in order.
        incomplete_files: what interrupted or running downloads left.
        warnings: why the others are not; they are left out of `repos`.
        cache_dir: the folder that was scanned.
    """

    size_on_disk: int
    repos: frozenset[CachedRepoInfo]
    incomplete_files: frozenset[CachedIncompleteFileInfo]
    warnings: list[CorruptedCacheException]
    cache_dir: Path | None = None

    @property
    def size_on_disk_str(self) -> str:
        """The size for people."""
        return size_text(self.size_on_disk)

    @property
    def incomplete_size_on_disk(self) -> int:
        """Bytes of all incomplete files."""
        return sum(file.size_on_disk for file in self.incomplete_files)

    def delete_revisions(self, *revisions: str) -> DeleteCacheStrategy:
        """Plans the deletion of snapshots; nothing is deleted before `execute()`.

        A blob goes when no snapshot that stays links to it, a repository when none of its snapshots stays.

        Args:
            *revisions: full commits. One that is not cached is logged and otherwise ignored.
        """
        wanted = set(revisions)
        chosen = {
            repo: found
            for repo in self.repos
            if (found := {revision for revision in repo.revisions if revision.commit_hash in wanted})
        }
        return plan_revisions(chosen, wanted, self.cache_dir)

    def delete_files(self, *files: CachedFileInfo) -> DeleteCacheStrategy:
        """Plans the deletion of single files; nothing is deleted before `execute()`.

        A blob goes when no other file links to it. Refs and snapshot folders stay.

        Args:
            *files: files of this scan.
        """
        chosen = set(files)
        kept = {
            file.blob_path
            for repo in self.repos
            for revision in repo.revisions
            for file in revision.files
            if file not in chosen
        }
        return plan_files(chosen, kept, self.cache_dir)

    def export_as_table(self, *, verbosity: int = 0) -> str:
        """The scan as an aligned table.

        Args:
            verbosity: 0 for a line a repository, 1 for a line a snapshot.
        """
        repos = sorted(self.repos, key=lambda repo: repo.repo_path)
        head = ["REPO ID", "REPO TYPE", "SIZE ON DISK", "NB FILES"]
        if verbosity == 0:
            head += ["LAST_ACCESSED", "LAST_MODIFIED", "REFS", "LOCAL PATH"]
            return _table(
                head,
                (
                    [
                        repo.repo_id,
                        repo.repo_type,
                        f"{repo.size_on_disk_str:>12}",
                        repo.nb_files,
                        repo.last_accessed_str,
                        repo.last_modified_str,
                        ", ".join(sorted(repo.refs)),
                        repo.repo_path,
                    ]
                    for repo in repos
                ),
            )
        head[2:2] = ["REVISION"]
        head += ["LAST_MODIFIED", "REFS", "LOCAL PATH"]
        return _table(
            head,
            (
                [
                    repo.repo_id,
                    repo.repo_type,
                    revision.commit_hash,
                    f"{revision.size_on_disk_str:>12}",
                    revision.nb_files,
                    revision.last_modified_str,
                    ", ".join(sorted(revision.refs)),
                    revision.snapshot_path,
                ]
                for repo in repos
                for revision in sorted(repo.revisions, key=lambda revision: revision.commit_hash)
            ),
        )


def _table(head: list[str], rows: Iterable[list[object]]) -> str:
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *texts, strict=True)]
    lines = [head, ["-" * width for width in widths], *texts]
    return "\n".join(
        " ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
