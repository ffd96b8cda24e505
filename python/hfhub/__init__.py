"""A client of the Hugging Face Hub: info, listings, downloads into the official cache, and a read-only mirror.

    >>> from hfhub import hf_hub_download, snapshot_download
    >>> path = hf_hub_download("openai/gsm8k", "README.md", repo_type="dataset")  # doctest: +SKIP

Usable alone: neither numpy nor `crucible_datasets` is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfhub.api import (
        DatasetInfo,
        HfApi,
        HfFileMetadata,
        ModelInfo,
        RepoFile,
        RepoFolder,
        RepoSibling,
        SpaceInfo,
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
    from hfhub.auth import get_token
    from hfhub.cache import try_to_load_from_cache
    from hfhub.download import hf_hub_download, snapshot_download
    from hfhub.server import HubServer

_HOMES = {
    "hfhub.api": (
        "DatasetInfo HfApi HfFileMetadata ModelInfo RepoFile RepoFolder RepoSibling SpaceInfo dataset_info "
        "file_exists get_hf_file_metadata hf_hub_url list_repo_files list_repo_tree model_info repo_exists repo_info "
        "revision_exists space_info"
    ),
    "hfhub.auth": "get_token",
    "hfhub.cache": "try_to_load_from_cache",
    "hfhub.download": "hf_hub_download snapshot_download",
    "hfhub.server": "HubServer",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__version__ = "0.1.0"
__all__ = [
    "DatasetInfo",
    "HfApi",
    "HfFileMetadata",
    "HubServer",
    "ModelInfo",
    "RepoFile",
    "RepoFolder",
    "RepoSibling",
    "SpaceInfo",
    "dataset_info",
    "file_exists",
    "get_hf_file_metadata",
    "get_token",
    "hf_hub_download",
    "hf_hub_url",
    "list_repo_files",
    "list_repo_tree",
    "model_info",
    "repo_exists",
    "repo_info",
    "revision_exists",
    "snapshot_download",
    "space_info",
    "try_to_load_from_cache",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name not in _HOME:
        msg = f"module 'hfhub' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names."""
    return sorted(__all__)
