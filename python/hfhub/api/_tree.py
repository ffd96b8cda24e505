"""Listings of a repository's files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from hfhub.api._files import RepoFile, RepoFolder, entry_of
from hfhub.api._wire import Wire, at, check_repo_id, check_repo_type, decoded, query, segment
from hfhub.download._revision import pinned

_COMMIT = re.compile(r"[0-9a-f]{40}")
# The Hub refuses about 1,000 parameters ("too many parameters"); the official client's own batches have 500.
_PATHS_AT_ONCE = 500


class TreePart(Wire):
    """Listings of files."""

    def list_repo_tree(
        self,
        repo_id: str,
        path_in_repo: str | None = None,
        *,
        recursive: bool = False,
        expand: bool = False,
        revision: str | None = None,
        repo_type: str | None = None,
        token: str | bool | None = None,
    ) -> Iterator[RepoFile | RepoFolder]:
        """Files and folders of a repository. Pages are asked for while the iterator is read.

        Args:
            repo_id: `namespace/name`.
            path_in_repo: folder to list; the root when absent.
            recursive: whether to descend.
            expand: whether to ask for the last commit and the scanners' findings of each entry. The Hub then answers
                50 entries a page in place of 1,000.
            revision: branch, tag or commit; `main` when absent.
            repo_type: "model" (when absent), "dataset" or "space".
            token: overrides the token of this object.

        Yields:
            `RepoFile` and `RepoFolder`, in the hub's order.

        Raises:
            RemoteEntryNotFoundError: no such folder; and as `repo_info`.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        folder = f"/{segment(path_in_repo)}" if path_in_repo else ""
        pages = self._pages(
            f"/api/{kind}s/{repo_id}/tree/{at(revision, repo_id, kind)}{folder}",
            token=token,
            params=query(recursive=recursive, expand=expand),
            kind=kind,
            repo_id=repo_id,
            revision=revision,
        )
        return (entry_of(raw) for page in pages for raw in page)

    def list_repo_files(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        repo_type: str | None = None,
        token: str | bool | None = None,
    ) -> list[str]:
        """Paths of all files of a repository.

        The listing of a full commit is read from the cache where a download left it, and left there for the next.

        Args:
            repo_id: `namespace/name`.
            revision: branch, tag or commit; `main` when absent.
            repo_type: "model" (when absent), "dataset" or "space".
            token: overrides the token of this object.

        Raises:
            RepositoryNotFoundError: and the other errors of `repo_info`.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        commit = pinned(revision, repo_id, kind)
        if commit is not None and _COMMIT.fullmatch(commit) and not self.headers:
            entries = json.loads(self._client(token).list_tree(kind, repo_id, commit, None, True, False))
            return [raw["path"] for raw in entries if raw.get("type") != "directory"]
        pages = self._pages(
            f"/api/{kind}s/{repo_id}/tree/{at(revision, repo_id, kind)}",
            token=token,
            params=query(recursive=True, expand=False),
            kind=kind,
            repo_id=repo_id,
            revision=revision,
        )
        return [raw["path"] for page in pages for raw in page if raw.get("type") != "directory"]

    def get_paths_info(
        self,
        repo_id: str,
        paths: Iterable[str] | str,
        *,
        expand: bool = False,
        revision: str | None = None,
        repo_type: str | None = None,
        token: str | bool | None = None,
    ) -> list[RepoFile | RepoFolder]:
        """What is known of some paths of a repository; paths that it lacks are left out.

        Any number of paths may be asked for: they go out in groups that the Hub accepts.

        Args:
            repo_id: `namespace/name`.
            paths: a path or several.
            expand: whether to ask for the last commit and the scanners' findings.
            revision: branch, tag or commit; `main` when absent.
            repo_type: "model" (when absent), "dataset" or "space".
            token: overrides the token of this object.

        Raises:
            RepositoryNotFoundError: and the other errors of `repo_info`.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        wanted = [paths] if isinstance(paths, str) else list(paths)
        found: list[RepoFile | RepoFolder] = []
        # No path is one question too: whether the repository and the revision are there.
        for start in range(0, len(wanted) or 1, _PATHS_AT_ONCE):
            answer = self._send(
                "POST",
                f"/api/{kind}s/{repo_id}/paths-info/{at(revision, repo_id, kind)}",
                token=token,
                form=query(paths=wanted[start : start + _PATHS_AT_ONCE], expand=expand),
                kind=kind,
                repo_id=repo_id,
                revision=revision,
            )
            found += [entry_of(raw) for raw in decoded(answer.content, f"paths of {kind} {repo_id}")]
        return found
