"""Streams whose builders in `datasets` give examples instead of tables (WebDataset, folders): other orders, other types."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets as official
import PIL.Image
import pytest

import crucible_datasets as ours
from differential.corpus_formats import Rows, tar_bytes


def png(color: int) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (3, 2), (color, 3, 200)).save(out, "PNG")
    return out.getvalue()


def typed(folder: Path) -> None:
    rows: Rows = [{"id": str(i), "meta": {"n": i, "ok": i / 4}, "tags": ["a"] * (i % 3)} for i in range(40)]
    (folder / "a.tar").write_bytes(tar_bytes(rows))
    (folder / "b.tar").write_bytes(tar_bytes(rows[:9]))


def untyped(folder: Path) -> None:
    """The first five samples, which say the types, have None where later ones have values."""
    rows: Rows = [
        {
            "id": str(i),
            "meta": {"n": i, "ok": None if i < 6 else i / 4},
            "tags": [] if i < 6 else ["a"],
            "deep": None if i < 9 else {"z": [i]},
        }
        for i in range(40)
    ]
    (folder / "a.tar").write_bytes(tar_bytes(rows))
    (folder / "b.tar").write_bytes(tar_bytes(rows[:3]))


def labels(folder: Path) -> None:
    for i in range(13):
        path = folder / ("cat" if i % 3 else "dog") / f"{i:02}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(i * 6))


def metadata(folder: Path) -> None:
    for i in range(13):
        (folder / f"{i:02}.png").write_bytes(png(i * 6))
    lines = [json.dumps({"file_name": f"{i:02}.png", "cls": i, "t": {"a": [i]}}) for i in range(13)]
    (folder / "metadata.jsonl").write_text("\n".join(lines))


SOURCES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "typed": ("webdataset", typed),
    "untyped": ("webdataset", untyped),
    "labels": ("imagefolder", labels),
    "metadata": ("imagefolder", metadata),
}
STEPS: dict[str, Callable[[Any, Any], Any]] = {
    "rows": lambda m, d: d,
    "shuffle small": lambda m, d: d.shuffle(seed=3, buffer_size=4),
    "shuffle large": lambda m, d: d.shuffle(seed=3, buffer_size=70),
    "shuffle shards": lambda m, d: d.shuffle(seed=3, buffer_size=20, max_buffer_input_shards=2),
    "skip, shuffle": lambda m, d: d.skip(3).shuffle(seed=3, buffer_size=7),
    "shuffle, skip": lambda m, d: d.shuffle(seed=3, buffer_size=4).skip(3),
    "map, shuffle": lambda m, d: d.map(lambda row: {"z": len(row)}).shuffle(seed=2, buffer_size=6),
    "batched map, shuffle": lambda m, d: d.map(
        lambda b: {"z": list(range(len(next(iter(b.values())))))}, batched=True, batch_size=4
    ).shuffle(seed=2, buffer_size=3),
    "filter": lambda m, d: d.filter(lambda row, i: i % 3 > 0, with_indices=True),
    "take, skip": lambda m, d: d.take(11).skip(5),
    "shard": lambda m, d: d.shard(1, 0),
    "batch": lambda m, d: d.batch(3),
    "iter": lambda m, d: d.iter(3),
    "repeat": lambda m, d: d.repeat(2),
    "one column": lambda m, d: d.select_columns(d.column_names[0]).shuffle(seed=1, buffer_size=5),
    "less columns": lambda m, d: d.remove_columns(d.column_names[0]),
    "renamed": lambda m, d: d.rename_column(d.column_names[0], "other"),
    "interleaved": lambda m, d: m.interleave_datasets([d, d.shuffle(seed=1)], seed=3, probabilities=[0.5, 0.5]),
    "concatenated": lambda m, d: m.concatenate_datasets([d, d.shuffle(seed=1)]),
    "numpy": lambda m, d: d.with_format("numpy"),
    "numpy, map": lambda m, d: d.with_format("numpy").map(lambda row: {"t": [str(type(v)) for v in row.values()]}),
}


def shown(value: Any) -> Any:
    """What compares: pictures by a pixel, addresses left out."""
    if isinstance(value, PIL.Image.Image):
        return value.getpixel((0, 0))
    if isinstance(value, dict):
        return {name: shown(inner) for name, inner in value.items() if name not in ("path", "__url__")}
    return [shown(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("source", SOURCES)
def test_examples(tmp_path: Path, source: str, step: str) -> None:
    format, write = SOURCES[source]
    folder = tmp_path / "train"
    folder.mkdir()
    write(folder)
    mine, theirs = (
        [
            shown(row)
            for row in STEPS[step](
                library,
                library.load_dataset(
                    format, data_dir=str(folder), split="train", cache_dir=str(tmp_path / name), streaming=True
                ),
            )
        ]
        for name, library in (("ours", ours), ("official", official))
    )
    assert mine
    assert repr(mine) == repr(theirs)  # types of numbers count


def test_loading_keeps_the_types_of_the_first_samples(tmp_path: Path) -> None:
    untyped(tmp_path)
    for library in (ours, official):
        with pytest.raises(library.exceptions.DatasetGenerationError):
            library.load_dataset("webdataset", data_dir=str(tmp_path), split="train", cache_dir=str(tmp_path / "c"))


@pytest.mark.parametrize("stop", range(0, 43, 4))
def test_values_without_a_type_resume(tmp_path: Path, stop: int) -> None:
    untyped(tmp_path)

    def opened() -> Any:
        return ours.load_dataset("webdataset", data_dir=str(tmp_path), split="train", streaming=True)

    whole, stream = list(opened()), opened()
    head = [row for row, _ in zip(stream, range(stop), strict=False)]
    fresh = opened()
    fresh.load_state_dict(json.loads(json.dumps(stream.state_dict())))
    if stop < len(whole):  # zip takes one more than it gives
        head.append(whole[stop])
    assert head + list(fresh) == whole
