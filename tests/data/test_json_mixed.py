"""JSON whose values have no common type, side by side with `datasets`: the `Json` feature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets as official
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crucible_datasets as ours

CASES: dict[str, list[dict[str, Any]]] = {
    "number and text": [{"a": 1}, {"a": "x"}, {"a": None}, {}],
    "boolean and number": [{"a": True}, {"a": 1}],
    "list and scalar": [{"a": [1]}, {"a": 2}],
    "object and text": [{"a": {"x": 1}}, {"a": "s"}],
    "mixed items": [{"a": [1, "x"]}, {"a": []}],
    "keys differ": [{"a": {"x": 1}}, {"a": {"y": 2}}],
    "a key is missing": [{"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}],
    "an empty object": [{"a": {"x": 1}}, {"a": {}}],
    "objects of a list differ": [{"a": [{"x": 1}, {"y": 2}]}],
    "mixed inside an object": [{"a": {"x": 1}}, {"a": {"x": "s"}}],
    "null objects": [{"a": None}, {"a": {"x": 1}}, {"a": None}],
    "tool calls": [
        {"messages": [{"role": "user", "content": "hi"}, {"role": "tool", "content": "1", "name": "f"}]},
        {"messages": [{"role": "user", "content": "hi"}]},
    ],
    "empty objects alone": [{"a": {}, "b": [{}, {}], "c": {"x": {}}}, {"a": None, "b": [], "c": {"x": {}}}],
    "kwargs": [{"kwargs": [{"n": 3}, {}]}, {"kwargs": [{"word": "x", "n": None}]}],
}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def kinds(features: Any) -> dict[str, str]:
    return {name: str(feature) for name, feature in features.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_same_features_and_rows(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "d.jsonl", CASES[name])
    mine = ours.load_dataset("json", data_files=str(path), split="train")
    theirs = official.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "c"))
    assert kinds(mine.features) == kinds(theirs.features)
    assert mine.to_list() == theirs.to_list()
    assert [mine[i] for i in range(len(mine))] == theirs.to_list()


def test_text_that_is_json_stays_text(tmp_path: Path) -> None:
    """`datasets` shows `[1]` for the first row: what was text and what was a list can no longer be told apart."""
    rows = [{"a": "[1]"}, {"a": 1}, {"a": "x"}]
    mine = ours.load_dataset("json", data_files=str(write(tmp_path / "d.jsonl", rows)), split="train")
    assert mine.to_list() == rows


def test_one_array_of_objects(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps([{"a": 1}, {"a": "x"}, {"a": {"b": [1, None]}}]))
    mine = ours.load_dataset("json", data_files=str(tmp_path / "d.json"), split="train")
    assert kinds(mine.features) == {"a": "Json(decode=True)"}
    assert mine["a"][:] == [1, "x", {"b": [1, None]}]


def test_a_conflict_far_behind_or_in_another_file_is_json_in_all(tmp_path: Path) -> None:
    """`datasets` fails here: its types are those of the first 10 MiB."""
    rows = [{"a": i, "pad": "x" * 1000} for i in range(12_000)]
    first = write(tmp_path / "1.jsonl", [*rows, {"a": "late", "pad": "p"}])
    second = write(tmp_path / "2.jsonl", [{"a": [1], "pad": "q"}])
    mine = ours.load_dataset("json", data_files=[str(first), str(second)], split="train")
    assert kinds(mine.features) == {"a": "Json(decode=True)", "pad": "Value('string')"}
    assert mine["a"][:] == [*range(12_000), "late", [1]]


def test_objects_that_differ_after_the_head_are_one_struct(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"a": {"x": i, "y": 0}, "pad": "x" * 1000} for i in range(12_000)]
    path = write(tmp_path / "d.jsonl", [*rows, {"a": {"x": 5}, "pad": ""}])
    mine = ours.load_dataset("json", data_files=str(path), split="train")
    theirs = official.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "c"))
    assert kinds(mine.features) == kinds(theirs.features)
    assert mine[-1] == theirs[-1] == {"a": {"x": 5, "y": None}, "pad": ""}


@pytest.mark.parametrize("name", ["keys differ", "kwargs", "mixed inside an object"])
def test_json_features_survive_parquet(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "d.jsonl", CASES[name])
    mine = ours.load_dataset("json", data_files=str(path), split="train")
    mine.to_parquet(str(tmp_path / "d.parquet"))
    file = str(tmp_path / "d.parquet")
    for back in (
        ours.load_dataset("parquet", data_files=file, split="train"),
        official.load_dataset("parquet", data_files=file, split="train", cache_dir=str(tmp_path / "c")),
    ):
        assert kinds(back.features) == kinds(mine.features)
        assert back.to_list() == CASES[name]


def test_json_features_of_the_official_library_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", CASES["kwargs"])
    theirs = official.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "c"))
    theirs.to_parquet(str(tmp_path / "d.parquet"))
    mine = ours.load_dataset("parquet", data_files=str(tmp_path / "d.parquet"), split="train")
    assert kinds(mine.features) == kinds(theirs.features)
    assert mine.to_list() == theirs.to_list()


def test_imposed_features_may_be_json(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", [{"a": 1, "b": {"x": 1}}, {"a": 2, "b": {"x": 2}}])
    features = ours.Features({"a": ours.Value("int64"), "b": ours.Json()})
    mine = ours.load_dataset("json", data_files=str(path), split="train", features=features)
    assert mine.to_list() == [{"a": 1, "b": {"x": 1}}, {"a": 2, "b": {"x": 2}}]
    assert kinds(mine.features)["b"] == "Json(decode=True)"


@pytest.mark.parametrize("text", ['{"a":1}\n{"a":[1,}\n', '{"a":1}\n{"a":{"b":tru}}\n', '{"a":1}\n{"a":"x\n'])
def test_what_is_kept_as_text_is_still_checked(tmp_path: Path, text: str) -> None:
    (tmp_path / "d.jsonl").write_text(text)
    with pytest.raises(ours.errors.DatasetGenerationError, match="malformed JSON"):
        ours.load_dataset("json", data_files=str(tmp_path / "d.jsonl"), split="train")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.fixed_dictionaries({"a": VALUES}), min_size=1, max_size=6))
def test_any_values_come_back(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """Whatever the types, each row shows what the line says (a missing key of a struct is a null)."""
    path = write(tmp_path / "d.jsonl", rows)
    mine = ours.load_dataset("json", data_files=str(path), split="train", keep_in_memory=True)
    if "timestamp" not in str(mine.features):
        assert [shape(row) for row in mine.to_list()] == [shape(row) for row in rows]


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else value
