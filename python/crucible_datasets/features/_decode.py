"""From stored values to what a row shows. Columns without anything to decode cost nothing."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

from crucible_datasets.features._image import Image, decode_image
from crucible_datasets.features._media import Media
from crucible_datasets.features._types import Feature, Json, LargeList, List

Decode = Callable[[Any], Any]


def decoder(feature: Feature, *, numpy: bool = False, json_alone: bool = False) -> Decode | None:
    """A function from the stored value to the shown one; None where they are the same.

    Args:
        feature: the column's feature.
        numpy: whether images become arrays (`Pixels`) instead of PIL objects.
        json_alone: decode JSON texts, also those of `Json(decode=False)`, and nothing else.
    """
    if json_alone and isinstance(feature, Image | Media):
        return None
    if isinstance(feature, Image) and feature.decode:
        image = feature
        if not numpy:
            return lambda value: decode_image(value, image)
        mark = importlib.import_module("crucible_datasets.features._pixels").pixels  # numpy comes when it is used
        return lambda value: mark(decode_image(value, image, numpy=True))
    if isinstance(feature, Json) and (feature.decode or json_alone):
        return lambda value: None if value is None else json.loads(value)
    if isinstance(feature, Media) and feature.decode:
        return lambda value: None if value is None else feature.decode_example(value)
    if isinstance(feature, List | LargeList):
        inner = decoder(feature.feature, numpy=numpy, json_alone=json_alone)
        if inner is not None:
            return lambda values: None if values is None else [inner(value) for value in values]
    if isinstance(feature, dict):
        made = ((name, decoder(sub, numpy=numpy, json_alone=json_alone)) for name, sub in feature.items())
        parts = {name: found for name, found in made if found is not None}
        if parts:
            return lambda value: (
                None if value is None else {k: parts[k](v) if k in parts else v for k, v in value.items()}
            )
    return None
