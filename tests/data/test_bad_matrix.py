"""Every reader with every kind of damage, as users meet it: `load_dataset` of a folder of such files."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

import crucible_datasets as datasets
from crucible_datasets.errors import DataError, DatasetGenerationError, DatasetsError

ROWS = [{"a": i, "s": f"text {i}"} for i in range(60)]
OTHER = [{"a": {"x": i}, "s": [i]} for i in range(60)]
"""Rows whose types have nothing in common with those."""


def parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=20)
    return out.getvalue()


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    cells = [
        delimiter.join(f'"{value}"' if isinstance(value, str) else str(value) for value in row.values()) for row in rows
    ]
    return "\n".join([delimiter.join(rows[0]), *cells, ""]).encode()


def text(rows: list[dict[str, Any]]) -> bytes:
    return "\n\n".join(f"{row['s']}" for row in rows).encode()


def arrow(rows: list[dict[str, Any]], make: Callable[..., Any] = ipc.new_file) -> bytes:
    out = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    with make(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)
    return out.getvalue()


def tar(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number, row in enumerate(rows):
            for field, value in {"json": json.dumps(row), "txt": str(row["s"])}.items():
                data = value.encode()
                info = tarfile.TarInfo(f"{number:04}.{field}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def png(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (40, 30), (len(rows), 0, 0)).save(out, "PNG")
    return out.getvalue()


Write = Callable[[list[dict[str, Any]]], bytes]
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}  # fmt: skip
READERS: dict[str, tuple[str, str, Write, dict[str, Any]]] = {
    "parquet": ("parquet", ".parquet", parquet, {}),
    "json lines": ("json", ".jsonl", lines, {}),
    "json array": ("json", ".json", lambda rows: json.dumps(rows, indent=1).encode(), {}),
    "json field": ("json", ".json", lambda rows: json.dumps({"n": 1, "data": rows}).encode(), {"field": "data"}),
    **{f"json {p}": ("json", f".jsonl.{p}", lambda rows, pack=pack: pack(lines(rows)), {}) for p, pack in PACKED.items()},
    "csv": ("csv", ".csv", csv, {}),
    "tsv": ("csv", ".tsv", lambda rows: csv(rows, "\t"), {"sep": "\t"}),
    "text line": ("text", ".txt", text, {}),
    "text paragraph": ("text", ".txt", text, {"sample_by": "paragraph"}),
    "text document": ("text", ".txt", text, {"sample_by": "document"}),
    "arrow file": ("arrow", ".arrow", arrow, {}),
    "arrow stream": ("arrow", ".arrow", lambda rows: arrow(rows, ipc.new_stream), {}),
    "webdataset": ("webdataset", ".tar", tar, {}),
}  # fmt: skip
PLAIN = [
    name
    for name, (format_, *_) in READERS.items()
    if format_ in ("json", "csv", "text") and name.split()[-1] not in PACKED
]
WHOLE = [name for name in READERS if name not in ("csv", "tsv", "arrow stream") and not name.startswith("text")]
"""Those that know where they end."""


def load(name: str, folder: Path, files: dict[str, bytes]) -> Any:
    format_, _, _, options = READERS[name]
    paths = []
    for label, data in files.items():
        paths.append(folder / label)
        paths[-1].write_bytes(data)
    return datasets.load_dataset(
        format_, data_files=[str(path) for path in paths], split="train", cache_dir=str(folder / "cache"), **options
    )


def refused(name: str, folder: Path, files: dict[str, bytes], bad: str) -> str:
    """The message of the error; typed, and with the name of the bad file."""
    with pytest.raises((DataError, DatasetsError)) as caught:
        load(name, folder, files)
    error: BaseException = caught.value
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    assert any(
        isinstance(cause, DataError | DatasetsError) and not isinstance(cause, DatasetGenerationError)
        for cause in causes
    )
    said = " ".join(map(str, causes))
    assert bad in said
    return said


@pytest.mark.parametrize("name", READERS)
def test_what_is_damaged_below_is_read_whole(name: str, tmp_path: Path) -> None:
    _, end, write, _ = READERS[name]
    once = len(load(name, tmp_path, {f"one{end}": write(ROWS)}))
    assert once >= (60 if "document" not in name else 1)
    assert len(load(name, tmp_path, {f"one{end}": write(ROWS), f"two{end}": write(ROWS)})) == 2 * once


@pytest.mark.parametrize("name", WHOLE)
def test_truncated(name: str, tmp_path: Path) -> None:
    _, end, write, _ = READERS[name]
    whole = write(ROWS)
    for cut in (len(whole) // 3, len(whole) * 4 // 5 + 1):
        said = refused(name, tmp_path, {f"good{end}": whole, f"cut{end}": whole[:cut]}, f"cut{end}")
        if name in ("json lines", "json array"):
            assert "line" in said


@pytest.mark.parametrize("name", READERS)
def test_zero_length(name: str, tmp_path: Path) -> None:
    """JSON and text: no rows (a document without text is one). The others have at least a header."""
    format_, end, write, _ = READERS[name]
    files = {f"good{end}": write(ROWS), f"nothing{end}": b""}
    if name == "json field" or format_ not in ("json", "text", "webdataset"):
        refused(name, tmp_path, files, f"nothing{end}")
        return
    alone = len(load(name, tmp_path, {f"good{end}": write(ROWS)}))
    assert len(load(name, tmp_path, files)) == alone + (name == "text document")


@pytest.mark.parametrize("name", READERS)
def test_wrong_extension(name: str, tmp_path: Path) -> None:
    """A file of another format under this one's name: Parquet, or text where Parquet is read."""
    _, end, _, _ = READERS[name]
    other = lines(ROWS) if name == "parquet" else parquet(ROWS)
    refused(name, tmp_path, {f"other{end}": other}, f"other{end}")


@pytest.mark.parametrize("name", [*PLAIN, *(f"json {p}" for p in PACKED)])
def test_not_utf8(name: str, tmp_path: Path) -> None:
    _, end, write, _ = READERS[name]
    data = (
        PACKED[name[5:]](lines(ROWS).replace(b"text 41", b"caf\xe9"))
        if name[5:] in PACKED
        else write(ROWS).replace(b"text 41", b"caf\xe9")
    )
    said = refused(name, tmp_path, {f"good{end}": write(ROWS), f"latin{end}": data}, f"latin{end}")
    assert "UTF-8" in said
    assert "line" in said or "row" in said


def test_not_utf8_in_an_archive(tmp_path: Path) -> None:
    said = refused("webdataset", tmp_path, {"latin.tar": tar(ROWS).replace(b"text 41", b"caf\xe9 41")}, "latin.tar")
    assert "0041" in said


def test_strings_that_are_not_utf8(tmp_path: Path) -> None:
    for name in ("parquet", "arrow file", "arrow stream"):
        _, end, write, _ = READERS[name]
        data = write([{"s": f"caf\xe9 {i}" * 3} for i in range(5)]).replace("\xe9".encode(), b"\xe9\xe9")
        refused(name, tmp_path, {f"latin{end}": data}, f"latin{end}")


@pytest.mark.parametrize("name", ["parquet", "arrow file", "arrow stream"])
def test_schemas_that_do_not_fit(name: str, tmp_path: Path) -> None:
    _, end, write, _ = READERS[name]
    said = refused(name, tmp_path, {f"one{end}": write(ROWS), f"two{end}": write(OTHER)}, f"two{end}")
    assert "column a" in said or "'a'" in said or '"a"' in said


@pytest.mark.parametrize("name", [n for n in READERS if n.startswith("json")])
def test_schemas_of_json_that_do_not_fit_become_json_text(name: str, tmp_path: Path) -> None:
    _, end, write, _ = READERS[name]
    rows = load(name, tmp_path, {f"one{end}": write(ROWS), f"two{end}": write(OTHER)})
    assert rows.features["a"] == datasets.Json()
    assert (rows[0]["a"], rows[60]["a"]) == (0, {"x": 0})


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_schemas_of_csv_that_do_not_fit(name: str, tmp_path: Path) -> None:
    _, end, write, _ = READERS[name]
    two = write([{"a": "no number", "s": "x"}])
    refused(name, tmp_path, {f"one{end}": write(ROWS), f"two{end}": two}, f"two{end}")


def test_the_row_group_is_named(tmp_path: Path) -> None:
    data = bytearray(parquet(ROWS))
    chunk = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(1).column(1)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data[start : start + 20] = b"\xff" * 20
    assert "row group 1" in refused("parquet", tmp_path, {"bad.parquet": bytes(data)}, "bad.parquet")


@pytest.mark.parametrize("damage", ["truncated", "zero-length", "wrong extension"])
def test_images(damage: str, tmp_path: Path) -> None:
    """Files of a folder are opened when they are looked at: the rows before stay readable."""
    good = png(ROWS)
    bad = {"truncated": good[: len(good) // 2], "zero-length": b"", "wrong extension": parquet(ROWS)}[damage]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.png").write_bytes(good)
    (tmp_path / "images" / "bad.png").write_bytes(bad)
    rows = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "images"), split="train", cache_dir=str(tmp_path / "c")
    )
    assert rows[0]["image"].size == (40, 30)
    with pytest.raises((ValueError, OSError)) as caught:
        rows[1]["image"].load()
    assert "bad.png" in str(caught.value)


@pytest.mark.parametrize("data", [b'{"file_name": "0.png"', b"\xff\xfe", b'{"x": 1}\n', b'{"file_name": 7}\n'])
def test_metadata_of_image_folders(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.png").write_bytes(png(ROWS))
    (tmp_path / "images" / "metadata.jsonl").write_bytes(data)
    with pytest.raises((DataError, DatasetsError), match=r"metadata\.jsonl"):
        datasets.load_dataset(
            "imagefolder", data_dir=str(tmp_path / "images"), split="train", cache_dir=str(tmp_path / "c")
        )
