"""What stands for more than it is: dictionaries of long strings, keys that other rows lack. Counted before it is made."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.json as pj
import pyarrow.parquet as pq
import pytest

import crucible_datasets as datasets
from _crucible._native import Table
from _crucible.errors import LimitError, SchemaError

MEBIBYTE = 1 << 20


def words(count: int, length: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x" * length, "y"]))


def written(table: pa.Table, path: Path, form: str) -> str:
    if form == "parquet":
        pq.write_table(table, path)
    else:
        with (ipc.new_file if form == "file" else ipc.new_stream)(path, table.schema) as writer:
            writer.write_table(table)
    return str(path)


@pytest.mark.parametrize("form", ["file", "stream"])
@pytest.mark.parametrize("shape", ["plain", "list", "struct"])
def test_dictionaries_that_stand_for_too_much(form: str, shape: str, tmp_path: Path) -> None:
    """4 GiB out of a mebibyte and some: no column of 32-bit offsets holds it."""
    column: pa.Array = words(4096, MEBIBYTE)
    if shape == "list":
        column = pa.ListArray.from_arrays([0, 4096], column)
    elif shape == "struct":
        column = pa.StructArray.from_arrays([column], ["w"])
    path = written(pa.table({"a": column}), tmp_path / "a.arrow", form)
    with pytest.raises(LimitError, match="4294967296 bytes") as caught:
        Table.read([path], "arrow")
    assert caught.value.path == path
    assert caught.value.column == "a"
    streamed = datasets.load_dataset("arrow", data_files=path, split="train", streaming=True)
    with pytest.raises(LimitError, match="4294967296 bytes"):
        next(iter(streamed))


@pytest.mark.parametrize("form", ["file", "stream", "parquet"])
def test_dictionaries_are_counted_over_the_columns(form: str, tmp_path: Path) -> None:
    table = pa.table({"a": words(100, 1000), "b": words(100, 500)})
    path = written(table, tmp_path / "a.arrow", form)
    kind = "parquet" if form == "parquet" else "arrow"
    for most, works in ((150_000, True), (149_999, False)):
        with datasets.set_limits(max_unpacked_bytes=most):
            if works:
                assert pa.table(Table.read([path], kind)).column("a").to_pylist() == ["x" * 1000] * 100
            else:
                with pytest.raises(LimitError, match="max_unpacked_bytes"):
                    Table.read([path], kind)


def test_large_offsets_hold_it(tmp_path: Path) -> None:
    large = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None, 0], pa.int8()), pa.array(["é", "b"], pa.large_string())
    )
    path = written(pa.table({"a": large}), tmp_path / "a.arrow", "file")
    back = pa.table(Table.read([path], "arrow"))
    assert back.schema.field("a").type == pa.large_string()
    assert back.column("a").to_pylist() == ["é", "b", None, "é"]


def test_views_that_name_one_text_again_and_again() -> None:
    """3 GiB as strings of 32-bit offsets, 48 kB as views."""
    view = struct.pack("<i4sii", MEBIBYTE, b"xxxx", 0, 0)
    buffers = [None, pa.py_buffer(view * 3072), pa.py_buffer(b"x" * MEBIBYTE)]
    many = pa.Array.from_buffers(pa.string_view(), 3072, buffers)
    data = datasets.Dataset.from_arrow(pa.table({"a": many}))
    with pytest.raises(LimitError, match="3221225472 bytes"):
        data.cast(datasets.Features({"a": datasets.Value("string")}))
    few = datasets.Dataset.from_arrow(pa.table({"a": many.slice(0, 3)}))
    assert few.cast(datasets.Features({"a": datasets.Value("string")}))["a"][2] == "x" * MEBIBYTE


CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from _crucible._native import Table
from _crucible.errors import LimitError
try:
    Table.read([sys.argv[1]], "json")
except LimitError as error:
    print(error)
"""


@pytest.mark.parametrize("nested", [False, True])
def test_a_key_of_its_own_for_each_of_many_rows(nested: bool, tmp_path: Path) -> None:
    """Half a megabyte that would be 900 million values: refused without the memory or the time for them."""
    path = tmp_path / "a.jsonl"
    row = '{{"o": {{"k{0}": 1}}}}\n' if nested else '{{"k{0}": 1}}\n'
    path.write_text("".join(row.format(i) for i in range(30_000)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "max_missing_values = 268435456" in done.stdout, done.stderr
    assert "a.jsonl" in done.stdout
    assert after.ru_utime - before.ru_utime < 15  # it was 30 s and more; it is less than one


def test_rows_that_lack_keys_read_as_pyarrow_reads_them(tmp_path: Path) -> None:
    """Nulls before the first value, between values and after the last, in each type and level."""
    values = ["true", "1", "1.5", '"s"', "[1, null, 2]", '{"x": 1}', '[{"y": "t"}, {}, {"z": null}, null]', "null"]
    lines = ["{}"] * 3
    for number, value in enumerate(values):
        lines += [f'{{"c{number}": {value}, "o": {{"c{number}": {value}}}}}', '{"o": null}', "{}", '{"o": {}}']
    lines += [f'{{"c{number}": {value}}}' for number, value in enumerate(values)] + ["{}"]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines) + "\n")
    # In the head, objects whose keys differ are JSON text.
    assert pa.table(Table.read([str(path)], "json", json='{"head": 0}')).to_pylist() == pj.read_json(path).to_pylist()


def test_large_unsigned_integers() -> None:
    top = 2**64 - 1
    features = datasets.Features({"a": datasets.Value("uint64")})
    data = datasets.Dataset.from_dict({"a": [1, top, None]}, features)
    assert data["a"][:] == [1, top, None]
    assert datasets.Dataset.from_list([{"a": 1}, {"a": top}], features)["a"][:] == [1, top]
    assert data.add_item({"a": top - 1})["a"][-1] == top - 1
    assert data.map(lambda row: {"a": top - (row["a"] or 0)}).to_dict() == {"a": [top - 1, 0, top]}
    made = data.map(
        lambda _: {"b": [{"c": top}]}, features=datasets.Features({**features, "b": [{"c": features["a"]}]})
    )
    assert made[0] == {"a": 1, "b": [{"c": top}]}
    listed = datasets.Features({"a": datasets.List(datasets.Value("uint64"))})
    assert datasets.Dataset.from_dict({"a": [[1], [top, None], []]}, listed)["a"][:] == [[1], [top, None], []]
    generated = datasets.Dataset.from_generator(lambda: iter([{"a": 1}, {"a": top}]), features=features)
    assert generated["a"][:] == [1, top]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([2**64], "uint64"),
        ([-1, 2**63], "uint64"),
        ([2**63, -1], "uint64"),
        ([0, 2**63], "int64"),
        ([0, 2**64 - 1], "uint32"),
    ],
)
def test_large_integers_that_fit_no_type(values: list[object], dtype: str) -> None:
    with pytest.raises((SchemaError, OverflowError)):
        datasets.Dataset.from_dict({"a": values}, datasets.Features({"a": datasets.Value(dtype)}))
