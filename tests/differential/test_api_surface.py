"""The public API, name by name, against the installed `datasets`: arguments, their order, kinds and defaults.

What is not there is listed here with the reason. A name that is in neither list, or that is listed and there, fails.
"""

from __future__ import annotations

import inspect
from typing import Any

import datasets as theirs
import datasets.combine
import pytest

import crucible_datasets as ours
from crucible_datasets.dataset._missing import MISSING

INDEX = "search indexes are not built"
SCRIPT = "code of datasets is not run"
ARROW = "works on storage arrays of pyarrow: storage is native here"

ABSENT: dict[str, dict[str, str]] = {
    "Dataset": {
        "add_elasticsearch_index": INDEX,
        "add_faiss_index": INDEX,
        "add_faiss_index_from_external_arrays": INDEX,
        "drop_index": INDEX,
        "get_index": INDEX,
        "get_nearest_examples": INDEX,
        "get_nearest_examples_batch": INDEX,
        "is_index_initialized": INDEX,
        "list_indexes": INDEX,
        "load_elasticsearch_index": INDEX,
        "load_faiss_index": INDEX,
        "save_faiss_index": INDEX,
        "search": INDEX,
        "search_batch": INDEX,
        "to_tf_dataset": "tf.data.Dataset.from_generator",
    },
    "Audio": {"cast_storage": ARROW, "embed_storage": ARROW},
    "Image": {"cast_storage": ARROW, "embed_storage": ARROW},
    "Json": {"cast_storage": ARROW},
    "Pdf": {"cast_storage": ARROW, "embed_storage": ARROW},
    "Video": {"cast_storage": ARROW, "embed_storage": ARROW},
    "SplitInfo": {"file_instructions": "names of files are different here"},
}
"""Members of classes that are not there."""

OTHER: dict[str, dict[str, str]] = {
    "IterableDataset": {"shuffle": "also takes a strategy"},
    "Features": {
        "clear": "dict's own: there is nothing to keep in step",
        "pop": "dict's own",
        "popitem": "dict's own",
        "setdefault": "dict's own",
        "update": "dict's own",
    },
}
"""Members that have other arguments."""

CLASSES = [
    "Array2D", "Array5D", "Audio", "ClassLabel", "Column", "Dataset", "DatasetDict", "DatasetInfo", "DownloadConfig",
    "Features", "Image", "IterableColumn", "IterableDataset", "IterableDatasetDict", "Json", "LargeList", "List", "Pdf", "ReadInstruction", "SplitDict", "SplitInfo", "Translation",
    "TranslationVariableLanguages", "Value", "Version", "Video",
]  # fmt: skip

MODULE_ABSENT = {
    "ArrowBasedBuilder": SCRIPT,
    "DownloadManager": SCRIPT,
    "GeneratorBasedBuilder": SCRIPT,
    "NamedSplitAll": "Split.ALL is a NamedSplit",
    "SplitBase": "names of splits are text here",
    "SplitGenerator": SCRIPT,
    "StreamingDownloadManager": SCRIPT,
    "SubSplitInfo": "crucible_datasets.splits has it",
    "experimental": "a decorator of the official library's own functions",
    "percent": "train[:10%] or ReadInstruction",
    "tqdm": "crucible_datasets.utils has it",
}


def members(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def shape(kind: Any, name: str) -> Any:
    """What a member is: the arguments of a function, or that it is a value."""
    member = inspect.getattr_static(kind, name)
    if isinstance(member, staticmethod | classmethod) or inspect.isfunction(member):
        return arguments(getattr(kind, name))
    return "builtin" if inspect.isroutine(member) else "value"


def arguments(function: Any) -> list[tuple[str, str, str]]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a method of dict
        return [(function.__name__, "builtin", "")]
    found = [(p.name, p.kind.name, "" if p.default is p.empty else plain(p.default)) for p in parameters]
    return [entry for entry in found if entry[0] not in {"self", "cls"}]


def plain(default: Any) -> str:
    return getattr(default, "__name__", None) or str(default)


@pytest.mark.parametrize("name", CLASSES)
def test_members(name: str) -> None:
    official, mine = getattr(theirs, name), getattr(ours, name)
    absent = set(ABSENT.get(name, {}))
    missing = {member for member in members(official) if not hasattr(mine, member) and not is_field(mine, member)}
    assert missing == absent
    wrong = {}
    for member in sorted(members(official) & members(mine)):
        expected, found = shape(official, member), shape(mine, member)
        if expected != found and "value" not in (expected, found):
            wrong[member] = (expected, found)
    assert set(wrong) == set(OTHER.get(name, {})), wrong


def is_field(kind: Any, name: str) -> bool:
    """A field of a dataclass without a default is no attribute of the class."""
    return name in getattr(kind, "__dataclass_fields__", {})


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in {"Column", "IterableDataset", "Version"}])
def test_constructors(name: str) -> None:
    official, mine = getattr(theirs, name), getattr(ours, name)
    if official.__init__ is dict.__init__ or issubclass(official, dict):
        pytest.skip("a dict's constructor")
    expected = arguments(official)
    found = arguments(mine)
    for place, (argument, kind, default) in enumerate(expected):
        assert found[place][:2] == (argument, kind)
        assert default in {found[place][2], "<factory>"}


def test_properties_are_properties() -> None:
    for name in ("Dataset", "DatasetDict"):
        for member in members(getattr(theirs, name)) & members(getattr(ours, name)):
            official = inspect.getattr_static(getattr(theirs, name), member)
            mine = inspect.getattr_static(getattr(ours, name), member)
            assert isinstance(official, property) == isinstance(mine, property), member


def test_module() -> None:
    official = {
        name for name, value in vars(theirs).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert official - set(ours.__all__) - set(MODULE_ABSENT) == set()
    assert set(MODULE_ABSENT) <= official - set(ours.__all__)
    for name in set(ours.__all__) & official:
        if inspect.isfunction(getattr(theirs, name)):
            expected, found = arguments(getattr(theirs, name)), arguments(getattr(ours, name))
            if expected and expected[-1][1] == "VAR_KEYWORD":  # passed on to functions that we name
                expected, found = expected[:-1], found[: len(expected) - 1]
            assert found == expected, name


def test_what_is_missing_says_so() -> None:
    ds = ours.Dataset.from_dict({"a": [1]})
    for name in ABSENT["Dataset"]:
        assert not hasattr(ds, name)
        with pytest.raises(AttributeError, match=name) as caught:
            getattr(ds, name)
        assert MISSING[name] in str(caught.value)
    with pytest.raises(AttributeError, match="search indexes"):
        _ = ours.DatasetDict({"train": ds}).add_faiss_index
    with pytest.raises(AttributeError, match="no attribute 'colums'"):
        _ = ds.colums
    assert set(MISSING) == set(ABSENT["Dataset"])
