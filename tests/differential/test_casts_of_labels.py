"""Class labels and files cast to names, paths and other labels: what `datasets` gives, of tables and of streams."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets as official
import PIL.Image
import pytest

import crucible_datasets as ours

Make = Callable[[Any], Any]


def label(m: Any, *names: str) -> Any:
    return m.ClassLabel(names=list(names) or ["cat", "dog"])


def text(m: Any) -> Any:
    return m.Value("string")


def other(m: Any) -> Any:
    return label(m, "dog", "cat", "x")


CASTS: dict[str, tuple[list[Any], Make, Make]] = {
    "label, text": ([0, 1, None, -1], label, text),
    "label, large text": ([0, None], label, lambda m: m.Value("large_string")),
    "label, number": ([0, 1, None, -1], label, lambda m: m.Value("int8")),
    "label, label": ([0, 1, None], label, other),
    "label, fewer": ([0, 1], label, lambda m: label(m, "q")),
    "text, label": (["cat", "dog", None], text, label),
    "numbers in text, label": (["0", " cat"], text, label),
    "other text, label": (["cat", "zebra"], text, label),
    "number, label": ([0, 1, None, -1], lambda m: m.Value("int64"), label),
    "small number, label": ([5], lambda m: m.Value("int8"), label),
    "null, label": ([None, None], lambda m: m.Value("null"), label),
    "lists": ([[0, 1], [], None, [None]], lambda m: m.List(label(m)), lambda m: m.List(text(m))),
    "lists of labels": ([[0, 1], None, [None]], lambda m: m.List(label(m)), lambda m: m.List(other(m))),
    "lists of text": ([["cat"], [], None, [None]], lambda m: m.List(text(m)), lambda m: m.List(label(m))),
    "struct": ([{"x": 0}, {"x": None}, None], lambda m: {"x": label(m)}, lambda m: {"x": text(m)}),
    "struct of text": ([{"x": "dog"}, {"x": None}, None], lambda m: {"x": text(m)}, lambda m: {"x": label(m)}),
}

KINDS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "dataset": lambda m, d, feature: d.cast_column("a", feature),
    "cast": lambda m, d, feature: d.cast(m.Features({"a": feature})),
    "stream": lambda m, d, feature: d.to_iterable_dataset().cast_column("a", feature),
    "tables": lambda m, d, feature: d.to_iterable_dataset().cast_column("a", feature).with_format("arrow"),
    "mapped": lambda m, d, feature: d.to_iterable_dataset().map(dict).cast(m.Features({"a": feature})),
}


def shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shown(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return value.getpixel((0, 0)) if isinstance(value, PIL.Image.Image) else value


def outcome(m: Any, make: Callable[[], Any]) -> Any:
    """The rows and their features, or that there was an error."""
    unkind = (AttributeError,) if m is official else ()
    try:
        made = make()
        rows = [row.to_pylist() if hasattr(row, "to_pylist") else shown(row) for row in made]
    except (ValueError, TypeError, KeyError, *unkind) as error:
        assert str(error)
        return "error"
    return repr(rows), repr(made.features)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cast", CASTS)
def test_labels(cast: str, kind: str) -> None:
    official.disable_progress_bars()
    values, before, after = CASTS[cast]
    found = []
    for m in (official, ours):
        made = m.Dataset.from_dict({"a": values}, features=m.Features({"a": before(m)}))
        found.append(outcome(m, lambda m=m, made=made: KINDS[kind](m, made, after(m))))
    assert found[1] == found[0]


# ------------------------------------------------------------------------------------------------------------- folders


def folder(m: Any, root: Path, *, metadata: bool) -> Any:
    """A stream of images in folders of classes, or with a file that says more of them."""
    for k, name in enumerate(("cat", "dog", "cat", "dog")):
        place = root / "images" / ("" if metadata else name)
        place.mkdir(parents=True, exist_ok=True)
        data = io.BytesIO()
        PIL.Image.new("RGB", (3, 2), (k, 3, 200)).save(data, "PNG")
        (place / f"{k}.png").write_bytes(data.getvalue())
    if metadata:
        rows = [
            {"file_name": f"{k}.png", "all_file_names": ["0.png", f"{k}.png"], "d": {"a": k, "b": [k]}}
            for k in range(4)
        ]
        (root / "images" / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return m.load_dataset(
        "imagefolder",
        data_dir=str(root / "images"),
        split="train",
        streaming=True,
        cache_dir=str(root / m.__name__),
    )


BEFORE: dict[str, Callable[[Any, Any], Any]] = {
    "": lambda m, d: d,
    "take": lambda m, d: d.skip(1).take(2),
    "shuffle": lambda m, d: d.shuffle(3, buffer_size=3),
    "select": lambda m, d: d.select_columns(["label"]),
    "twice": lambda m, d: d.cast_column("label", other(m)),
    "joined": lambda m, d: m.concatenate_datasets([d, d.take(1)]),
    "interleaved": lambda m, d: m.interleave_datasets([d, d.skip(1)]),
    "numpy": lambda m, d: d.with_format("numpy"),
    "removed": lambda m, d: d.remove_columns("image"),  # a function to the official library: numbers from here on
}


@pytest.mark.parametrize("target", ["text", "other", "number", "struct"])
@pytest.mark.parametrize("before", BEFORE)
def test_labels_of_folders(tmp_path: Path, before: str, target: str) -> None:
    """They are names until somebody asks for numbers."""
    targets: dict[str, Make] = {
        "text": text,
        "other": other,
        "number": lambda m: m.Value("int64"),
        "struct": lambda m: {"x": text(m)},
    }
    found = []
    for m in (official, ours):
        stream = BEFORE[before](m, folder(m, tmp_path, metadata=False))
        made = stream.cast_column("label", targets[target](m))
        found.append(outcome(m, lambda made=made: made.select_columns(["label"])))
    assert found[1] == found[0]
    assert before or target != "text" or "[{'label': 'cat'}" in found[1][0]


@pytest.mark.parametrize("values", [["cat", None, "dog"], [0, None, -1]])
@pytest.mark.parametrize("before", [name for name in BEFORE if name != "removed"])
def test_labels_of_generators(before: str, values: list[Any]) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        for value in values:
            yield {"label": value, "n": 1}

    for after in (text, other, lambda m: m.Value("int64")):
        found = []
        for m in (official, ours):
            stream = m.IterableDataset.from_generator(rows, features=m.Features({"label": label(m), "n": text(m)}))
            made = BEFORE[before](m, stream).cast_column("label", after(m))
            found.append(outcome(m, lambda made=made: made))
        assert found[1] == found[0]


@pytest.mark.parametrize("step", ["", "shuffle", "arrow", "map", "select"])
@pytest.mark.parametrize("kind", ["string", "large_string"])
@pytest.mark.parametrize("metadata", [False, True])
def test_images_of_folders_as_paths(tmp_path: Path, metadata: bool, kind: str, step: str) -> None:
    steps: dict[str, Callable[[Any], Any]] = {
        "": lambda d: d,
        "shuffle": lambda d: d.shuffle(3, buffer_size=3),
        "arrow": lambda d: d.with_format("arrow"),
        "map": lambda d: d.map(lambda row: {"k": row["image"]}),
        "select": lambda d: d.select_columns(["image"]),
    }
    found = []
    for m in (official, ours):
        made = folder(m, tmp_path, metadata=metadata).cast_column("image", m.Value(kind))
        found.append(outcome(m, lambda made=made: steps[step](made)))
    assert found[1] == found[0]
    assert "0.png" in found[1][0]


def test_lists_of_images_of_folders_as_paths(tmp_path: Path) -> None:
    found = []
    for m in (official, ours):
        made = folder(m, tmp_path, metadata=True).cast_column("all", m.List(text(m)))
        found.append(outcome(m, lambda made=made: made.select_columns(["all"])))
    assert found[1] == found[0]
    assert "3.png" in found[1][0]


@pytest.mark.parametrize("target", ["text", "struct", "less", "more", "numbers", "list"])
def test_structs_of_metadata(tmp_path: Path, target: str) -> None:
    targets: dict[str, Make] = {
        "text": lambda m: m.Value("string"),
        "struct": lambda m: {"a": text(m), "b": m.List(text(m))},
        "less": lambda m: {"a": m.Value("int64")},
        "more": lambda m: {"a": m.Value("int64"), "b": m.List(m.Value("int64")), "z": text(m)},
        "numbers": lambda m: {"a": m.Value("float32"), "b": m.List(m.Value("int8"))},
        "list": lambda m: m.List(text(m)),
    }
    found = []
    for m in (official, ours):
        made = folder(m, tmp_path, metadata=True).cast_column("d", targets[target](m))
        found.append(outcome(m, lambda made=made: made.select_columns(["d"])))
    assert found[1] == found[0]


@pytest.mark.parametrize("streaming", [True, False])
def test_metadata_files_of_other_names(tmp_path: Path, streaming: bool) -> None:
    folder(ours, tmp_path, metadata=True)
    rows = [{"file_name": f"{k}.png", "q": k} for k in range(3)]
    (tmp_path / "images" / "about.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = []
    for m in (official, ours):
        made = m.load_dataset(
            "imagefolder",
            data_dir=str(tmp_path / "images"),
            split="train",
            streaming=streaming,
            metadata_filenames=["about.jsonl"],
            cache_dir=str(tmp_path / m.__name__),
        )
        found.append(outcome(m, lambda made=made: made))
    assert found[1] == found[0]
    assert "'q': 2" in found[1][0]
