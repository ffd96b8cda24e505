"""WebDataset archives, side by side with `datasets`."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets as official
import numpy as np
import PIL.Image
import pytest

import crucible_datasets as ours
from crucible_datasets.errors import DatasetGenerationError, DecodeError, SampleError

Files = list[tuple[str, bytes]]


def png(color: int = 0) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (3, 2), (color, 1, 2)).save(out, "PNG")
    return out.getvalue()


def npy(value: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, value)
    return out.getvalue()


def npz(**values: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **values)
    return out.getvalue()


def tar(files: Files, mode: str = "w", format: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=format) as archive:  # type: ignore[call-overload]
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def samples(count: int, **fields: Any) -> Files:
    """Files of `count` samples; each field's value is made of the sample's number."""
    names = {field: name.replace("__", ".") for field, name in zip(fields, fields, strict=True)}
    return [(f"s{i:03}.{names[field]}", make(i)) for i in range(count) for field, make in fields.items()]


def stored(rows: Any) -> list[dict[str, Any]]:
    """Rows with what is stored of media columns."""
    library = ours if type(rows).__module__.startswith("crucible") else official
    for name, feature in rows.features.items():
        if hasattr(feature, "decode"):
            rows = rows.cast_column(name, getattr(library, type(feature).__name__)(decode=False))
    return list(rows)


def assert_same(root: Path, data_files: Any, **options: Any) -> Any:
    mine = ours.load_dataset("webdataset", data_files=data_files, split="train", **options)
    if "features" in options:
        options["features"] = official.Features.from_dict(options["features"].to_dict())
    cache = str(root / "cache")
    theirs = official.load_dataset("webdataset", data_files=data_files, split="train", cache_dir=cache, **options)
    assert mine.features.to_dict() == theirs.features.to_dict()
    assert list(mine.features) == list(theirs.features)
    assert stored(mine) == stored(theirs)
    return mine


FIELDS: dict[str, Files] = {
    "text": samples(4, txt=lambda i: f"línea {i}\n".encode(), transcript=lambda i: b""),
    "numbers": samples(4, cls=lambda i: b" %d\n" % (i - 2), id=lambda i: b"1_0%d" % i),
    "json": samples(
        6, json=lambda i: json.dumps({"a": i, "b": [i / 4], "c": {"d": "x", "e": None if i < 2 else "y"}}).encode()
    ),
    "json list": samples(3, json=lambda i: json.dumps([{"x": i}, {"x": 1}]).encode()),
    "jsn scalar": samples(3, jsn=lambda i: b'"x%d"' % i),
    "bytes": samples(3, bin=lambda i: bytes([i, 255]), foo__bar=lambda i: b"?"),
    "images": samples(3, png=png, seg__jpg=lambda i: png(i + 9), JPEG=lambda i: b"not looked at"),
    "videos": samples(2, mp4=lambda i: b"ftyp", mpeg=lambda i: b"x", mpg=lambda i: b"y"),
    "meshes": samples(2, stl=lambda i: b"solid"),
    "npy": samples(3, npy=lambda i: npy(np.arange(i + 1, dtype=np.float32))),
    "npy 2d": samples(3, x__npy=lambda i: npy(np.full((2, 3), i, dtype=np.int16))),
    "npz": samples(2, npz=lambda i: npz(a=np.arange(2), b=np.ones(3, np.float32))),
    "packed": [
        ("a.txt.gz", gzip.compress(b"one")),
        ("a.json.bz2", bz2.compress(b'{"x": 1}')),
        ("a.cls.xz", lzma.compress(b"3")),
        ("a.png.gz", gzip.compress(b"stays bytes")),
    ],
    "folders and dots": [
        ("a.b/c.txt", b"1"),
        ("a.b/", b""),
        ("./d.txt", b"2"),
        ("x y/é.txt", "ü".encode()),
        ("nodot", b"-"),
        (".hidden.txt", b"-"),
        ("__MACOSX.txt", b"-"),
        ("q/__x.txt", b"-"),
        ("q/.x.txt", b"-"),
    ],
    "key comes again": [("a.txt", b"1"), ("b.txt", b"2"), ("a.txt", b"3")],
    "one sample": [("a.txt", b"1"), ("a.cls", b"2")],
    "capitals": [("a.TXT", b"1"), ("A.TXT", b"2"), ("b.TXT", b"2")],
    "missing and new later": [
        *samples(5, txt=lambda i: b"x", png=lambda i: png()),
        ("t.png", png(3)),
        ("u.txt", b"y"),
        ("u.new", b"dropped"),
        ("v.txt", b"z"),
    ],
    "long names": [(f"{'d' * 150}/{'n' * 120}{i}.txt", b"%d" % i) for i in range(3)],
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(tar(FIELDS[name]))
    assert_same(tmp_path, str(path))


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_forms_of_tar(tmp_path: Path, format: int) -> None:
    long = "d" * (90 if format == tarfile.USTAR_FORMAT else 300)
    name = "é" if format == tarfile.PAX_FORMAT else "e"
    path = tmp_path / "x.tar"
    path.write_bytes(tar([(f"{long}/{name}.txt", b"1"), (f"{long}/f.txt", b"2")], format=format))
    assert_same(tmp_path, str(path))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_compressed_archives(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(tar(samples(9, txt=lambda i: b"%d" % i, bin=lambda i: bytes(i * 300)), mode))
    assert_same(tmp_path, str(path))


def test_several_archives_and_splits(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("test", 1)):
        for part in range(count):
            name = f"{split}-{part:05}-of-{count:05}.tar"
            files = [(f"{part}{i}.txt", b"%d" % i) for i in range(4)]
            (tmp_path / name).write_bytes(tar(files))
    mine = ours.load_dataset(str(tmp_path))
    theirs = official.load_dataset(str(tmp_path), cache_dir=str(tmp_path.parent / "cache"))
    assert {k: v.to_list() for k, v in mine.items()} == {k: v.to_list() for k, v in theirs.items()}
    assert mine["train"].info.builder_name == "webdataset"
    info = ours.get_dataset_config_info(str(tmp_path))
    assert info.features == mine["train"].features


def test_features(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(tar(samples(3, txt=lambda i: b"ab", cls=lambda i: b"%d" % (i % 2), bin=lambda i: b"?")))
    types = ours.Features(
        {
            "cls": ours.ClassLabel(names=["no", "yes"]),
            "txt": ours.Value("large_string"),
            "none": ours.Value("int8"),
            "__key__": ours.Value("string"),
        }
    )
    mine = assert_same(tmp_path, str(path), features=types)
    assert mine[1]["cls"] == 1


def test_sounds_are_files(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(tar(samples(2, wav=lambda i: b"RIFF", mp3=lambda i: b"ID3")))
    mine = ours.load_dataset("webdataset", data_files=str(path), split="train")
    # The official library stores sounds with torchcodec only; what it says of them needs nothing.
    theirs = official.load_dataset("webdataset", data_files=str(path), split="train", streaming=True)
    assert mine.features.to_dict() == theirs.features.to_dict()
    assert stored(mine)[1]["wav"] == {"bytes": b"RIFF", "path": "s001.wav"}


def test_pixels(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(tar(samples(2, png=png)))
    mine = ours.load_dataset("webdataset", data_files=str(path), split="train")
    assert mine[1]["png"].getpixel((0, 0)) == (1, 1, 2)


def test_names_in_an_archive_are_no_paths_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.png").write_bytes(b"secret")
    path = tmp_path / "x.tar"
    path.write_bytes(tar([("s.png", png(5)), ("t.png", png(6))]))
    monkeypatch.chdir(tmp_path)
    mine = ours.load_dataset("webdataset", data_files=str(path), split="train")
    assert mine[0]["png"].getpixel((0, 0)) == (5, 1, 2)


def test_large_tables_are_kept_in_the_store(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(tar(samples(40, bin=lambda i: bytes([i]) * 100_000)))
    cache = str(tmp_path / "cache")
    mine = ours.load_dataset("webdataset", data_files=str(path), split="train", cache_dir=cache)
    [kept] = (tmp_path / "cache").glob("crucible/*.arrow")
    assert mine[39]["bin"] == bytes([39]) * 100_000
    stamp = kept.stat().st_ino
    again = ours.load_dataset("webdataset", data_files=str(path), split="train", cache_dir=cache)
    assert kept.stat().st_ino == stamp
    assert again[3] == mine[3]
    heap = ours.load_dataset("webdataset", data_files=str(path), split="train", keep_in_memory=True)
    assert heap[7] == mine[7]


HEAD = """
import json, sys
from pathlib import Path
from crucible_datasets import load_dataset
def peak():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10
load_dataset("webdataset", data_files=sys.argv[1], split="train", streaming=True)
before = peak()
stream = load_dataset("webdataset", data_files=sys.argv[2], split="train", streaming=True)
print(json.dumps([sorted(stream.features), peak() - before]))
"""


def test_the_first_samples_are_not_held_together(python: Callable[..., Any], tmp_path: Path) -> None:
    """They say the columns. Five of 24 MB: the bytes of one, the value, and what is read ahead."""
    large = 24_000_000
    for name, size in (("small", 10), ("large", large)):
        content = tar(samples(5, txt=lambda i, size=size: b"x" * size))
        (tmp_path / f"{name}.tar").write_bytes(content)
    columns, grown = python(HEAD, str(tmp_path / "small.tar"), str(tmp_path / "large.tar"))
    assert columns == ["__key__", "__url__", "txt"]
    assert grown < 8 * large  # fifteen times as much, held together


BAD_HEADS: dict[str, Files] = {
    "none": [],
    "no samples": [("readme", b"x")],
    "other fields": [("a.txt", b"1"), ("b.cls", b"2")],
    "twice": [("a.txt", b"1"), ("a.txt", b"2")],
    "broken json": samples(2, json=lambda i: b"{"),
    "no number": samples(2, cls=lambda i: b"x"),
    "not UTF-8": samples(2, txt=lambda i: b"\xff"),
    "pickled": samples(2, npy=lambda i: npy(np.array([{}], dtype=object))),
}


@pytest.mark.parametrize("name", BAD_HEADS)
def test_archives_that_say_no_columns(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(tar(BAD_HEADS[name]))
    with pytest.raises(SampleError, match=r"x\.tar"):
        ours.load_dataset("webdataset", data_files=str(path), split="train")
    with pytest.raises(ValueError, match=r"."):
        official.load_dataset("webdataset", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))


LATER: dict[str, tuple[Files, str]] = {
    "json": ([*samples(6, json=lambda i: b"1"), ("t.json", b"{")], r"t\.json"),
    "type": ([*samples(6, json=lambda i: b"1"), ("t.json", b'"x"')], "json"),
    "number": ([*samples(6, cls=lambda i: b"1"), ("t.cls", b"1.5")], r"t\.cls"),
    "text": ([*samples(6, txt=lambda i: b"1"), ("t.txt", b"\xff")], r"t\.txt"),
    "twice": ([*samples(6, txt=lambda i: b"1"), ("t.txt", b"1"), ("t.txt", b"1")], "Duplicate field 'txt'|\"txt\""),
    "packed": ([*samples(6, **{"txt__gz": lambda i: gzip.compress(b"1")}), ("t.txt.gz", b"no gzip")], r"t\.txt\.gz"),
}


@pytest.mark.parametrize("name", LATER)
def test_errors_name_archive_and_file(tmp_path: Path, name: str) -> None:
    files, text = LATER[name]
    path = tmp_path / "x.tar"
    path.write_bytes(tar(files))
    with pytest.raises(DatasetGenerationError, match=text) as caught:
        ours.load_dataset("webdataset", data_files=str(path), split="train")
    assert "x.tar" in str(caught.value)


def test_truncated_archives(tmp_path: Path) -> None:
    whole = tar(samples(6, txt=lambda i: b"x" * 700))
    for length in (len(whole) // 2, 6 * 1536 - 900, 6 * 1536 + 100 - 1536):
        path = tmp_path / f"{length}.tar"
        path.write_bytes(whole[:length])
        with pytest.raises((DatasetGenerationError, SampleError)) as caught:
            ours.load_dataset("webdataset", data_files=str(path), split="train")
        assert f"{length}.tar" in str(caught.value)
    for name, data in {
        "noise.tar": bytes(range(256)) * 9,
        "x.zip": b"PK\x03\x04" + bytes(60),
        "a.gz": b"\x1f\x8b\x08",
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=name):
            ours.load_dataset("webdataset", data_files=str(tmp_path / name), split="train")


def test_absurd_sizes(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.bin")
    info.size = 1 << 60
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(SampleError, match=r"a\.bin.*has \d+ bytes"):
        ours.load_dataset("webdataset", data_files=str(path), split="train")
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    path.write_bytes(name.tobuf(tarfile.GNU_FORMAT) + bytes(20 << 20))
    with pytest.raises(SampleError, match="header is larger"):
        ours.load_dataset("webdataset", data_files=str(path), split="train")


def test_links_and_devices_are_no_fields(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in (("a.lnk", tarfile.SYMTYPE), ("a.hard", tarfile.LNKTYPE), ("a.fifo", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in ("a.txt", "b.txt"):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"1"))
    (tmp_path / "x.tar").write_bytes(out.getvalue())
    mine = assert_same(tmp_path, str(tmp_path / "x.tar"))
    assert mine.column_names == ["txt", "__key__", "__url__"]


def test_tensors(tmp_path: Path) -> None:
    from datasets.packaged_modules.webdataset import _tenbin  # the writer is the oracle's own

    def made(i: int) -> bytes:
        return bytes(_tenbin.encode_buffer([np.arange(i + 2, dtype=np.float32)]))

    path = tmp_path / "x.tar"
    path.write_bytes(tar(samples(3, ten=made)))
    assert_same(tmp_path, str(path))
    path.write_bytes(tar(samples(3, ten=lambda i: made(i)[:-80])))
    with pytest.raises((DecodeError, SampleError)):
        ours.load_dataset("webdataset", data_files=str(path), split="train")


def test_arrays_that_announce_more_than_there_is(tmp_path: Path) -> None:
    """A shape of terabytes in a hundred bytes, and a kilobyte of zip archive that unpacks to gigabytes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**20, 2**20)})
    with pytest.warns(UserWarning, match="format 3"):  # names that are not Latin-1 need it
        third = npy(np.zeros(2, [("\u4e2d", "<f8")])).replace(b"(2,)", b"(9,)")
    within = io.BytesIO()
    with zipfile.ZipFile(within, "w") as archive:
        archive.writestr("a.npy", header.getvalue() + b"xx")
    absurd = io.BytesIO()
    with zipfile.ZipFile(absurd, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.zeros(9, "i8")))
    lie = bytearray(absurd.getvalue())
    entry = lie.rindex(b"PK\x01\x02")
    lie[entry + 24 : entry + 28] = (2**32 - 2).to_bytes(4, "little")
    for field, value, words in (
        ("npy", header.getvalue() + b"xx", "2 are there"),
        ("npy", third, "takes 72 bytes and 16 are there"),
        ("npz", within.getvalue(), "2 are there"),
        ("npz", bytes(lie), "4294967294 bytes"),
    ):
        path = tmp_path / f"{field}.tar"
        path.write_bytes(tar([("a." + field, value), ("b." + field, value)]))
        with pytest.raises(SampleError, match=rf"a\.{field}.*{words}"):
            ours.load_dataset("webdataset", data_files=str(path), split="train", cache_dir=str(tmp_path / "c"))
