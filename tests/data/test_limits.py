"""Limits that Python sets: by call, for a block, by the environment; in threads and in forked processes."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crucible_datasets as datasets
from _crucible._native import Table, decode_image, encode_png, probe_image
from _crucible.errors import LimitError
from crucible_datasets.errors import DatasetGenerationError

DEFAULTS = {
    "max_image_pixels": 178_956_970,
    "max_json_depth": 128,
    "max_missing_values": 1 << 28,
    "max_footer_bytes": 512 << 20,
    "max_page_bytes": (1 << 30) + (1 << 20),
    "max_page_values": 1 << 28,
    "max_schema_depth": 256,
    "max_fixed_bytes": 64 << 20,
    "max_unpacked_bytes": 64 << 30,
}


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    """The limits are the process's: each test starts with the defaults and leaves them."""
    with datasets.set_limits(**DEFAULTS):  # type: ignore[arg-type]
        yield


def test_get_and_set() -> None:
    assert vars(datasets.get_limits()) == DEFAULTS
    datasets.set_limits(max_json_depth=5, max_image_pixels=np.int64(7))  # type: ignore[arg-type]
    assert vars(datasets.get_limits()) == {**DEFAULTS, "max_json_depth": 5, "max_image_pixels": 7}
    datasets.set_limits(max_json_depth=None)
    assert vars(datasets.get_limits()) == {**DEFAULTS, "max_image_pixels": 7}
    datasets.set_limits()
    assert datasets.get_limits().max_image_pixels == 7


def test_block_puts_back_what_it_changed() -> None:
    with datasets.set_limits(max_json_depth=5):
        datasets.set_limits(max_page_values=9)
        with datasets.set_limits(max_json_depth=6):
            assert datasets.get_limits().max_json_depth == 6
        assert datasets.get_limits().max_json_depth == 5
    with pytest.raises(KeyError), datasets.set_limits(max_json_depth=5):
        raise KeyError
    assert vars(datasets.get_limits()) == {**DEFAULTS, "max_page_values": 9}


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"max_json_depth": 0}, ValueError, "max_json_depth must be a whole number from 1 to 256, not 0"),
        ({"max_json_depth": 257}, ValueError, "from 1 to 256, not 257"),
        ({"max_page_bytes": 2**31}, ValueError, "max_page_bytes .* 2147483647"),
        ({"max_unpacked_bytes": 2**64}, ValueError, "max_unpacked_bytes"),
        ({"max_image_pixels": -1}, ValueError, "max_image_pixels"),
        ({"max_image_pixels": True}, TypeError, "max_image_pixels must be a whole number, not True"),
        ({"max_image_pixels": 1.5}, TypeError, "not 1.5"),
        ({"max_image_pixels": "9"}, TypeError, "not '9'"),
        ({"max_pixels": 9}, TypeError, 'there is no limit "max_pixels"; there are max_image_pixels, '),
    ],
)
def test_wrong_ones_set_nothing(changes: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        datasets.set_limits(**{"max_footer_bytes": 77, **changes})  # type: ignore[arg-type]
    assert vars(datasets.get_limits()) == DEFAULTS


def image(width: int, height: int) -> bytes:
    return encode_png(bytes(width * height), width, height, "L")


def nested(depth: int) -> str:
    return "[" * depth + "1" + "]" * depth


def test_images() -> None:
    png = image(30, 20)
    with datasets.set_limits(max_image_pixels=599):
        for read in (decode_image, probe_image):
            with pytest.raises(LimitError, match="max_image_pixels = 599"):
                read(png)
        features = datasets.Features({"i": datasets.Image()})
        dataset = datasets.Dataset.from_dict({"i": [{"bytes": png, "path": None}]}, features=features)
        with pytest.raises(LimitError, match="max_image_pixels = 599"):
            dataset[0]
    with datasets.set_limits(max_image_pixels=600):
        assert decode_image(png)[0] == "L"
        assert dataset[0]["i"].size == (30, 20)


def load(kind: str, path: Path, tmp_path: Path, *, streaming: bool = False) -> list[object]:
    """The rows; what a reader raises, without the class that `load_dataset` puts around it."""
    try:
        loaded = datasets.load_dataset(
            kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"), streaming=streaming
        )
        return list(loaded)
    except DatasetGenerationError as error:
        assert error.__cause__ is not None
        raise error.__cause__ from None


@pytest.mark.parametrize("streaming", [False, True])
def test_json_depth(streaming: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": ' + nested(50) + "}\n")
    with datasets.set_limits(max_json_depth=50), pytest.raises(LimitError, match="max_json_depth = 50"):
        load("json", path, tmp_path, streaming=streaming)
    with datasets.set_limits(max_json_depth=51):
        assert load("json", path, tmp_path, streaming=streaming) == [{"a": json.loads(nested(50))}]


def test_deepest_json_that_can_be_allowed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    deepest = '{"a": ' * 100 + nested(155) + "}" * 100
    path.write_text((deepest + "\n") * 3)
    with datasets.set_limits(max_json_depth=256):
        try:
            assert load("json", path, tmp_path) == [json.loads(deepest)] * 3
        except LimitError as error:  # features have their own end
            assert "deep" in str(error)
        path.write_text('{"a": ' + nested(256) + "}\n")
        with pytest.raises(LimitError, match="max_json_depth = 256"):
            load("json", path, tmp_path)


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": range(1000), "b": pa.array([b"12345678"] * 1000, pa.binary(8))}), path)
    for streaming in (False, True):
        for name, value in [("max_footer_bytes", 100), ("max_page_values", 999), ("max_fixed_bytes", 7)]:
            limit = {name: value}
            with datasets.set_limits(**limit), pytest.raises(LimitError, match=f"{name} = {value}"):  # type: ignore[arg-type]
                load("parquet", path, tmp_path, streaming=streaming)
        assert len(load("parquet", path, tmp_path, streaming=streaming)) == 1000


def test_values_that_rows_lack(tmp_path: Path) -> None:
    """Each row has a key of its own: the table is as long as it is wide."""
    rows = "".join(f'{{"k{i}": 1}}\n' for i in range(100))
    nested_rows = "".join(f'{{"o": {{"k{i}": 1}}}}\n' for i in range(100))
    nulls = '{"o": {' + ", ".join(f'"k{i}": 1' for i in range(100)) + "}}\n" + '{"o": null}\n' * 99
    short = ",".join(f"k{i}" for i in range(100)) + "\n" + "1\n" * 100
    for kind, text in (("json", rows), ("json", nested_rows), ("json", nulls), ("csv", short)):
        path = tmp_path / f"a.{kind}"
        path.write_text(text)
        for most, works in ((9_900, True), (9_899, False)):
            with datasets.set_limits(max_missing_values=most):
                if works:
                    assert Table.read([str(path)], kind).num_rows == 100
                else:
                    with pytest.raises(LimitError, match=f"max_missing_values = {most}"):
                        Table.read([str(path)], kind)


def test_a_small_file_of_many_missing_values(tmp_path: Path) -> None:
    """200 kB of CSV that would be ten billion values: the default refuses them."""
    path = tmp_path / "a.csv"
    path.write_text("," * 100_000 + "\n" + "1\n" * 100_000)
    with pytest.raises(LimitError, match="max_missing_values"):
        Table.read([str(path)], "csv")


def test_files_that_lack_columns(tmp_path: Path) -> None:
    for index in range(3):
        pq.write_table(pa.table({f"c{index}": pa.nulls(100_000, pa.int8())}), tmp_path / f"{index}.parquet")
    paths = [str(tmp_path / f"{index}.parquet") for index in range(3)]
    assert Table.read(paths, "parquet").num_rows == 300_000
    with (
        datasets.set_limits(max_missing_values=599_999),
        pytest.raises(LimitError, match="600000 values that files lack"),
    ):
        Table.read(paths, "parquet")


def test_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"x\n" * 5000))
    with datasets.set_limits(max_unpacked_bytes=9999), pytest.raises(LimitError, match="max_unpacked_bytes = 9999"):
        load("text", path, tmp_path)
    assert len(load("text", path, tmp_path)) == 5000


def test_other_threads_and_forked_processes_see_them() -> None:
    seen = []
    with datasets.set_limits(max_json_depth=33):
        thread = threading.Thread(target=lambda: seen.append(datasets.get_limits().max_json_depth))
        thread.start()
        thread.join()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, str(datasets.get_limits().max_json_depth).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 9) == b"33"
        os.close(read)
        os.close(write)
    assert seen == [33]


def fresh(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import crucible_datasets as d\n{code}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_environment() -> None:
    said = fresh("print(d.get_limits())", CRUCIBLE_MAX_JSON_DEPTH=" 44 ", CRUCIBLE_MAX_PAGE_VALUES="5")
    assert "max_json_depth=44" in said
    assert "max_page_values=5" in said
    assert "max_footer_bytes=536870912" in said
    said = fresh("d.set_limits(max_json_depth=9); print(d.get_limits())", CRUCIBLE_MAX_JSON_DEPTH="44")
    assert "max_json_depth=9" in said
    said = fresh("d.set_limits(max_json_depth=None); print(d.get_limits())", CRUCIBLE_MAX_JSON_DEPTH="44")
    assert "max_json_depth=128" in said
    for wrong in ("0", "many", "-3", "1e3", "999"):
        said = fresh("d.get_limits()", CRUCIBLE_MAX_JSON_DEPTH=wrong)
        assert f"ValueError: CRUCIBLE_MAX_JSON_DEPTH must be a whole number from 1 to 256, not '{wrong}'" in said


def test_environment_reaches_readers(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": [[1]]}\n')
    code = f"d.load_dataset('json', data_files={str(path)!r}, cache_dir={str(tmp_path)!r})"
    assert "max_json_depth = 2" in fresh(code, CRUCIBLE_MAX_JSON_DEPTH="2")
