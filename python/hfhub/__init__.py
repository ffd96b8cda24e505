"""A client of the Hugging Face Hub: info, listings, downloads into the official cache, uploads, and a read-only mirror.

    >>> from hfhub import hf_hub_download, snapshot_download
    >>> path = hf_hub_download("openai/gsm8k", "README.md", repo_type="dataset")  # doctest: +SKIP

Usable alone: neither numpy nor `crucible_datasets` is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfhub import api as api
    from hfhub import auth as auth
    from hfhub import cache as cache
    from hfhub import download as download
    from hfhub import errors as errors
    from hfhub import server as server
    from hfhub.api import (
        BlobLfsInfo,
        BlobSecurityInfo,
        CardData,
        CommitInfo,
        CommitOperation,
        CommitOperationAdd,
        CommitOperationCopy,
        CommitOperationDelete,
        DatasetCard,
        DatasetCardData,
        DatasetInfo,
        DatasetParquetEntry,
        DatasetParquetFile,
        GitCommitInfo,
        GitRefInfo,
        GitRefs,
        HfApi,
        HfFileMetadata,
        InferenceProviderMapping,
        LastCommitInfo,
        ModelCard,
        ModelCardData,
        ModelInfo,
        Organization,
        RepoCard,
        RepoFile,
        RepoFolder,
        RepoInfo,
        RepoSibling,
        RepoUrl,
        SafeTensorsInfo,
        SpaceCard,
        SpaceCardData,
        SpaceInfo,
        SpaceRuntime,
        TransformersInfo,
        UploadInfo,
        User,
        XetFileData,
        auth_check,
        create_branch,
        create_commit,
        create_repo,
        create_tag,
        dataset_configs,
        dataset_info,
        dataset_splits,
        delete_branch,
        delete_file,
        delete_files,
        delete_folder,
        delete_repo,
        delete_tag,
        file_exists,
        get_dataset_tags,
        get_hf_file_metadata,
        get_model_tags,
        get_organization_overview,
        get_paths_info,
        get_user_overview,
        hf_hub_url,
        list_dataset_parquet_files,
        list_datasets,
        list_models,
        list_repo_commits,
        list_repo_files,
        list_repo_refs,
        list_repo_tree,
        list_spaces,
        model_info,
        move_repo,
        parquet_files,
        preupload_lfs_files,
        repo_exists,
        repo_info,
        revision_exists,
        run_as_future,
        space_info,
        super_squash_history,
        update_repo_settings,
        upload_file,
        upload_folder,
        whoami,
    )
    from hfhub.auth import auth_list, auth_switch, get_token, interpreter_login, login, logout
    from hfhub.cache import (
        CachedFileInfo,
        CachedRepoInfo,
        CachedRevisionInfo,
        DeleteCacheStrategy,
        HFCacheInfo,
        cache_stats,
        extract,
        extract_archive,
        prune,
        scan_cache_dir,
        verify_cache,
        verify_repo_checksums,
    )
    from hfhub.download import (
        _CACHED_NO_EXIST,
        DryRunFileInfo,
        ResolvedRevision,
        cached_assets_path,
        hf_hub_download,
        resolve_revision,
        snapshot_download,
        try_to_load_from_cache,
    )
    from hfhub.fs import RemoteFile, download_stream, install_fsspec, open_file, open_range
    from hfhub.fs.hffs import HfFileSystem
    from hfhub.progress import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from hfhub.server import HubServer

_HOMES = {
    "hfhub.api": (
        "BlobLfsInfo BlobSecurityInfo CardData DatasetCard DatasetCardData DatasetInfo DatasetParquetEntry "
        "DatasetParquetFile GitCommitInfo GitRefInfo GitRefs HfApi HfFileMetadata InferenceProviderMapping "
        "LastCommitInfo ModelCard ModelCardData ModelInfo Organization RepoCard RepoFile RepoFolder RepoInfo "
        "RepoSibling SafeTensorsInfo SpaceCard SpaceCardData SpaceInfo SpaceRuntime TransformersInfo User "
        "XetFileData auth_check dataset_configs dataset_info dataset_splits file_exists get_dataset_tags "
        "get_hf_file_metadata get_model_tags get_organization_overview get_paths_info get_user_overview "
        "hf_hub_url list_dataset_parquet_files list_datasets list_models list_repo_commits list_repo_files "
        "list_repo_refs list_repo_tree list_spaces model_info parquet_files repo_exists repo_info "
        "revision_exists space_info whoami "
        "CommitInfo RepoUrl CommitOperation CommitOperationAdd CommitOperationCopy CommitOperationDelete UploadInfo "
        "create_branch create_commit create_repo create_tag delete_branch delete_file delete_files delete_folder delete_repo "
        "delete_tag move_repo preupload_lfs_files run_as_future super_squash_history update_repo_settings upload_file upload_folder"
    ),
    "hfhub.auth": "auth_list auth_switch get_token interpreter_login login logout",
    "hfhub.cache": (
        "CachedFileInfo CachedRepoInfo CachedRevisionInfo DeleteCacheStrategy HFCacheInfo cache_stats extract "
        "extract_archive prune scan_cache_dir verify_cache verify_repo_checksums"
    ),
    "hfhub.fs": "RemoteFile download_stream install_fsspec open_file open_range",
    "hfhub.fs.hffs": "HfFileSystem",
    "hfhub.download": (
        "_CACHED_NO_EXIST DryRunFileInfo ResolvedRevision cached_assets_path hf_hub_download resolve_revision "
        "snapshot_download try_to_load_from_cache"
    ),
    "hfhub.progress": "are_progress_bars_disabled disable_progress_bars enable_progress_bars",
    "hfhub.server": "HubServer",
}
# Modules that need no import of their own: `hfhub.errors.GatedRepoError`.
_MODULES = ("api", "auth", "cache", "download", "errors", "fs", "server")
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__version__ = "0.1.0"
__all__ = [
    "CommitInfo",
    "RepoUrl",
    "CommitOperation",
    "CommitOperationAdd",
    "CommitOperationCopy",
    "CommitOperationDelete",
    "UploadInfo",
    "create_branch",
    "create_commit",
    "create_repo",
    "create_tag",
    "delete_branch",
    "delete_file",
    "delete_files",
    "delete_folder",
    "delete_repo",
    "delete_tag",
    "move_repo",
    "preupload_lfs_files",
    "run_as_future",
    "super_squash_history",
    "update_repo_settings",
    "upload_file",
    "upload_folder",
    "BlobLfsInfo",
    "BlobSecurityInfo",
    "CachedFileInfo",
    "CachedRepoInfo",
    "CachedRevisionInfo",
    "CardData",
    "DatasetCard",
    "DatasetCardData",
    "DatasetInfo",
    "DatasetParquetEntry",
    "DatasetParquetFile",
    "DeleteCacheStrategy",
    "DryRunFileInfo",
    "GitCommitInfo",
    "GitRefInfo",
    "GitRefs",
    "HFCacheInfo",
    "HfApi",
    "HfFileMetadata",
    "HfFileSystem",
    "HubServer",
    "InferenceProviderMapping",
    "LastCommitInfo",
    "ModelCard",
    "ModelCardData",
    "ModelInfo",
    "Organization",
    "RemoteFile",
    "RepoCard",
    "RepoFile",
    "RepoFolder",
    "RepoInfo",
    "RepoSibling",
    "ResolvedRevision",
    "SafeTensorsInfo",
    "SpaceCard",
    "SpaceCardData",
    "SpaceInfo",
    "SpaceRuntime",
    "TransformersInfo",
    "User",
    "XetFileData",
    "_CACHED_NO_EXIST",
    "are_progress_bars_disabled",
    "auth_check",
    "auth_list",
    "auth_switch",
    "cache_stats",
    "cached_assets_path",
    "dataset_configs",
    "dataset_info",
    "dataset_splits",
    "disable_progress_bars",
    "download_stream",
    "enable_progress_bars",
    "extract",
    "extract_archive",
    "file_exists",
    "get_dataset_tags",
    "get_hf_file_metadata",
    "get_model_tags",
    "get_organization_overview",
    "get_paths_info",
    "get_token",
    "get_user_overview",
    "hf_hub_download",
    "hf_hub_url",
    "install_fsspec",
    "interpreter_login",
    "list_dataset_parquet_files",
    "list_datasets",
    "list_models",
    "list_repo_commits",
    "list_repo_files",
    "list_repo_refs",
    "list_repo_tree",
    "list_spaces",
    "login",
    "logout",
    "model_info",
    "open_file",
    "open_range",
    "parquet_files",
    "prune",
    "repo_exists",
    "repo_info",
    "resolve_revision",
    "revision_exists",
    "scan_cache_dir",
    "snapshot_download",
    "space_info",
    "try_to_load_from_cache",
    "verify_cache",
    "verify_repo_checksums",
    "whoami",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name in _MODULES:
        return importlib.import_module(f"hfhub.{name}")
    if name not in _HOME:
        msg = f"module 'hfhub' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names."""
    return sorted(__all__)
