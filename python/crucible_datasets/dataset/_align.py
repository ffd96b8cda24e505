"""Features of datasets that are put together."""

from __future__ import annotations

from collections.abc import Sequence

from crucible_datasets.features import Feature, Features, Value, _check_if_features_can_be_aligned, is_null_feature


def union(features: Sequence[Features]) -> Features:
    """All columns, in order of first appearance. Equal names have equal features, null goes with anything.

    Raises:
        ValueError: two features of one name that differ.
    """
    _check_if_features_can_be_aligned(list(features))
    return joined(features)


def joined(features: Sequence[Features]) -> Features:
    """As `union`, without the check: the first feature of a name that is not null wins; structs have all fields."""
    found: dict[str, Feature] = {}
    for each in features:
        for name, feature in each.items():
            found[name] = _merged(found[name], feature) if name in found else feature
    return Features(found)


def _merged(a: Feature, b: Feature) -> Feature:
    if isinstance(a, dict) and isinstance(b, dict):
        return {**a, **{name: _merged(a[name], inner) if name in a else inner for name, inner in b.items()}}
    return b if is_null_feature(a) and b != Value("null") else a
