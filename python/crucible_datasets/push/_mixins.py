"""`push_to_hub` as a method: of what has rows, and of dicts of such."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

from crucible_datasets.push._push import Target, push
from crucible_datasets.push._shards import SplitShards, by_split, check_same_features, check_sizes
from crucible_datasets.splits import check_split_name
from hfhub import CommitInfo


class PushMixin:
    """Uploads of a dataset or a stream, which says how its rows are cut."""

    _split_shards: Callable[[str, int | str | None, int | None, int | None], SplitShards]
    """The rows as they are uploaded: of the split's name, `max_shard_size`, `num_shards` and `num_proc`."""

    def _ready(self) -> Self:
        """The same with features that are known."""
        return self

    def push_to_hub(
        self,
        repo_id: str,
        config_name: str = "default",
        set_default: bool | None = None,
        split: str | None = None,
        data_dir: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = False,
        max_shard_size: int | str | None = None,
        num_shards: int | None = None,
        embed_external_files: bool = True,
        num_proc: int | None = None,
    ) -> CommitInfo:
        """Uploads the rows as a split of a dataset repository: Parquet files, and a card that describes them.

        The repository is made if there is none. Older files of this split go; other splits of the config stay, and must
        have the same features. When somebody else commits meanwhile, the commit is made again on top of theirs.

        A stream is uploaded while it is read, a shard at a time. Each of its shards becomes a file, unless `num_shards` or
        `max_shard_size` says otherwise: fewer files have whole shards in their order, of more files each has every
        so-many-th row of a shard. Features that are not known are those of the first rows.

        Args:
            repo_id: `namespace/name`; a bare name is in the namespace of the token's user.
            config_name: the config (subset).
            set_default: whether it becomes the default config.
            split: the split; that of the rows when absent, else "train".
            data_dir: the folder of the files; the config's name when absent, `data` for the default config.
            commit_message: the first line of the commit's message; "Upload dataset" when absent.
            commit_description: the rest of it.
            private: whether a new repository is private; the namespace's default when absent.
            token: a token; the stored one when absent.
            revision: the branch, made if there is none; `main` when absent.
            create_pr: whether to open a pull request instead.
            max_shard_size: size of a file at most as Arrow data; of a dataset "500MB" when absent. A stream is read once
                before to know how much it is.
            num_shards: number of files instead.
            embed_external_files: whether images and the like that are stored by path are uploaded with their bytes.
            num_proc: the least number of files (of a stream with `max_shard_size`); threads do the work.

        Returns:
            The commit.

        Raises:
            ValueError: both `max_shard_size` and `num_shards`, a name that no split or config can have, other features
                than the other splits, another default config.
            IndexError: more files than a dataset has rows.
            UnsupportedError: a bucket.
            HfHubHTTPError: and its subclasses, of `hfhub`: no right to write, for example.
            OSError: a file cannot be read or written.
        """
        check_sizes(max_shard_size, num_shards)
        target = Target(
            repo_id,
            config_name,
            set_default,
            data_dir,
            commit_message,
            commit_description,
            private,
            token,
            revision,
            create_pr,
            embed_external_files,
        )
        own = getattr(self, "split", None) or "train"
        name = check_split_name(str(own if split is None else split))
        shards = self._ready()._split_shards(name, max_shard_size, num_shards, num_proc)
        return push([shards], target, whole=False)


_Rows = TypeVar("_Rows", bound=PushMixin)


class PushDictMixin(dict[str, _Rows]):
    """Uploads of several splits."""

    _holds: ClassVar[type[Any]]
    """The class of the values."""

    def push_to_hub(
        self,
        repo_id: str,
        config_name: str = "default",
        set_default: bool | None = None,
        data_dir: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = False,
        max_shard_size: int | str | None = None,
        num_shards: dict[str, int] | None = None,
        embed_external_files: bool = True,
        num_proc: int | None = None,
    ) -> CommitInfo:
        """Uploads all splits as a config of a dataset repository, with one commit, as `push_to_hub` of a split does.

        Other files in the config's folder go.

        Args:
            repo_id: as for one split, and so are all others but one.
            config_name: the config (subset).
            set_default: whether it becomes the default config.
            data_dir: the folder of the files.
            commit_message: the first line of the commit's message.
            commit_description: the rest of it.
            private: whether a new repository is private.
            token: a token; the stored one when absent.
            revision: the branch.
            create_pr: whether to open a pull request instead.
            max_shard_size: size of a file at most as Arrow data.
            num_shards: numbers of files by split instead.
            embed_external_files: whether images and the like that are stored by path are uploaded with their bytes.
            num_proc: the least number of files of a split.

        Returns:
            The commit.

        Raises:
            ValueError: splits of several features, or none; and as for one split.
            TypeError: a value of another class.
            HfHubHTTPError: and its subclasses, of `hfhub`: no right to write, for example.
            OSError: a file cannot be read or written.
        """
        counts = by_split(num_shards)
        for rows in self.values():
            if not isinstance(rows, self._holds):
                wanted = self._holds.__name__
                msg = f"Values in `{wanted}Dict` should be of type `{wanted}` but got type '{type(rows)}'"
                raise TypeError(msg)
        ready: dict[str, Any] = {name: rows._ready() for name, rows in self.items()}
        check_same_features({name: rows.features for name, rows in ready.items()})
        check_sizes(max_shard_size, next((count for count in counts.values() if count is not None), None))
        target = Target(
            repo_id,
            config_name,
            set_default,
            data_dir,
            commit_message,
            commit_description,
            private,
            token,
            revision,
            create_pr,
            embed_external_files,
        )
        shards = [
            rows._split_shards(check_split_name(str(name)), max_shard_size, counts.get(name), num_proc)
            for name, rows in ready.items()
        ]
        return push(shards, target, whole=True)
