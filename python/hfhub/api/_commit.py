"""Commits: files to a repository, and away from it."""

from __future__ import annotations

import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from _crucible.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    UnsupportedError,
)
from hfhub.api._commit_info import CommitInfo
from hfhub.api._files import RepoFolder
from hfhub.api._info import InfoPart
from hfhub.api._metadata import MetadataPart
from hfhub.api._operations import (
    CommitOperation,
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    warn_of_overwriting,
)
from hfhub.api._tree import TreePart
from hfhub.api._wire import check_repo_id, check_repo_type, decoded
from hfhub.progress import upload_bar

if TYPE_CHECKING:
    from hfhub.api._files import RepoFile

logger = logging.getLogger("hfhub")
_COMMIT = re.compile(r"[A-Fa-f0-9]{5,40}")
_P = ParamSpec("_P")
_R = TypeVar("_R")
#: A change as the native client takes it: kind, path, content, oid, size.
_Line = tuple[str, str, "str | bytes | None", "str | None", "int | None"]


class CommitPart(InfoPart, TreePart, MetadataPart):
    """Commits of additions, deletions and copies."""

    _futures: tuple[int, ThreadPoolExecutor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the thread of `run_as_future`."""
        return {name: value for name, value in self.__dict__.items() if name != "_futures"}

    def run_as_future(self, fn: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """Runs a function in the background, after those that were given before.

        Args:
            fn: the function, as a method of this object.
            *args: its arguments.
            **kwargs: its arguments by name.
        """
        if self._futures is None or self._futures[0] != os.getpid():  # a fork has no threads of its parent
            self._futures = (os.getpid(), ThreadPoolExecutor(max_workers=1, thread_name_prefix="hfhub-upload"))
        return self._futures[1].submit(fn, *args, **kwargs)

    @overload
    def create_commit(
        self,
        repo_id: str,
        operations: Iterable[CommitOperation],
        *,
        commit_message: str,
        commit_description: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = None,
        num_threads: int = 5,
        parent_commit: str | None = None,
        run_as_future: Literal[False] = False,
    ) -> CommitInfo: ...

    @overload
    def create_commit(
        self,
        repo_id: str,
        operations: Iterable[CommitOperation],
        *,
        commit_message: str,
        commit_description: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = None,
        num_threads: int = 5,
        parent_commit: str | None = None,
        run_as_future: Literal[True],
    ) -> Future[CommitInfo]: ...

    def create_commit(
        self,
        repo_id: str,
        operations: Iterable[CommitOperation],
        *,
        commit_message: str,
        commit_description: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = None,
        num_threads: int = 5,
        parent_commit: str | None = None,
        run_as_future: bool = False,
    ) -> CommitInfo | Future[CommitInfo]:
        """Makes a commit. Large files are uploaded first; files that the repository has already are left out.

        Args:
            repo_id: `namespace/name`.
            operations: what changes.
            commit_message: the first line of the message.
            commit_description: the rest of it.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".
            revision: the branch; `main` when absent.
            create_pr: whether to open a pull request with the commit instead.
            num_threads: files that are uploaded at a time.
            parent_commit: the commit (at least 5 digits) that must be the newest: nothing is committed if there is a
                newer one. With it a commit whose answer got lost is found, and not made twice.
            run_as_future: whether to do it in the background.

        Returns:
            The commit, or its future; the newest one if there was nothing to change.

        Raises:
            ValueError: an empty message, a `parent_commit` that cannot be one, an operation that was committed before,
                or a README.md whose metadata the hub refuses.
            TypeError: something else among the operations.
            EntryNotFoundError: a file to copy or delete is not there.
            UnsupportedError: a folder to copy.
            HfHubHTTPError: status 412 for a newer commit than the parent, 409 for another commit at the same time.
            RepositoryNotFoundError: and the other errors of `repo_info`.
            OSError: a local file cannot be read.
        """
        arguments: dict[str, Any] = {
            "commit_message": commit_message,
            "commit_description": commit_description,
            "token": token,
            "repo_type": repo_type,
            "revision": revision,
            "create_pr": create_pr,
            "num_threads": num_threads,
            "parent_commit": parent_commit,
        }
        if run_as_future:
            return self.run_as_future(self._commit, repo_id, operations, **arguments)
        return self._commit(repo_id, operations, **arguments)

    def _commit(
        self,
        repo_id: str,
        operations: Iterable[CommitOperation],
        *,
        commit_message: str,
        commit_description: str | None = None,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = None,
        num_threads: int = 5,
        parent_commit: str | None = None,
    ) -> CommitInfo:
        """See `create_commit`."""
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        if parent_commit is not None and not _COMMIT.fullmatch(parent_commit):
            msg = f"`parent_commit` is not a valid commit OID: {parent_commit!r}"
            raise ValueError(msg)
        if not commit_message:
            msg = "`commit_message` can't be empty, please pass a value."
            raise ValueError(msg)
        changes = list(operations)
        for change in changes:
            if not isinstance(change, CommitOperation):
                msg = f"an operation is a CommitOperationAdd, -Delete or -Copy, got {change!r:.100}"
                raise TypeError(msg)
        additions = [change for change in changes if isinstance(change, CommitOperationAdd)]
        for addition in additions:
            if addition._committed:
                msg = f"{addition} has been committed already: make a new CommitOperationAdd for another commit."
                raise ValueError(msg)
            if kind != "dataset" and addition.path_in_repo.endswith((".arrow", ".parquet")):
                warnings.warn(
                    f"It seems that you are about to commit a data file ({addition.path_in_repo}) to a {kind} repository. "
                    "For a dataset, set repo_type='dataset'.",
                    stacklevel=3,
                )
        for addition in additions:
            if addition.path_in_repo == "README.md":
                self._validate_card(addition, kind, token)
                break
        warn_of_overwriting(changes)
        about: dict[str, Any] = {"token": token, "repo_type": repo_type, "revision": revision}
        try:
            self.preupload_lfs_files(
                repo_id, additions, create_pr=create_pr, num_threads=num_threads, free_memory=False, **about
            )
            lines = self._lines(repo_id, kind, changes, revision, token)
            if not lines:
                logger.warning("No files have been modified since last commit. Skipping to prevent empty commit.")
                newest = str(self.repo_info(repo_id, **about).sha)
                if parent_commit is not None and not create_pr and not newest.startswith(parent_commit.lower()):
                    raise _overtaken(kind, repo_id, parent_commit, newest)
                prefix = "" if kind == "model" else f"{kind}s/"
                url = f"{self.endpoint}/{prefix}{repo_id}/commit/{newest}"
                return CommitInfo(url, commit_message, commit_description or "", newest, self.endpoint)
            url, oid, pr_url = self._client(token).commit(
                kind,
                repo_id,
                lines,
                _branch(revision),
                summary=commit_message,
                description=commit_description or "",
                parent=parent_commit,
                create_pr=bool(create_pr),
            )
        except RemoteEntryNotFoundError as error:
            if any(isinstance(change, CommitOperationDelete) for change in changes):
                error.add_note("A folder to delete ends in '/', or has is_folder=True; a file does not.")
            raise
        for addition in additions:
            addition._committed = True
        return CommitInfo(url, commit_message, commit_description or "", oid, self.endpoint, pr_url)

    def preupload_lfs_files(
        self,
        repo_id: str,
        additions: Iterable[CommitOperationAdd],
        *,
        token: str | bool | None = None,
        repo_type: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = None,
        num_threads: int = 5,
        free_memory: bool = True,
        gitignore_content: str | None = None,
    ) -> None:
        """Uploads the large files of a commit before it is made, so that they need not be kept till then.

        Args:
            repo_id: `namespace/name`.
            additions: the files. Each remembers that it was uploaded, for `create_commit`.
            token: overrides the token of this object.
            repo_type: "model" (when absent), "dataset" or "space".
            revision: the branch that will be committed to; `main` when absent.
            create_pr: whether the commit will open a pull request.
            num_threads: files that are uploaded at a time.
            free_memory: whether large files let go of their bytes after it.
            gitignore_content: decides what is left out; the `.gitignore` among the additions or in the repository when
                absent.

        Raises:
            HfHubHTTPError: the store refuses a file; and the errors of `repo_info`.
            OSError: a local file cannot be read.
        """
        check_repo_id(repo_id)
        kind = check_repo_type(repo_type)
        fresh = [addition for addition in additions if not addition._uploaded]
        if not fresh:
            return
        if gitignore_content is None:
            own = next((addition for addition in fresh if addition.path_in_repo == ".gitignore"), None)
            if own is not None:
                with own.as_file() as file:
                    gitignore_content = file.read().decode(errors="replace")
        with upload_bar() as report:
            plans = self._client(token).upload_files(
                kind,
                repo_id,
                [(addition.path_in_repo, addition._content()) for addition in fresh],
                _branch(revision),
                create_pr=bool(create_pr),
                gitignore=gitignore_content,
                connections=num_threads,
                progress=report,
            )
        for addition, plan in zip(fresh, plans, strict=True):
            addition._planned(*plan)
            if free_memory and addition._mode == "lfs":
                addition.path_or_fileobj, addition._spool = b"", None

    def _lines(
        self,
        repo_id: str,
        kind: str,
        changes: Sequence[CommitOperation],
        revision: str | None,
        token: str | bool | None,
    ) -> list[_Line]:
        """The changes that are left when what changes nothing is taken out."""
        gone = {change.path_in_repo.rstrip("/") for change in changes if isinstance(change, CommitOperationDelete)}

        def deleted(path: str) -> bool:
            parts = path.split("/")
            return any("/".join(parts[:depth]) in gone for depth in range(1, len(parts) + 1))

        copies = [change for change in changes if isinstance(change, CommitOperationCopy)]
        copied = self._copied(repo_id, kind, copies, revision, token) if copies else {}
        lines: list[_Line] = []
        for change in changes:
            path = change.path_in_repo
            if isinstance(change, CommitOperationDelete):
                lines.append(("deletedFolder" if change.is_folder else "deletedFile", path, None, None, None))
            elif isinstance(change, CommitOperationCopy):
                line, same = copied[id(change)]
                if not same or deleted(path):
                    lines.append(line)
            elif change._ignored or (change._unchanged and not deleted(path)):
                logger.debug("%s is left out: ignored, or the repository has it", path)
            elif change._mode == "lfs":
                lines.append(("lfsFile", path, None, change._hash, change._size))
            else:
                lines.append(("file", path, change._content(), None, None))
        return lines

    def _copied(
        self,
        repo_id: str,
        kind: str,
        copies: Sequence[CommitOperationCopy],
        revision: str | None,
        token: str | bool | None,
    ) -> dict[int, tuple[_Line, bool]]:
        """For each copy its line, and whether the same file is there already. Small files are fetched."""
        about: dict[str, Any] = {"repo_type": kind, "token": token}
        there = self._files(repo_id, [copy.path_in_repo for copy in copies], revision, about)
        done: dict[int, tuple[_Line, bool]] = {}
        for source, group in groupby(sorted(copies, key=lambda c: c.src_revision or ""), lambda c: c.src_revision):
            some, at = list(group), source or revision
            files = self._files(repo_id, [copy.src_path_in_repo for copy in some], at, about)
            for copy in some:
                file = files.get(copy.src_path_in_repo)
                if file is None:
                    msg = (
                        f"Cannot copy {copy.src_path_in_repo} at revision {at or 'main'}: file is missing on repo "
                        f"{repo_id}."
                    )
                    raise EntryNotFoundError(msg)
                before = there.get(copy.path_in_repo)
                same = before is not None and before.blob_id == file.blob_id
                if file.lfs is not None:
                    line: _Line = ("lfsFile", copy.path_in_repo, None, file.lfs.sha256, None)
                else:
                    url = self.hf_hub_url(repo_id, copy.src_path_in_repo, repo_type=kind, revision=at)
                    content = self._send("GET", url, token=token).content
                    line = ("file", copy.path_in_repo, content, None, None)
                done[id(copy)] = (line, same)
        return done

    def _files(
        self, repo_id: str, paths: Sequence[str], revision: str | None, about: dict[str, Any]
    ) -> dict[str, RepoFile]:
        found: dict[str, RepoFile] = {}
        for entry in self.get_paths_info(repo_id, paths, revision=revision, **about):
            if isinstance(entry, RepoFolder):
                msg = f"{entry.path} of {repo_id} is a folder: only files are copied, or written over by a copy"
                raise UnsupportedError(msg)
            found[entry.path] = entry
        return found

    def _validate_card(self, card: CommitOperationAdd, kind: str, token: str | bool | None) -> None:
        """Asks the hub about the metadata of a card before anything is uploaded.

        Raises:
            ValueError: it is not valid.
        """
        with card.as_file() as file:
            question = {"content": file.read().decode(errors="replace"), "repoType": kind}
        try:
            body = json.dumps(question).encode()
            answer = self._send(
                "POST", "/api/validate-yaml", token=token, body=body, content_type="application/json"
            ).content
        except BadRequestError as error:
            msg = f"Invalid metadata in README.md: {error.server_message or error}"
            raise ValueError(msg) from error
        except HfHubHTTPError as error:
            if error.status == 404:
                return  # a hub that does not check
            raise
        said = decoded(answer, "the check of README.md") if answer else {}
        listed = said.get("warnings") if isinstance(said, dict) else None
        notes = [str(note.get("message")) for note in listed or [] if isinstance(note, dict)]
        if notes:
            warnings.warn("Warnings while validating metadata in README.md:\n" + "\n".join(notes), stacklevel=5)


def _branch(revision: str | None) -> str | None:
    """A branch to commit to: as it was named, also if it has been resolved to a commit."""
    return None if revision is None else str(revision)


def _overtaken(kind: str, repo_id: str, parent: str, newest: str) -> HfHubHTTPError:
    """What the hub says to a commit on top of one that is not the newest, where no commit had to be sent."""
    error = HfHubHTTPError(f"{kind} {repo_id}: a commit has happened since {parent}: {newest} (HTTP 412)")
    error.status, error.repo_id = 412, repo_id
    return error
