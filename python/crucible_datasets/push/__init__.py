"""Uploads of datasets: shards, the card, the commit. Stands on `hfhub`."""

from __future__ import annotations

from crucible_datasets.push._card import updated_card
from crucible_datasets.push._configs import MetadataConfigs
from crucible_datasets.push._push import Target, push
from crucible_datasets.push._shards import (
    SplitShards,
    by_split,
    check_same_features,
    check_sizes,
    checked_count,
    part,
    shards_of,
)
from hfhub import CommitInfo

__all__ = [
    "CommitInfo",
    "MetadataConfigs",
    "SplitShards",
    "Target",
    "by_split",
    "check_same_features",
    "check_sizes",
    "checked_count",
    "part",
    "push",
    "shards_of",
    "updated_card",
]
