"""`push_to_hub` of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crucible_datasets.dataset._write import WriteMixin
from crucible_datasets.io._embed import outside_bytes
from crucible_datasets.push import SplitShards, Target, check_sizes, checked_count, push, shards_of
from crucible_datasets.splits import check_split_name

if TYPE_CHECKING:
    from _crucible._native import Table
    from crucible_datasets.push import CommitInfo


class HubMixin(WriteMixin):
    """Uploads."""

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
        """Uploads the dataset as a split of a dataset repository: Parquet files, and a card that describes them.

        The repository is made if there is none. Older files of this split go; other splits of the config stay, and must
        have the same features. When somebody else commits meanwhile, the commit is made again on top of theirs.

        Args:
            repo_id: `namespace/name`; a bare name is in the namespace of the token's user.
            config_name: the config (subset).
            set_default: whether it becomes the default config.
            split: the split; that of the dataset when absent, else "train".
            data_dir: the folder of the files; the config's name when absent, `data` for the default config.
            commit_message: the first line of the commit's message; "Upload dataset" when absent.
            commit_description: the rest of it.
            private: whether a new repository is private; the namespace's default when absent.
            token: a token; the stored one when absent.
            revision: the branch, made if there is none; `main` when absent.
            create_pr: whether to open a pull request instead.
            max_shard_size: size of a file at most as Arrow data, "500MB" when absent.
            num_shards: number of files instead.
            embed_external_files: whether images and the like that are stored by path are uploaded with their bytes.
            num_proc: the least number of files; threads do the work.

        Returns:
            The commit.

        Raises:
            ValueError: both `max_shard_size` and `num_shards`, a name that no split or config can have, other features
                than the other splits, another default config.
            IndexError: more files than rows.
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
        name = check_split_name(str(self.split or "train") if split is None else str(split))
        shards = self._split_shards(name, max_shard_size, num_shards, num_proc)
        return push([shards], target, whole=False)

    def _split_shards(
        self, name: str, max_shard_size: int | str | None, num_shards: int | None, num_proc: int | None
    ) -> SplitShards:
        """The rows as they are uploaded."""
        rows = len(self)
        size = self.nbytes * rows // max(self._table.total_rows, 1) + outside_bytes(self._table, self._features)
        if num_shards is None:
            count = max(1, min(rows, shards_of(size, max_shard_size, num_proc)))
        else:
            count = checked_count(num_shards, rows)

        def tables() -> Iterator[Table]:
            for index in range(count):
                yield self.shard(count, index, contiguous=True)._table if count > 1 else self._table

        return SplitShards(name, self._features, count, tables(), size)
