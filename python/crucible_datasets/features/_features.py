"""`Features`: a dict of column names and features, and its forms in JSON, YAML and Arrow."""

from __future__ import annotations

import copy
import json
from typing import Any

from _crucible import _native
from crucible_datasets.errors import LimitError, SchemaError
from crucible_datasets.features._arrow import json_of, schema_of
from crucible_datasets.features._bounds import MAX_DEPTH, checked, placed
from crucible_datasets.features._decode import decoder
from crucible_datasets.features._encode import encode, encode_column, plain
from crucible_datasets.features._json import from_json
from crucible_datasets.features._types import Feature, LargeList, List
from crucible_datasets.features._yaml import from_yaml, to_yaml


def _current(feature: Feature) -> Feature:
    """The feature with `List` in place of the short form `[feature]`."""
    if isinstance(feature, list):
        if len(feature) != 1:
            msg = "When defining list feature, you should just provide one example of the inner type"
            raise ValueError(msg)
        return List(_current(feature[0]))
    if isinstance(feature, Features):
        return feature
    if isinstance(feature, dict):
        return {name: _current(inner) for name, inner in feature.items()}
    if isinstance(feature, List | LargeList):
        inner = _current(feature.feature)
        if inner is feature.feature or inner == feature.feature:
            return feature
        return LargeList(inner) if isinstance(feature, LargeList) else List(inner, length=feature.length)
    return feature


class Features(dict[str, Feature]):
    """Columns and their features, in order.

    >>> Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    {'text': Value('string'), 'label': ClassLabel(names=['neg', 'pos'])}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, feature in self.items():
            if isinstance(feature, dict | list | List | LargeList):
                dict.__setitem__(self, name, _current(feature))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))

    # ------------------------------------------------------------------------------------------------- other forms

    @classmethod
    def from_dict(cls, dic: dict[str, Any]) -> Features:
        """From the Hub's JSON form (`{"column": {"dtype": "string", "_type": "Value"}}`), old ones included.

        Raises:
            SchemaError: not that form, or an unknown type, with the place. It is a `ValueError`.
            LimitError: nested too deep, or too much.
        """
        checked(dic)
        if not isinstance(dic, dict):
            msg = f"Expected a dict of features but got a list: {dic!r:.100}"
            raise SchemaError(msg)
        columns = {name: from_json(inner, str(name)) for name, inner in dic.items()}
        with placed(""):
            return cls(columns)

    def to_dict(self) -> dict[str, Any]:
        """The Hub's JSON form."""
        return {name: json_of(feature) for name, feature in self.items()}

    @classmethod
    def from_yaml(cls, spec: list[dict[str, Any]]) -> Features:
        """From the `features` of a dataset card.

        Raises:
            SchemaError: not that form, or an unknown type, with the place. It is a `ValueError`.
            LimitError: nested too deep, or too much.
        """
        if isinstance(spec, list | dict):
            checked(spec, 4)  # a list of dicts inside of two dicts
        columns = from_yaml(spec)
        with placed(""):
            return cls(columns)

    def to_yaml(self) -> list[dict[str, Any]]:
        """As the `features` of a dataset card."""
        return to_yaml(self)

    _from_yaml_list = from_yaml
    _to_yaml_list = to_yaml

    @classmethod
    def from_text(cls, text: str) -> Features:
        """From JSON text; errors as `from_dict`."""
        try:
            spec = json.loads(text)
        except RecursionError as error:
            msg = f"features nested deeper than {MAX_DEPTH}"
            raise LimitError(msg) from error
        return cls.from_dict(spec)

    def to_text(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_arrow_schema(cls, pa_schema: Any) -> Features:
        """From an Arrow schema: what its metadata says where that agrees with the types, else what the types say.

        Args:
            pa_schema: a `pyarrow.Schema`, or anything with `__arrow_c_schema__`.

        Raises:
            UnsupportedError: a type without a feature.
        """
        return cls.from_text(_native.features_from_arrow_schema(pa_schema))

    @property
    def arrow_schema(self) -> Any:
        """The `pyarrow.Schema`, with these features in its metadata. Needs pyarrow."""
        return schema_of(self.to_dict())

    @property
    def type(self) -> Any:
        """The `pyarrow.DataType` of a row: a struct. Needs pyarrow."""
        return schema_of({"_": self.to_dict()}).field(0).type

    # ------------------------------------------------------------------------------------------------------ values

    def encode_example(self, example: dict[str, Any]) -> dict[str, Any]:
        """The stored form of a row: class names as numbers, images as bytes. Missing columns are None, others dropped.

        Raises:
            ValueError, TypeError: a value that its feature cannot take.
        """
        encoded: dict[str, Any] = encode(dict(self), plain(example))
        return encoded

    def encode_column(self, column: Any, column_name: str) -> list[Any]:
        """The stored form of a column's values; errors as `encode_example`."""
        return list(encode_column(self[column_name], column))

    def encode_batch(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """The stored form of a batch.

        Raises:
            ValueError: other columns, or a value that its feature cannot take.
        """
        if set(batch) != set(self):
            msg = f"Column mismatch between batch {set(batch)} and features {set(self)}"
            raise ValueError(msg)
        return {name: self.encode_column(column, name) for name, column in batch.items()}

    def decode_example(self, example: dict[str, Any], token_per_repo_id: Any = None) -> dict[str, Any]:  # noqa: ARG002  # the official signature
        """What is shown for a stored row."""
        return {name: self._decoded(name, [value])[0] for name, value in example.items()}

    def decode_column(self, column: list[Any], column_name: str, token_per_repo_id: Any = None) -> list[Any]:  # noqa: ARG002  # the official signature
        """What is shown for stored values of a column."""
        return self._decoded(column_name, column)

    def decode_batch(self, batch: dict[str, list[Any]], token_per_repo_id: Any = None) -> dict[str, list[Any]]:  # noqa: ARG002  # the official signature
        """What is shown for a stored batch."""
        return {name: self._decoded(name, column) for name, column in batch.items()}

    def _decoded(self, name: str, values: list[Any]) -> list[Any]:
        decode = decoder(self[name])
        return values if decode is None else [decode(value) for value in values]

    # ------------------------------------------------------------------------------------------------------- forms

    def copy(self) -> Features:
        """A deep copy."""
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Features:
        return type(self)({name: copy.deepcopy(feature, memo) for name, feature in self.items()})

    def reorder_fields_as(self, other: Features) -> Features:
        """The same features with columns and struct fields in the order of `other`.

        Raises:
            ValueError: other names, or a struct or list against something else, with the place.
        """
        return Features(_reordered(dict(self), dict(other), ""))

    def flatten(self, max_depth: int = 16) -> Features:
        """Structs as columns of their own, named `column.field`, level by level.

        Args:
            max_depth: levels at most.
        """
        current = self.copy()
        for _ in range(1, max_depth):
            flat = current.copy()
            for name, feature in current.items():
                made = getattr(feature, "flatten", None)
                parts = feature if isinstance(feature, dict) else made() if made is not None else feature
                if isinstance(parts, dict):
                    flat.update({f"{name}.{key}": inner for key, inner in parts.items()})
                    del flat[name]
            if flat == current and list(flat) == list(current):
                break
            current = flat
        return current


def _reordered(source: Feature, target: Feature, place: str) -> Feature:
    at = f" at {place[1:]}" if place else ""
    for kind in (dict, List, LargeList):
        if isinstance(source, kind) and not isinstance(target, kind):
            msg = f"Type mismatch: between {source} and {target}{at}"
            raise ValueError(msg)
    if isinstance(source, dict):
        if sorted(source) != sorted(target):
            msg = (
                f"Keys mismatch: between {source} (source) and {target} (target).\n"
                f"{source.keys() - target.keys()} are missing from target and {target.keys() - source.keys()} are missing from source{at}"
            )
            raise ValueError(msg)
        return {name: _reordered(source[name], target[name], f"{place}.{name}") for name in target}
    if isinstance(source, List):
        return List(_reordered(source.feature, target.feature, f"{place}.<list>"), length=source.length)
    if isinstance(source, LargeList):
        return LargeList(_reordered(source.feature, target.feature, f"{place}.<list>"))
    return source
