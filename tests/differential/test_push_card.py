"""What an upload makes of the card and of `dataset_infos.json`: byte for byte what the official library makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.differential.card_pair import TEXT, Push, check, of_ours, of_theirs, outcome, parsed

import crucible_datasets as ours
import hfhub
from crucible_datasets.push import updated_card

INFO = """\
  features:
  - name: text
    dtype: string
  splits:
  - name: train
    num_bytes: 60
    num_examples: 6
  download_size: 30
  dataset_size: 60
"""
TEXT_IN_YAML = [{"name": "text", "dtype": "string"}]
BELOW = "\n# Títle 🦀\n\n---\nconfigs: []\n---\n  trailing  \n\n"


def indented(config_name: str) -> str:
    """The info as an item of a list."""
    return f"- config_name: {config_name}\n{INFO}"


READMES: dict[str, str | None] = {
    "none": None,
    "empty": "",
    "text only": "# Hello\r\nworld\n",
    "empty block": "---\n---\ntext",
    "comments only": "---\n# nothing\n---\ntext",
    "other keys": f"---\nlanguage:\n- pt\n- en\nzeta: {{b: 1, a: [x, y]}}\nlicense: mit\npretty_name: Olá 🦀\n---\n{BELOW}",
    "null entries": f"---\nlicense:\ndataset_info:\nconfigs:\n---\n{BELOW}",
    "info": f"---\nlicense: mit\ndataset_info:\n{INFO}tags: [b, a, b]\n---\n{BELOW}",
    "info and config": f"---\ndataset_info:\n{INFO}configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\nsize_categories:\n- n<1K\n---\n{BELOW}",
    "named info": f"---\ndataset_info:\n  config_name: b\n{INFO}configs:\n- config_name: b\n  data_files: b/*.parquet\n---\n",
    "infos": f"---\ndataset_info:\n{indented('zz')}{indented('b')}configs:\n- config_name: zz\n  default: true\n  data_files: [zz/a, zz/b]\n- config_name: b\n  sep: ;\n  data_files:\n  - split: train\n    path: [b/1, b/2]\n  - split: é.x\n    path: b/3\n---\n{BELOW}",
    "infos with default": f"---\ndataset_info:\n{indented('default')}{indented('b')}---\n",
    "default config": "---\nconfigs:\n- config_name: default\n  data_files: '*.csv'\n- config_name: b\n  data_dir: x\n---\n",
    "two defaults": "---\nconfigs:\n- config_name: default\n- config_name: b\n  default: true\n---\n",
    "one split left": "---\nconfigs:\n- config_name: b\n  data_files: []\n---\n",
    "aliases": "---\nx: &a [1, 2]\ny: *a\nconfigs:\n- config_name: c\n  data_files: &f [p, q]\n- config_name: d\n  data_files: *f\n---\n",
    "info is text": "---\ndataset_info: none\n---\n",
    "unknown facts": f"---\ndataset_info:\n  license: mit\n  features_extra: 1\n{INFO}  description: d\n---\n",
    "splits without sizes": "---\ndataset_info:\n  features: [{name: text, dtype: string}]\n  splits: [{name: test}]\n---\n",
    "double split": "---\nconfigs:\n- config_name: default\n  data_files: [{split: a, path: x}, {split: a, path: y}]\n---\n",
    "partly by split": "---\nconfigs:\n- config_name: default\n  data_files: [{split: a, path: x}, y]\n---\n",
    "data_files as mapping": "---\nconfigs:\n- config_name: default\n  data_files: {train: x}\n---\n",
    "configs as mapping": "---\nconfigs: {config_name: b}\n---\n",
    "config without a name": "---\nconfigs:\n- data_files: x\n---\n",
    "not a mapping": "---\n- a\n---\n",
}
LEGACY_INFO = {
    "description": "d é",
    "citation": "",
    "features": {**TEXT},
    "post_processed": {"features": None, "resources_checksums": {"train": {}}},
    "supervised_keys": {"input": "text", "output": ""},
    "builder_name": "json",
    "version": {"version_str": "1.2.3", "description": "new", "major": 1, "minor": 2, "patch": 3},
    "splits": {"train": {"name": "train", "num_bytes": 60, "num_examples": 6, "dataset_name": "json"}},
    "download_checksums": {"u": {"num_bytes": 1}},
    "download_size": 30,
    "dataset_size": 60,
    "size_in_bytes": 90,
}
LEGACIES: dict[str, Any] = {
    "none": None,
    "config": {"default": LEGACY_INFO, "old": {"x": 1}},
    "named": {"b": {**LEGACY_INFO, "version": "0.0.1", "post_processed": None, "supervised_keys": None}},
    "other": {"old": LEGACY_INFO},
    "empty": {"default": {}},
}
FILES = ("data/train-00000-of-00001.parquet", "data/train-00000-of-00001-abc.parquet", "data/x.csv", "README.txt")
PUSHES: dict[str, dict[str, Any]] = {
    "same split": {},
    "new split": {"splits": (("test", 5, 1),)},
    "config b": {"config_name": "b"},
    "new split of b": {"config_name": "b", "splits": (("é.x", 5, 1),)},
    "config c as default": {"config_name": "c", "set_default": True},
    "default as default": {"set_default": True},
    "config c": {"config_name": "c", "set_default": False, "data_dir": "deep/folder"},
    "whole": {"whole": True, "splits": (("train", 1, 1), ("dev", 2, 2))},
    "whole b": {"whole": True, "config_name": "b", "splits": (("dev", 2, 2),)},
    "whole c as default": {
        "whole": True,
        "config_name": "c",
        "splits": (("a", 1, 1), ("b", 2, 2)),
        "set_default": True,
    },
}


@pytest.mark.parametrize("push", PUSHES)
@pytest.mark.parametrize("readme", READMES)
def test_cards(readme: str, push: str) -> None:
    check(Push(readme=READMES[readme], **PUSHES[push]))


@pytest.mark.parametrize("readme", ["none", "empty", "named info"])
@pytest.mark.parametrize("push", PUSHES)
@pytest.mark.parametrize("legacy", LEGACIES)
def test_legacy_infos(legacy: str, push: str, readme: str) -> None:
    check(Push(readme=READMES[readme], legacy=LEGACIES[legacy], **PUSHES[push]))


@pytest.mark.parametrize("readme", ["none", "other keys", "info", "named info"])
@pytest.mark.parametrize("push", ["same split", "config b", "config c", "whole", "whole b"])
def test_files_of_uploads_before_configs(push: str, readme: str) -> None:
    check(Push(readme=READMES[readme], paths=FILES, **PUSHES[push]))


def test_names_of_old_files_are_checked() -> None:
    check(Push(readme="", paths=("data/a-b-00000-of-00001.parquet",)))
    check(Push(readme="", paths=("data/-00000-of-0001.parquet", "data/deep/train-00000-of-00001.parquet")))


@pytest.mark.parametrize("readme", [name for name in READMES if READMES[name]])
def test_line_breaks_stay(readme: str) -> None:
    check(Push(readme=(READMES[readme] or "").replace("\r\n", "\n").replace("\n", "\r\n")))


def value(dtype: str) -> dict[str, Any]:
    """A plain type."""
    return {"dtype": dtype, "_type": "Value"}


FEATURES: dict[str, Any] = {
    "none": {},
    "values": {dtype: value(dtype) for dtype in ("int8", "float64", "bool", "large_string", "binary", "null")},
    "times": {
        "t": value("timestamp[ns, tz=Europe/Lisbon]"),
        "d": value("decimal128(10, 2)"),
        "u": value("duration[s]"),
    },
    "labels": {"l": {"names": ["no", "1", "é: 'x'", "yes"], "_type": "ClassLabel"}},
    "media": {
        "image": {"_type": "Image"},
        "raw": {"mode": "RGB", "decode": False, "_type": "Image"},
        "audio": {"sampling_rate": 16000, "_type": "Audio"},
        "video": {"_type": "Video"},
    },
    "nested": {
        "s": {"a": value("string"), "b": {"c": value("int32"), "d": [value("string")]}},
        "l": {"feature": {"x": value("int8")}, "_type": "List"},
        "f": {"feature": {"feature": value("int8"), "length": 3, "_type": "List"}, "length": 2, "_type": "List"},
        "g": {"feature": {"names": ["a", "b"], "_type": "ClassLabel"}, "_type": "LargeList"},
        "e": {},
    },
    "old lists": {"q": {"feature": {"a": value("string")}, "_type": "Sequence"}, "r": [{"a": value("int8")}]},
    "arrays": {
        "a": {"shape": [2, 3], "dtype": "int32", "_type": "Array2D"},
        "b": {"shape": [None, 3, 4], "dtype": "float32", "_type": "Array3D"},
    },
    "texts": {
        "t": {"languages": ["en", "fr"], "_type": "Translation"},
        "v": {"languages": ["en", "fr"], "num_languages": 2, "_type": "TranslationVariableLanguages"},
    },
    "json": {"j": {"_type": "Json"}, "l": {"feature": {"_type": "Json"}, "_type": "List"}},
    "names": {name: value("string") for name in ("name", "no", "12", "a: b", "🦀", "", "dtype", "- x", "#", "a\nb")},
}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", FEATURES)
def test_features(name: str, whole: bool) -> None:
    first = check(Push(features=FEATURES[name], whole=whole))
    assert isinstance(first, tuple)
    again = Push(readme=first[0], features=FEATURES[name], whole=whole, splits=(("dev", 3, 1),))
    assert isinstance(check(again), tuple)  # they are equal to those that were read back
    legacy = {"default": {**LEGACY_INFO, "features": FEATURES[name]}}
    assert isinstance(check(replace(again, readme=None, legacy=legacy)), tuple)
    assert isinstance(check(replace(again, features={"other": value("int8")})), tuple if whole else ValueError)


def test_same_feature_in_two_columns_is_written_twice() -> None:
    label = ours.ClassLabel(names=["a", "b"])
    card = of_ours(Push(features=ours.Features({"x": label, "y": [label], "z": label}).to_dict()))[0]
    assert "&id" not in card


WORDS = "many words: 'é' "
names = st.sampled_from(["default", "b", "c", "zz", "é"])
split_names = st.sampled_from(["train", "test", "x.y", "ü"])
paths = st.sampled_from(["data/train-*", "*.csv", "[a]/**", "é 🦀/*", "x: y"])
files = st.one_of(
    paths,
    st.lists(paths, max_size=3),
    st.lists(
        st.fixed_dictionaries({"split": split_names, "path": st.one_of(paths, st.lists(paths, max_size=3))}), max_size=3
    ),
)
config = st.fixed_dictionaries(
    {"config_name": names},
    optional={"data_files": files, "default": st.booleans(), "data_dir": paths, "sep": st.text(max_size=3)},
)
info = st.fixed_dictionaries(
    {
        "features": st.sampled_from([TEXT_IN_YAML, [{"name": "n", "list": "int8"}]]),
        "splits": st.lists(
            st.fixed_dictionaries({"name": split_names, "num_bytes": st.integers(0, 9), "num_examples": st.just(1)}),
            max_size=3,
            unique_by=lambda split: split["name"],
        ),
        "download_size": st.integers(0, 99),
        "dataset_size": st.integers(0, 99),
    },
    optional={"config_name": names, "description": st.text(max_size=5)},
)
extra = st.dictionaries(
    st.sampled_from(["license", "language", "tags", "x-y", "🦀", "size_categories"]),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=20)
        | st.sampled_from([WORDS, WORDS * 3])
        | st.dates(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
)
cards = st.builds(
    lambda data, configs, infos, below, end: (
        "---"
        + end
        + yaml.safe_dump({**data, **configs, **infos}, allow_unicode=True, line_break=end)
        + "---"
        + end
        + below
    ),
    extra,
    st.fixed_dictionaries({}, optional={"configs": st.lists(config, max_size=3)}),
    st.fixed_dictionaries({}, optional={"dataset_info": info | st.lists(info, max_size=3)}),
    st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(["\n", "\r\n"]),
)
pushes = st.builds(
    Push,
    readme=st.none() | cards,
    legacy=st.sampled_from(list(LEGACIES.values())),
    config_name=names,
    splits=st.lists(st.tuples(split_names, st.integers(0, 999), st.integers(0, 99)), min_size=1, max_size=1).map(tuple),
    set_default=st.sampled_from([None, False, True]),
    whole=st.booleans(),
)


def contradicted(push: Push) -> bool:
    """Whether the official card says something else than what was pushed: see the tests below."""
    data = {} if push.readme is None else hfhub.DatasetCard(push.readme).data.to_dict()
    infos = data.get("dataset_info") or []
    known = {i.get("config_name", "default"): i for i in (infos if isinstance(infos, list) else [infos])}
    info = known.get(push.config_name, {})
    only = {split["name"] for split in info.get("splits", [])} <= {split[0] for split in push.splits}
    stale = only and not push.whole and info.get("features", TEXT_IN_YAML) != TEXT_IN_YAML
    flags = {entry["config_name"]: entry.get("default") for entry in data.get("configs") or []}
    return stale or bool(push.set_default and (flags.get(push.config_name) or list(flags) == [push.config_name]))


@settings(max_examples=200, deadline=None)
@given(pushes)
def test_any_cards(push: Push) -> None:
    if contradicted(push):
        found = outcome(of_ours, push)
        assert isinstance(found, ValueError) or parsed(found[0])["configs"]
    else:
        check(push)


# ------------------------------------------------------- where the official card says something else than was pushed


def test_features_of_the_only_split_are_the_new_ones() -> None:
    push = Push(readme=READMES["info"], features={"n": value("int8")})
    mine, official = parsed(of_ours(push)[0]), parsed(of_theirs(push)[0])
    assert mine["dataset_info"]["features"] == [{"name": "n", "dtype": "int8"}]
    assert official["dataset_info"]["features"] == TEXT_IN_YAML  # its issue 8608: the card of other files
    mine["dataset_info"]["features"] = TEXT_IN_YAML
    assert mine == official


def test_default_config_stays_the_default_when_it_is_set_again() -> None:
    push = Push(readme="", config_name="b", set_default=True)
    for name in ("train", "test"):
        push = replace(push, readme=of_ours(replace(push, splits=((name, 1, 1),)))[0])
    assert push.readme is not None
    files = [{"split": "train", "path": "b/train-*"}, {"split": "test", "path": "b/test-*"}]
    assert parsed(push.readme)["configs"] == [{"config_name": "b", "data_files": files, "default": True}]
    official = parsed(of_theirs(push)[0])["configs"]
    assert "default" not in official[0]  # and a third time it raises KeyError


def test_splits_from_before_configs_are_kept_beside_a_new_one() -> None:
    push = Push(readme=READMES["info"], paths=FILES, splits=(("test", 5, 1),))
    mine, official = (parsed(of(push)[0]) for of in (of_ours, of_theirs))
    files = [{"split": name, "path": f"data/{name}-*"} for name in ("train", "test")]
    assert mine["configs"] == [{"config_name": "default", "data_files": files}]
    assert official["configs"][0]["data_files"] == files[1:]  # its `load_dataset` then misses "train"
    assert mine["dataset_info"] == official["dataset_info"]


def test_splits_from_before_configs_are_a_config_named_default() -> None:
    with pytest.raises(ValueError, match="There exists a configuration named 'default'"):
        of_ours(Push(paths=FILES, config_name="c", set_default=True))  # two defaults, which nobody could load


def test_a_stray_carriage_return_leaves_the_card_readable() -> None:
    push = Push(readme="---\r\nlicense: mit\r\n---\r\na\rb")
    assert parsed(of_ours(push)[0])["license"] == "mit"
    assert parsed(of_theirs(push)[0]) == {}  # all lines of its block end in "\r"


def test_block_behind_a_byte_order_mark_is_the_cards() -> None:
    plain = READMES["infos"] or ""
    assert of_ours(Push(readme=f"\ufeff{plain}")) == of_ours(Push(readme=plain))
    assert of_theirs(Push(readme=f"\ufeff{plain}"))[0].endswith(f"\ufeff{plain}")  # and what it said counts no more


def test_features_of_configs_stay_as_they_are() -> None:
    entry = {"config_name": "b", "features": [{"name": "l", "sequence": "int8"}], "data_files": "x"}
    push = Push(readme=card(yaml.safe_dump({"configs": [entry]})))
    assert parsed(of_ours(push)[0])["configs"][0] == entry
    assert "!!python/object" in of_theirs(push)[0]


# ---------------------------------------------------------------------- where the official function fails by accident


def card(text: str) -> str:
    """A card with a block."""
    return f"---\n{text}\n---\nbelow"


def test_sizes_that_the_card_does_not_state() -> None:
    info = "dataset_info:\n  features: [{name: text, dtype: string}]\n  splits: [{name: train, num_bytes: , num_examples: 1}]"
    written = parsed(of_ours(Push(readme=card(info)))[0])["dataset_info"]
    assert (written["download_size"], written["dataset_size"]) == (50, 100)
    for info in ("dataset_info:\n  features: [{name: text, dtype: string}]", "dataset_info: {}"):
        written = parsed(of_ours(Push(readme=card(info)))[0])["dataset_info"]
        assert written["features"] == TEXT_IN_YAML
        assert written["splits"] == [{"name": "train", "num_bytes": 100, "num_examples": 10}]


def test_the_only_config_gives_way_to_a_new_default() -> None:
    push = Push(readme=card("configs: [{config_name: b, data_files: x}]"), config_name="c", set_default=True)
    kept, added = parsed(of_ours(push)[0])["configs"]
    assert kept == {"config_name": "b", "data_files": "x"}
    assert added["default"] is True


def test_infos_without_a_name_are_the_default_configs() -> None:
    push = Push(readme=card(f"dataset_info:\n- {INFO.strip()}"), config_name="b")
    assert [info["config_name"] for info in parsed(of_ours(push)[0])["dataset_info"]] == ["b", "default"]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
MALFORMED = {
    "broken": "configs: [",
    "a list": "- a",
    "tag": "x: !!python/object:os.system {}",
    "config is text": "configs: [config_name]",
    "config is a number": "configs: [1]",
    "name is a number": "configs: [{config_name: 1}]",
    "name is a list": "configs: [{config_name: [a]}]",
    "split is a number": "configs: [{config_name: b, data_files: [{split: 1, path: x}]}]",
    "features are text": "configs: [{config_name: b, features: x}]",
    "info is a number": "dataset_info: [1]",
    "name of info is a list": "dataset_info: {config_name: [a]}",
    "features of info": "dataset_info: {features: [1]}",
    "splits are numbers": "dataset_info: {splits: [1]}",
    "splits are a number": "dataset_info: {splits: 1}",
    "splits have no name": "dataset_info: {features: [{name: text, dtype: string}], splits: [{name: [x]}]}",
    "size is text": "dataset_info: {download_size: x}",
    "bytes are text": "dataset_info: {dataset_size: 1, splits: [{name: train, num_bytes: x, num_examples: 1}]}",
    "version": "dataset_info: {version: x}",
    "self": "self: 1",
    "a method": "to_dict: 1",
    "get": "get: 1",
    "deep": "x: " + "[" * 5000 + "]" * 5000,
    "bomb in configs": f"{BOMB}\nconfigs: *j",
    "bomb in a config": f"{BOMB}\nconfigs: [{{config_name: b, data_files: *j}}]",
    "bomb as infos": f"{BOMB}\ndataset_info: *j",
    "bomb in features": f"{BOMB}\ndataset_info: {{features: *j}}",
    "bomb as name": f"{BOMB}\nconfigs: [{{config_name: *j}}]",
}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_cards(name: str, whole: bool) -> None:
    found = outcome(of_ours, Push(readme=card(MALFORMED[name]), whole=whole))
    if whole and isinstance(found, tuple):  # sizes that are not looked at
        assert name in ("size is text", "bytes are text")
    else:
        assert isinstance(found, ValueError)
        assert "README.md" in str(found)
        assert len(str(found)) < 1000


LEGACY_TEXTS = [
    "[",
    "[]",
    "1",
    '{"default": [1]}',
    '{"default": {"features": 1}}',
    '{"default": {"version": "x"}}',
    "[" * 99999,
]


@pytest.mark.parametrize("text", LEGACY_TEXTS)
def test_malformed_legacy_infos(text: str) -> None:
    split = ours.SplitInfo("train", 1, 1)
    with pytest.raises(ValueError, match=r"dataset_infos\.json"):
        updated_card(
            None,
            text,
            [],
            config_name="default",
            features=ours.Features.from_dict(TEXT),
            splits=[split],
            uploaded=[1],
            deleted=[0],
            data_dir="data",
            set_default=None,
            whole=False,
        )


def test_what_was_given_stays_as_it_is() -> None:
    split, features = ours.SplitInfo(ours.Split.TRAIN, 1, 1, dataset_name="x"), ours.Features.from_dict(TEXT)
    updated_card(
        READMES["info"],
        None,
        (),
        config_name="default",
        features=features,
        splits=[split],
        uploaded=[1],
        deleted=[0],
        data_dir="data",
        set_default=None,
        whole=True,
    )
    assert split == ours.SplitInfo("train", 1, 1, dataset_name="x")
    assert features == ours.Features.from_dict(TEXT)
