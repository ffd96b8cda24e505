"""Feature objects and their forms in JSON, YAML and Arrow, against the official ones."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import datasets as theirs
import pyarrow as pa
import pytest
import yaml

import crucible_datasets as ours
from _crucible.errors import UnsupportedError
from data.features_of_every_kind import DTYPES, kinds

KINDS = list(kinds(ours))


def tupled(value: Any) -> Any:
    """Tuples and lists alike."""
    if isinstance(value, dict):
        return {key: tupled(inner) for key, inner in value.items()}
    return tuple(map(tupled, value)) if isinstance(value, list | tuple) else value


@pytest.fixture(scope="module")
def pairs() -> dict[str, tuple[ours.Features, theirs.Features]]:
    a, b = kinds(ours), kinds(theirs)
    return {name: (ours.Features({"c": a[name]}), theirs.Features({"c": b[name]})) for name in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_forms(pairs: dict[str, tuple[ours.Features, theirs.Features]], kind: str) -> None:
    a, b = pairs[kind]
    assert repr(a) == repr(b)
    assert tupled(a.to_dict()) == tupled(b.to_dict())
    assert json.dumps(a.to_dict()) == json.dumps(b.to_dict())
    assert a._to_yaml_list() == b._to_yaml_list()
    text = yaml.safe_dump(b._to_yaml_list())
    assert ours.Features._from_yaml_list(yaml.safe_load(text)) == a
    assert tupled(ours.Features.from_dict(b.to_dict()).to_dict()) == tupled(b.to_dict())
    assert ours.Features.from_dict(json.loads(json.dumps(b.to_dict()))) == a
    assert repr(theirs.Features.from_dict(a.to_dict())) == repr(b)
    if kind != "audio":  # the official one refuses
        assert repr(a.flatten()) == repr(b.flatten())


@pytest.mark.parametrize("kind", KINDS)
def test_objects(kind: str) -> None:
    first, second = kinds(ours)[kind], kinds(ours)[kind]
    assert first == second
    features = ours.Features({"c": first})
    for again in (pickle.loads(pickle.dumps(features)), copy.deepcopy(features), features.copy()):
        assert again == features
        assert repr(again) == repr(features)
        assert type(again) is ours.Features
    assert [other for other in KINDS if kinds(ours)[other] == first and other != kind] in ([], ["sequence"], ["list"])


def test_the_old_dialect() -> None:
    old = {
        "s": {"feature": {"a": {"dtype": "int64", "id": None, "_type": "Value"}}, "length": -1, "id": None, "_type": "Sequence"},
        "l": [{"a": {"dtype": "string", "_type": "Value"}}],
        "c": {"num_classes": 2, "names": ["x", "y"], "names_file": None, "id": None, "_type": "ClassLabel"},
        "i": {"decode": True, "id": None, "_type": "Image"},
        "_type": {"dtype": "string", "id": None, "_type": "Value"},
    }  # fmt: skip
    a, b = ours.Features.from_dict(old), theirs.Features.from_dict(old)
    assert repr(a) == repr(b)
    assert a.to_dict() == b.to_dict()
    cards = [
        [{"name": "a", "sequence": "int64"}, {"name": "b", "sequence": [{"name": "x", "dtype": "string"}]}],
        [{"name": "a", "sequence": {"sequence": "int8"}}, {"name": "b", "sequence": "float32", "length": 3}],
        [{"name": "a", "dtype": {"class_label": {"names": {0: "n", 1: "p"}}}}, {"name": "b", "dtype": {"class_label": {"names": ["n"]}}}],
        [{"name": "a", "list": {"class_label": {"names": {"1": "p", "0": "n"}}}}, {"name": "b", "large_list": "string"}],
        [{"name": "a", "struct": [{"name": "x", "struct": [{"name": "y", "dtype": "bool"}]}]}, {"name": "b", "dtype": "image"}],
        [{"name": "a", "list": [{"name": "x", "list": [{"name": "y", "dtype": "audio"}]}]}],
        [{"name": "a", "dtype": [{"name": "x", "dtype": "int32"}]}],
    ]  # fmt: skip
    for card in cards:
        assert repr(ours.Features._from_yaml_list(card)) == repr(theirs.Features._from_yaml_list(card))
    with pytest.raises(ValueError, match="missing"):
        ours.Features._from_yaml_list([{"name": "a", "dtype": {"class_label": {"names": {"0": "n", "2": "p"}}}}])
    with pytest.raises(ValueError, match="Nonsense"):
        ours.Features.from_dict({"a": {"_type": "Nonsense"}})


@pytest.mark.parametrize(
    "dtype",
    ["int", "str", "halffloat", "half", "boolean", "object", "datetime64", "date32[day]", "decimal(5,2)", "binary[2]",
     "json", "image", "int128", "timestamp", "duration", "list_", "struct", "timestamp[m]", "time32[us]", "time64[s]",
     "decimal128(39, 2)", "decimal128(0, 0)", "decimal256(77, 0)", "", "timestamp[us, UTC]", "Int64"],
)  # fmt: skip
def test_wrong_dtypes(dtype: str) -> None:
    with pytest.raises((ValueError, TypeError)) as official:
        theirs.Value(dtype)
    with pytest.raises(official.type if official.type in (ValueError, TypeError) else ValueError):
        ours.Value(dtype)


@pytest.mark.parametrize("dtype", [*DTYPES, "double", "float", "utf8", "large_utf8", "bool_"])
def test_dtypes(dtype: str) -> None:
    a, b = ours.Value(dtype), theirs.Value(dtype)
    assert (repr(a), a.dtype) == (repr(b), b.dtype)
    assert a.pa_type == b.pa_type == a()


def test_class_labels(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("neg\n\n pos \n", encoding="utf-8")
    for a, b in [
        (ours.ClassLabel(names_file=str(path)), theirs.ClassLabel(names_file=str(path))),
        (ours.ClassLabel(num_classes=2), theirs.ClassLabel(num_classes=2)),
        (ours.ClassLabel(2, ["neg", "pos"]), theirs.ClassLabel(2, ["neg", "pos"])),
        (ours.ClassLabel(names=("1", "0")), theirs.ClassLabel(names=("1", "0"))),
    ]:
        assert (a.names, a.num_classes, repr(a)) == (b.names, b.num_classes, repr(b))
        for method in ("str2int", "int2str", "encode_example"):
            for value in [
                "neg",
                " pos",
                "1",
                "0",
                "2",
                "-1",
                "",
                0,
                1,
                2,
                -1,
                -2,
                ["neg", "0"],
                ["zz"],
                [0, 1],
                [5],
                1.0,
                None,
                True,
            ]:
                assert outcome(getattr(a, method), value) == outcome(getattr(b, method), value), (method, value)
        for array in (
            pa.array(["0", None, "1"]),
            pa.array([0, None, 1]),
            pa.array([0, 2]),
            pa.array([-5]),
            pa.array(["zz"]),
        ):
            assert outcome(a.cast_storage, array) == outcome(b.cast_storage, array)
    for given in (
        {},
        {"names": ["a", "a"]},
        {"names": ["a"], "num_classes": 2},
        {"names": 5},
        {"names": ["a"], "names_file": str(path)},
    ):
        assert outcome(lambda kw: ours.ClassLabel(**kw).names, given) == outcome(lambda kw: theirs.ClassLabel(**kw).names, given)  # fmt: skip


def shown(value: Any) -> str:
    """A value as text, with its types, dicts in any order."""
    if isinstance(value, dict):
        return repr(sorted((key, shown(inner)) for key, inner in value.items()))
    return f"{type(value)}{[shown(v) for v in value]}" if isinstance(value, list | tuple) else repr(value)


def outcome(call: Any, *args: Any) -> Any:
    """What a call gives, or the built-in class of its error."""
    try:
        return call(*args)
    except Exception as error:  # noqa: BLE001  # compared by class
        return next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")


ENCODED: list[tuple[str, list[Any]]] = [
    ("int32", [1, 1.9, True, "5", b"1", "5.5", "x", None]),
    ("float64", [1, "1.5", "nan", True, "x"]),
    ("bool", ["false", "", 2, 0.0]),
    ("string", [1, b"x", [1], {"a": 1}, True, 1.5, "é"]),
    ("timestamp[us]", ["2020-01-01", 5]),
    ("labels", ["neg", " pos ", "1", 1, -1, 2, "zz", ""]),
    ("list", [[1, 2], [1.5], (1, 2), [], [None, "3"], 5, None]),
    ("list of labels", [["a", "b"], ["a", 1], [0, 1], [None, "b"], [], ["zz"]]),
    ("list of dict", [[{"role": 1, "content": ["x"]}], [{}], [{"role": None, "extra": 1}], [None]]),
    ("dict", [{"x": 1, "y": {"z": "2"}}, {"x": None}, {}, {"y": None}, None]),
    ("translation", [{"en": "a", "fr": "b"}]),
    ("translations", [{"en": "a", "fr": ["b", "c"]}, {"xx": "a"}, {"language": ["en"], "translation": ["a"]}]),
    ("image", ["a.png", b"data", {"bytes": b"x", "path": "y"}, {"path": None, "bytes": None}, {}, None]),
    ("pdf", ["a.pdf", b"data", {"bytes": b"x", "path": None}, {}]),
    ("video", ["a", {"path": "b"}, {}]),
    ("nifti", ["a", b"x", {}, 5]),
    ("bio sequence", ["a", {"bytes": b"x"}]),
    ("array2d", [[[1, 2]], "x"]),
]


@pytest.mark.parametrize(("kind", "values"), ENCODED)
def test_encoding(pairs: dict[str, tuple[ours.Features, theirs.Features]], kind: str, values: list[Any]) -> None:
    a, b = pairs[kind]
    for value in values:
        got, wanted = outcome(a.encode_example, {"c": value}), outcome(b.encode_example, {"c": value})
        assert shown(got) == shown(wanted), (value, got, wanted)
        got, wanted = outcome(a.encode_column, [None, value], "c"), outcome(b.encode_column, [None, value], "c")
        assert shown(got) == shown(wanted), (value, got, wanted)
    with pytest.raises(ValueError, match="mismatch"):
        a.encode_batch({"d": []})


def test_media_are_bytes_and_path_and_say_so() -> None:
    for feature in (
        ours.Audio(),
        ours.Video(),
        ours.Pdf(),
        ours.Nifti(),
        ours.Mesh(),
        ours.BioSequence(),
        ours.BioStructure(),
    ):
        ds = ours.Dataset.from_dict({"c": [b"data", None]}, ours.Features({"c": feature}))
        name = type(feature).__name__
        for show in (lambda ds=ds: ds[0], lambda ds=ds: ds[:], lambda ds=ds: list(ds), lambda ds=ds: ds["c"][0]):
            with pytest.raises(UnsupportedError, match=rf"{name}\(decode=False\)"):
                show()
        raw = ds.cast_column("c", type(feature)(decode=False))
        assert list(raw) == [{"c": {"bytes": b"data", "path": None}}, {"c": None}]
        with pytest.raises(RuntimeError, match="disabled"):
            type(feature)(decode=False).decode_example(raw[0]["c"])


def test_features_helpers(pairs: dict[str, tuple[ours.Features, theirs.Features]]) -> None:
    from_ours, from_theirs = (
        [
            d.Features({"a": d.Value("int64"), "b": {"y": d.Value("null"), "x": d.List(d.Value("null"))}}),
            d.Features({"b": {"y": d.Value("string"), "x": d.List(d.Value("int8"))}, "a": d.Value("null")}),
        ]
        for d in (ours, theirs)
    )
    assert repr(from_ours[0].reorder_fields_as(from_ours[1])) == repr(from_theirs[0].reorder_fields_as(from_theirs[1]))
    for bad in (
        ours.Features({"a": ours.Value("int8")}),
        ours.Features({"a": ours.Value("int8"), "b": ours.Value("int8")}),
    ):
        with pytest.raises(ValueError, match="mismatch"):
            from_ours[0].reorder_fields_as(bad)
    official, mine = theirs.features.features, ours.features
    assert repr(mine._align_features(from_ours)) == repr(official._align_features(from_theirs))
    mine._check_if_features_can_be_aligned(from_ours)
    with pytest.raises(ValueError, match="can't be aligned"):
        mine._check_if_features_can_be_aligned([from_ours[0], ours.Features({"a": ours.Value("string")})])
    for kind, (a, b) in pairs.items():
        assert mine.require_decoding(a) == official.require_decoding(b), kind
        assert mine.require_storage_cast(a) == official.require_storage_cast(b), kind
        assert mine.require_storage_embed(a) == official.require_storage_embed(b), kind
    assert isinstance(ours.List(ours.Value("int8")), ours.Sequence)
    assert not isinstance(ours.LargeList(ours.Value("int8")), ours.Sequence)
    with pytest.raises(ValueError, match="shape"):
        ours.Array2D((1, 2, 3), "int8")
    with pytest.raises(ValueError, match="first dimension"):
        ours.Array2D((1, None), "int8")
