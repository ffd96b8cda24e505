"""Features of datasets that are put together."""

from __future__ import annotations

from collections.abc import Sequence

from crucible_datasets.features import Feature, Features, _align_features, _check_if_features_can_be_aligned


def union(features: Sequence[Features]) -> Features:
    """All columns, in order of first appearance. Equal names have equal features, null goes with anything.

    Raises:
        ValueError: two features of one name that differ.
    """
    _check_if_features_can_be_aligned(list(features))
    return joined(features)


def joined(features: Sequence[Features]) -> Features:
    """As `union`, without the check: the first feature of a name that is not null wins."""
    found: dict[str, Feature] = {}
    for each in _align_features(list(features)):
        for name, feature in each.items():
            found.setdefault(name, feature)
    return Features(found)
