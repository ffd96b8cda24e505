"""Columns, index, dialect and encoding of CSV files, side by side with `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets as official
import pytest

import crucible_datasets as ours
from crucible_datasets.errors import DatasetGenerationError, DecodeError, MissingColumnError, UnsupportedError

T = "a,b,c\n1,x,1.5\n2,y,2.5\n"
CASES: list[tuple[str, dict[str, Any]]] = [
    (T, {"index_col": 0}),
    (T, {"index_col": "b"}),
    (T, {"index_col": ["b", "a"]}),
    (T, {"index_col": [0, 1]}),
    (T, {"index_col": False}),
    (T, {"index_col": -1}),
    (",a\n0,x\n1,y\n", {"index_col": 0}),
    (",a\n0,x\n2,y\n3,z\n", {"index_col": 0}),
    (",a\nr,x\ns,y\n", {"index_col": 0}),
    (",a\n5,x\n", {"index_col": 0}),
    ("i,a\n,x\n1,y\n", {"index_col": "i"}),
    (T, {"usecols": [0, 2]}),
    (T, {"usecols": [2, 0]}),
    (T, {"usecols": ["c", "a"]}),
    (T, {"usecols": ["a", "b"], "index_col": "b"}),
    (T, {"usecols": [1, 2], "index_col": 0}),
    ("1,2,3\n4,5,6\n", {"header": None, "usecols": [0, 2]}),
    ("1,2,3\n4,5,6\n", {"column_names": ["p", "q"], "usecols": [0, 2]}),
    ("1,2,3\n4,5,6\n", {"column_names": ["p", "q", "r"], "usecols": ["r"]}),
    ("a,b\n1,2,3\n4,5,6\n", {"usecols": [0, 1]}),
    ("a,b\n1,2,3\n4,5,6\n", {"usecols": ["a", "b"]}),
    ("a,b\n1,2\n4,5,6\n", {"usecols": [0]}),
    ("a\tb\n1\t2\n", {"dialect": "excel-tab"}),
    (T, {"date_format": "%Y", "chunksize": 1, "engine": "c"}),
]
ENCODED: list[tuple[bytes, dict[str, Any]]] = [
    ("ä,b\né,1\n".encode("latin-1"), {"encoding": "latin-1"}),
    ("ä,b\né😀,1\n".encode("utf-16"), {"encoding": "utf-16"}),
    ("ä,b\né,1\n".encode("utf-16-be"), {"encoding": "utf-16-be"}),
    ("字,b\n文,1\n".encode("gbk"), {"encoding": "gbk"}),
    ("ä,b\né,1\n".encode("latin-1"), {"encoding_errors": "replace"}),
    ("xä,b\nyé,1\n".encode("latin-1"), {"encoding_errors": "ignore"}),
    ("ä,b\né,1\n".encode("utf-8-sig"), {"encoding": "utf-8-sig"}),
    ("ä,b\né,1\n".encode(), {"encoding": "UTF8"}),
]


def both(path: Path, cache: Path, **options: Any) -> tuple[ours.Dataset, official.Dataset]:
    mine = ours.load_dataset("csv", data_files=str(path), split="train", **options)
    theirs = official.load_dataset("csv", data_files=str(path), split="train", cache_dir=str(cache), **options)
    return mine, theirs


def assert_same(mine: ours.Dataset, theirs: official.Dataset) -> None:
    assert {k: str(v) for k, v in mine.features.items()} == {k: str(v) for k, v in theirs.features.items()}
    assert mine.column_names == theirs.column_names
    assert str(mine.to_list()) == str(theirs.to_list())


@pytest.mark.filterwarnings("ignore:Length of header or names")  # of pandas
@pytest.mark.parametrize(("text", "options"), CASES, ids=[f"{i} {o}" for i, (_, o) in enumerate(CASES)])
def test_options_mean_the_same(tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert_same(*both(path, tmp_path / "cache", **options))


@pytest.mark.parametrize(("data", "options"), ENCODED, ids=[str(o) for _, o in ENCODED])
def test_encodings(tmp_path: Path, data: bytes, options: dict[str, Any]) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    assert_same(*both(path, tmp_path / "cache", **options))


def test_an_encoding_is_part_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file read in two encodings has other rows, each kept for later runs."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "t.csv"
    path.write_bytes(b"a\n" + "é\n".encode() * 3)
    for _ in range(2):
        for encoding, expected in (("utf-8", "é"), ("latin-1", "Ã©")):
            rows = ours.load_dataset(
                "csv", data_files=str(path), split="train", encoding=encoding, keep_in_memory=False
            )
            assert rows["a"][:] == [expected] * 3


def test_features_and_usecols(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(T)

    def features(library: Any) -> Any:
        return library.Features({"a": library.Value("string"), "c": library.Value("float32")})

    mine = ours.load_dataset("csv", data_files=str(path), split="train", usecols=["a", "c"], features=features(ours))
    theirs = official.load_dataset(
        "csv", data_files=str(path), split="train", usecols=["a", "c"], features=features(official),
        cache_dir=str(tmp_path / "c"),
    )  # fmt: skip
    assert_same(mine, theirs)


@pytest.mark.parametrize(
    "options", [{"usecols": ["q"]}, {"usecols": [7]}, {"index_col": 5}, {"index_col": "q"}], ids=str
)
def test_columns_that_are_not_there(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "t.csv"
    path.write_text(T)
    with pytest.raises(DatasetGenerationError, match=r"there are .*'?a") as caught:
        ours.load_dataset("csv", data_files=str(path), **options)
    assert isinstance(caught.value.__cause__, MissingColumnError)


def test_values_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(T)

    def load(**options: Any) -> None:
        ours.load_dataset("csv", data_files=str(path), **options)

    with pytest.raises(UnsupportedError, match=r"converters.*features"):
        load(converters={"a": str})
    with pytest.raises(UnsupportedError, match="function"):
        load(usecols=lambda name: name == "a")
    with pytest.raises(ValueError, match="usecols"):
        load(usecols=["a", 1])
    with pytest.raises(LookupError, match="nope"):
        load(encoding="nope")
    with pytest.raises(LookupError, match="nope"):
        load(encoding_errors="nope")
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(DatasetGenerationError, match=r"not utf-16.*t\.csv") as caught:
        load(encoding="utf-16")
    assert isinstance(caught.value.__cause__, DecodeError)
    assert isinstance(caught.value.__cause__.__cause__, UnicodeError)
