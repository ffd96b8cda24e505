"""Feature types. A feature is one of these, or a dict of features (a struct)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Feature: TypeAlias = Any
"""`Value`, `ClassLabel`, `List`, `LargeList`, `Image`, `Other`, or a dict of these."""

_ALIASES = {"float": "float32", "double": "float64", "utf8": "string", "large_utf8": "large_string", "bool_": "bool"}


@dataclass
class Value:
    """A scalar of an Arrow type.

    Args:
        dtype: "int64", "string", "float32", "timestamp[us]", "bool", …
    """

    dtype: str

    def __post_init__(self) -> None:
        self.dtype = _ALIASES.get(self.dtype, self.dtype)

    def __repr__(self) -> str:
        return f"Value({self.dtype!r})"


@dataclass
class ClassLabel:
    """An integer that names a class, stored as int64.

    Args:
        num_classes: number of classes; named "0", "1", … if no names are given.
        names: names of the classes.

    Raises:
        ValueError: neither is given, they disagree, or a name comes twice.
    """

    num_classes: int | None = None
    names: list[str] | None = None
    dtype: str = field(default="int64", init=False, repr=False)

    def __post_init__(self) -> None:
        if self.names is None:
            if self.num_classes is None:
                msg = "Please provide either num_classes or names."
                raise ValueError(msg)
            self.names = [str(i) for i in range(self.num_classes)]
        self.names = [str(name) for name in self.names]
        if self.num_classes is None:
            self.num_classes = len(self.names)
        if self.num_classes != len(self.names):
            msg = f"ClassLabel number of names do not match the defined num_classes. Got {len(self.names)} names VS {self.num_classes} num_classes"
            raise ValueError(msg)
        if len(set(self.names)) != len(self.names):
            msg = "Some label names are duplicated. Each label name should be unique."
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"ClassLabel(names={self.names!r})"

    def str2int(self, values: Any) -> Any:
        """The number of a name, or of each of an iterable of names.

        Raises:
            ValueError: an unknown name.
        """
        if isinstance(values, str):
            return self._number(values)
        return [self._number(value) for value in values]

    def _number(self, name: Any) -> int:
        names = self.names or []
        text = str(name)
        for candidate in (text, text.strip()):
            if candidate in names:
                return names.index(candidate)
        try:
            number = int(text)
        except ValueError:
            number = -1
        if 0 <= number < len(names):
            return number
        msg = f"Invalid string class label {name}"
        raise ValueError(msg)

    def int2str(self, values: Any) -> Any:
        """The name of a number, or of each of an iterable of numbers.

        Raises:
            ValueError: a number out of range.
        """
        names = self.names or []

        def name(value: Any) -> str:
            if not 0 <= int(value) < len(names):
                msg = f"Invalid integer class label {value}"
                raise ValueError(msg)
            return names[int(value)]

        return name(values) if hasattr(values, "__index__") else [name(value) for value in values]


@dataclass
class List:
    """A list.

    Args:
        feature: feature of the items.
        length: number of items where it is fixed, else -1.
    """

    feature: Feature
    length: int = -1

    def __repr__(self) -> str:
        return f"List({self.feature!r})" if self.length < 0 else f"List({self.feature!r}, length={self.length})"


@dataclass
class LargeList:
    """A list with 64-bit offsets."""

    feature: Feature

    def __repr__(self) -> str:
        return f"LargeList({self.feature!r})"


@dataclass
class Json:
    """Values of any type, stored as JSON text and shown as what the text says.

    Args:
        decode: False shows the text.
    """

    decode: bool = True

    def encode_example(self, value: Any) -> str | None:
        """The text of a value; a string that is JSON already stays as it is."""
        if value is None:
            return None
        if isinstance(value, str):
            try:
                json.loads(value)
            except ValueError:
                return json.dumps(value, ensure_ascii=False)
            return value
        return json.dumps(value, ensure_ascii=False)


@dataclass
class Other:
    """A feature that is stored and shown as it is: Audio, Video, Translation, Array2D and the like.

    Attributes:
        spec: its form in the Hub's JSON.
    """

    spec: dict[str, Any]

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.spec.items() if k != "_type")
        return f"{self.spec.get('_type')}({arguments})"


def Sequence(feature: Feature, length: int = -1) -> Feature:  # noqa: N802  # the official name
    """The older list: of a struct it is a struct of lists, of anything else a `List`."""
    if isinstance(feature, dict):
        return {name: List(inner, length) for name, inner in feature.items()}
    return List(feature, length)
