"""Features that cards and files of strangers announce: too deep, too many, larger than they look."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
import yaml

from crucible_datasets import Array2D, Dataset, Features
from crucible_datasets.errors import DecodeError, LimitError


def nested(depth: int) -> Any:
    spec: Any = {"dtype": "int64", "_type": "Value"}
    for _ in range(depth):
        spec = {"feature": spec, "_type": "List"}
    return spec


def nested_yaml(depth: int) -> Any:
    spec: Any = [{"name": "a", "dtype": "int64"}]
    for _ in range(depth):
        spec = [{"name": "a", "struct": spec}]
    return spec


def test_deep_features() -> None:
    features = Features.from_dict({"a": nested(95)})
    assert Features.from_text(features.to_text()) == features
    assert features.copy() == features
    for depth in (200, 5000):
        with pytest.raises(LimitError, match="deeper than 100"):
            Features.from_dict({"a": nested(depth)})
    text = '{"a": ' + '{"_type": "List", "feature": ' * 100_000 + "1" + "}" * 100_001
    with pytest.raises(LimitError, match="deeper than 100"):
        Features.from_text(text)


def test_deep_cards() -> None:
    features = Features.from_yaml(nested_yaml(90))
    assert Features.from_yaml(features.to_yaml()) == features
    with pytest.raises(LimitError, match="deeper than 100"):
        Features.from_yaml(nested_yaml(5000))


def test_aliases_that_stand_for_billions() -> None:
    """Thirty lines of YAML that would be 2**30 columns."""
    text = "a0: &a0 [{name: x, dtype: int64}]\n"
    text += "".join(
        f"a{i}: &a{i} [{{name: l, struct: *a{i - 1}}}, {{name: r, struct: *a{i - 1}}}]\n" for i in range(1, 31)
    )
    with pytest.raises(LimitError, match="names and parts"):
        Features.from_yaml(yaml.safe_load(text)["a30"])


def test_features_that_hold_themselves() -> None:
    spec: Any = [{"name": "a", "struct": None}]
    spec[0]["struct"] = spec
    with pytest.raises(LimitError):
        Features.from_yaml(spec)


@pytest.mark.parametrize("count", [10**12, 2**63, -1, "many", 1.5])
def test_absurd_numbers_of_classes(count: Any) -> None:
    with pytest.raises(ValueError, match="num_classes"):
        Features.from_dict({"a": {"num_classes": count, "_type": "ClassLabel"}})
    with pytest.raises(ValueError, match="num_classes"):
        Features.from_yaml([{"name": "a", "dtype": {"class_label": {"num_classes": count}}}])


def test_many_classes() -> None:
    names = [str(i) for i in range(100_000)]
    assert Features.from_dict({"a": {"names": names, "_type": "ClassLabel"}})["a"].num_classes == 100_000


def test_list_without_items() -> None:
    with pytest.raises(ValueError, match="feature"):
        Features.from_dict({"a": {"_type": "List"}})


@pytest.mark.parametrize("shape", [(2**40, 2**40), (2**62, 4)])
def test_absurd_shapes_take_no_memory(shape: tuple[int, int]) -> None:
    features = Features({"a": Array2D(shape, "int8")})
    data = Dataset.from_dict({"a": [[[1]]]}, features)
    assert data["a"][:] == [[[1]]]
    assert len(data.with_format("numpy")["a"][:]) == 1


def test_metadata_of_a_table_that_is_absurd() -> None:
    said = json_text({"info": {"features": {"a": nested(5000)}}})
    schema = pa.schema({"a": pa.int64()}, metadata={"huggingface": said})
    with pytest.raises(DecodeError, match="huggingface metadata"):
        Dataset.from_arrow(pa.table({"a": [1]}, schema=schema))


def json_text(value: Any) -> str:
    """JSON of any depth."""
    depth = 0
    inner = value["info"]["features"]["a"]
    while isinstance(inner.get("feature"), dict):
        inner, depth = inner["feature"], depth + 1
    return (
        '{"info": {"features": {"a": '
        + '{"_type": "List", "feature": ' * depth
        + json.dumps(inner)
        + "}" * depth
        + "}}}"
    )
