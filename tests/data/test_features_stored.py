"""Values that are stored as they are skip the encoding one by one; the result is the same."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from _crucible._native import are_stored
from crucible_datasets import ClassLabel, Dataset, Features, List, Value
from crucible_datasets.features import _encode

FEATURES: dict[str, Any] = {
    "int": Value("int32"),
    "float": Value("float32"),
    "text": Value("string"),
    "bool": Value("bool"),
    "bytes": Value("binary"),
    "class": ClassLabel(names=["a", "b", "c"]),
    "list": List(Value("int64")),
    "struct": {"r": Value("string"), "n": List(Value("float64"))},
    "lists": List({"c": ClassLabel(num_classes=4), "t": List(List(Value("string")))}),
    "date": Value("date32"),
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.floats(allow_nan=False, width=16)
    | st.sampled_from(["a", "b", "c", "1"])
    | st.binary(max_size=2)
    | st.builds(np.int64, st.integers(0, 2))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=2).map(tuple)
        | st.fixed_dictionaries({}, optional={"r": inner, "n": inner, "c": inner, "t": inner})
    ),
    max_leaves=6,
)


def outcome(feature: Any, column: Any) -> Any:
    try:
        encoded = _encode.encode_column(feature, column)
        return repr([listed(value) for value in encoded])
    except Exception as error:  # noqa: BLE001  # compared
        return type(error), str(error)


def listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: listed(value[name]) for name in sorted(value)}
    return [listed(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", FEATURES)
@given(column=st.lists(values, max_size=4))
def test_the_same_with_and_without(name: str, column: list[Any]) -> None:
    fast = outcome(FEATURES[name], column)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_encode, "are_stored", lambda *_: False)
        assert fast == outcome(FEATURES[name], column)


@pytest.mark.parametrize(
    ("kind", "column", "stored"),
    [
        ("int", [1, None, 1 << 70], True),
        ("int", [True], False),
        ("float", [1], False),
        ("text", ["a", None], True),
        (3, [-1, 0, 2, None], True),
        (3, [3], False),
        (3, ["a"], False),
        (["int"], [[], [1], [2, None], None], True),
        (["int"], [(1, 2)], False),
        (["int"], [np.array([1])], False),
        ({"a": "int"}, [{"a": 1}, None], True),
        ({"a": "int"}, [{"a": 1, "b": 2}], False),
        ({"a": "int"}, [{}], False),
        ("int", iter([1]), False),
    ],
)
def test_what_counts_as_stored(kind: Any, column: Any, stored: bool) -> None:
    assert are_stored(column, kind) is stored


@pytest.mark.parametrize("kind", ["what", [], None, {"a": "what"}, {1: "int"}])
def test_unknown_kinds_are_errors(kind: Any) -> None:
    with pytest.raises((ValueError, TypeError, IndexError)):
        are_stored([1], kind)


def test_a_bad_class_is_still_an_error() -> None:
    with pytest.raises(ValueError, match="greater than configured num_classes"):
        Dataset.from_dict({"c": [0, 7]}, features=Features({"c": FEATURES["class"]}))
