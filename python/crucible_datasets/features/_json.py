"""Features from the Hub's JSON, old forms included."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from crucible_datasets.features._arrays import Array2D, Array3D, Array4D, Array5D
from crucible_datasets.features._bounds import checked_classes
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


def from_json(spec: Any) -> Feature:
    """One feature of the Hub's JSON. Unknown keys are dropped.

    Raises:
        ValueError: not a feature, or of an unknown type.
    """
    if isinstance(spec, list):
        return [from_json(inner) for inner in spec]
    if not isinstance(spec, dict):
        msg = f"{spec!r} is not a feature"
        raise ValueError(msg)
    kind = spec.get("_type")
    if kind is None or isinstance(kind, dict):
        return {name: from_json(inner) for name, inner in spec.items()}
    rest = {key: value for key, value in spec.items() if key != "_type"}
    if kind in ("List", "Sequence", "LargeList"):
        if "feature" not in rest:
            msg = f"{kind} without `feature`"
            raise ValueError(msg)
        inner = from_json(rest["feature"])
        given = {"id": rest["id"]} if rest.get("id") is not None else {}
        if kind == "LargeList":
            return LargeList(inner, **given)
        length = -1 if rest.get("length") is None else int(rest["length"])
        return (Sequence if kind == "Sequence" else List)(inner, length=length, **given)
    made = TYPES.get(kind)
    if made is None:
        msg = f"Feature type '{kind}' not found. Available feature types: {list(TYPES)}"
        raise ValueError(msg)
    if made is ClassLabel and rest.get("names") is None and rest.get("num_classes") is not None:
        checked_classes(rest["num_classes"])
    known = {field.name for field in fields(made)} - {"names_file"}  # what is read must not open files here
    if rest.get("names") is not None:
        known.discard("num_classes")
    return made(**{key: value for key, value in rest.items() if key in known})
