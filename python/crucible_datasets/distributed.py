"""Datasets split among the nodes of a distributed run."""

from __future__ import annotations

from typing import Any

from crucible_datasets.dataset import Dataset
from crucible_datasets.iterable import IterableDataset, split_stream_by_node

__all__ = ["split_dataset_by_node"]


def split_dataset_by_node(dataset: Any, rank: int, world_size: int, strategy: str = "auto") -> Any:
    """The part of a dataset for one of several nodes. All parts together have each row once.

    A `Dataset` gives each node neighbouring rows. A stream gives whole shards, every `world_size`-th one, or every
    `world_size`-th row; its order must be the same on all nodes, so shuffle with a seed.

    Args:
        dataset: a `Dataset` or an `IterableDataset`.
        rank: number of the node.
        world_size: number of nodes.
        strategy: for streams: "shards", "examples" (rows), or "auto": the first where the shards can be divided
            evenly, else the second.

    Raises:
        ValueError: an unknown strategy, no such rank, or fewer shards than nodes with "shards".
    """
    if isinstance(dataset, Dataset):
        if strategy != "auto":
            msg = f"strategy={strategy!r} is for streams; a Dataset is always split by rows"
            raise ValueError(msg)
        return dataset.shard(num_shards=world_size, index=rank, contiguous=True)
    if not isinstance(dataset, IterableDataset):
        msg = f"expected a Dataset or an IterableDataset, got {type(dataset).__name__}"
        raise TypeError(msg)
    return split_stream_by_node(dataset, rank, world_size, strategy)
