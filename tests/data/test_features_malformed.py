"""Features and cards of another form than expected: a typed error that names the place, never what Python raises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import crucible_datasets as datasets
from crucible_datasets import Features
from crucible_datasets.errors import DatasetsError, LimitError, SchemaError

WRONG: list[Any] = [
    None, 1, -1, 1.5, True, "x", "", [], {}, [1], [None], [[]], [{}], {"a": 1}, {1: 2}, {"_type": 1}, {"_type": "List"},
    "Value", float("nan"), 10**30, ["a", "a"], {"_type": []}, b"x",
]  # fmt: skip
INT = {"dtype": "int64", "_type": "Value"}
GOOD: list[dict[str, Any]] = [
    INT,
    {"_type": "ClassLabel", "names": ["n"]},
    *({"_type": kind, "feature": INT} for kind in ("List", "LargeList", "Sequence")),
    {"_type": "Array2D", "shape": [2, 2], "dtype": "int32"},
    {"_type": "Array5D", "shape": [2] * 5, "dtype": "int32"},
    {"_type": "Translation", "languages": ["en", "fr"]},
    {"_type": "TranslationVariableLanguages", "languages": ["en"]},
    *({"_type": kind} for kind in ("Image", "Audio", "Video", "Pdf", "Json")),
]
KEYS = ["dtype", "names", "num_classes", "feature", "length", "shape", "languages", "decode", "id", "mode", "_type"]


def used(features: Features) -> None:
    """What was made of a stranger's text can be written, shown and looked at."""
    json.loads(features.to_text())
    assert Features.from_text(features.to_text()) is not None
    features.flatten()
    repr(features)


@pytest.mark.parametrize("good", GOOD, ids=lambda spec: spec["_type"])
def test_one_wrong_value_in_json(good: dict[str, Any]) -> None:
    refused = 0
    for key in KEYS:
        for wrong in WRONG:
            try:
                features = Features.from_dict({"place": {**good, key: wrong}})
            except SchemaError as error:
                assert "place" in str(error)  # most are refused, some are not
                refused += 1
            except LimitError:
                refused += 1
            else:
                used(features)
    assert refused >= 10


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_one_wrong_value_in_yaml(wrong: Any) -> None:
    items: list[Any] = [
        wrong,
        *({"name": "place", key: wrong} for key in ("dtype", "struct", "list", "sequence", "large_list")),
        *({"name": "place", key: "int64", "length": wrong} for key in ("list", "sequence")),
        *(
            {"name": "place", "dtype": dtype}
            for dtype in (
                {"class_label": wrong},
                {"class_label": {"names": wrong}},
                {"class_label": {"names": {"0": wrong}}},
                {"class_label": {"names": {str(wrong): "x"}}},
                {"array2_d": wrong},
                {"array2_d": {"shape": wrong, "dtype": "int8"}},
                {"array2_d": {"shape": [2, wrong], "dtype": "int8"}},
                {"array2_d": {"shape": [2, 2], "dtype": wrong}},
                {"translation": {"languages": wrong}},
                {"image": {"decode": wrong}},
            )
        ),
    ]
    for item in items:
        try:
            features = Features.from_yaml([{"name": "first", "dtype": "int64"}, item])
        except SchemaError as error:
            assert "place" in str(error) or "entry 1" in str(error)  # as above
        except LimitError:
            pass
        else:
            used(features)


@pytest.mark.parametrize("wrong", [None, 1, "x", [1], [INT]], ids=repr)
def test_no_features_at_all(wrong: Any) -> None:
    with pytest.raises(SchemaError, match="Expected"):
        Features.from_dict(wrong)
    with pytest.raises(SchemaError, match="Expected"):
        Features.from_yaml(wrong)


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"a": {"b": {"_type": "List", "feature": {"c": 7}}}}, r"a\.b\[\]\.c"),
        ({"a": {"_type": "List", "feature": {"_type": "Value", "dtype": "no"}}}, r"a\[\]"),
    ],
)
def test_the_place_is_named(spec: dict[str, Any], place: str) -> None:
    with pytest.raises(SchemaError, match=rf"at '{place}'"):
        Features.from_dict(spec)


def test_a_million_names() -> None:
    with pytest.raises(LimitError):
        Features.from_dict({"a": {"_type": "ClassLabel", "names": [str(i) for i in range(2_000_000)]}})


CARDS = [
    "dataset_info: [1]",
    "dataset_info: [[]]",
    "dataset_info: {features: 7}",
    "dataset_info: {features: [{name: a, dtype: [1]}]}",
    "dataset_info: {features: [{name: 1, dtype: int64}]}",
    "dataset_info: {splits: 7}",
    "dataset_info: {splits: [7]}",
    "dataset_info: {splits: [{}]}",
    "dataset_info: {version: [1]}",
    "configs: 7",
    "configs: [7]",
    "configs: [{}]",
    "configs: [{config_name: a, data_dir: [1]}]",
    "configs: [{config_name: a, data_files: 7}]",
    "configs: [{config_name: a, data_files: [{split: 7}]}]",
    "configs: [{config_name: a, data_files: [[1]]}]",
    "configs: [{config_name: a, features: 7}]",
    "configs: [{config_name: [a]}]",
    "? [1]\n: 2",
    "a: " + "[" * 5000 + "]" * 5000,
]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card[:40])
def test_cards_of_another_form(card: str, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "data.jsonl").write_text('{"a": 1}\n')
    (folder / "README.md").write_text(f"---\n{card}\n---\n")
    with pytest.raises((ValueError, DatasetsError, yaml.YAMLError)):
        datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize(
    "text",
    ["7", "[]", '{"a": 7}', '{"a": {"features": 7}}', '{"a": {"splits": 7}}', "{", "[" * 100_000],
    ids=lambda text: text[:30],
)
def test_dataset_infos_of_another_form(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "data.jsonl").write_text('{"a": 1}\n')
    (folder / "dataset_infos.json").write_text(text)
    with pytest.raises(ValueError, match=r"dataset_infos\.json"):
        datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
