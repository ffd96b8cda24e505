"""`HfApi`: one method a question."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from _crucible.errors import GatedRepoError, RemoteEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from hfhub._client import client, kind
from hfhub.api._types import DatasetInfo, HfFileMetadata, ModelInfo, RepoFile, RepoFolder, RepoInfo, SpaceInfo

if TYPE_CHECKING:
    from _crucible._native import HubClient

_INFO: dict[str, type[RepoInfo]] = {"dataset": DatasetInfo, "model": ModelInfo, "space": SpaceInfo}
_PREFIX = {"dataset": "datasets/", "space": "spaces/", "model": ""}


class HfApi:
    """Questions to a hub.

    Args:
        endpoint: address of the hub; `HF_ENDPOINT` when absent.
        token: a token, True for the stored one, False for none, None for the stored one if there is one.
        user_agent: more text for the user agent.
    """

    def __init__(
        self, endpoint: str | None = None, token: str | bool | None = None, *, user_agent: str | None = None
    ) -> None:
        self.endpoint = endpoint
        self._token = token
        self._user_agent = user_agent

    def __repr__(self) -> str:
        """Without the token."""
        return f"HfApi(endpoint={self.endpoint!r})"

    def _client(self, token: str | bool | None) -> HubClient:
        return client(self.endpoint, self._token if token is None else token, user_agent=self._user_agent)

    def repo_info(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        repo_type: str | None = None,
        files_metadata: bool = False,
        token: str | bool | None = None,
    ) -> RepoInfo:
        """Info of a repository at a revision.

        Args:
            repo_id: `namespace/name`.
            revision: branch, tag or commit; `main` when absent.
            repo_type: "model" (when absent), "dataset" or "space".
            files_metadata: whether `siblings` have sizes and hashes.
            token: overrides the token of this object.

        Returns:
            `DatasetInfo`, `ModelInfo` or `SpaceInfo`.

        Raises:
            RepositoryNotFoundError: no such repository, or a private one.
            GatedRepoError: its terms were not accepted.
            RevisionNotFoundError: no such revision.
            HubConnectionError: the hub cannot be reached.
            OfflineModeIsEnabled: requests are forbidden.
        """
        repo_type = kind(repo_type)
        raw = json.loads(self._client(token).repo_info(repo_type, repo_id, revision, files_metadata))
        return _INFO.get(repo_type, RepoInfo).from_raw(raw)

    def dataset_info(self, repo_id: str, **arguments: Any) -> DatasetInfo:
        """`repo_info` of a dataset."""
        info = self.repo_info(repo_id, repo_type="dataset", **arguments)
        assert isinstance(info, DatasetInfo)
        return info

    def model_info(self, repo_id: str, **arguments: Any) -> ModelInfo:
        """`repo_info` of a model."""
        info = self.repo_info(repo_id, repo_type="model", **arguments)
        assert isinstance(info, ModelInfo)
        return info

    def space_info(self, repo_id: str, **arguments: Any) -> SpaceInfo:
        """`repo_info` of a space."""
        info = self.repo_info(repo_id, repo_type="space", **arguments)
        assert isinstance(info, SpaceInfo)
        return info

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
        """Files and folders of a repository.

        Args:
            repo_id: `namespace/name`.
            path_in_repo: folder to list; the root when absent.
            recursive: whether to descend.
            expand: whether to ask for the last commit of each entry (kept in `raw`).
            revision: branch, tag or commit.
            repo_type: "model" (when absent), "dataset" or "space".
            token: overrides the token of this object.

        Yields:
            `RepoFile` and `RepoFolder`, in the hub's order.

        Raises:
            RemoteEntryNotFoundError: no such folder; and as `repo_info`.
        """
        text = self._client(token).list_tree(kind(repo_type), repo_id, revision, path_in_repo, recursive, expand)
        for raw in json.loads(text):
            if raw.get("type") == "directory":
                yield RepoFolder(raw["path"], raw.get("oid", ""), raw)
            else:
                yield RepoFile(raw["path"], raw.get("size", 0), raw.get("oid", ""), raw.get("lfs"), raw)

    def list_repo_files(
        self,
        repo_id: str,
        *,
        revision: str | None = None,
        repo_type: str | None = None,
        token: str | bool | None = None,
    ) -> list[str]:
        """Paths of all files of a repository; arguments and errors as `list_repo_tree`."""
        entries = self.list_repo_tree(repo_id, recursive=True, revision=revision, repo_type=repo_type, token=token)
        return [entry.path for entry in entries if isinstance(entry, RepoFile)]

    def get_hf_file_metadata(
        self,
        repo_id: str,
        filename: str,
        *,
        revision: str | None = None,
        repo_type: str | None = None,
        token: str | bool | None = None,
    ) -> HfFileMetadata:
        """Commit, etag, size and place of a file; errors as `hf_hub_download`."""
        raw = json.loads(self._client(token).file_metadata(kind(repo_type), repo_id, filename, revision))
        return HfFileMetadata(raw["commit"], raw["etag"], raw["location"], raw["size"])

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

    def file_exists(
        self,
        repo_id: str,
        filename: str,
        *,
        revision: str | None = None,
        repo_type: str | None = None,
        token: str | bool | None = None,
    ) -> bool:
        """Whether a repository has a file; False too if there is no such repository or revision."""
        try:
            self.get_hf_file_metadata(repo_id, filename, revision=revision, repo_type=repo_type, token=token)
        except GatedRepoError:
            raise
        except (RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError):
            return False
        return True

    def hf_hub_url(
        self, repo_id: str, filename: str, *, revision: str | None = None, repo_type: str | None = None
    ) -> str:
        """The address of a file. Makes no request."""
        endpoint = client(self.endpoint, False).endpoint
        where = f"{_PREFIX[kind(repo_type)]}{repo_id}/resolve/{quote(revision or 'main', safe='')}"
        return f"{endpoint}/{where}/{quote(filename)}"


_api = HfApi()
repo_info = _api.repo_info
dataset_info = _api.dataset_info
model_info = _api.model_info
space_info = _api.space_info
list_repo_tree = _api.list_repo_tree
list_repo_files = _api.list_repo_files
get_hf_file_metadata = _api.get_hf_file_metadata
repo_exists = _api.repo_exists
revision_exists = _api.revision_exists
file_exists = _api.file_exists
hf_hub_url = _api.hf_hub_url
