"""`to_parquet`: files that say what those of `datasets` say."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import datasets as official
import pyarrow.parquet as pq
import pytest

import crucible_datasets as ours
from crucible_datasets.errors import SchemaError, UnsupportedError

ROWS = 2500


def made(library: Any, rows: int = ROWS) -> Any:
    features = library.Features(
        {
            "n": library.Value("int64"),
            "t": library.Value("string"),
            "l": library.List(library.Value("float32")),
            "c": library.ClassLabel(names=["n", "y"]),
            "i": library.Image(decode=False),
            "s": {"a": library.Value("int8")},
        }
    )
    columns = {
        "n": list(range(rows)),
        "t": [f"text {i % 7}" for i in range(rows)],
        "l": [[0.5] * (i % 3) for i in range(rows)],
        "c": [i % 2 for i in range(rows)],
        "i": [{"bytes": b"\x89PNG" * 10, "path": None}] * rows,
        "s": [{"a": None if i % 5 == 0 else 1} for i in range(rows)],
    }
    return library.Dataset.from_dict(columns, features=features)


def said(path: Path) -> dict[str, Any]:
    """What the footer of a file says."""
    footer = pq.read_metadata(path)
    group = footer.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    return {
        "row groups": [footer.row_group(i).num_rows for i in range(footer.num_row_groups)],
        "codecs": {c.path_in_schema.replace(".item", ".element"): c.compression for c in columns},
        "dictionaries": {c.path_in_schema: c.has_dictionary_page for c in columns if c.path_in_schema.startswith("i.")},
        "index": [c.has_offset_index and c.has_column_index for c in columns],
        "statistics": [c.is_stats_set for c in columns],
        "chunking": json.loads(footer.metadata.get(b"content_defined_chunking", b"null")),
        "features": json.loads(footer.metadata[b"huggingface"])["info"]["features"],
    }


@pytest.mark.parametrize("options", [{}, {"batch_size": 1000}], ids=str)
def test_the_footer_is_that_of_datasets(tmp_path: Path, options: dict[str, Any]) -> None:
    here, there = made(ours), made(official)
    mine, theirs = tmp_path / "mine.parquet", tmp_path / "theirs.parquet"
    assert here.to_parquet(mine, **options) == pytest.approx(there.to_parquet(str(theirs), **options), rel=1e-3)
    assert said(mine) == said(theirs)
    assert pq.read_table(mine).to_pylist() == pq.read_table(theirs).to_pylist()


def test_orders_formats_and_files(tmp_path: Path) -> None:
    data = made(ours).select(range(ROWS - 1, -1, -3)).with_format("numpy", columns=["n"])
    data.to_parquet(tmp_path / "new" / "a.parquet")
    memory = io.BytesIO()
    data.to_parquet(memory)
    assert memory.getvalue() == (tmp_path / "new" / "a.parquet").read_bytes()
    back = official.Dataset(pq.read_table(memory))
    assert back["n"][:] == list(range(ROWS - 1, -1, -3))
    assert back.features["c"].names == ["n", "y"]
    assert made(ours, 0).to_parquet(tmp_path / "empty.parquet") == 0
    assert pq.read_table(tmp_path / "empty.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("options", "codec"),
    [
        ({"compression": "zstd"}, "ZSTD"),
        ({"compression": "ZSTD", "compression_level": 9}, "ZSTD"),
        ({"compression": "gzip", "compression_level": 1}, "GZIP"),
        ({"compression": "brotli"}, "BROTLI"),
        ({"compression": "lz4"}, "LZ4"),
        ({"compression": "none"}, "UNCOMPRESSED"),
    ],
)
def test_compressions(tmp_path: Path, options: dict[str, Any], codec: str) -> None:
    made(ours).to_parquet(tmp_path / "a.parquet", **options)
    assert said(tmp_path / "a.parquet")["codecs"]["t"] == codec
    if codec != "BROTLI":  # pyarrow writes that
        assert said(tmp_path / "a.parquet")["codecs"]["i.bytes"] == "UNCOMPRESSED"


def test_options_of_pages(tmp_path: Path) -> None:
    data = made(ours)
    data.to_parquet(
        tmp_path / "a.parquet",
        use_dictionary=False,
        write_statistics=False,
        use_content_defined_chunking={"min_chunk_size": 1024, "max_chunk_size": 4096},
        data_page_version="2.0",
        max_rows_per_page=100,
    )
    column = pq.read_metadata(tmp_path / "a.parquet").row_group(0).column(1)
    assert not column.has_dictionary_page
    assert not column.is_stats_set
    assert said(tmp_path / "a.parquet")["chunking"] == {"min_chunk_size": 1024, "max_chunk_size": 4096, "norm_level": 0}
    assert pq.read_table(tmp_path / "a.parquet").column("t").to_pylist() == data["t"][:]
    data.to_parquet(tmp_path / "b.parquet", use_content_defined_chunking=False)
    assert said(tmp_path / "b.parquet")["chunking"] is None


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"compression": "lzo"}, SchemaError),
        ({"compression": "snappy", "compression_level": 3}, SchemaError),
        ({"compression": "zstd", "compression_level": 99}, SchemaError),
        ({"flavor": "spark"}, UnsupportedError),
        ({"use_dictionary": ["t"]}, UnsupportedError),
        ({"data_page_version": "3.0"}, UnsupportedError),
        ({"version": "1.0"}, UnsupportedError),
    ],
)
def test_what_is_refused(tmp_path: Path, options: dict[str, Any], error: type[Exception]) -> None:
    name = "compression" if error is SchemaError else next(iter(options))
    with pytest.raises(error, match=f"{name}|zstd"):
        made(ours, 3).to_parquet(tmp_path / "a.parquet", **options)
    assert not list(tmp_path.iterdir())
