"""Refs and commits of a repository."""

from __future__ import annotations

from hfhub.api._refs import GitCommitInfo, GitRefs
from hfhub.api._wire import Wire, at, check_repo_id, check_repo_type, query


class HistoryPart(Wire):
    """Refs and commits."""

    def list_repo_refs(
        self,
        repo_id: str,
        *,
        repo_type: str | None = None,
        include_pull_requests: bool = False,
        token: str | bool | None = None,
    ) -> GitRefs:
        """Branches, tags and converted data of a repository.

        Args:
            repo_id: `namespace/name`.
            repo_type: "model" (when absent), "dataset" or "space".
            include_pull_requests: whether to ask for pull requests too.
            token: overrides the token of this object.

        Raises:
            RepositoryNotFoundError: and the other errors of `repo_info`.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        raw = self._get(
            f"/api/{kind}s/{repo_id}/refs",
            token=token,
            what=f"refs of {kind} {repo_id}",
            params=query(include_prs=1 if include_pull_requests else None),
            kind=kind,
            repo_id=repo_id,
        )
        return GitRefs.from_raw(raw, include_pull_requests)

    def list_repo_commits(
        self,
        repo_id: str,
        *,
        repo_type: str | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        formatted: bool = False,
    ) -> list[GitCommitInfo]:
        """Commits of a revision, the last one first.

        Args:
            repo_id: `namespace/name`.
            repo_type: "model" (when absent), "dataset" or "space".
            token: overrides the token of this object.
            revision: branch, tag or commit; `main` when absent.
            formatted: whether titles and messages come as HTML too.

        Raises:
            RevisionNotFoundError: no such revision; and the other errors of `repo_info`.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        pages = self._pages(
            f"/api/{kind}s/{repo_id}/commits/{at(revision, repo_id, kind)}",
            token=token,
            params=[("expand[]", "formatted")] if formatted else [],
            kind=kind,
            repo_id=repo_id,
            revision=revision,
        )
        return [GitCommitInfo.from_raw(raw) for page in pages for raw in page]
