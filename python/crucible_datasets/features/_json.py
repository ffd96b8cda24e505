"""Features from the Hub's JSON, old forms included."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from crucible_datasets.features._arrays import Array2D, Array3D, Array4D, Array5D
from crucible_datasets.features._bounds import (
    checked_classes,
    checked_names,
    checked_scalar,
    checked_shape,
    length_of,
    placed,
)
from crucible_datasets.features._image import Image
from crucible_datasets.features._media import Audio, BioSequence, BioStructure, Mesh, Nifti, Pdf, Video
from crucible_datasets.features._translation import Translation, TranslationVariableLanguages
from crucible_datasets.features._types import ClassLabel, Feature, Json, LargeList, List, Sequence, Value

TYPES: dict[str, Any] = {
    made.__name__: made
    for made in (
        Value, ClassLabel, Translation, TranslationVariableLanguages, LargeList, List, Array2D, Array3D, Array4D, Array5D,
        Audio, Image, Mesh, Video, Pdf, Nifti, BioSequence, BioStructure, Json,
    )
}  # fmt: skip


_SHAPED = (Array2D, Array3D, Array4D, Array5D)


def from_json(spec: Any, place: str = "") -> Feature:
    """One feature of the Hub's JSON. Unknown keys are dropped.

    Args:
        spec: the JSON, of anybody.
        place: where it is, for messages.

    Raises:
        SchemaError: not a feature, or of an unknown type, with the place.
    """
    with placed(place):
        if isinstance(spec, list):
            if len(spec) != 1:
                msg = "When defining list feature, you should just provide one example of the inner type"
                raise ValueError(msg)
            return [from_json(inner, f"{place}[]") for inner in spec]
        if not isinstance(spec, dict):
            msg = f"{spec!r} is not a feature"
            raise ValueError(msg)
        kind = spec.get("_type")
        if kind is None or isinstance(kind, dict):
            return {name: from_json(inner, f"{place}.{name}") for name, inner in spec.items()}
        return _typed(kind, {key: value for key, value in spec.items() if key != "_type"}, place)


def _typed(kind: Any, rest: dict[str, Any], place: str) -> Feature:
    if kind in ("List", "Sequence", "LargeList"):
        if "feature" not in rest:
            msg = f"{kind} without `feature`"
            raise ValueError(msg)
        inner = from_json(rest["feature"], f"{place}[]")
        given = {"id": rest["id"]} if isinstance(rest.get("id"), str) else {}
        if kind == "LargeList":
            return LargeList(inner, **given)
        length = -1 if rest.get("length") is None else length_of(rest["length"])
        return (Sequence if kind == "Sequence" else List)(inner, length=length, **given)
    made = TYPES.get(kind) if isinstance(kind, str) else None
    if made is None:
        msg = f"Feature type '{kind}' not found. Available feature types: {list(TYPES)}"
        raise ValueError(msg)
    if made is ClassLabel and rest.get("names") is None and rest.get("num_classes") is not None:
        checked_classes(rest["num_classes"])
    known = {field.name for field in fields(made)} - {"names_file"}  # what is read must not open files here
    if rest.get("names") is not None:
        known.discard("num_classes")
    if not isinstance(rest.get("id"), str):
        known.discard("id")
    options = {key: value for key, value in rest.items() if key in known}
    for key, value in options.items():
        if key == "shape" and made in _SHAPED:
            checked_shape(value)
        elif key in ("names", "languages"):
            checked_names(key, value, empty=made is not Translation)
        else:
            checked_scalar(key, value)
    return made(**options)
