"""Files that are not what they seem: empty, cut off, of another format, not UTF-8, too deep, lying about sizes."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from _crucible._native import Table
from _crucible.errors import DataError, DecodeError, LimitError, SchemaError
from badinput import check, compact

ROWS = [{"a": i, "b": f"text {i} é", "c": [i, None], "d": {"e": i / 2}} for i in range(40)]
TABLE = pa.Table.from_pylist(ROWS)
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def parquet(table: pa.Table = TABLE) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def arrow_file(compression: str | None = None) -> bytes:
    out = io.BytesIO()
    with ipc.new_file(out, TABLE.schema, options=ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(TABLE, max_chunksize=15)
    return out.getvalue()


def arrow_stream() -> bytes:
    out = io.BytesIO()
    with ipc.new_stream(out, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=15)
    return out.getvalue()


FILES = {
    "parquet": parquet(),
    "json": LINES,
    "csv": b"a,b\n" + b"".join(b'%d,"text %d"\n' % (i, i) for i in range(40)),
    "text": b"some text\n" * 40,
    "arrow": arrow_file(),
}


@pytest.mark.parametrize(
    ("format_", "rows"),
    [("json", 0), ("text", 0), ("csv", "DecodeError"), ("parquet", "DecodeError"), ("arrow", "DecodeError")],
)
def test_empty_file(format_: str, rows: int | str, tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    path.write_bytes(b"")
    if isinstance(rows, int):
        assert Table.read([str(path)], format_).num_rows == rows
    else:
        with pytest.raises(DecodeError, match="nothing"):
            Table.read([str(path)], format_)


@pytest.mark.parametrize("content", FILES)
@pytest.mark.parametrize("format_", ["parquet", "json", "arrow"])
def test_file_of_another_format(content: str, format_: str, tmp_path: Path) -> None:
    if content == format_:
        return
    found = check([(f"really-{content}", FILES[content])], format_, tmp_path)
    assert [kind for kind, _ in found] == ["DecodeError"]


@pytest.mark.parametrize("format_", ["csv", "text"])
def test_binary_files_are_no_text(format_: str, tmp_path: Path) -> None:
    found = check([("a", FILES["parquet"]), ("b", FILES["arrow"])], format_, tmp_path)
    assert {kind for kind, _ in found} == {"DecodeError"}


@pytest.mark.parametrize("format_", ["json", "csv", "text"])
def test_zip_archive_named_as_text(format_: str, tmp_path: Path) -> None:
    found = check([("a.zip", b"PK\x03\x04" + bytes(60))], format_, tmp_path)
    assert found[0][0] == "UnsupportedError"


def test_json_cut_off(tmp_path: Path) -> None:
    cuts = range(0, len(LINES), 5)
    found = check([(f"cut-{n}.jsonl", LINES[:n]) for n in cuts], "json", tmp_path)
    ends = {0} | {n + 1 for n, byte in enumerate(LINES) if byte == 10}
    for n, (kind, text) in zip(cuts, found, strict=True):
        whole = LINES[:n].count(b"\n")
        if n in ends or n + 1 in ends:
            assert (kind, text) == ("read", str(whole + (n not in ends)))
        else:
            assert kind == "DecodeError"
            assert f"line {whole + 1}" in text


def test_json_array_cut_off(tmp_path: Path) -> None:
    array = json.dumps(ROWS[:10], indent=1).encode()
    found = check([(f"cut-{n}.json", array[:n]) for n in range(1, len(array), 11)], "json", tmp_path)
    assert {kind for kind, _ in found} == {"DecodeError"}


def test_csv_cut_off_is_one_row_less(tmp_path: Path) -> None:
    file = FILES["csv"]
    found = check([(f"cut-{n}.csv", file[:n]) for n in range(1, len(file), 3)], "csv", tmp_path)
    assert {kind for kind, _ in found} <= {"read", "DecodeError"}  # an open quote is an error


@pytest.mark.parametrize("name", ["file", "file-zstd", "file-lz4", "stream"])
def test_arrow_cut_off(name: str, tmp_path: Path) -> None:
    file = arrow_stream() if name == "stream" else arrow_file(name[5:] or None)
    cuts = [(f"cut-{n}.arrow", file[:n]) for n in range(0, len(file) - 8, 13)]
    kinds = [kind for kind, _ in check(cuts, "arrow", tmp_path)]
    # A stream may end after any of its batches.
    assert kinds.count("read") <= (30 if name == "stream" else 0)
    assert kinds.count("DecodeError") > 100


@pytest.mark.parametrize("name", ["file", "file-zstd", "file-lz4", "stream"])
def test_arrow_with_absurd_numbers(name: str, tmp_path: Path) -> None:
    file = arrow_stream() if name == "stream" else arrow_file(name[5:] or None)
    dice = random.Random(name)
    lies = []
    for at in range(0, len(file) - 8, 4):
        for number in (
            b"\xff\xff\xff\xff",
            b"\xff\xff\xff\x7f",
            b"\0\0\0\x80",
            b"\xff" * 7 + b"\x7f",
            b"\0" * 5 + b"\1\0\0",
        ):
            lies.append((f"at-{at}-{number.hex()}.arrow", file[:at] + number + file[at + len(number) :]))
    found = check(dice.sample(lies, 600), "arrow", tmp_path)
    assert sum(kind == "DecodeError" for kind, _ in found) > 50


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"])
def test_packed_file_cut_off(pack: object, tmp_path: Path) -> None:
    packed = pack(LINES)  # type: ignore[operator]
    cuts = range(8, len(packed), max(1, len(packed) // 60))
    found = check([(f"cut-{n}.jsonl", packed[:n]) for n in cuts], "json", tmp_path)
    assert {kind for kind, _ in found} == {"DecodeError"}


def test_bomb(tmp_path: Path) -> None:
    """Three gibibytes of blanks in 3 MB, in a process that may map two: an error, not an abort."""
    part = gzip.compress(b" " * (64 << 20), compresslevel=1)
    ((kind, text),) = check([("bomb.jsonl.gz", part * 48)], "json", tmp_path, gib=2)
    assert kind == "LimitError"
    assert "unpack" in text


@pytest.mark.parametrize("format_", ["json", "csv", "text"])
def test_not_utf8(format_: str, tmp_path: Path) -> None:
    good = {"json": b'{"a": "x"}\n', "csv": b"a\nx\n", "text": b"x\n"}[format_]
    path = tmp_path / "latin1"
    path.write_bytes(good * 3 + good.replace(b"x", b"caf\xe9"))
    with pytest.raises(DecodeError, match=r"UTF-8.*latin1.*(line|row) \d"):
        Table.read([str(path)], format_)


def test_strings_of_parquet_that_are_not_utf8(tmp_path: Path) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"s": pa.array([b"good", b"caf\xe9"], pa.binary())}), out, store_schema=False)
    metadata = compact.footer(out.getvalue())
    compact.at(metadata, 2, 1).value[6] = compact.Node(compact.I32, 0)  # says UTF8
    (tmp_path / "a.parquet").write_bytes(compact.with_footer(out.getvalue(), metadata))
    with pytest.raises(DecodeError, match=r"(?i)utf.?8.*a\.parquet, row group 0"):
        Table.read([str(tmp_path / "a.parquet")], "parquet")


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1}\n{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b'{"a": 1}\n' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a": 1}\n' + b'{"a":[' * 100_000,
        # Where values are kept as text, too.
        b'{"a": 1}\n{"a": "x", "b": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    ],
    ids=["lists", "objects", "open", "mixed"],
)
def test_deep_json(text: bytes, tmp_path: Path) -> None:
    ((kind, message),) = check([("deep.jsonl", text)], "json", tmp_path)
    assert kind == "LimitError"
    assert "max_json_depth = 128" in message
    assert "line 2" in message


def test_duplicate_key(tmp_path: Path) -> None:
    path = tmp_path / "twice.jsonl"
    path.write_text('{"a": {"b": 1}}\n{"a": {"b": 1, "b": 2}}\n')
    with pytest.raises(DecodeError, match=r'"b" comes twice.*twice\.jsonl, line 2'):
        Table.read([str(path)], "json")


def written(folder: Path, tables: list[pa.Table]) -> list[str]:
    for index, table in enumerate(tables):
        pq.write_table(table, folder / f"{index}.parquet")
    return [str(folder / f"{index}.parquet") for index in range(len(tables))]


@pytest.mark.parametrize(
    ("first", "second", "rows"),
    [
        ({"a": [1]}, {"a": [2], "b": ["x"]}, [{"a": 1, "b": None}, {"a": 2, "b": "x"}]),
        ({"a": [1], "b": ["x"]}, {"b": ["y"]}, [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]),
        ({"a": [None]}, {"a": ["x"]}, [{"a": None}, {"a": "x"}]),
        ({"a": ["x"]}, {"a": [None]}, [{"a": "x"}, {"a": None}]),
        ({"a": [1]}, {"a": [0.5]}, [{"a": 1.0}, {"a": 0.5}]),
        ({"a": [{"x": 1}]}, {"a": [{"y": 2}]}, [{"a": {"x": 1, "y": None}}, {"a": {"x": None, "y": 2}}]),
        ({"a": [[]]}, {"a": [[1]]}, [{"a": []}, {"a": [1]}]),
        ({"b": [1], "a": [2]}, {"a": [3], "b": [4]}, [{"b": 1, "a": 2}, {"b": 4, "a": 3}]),
    ],
)
def test_files_whose_types_widen(
    first: dict[str, list[object]], second: dict[str, list[object]], rows: list[object], tmp_path: Path
) -> None:
    table = Table.read(written(tmp_path, [pa.table(first), pa.table(second)]), "parquet")
    assert table.rows(0, table.num_rows) == rows


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": ["x"]}, {"a": [1]}),
        ({"a": [{"x": 1}]}, {"a": ["x"]}),
        ({"a": [[1]]}, {"a": [1]}),
        ({"a": [{"x": 1}]}, {"a": [{"x": ["y"]}]}),
    ],
)
def test_files_whose_types_clash(
    first: dict[str, list[object]], second: dict[str, list[object]], tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match=r"1\.parquet") as caught:
        Table.read(written(tmp_path, [pa.table(first), pa.table(second)]), "parquet")
    assert "a" in str(caught.value)


def test_sizes_that_no_file_has(tmp_path: Path) -> None:
    """A footer longer than the file, and one over the limit."""
    file = parquet()
    for length, error in ((len(file), DecodeError), (2**32 - 1, LimitError)):
        (tmp_path / "a.parquet").write_bytes(file[:-8] + struct.pack("<I", length) + b"PAR1")
        with pytest.raises(error, match=r"footer.*a\.parquet"):
            Table.read([str(tmp_path / "a.parquet")], "parquet")


def test_every_error_is_a_value_error(tmp_path: Path) -> None:
    """As users of the official library catch it."""
    path = tmp_path / "a.parquet"
    path.write_bytes(b"no")
    with pytest.raises(ValueError, match=r"a\.parquet") as caught:
        Table.read([str(path)], "parquet")
    assert isinstance(caught.value, DataError)
    assert caught.value.path == str(path)
