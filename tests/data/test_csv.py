"""CSV, side by side with `datasets` (which reads it with pandas)."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Any

import datasets as official
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crucible_datasets as ours
from crucible_datasets.errors import DatasetGenerationError, UnsupportedError

CASES: dict[str, str] = {
    "plain": "a,b,c\n1,x,1.5\n2,y,2.5\n",
    "missing values": "a,b,c,d\n1,,x,True\n,2.5,,\nNA,null,None,False\n",
    "all missing": "a,b\n,1\n,2\n",
    "booleans": "a,b,c,d\nTrue,true,TRUE,yes\nFalse,false,FALSE,no\n",
    "booleans and text": "a\nTrue\nx\n",
    "zeros in front": "a\n007\n010\n",
    "large": "a,b\n9223372036854775807,9223372036854775808\n1,2\n",
    "floats": "a\n1e3\n-2.5\ninf\n3.14159265358979323846\n0.1\n123456789.123456789\n1e-7\n",
    "hex is text": "a\n0x10\n1\n",
    "dates are text": "a\n2020-01-01\n2021-02-03\n",
    "quotes": 'a,b\n"x,1","line 1\nline 2"\n"say ""hi""",plain\n"",""\n',
    "quote inside": 'a,b\n5" pipe,x\ny,"z" tail\n',
    "quoted numbers": 'a\n"1"\n"2"\n',
    "carriage returns": "a,b\r\n1,x\r\n2,y\r\n",
    "old line ends": "a,b\r1,x\r2,y\r",
    "blank lines": "a,b\n\n1,x\n   \n2,y\n\n",
    "no final newline": "a,b\n1,x",
    "leading blanks": "a, b\n1,  x\n 2,y \n",
    "byte order mark": "\ufeffa,b\n1,x\n",
    "same names": "a,a,a.1,b,b\n1,2,3,4,5\n",
    "empty names": "a,,\n1,2,3\n",
    "short rows": "a,b,c\n1\n2,x\n3,y,z\n",
    "an index in front": "a,b\nr1,1,x\nr2,2,y\n",
    "an index that counts": "a,b\n5,1,x\n7,2,y\n9,3,z\n",
    "an index of one row": "a,b\n5,1,x\n",
    "an index that does not count": "a,b\n5,1,x\n5,2,y\n9,3,z\n",
    "trailing delimiter in all": "a,b\n1,x,\n2,y,\n",
    "unicode": "ä,字\né,😀\n",
    "one column": "a\n1\n2\n",
    "words for nothing": "a,b,c,d,e\nN/A,n/a,#N/A,NaN,nan\n1,2,3,4,5\n",
}
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("a;b\n1;2,5\n3;4\n", {"sep": ";", "decimal": ","}),
    ("a;b\n1;x\n", {"delimiter": ";"}),
    ("a\tb\n1\tx\n", {"sep": "\t"}),
    ("1,x\n2,y\n", {"header": None}),
    ("1,x\n2,y\n", {"column_names": ["p", "q"]}),
    ("a,b\n1,x\n", {"column_names": ["p", "q"], "header": 0}),
    ("junk\na,b\n1,x\n", {"skiprows": 1}),
    ("junk\na,b\n1,x\n", {"header": 1}),
    ("a,b\n1,x\n2,y\n3,z\n", {"nrows": 2}),
    ("a,b\n1,NA\n2,\n", {"keep_default_na": False}),
    ("a,b\n1,-\n2,x\n", {"na_values": ["-"]}),
    ("a,b\n1,NA\n2,\n", {"na_filter": False}),
    ("a\nyes\nno\n", {"true_values": ["yes"], "false_values": ["no"]}),
    ('a\n"1,234"\n"5"\n', {"thousands": ","}),
    ("a,b\n'x,y',1\n", {"quotechar": "'"}),
    ('a,b\n"x,1\n', {"quoting": 3}),
    ('a,b\n"x\\"y",1\n', {"escapechar": "\\", "doublequote": False}),
    ("# note\na,b\n1,x # tail\n2,y\n", {"comment": "#"}),
    ("a, b\n1, x\n", {"skipinitialspace": True}),
    ("a\n1\n\n2\n", {"skip_blank_lines": False}),
    ("a,b\n1,2\n3,4,5\n6,7\n", {"on_bad_lines": "skip"}),
]


def both(path: Path, cache: Path, **options: Any) -> tuple[ours.Dataset, official.Dataset]:
    mine = ours.load_dataset("csv", data_files=str(path), split="train", **options)
    theirs = official.load_dataset("csv", data_files=str(path), split="train", cache_dir=str(cache), **options)
    return mine, theirs


def assert_same(mine: ours.Dataset, theirs: official.Dataset) -> None:
    assert {k: str(v) for k, v in mine.features.items()} == {k: str(v) for k, v in theirs.features.items()}
    assert mine.column_names == theirs.column_names
    assert str(mine.to_list()) == str(theirs.to_list())


@pytest.mark.parametrize("name", CASES)
def test_the_same_rows_and_types(tmp_path: Path, name: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(CASES[name].encode())
    assert_same(*both(path, tmp_path / "cache"))


@pytest.mark.parametrize(("text", "options"), OPTIONS, ids=[str(o) for _, o in OPTIONS])
def test_options_mean_the_same(tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert_same(*both(path, tmp_path / "cache", **options))


CELLS = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["", "NA", "True", "false", "nan", "-", " 1", "1 ", "1.", ".5", "+3", "x", "1e400", "--1"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=6),
)


def written(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["a", "b"], *rows])
    return out.getvalue()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=8))
def test_random_cells(tmp_path: Path, rows: list[list[str]]) -> None:
    import pandas as pd

    path = tmp_path / "t.csv"
    path.write_text(written(rows), encoding="utf-8", newline="")
    try:
        theirs = pd.read_csv(path)
    except (OverflowError, ValueError):
        return
    if theirs.empty or any(str(kind) == "object" for kind in theirs.dtypes):
        return  # a column of mixed objects has no Arrow type of its own
    mine = ours.load_dataset("csv", data_files=str(path), split="train", keep_in_memory=True)
    for name in mine.column_names:
        expected = [None if pd.isna(value) else value for value in theirs[name].tolist()]
        assert mine[name][:] == expected, name


def test_whole_numbers_above_int64_with_missing_values_stay_text(tmp_path: Path) -> None:
    """pandas keeps the digits as text, too, but shows the missing value as an empty text."""
    (tmp_path / "t.csv").write_text("a,b\n9223372036854775808,0\n,0\n")
    mine = ours.load_dataset("csv", data_files=str(tmp_path / "t.csv"), split="train")
    assert mine["a"][:] == ["9223372036854775808", None]


def test_many_pieces_give_the_rows_of_one(tmp_path: Path) -> None:
    rng = random.Random(5)
    words = ["plain", 'with "quotes"', "with, comma", "two\nlines", "", "é"]
    rows = [{"n": i, "f": rng.random(), "t": rng.choice(words) * rng.randint(1, 30)} for i in range(40_000)]
    path = tmp_path / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["n", "f", "t"])
        writer.writeheader()
        writer.writerows(rows)
    mine = ours.load_dataset("csv", data_files=str(path), split="train")
    assert mine["n"][:] == [row["n"] for row in rows]
    assert mine["t"][:] == [row["t"] or None for row in rows]


def test_types_widen_after_the_head(tmp_path: Path) -> None:
    """`datasets` fails here: its types are those of the first 10,000 rows."""
    path = tmp_path / "t.csv"
    head = "".join(f"{i},{i},{i}\n" for i in range(10_000))
    path.write_text("a,b,c\n" + head + ",1.5,x\n", encoding="utf-8")
    mine = ours.load_dataset("csv", data_files=str(path), split="train")
    assert [mine.features[n].dtype for n in "abc"] == ["int64", "float64", "large_string"]
    assert mine[10_000] == {"a": None, "b": 1.5, "c": "x"}
    assert mine[7] == {"a": 7, "b": 7.0, "c": "7"}


@pytest.mark.parametrize(
    ("text", "names"),
    [("id,label,text,more\n007,1,1,x\n008,2,2,y\n", ["text", "id"]), ("label,id\nneg,007\npos,008\n", ["id", "label"])],
)
def test_features_choose_columns_and_types(tmp_path: Path, text: str, names: list[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")

    def features(library: Any) -> Any:
        types = {name: library.Value("string") for name in names}
        if "label" in types:
            types["label"] = library.ClassLabel(names=["pos", "neg"])
        return library.Features(types)

    got = ours.load_dataset("csv", data_files=str(path), split="train", features=features(ours))
    cache = str(tmp_path / "c")
    expected = official.load_dataset(
        "csv", data_files=str(path), split="train", features=features(official), cache_dir=cache
    )
    assert_same(got, expected)


def test_tsv_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "t.tsv").write_text("a\tb\n1\tx,y\n")
    mine = ours.load_dataset(str(tmp_path / "d"), split="train")
    theirs = official.load_dataset(str(tmp_path / "d"), split="train", cache_dir=str(tmp_path / "cache"))
    assert_same(mine, theirs)


def test_compressed(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n"))
    assert ours.load_dataset("csv", data_files=str(tmp_path / "t.csv.gz"), split="train").to_list() == [
        {"a": 1, "b": "x"}
    ]


@pytest.mark.parametrize(
    ("text", "where"),
    [(b"a,b\n1,2\n3,4,5\n", "line 3"), (b"", "empty"), (b"a\nx\xff\n", "UTF-8")],
    ids=["too many fields", "empty", "not utf-8"],
)
def test_bad_files_are_typed_errors(tmp_path: Path, text: bytes, where: str) -> None:
    (tmp_path / "t.csv").write_bytes(text)
    with pytest.raises(DatasetGenerationError, match=rf"t\.csv.*{where}|{where}.*t\.csv"):
        ours.load_dataset("csv", data_files=str(tmp_path / "t.csv"), split="train")


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(UnsupportedError, match="lineterminator"):
        ours.load_dataset("csv", data_files=str(tmp_path / "t.csv"), lineterminator=";")
    with pytest.raises(ValueError, match="separator"):
        ours.load_dataset("csv", data_files=str(tmp_path / "t.csv"), separator=";")


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("bad", "message"),
    [(b"1,\xff\n", "not UTF-8"), (b"1,2,3,4\n", "expected 2 fields, saw 4")],
    ids=["bytes", "fields"],
)
def test_errors_name_the_line(tmp_path: Path, bad: bytes, message: str, streaming: bool) -> None:
    """Beyond the first unit and piece, and behind a field of several lines."""
    rows = b"".join(b"%d,x%d\n" % (i, i) for i in range(25_000))
    path = tmp_path / "a.csv"
    path.write_bytes(b'a,b\n0,"two\nlines"\n' + rows + bad + rows)
    with pytest.raises(Exception, match=rf"{message}.*a\.csv, line 25004"):
        list(
            ours.load_dataset(
                "csv", data_files=str(path), split="train", streaming=streaming, cache_dir=str(tmp_path / "c")
            )
        )
