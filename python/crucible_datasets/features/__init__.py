"""Features: the logical types of columns."""

from __future__ import annotations

from crucible_datasets.features._decode import decoder
from crucible_datasets.features._features import Features
from crucible_datasets.features._image import Image, decode_image
from crucible_datasets.features._types import ClassLabel, Feature, Json, LargeList, List, Other, Sequence, Value

__all__ = [
    "ClassLabel",
    "Feature",
    "Features",
    "Image",
    "Json",
    "LargeList",
    "List",
    "Other",
    "Sequence",
    "Value",
    "decode_image",
    "decoder",
]
