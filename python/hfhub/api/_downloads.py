"""The downloads, as methods."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from hfhub import download as _download
from hfhub.api._wire import Wire

if TYPE_CHECKING:
    from hfhub.cache import FolderVerification

_Folder = str | os.PathLike[str] | None
_Patterns = list[str] | str | None


class DownloadPart(Wire):
    """Downloads with the settings of this object."""

    def _settings(self, given: dict[str, Any]) -> dict[str, Any]:
        """Arguments of a download: those that were given, and what this object adds."""
        if given.get("token") is None:
            given["token"] = self.token
        own = {
            "endpoint": self._endpoint,
            "library_name": self.library_name,
            "library_version": self.library_version,
            "user_agent": self.user_agent,
            "headers": self.headers,
        }
        return {name: value for name, value in {**given, **own}.items() if value is not None and value != ()}

    def hf_hub_download(
        self,
        repo_id: str,
        filename: str,
        *,
        subfolder: str | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        cache_dir: _Folder = None,
        force_download: bool = False,
        token: str | bool | None = None,
        local_files_only: bool = False,
        **more: Any,
    ) -> Any:
        """`hfhub.hf_hub_download` with the endpoint, token and agent of this object; arguments and errors as there."""
        given = {
            "subfolder": subfolder,
            "repo_type": repo_type,
            "revision": revision,
            "cache_dir": cache_dir,
            "force_download": force_download,
            "token": token,
            "local_files_only": local_files_only,
            **more,
        }
        return _download.hf_hub_download(repo_id, filename, **self._settings(given))

    def snapshot_download(
        self,
        repo_id: str,
        *,
        repo_type: str | None = None,
        revision: str | None = None,
        cache_dir: _Folder = None,
        force_download: bool = False,
        token: str | bool | None = None,
        local_files_only: bool = False,
        allow_patterns: _Patterns = None,
        ignore_patterns: _Patterns = None,
        max_workers: int = 8,
        **more: Any,
    ) -> Any:
        """`hfhub.snapshot_download` with the endpoint, token and agent of this object; arguments and errors as there."""
        given = {
            "repo_type": repo_type,
            "revision": revision,
            "cache_dir": cache_dir,
            "force_download": force_download,
            "token": token,
            "local_files_only": local_files_only,
            "allow_patterns": allow_patterns,
            "ignore_patterns": ignore_patterns,
            "max_workers": max_workers,
            **more,
        }
        return _download.snapshot_download(repo_id, **self._settings(given))

    def resolve_revision(
        self,
        repo_id: str,
        *,
        repo_type: str | None = None,
        revision: str | None = None,
        cache_dir: _Folder = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
    ) -> _download.ResolvedRevision:
        """`hfhub.resolve_revision` with the endpoint and token of this object; arguments and errors as there."""
        return _download.resolve_revision(
            repo_id,
            repo_type=repo_type,
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            token=self.token if token is None else token,
            endpoint=self._endpoint,
        )

    def verify_repo_checksums(
        self,
        repo_id: str,
        *,
        repo_type: str | None = None,
        revision: str | None = None,
        local_dir: _Folder = None,
        cache_dir: _Folder = None,
        token: str | bool | None = None,
    ) -> FolderVerification:
        """`hfhub.verify_repo_checksums` with the endpoint and token of this object; arguments and errors as there."""
        made: FolderVerification = importlib.import_module("hfhub.cache").verify_repo_checksums(
            repo_id,
            repo_type=repo_type,
            revision=revision,
            local_dir=local_dir,
            cache_dir=cache_dir,
            token=self.token if token is None else token,
            endpoint=self._endpoint,
        )
        return made
