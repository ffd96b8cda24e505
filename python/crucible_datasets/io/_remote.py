"""Files of a hub repository: listed, downloaded, or opened for streaming."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from _crucible._native import HubClient, Source
from _crucible._settings import datasets_offline
from crucible_datasets.io._files import LocalFile
from hfhub._client import client


class FileFacts(NamedTuple):
    """What a listing says of a file.

    Attributes:
        size: bytes.
        etag: the name of its content: a hash.
    """

    size: int | None
    etag: str | None


def _facts(entry: dict[str, Any]) -> FileFacts:
    large = entry.get("lfs") or {}
    return FileFacts(large.get("size", entry.get("size")), large.get("oid") or entry.get("oid"))


class RemoteFiles:
    """A dataset repository at one commit.

    Args:
        repo_id: `namespace/name`.
        revision: branch, tag or commit; `main` when absent.
        token: a token, True for the stored one, False for none.

    Raises:
        RepositoryNotFoundError, RevisionNotFoundError, GatedRepoError, HubConnectionError, LocalEntryNotFoundError
    """

    def __init__(self, repo_id: str, revision: str | None = None, token: str | bool | None = None) -> None:
        self.repo_id = repo_id
        self.client: HubClient = client(token=token, offline=datasets_offline())
        pinned = getattr(revision, "resolved", revision)  # of a `ResolvedRevision`
        self.commit = self.client.resolve_commit("dataset", repo_id, pinned)

    def paths(self) -> dict[str, str]:
        """All files and the names of their blobs. The listing of a commit is cached."""
        return {path: facts.etag or "" for path, facts in self.facts.items()}

    @cached_property
    def facts(self) -> dict[str, FileFacts]:
        """What the listing says of the files."""
        entries = json.loads(self.client.list_tree("dataset", self.repo_id, self.commit))
        return {e["path"]: _facts(e) for e in entries if e.get("type") != "directory"}

    def text(self, path: str) -> str | None:
        """A small text file, None if there is none."""
        return self.client.read_text("dataset", self.repo_id, path, self.commit)

    def download(self, paths: Sequence[str], *, force: bool = False) -> list[LocalFile]:
        """Brings files into the cache.

        Args:
            paths: in the repository.
            force: whether to download what is there too.
        """
        if force:
            for path in dict.fromkeys(paths):
                self.client.download_file("dataset", self.repo_id, path, self.commit, force=True)
        local = self.client.download_files("dataset", self.repo_id, list(paths), self.commit)
        return [LocalFile.of(path) for path in local]

    def source(self, path: str) -> Source:
        """A file for streaming."""
        return Source.hub(self.client, "dataset", self.repo_id, path, self.commit)
