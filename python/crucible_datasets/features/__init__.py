"""Features: the logical types of columns."""

from __future__ import annotations

from crucible_datasets.features._align import (
    _align_features,
    _check_if_features_can_be_aligned,
    is_null_feature,
    require_decoding,
    require_storage_cast,
    require_storage_embed,
)
from crucible_datasets.features._arrays import Array2D, Array3D, Array4D, Array5D
from crucible_datasets.features._decode import decoder
from crucible_datasets.features._encode import encode, encode_column, images_encoded, images_in_rows, needs_encoding
from crucible_datasets.features._features import Features
from crucible_datasets.features._image import Image, decode_image
from crucible_datasets.features._media import Audio, BioSequence, BioStructure, Mesh, Nifti, Pdf, Video
from crucible_datasets.features._null import has_null, opened_null
from crucible_datasets.features._translation import Translation, TranslationVariableLanguages
from crucible_datasets.features._types import ClassLabel, Feature, Json, LargeList, List, Sequence, Value

__all__ = [
    "Array2D",
    "Array3D",
    "Array4D",
    "Array5D",
    "Audio",
    "BioSequence",
    "BioStructure",
    "ClassLabel",
    "Feature",
    "Features",
    "Image",
    "Json",
    "LargeList",
    "List",
    "Mesh",
    "Nifti",
    "Pdf",
    "Sequence",
    "Translation",
    "TranslationVariableLanguages",
    "Value",
    "Video",
    "_align_features",
    "_check_if_features_can_be_aligned",
    "decode_image",
    "decoder",
    "encode",
    "encode_column",
    "has_null",
    "images_encoded",
    "images_in_rows",
    "is_null_feature",
    "needs_encoding",
    "opened_null",
    "require_decoding",
    "require_storage_cast",
    "require_storage_embed",
]
