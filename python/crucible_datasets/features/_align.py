"""Questions about features, and features of several datasets brought together."""

from __future__ import annotations

from typing import Any

from crucible_datasets.features._features import Features
from crucible_datasets.features._types import Feature, LargeList, List, Value


def require_decoding(feature: Feature, ignore_decode_attribute: bool = False) -> bool:
    """Whether a shown value differs from the stored one.

    Args:
        feature: a feature, nested ones included.
        ignore_decode_attribute: whether `decode=False` counts like `decode=True`.
    """
    return _any(feature, lambda leaf: hasattr(leaf, "decode_example") and (ignore_decode_attribute or leaf.decode))


def require_storage_cast(feature: Feature) -> bool:
    """Whether a feature casts stored values in a way of its own."""
    return _any(feature, lambda leaf: type(leaf).__name__ in ("ClassLabel", "Json") or hasattr(leaf, "decode_example"))


def require_storage_embed(feature: Feature) -> bool:
    """Whether a feature stores paths whose files can be put in."""
    return _any(feature, lambda leaf: hasattr(leaf, "decode_example") and type(leaf).__name__ != "Json")


def _any(feature: Feature, test: Any) -> bool:
    if isinstance(feature, dict):
        return any(_any(inner, test) for inner in feature.values())
    if isinstance(feature, list | tuple):
        return _any(feature[0], test)
    if isinstance(feature, List | LargeList):
        return _any(feature.feature, test)
    return bool(test(feature))


def is_null_feature(feature: Feature) -> bool:
    """Whether a feature is of nulls alone, lists of nulls included."""
    if isinstance(feature, List | LargeList):
        return is_null_feature(feature.feature)
    return isinstance(feature, Value) and feature.dtype == "null"


def align_features(features_list: list[Any]) -> list[Features]:
    """The features of several datasets, where a column of nulls takes the feature that another one has for it."""
    found: dict[str, Feature] = {}
    for features in features_list:
        for name, feature in features.items():
            if name in found and isinstance(feature, dict) and isinstance(found[name], dict):
                found[name] = dict(align_features([found[name], feature])[0])
            elif name not in found or is_null_feature(found[name]):
                found[name] = feature
    return [Features({name: found[name] for name in features}) for features in features_list]


def check_if_features_can_be_aligned(features_list: list[Any]) -> None:
    """Checks that datasets have the same feature for each column they share, or nulls.

    Raises:
        ValueError: with the column and both features.
    """
    found: dict[str, Feature] = {}
    for features in features_list:
        for name, feature in features.items():
            if name not in found or is_null_feature(found[name]):
                found[name] = feature
    for features in features_list:
        for name, feature in features.items():
            if isinstance(feature, dict) and isinstance(found[name], dict):
                check_if_features_can_be_aligned([found[name], feature])
            elif not is_null_feature(feature) and found[name] != feature:
                msg = f'The features can\'t be aligned because the key {name} of features {features} has unexpected type - {feature} (expected either {found[name]} or Value("null")).'
                raise ValueError(msg)


_align_features = align_features
_check_if_features_can_be_aligned = check_if_features_can_be_aligned
