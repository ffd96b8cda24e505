"""Questions about repositories: `HfApi` and module functions of the same names."""

from __future__ import annotations

from hfhub.api._api import (
    HfApi,
    dataset_info,
    file_exists,
    get_hf_file_metadata,
    hf_hub_url,
    list_repo_files,
    list_repo_tree,
    model_info,
    repo_exists,
    repo_info,
    revision_exists,
    space_info,
)
from hfhub.api._types import (
    DatasetInfo,
    HfFileMetadata,
    ModelInfo,
    RepoFile,
    RepoFolder,
    RepoInfo,
    RepoSibling,
    SpaceInfo,
)

__all__ = [
    "DatasetInfo",
    "HfApi",
    "HfFileMetadata",
    "ModelInfo",
    "RepoFile",
    "RepoFolder",
    "RepoInfo",
    "RepoSibling",
    "SpaceInfo",
    "dataset_info",
    "file_exists",
    "get_hf_file_metadata",
    "hf_hub_url",
    "list_repo_files",
    "list_repo_tree",
    "model_info",
    "repo_exists",
    "repo_info",
    "revision_exists",
    "space_info",
]
