"""`push_to_hub`: shards to the hub's store, and the commit that makes them a dataset."""

from __future__ import annotations

import logging
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from crucible_datasets.errors import UnsupportedError
from crucible_datasets.io._embed import embedded
from crucible_datasets.io._parquet_out import write_parquet
from crucible_datasets.io._remote import RemoteFiles
from crucible_datasets.push._card import updated_card
from crucible_datasets.push._shards import SplitShards
from crucible_datasets.splits import SplitInfo, check_config_name
from crucible_datasets.utils import progress
from hfhub import (
    CommitInfo,
    CommitOperation,
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    RepoFile,
    __version__,
)
from hfhub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError

logger = logging.getLogger(__name__)
_PER_COMMIT = 50
"""Files of a commit at most, as `datasets.config.UPLOADS_MAX_NUMBER_PER_COMMIT`."""
_TOGETHER, _TOGETHER_BYTES = 8, 1 << 30
"""Shards that wait on disk to be uploaded together, and their bytes, at most."""
_TRIES = 20
"""Commits that are tried while others commit too; the waits grow to half a minute."""
_CARD, _LEGACY = "README.md", "dataset_infos.json"


@dataclass(frozen=True)
class Target:
    """Where to, and what the commit says. The attributes are arguments of `push_to_hub`."""

    repo_id: str
    config_name: str = "default"
    set_default: bool | None = None
    data_dir: str | None = None
    commit_message: str | None = None
    commit_description: str | None = None
    private: bool | None = None
    token: str | None = None
    revision: str | None = None
    create_pr: bool | None = False
    embed_external_files: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.repo_id, str):
            msg = f"repo_id must be a text, 'namespace/name', got {self.repo_id!r}"
            raise TypeError(msg)
        if self.config_name == "data":
            msg = "`config_name` cannot be 'data'. Please, choose another name for configuration."
            raise ValueError(msg)
        if self.repo_id.startswith("buckets/"):
            msg = f"{self.repo_id}: buckets are not supported; push to a repository, `namespace/name`"
            raise UnsupportedError(msg)
        check_config_name(self.config_name)
        CommitOperationAdd(f"{self.folder}/file", b"")  # no repository is made for a folder that it cannot have

    @property
    def folder(self) -> str:
        """The folder of the files."""
        return (self.data_dir or "").strip("/") or ("data" if self.config_name == "default" else self.config_name)

    @property
    def message(self) -> str:
        """The first line of the commit's message."""
        return "Upload dataset" if self.commit_message is None else self.commit_message


@dataclass(frozen=True)
class _Uploaded:
    """A split whose shards are in the store."""

    info: SplitInfo
    size: int
    additions: list[CommitOperationAdd]


def push(splits: Sequence[SplitShards], target: Target, *, whole: bool) -> CommitInfo:
    """Uploads splits and commits them.

    Args:
        splits: at least one, of the same features.
        target: where to.
        whole: whether the config has these splits only: other files in its folder go. Else only older files of these
            splits do.

    Returns:
        The last commit.

    Raises:
        ValueError: the card of the repository does not allow it: other features, another default config.
        HfHubHTTPError: and its subclasses, of `hfhub`: no right to write, others commit all the time, and so on.
        OSError: a file cannot be read or written.
    """
    api = HfApi(token=target.token, library_name="crucible_datasets", library_version=__version__)
    target = replace(target, repo_id=_repository(api, target))
    with tempfile.TemporaryDirectory(prefix="crucible-push-") as folder:
        uploads = [_upload(api, split, target, Path(folder)) for split in splits]
        additions = [addition for upload in uploads for addition in upload.additions]
        if len(additions) > _PER_COMMIT:
            target = _commit_parts(api, additions, target)
            left: list[CommitOperationAdd] = []
        else:
            left = additions
        paths = {addition.path_in_repo for addition in additions}
        return _commit(api, uploads, left, paths, splits[-1], target, whole=whole)


def _repository(api: HfApi, target: Target) -> str:
    """The full id of the repository, which is made if there is none, and its branch."""
    try:
        repo_id = api.repo_info(target.repo_id, repo_type="dataset").id
    except RepositoryNotFoundError:
        made = api.create_repo(target.repo_id, repo_type="dataset", private=target.private, exist_ok=True)
        repo_id = made.repo_id
    if target.revision is not None and not target.revision.startswith("refs/pr/"):
        api.create_branch(repo_id, branch=target.revision, repo_type="dataset", exist_ok=True)
    return repo_id


# ----------------------------------------------------------------------------------------------------------- the store


def _upload(api: HfApi, split: SplitShards, target: Target, folder: Path) -> _Uploaded:
    """Writes the shards of a split and brings them into the store, some at a time."""
    additions: list[CommitOperationAdd] = []
    waiting: list[tuple[CommitOperationAdd, Path]] = []
    rows = arrow = size = waiting_bytes = 0
    with progress("Uploading the dataset shards", split.count, " shards") as meter:

        def send() -> None:
            nonlocal waiting_bytes
            api.preupload_lfs_files(
                target.repo_id,
                [addition for addition, _ in waiting],
                repo_type="dataset",
                revision=target.revision,
                create_pr=target.create_pr,
            )
            for addition, file in waiting:
                if addition.in_store:  # else its bytes come with the commit
                    file.unlink()
            meter.reached(meter.done + len(waiting))
            waiting.clear()
            waiting_bytes = 0

        for index, table in enumerate(split.tables):
            file = folder / f"{split.name}-{index:05d}.parquet"
            named = table.with_features(split.features.to_text())
            if target.embed_external_files:
                named = embedded(named, split.features)
            arrow += write_parquet(named, split.features, file)
            rows += table.num_rows
            length = file.stat().st_size
            size += length
            path = f"{target.folder}/{split.name}-{index:05d}-of-{split.count:05d}.parquet"
            addition = CommitOperationAdd(path, file)
            additions.append(addition)
            waiting.append((addition, file))
            waiting_bytes += length
            if len(waiting) >= _TOGETHER or waiting_bytes >= _TOGETHER_BYTES:
                send()
        if waiting:
            send()
    num_bytes = arrow if split.num_bytes is None else split.num_bytes
    return _Uploaded(SplitInfo(split.name, num_bytes, rows), size, additions)


# --------------------------------------------------------------------------------------------------------- the commits


def _commit_parts(api: HfApi, additions: Sequence[CommitOperationAdd], target: Target) -> Target:
    """Commits the shards of a large dataset, some at a time.

    Returns:
        Where the last commit goes: with a pull request, to the one that the first of these opened.
    """
    count = -(-len(additions) // _PER_COMMIT)
    for number in range(count):
        some = additions[number * _PER_COMMIT : (number + 1) * _PER_COMMIT]
        message = f"{target.message} (part {number:05d}-of-{count:05d})"
        made = _in_turn(api, target, partial(_part, some, message))
        if target.create_pr and made.pr_revision is not None:
            target = replace(target, revision=made.pr_revision, create_pr=False)
    return target


def _part(some: Sequence[CommitOperation], message: str, _parent: str) -> tuple[list[CommitOperation], str]:
    return list(some), message


def _commit(
    api: HfApi,
    uploads: Sequence[_Uploaded],
    additions: Sequence[CommitOperationAdd],
    paths: set[str],
    last: SplitShards,
    target: Target,
    *,
    whole: bool,
) -> CommitInfo:
    """The commit with the card, which takes older files away."""

    def operations(parent: str) -> tuple[list[CommitOperation], str]:
        files = _files(api, target, parent)
        gone = [
            [
                file
                for file in files.values()
                if file.path.startswith(f"{target.folder}/" if whole else f"{target.folder}/{upload.info.name}-")
                and "/" not in file.path.removeprefix(f"{target.folder}/")
            ]
            for upload in uploads
        ]
        remote = RemoteFiles(target.repo_id, parent, target.token)
        card, legacy = updated_card(
            remote.text(_CARD) if _CARD in files else None,
            remote.text(_LEGACY) if _LEGACY in files else None,
            files,
            config_name=target.config_name,
            features=last.features,
            splits=[upload.info for upload in uploads],
            uploaded=[upload.size for upload in uploads],
            deleted=[sum(file.size for file in some) for some in gone],
            data_dir=target.folder,
            set_default=target.set_default,
            whole=whole,
        )
        texts = [CommitOperationAdd(_CARD, card.encode())]
        if legacy is not None:
            texts.append(CommitOperationAdd(_LEGACY, legacy.encode()))
        old = dict.fromkeys(file.path for some in gone for file in some if file.path not in paths)
        deletions = [CommitOperationDelete(path, is_folder=False) for path in old]
        for addition in additions:
            # What the store said of it was about an older commit.
            there = files.get(addition.path_in_repo)
            addition.found(None if there is None else there.lfs.sha256 if there.lfs else there.blob_id)
        return [*additions, *texts, *deletions], target.message

    return _in_turn(api, target, operations)


def _in_turn(api: HfApi, target: Target, make: Callable[[str], tuple[list[CommitOperation], str]]) -> CommitInfo:
    """Makes a commit on top of the newest one; again when somebody else was faster.

    `make` gets the commit that it will be on top of, and gives its operations and its message.
    """
    for tried in range(1, _TRIES + 1):
        parent = str(api.repo_info(target.repo_id, repo_type="dataset", revision=target.revision).sha)
        operations, message = make(parent)
        try:
            return api.create_commit(
                target.repo_id,
                operations,
                commit_message=message,
                commit_description=target.commit_description,
                repo_type="dataset",
                revision=target.revision,
                create_pr=target.create_pr,
                parent_commit=parent,
            )
        except HfHubHTTPError as error:
            if error.status not in (409, 412) or tried == _TRIES:
                raise
            logger.info("%s: another commit was faster (try %s of %s)", target.repo_id, tried, _TRIES)
            time.sleep(min(tried - 1, 30) * (1 + random.random()))  # to spread those who wait
    raise AssertionError


def _files(api: HfApi, target: Target, parent: str) -> dict[str, RepoFile]:
    """The files of a commit that matter: those in its root, of the config, and in `data`."""
    found: dict[str, RepoFile] = {}
    folders: set[str] = set()
    for folder in dict.fromkeys((None, target.folder, "data")):
        if folder is not None and folder.partition("/")[0] not in folders:
            continue  # no such folder yet
        try:
            for entry in api.list_repo_tree(target.repo_id, folder, revision=parent, repo_type="dataset"):
                if isinstance(entry, RepoFile):
                    found[entry.path] = entry
                else:
                    folders.add(entry.path)
        except EntryNotFoundError:
            continue
    return found
