"""Features in the YAML of dataset cards, both ways."""

from __future__ import annotations

import re
from typing import Any

from crucible_datasets.features._arrow import json_of
from crucible_datasets.features._bounds import checked_names, length_of, placed
from crucible_datasets.features._json import TYPES, from_json
from crucible_datasets.features._types import Feature, List, Value

_LISTS = ("large_list", "list", "sequence")


def _snake(name: str) -> str:
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()


_NAMES = {_snake(name): name for name in TYPES}


def to_yaml(columns: dict[str, Feature]) -> list[dict[str, Any]]:
    """The list that a card has under `features`."""
    return [{"name": name, **_one(json_of(feature))} for name, feature in columns.items()]


def _one(spec: Any) -> dict[str, Any]:
    if isinstance(spec, list):
        return {"list": _short(_one(spec[0]))}
    kind = spec.get("_type")
    if not isinstance(kind, str):
        return {"struct": [{"name": name, **_one(inner)} for name, inner in spec.items()]}
    options = {key: _plain(value) for key, value in spec.items() if key not in ("_type", "feature")}
    if kind == "Value":
        return options
    if kind in ("List", "LargeList"):
        return {_snake(kind): _short(_one(spec["feature"])), **options}
    if kind == "ClassLabel":
        options["names"] = {str(number): name for number, name in enumerate(options["names"])}
    return {"dtype": {_snake(kind): options} if options else _snake(kind)}


def _short(inner: dict[str, Any]) -> Any:
    """Items of a list: a bare dtype or struct stands for itself."""
    return inner.get("dtype", inner.get("struct", inner)) if list(inner) in (["dtype"], ["struct"]) else inner


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def from_yaml(spec: Any, place: str = "") -> dict[str, Feature]:
    """The columns of the list that a card has under `features`.

    Args:
        spec: the list, of anybody.
        place: where it is, for messages.

    Raises:
        SchemaError: not such a list; an unknown type; class numbers that are not 0, 1, 2, …; with the place.
    """
    with placed(place):
        if isinstance(spec, dict):
            return {} if not spec else {"": _feature(spec, place)}
        if not isinstance(spec, list):
            msg = f"Expected a list of features but got {type(spec).__name__}: {spec}"
            raise ValueError(msg)
    columns = {}
    for number, item in enumerate(spec):
        with placed(place or f"entry {number}"):
            if not isinstance(item, dict) or "name" not in item:
                msg = f"Expected a mapping with a name and a type but got {item!r}"
                raise ValueError(msg)
            name = item["name"]
            if not isinstance(name, str):
                msg = f"the name of a column must be text, got {name!r}; put it in quotes"
                raise ValueError(msg)
        inner = f"{place}.{name}" if place else name
        columns[name] = _feature({key: value for key, value in item.items() if key != "name"}, inner)
    return columns


def _feature(spec: Any, place: str) -> Feature:
    """One feature, without its name."""
    with placed(place):
        if isinstance(spec, str):
            return _named(spec, {}, place)
        if isinstance(spec, list):
            return from_yaml(spec, place)
        if not isinstance(spec, dict):
            msg = f"Expected a feature but got {type(spec).__name__}: {spec}"
            raise ValueError(msg)
        if not spec:
            return {}
        kind = next((key for key in (*_LISTS, "struct", "dtype") if key in spec), next(iter(spec)))
        inner = spec[kind]
        rest = {key: value for key, value in spec.items() if key != kind}
        if kind in _LISTS:
            return _list(kind, inner, rest, place)
        if kind == "struct":
            return from_yaml(inner, place)
        if kind == "dtype":
            return _named(inner, rest, place) if isinstance(inner, str) else _feature(inner, place)
        return _named(kind, inner if isinstance(inner, dict) else {}, place)


def _list(kind: str, inner: Any, rest: dict[str, Any], place: str) -> Feature:
    length = length_of(rest.get("length", -1))
    feature = _feature(inner, f"{place}[]")
    if kind == "sequence" and isinstance(inner, list):
        return {name: List(sub, length=length) for name, sub in feature.items()}
    if kind == "large_list":
        return from_json({"feature": json_of(feature), "_type": "LargeList"}, place)
    return List(feature, length=length)


def _named(kind: str, options: dict[str, Any], place: str) -> Feature:
    if kind not in _NAMES or kind == "value":
        return Value(kind)
    if kind == "class_label":
        options = {**options, "names": _class_names(options.get("names"))}
    return from_json({**options, "_type": _NAMES[kind]}, place)


def _class_names(names: Any) -> Any:
    if not isinstance(names, dict):
        checked_names("names", names)
        return None if names is None else [str(name) for name in names]
    numbers = sorted(names, key=int)
    if [int(number) for number in numbers] != list(range(len(numbers))):
        last = int(numbers[-1]) + 1
        msg = f"ClassLabel expected a value for all label ids [0:{last}] but some ids are missing."
        raise ValueError(msg)
    return [str(names[number]) for number in numbers]
