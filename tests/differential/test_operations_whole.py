"""Constructors, `data`, SQL, nested columns, mixed types and info, against the official library."""

from __future__ import annotations

import copy
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets as theirs
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import crucible_datasets as ours
from oracle_pair import assert_same, both, equal, pair

ROWS = [
    {
        "o": {"p": k, "q": {"r": f"x{k}"}, "l": [k] * (k % 3)},
        "a": k,
        "f": k / 4,
        "s": f"t{k}",
        "m": [{"u": k}],
    }
    for k in range(7)
]


# ------------------------------------------------------------------------------------------------------ mixed types

MIXED: dict[str, list[Any]] = {
    "other keys in a list": [[{"a": 1}, {"b": 2}], [{"a": 1}]],
    "the same keys in a list": [[{"a": 1}], [{"a": 2}]],
    "the same keys in another order": [{"a": 1, "b": 2}, {"b": 3, "a": 4}],
    "other keys": [{"a": 1}, {"b": 1}],
    "no keys": [{}, {}],
    "kinds in a list": [[1, "a"], [2]],
    "kinds": [1, "a", None, 2.5, True],
    "text that is JSON": [1, "5", "{}", "x"],
    "other keys inside": [{"x": {"y": 1}}, {"x": {"z": 1}}],
    "kinds inside": [{"x": {"y": 1}, "k": 1}, {"x": {"y": "s"}, "k": 2}],
    "dict and list": [{"a": 1}, [1]],
    "list and number": [[1], 2],
    "bool and number": [True, 1],
    "tool calls": [[{"role": "u", "content": "x"}, {"role": "a", "tool_calls": [{"f": {"n": 1}}]}]],
    "nulls": [None, {"a": 1}, {"a": None}],
    "int and float": [1, 2.5],
    "plain": ["a", "b"],
    "two places": [{"x": [{"a": 1}, {"b": 1}], "y": {"k": 1}}, {"x": [], "y": {"m": 2}}],
    "empty": [],
}


@pytest.mark.parametrize("mode", ["use_json", None])
@pytest.mark.parametrize("name", MIXED)
def test_mixed_types(name: str, mode: str | None) -> None:
    values = MIXED[name]
    both(ours, theirs, lambda library: library.Dataset.from_dict({"v": values}, on_mixed_types=mode))
    both(ours, theirs, lambda library: library.Dataset.from_list([{"v": v} for v in values], on_mixed_types=mode))


@pytest.mark.parametrize("mode", ["use_json", None])
@pytest.mark.parametrize("name", [name for name in MIXED if name != "empty"])
def test_mixed_types_of_map(name: str, mode: str | None) -> None:
    values = MIXED[name]
    a, b = pair({"i": list(range(len(values)))})
    both(a, b, lambda ds: ds.map(lambda row: {"v": values[row["i"]]}, on_mixed_types=mode))


# ------------------------------------------------------------------------------------------------------ constructors


def test_from_dict_arguments() -> None:
    def made(library: Any) -> Any:
        info = library.DatasetInfo(description="d", features=library.Features({"a": library.Value("int8")}))
        return library.Dataset.from_dict({"a": [1]}, info=info, split="test")

    a, b = made(ours), made(theirs)
    assert_same(a, b)
    assert (a.info.description, str(a.split)) == (b.info.description, str(b.split))
    for library in (ours, theirs):
        other = library.Features({"a": library.Value("int16")})  # type: ignore[attr-defined]
        info = library.DatasetInfo(features=library.Features({"a": library.Value("int8")}))  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="different"):
            library.Dataset.from_dict({"a": [1]}, features=other, info=info)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "column",
    [pa.array([1, None, 3], pa.int16()), pa.chunked_array([["a"], ["b", None]]), pa.array([[1], None, []]),
     pa.array([{"x": 1}, None, {"x": 2}])],
    ids=str,
)  # fmt: skip
def test_arrow_columns(column: Any) -> None:
    both(ours, theirs, lambda library: library.Dataset.from_dict({"c": column, "n": [1, 2, 3]}))


def test_arrow_columns_cast() -> None:
    def made(library: Any) -> Any:
        features = library.Features({"c": library.Value("int64")})
        return library.Dataset.from_dict({"c": pa.array([1, None], pa.int8())}, features=features)

    both(ours, theirs, made)


TABLE = pa.table({"a": [1, 2, 3], "o": [{"p": 1, "q": "x"}] * 3})


@pytest.mark.parametrize(
    "make",
    [
        lambda library: library.Dataset(TABLE),
        lambda library: library.Dataset(TABLE, split=library.Split.TEST),
        lambda library: library.Dataset(TABLE, indices_table=pa.table({"indices": pa.array([2, 0], pa.uint64())})),
        lambda library: library.Dataset(TABLE, indices_table=pa.table({"indices": pa.array([2, 0], pa.int64())})),
        lambda library: library.Dataset(pa.table([[1], [2]], names=["a", "a"])),
        lambda library: library.Dataset([{"a": 1}]),
        lambda library: library.Dataset(TABLE.slice(1)),
        lambda library: library.Dataset(
            TABLE,
            info=library.DatasetInfo(
                features=library.Features(
                    {"a": library.Value("int64"), "o": {"q": library.Value("string"), "p": library.Value("int64")}}
                )
            ),
        ),
        lambda library: library.Dataset(
            TABLE.select(["a"]),
            info=library.DatasetInfo(features=library.Features({"a": library.ClassLabel(names=["x"] * 0 + list("wxyz"))})),
        ),
        lambda library: library.Dataset(
            TABLE.select(["a"]), info=library.DatasetInfo(features=library.Features({"a": library.Value("int8")}))
        ),
        lambda library: library.Dataset(
            TABLE.select(["a"]), info=library.DatasetInfo(features=library.Features({"b": library.Value("int64")}))
        ),
        lambda library: library.Dataset(pa.table({"d": pa.array(["a", "b", "a"]).dictionary_encode()})),
    ],
)  # fmt: skip
def test_constructor(make: Callable[[Any], Any]) -> None:
    both(ours, theirs, make)


def test_constructor_shares_memory() -> None:
    table = pa.table({"a": np.arange(1000)})
    view = np.asarray(ours.Dataset(table)["a"])
    assert view.__array_interface__["data"][0] == table["a"].chunk(0).buffers()[1].address


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("x;y\n1;a\n2;b\n")
    (tmp_path / "b.csv").write_text("x;y\n3;c\n")
    (tmp_path / "a.json").write_text('{"rows": [{"x": 1}, {"x": 2}]}')
    (tmp_path / "a.txt").write_text("one\ntwo\n\nthree\n")
    theirs.Dataset.from_dict({"x": [1, 2, 3], "y": ["a", "b", "c"]}).to_parquet(tmp_path / "a.parquet")
    return tmp_path


@pytest.mark.parametrize(
    "make",
    [
        lambda kind, p, options: kind.from_csv(str(p / "a.csv"), sep=";", **options),
        lambda kind, p, options: kind.from_csv([str(p / "a.csv"), str(p / "b.csv")], "test", sep=";", num_proc=1, **options),
        lambda kind, p, options: kind.from_json(str(p / "a.json"), field="rows", **options),
        lambda kind, p, options: kind.from_text(str(p / "a.txt"), keep_linebreaks=True, **options),
        lambda kind, p, options: kind.from_text(str(p / "a.txt"), sample_by="paragraph", **options),
        lambda kind, p, options: kind.from_parquet(str(p / "a.parquet"), columns=["y"], **options),
        lambda kind, p, options: kind.from_parquet(str(p / "a.parquet"), filters=[("x", ">", 1)], **options),
        lambda kind, p, options: kind.from_parquet(str(p / "a.parquet"), keep_in_memory=True, **options),
        lambda kind, p, options: kind.from_csv(str(p / "none.csv"), **options),
    ],
)  # fmt: skip
def test_files(files: Path, make: Callable[..., Any]) -> None:
    both(ours, theirs, lambda library: make(library.Dataset, files, {"cache_dir": str(files / library.__name__)}))


def test_files_of_splits(files: Path) -> None:
    paths = {"train": str(files / "a.csv"), "test": [str(files / "b.csv")]}
    for work in (
        lambda d, cache: d.from_csv(paths, sep=";", cache_dir=cache),
        lambda d, cache: d.from_json({"dev": str(files / "a.json")}, field="rows", cache_dir=cache),
        lambda d, cache: d.from_text({"train": str(files / "a.txt")}, cache_dir=cache),
        lambda d, cache: d.from_parquet({"train": str(files / "a.parquet")}, columns=["x"], cache_dir=cache),
    ):
        both(ours, theirs, lambda library, work=work: work(library.DatasetDict, str(files / library.__name__)))


def test_bad_files_are_not_skipped(files: Path) -> None:
    with pytest.raises(ValueError, match="on_bad_files"):
        ours.Dataset.from_parquet(str(files / "a.parquet"), on_bad_files="skip")


# -------------------------------------------------------------------------------------------------------------- SQL


@pytest.fixture
def base(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database of one table."""
    connection = sqlite3.connect(tmp_path / "base.db")
    connection.execute("create table t (i integer, f real, s text, b blob)")
    values = [(k, k / 2, f"s{k}", b"\x00") for k in range(30)]
    connection.executemany("insert into t values (?, ?, ?, ?)", values)
    connection.execute("insert into t values (null, null, null, null)")
    connection.commit()
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("sql", "options"),
    [
        ("select * from t", {}),
        ("select i, s from t where i > ?", {"params": [3]}),
        ("select * from t", {"chunksize": None}),
        ("select i, f from t where i is not null", {"chunksize": 7}),
        ("select i, f from t where i is not null", {"chunksize": 7, "index_col": "i"}),
        ("select i, f from t where i is not null", {"coerce_float": False}),
        ("select nothing from t", {}),
        ("select i from t", {"wrong": 1}),
        (None, {}),
    ],
)
def test_from_sql(base: sqlite3.Connection, tmp_path: Path, sql: Any, options: dict[str, Any]) -> None:
    expected = theirs_or_error(lambda: theirs.Dataset.from_sql(sql, base, cache_dir=str(tmp_path / "c"), **options))
    if isinstance(expected, Exception):
        error = theirs_or_error(lambda: ours.Dataset.from_sql(sql, base, **options))
        assert isinstance(error, Exception), f"datasets raised {expected!r} from {expected.__cause__!r}"
        assert not isinstance(error, AttributeError)
        return
    assert_same(ours.Dataset.from_sql(sql, base, **options), expected)


def theirs_or_error(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:  # noqa: BLE001  # it is the result
        return error


def test_from_sql_features(base: sqlite3.Connection, tmp_path: Path) -> None:
    def made(library: Any) -> Any:
        features = library.Features({"i": library.Value("float32"), "s": library.Value("string")})
        sql = "select i, s from t"
        return library.Dataset.from_sql(sql, base, features=features, cache_dir=str(tmp_path / library.__name__))

    both(ours, theirs, made)


def test_from_sql_without_rows(base: sqlite3.Connection) -> None:
    """The official library fails when no row is found."""
    found = ours.Dataset.from_sql("select i, s from t where i < 0", base)
    assert (found.column_names, len(found)) == (["i", "s"], 0)


@pytest.mark.parametrize("options", [{}, {"batch_size": 3}, {"index": True}, {"if_exists": "replace"}, {"num_proc": 0}])
def test_to_sql(tmp_path: Path, options: dict[str, Any]) -> None:
    a, b = pair({"i": [1, None, 3, 4, 5], "f": [1.5, 2.0, None, 4.0, 5.0], "s": ["a", "b", None, "d", "é"]})
    found = []
    for dataset in (a, b):
        connection = sqlite3.connect(":memory:")
        connection.execute("create table old (x)")
        try:
            written = dataset.select([4, 0, 1, 2]).to_sql("new", connection, **options)
            found.append((written, connection.execute("select * from new").fetchall()))
        except ValueError as error:
            found.append(("error", str(error)))
        finally:
            connection.close()
    assert equal(list(found[0]), list(found[1])) if found[0][0] == "error" else found[0] == found[1]


def test_to_sql_exists(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    ds = ours.Dataset.from_dict({"a": [1, 2]})
    assert ds.to_sql("t", connection) == 2
    with pytest.raises(ValueError, match="exists"):
        ds.to_sql("t", connection)
    assert ds.to_sql("t", connection, if_exists="append") == 2
    assert connection.execute("select count(*) from t").fetchone() == (4,)
    connection.close()


# ------------------------------------------------------------------------------------------------------------- data


def test_data() -> None:
    a, b = pair(ROWS)
    for work in (
        lambda d: d.num_rows, lambda d: d.num_columns, lambda d: d.column_names, lambda d: d.shape, len,
        lambda d: d.column("a").to_pylist(), lambda d: d["s"].to_pylist(), lambda d: d.to_pydict(), lambda d: d.select(["a", "s"]).to_pandas().to_dict(),
        lambda d: d.slice(1, 2).to_pydict(), lambda d: [x.num_rows for x in d.to_batches()], lambda d: d.schema.names,
        lambda d: d.select(["a"]).column_names, lambda d: d.field("a").name, lambda d: d.nbytes > 0, lambda d: d.equals(d),
        lambda d: d == d, lambda d: d.drop_columns(["a"]).column_names if hasattr(d, "drop_columns") else d.drop(["a"]).column_names,
        lambda d: isinstance(d.table, pa.Table), lambda d: d.flatten().column_names, lambda d: pickle.loads(pickle.dumps(d)).to_pydict(),
        lambda d: pa.table(d.table).num_rows,
    ):  # fmt: skip
        assert work(a.data) == work(b.data)
    assert a.data.schema.field("o").type == b.data.schema.field("o").type
    assert pa.table(a.data).equals(a.data.table)
    dicts = ours.DatasetDict({"train": a}).data
    assert dicts["train"].num_rows == 7
    view = np.asarray(ours.Dataset.from_dict({"x": np.arange(100)}).data["x"].chunk(0))
    assert view[5] == 5
    # Rows in the dataset's order: the official `data` ignores it.
    assert a.select([3, 1]).data["a"].to_pylist() == [3, 1]


def test_data_shares_memory() -> None:
    ds = ours.Dataset.from_dict({"x": np.arange(100)})
    first = ds.data["x"].chunk(0).buffers()[1].address
    assert ds.data["x"].chunk(0).buffers()[1].address == first
    assert ds.select(range(10, 20)).data["x"].chunk(0).buffers()[1].address == first + 10 * 8


# ----------------------------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize("work", [
    lambda ds: repr(ds["o"]["p"]), lambda ds: ds["o"]["q"]["r"][:], lambda ds: ds["o"]["p"][2], lambda ds: ds["o"]["p"][[1, 2]],
    lambda ds: ds["o"]["p"][-1], lambda ds: list(ds["o"]["q"]), lambda ds: ds["m"]["u"], lambda ds: ds["a"]["x"], lambda ds: ds["o"]["zz"],
    lambda ds: len(ds["o"]["p"]), lambda ds: ds["o"]["p"] == list(range(7)), lambda ds: ds["a"] == tuple(range(7)),
    lambda ds: (ds["a"] == np.arange(7)).tolist(), lambda ds: str(ds["o"]["p"].features), lambda ds: 3 in ds["o"]["p"],
    lambda ds: ds["o"]["p"].index(3), lambda ds: ds.select([3, 1])["o"]["p"][:], lambda ds: ds["o"]["p"][1:3], lambda ds: ds["a"][True],
    lambda ds: str(ds["o"]), lambda ds: list(reversed(ds["a"])), lambda ds: ds["o"]["p"][7], lambda ds: ds["a"] != [1],
    lambda ds: ds["o"].column_name, lambda ds: ds["o"]["p"].source.column_name, lambda ds: hash(ds["a"]), lambda ds: ds["a"] + [1],
    lambda ds: sum(ds["o"]["p"]), lambda ds: sorted(ds["a"], reverse=True), lambda ds: np.array(ds["o"]["p"]).tolist(),
    lambda ds: pa.array(ds["o"]["p"]).to_pylist(), lambda ds: ds["a"].count(2), lambda ds: list(copy.deepcopy(ds["o"])["p"]),
    lambda ds: list(pickle.loads(pickle.dumps(ds["o"]["p"]))), lambda ds: pd.Series(ds["a"]).tolist(),
    lambda ds: [int(x) for x in ds.with_format("numpy")["o"]["p"]],
    lambda ds: [x.tolist() for x in ds.with_format("numpy")["o"]["l"][:]],
    lambda ds: ds.with_transform(lambda batch: {"a": [-x for x in batch["a"]]})["a"][:],
])  # fmt: skip
def test_column(work: Callable[[Any], Any]) -> None:
    a, b = pair(ROWS)
    both(a, b, work)


def test_null_structs_have_null_fields() -> None:
    """The official library fails on them."""
    ds = ours.Dataset.from_dict({"n": [{"z": 0}, None, {"z": 2}]})
    assert ds["n"]["z"][:] == list(ds["n"]["z"]) == [0, None, 2]
    assert ds["n"]["z"][1] is None
    assert np.array(ds["n"]["z"]).tolist() == [0, None, 2]


# -------------------------------------------------------------------------------------------------------------- info


def test_info_can_be_set() -> None:
    a, b = pair({"a": [1]})
    for ds in (a, b):
        child = ds.map(lambda row: row)
        ds.info.description = "text"
        assert (ds.info.description, ds.description, child.info.description) == ("text", "text", "")
        assert ds.info is ds.info
        later = ds.rename_column("a", "b")
        assert later.info.description == "text"
        later.info.description = "other"
        assert ds.info.description == "text"
        assert list(later.info.features) == ["b"]
        assert pickle.loads(pickle.dumps(ds)).info.description == "text"


def test_versions() -> None:
    for library in (ours, theirs):
        version = library.Version("1.10.0", description="new")  # type: ignore[attr-defined]
        assert version > "1.9.5"
        assert version == "1.10.0" == str(version)
        assert (version.major, version.minor, version.patch, version.tuple) == (1, 10, 0, (1, 10, 0))
        assert library.Version.from_dict({"version_str": "2.0.0", "major": 2, "x": 1}) >= version  # type: ignore[attr-defined]
        assert version != "x"
        assert len({version, library.Version("1.10.0")}) == 1  # type: ignore[attr-defined]
        with pytest.raises(TypeError):
            _ = version < 3
        with pytest.raises(ValueError, match=r"x\.y\.z"):
            library.Version("1.0")  # type: ignore[attr-defined]


def test_parts() -> None:
    a, b = pair(ROWS)
    for work in (
        lambda ds: list(ds.to_dict(batch_size=3, batched=True)),
        lambda ds: [frame["a"].tolist() for frame in ds.to_pandas(batch_size=2, batched=True)],
        lambda ds: [frame["a"].to_list() for frame in ds.select([5, 1, 0]).to_polars(batch_size=2, batched=True)],
        lambda ds: str(ds.to_polars(schema_overrides={"a": "x"} if False else None).schema["a"]),
        lambda ds: ds.to_polars(rechunk=False)["s"].to_list(),
    ):
        both(a, b, work)


def test_with_block() -> None:
    for library in (ours, theirs):
        with library.Dataset.from_dict({"a": [1]}) as ds:  # type: ignore[attr-defined]
            assert ds[0] == {"a": 1}
        with pytest.raises(AttributeError):
            ds[0]
