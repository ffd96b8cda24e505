"""Uploads and deletions of files and folders: each a commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, Literal, overload

from hfhub.api._commit import CommitPart
from hfhub.api._commit_info import CommitInfo
from hfhub.api._operations import CommitOperation, CommitOperationAdd, CommitOperationDelete

_Patterns = str | list[str] | None
# What git and the hub's own tools keep in a folder.
_NEVER = (".git", ".cache/huggingface")


def _passing(paths: Iterable[str], allow: _Patterns, ignore: _Patterns) -> list[str]:
    """The paths that fit one of `allow` (None: all do) and none of `ignore`. A pattern that ends in `/` is a folder's."""

    def listed(patterns: _Patterns) -> list[str] | None:
        some = [patterns] if isinstance(patterns, str) else patterns
        return None if some is None else [one + "*" if one.endswith("/") else one for one in some]

    wanted, unwanted = listed(allow), listed(ignore) or []
    return [
        path
        for path in paths
        if (wanted is None or any(fnmatchcase(path, one) for one in wanted))
        and not any(fnmatchcase(path, one) for one in unwanted)
    ]


def _hidden(path: str) -> bool:
    return any(f"/{path}/".find(f"/{folder}/") >= 0 for folder in _NEVER)


class UploadPart(CommitPart):
    """Files and folders up, and away."""

    @overload
    def upload_file(
        self,
        *,
        path_or_fileobj: str | Path | bytes | BinaryIO,
        path_in_repo: str,
        repo_id: str,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        create_pr: bool | None = None,
        parent_commit: str | None = None,
        run_as_future: Literal[False] = False,
    ) -> CommitInfo: ...

    @overload
    def upload_file(
        self,
        *,
        path_or_fileobj: str | Path | bytes | BinaryIO,
        path_in_repo: str,
        repo_id: str,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        create_pr: bool | None = None,
        parent_commit: str | None = None,
        run_as_future: Literal[True],
    ) -> Future[CommitInfo]: ...

    def upload_file(
        self,
        *,
        path_or_fileobj: str | Path | bytes | BinaryIO,
        path_in_repo: str,
        repo_id: str,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        create_pr: bool | None = None,
        parent_commit: str | None = None,
        run_as_future: bool = False,
    ) -> CommitInfo | Future[CommitInfo]:
        """Uploads a file as a commit.

        Args:
            path_or_fileobj: its bytes, the path of a local file, or a binary file object.
            path_in_repo: where it shall be.
            repo_id: `namespace/name`. It must exist: see `create_repo`.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".
            revision: the branch; `main` when absent.
            commit_message: the first line of the message; "Upload … with hfhub" when absent.
            commit_description: the rest of it.
            create_pr: whether to open a pull request instead.
            parent_commit: the commit that must be the newest.
            run_as_future: whether to do it in the background.

        Returns:
            The commit, or its future.

        Raises:
            ValueError: no such file, and the other errors of `create_commit`.
        """
        operation = CommitOperationAdd(path_in_repo, path_or_fileobj)
        return self._committed(
            repo_id,
            [operation],
            run_as_future,
            commit_message=commit_message or f"Upload {path_in_repo} with hfhub",
            commit_description=commit_description,
            token=token,
            repo_type=repo_type,
            revision=revision,
            create_pr=create_pr,
            parent_commit=parent_commit,
        )

    @overload
    def upload_folder(
        self,
        *,
        repo_id: str,
        folder_path: str | Path,
        path_in_repo: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = None,
        parent_commit: str | None = None,
        allow_patterns: _Patterns = None,
        ignore_patterns: _Patterns = None,
        delete_patterns: _Patterns = None,
        run_as_future: Literal[False] = False,
    ) -> CommitInfo: ...

    @overload
    def upload_folder(
        self,
        *,
        repo_id: str,
        folder_path: str | Path,
        path_in_repo: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = None,
        parent_commit: str | None = None,
        allow_patterns: _Patterns = None,
        ignore_patterns: _Patterns = None,
        delete_patterns: _Patterns = None,
        run_as_future: Literal[True],
    ) -> Future[CommitInfo]: ...

    def upload_folder(
        self,
        *,
        repo_id: str,
        folder_path: str | Path,
        path_in_repo: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = None,
        parent_commit: str | None = None,
        allow_patterns: _Patterns = None,
        ignore_patterns: _Patterns = None,
        delete_patterns: _Patterns = None,
        run_as_future: bool = False,
    ) -> CommitInfo | Future[CommitInfo]:
        """Uploads the files of a folder as one commit. Files that the repository has already are not sent.

        `.git` and `.cache/huggingface` folders are left out.

        Args:
            repo_id: `namespace/name`. It must exist: see `create_repo`.
            folder_path: the folder.
            path_in_repo: the folder of the repository to put them into; its root when absent.
            commit_message: the first line of the message; "Upload folder using hfhub" when absent.
            commit_description: the rest of it.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".
            revision: the branch; `main` when absent.
            create_pr: whether to open a pull request instead.
            parent_commit: the commit that must be the newest.
            allow_patterns: only files that fit one of them, as for `snapshot_download`.
            ignore_patterns: no files that fit one of them.
            delete_patterns: files of the repository (below `path_in_repo`) that go unless they come again;
                `.gitattributes` never does.
            run_as_future: whether to do it in the background.

        Returns:
            The commit, or its future.

        Raises:
            ValueError: no such folder, and the other errors of `create_commit`.
        """
        folder = Path(folder_path).expanduser().resolve()
        if not folder.is_dir():
            msg = f"Provided path: '{folder}' is not a directory"
            raise ValueError(msg)
        place = (path_in_repo or "").removeprefix("./").strip("/")
        inside = "" if place in ("", ".") else f"{place}/"

        def commit() -> CommitInfo:
            files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
            names = [name for name in _passing(files, allow_patterns, ignore_patterns) if not _hidden(name)]
            added = [CommitOperationAdd(inside + name, files[name]) for name in names]
            paths = {one.path_in_repo for one in added}
            about: dict[str, Any] = {"repo_type": repo_type, "revision": revision, "token": token}
            gone = [
                one
                for one in self._deletions(repo_id, inside, delete_patterns, **about)
                if one.path_in_repo not in paths
            ]
            return self._commit(
                repo_id,
                [*gone, *added],
                commit_message=commit_message or "Upload folder using hfhub",
                commit_description=commit_description,
                create_pr=create_pr,
                parent_commit=parent_commit,
                **about,
            )

        return self.run_as_future(commit) if run_as_future else commit()

    def delete_file(
        self,
        path_in_repo: str,
        repo_id: str,
        *,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        create_pr: bool | None = None,
        parent_commit: str | None = None,
    ) -> CommitInfo:
        """Deletes a file with a commit.

        Args:
            path_in_repo: its path.
            repo_id: `namespace/name`.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".
            revision: the branch; `main` when absent.
            commit_message: the first line of the message.
            commit_description: the rest of it.
            create_pr: whether to open a pull request instead.
            parent_commit: the commit that must be the newest.

        Raises:
            EntryNotFoundError: no such file; and the other errors of `create_commit`.
        """
        return self._commit(
            repo_id,
            [CommitOperationDelete(path_in_repo, is_folder=False)],
            commit_message=commit_message or f"Delete {path_in_repo} with hfhub",
            commit_description=commit_description,
            token=token,
            repo_type=repo_type,
            revision=revision,
            create_pr=create_pr,
            parent_commit=parent_commit,
        )

    def delete_folder(
        self,
        path_in_repo: str,
        repo_id: str,
        *,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        create_pr: bool | None = None,
        parent_commit: str | None = None,
    ) -> CommitInfo:
        """Deletes a folder and all below it with a commit; arguments and errors as `delete_file`."""
        return self._commit(
            repo_id,
            [CommitOperationDelete(path_in_repo, is_folder=True)],
            commit_message=commit_message or f"Delete folder {path_in_repo} with hfhub",
            commit_description=commit_description,
            token=token,
            repo_type=repo_type,
            revision=revision,
            create_pr=create_pr,
            parent_commit=parent_commit,
        )

    def delete_files(
        self,
        repo_id: str,
        delete_patterns: list[str],
        *,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        create_pr: bool | None = None,
        parent_commit: str | None = None,
    ) -> CommitInfo:
        """Deletes the files that fit one of several patterns with a commit; `.gitattributes` stays.

        Args:
            repo_id: `namespace/name`.
            delete_patterns: patterns, as for `snapshot_download`.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".
            revision: the branch; `main` when absent.
            commit_message: the first line of the message.
            commit_description: the rest of it.
            create_pr: whether to open a pull request instead.
            parent_commit: the commit that must be the newest.

        Raises:
            RepositoryNotFoundError: and the other errors of `create_commit`.
        """
        about: dict[str, Any] = {"repo_type": repo_type, "revision": revision, "token": token}
        return self._commit(
            repo_id,
            self._deletions(repo_id, "", delete_patterns, **about),
            commit_message=commit_message or f"Delete files {' '.join(delete_patterns)} with hfhub",
            commit_description=commit_description,
            create_pr=create_pr,
            parent_commit=parent_commit,
            **about,
        )

    def _deletions(self, repo_id: str, inside: str, patterns: _Patterns, **about: Any) -> list[CommitOperationDelete]:
        if patterns is None:
            return []
        files = self.list_repo_files(repo_id, **about)
        names = [path.removeprefix(inside) for path in files if path.startswith(inside)]
        paths = [inside + name for name in _passing(names, patterns, None)]
        return [CommitOperationDelete(path, is_folder=False) for path in paths if path != ".gitattributes"]

    def _committed(
        self, repo_id: str, operations: Sequence[CommitOperation], later: bool, **arguments: Any
    ) -> CommitInfo | Future[CommitInfo]:
        if later:
            return self.run_as_future(self._commit, repo_id, operations, **arguments)
        return self._commit(repo_id, operations, **arguments)
