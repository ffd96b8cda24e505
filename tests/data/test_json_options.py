"""Options of JSON and text files, and arrays of other things than objects, side by side with `datasets`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import datasets as official
import pytest

import crucible_datasets as ours
from crucible_datasets.errors import DatasetGenerationError, DecodeError, MissingColumnError, SchemaError

FIELDS: dict[str, Any] = {
    "objects": [{"a": 1, "b": "x"}, {"a": 2, "b": None}],
    "whole floats": [{"a": 1.0}, {"a": None}, {"a": 3.0}],
    "floats": [{"a": 1.5}, {"a": 2.0}],
    "a column that comes later": [{"a": 1}, {"b": None}, {"b": 2}],
    "dates stay text": [{"a": "2020-01-01"}, {"a": "2020-01-02"}],
    "keys that differ": [{"a": {"x": 1.0}}, {"a": {"x": 2.0, "y": "s"}}],
    "lists": [{"a": [1.0]}, {"a": []}],
    "nested": [{"q": [{"x": 1}, {"y": "b"}]}],
    "booleans": [{"a": True}, {"a": False}],
    "nothing": [{"a": None}],
    "numbers in text": [{"a": "1"}, {"a": "2"}],
    "texts": ["x", "y"],
    "numbers": [1, 2],
    "lists of lists": [[1, "x"], [3, "y"]],
    "columns": {"a": [1, 2], "b": ["x", "y"]},
    "columns by row number": {"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}},
}
ARRAYS: dict[str, Any] = {
    "texts": ["x", "y\n"],
    "numbers": [1, 2],
    "lists": [[1], [2, 3]],
    "mixed lists": [[1, 2], ["a"]],
    "objects": [{"a": 1}, {"a": 2}],
}


def kinds(features: Any) -> dict[str, str]:
    return {name: str(feature) for name, feature in features.items()}


def assert_same(format: str, path: Path, **options: Any) -> None:
    mine = ours.load_dataset(format, data_files=str(path), split="train", **options)
    cache = str(path.parent / "cache")
    theirs = official.load_dataset(format, data_files=str(path), split="train", cache_dir=cache, **options)
    assert kinds(mine.features) == kinds(theirs.features)
    assert mine.to_list() == theirs.to_list()


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", FIELDS)
def test_field(tmp_path: Path, name: str, indent: int | None) -> None:
    path = tmp_path / "d.json"
    whole = {"version": {"data": [1, "}"]}, "data": FIELDS[name], "more": [[]]}
    path.write_text(json.dumps(whole, indent=indent))
    assert_same("json", path, field="data")


def test_field_of_a_compressed_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "d.json.gz"
    whole = json.dumps({"data": [{"ä": "é"}]}, ensure_ascii=False)
    path.write_bytes(gzip.compress(whole.encode("utf-16")))
    mine = ours.load_dataset("json", data_files=str(path), split="train", field="data", encoding="utf-16")
    assert mine.to_list() == [{"ä": "é"}]


def test_field_with_features(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text(json.dumps({"data": ["x", "y"], "rows": [{"a": 1.0}]}))
    words = ours.Features({"word": ours.Value("large_string")})
    assert ours.load_dataset("json", data_files=str(path), split="train", field="data", features=words).to_list() == [
        {"word": "x"},
        {"word": "y"},
    ]
    floats = ours.Features({"a": ours.Value("float64")})
    rows = ours.load_dataset("json", data_files=str(path), split="train", field="rows", features=floats)
    assert rows.to_list() == [{"a": 1.0}]
    assert rows.features == floats


@pytest.mark.parametrize(
    ("text", "cause", "where"),
    [
        ('{"x": 5, "y": []}', MissingColumnError, r"no field .data.; there are .*x.*y"),
        ('{"data": 5}', SchemaError, "neither a list nor an object"),
        ('{"data": {"a": 1}}', SchemaError, "must hold lists"),
        ('{"data": {"a": [1, 2], "b": [1]}}', SchemaError, "other lengths"),
        ('[{"data": []}]', SchemaError, "not one JSON object"),
        ('{"data": [1, 2]', DecodeError, "ends too early"),
        ('{"data": [{"a": 1},\n{"a": tru}]}', DecodeError, "line 2"),
        ('{"data": []}\n{"data": []}', DecodeError, "line 2"),
        ('{"data": [{"a": 1}, 2]}', DecodeError, "expected an object"),
    ],
)
def test_what_field_cannot_read(tmp_path: Path, text: str, cause: type, where: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(text)
    with pytest.raises(DatasetGenerationError, match=where) as caught:
        ours.load_dataset("json", data_files=str(path), field="data")
    assert isinstance(caught.value.__cause__, cause)
    assert "d.json" in str(caught.value)


def test_field_nested_too_deep(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text('{"data": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(DatasetGenerationError, match="max_json_depth"):
        ours.load_dataset("json", data_files=str(path), field="data")


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(tmp_path: Path, name: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(json.dumps(ARRAYS[name]))
    assert_same("json", path)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "d.jsonl"
    lines = "".join(json.dumps({"a": f"é{i}"}, ensure_ascii=False) + "\n" for i in range(3))
    path.write_bytes(lines.encode(encoding))
    assert_same("json", path, encoding=encoding)


def test_mixed_types_are_an_error_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"a": {"x": 1}, "t": "2020-01-01"}\n{"a": {"y": 2}, "t": "2020-01-02"}\n')
    assert_same("json", path, on_mixed_types=None)
    path.write_text('{"a": 1}\n{"a": "x"}\n')
    with pytest.raises(DatasetGenerationError, match=r"mixed types.*line 2"):
        ours.load_dataset("json", data_files=str(path), on_mixed_types=None)


def test_other_options(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"a": 1}\n')
    assert_same("json", path, chunksize=5, parse_agent_traces=False, use_threads=True)
    with pytest.raises(ValueError, match="newlines_in_values"):
        ours.load_dataset("json", data_files=str(path), newlines_in_values=True)
    with pytest.raises(ValueError, match="on_mixed_types"):
        ours.load_dataset("json", data_files=str(path), on_mixed_types="drop")
    with pytest.raises(ValueError, match="chunksize"):
        ours.load_dataset("json", data_files=str(path), chunksize=0)
    with pytest.raises(ValueError, match=r"lines.*field"):
        ours.load_dataset("json", data_files=str(path), lines=True)


def test_chunksize_is_where_keys_may_differ(tmp_path: Path) -> None:
    """Objects whose keys differ are `Json` in the first chunk, and one struct when a later chunk has other keys."""
    path = tmp_path / "d.jsonl"
    first = '{"a": {"x": 1}}\n'
    path.write_text(first + '{"a": {"y": 2}}\n')
    whole = ours.load_dataset("json", data_files=str(path), split="train")
    cut = ours.load_dataset("json", data_files=str(path), split="train", chunksize=len(first))
    assert whole.to_list() == [{"a": {"x": 1}}, {"a": {"y": 2}}]
    assert cut.to_list() == [{"a": {"x": 1, "y": None}}, {"a": {"x": None, "y": 2}}]


@pytest.mark.parametrize("sample_by", ["line", "paragraph", "document"])
@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("é\r\n\r\nü".encode("latin-1"), {"encoding": "latin-1"}),
        ("é\n\nü😀\n".encode("utf-16"), {"encoding": "utf-16", "keep_linebreaks": True}),
        (b"a\xff\n\nb", {"encoding_errors": "replace"}),
        (b"a\xff\n\nb", {"encoding_errors": "ignore", "chunksize": 100}),
        (b"\xef\xbb\xbfa\n", {"encoding": "utf-8-sig"}),
    ],
)
def test_encodings_of_text(tmp_path: Path, sample_by: str, data: bytes, options: dict[str, Any]) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(data)
    assert_same("text", path, sample_by=sample_by, **options)


def test_an_encoding_over_pieces(tmp_path: Path) -> None:
    """A letter of several bytes may lie on the border of two pieces that are decoded."""
    text = "x" + "字" * 700_000
    path = tmp_path / "t.txt"
    path.write_bytes(text.encode("gb18030"))
    rows = ours.load_dataset("text", data_files=str(path), split="train", encoding="gb18030")
    assert rows["text"][:] == [text]
    path.write_bytes(text.encode("gb18030") + b"\xff\xff")
    with pytest.raises(DatasetGenerationError, match=r"near byte 140000\d"):
        ours.load_dataset("text", data_files=str(path), split="train", encoding="gb18030")
