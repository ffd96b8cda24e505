"""From what a user gives to what is stored: class names to numbers, images to bytes, arrays to plain objects."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from _crucible._native import are_stored
from crucible_datasets.features._image import Image
from crucible_datasets.features._types import ClassLabel, Feature, LargeList, List, Value

_EXACT: dict[str, type] = {"bool": bool, "string": str, "large_string": str, "string_view": str, "float64": float}

_KINDS = {
    "bool": "bool",
    "float16": "float",
    "float32": "float",
    "float64": "float",
    "string": "text",
    "large_string": "text",
    "string_view": "text",
    "binary": "bytes",
    "large_binary": "bytes",
}


def encode(feature: Feature, value: Any, level: int = 0) -> Any:
    """The stored form of one value.

    Of a list, only the first item that is there says whether the items need encoding, as in `datasets`.

    Raises:
        ValueError, TypeError: a value that the feature cannot take.
    """
    if isinstance(feature, dict):
        if value is None:
            if level == 0:
                msg = "Got None but expected a dictionary instead"
                raise ValueError(msg)
            return None
        if not isinstance(value, Mapping):
            msg = f"a value of type {type(value).__name__} is no dict of {list(feature)}"
            raise TypeError(msg)
        return {name: encode(inner, value.get(name), level + 1) for name, inner in feature.items()}
    if value is None:
        return None
    if isinstance(feature, List | LargeList):
        return _encode_list(feature.feature, value, level)
    made = getattr(feature, "encode_example", None)
    return value if made is None else made(value)


def _encode_list(inner: Feature, values: Any, level: int) -> list[Any]:
    if len(values) == 0:
        return list(values)
    first = None
    for first in values:  # of a dict, whose keys become the list, too
        if _there(first, inner):
            break
    try:
        changed = bool(encode(inner, first, level + 1) != first)
    except ValueError:
        changed = False  # arrays do not compare as one; what is wrong shows when it is stored
    return [encode(inner, value, level + 1) for value in values] if changed else list(values)


def _there(value: Any, feature: Feature) -> bool:
    """Whether a value, or the first value inside of lists, is something."""
    if isinstance(value, list | tuple) and isinstance(feature, List | LargeList):
        return len(value) > 0 and _there(value[0], feature.feature)
    return value is not None


def encode_column(feature: Feature, column: Any) -> Any:
    """The stored form of a column's values."""
    if isinstance(feature, Value) and _fits(feature.dtype, column):
        return column
    if isinstance(column, list):
        kind = _kind(feature)
        if kind is not None and are_stored(column, kind):
            return column
    return [encode(feature, value, 1) for value in plain_column(column)]


def _fits(dtype: str, column: Any) -> bool:
    """Whether every value is stored as it is: seen by the types alone, which costs little."""
    if hasattr(column, "dtype"):
        return str(column.dtype) == dtype
    if not isinstance(column, list | tuple):
        return False
    exact = int if dtype.startswith(("int", "uint")) else _EXACT.get(dtype)
    return exact is not None and set(map(type, column)) <= {exact, type(None)}


def _kind(feature: Feature) -> Any:
    """What `are_stored` calls the values of a feature that are stored as they are; None where there are none."""
    if isinstance(feature, dict):
        fields = {name: _kind(inner) for name, inner in feature.items()}
        return None if None in fields.values() else fields
    if isinstance(feature, List | LargeList):
        inner = _kind(feature.feature)
        return None if inner is None else [inner]
    if isinstance(feature, ClassLabel):
        return feature._classes()
    if not isinstance(feature, Value):
        return None
    dtype = feature.dtype
    return "int" if dtype.startswith(("int", "uint")) else _KINDS.get(dtype)


def plain_column(column: Any) -> Any:
    """A column whose objects of other packages are plain ones."""
    if hasattr(column, "__array__") or isinstance(column, str):
        return plain(column) if not isinstance(column, str) else column
    return [plain(value) for value in column]


def plain(value: Any) -> Any:
    """A value without objects of other packages: tensors as arrays, images as stored, mappings as dicts."""
    kind = type(value)
    if kind in (int, str, float, bool, bytes, type(None)):
        return value
    if kind in (list, tuple):
        return [plain(item) for item in value] if any(map(_foreign, value)) else value
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return plain((value.float() if value.dtype == torch.bfloat16 else value).numpy())
    tensorflow: Any = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(value, tensorflow.Tensor):
        return plain(value.numpy())
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False) if not hasattr(value, "dtype") else value.tolist()
    if hasattr(value, "to_pytimedelta"):
        return value.to_pytimedelta()
    if hasattr(value, "ndim") and hasattr(value, "dtype") and value.ndim == 0 and hasattr(value, "__array__"):
        scalar: Any = value
        return scalar.item() if isinstance(value, str | bytes) else scalar[()]  # numpy's own kinds of str and bytes
    return value


def _foreign(value: Any) -> bool:
    return type(value) not in (int, str, float, bool, bytes, type(None))


def images_encoded(columns: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Feature]] | None:
    """Columns of PIL images, or of lists of them, as they are stored, with their features; None without such columns.

    Images in dicts are dicts of bytes and path, without a feature of their own, as in `datasets`.

    Nothing is looked at unless Pillow is loaded.
    """
    pillow: Any = sys.modules.get("PIL.Image")
    if pillow is None:
        return None
    encoded: dict[str, Any] = dict(columns)
    found: dict[str, Feature] = {}
    inside = False
    for name, column in columns.items():
        if not isinstance(column, list | tuple):
            continue
        first = next((v for v in column if v is not None and not (isinstance(v, list) and not v)), None)
        image = Image()
        if isinstance(first, pillow.Image):
            found[name] = image
            encoded[name] = [image.encode_example(value) for value in column]
        elif isinstance(first, list | tuple) and len(first) and isinstance(first[0], pillow.Image):
            found[name] = List(image)
            encoded[name] = [None if v is None else [image.encode_example(item) for item in v] for v in column]
        elif isinstance(first, dict) and any(_holds(value, pillow.Image) for value in column):
            encoded[name] = [_stored(value, pillow.Image) for value in column]
            inside = True
    return (encoded, found) if found or inside else None


def _holds(value: Any, kind: type) -> bool:
    """Whether there is an object of a kind in dicts and lists."""
    if isinstance(value, dict):
        return any(_holds(inner, kind) for inner in value.values())
    return any(_holds(item, kind) for item in value) if isinstance(value, list) else isinstance(value, kind)


def _stored(value: Any, kind: type) -> Any:
    if isinstance(value, dict):
        return {name: _stored(inner, kind) for name, inner in value.items()}
    if isinstance(value, list):
        return [_stored(item, kind) for item in value]
    return Image().encode_example(value) if isinstance(value, kind) else value


def images_in_rows(rows: Any) -> tuple[dict[str, Any], dict[str, Feature]] | None:
    """As `images_encoded`, for rows."""
    if "PIL.Image" not in sys.modules or not isinstance(rows, list | tuple):
        return None
    if not rows or not all(isinstance(row, dict) for row in rows):
        return None
    return images_encoded({name: [row.get(name) for row in rows] for name in rows[0]})


def needs_encoding(feature: Feature) -> bool:
    """Whether values of a feature may have another stored form than most users give."""
    if isinstance(feature, List | LargeList):
        return needs_encoding(feature.feature)
    if isinstance(feature, dict):
        return any(needs_encoding(inner) for inner in feature.values())
    return isinstance(feature, ClassLabel) or (hasattr(feature, "encode_example") and not isinstance(feature, Value))
