"""What an upload is made of: the rows of a split in shards, and how many of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from crucible_datasets.io._sizes import SHARD_BYTES, size_in_bytes

if TYPE_CHECKING:
    from _crucible._native import Table
    from crucible_datasets.features import Features


@dataclass(frozen=True)
class SplitShards:
    """A split on its way.

    Attributes:
        name: its name.
        features: of its columns.
        count: number of shards.
        tables: the shards in their order, each made when it is asked for.
        num_bytes: size of the whole as Arrow data; None where only the shards tell.
    """

    name: str
    features: Features
    count: int
    tables: Iterator[Table]
    num_bytes: int | None = None


def check_sizes(max_shard_size: str | int | None, num_shards: object) -> None:
    """There is one way to say it.

    Raises:
        ValueError: both are given.
    """
    if max_shard_size is not None and num_shards is not None:
        msg = "Failed to push_to_hub: please specify either max_shard_size or num_shards, but not both."
        raise ValueError(msg)


def shards_of(num_bytes: int, max_shard_size: str | int | None, num_proc: int | None) -> int:
    """The number of shards of so many bytes, as `datasets` has it.

    Args:
        num_bytes: size as Arrow data.
        max_shard_size: bytes of a shard at most; "500MB" when absent.
        num_proc: the least number.
    """
    return max(num_bytes // size_in_bytes(max_shard_size or SHARD_BYTES) + 1, num_proc or 1)


def checked_count(num_shards: int, rows: int | None = None) -> int:
    """A number of shards.

    Args:
        num_shards: what was given.
        rows: the rows to be divided, None where that is not known.

    Raises:
        ValueError: below 1.
        IndexError: more shards than rows.
        TypeError: no int.
    """
    if not isinstance(num_shards, int):
        msg = f"num_shards must be an int, got {num_shards!r}"
        raise TypeError(msg)
    if num_shards < 1:
        msg = f"num_shards must be at least 1, got {num_shards}"
        raise ValueError(msg)
    if rows is not None and num_shards > max(rows, 1):
        msg = f"{num_shards} files are more than {rows} rows"
        raise IndexError(msg)
    return num_shards


def part(total: int, parts: int, index: int) -> range:
    """The members of one of several parts that are as equal as can be; the first ones have one more."""
    share, more = divmod(total, parts)
    start = share * index + min(index, more)
    return range(start, start + share + (index < more))


def by_split(num_shards: Mapping[str, int | None] | None) -> Mapping[str, int | None]:
    """Numbers of shards of several splits.

    Raises:
        ValueError: no mapping.
    """
    if num_shards is not None and not isinstance(num_shards, Mapping):
        msg = (
            "Please provide one `num_shards` per dataset in the dataset dictionary, "
            f"e.g. {{'train': 128, 'test': 4}}; got {num_shards!r}"
        )
        raise ValueError(msg)  # as in datasets
    return num_shards or {}


def check_same_features(splits: Mapping[str, Features | None]) -> None:
    """All splits of a config have the same features.

    Raises:
        ValueError: two have not, or there is no split.
    """
    if not splits:
        msg = "there is no split to push"
        raise ValueError(msg)
    for (name, features), (other, others) in pairwise(splits.items()):
        if features != others:
            msg = (
                "All datasets in `DatasetDict` should have the same features but features for "
                f"'{name}' and '{other}' don't match: {features} != {others}"
            )
            raise ValueError(msg)
