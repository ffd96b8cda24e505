"""Feature types. A feature is one of these, or a dict of features (a struct)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Sequence as AnySequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from crucible_datasets.features._arrow import ARGUMENT, Typed, array_of, integers, strings
from crucible_datasets.features._dtypes import checked_dtype
from crucible_datasets.features._json_text import json_text

Feature: TypeAlias = Any
"""A `Value`, `ClassLabel`, `List`, `LargeList`, `Array2D`, `Translation`, `Image`, …, or a dict of these."""

_TEXTS = frozenset({"string", "utf8", "large_string", "large_utf8", "string_view"})


@dataclass(repr=False)
class Value(Typed):
    """A scalar of an Arrow type.

    Args:
        dtype: "int64", "string", "float32", "timestamp[us]", "decimal128(10, 2)", "bool", …
        id: a name of the user's own.

    Raises:
        ValueError: no such type.
        TypeError: a type that lacks its unit or size.
    """

    dtype: str
    id: str | None = field(default=None, repr=False)
    _type: str = field(default="Value", init=False, repr=False)

    def __post_init__(self) -> None:
        self.dtype = checked_dtype(self.dtype)

    def __repr__(self) -> str:
        return f"Value({self.dtype!r})"

    def encode_example(self, value: Any) -> Any:
        """What is stored for a value: numbers by `int` and `float`, bools by truth, texts by `str`; else the value.

        Raises:
            ValueError, TypeError: what `int` and `float` raise.
        """
        dtype = self.dtype
        if dtype in ("bool", "bool_"):
            return bool(value)
        if dtype.startswith(("int", "uint")):
            return int(value)
        if dtype.startswith("float"):
            return float(value)
        return str(value) if dtype in _TEXTS else value


@dataclass
class ClassLabel(Typed):
    """An integer that names a class, stored as int64; -1 means that there is no label.

    Args:
        num_classes: number of classes; named "0", "1", … if no names are given.
        names: names of the classes.
        names_file: a text file with one name a line.
        id: a name of the user's own.

    Raises:
        ValueError: none is given, they disagree, or a name comes twice.
    """

    num_classes: int | None = field(default=None, compare=False, metadata=ARGUMENT)
    names: Any = None
    names_file: str | None = field(default=None, compare=False, metadata=ARGUMENT)
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "int64"
    _type: str = field(default="ClassLabel", init=False, repr=False)

    def __post_init__(self) -> None:
        if self.names_file is not None and self.names is not None:
            msg = "Please provide either names or names_file but not both."
            raise ValueError(msg)
        if self.names is None:
            if self.names_file is not None:
                lines = Path(self.names_file).read_text(encoding="utf-8").split("\n")
                self.names = [line.strip() for line in lines if line.strip()]
            elif self.num_classes is not None:
                self.names = [str(i) for i in range(self.num_classes)]
            else:
                msg = "Please provide either num_classes, names or names_file."
                raise ValueError(msg)
        elif not isinstance(self.names, AnySequence):
            msg = f"Please provide names as a list, is {type(self.names)}"
            raise TypeError(msg)
        if self.num_classes is None:
            self.num_classes = len(self.names)
        elif self.num_classes != len(self.names):
            msg = f"ClassLabel number of names do not match the defined num_classes. Got {len(self.names)} names VS {self.num_classes} num_classes"
            raise ValueError(msg)
        self._int2str = [str(name) for name in self.names]
        self._str2int = {name: i for i, name in enumerate(self._int2str)}
        if len(self._int2str) != len(self._str2int):
            msg = "Some label names are duplicated. Each label name should be unique."
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"ClassLabel(names={self.names!r})"

    def _classes(self) -> int:
        return len(self._int2str)

    def str2int(self, values: Any) -> Any:
        """The number of a name, or of each of an iterable of names. Padding is ignored; digits count as numbers.

        Raises:
            ValueError: an unknown name, or neither text nor an iterable.
        """
        if isinstance(values, str):
            return self._number(values)
        if not isinstance(values, Iterable):
            msg = f"Values {values} should be a string or an Iterable (list, numpy array, pytorch, tensorflow tensors)"
            raise ValueError(msg)
        return [self._number(value) for value in values]

    def _number(self, name: Any) -> int:
        text = str(name)
        for candidate in (text, text.strip()):
            if candidate in self._str2int:
                return self._str2int[candidate]
        try:
            number = int(text)
        except ValueError:
            number = -2
        if -1 <= number < self._classes():
            return number
        msg = f"Invalid string class label {name}"
        raise ValueError(msg)

    def int2str(self, values: Any) -> Any:
        """The name of a number, or of each of an iterable of numbers.

        Raises:
            ValueError: a number out of range (-1 too), or neither an int nor an iterable.
        """
        if isinstance(values, int):
            return self._name(values)
        if not isinstance(values, Iterable):
            msg = (
                f"Values {values} should be an integer or an Iterable (list, numpy array, pytorch, tensorflow tensors)"
            )
            raise ValueError(msg)
        return [self._name(value) for value in values]

    def _name(self, value: Any) -> str:
        if not 0 <= value < self._classes():
            msg = f"Invalid integer class label {value:d}"
            raise ValueError(msg)
        return self._int2str[int(value)]

    def encode_example(self, example_data: Any) -> Any:
        """The number of a name, or a number itself, -1 included.

        Raises:
            ValueError: an unknown name or a number that is no class.
        """
        if isinstance(example_data, str):
            example_data = self.str2int(example_data)
        if not -1 <= example_data < self._classes():
            msg = f"Class label {example_data:d} greater than configured num_classes {self.num_classes}"
            raise ValueError(msg)
        return example_data

    def cast_storage(self, storage: Any) -> Any:
        """A pyarrow array of names or numbers as int64. Needs pyarrow.

        Raises:
            ValueError: an unknown name or a number that is no class.
        """
        if strings(storage):
            storage = array_of([None if name is None else self._number(name) for name in storage.to_pylist()], "int64")
        elif integers(storage):
            highest = max((value for value in storage.to_pylist() if value is not None), default=-1)
            if highest >= self._classes():
                msg = f"Class label {highest} greater than configured num_classes {self.num_classes}"
                raise ValueError(msg)
        return storage.cast("int64")


@dataclass
class Json(Typed):
    """Values of any type, stored as JSON text and shown as what the text says.

    Args:
        decode: False shows the text.
        id: a name of the user's own.
    """

    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = field(default="Json", init=False, repr=False)

    def encode_example(self, example_data: Any) -> str | None:
        """The text of a value; a string that is JSON already stays as it is. None, NaN and the like are null.

        Raises:
            TypeError: a value that has no JSON form.
        """
        if isinstance(example_data, str):
            try:
                json.loads(example_data)
            except ValueError:
                return json_text(example_data)
            return example_data
        text = json_text(example_data)
        return None if text == "null" else text

    def decode_example(self, example_data: Any, token_per_repo_id: Any = None) -> Any:  # noqa: ARG002  # the official signature
        """What a stored text says.

        Raises:
            RuntimeError: `decode` is False.
        """
        if not self.decode:
            msg = "Decoding is disabled for this feature. Please use Json(decode=True) instead."
            raise RuntimeError(msg)
        return None if example_data is None else json.loads(example_data)


class Sequence:
    """The older list: of a struct with a field that is no list it is a struct of lists, of anything else a `List`.

    Args:
        feature: feature of the items.
        length: number of items where it is fixed, else -1.
    """

    def __new__(cls, feature: Any = None, length: int = -1, **kwargs: Any) -> Any:
        legacy = cls is Sequence and isinstance(feature, dict)
        if legacy and any(not isinstance(inner, List) for inner in feature.values()):
            return {name: List(inner, length=length, **kwargs) for name, inner in feature.items()}
        return super().__new__(List)


@dataclass(repr=False)
class List(Sequence, Typed):
    """A list.

    Args:
        feature: feature of the items.
        length: number of items where it is fixed, else -1.
        id: a name of the user's own.
    """

    feature: Feature
    length: int = -1
    id: str | None = field(default=None, repr=False)
    _type: str = field(default="List", init=False, repr=False)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.feature, self.length)

    def __repr__(self) -> str:
        return f"List({self.feature})" if self.length == -1 else f"List({self.feature}, length={self.length})"


@dataclass(repr=False)
class LargeList(Typed):
    """A list with 64-bit offsets.

    Args:
        feature: feature of the items.
        id: a name of the user's own.
    """

    feature: Feature
    id: str | None = field(default=None, repr=False)
    _type: str = field(default="LargeList", init=False, repr=False)

    def __repr__(self) -> str:
        return f"LargeList({self.feature})"
