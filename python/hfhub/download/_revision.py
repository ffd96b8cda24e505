"""A revision that is pinned to the commit it had when it was asked for."""

from __future__ import annotations

import os
from typing import Any

from _crucible.errors import HFValidationError, LocalEntryNotFoundError, RevisionResolutionError
from hfhub._client import kind
from hfhub.download._arguments import downloader


class ResolvedRevision(str):
    """A revision and the commit that it is; accepted wherever `revision=` is.

    As a text it is the revision that was asked for.

    Attributes:
        initial: the revision asked for, None for the default one.
        resolved: the commit.
    """

    initial: str | None
    resolved: str
    _repo_id: str | None
    _repo_type: str

    def __new__(
        cls, resolved: str, initial: str | None = None, repo_id: str | None = None, repo_type: str | None = None
    ) -> ResolvedRevision:
        """Makes one; `resolve_revision` asks the hub."""
        made = super().__new__(cls, "main" if initial is None else initial)
        made.initial = initial
        made.resolved = resolved
        made._repo_id = repo_id
        made._repo_type = kind(repo_type)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles its facts, not only its text."""
        return (type(self), (self.resolved, self.initial, self._repo_id, self._repo_type))

    def __repr__(self) -> str:
        """Both names."""
        return f"ResolvedRevision(initial={self.initial!r}, resolved={self.resolved!r})"


def _fits(revision: str, repo_id: str, repo_type: str | None) -> bool:
    home = getattr(revision, "_repo_id", None)
    return home is None or (home, getattr(revision, "_repo_type", None)) == (repo_id, kind(repo_type))


def pinned(revision: str | None, repo_id: str, repo_type: str | None) -> str | None:
    """The commit of a `ResolvedRevision` (ours or the official one) of this repository; other revisions as they are.

    Raises:
        HFValidationError: a repository id that is no text.
    """
    if not isinstance(repo_id, str):
        msg = f"a repository id must be a text, not {type(repo_id).__name__}: {repo_id!r}"
        raise HFValidationError(msg)
    resolved = getattr(revision, "resolved", None)
    if revision is None or not isinstance(resolved, str):
        return revision
    return resolved if _fits(revision, repo_id, repo_type) else str(revision)


def resolve_revision(
    repo_id: str,
    *,
    repo_type: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    endpoint: str | None = None,
) -> ResolvedRevision:
    """The commit of a branch, tag or other ref, to pin later calls to it: one request, none for a full commit.

    Args:
        repo_id: `namespace/name`.
        repo_type: "model" (when absent), "dataset" or "space".
        revision: branch, tag or commit; `main` when absent.
        cache_dir: the cache, which remembers the answer; `HF_HUB_CACHE` when absent.
        local_files_only: make no request.
        token: a token, True for the stored one, False for none.
        endpoint: address of the hub.

    Returns:
        A text equal to the revision asked for, with the commit as `.resolved`.

    Raises:
        RepositoryNotFoundError, GatedRepoError, RevisionNotFoundError: what is missing.
        RevisionResolutionError: the hub cannot be asked, and the cache does not know.
    """
    if isinstance(revision, ResolvedRevision):
        if _fits(revision, repo_id, repo_type):
            return revision
        revision = revision.initial
    asked = pinned(revision, repo_id, repo_type)
    native = downloader(endpoint=endpoint, token=token, cache_dir=cache_dir)
    try:
        commit = native.resolve_commit(kind(repo_type), repo_id, asked, local_files_only=local_files_only)
    except LocalEntryNotFoundError as error:
        failure = RevisionResolutionError(str(error))
        failure.repo_id, failure.revision = error.repo_id, error.revision
        raise failure from (error.__cause__ or error)
    return ResolvedRevision(commit, None if revision is None else str(revision), repo_id, repo_type)
