"""The helpers that `compat` offers under official names give what the official ones give."""

from __future__ import annotations

from typing import Any

import datasets as theirs
import datasets.features.features as their_features
import datasets.table as their_tables
import datasets.utils.py_utils as their_utils
import numpy as np
import pyarrow as pa
import pytest

import crucible_datasets as ours
from crucible_datasets.compat import _features, _tables, _utils


@pytest.mark.parametrize("size", [5, "10MB", "1gb", "3KiB", "2TIB", "8Mb", "8mb", "1PB", "x", "1.5GB", "MB"])
def test_sizes(size: Any) -> None:
    try:
        expected: Any = their_utils.convert_file_size_to_int(size)
    except ValueError:
        with pytest.raises(ValueError, match="size"):
            _utils.convert_file_size_to_int(size)
        return
    assert _utils.convert_file_size_to_int(size) == expected


@pytest.mark.parametrize("size", [None, 0, 1, 1023, 1024, 1536, 5 * 2**20, 2**40, 3.5 * 2**50])
def test_size_str(size: Any) -> None:
    assert _utils.size_str(size) == their_utils.size_str(size)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ({"a": [1, 2], "b": {"c": 3}}, {}),
        ([[1, 2], [3]], {}),
        (3, {}),
        ((1, 2), {}),
        ((1, [2]), {"map_tuple": True}),
        ({"a": [1, 2]}, {"dict_only": True}),
        ({"a": np.array([1, 2])}, {"map_numpy": True}),
        ({"a": [1, 2, 3]}, {"map_list": False}),
    ],
)
def test_map_nested(value: Any, options: dict[str, Any]) -> None:
    def twice(leaf: Any) -> Any:
        return leaf * 2

    expected = their_utils.map_nested(twice, value, **options)
    assert repr(_utils.map_nested(twice, value, **options)) == repr(expected)


@pytest.mark.parametrize("size", [1, 2, None, -1])
def test_map_nested_batched(size: int | None) -> None:
    value = {"a": [1, 2, 3], "b": [4]}
    seen: list[list[Any]] = [[], []]
    for library, calls in zip((_utils, their_utils), seen, strict=True):

        def noted(batch: list[int], calls: list[Any] = calls) -> list[int]:
            calls.append(list(batch))
            return [item + 1 for item in batch]

        made = library.map_nested(noted, value, batched=True, batch_size=size)  # type: ignore[attr-defined]
        assert made == {"a": [2, 3, 4], "b": [5]}
    assert seen[0] == seen[1]


def test_small_ones() -> None:
    assert list(_utils.unique_values([3, 1, 3])) == list(their_utils.unique_values([3, 1, 3]))
    for values in ([None, None, 4], [None], []):
        assert _utils.first_non_null_value(values) == their_utils.first_non_null_value(values)
    assert list(_utils.zip_dict({"a": 1}, {"a": 2})) == list(their_utils.zip_dict({"a": 1}, {"a": 2}))
    assert list(_utils.iter_batched("abcde", 2)) == list(their_utils.iter_batched("abcde", 2))
    drawn = []
    for library in (_utils, their_utils):
        with library.temp_seed(4):  # type: ignore[attr-defined]
            drawn.append(np.random.random())
    assert drawn[0] == drawn[1]
    info = ours.SplitInfo(name="train", num_examples=3)
    assert _utils.asdict(info) == {"name": "train", "num_examples": 3}
    with pytest.raises(TypeError, match="dataclass"):
        _utils.asdict(3)


TYPES = [
    pa.int8(), pa.string(), pa.timestamp("us"), pa.timestamp("ns", tz="UTC"), pa.decimal128(10, 2), pa.list_(pa.int32()),
    pa.list_(pa.float32(), 3), pa.large_list(pa.bool_()), pa.struct({"a": pa.int64(), "b": pa.list_(pa.string())}), pa.null(),
    pa.date32(), pa.duration("s"), pa.time64("us"), pa.large_string(), pa.binary(),
]  # fmt: skip


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_types(kind: Any) -> None:
    mine, official = _features.generate_from_arrow_type(kind), their_features.generate_from_arrow_type(kind)
    assert repr(mine) == repr(official)
    assert _features.get_nested_type(mine) == their_features.get_nested_type(official)


def test_visit_and_examples() -> None:
    spec = {
        "a": {"dtype": "int64", "_type": "Value"},
        "l": {"feature": {"names": ["x", "y"], "_type": "ClassLabel"}, "_type": "List"},
        "s": {"p": {"dtype": "string", "_type": "Value"}},
    }
    texts = []
    for library, visit in ((ours, _features._visit), (theirs, their_features._visit)):
        features = library.Features.from_dict(spec)  # type: ignore[attr-defined]
        label = library.ClassLabel  # type: ignore[attr-defined]
        string = library.Value("string")  # type: ignore[attr-defined]
        texts.append(repr(visit(features, lambda f, label=label, string=string: string if isinstance(f, label) else f)))
    assert texts[0] == texts[1]
    row = {"a": "3", "l": ["y", 0], "s": {"p": 5}}
    mine = _features.encode_nested_example(ours.Features.from_dict(spec), row)
    assert mine == their_features.encode_nested_example(theirs.Features.from_dict(spec), row)
    with pytest.raises(ValueError, match="None"):
        _features.encode_nested_example(ours.Features.from_dict(spec), None)
    assert _features.generate_from_dict(spec["l"]) == ours.List(ours.ClassLabel(names=["x", "y"]))
    assert _features.string_to_arrow("float16") == pa.float16()


def test_table_casts() -> None:
    table = pa.table({"b": [1, 2], "a": ["3", None]})
    spec = {"a": {"dtype": "int32", "_type": "Value"}, "b": {"dtype": "string", "_type": "Value"}}
    mine = _tables.cast_table_to_features(table, ours.Features.from_dict(spec))
    official = their_tables.cast_table_to_features(table, theirs.Features.from_dict(spec))
    assert mine.equals(official)
    assert mine.schema == official.schema
    schema = pa.schema({"b": pa.float64(), "a": pa.string(), "c": pa.int8()})
    assert _tables.table_cast(table, schema).equals(their_tables.table_cast(table, schema))
    assert _tables.table_cast(table, table.schema) is table
    for change in (lambda: _tables.cast_table_to_features(table, ours.Features.from_dict({"a": spec["a"]})),
                   lambda: _tables.cast_table_to_schema(table, pa.schema({"b": pa.int64()}))):  # fmt: skip
        with pytest.raises(ValueError, match="cast"):
            change()
