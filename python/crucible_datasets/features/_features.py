"""`Features`: a dict of column names and features, and its forms in JSON and YAML."""

from __future__ import annotations

import json
from typing import Any

from crucible_datasets.features._image import Image
from crucible_datasets.features._types import ClassLabel, Feature, Json, LargeList, List, Other, Sequence, Value


def to_json(feature: Feature) -> Any:
    """The Hub's JSON of one feature."""
    if isinstance(feature, Value):
        return {"dtype": feature.dtype, "_type": "Value"}
    if isinstance(feature, ClassLabel):
        return {"names": feature.names, "_type": "ClassLabel"}
    if isinstance(feature, List):
        length = {} if feature.length < 0 else {"length": feature.length}
        return {"feature": to_json(feature.feature), **length, "_type": "List"}
    if isinstance(feature, LargeList):
        return {"feature": to_json(feature.feature), "_type": "LargeList"}
    if isinstance(feature, Image):
        mode = {} if feature.mode is None else {"mode": feature.mode}
        return {**mode, **({} if feature.decode else {"decode": False}), "_type": "Image"}
    if isinstance(feature, Json):
        return {"_type": "Json"} if feature.decode else {"decode": False, "_type": "Json"}
    if isinstance(feature, Other):
        return feature.spec
    if isinstance(feature, dict):
        return {name: to_json(inner) for name, inner in feature.items()}
    if isinstance(feature, list) and len(feature) == 1:
        return {"feature": to_json(feature[0]), "_type": "List"}
    msg = f"{feature!r} is not a feature"
    raise TypeError(msg)


def from_json(spec: Any) -> Feature:
    """One feature of the Hub's JSON, old forms included."""
    if isinstance(spec, list) and len(spec) == 1:
        return List(from_json(spec[0]))
    if not isinstance(spec, dict):
        msg = f"{spec!r} is not a feature"
        raise ValueError(msg)
    kind = spec.get("_type")
    if not isinstance(kind, str):
        return {name: from_json(inner) for name, inner in spec.items()}
    length = spec.get("length")
    length = -1 if length is None else int(length)
    if kind == "Value":
        return Value(spec["dtype"])
    if kind == "ClassLabel":
        return ClassLabel(num_classes=spec.get("num_classes"), names=spec.get("names"))
    if kind == "List":
        return List(from_json(spec["feature"]), length)
    if kind == "Sequence":
        return Sequence(from_json(spec["feature"]), length)
    if kind == "LargeList":
        return LargeList(from_json(spec["feature"]))
    if kind == "Image":
        return Image(mode=spec.get("mode"), decode=spec.get("decode", True))
    if kind == "Json":
        return Json(decode=spec.get("decode", True))
    return Other({key: value for key, value in spec.items() if key != "id"})


def _names(names: Any) -> list[str]:
    return [str(names[key]) for key in sorted(names, key=int)] if isinstance(names, dict) else [str(n) for n in names]


def _from_yaml(spec: Any) -> Feature:
    """One feature of a card's YAML, without its name."""
    for key, make in (("list", List), ("sequence", Sequence)):
        if key in spec:
            inner = spec[key]
            length = int(spec.get("length", -1))
            return make(_from_yaml_inner(inner), length)
    if "large_list" in spec:
        return LargeList(_from_yaml_inner(spec["large_list"]))
    if "struct" in spec:
        return {item["name"]: _from_yaml(item) for item in spec["struct"]}
    return _from_yaml_dtype(spec.get("dtype"))


def _from_yaml_inner(inner: Any) -> Feature:
    if isinstance(inner, list):
        return {item["name"]: _from_yaml(item) for item in inner}
    if isinstance(inner, str):
        return _from_yaml_dtype(inner)
    if set(inner) & {"list", "sequence", "large_list", "struct", "dtype"}:
        return _from_yaml(inner)
    return _from_yaml_dtype(inner)


def _from_yaml_dtype(dtype: Any) -> Feature:
    if isinstance(dtype, list):
        return {item["name"]: _from_yaml(item) for item in dtype}
    kind, options = (dtype, {}) if isinstance(dtype, str) else next(iter(dtype.items()))
    options = options or {}
    if kind == "class_label":
        return ClassLabel(names=_names(options["names"]))
    if kind == "image":
        return Image(mode=options.get("mode"), decode=options.get("decode", True))
    if kind == "json":
        return Json(decode=options.get("decode", True))
    others = {"audio", "video", "pdf", "nifti", "mesh", "translation", "translation_variable_languages"}
    if kind in others or str(kind).startswith("array"):
        name = "".join(part.capitalize() for part in kind.split("_"))
        return Other({**options, "_type": name.replace("2d", "2D").replace("3d", "3D")})
    return Value(str(kind))


class Features(dict[str, Feature]):
    """Columns and their features, in order.

    >>> Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    {'text': Value('string'), 'label': ClassLabel(names=['neg', 'pos'])}
    """

    @classmethod
    def from_dict(cls, spec: dict[str, Any]) -> Features:
        """From the Hub's JSON form (`{"column": {"dtype": "string", "_type": "Value"}}`)."""
        return cls({name: from_json(inner) for name, inner in spec.items()})

    def to_dict(self) -> dict[str, Any]:
        """The Hub's JSON form."""
        return {name: to_json(feature) for name, feature in self.items()}

    @classmethod
    def from_yaml(cls, spec: list[dict[str, Any]]) -> Features:
        """From the `features` of a dataset card."""
        return cls({item["name"]: _from_yaml(item) for item in spec})

    @classmethod
    def from_text(cls, text: str) -> Features:
        """From JSON text."""
        return cls.from_dict(json.loads(text))

    def to_text(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict())

    def copy(self) -> Features:
        """A shallow copy."""
        return Features(self)

    def encode_example(self, example: dict[str, Any]) -> dict[str, Any]:
        """The stored form of a row: class names as numbers, images as bytes; missing columns are None."""
        return {name: encode(feature, example.get(name)) for name, feature in self.items()}


def encode(feature: Feature, value: Any) -> Any:
    """The stored form of one value."""
    if value is None:
        return None
    if isinstance(feature, ClassLabel) and isinstance(value, str):
        return feature.str2int(value)
    if isinstance(feature, Image | Json):
        return feature.encode_example(value)
    if isinstance(feature, List | LargeList) and needs_encoding(feature.feature):
        return [encode(feature.feature, item) for item in value]
    if isinstance(feature, dict) and isinstance(value, dict) and needs_encoding(feature):
        return {name: encode(inner, value.get(name)) for name, inner in feature.items()}
    return value


def needs_encoding(feature: Feature) -> bool:
    """Whether values of a feature may have another stored form."""
    if isinstance(feature, List | LargeList):
        return needs_encoding(feature.feature)
    if isinstance(feature, dict):
        return any(needs_encoding(inner) for inner in feature.values())
    return isinstance(feature, ClassLabel | Image | Json)
