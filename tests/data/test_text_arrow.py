"""Text, Arrow IPC and compressed files, side by side with `datasets`."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import datasets as official
import pyarrow as pa
import pytest

import crucible_datasets as ours
from crucible_datasets.errors import DatasetGenerationError

ROWS = [{"a": i, "b": f"row {i}"} for i in range(50)]
TEXTS = {
    "ends": b"a\n\nb\r\nc\rd\x0be\n",
    "no final newline": "é ü\n  x  ".encode(),
    "bom": b"\xef\xbb\xbfa\nb\n",
    "paragraphs": b"a\nb\n\nc\n\n\n\nd\n\n\nbb",
}


@pytest.fixture
def official_cache(tmp_path: Path) -> str:
    return str(tmp_path / "official-cache")


def both(format: str, path: Path, cache: str, **options: object) -> tuple[ours.Dataset, official.Dataset]:
    mine = ours.load_dataset(format, data_files=str(path), split="train", **options)
    theirs = official.load_dataset(format, data_files=str(path), split="train", cache_dir=cache, **options)
    return mine, theirs


@pytest.mark.parametrize("sample_by", ["line", "paragraph", "document"])
@pytest.mark.parametrize("name", TEXTS)
def test_text_is_cut_as_the_official_library_cuts_it(
    tmp_path: Path, official_cache: str, name: str, sample_by: str
) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(TEXTS[name])
    mine, theirs = both("text", path, official_cache, sample_by=sample_by)
    assert mine.to_list() == theirs.to_list()
    assert str(mine.features) == str(theirs.features)


def test_lines_may_keep_their_ends(tmp_path: Path, official_cache: str) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(TEXTS["ends"])
    mine, theirs = both("text", path, official_cache, keep_linebreaks=True)
    assert mine.to_list() == theirs.to_list()


def test_a_folder_of_texts(tmp_path: Path, official_cache: str) -> None:
    for name in ("b", "a"):
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / f"{name}.txt").write_text(f"{name} 1\n{name} 2\n")
    mine = ours.load_dataset(str(tmp_path / "texts"), split="train")
    theirs = official.load_dataset(str(tmp_path / "texts"), split="train", cache_dir=official_cache)
    assert mine.to_list() == theirs.to_list()


def test_lines_over_chunks_are_whole(tmp_path: Path) -> None:
    lines = [f"{i} " + "x" * (i % 997) for i in range(20_000)]
    path = tmp_path / "t.txt"
    path.write_text("\n".join(lines))
    assert ours.load_dataset("text", data_files=str(path), split="train")["text"] == lines


def test_text_that_is_not_utf8_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"good\nb\xffd\n")
    with pytest.raises(DatasetGenerationError, match=r"t\.txt.*line 2") as caught:
        ours.load_dataset("text", data_files=str(path), split="train")
    assert getattr(caught.value.__cause__, "line", None) == 2


def test_an_unknown_option_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a")
    with pytest.raises(ValueError, match="sample_buy"):
        ours.load_dataset("text", data_files=str(tmp_path / "t.txt"), sample_buy="line")
    with pytest.raises(DatasetGenerationError, match="sample_by must be"):
        ours.load_dataset("text", data_files=str(tmp_path / "t.txt"), sample_by="word")


@pytest.mark.parametrize("form", ["file", "stream"])
def test_arrow_files_and_streams(tmp_path: Path, official_cache: str, form: str) -> None:
    table = pa.table(
        {
            "n": pa.array([1, None, 3], pa.int32()),
            "s": pa.array(["x", None, "é"]),
            "d": pa.array(["u", "v", "u"]).dictionary_encode(),
            "l": pa.array([[1], [], None], pa.list_(pa.int64())),
        }
    )
    path = tmp_path / "t.arrow"
    make = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
    with make(str(path), table.schema) as out:
        out.write_table(table, max_chunksize=2)
    mine, theirs = both("arrow", path, official_cache)
    assert mine.to_list() == theirs.to_list() == table.to_pylist()


def test_what_save_to_disk_wrote_is_read(tmp_path: Path, official_cache: str) -> None:
    features = official.Features({"label": official.ClassLabel(names=["no", "yes"]), "t": official.Value("string")})
    official.Dataset.from_dict({"label": [1, 0], "t": ["a", "b"]}, features=features).save_to_disk(tmp_path / "saved")
    mine, theirs = both("arrow", next((tmp_path / "saved").glob("*.arrow")), official_cache)
    assert mine.to_list() == theirs.to_list()
    assert mine.features["label"].names == ["no", "yes"]


@pytest.mark.parametrize("keep", [0, 3, 8, 100, -1])
def test_a_cut_arrow_file_is_a_typed_error(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "t.arrow"
    table = pa.table({"s": ["x" * 100] * 100})
    with pa.ipc.new_file(str(path), table.schema) as out:
        out.write_table(table)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DatasetGenerationError, match="Arrow IPC"):
        ours.load_dataset("arrow", data_files=str(path), split="train")


def pack(name: str, raw: bytes) -> bytes:
    if name == "zst":
        return bytes(pa.compress(raw, codec="zstd", asbytes=True))
    return {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[name](raw)


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("named", [True, False])
def test_compressed_json_and_text(tmp_path: Path, packing: str, named: bool) -> None:
    raw = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    path = tmp_path / (f"d.jsonl.{packing}" if named else "d.jsonl")
    path.write_bytes(pack(packing, raw))
    assert ours.load_dataset("json", data_files=str(path), split="train").to_list() == ROWS
    text = ours.load_dataset("text", data_files=str(path), split="train")
    assert text["text"] == raw.decode().splitlines()


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst"])
def test_a_cut_compressed_file_is_a_typed_error(tmp_path: Path, packing: str) -> None:
    path = tmp_path / f"d.jsonl.{packing}"
    whole = pack(packing, "".join(json.dumps(row) + "\n" for row in ROWS * 50).encode())
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetGenerationError, match="broken"):
        ours.load_dataset("json", data_files=str(path), split="train")
