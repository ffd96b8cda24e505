"""Uploads of datasets: shards, the card, the commit. Stands on `hfhub`."""

from __future__ import annotations

from crucible_datasets.push._card import updated_card
from crucible_datasets.push._configs import MetadataConfigs
from crucible_datasets.push._mixins import PushDictMixin, PushMixin
from crucible_datasets.push._shards import SplitShards, checked_count, part, shards_of

__all__ = [
    "MetadataConfigs",
    "PushDictMixin",
    "PushMixin",
    "SplitShards",
    "checked_count",
    "part",
    "shards_of",
    "updated_card",
]
