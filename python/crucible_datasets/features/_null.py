"""Features with parts whose type nobody knows: all values seen were None."""

from __future__ import annotations

from crucible_datasets.features._types import Feature, LargeList, List, Value


def has_null(feature: Feature) -> bool:
    """Whether a part of a feature, at any depth, is `null`."""
    if isinstance(feature, Value):
        return feature.dtype == "null"
    if isinstance(feature, dict):
        return any(has_null(inner) for inner in feature.values())
    return isinstance(feature, List | LargeList) and has_null(feature.feature)


def opened_null(feature: Feature, found: Feature) -> Feature:
    """A feature whose `null` parts have the types that were found in other values."""
    if isinstance(feature, Value):
        return found if feature.dtype == "null" else feature
    if isinstance(feature, dict) and isinstance(found, dict):
        return {name: opened_null(inner, found[name]) if name in found else inner for name, inner in feature.items()}
    if isinstance(feature, List | LargeList) and isinstance(found, List | LargeList):
        return type(feature)(opened_null(feature.feature, found.feature))
    return feature
