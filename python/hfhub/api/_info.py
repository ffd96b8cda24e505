"""Info of repositories."""

from __future__ import annotations

from typing import Any, TypeVar

from _crucible.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from hfhub.api._repos import DatasetInfo, ModelInfo, RepoInfo, SpaceInfo
from hfhub.api._wire import Wire, at, check_repo_id, check_repo_type, query

_Info = TypeVar("_Info", bound=RepoInfo)


class InfoPart(Wire):
    """Info of repositories, and whether they exist."""

    def _info(
        self,
        cls: type[_Info],
        kind: str,
        repo_id: str,
        revision: str | None,
        timeout: float | None,
        token: str | bool | None,
        asked: dict[str, Any],
    ) -> _Info:
        check_repo_id(repo_id)
        where = "" if revision is None else f"/revision/{at(revision, repo_id, kind)}"
        raw = self._get(
            f"/api/{kind}s/{repo_id}{where}",
            token=token,
            what=f"{kind} {repo_id}",
            params=query(**asked),
            timeout=timeout,
            kind=kind,
            repo_id=repo_id,
            revision=revision,
        )
        return cls(**raw)

    def dataset_info(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        timeout: float | None = None,
        files_metadata: bool = False,
        expand: list[str] | str | None = None,
        token: str | bool | None = None,
    ) -> DatasetInfo:
        """Info of a dataset at a revision.

        Args:
            repo_id: `namespace/name`.
            revision: branch, tag or commit; `main` when absent.
            timeout: seconds for one try.
            files_metadata: whether `siblings` have sizes and hashes.
            expand: names of the fields to answer with; excludes `files_metadata`.
            token: overrides the token of this object.

        Raises:
            RepositoryNotFoundError: no such repository, or a private one.
            GatedRepoError: its terms were not accepted.
            RevisionNotFoundError: no such revision.
            HFValidationError: an id that cannot be one.
            ValueError: `expand` with `files_metadata`.
            HubConnectionError: the hub cannot be reached.
            OfflineModeIsEnabled: requests are forbidden.
        """
        asked = _asked(expand, blobs=files_metadata)
        return self._info(DatasetInfo, "dataset", repo_id, revision, timeout, token, asked)

    def model_info(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        timeout: float | None = None,
        securityStatus: bool | None = None,  # noqa: N803  # the official name
        files_metadata: bool = False,
        expand: list[str] | str | None = None,
        token: str | bool | None = None,
    ) -> ModelInfo:
        """Info of a model at a revision; arguments and errors as `dataset_info`.

        Args:
            repo_id: `namespace/name`.
            revision: branch, tag or commit; `main` when absent.
            timeout: seconds for one try.
            securityStatus: whether to ask for the scanners' findings; excludes `expand`.
            files_metadata: whether `siblings` have sizes and hashes.
            expand: names of the fields to answer with.
            token: overrides the token of this object.
        """
        asked = _asked(expand, securityStatus=securityStatus, blobs=files_metadata)
        return self._info(ModelInfo, "model", repo_id, revision, timeout, token, asked)

    def space_info(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        timeout: float | None = None,
        files_metadata: bool = False,
        expand: list[str] | str | None = None,
        token: str | bool | None = None,
    ) -> SpaceInfo:
        """Info of a space at a revision; arguments and errors as `dataset_info`."""
        asked = _asked(expand, blobs=files_metadata)
        return self._info(SpaceInfo, "space", repo_id, revision, timeout, token, asked)

    def repo_info(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        repo_type: str | None = None,
        timeout: float | None = None,
        files_metadata: bool = False,
        expand: list[str] | str | None = None,
        token: str | bool | None = None,
    ) -> ModelInfo | DatasetInfo | SpaceInfo:
        """Info of a repository of any kind; arguments and errors as `dataset_info`.

        Args:
            repo_id: `namespace/name`.
            revision: branch, tag or commit; `main` when absent.
            repo_type: "model" (when absent), "dataset" or "space".
            timeout: seconds for one try.
            files_metadata: whether `siblings` have sizes and hashes.
            expand: names of the fields to answer with; excludes `files_metadata`.
            token: overrides the token of this object.
        """
        asked = _asked(expand, blobs=files_metadata)
        kind = check_repo_type(repo_type)
        cls: type[ModelInfo | DatasetInfo | SpaceInfo]
        cls = DatasetInfo if kind == "dataset" else SpaceInfo if kind == "space" else ModelInfo
        return self._info(cls, kind, repo_id, revision, timeout, token, asked)

    def repo_exists(self, repo_id: str, *, repo_type: str | None = None, token: str | bool | None = None) -> bool:
        """Whether a repository exists (a gated one does)."""
        try:
            self.repo_info(repo_id, repo_type=repo_type, token=token)
        except GatedRepoError:
            return True
        except RepositoryNotFoundError:
            return False
        return True

    def revision_exists(
        self, repo_id: str, revision: str, *, repo_type: str | None = None, token: str | bool | None = None
    ) -> bool:
        """Whether a repository has a revision; False too if there is no such repository."""
        try:
            self.repo_info(repo_id, revision=revision, repo_type=repo_type, token=token)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return False
        return True


def _asked(expand: list[str] | str | None, **flags: bool | None) -> dict[str, Any]:
    chosen = [name for name, value in flags.items() if value]
    if expand and chosen:
        msg = "`expand` cannot be used if `securityStatus` or `files_metadata` are set."
        raise ValueError(msg)
    return {**dict.fromkeys(chosen, True), "expand": expand or None}
