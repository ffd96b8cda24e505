"""Folders of images and other media, side by side with `datasets`."""

from __future__ import annotations

import gc
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import datasets as official
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from crucible_datasets.errors import DatasetGenerationError


def image(path: Path, color: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (4, 3), (color, 10, 20)).save(path)
    return path


def folder(root: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        image(root / "d" / name, i * 20)
    return root / "d"


def stored(rows: Any, *columns: str) -> list[dict[str, Any]]:
    """Rows with what is stored of media columns."""
    off = ours.Image(decode=False) if isinstance(rows, ours.Dataset) else official.Image(decode=False)
    for column in columns:
        rows = rows.cast_column(column, off)
    out: list[dict[str, Any]] = rows.to_list()
    return out


def assert_same(root: Path, path: Path, *columns: str, split: str = "train", **options: Any) -> Any:
    mine = ours.load_dataset(str(path), split=split, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves metadata.csv open
        theirs = official.load_dataset(str(path), split=split, cache_dir=str(root / "cache"), **options)
        gc.collect()
    assert {k: str(v) for k, v in mine.features.items()} == {k: str(v) for k, v in theirs.features.items()}
    assert stored(mine, *columns) == stored(theirs, *columns)
    return mine


LAYOUTS: dict[str, tuple[str, ...]] = {
    "flat": ("b.png", "a.jpg", "c.PNG"),
    "classes": ("cat/1.png", "dog/2.png", "cat/3.jpg"),
    "one class": ("cat/1.png", "cat/2.png"),
    "mixed depths": ("cat/1.png", "dog/x/2.png", "3.png"),
    "names by code point": ("10/a.png", "9/a.png", "B/a.png", "a/a.png"),
    "deep": ("x/cat/1.png", "y/dog/2.png"),
}


@pytest.mark.parametrize("options", [{}, {"drop_labels": True}, {"drop_labels": False}], ids=str)
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    path = folder(tmp_path, *LAYOUTS[name])
    (path / "notes.md").write_text("no image")
    assert_same(tmp_path, path, "image", **options)


def test_pixels(tmp_path: Path) -> None:
    mine = ours.load_dataset(str(folder(tmp_path, "cat/1.png", "dog/2.png")), split="train")
    assert mine[1]["image"].getpixel((0, 0)) == (20, 10, 20)
    assert mine.features["label"].int2str(mine["label"][:]) == ["cat", "dog"]


def packed(path: Path, names: dict[str, Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in names.items():
            archive.write(file, name)


@pytest.mark.parametrize("streaming", [False, True])
def test_files_in_no_folder_of_their_archives_have_no_label(tmp_path: Path, streaming: bool) -> None:
    """The folder that an archive is unpacked to is named by a hash: that is no class."""
    images = [image(tmp_path / f"{number}.png", number) for number in range(4)]
    for part in (0, 1):
        packed(tmp_path / f"flat/{part}.zip", {f"{n}.png": images[n] for n in (2 * part, 2 * part + 1)})
        packed(
            tmp_path / f"classes/{part}.zip", {f"{'ab'[n % 2]}/{n}.png": images[n] for n in (2 * part, 2 * part + 1)}
        )
    options: dict[str, Any] = {"split": "train", "streaming": streaming}
    flat = ours.load_dataset("imagefolder", data_dir=str(tmp_path / "flat"), **options)
    assert list(flat.features) == ["image"]
    assert (
        flat.features.to_dict()
        == official.load_dataset(
            "imagefolder", data_dir=str(tmp_path / "flat"), cache_dir=str(tmp_path / "cache"), split="train"
        ).features.to_dict()
    )
    assert [row["image"].getpixel((0, 0))[0] for row in flat] == [0, 1, 2, 3]
    classes = ours.load_dataset("imagefolder", data_dir=str(tmp_path / "classes"), **options)
    assert classes.features["label"].names == ["a", "b"]
    assert [row["label"] for row in classes] == [0, 1, 0, 1]


def metadata(path: Path, kind: str, rows: list[dict[str, Any]]) -> None:
    if kind == "csv":
        lines = [",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)]
        (path / "metadata.csv").write_text("\n".join(lines) + "\n")
    elif kind == "jsonl":
        (path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path / "metadata.parquet")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # `datasets` leaves the CSV file open
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata(tmp_path: Path, kind: str) -> None:
    path = folder(tmp_path, "a.png", "x/b.png", "c.png")
    rows = [{"n": 1, "file_name": "x/b.png", "text": "second"}, {"n": 2, "file_name": "./a.png", "text": "first"}]
    metadata(path, kind, rows)
    assert_same(tmp_path, path, "image")
    assert_same(tmp_path / "2", path, "image", drop_metadata=True)


def test_other_columns_of_files(tmp_path: Path) -> None:
    path = folder(tmp_path, "a.png", "b.png")
    metadata(path, "jsonl", [{"left_file_name": "a.png", "right_file_name": "b.png"}, {"left_file_name": "b.png"}])
    assert_same(tmp_path, path, "left", "right")


def test_lists_of_files(tmp_path: Path) -> None:
    path = folder(tmp_path, "a.png", "b.png")
    metadata(path, "jsonl", [{"file_names": ["a.png", "b.png"], "t": "x"}, {"file_names": ["b.png"], "t": "y"}])
    mine = ours.load_dataset(str(path), split="train")
    theirs = official.load_dataset(str(path), split="train", cache_dir=str(tmp_path / "c"))
    assert str(mine.features) == str(theirs.features)
    assert [len(row["images"]) for row in mine.to_list()] == [2, 1]
    assert mine[0]["images"][1].getpixel((0, 0)) == theirs[0]["images"][1].getpixel((0, 0))


def test_metadata_of_several_folders(tmp_path: Path) -> None:
    """`datasets` orders the files as a set does, in another order in each process; here it is by name."""
    path = folder(tmp_path, "p/a.png", "q/a.png")
    metadata(path / "q", "jsonl", [{"file_name": "a.png", "t": "q"}])
    metadata(path / "p", "jsonl", [{"file_name": "a.png", "t": "p"}])
    rows = stored(ours.load_dataset(str(path), split="train"), "image")
    assert [row["t"] for row in rows] == ["p", "q"]
    assert [row["image"]["path"] for row in rows] == [str(path / "p" / "a.png"), str(path / "q" / "a.png")]


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "file:///etc/x.png", ".."])
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    path = folder(tmp_path, "a.png")
    metadata(path, "jsonl", [{"file_name": name}])
    with pytest.raises(DatasetGenerationError, match="Invalid metadata file_name"):
        ours.load_dataset(str(path))


def test_metadata_that_is_none(tmp_path: Path) -> None:
    path = folder(tmp_path, "a.png")
    metadata(path, "jsonl", [{"name": "a.png"}])
    with pytest.raises(DatasetGenerationError, match=r"`file_name`.*metadata\.jsonl"):
        ours.load_dataset(str(path))
    (path / "metadata.csv").write_text("file_name\na.png\n")
    with pytest.raises(DatasetGenerationError, match="different extensions"):
        ours.load_dataset(str(path))


def test_features(tmp_path: Path) -> None:
    path = folder(tmp_path, "cat/1.png", "dog/2.png")

    def features(library: Any, names: list[str]) -> Any:
        return library.Features({"image": library.Image(), "label": library.ClassLabel(names=names)})

    mine = ours.load_dataset(str(path), split="train", features=features(ours, ["dog", "cat"]))
    assert mine["label"][:] == [1, 0]
    with pytest.raises(DatasetGenerationError, match="no class"):
        ours.load_dataset(str(path), split="train", features=features(ours, ["dog", "bird"]))


def test_splits_have_the_same_classes(tmp_path: Path) -> None:
    path = folder(tmp_path, "train/cat/1.png", "train/dog/2.png", "test/dog/3.png", "test/cat/4.png")
    mine = ours.load_dataset(str(path))
    assert mine["train"].features == mine["test"].features
    assert mine["test"]["label"][:] == [0, 1]


@pytest.mark.parametrize(("format", "column", "name"), [("audiofolder", "audio", "a.wav"), ("pdffolder", "pdf", "a.pdf"), ("videofolder", "video", "a.mp4")])  # fmt: skip
def test_other_media_are_stored(tmp_path: Path, format: str, column: str, name: str) -> None:
    for label in ("p", "q"):
        (tmp_path / "d" / label).mkdir(parents=True)
        (tmp_path / "d" / label / name).write_bytes(b"x")
    mine = ours.load_dataset(format, data_dir=str(tmp_path / "d"), split="train")
    assert mine.column_names == [column, "label"]
    assert mine._table.column(column, 0, 1) == [{"bytes": None, "path": str(tmp_path / "d" / "p" / name)}]
