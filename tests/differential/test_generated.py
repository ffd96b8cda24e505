"""`from_generator`, `from_sql`, `flatten_indices` and `cast`: what is kept, what is written, what is cast."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import datasets as theirs
import pandas as pd
import pyarrow as pa
import pytest

import crucible_datasets as ours
from crucible_datasets import errors


class Runs:
    """How often generators ran, in a file: a global that they change would be part of what they are."""

    @staticmethod
    def path() -> Path:
        return Path(os.environ["TEST_RUNS"])

    def __len__(self) -> int:
        return self.path().stat().st_size

    def clear(self) -> None:
        self.path().write_bytes(b"")


RUNS = Runs()


def ran() -> None:
    with open(os.environ["TEST_RUNS"], "a") as out:  # noqa: PTH123
        out.write("x")


def numbers(count: int, shards: list[int] | None = None) -> Iterator[dict[str, Any]]:
    ran()
    for shard in shards or [0]:
        for k in range(count):
            yield {"n": k, "s": f"text {shard}", "l": [k] * (k % 3)}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TEST_RUNS", str(tmp_path / "runs"))
    RUNS.clear()


@pytest.mark.parametrize("library", [ours, theirs])
def test_a_generator_runs_once(tmp_path: Path, library: Any) -> None:
    """Where `datasets` runs it again we do, and where it does not, we do not."""

    def make(**more: Any) -> Any:
        arguments: dict[str, Any] = {"gen_kwargs": {"count": 2500}, "cache_dir": str(tmp_path / "c"), **more}
        return library.Dataset.from_generator(numbers, **arguments)

    first = make()
    assert (len(first), len(RUNS), first.split) == (2500, 1, "train")
    again = make()
    assert (again[:], len(RUNS), again._fingerprint) == (first[:], 1, first._fingerprint)
    assert make(keep_in_memory=True)[:] == first[:]
    assert len(RUNS) == 1
    assert first.cache_files
    assert str(tmp_path / "c") in first.cache_files[0]["filename"]
    assert not make(keep_in_memory=True).cache_files
    assert len(make(gen_kwargs={"count": 10})) == 10
    assert len(RUNS) == 2
    features = library.Features(
        {"n": library.Value("int32"), "s": library.Value("string"), "l": library.List(library.Value("int16"))}
    )
    assert make(features=features).features == features
    make(cache_dir=str(tmp_path / "other"))
    assert len(RUNS) == 4
    named = make(fingerprint="mine")
    assert (named._fingerprint, len(RUNS)) == ("mine", 5)
    assert make(fingerprint="mine", gen_kwargs={"count": 3})[:] == named[:]
    assert len(RUNS) == 5


def test_what_the_function_calls_is_part_of_the_key(tmp_path: Path) -> None:
    def make(add: int, count: int = 5) -> Any:
        def rows() -> Iterator[dict[str, int]]:
            ran()
            for k in range(count):
                yield {"n": k + add}

        return ours.Dataset.from_generator(rows, cache_dir=str(tmp_path / "c"))

    assert make(1)["n"][:] == [1, 2, 3, 4, 5]
    RUNS.clear()
    assert make(1)["n"][:] == [1, 2, 3, 4, 5]
    assert len(RUNS) == 0
    assert make(2)["n"][:] == [2, 3, 4, 5, 6]
    assert make(1, 2)["n"][:] == [1, 2]
    assert len(RUNS) == 2


def test_results_of_map_are_kept_and_cleaned(tmp_path: Path) -> None:
    called = tmp_path / "called"
    called.touch()

    def more(row: dict[str, Any]) -> dict[str, Any]:
        with called.open("a") as out:
            out.write("x")
        return {"m": row["n"] + 1}

    for _ in range(2):
        ds = ours.Dataset.from_generator(numbers, gen_kwargs={"count": 20})
        made = ds.map(more)
        assert made["m"][:] == list(range(1, 21))
    assert (len(RUNS), called.stat().st_size) == (1, 20)
    assert ds.cleanup_cache_files() == 1  # that of map; its own rows stay
    assert ds["n"][:] == list(range(20))
    ours.Dataset.from_generator(numbers, gen_kwargs={"count": 20})
    assert len(RUNS) == 1
    ours.disable_caching()
    try:
        ours.Dataset.from_generator(numbers, gen_kwargs={"count": 20})
    finally:
        ours.enable_caching()
    assert len(RUNS) == 2


def test_the_store_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUCIBLE_STORE_LIMIT", "100000")
    first = ours.Dataset.from_generator(numbers, gen_kwargs={"count": 2000})
    second = ours.Dataset.from_generator(numbers, gen_kwargs={"count": 2001})
    assert not Path(first.cache_files[0]["filename"]).exists()
    assert Path(second.cache_files[0]["filename"]).exists()
    assert first["n"][:] == list(range(2000))


def test_many_rows_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUCIBLE_MEMORY_BUDGET", "10000")
    ds = ours.Dataset.from_generator(numbers, gen_kwargs={"count": 5000})
    assert ds["n"][:] == list(range(5000))
    assert len(ds.cache_files) == 1


@pytest.mark.parametrize("num_proc", [1, 2, 3, 9])
def test_processes_share_the_shards(tmp_path: Path, num_proc: int) -> None:
    arguments: dict[str, Any] = {"gen_kwargs": {"count": 7, "shards": [1, 2, 3, 4, 5]}, "num_proc": num_proc}
    a = ours.Dataset.from_generator(numbers, cache_dir=str(tmp_path / "a"), **arguments)
    b = theirs.Dataset.from_generator(numbers, cache_dir=str(tmp_path / "b"), **arguments)
    assert a[:] == b[:]
    assert a.features.to_dict() == b.features.to_dict()
    RUNS.clear()
    assert ours.Dataset.from_generator(numbers, cache_dir=str(tmp_path / "a"), **arguments)[:] == a[:]
    assert len(RUNS) == 0


def test_generators_that_fail(tmp_path: Path) -> None:
    def broken(at: int) -> Iterator[dict[str, int]]:
        for k in range(10):
            yield {"n": k // (k - at) if k == at else k}

    for _ in range(2):
        with pytest.raises(errors.DatasetGenerationError) as caught:
            ours.Dataset.from_generator(broken, gen_kwargs={"at": 4})
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert len(ours.Dataset.from_generator(broken, gen_kwargs={"at": 40})) == 10
    with pytest.raises(RuntimeError, match="several lengths"):
        ours.Dataset.from_generator(numbers, gen_kwargs={"count": [1], "shards": [1, 2]}, num_proc=2)
    with pytest.raises(ValueError, match="num_proc"):
        ours.Dataset.from_generator(numbers, gen_kwargs={"count": 1}, num_proc=0)
    with pytest.raises(errors.DatasetGenerationError, match="no rows"):
        ours.Dataset.from_generator(numbers, gen_kwargs={"count": 0})


# ----------------------------------------------------------------------------------------------------------------- SQL


def _database(path: Path, rows: int, *, wal: bool = False) -> str:
    with sqlite3.connect(path) as con:
        if wal:
            con.execute("PRAGMA journal_mode=WAL")
        con.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER, s TEXT)")
        con.executemany("INSERT INTO t VALUES (?, ?)", [(k, f"text {k}") for k in range(rows)])
    con.close()
    return f"sqlite:///{path}"


@pytest.mark.parametrize("wal", [False, True])
def test_a_query_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wal: bool) -> None:
    asked: list[Any] = []
    read = pd.read_sql

    def counted(sql: str, con: Any, **options: Any) -> Any:
        """Addresses need SQLAlchemy, which is not always there: they are opened here."""
        asked.append(sql)
        with (
            contextlib.closing(sqlite3.connect(con.split("///")[1]))
            if isinstance(con, str)
            else nullcontext(con) as opened
        ):
            return iter(list(read(sql, opened, **options)))

    con = _database(tmp_path / "d.db", 30, wal=wal)
    query = "SELECT n, s FROM t WHERE n > 3"
    with contextlib.closing(sqlite3.connect(tmp_path / "d.db")) as open_one:
        expected = theirs.Dataset.from_sql(query, open_one, cache_dir=str(tmp_path / "theirs"))[:]
    # Only now: the first builder of `datasets` copies the module pandas as it is.
    monkeypatch.setattr(pd, "read_sql", counted)
    first = ours.Dataset.from_sql(query, con)
    assert first[:] == expected
    asked.clear()
    again = ours.Dataset.from_sql(query, con)
    assert (again[:], again._fingerprint, asked) == (first[:], first._fingerprint, [])
    assert ours.Dataset.from_sql(query, con, keep_in_memory=True)[:] == first[:]
    assert asked == []
    assert len(ours.Dataset.from_sql("SELECT * FROM t", con)) == 30
    assert len(ours.Dataset.from_sql(query, con, cache_dir=str(tmp_path / "other"))) == 26
    assert len(asked) == 2
    _database(tmp_path / "d.db", 5)  # never a wrong hit: `datasets` gives the old rows here
    assert len(ours.Dataset.from_sql(query, con)) == 27
    with sqlite3.connect(tmp_path / "d.db") as open_one:
        asked.clear()
        for _ in range(2):
            assert len(ours.Dataset.from_sql(query, open_one)) == 27
    open_one.close()
    assert len(asked) == 2


# ---------------------------------------------------------------------------------------------------- flatten_indices


def test_flattened_rows_are_written(tmp_path: Path) -> None:
    table = {"n": list(range(3000)), "s": [f"é{k}" for k in range(3000)]}
    order = [5, 3, 2999, 3, 0]
    files = {}
    for library, name in ((ours, "ours"), (theirs, "theirs")):
        files[name] = tmp_path / f"{name}.arrow"
        ds = library.Dataset.from_dict(table).select(order)
        flat = ds.flatten_indices(cache_file_name=str(files[name]))
        assert flat[:] == ds[:]
        assert [file["filename"] for file in flat.cache_files] == [str(files[name])]
    for file in files.values():
        assert ours.Dataset.from_file(str(file))[:] == {key: [table[key][k] for k in order] for key in table}
        assert theirs.Dataset.from_file(str(file))[:] == {key: [table[key][k] for k in order] for key in table}
    before = files["ours"].stat().st_ino
    ds = ours.Dataset.from_dict(table)
    ds.select(order).flatten_indices(cache_file_name=str(files["ours"]))
    assert files["ours"].stat().st_ino == before
    assert ds.select([1, 0]).flatten_indices(cache_file_name=str(files["ours"]))["n"][:] == [1, 0]
    assert files["ours"].stat().st_ino != before
    wide = ours.Features({"n": ours.Value("string"), "s": ours.Value("string")})
    cast = ds.select(order).flatten_indices(cache_file_name=str(tmp_path / "cast.arrow"), features=wide)
    assert (cast.features, cast["n"][:]) == (wide, ["5", "3", "2999", "3", "0"])
    both = ours.DatasetDict({"a": ds.select([2, 1]), "b": ds.select([0])})
    both.flatten_indices(cache_file_names={"a": str(tmp_path / "a.arrow"), "b": None})
    assert theirs.Dataset.from_file(str(tmp_path / "a.arrow"))["n"][:] == [2, 1]
    with pytest.raises(ValueError, match="keep_in_memory"):
        ds.flatten_indices(keep_in_memory=True, cache_file_name=str(tmp_path / "x.arrow"))


# ---------------------------------------------------------------------------------------------------------------- cast


def test_only_rows_that_are_there_are_cast() -> None:
    """A value that does not fit and is not selected is no matter, as in `datasets`."""
    table = {"s": ["1", "2", "no", "4"] * 50, "l": [[k] for k in range(200)]}
    chosen = [k for k in range(200) if k % 4 != 2]
    for part in (lambda d: d.select(chosen), lambda d: d.select(chosen).shuffle(seed=3), lambda d: d.select(range(2))):
        found = []
        for library in (ours, theirs):
            ds: Any = part(library.Dataset.from_dict(table))
            cast = ds.cast_column("s", library.Value("int64"))
            assert cast.features["s"] == library.Value("int64")
            found.append(
                (
                    cast[:],
                    ds.cast(library.Features({"s": library.Value("int8"), "l": library.List(library.Value("string"))}))[
                        :
                    ],
                )
            )
        assert found[0] == found[1]
    small = ours.Dataset.from_dict(table).select(chosen).shuffle(seed=3).take(5).cast_column("s", ours.Value("int64"))
    assert small._table.total_rows == 5
    more = ours.Dataset.from_dict(table).select([0, 1, 3] * 200)
    assert more.cast_column("l", ours.List(ours.Value("int8")))["l"][:3] == [[0], [1], [3]]
    with pytest.raises(errors.SchemaError):
        ours.Dataset.from_dict(table).select([0, 2]).cast_column("s", ours.Value("int64"))


def test_casts_follow_the_limits() -> None:
    words = pa.array(["word " * 100] * 2000).dictionary_encode()
    ds = ours.Dataset(pa.table({"w": words, "n": pa.array(range(2000))}))
    features = ours.Features({"w": ours.Value("large_string"), "n": ours.Value("int64")})
    with ours.set_limits(max_unpacked_bytes=100_000), pytest.raises(errors.LimitError, match="max_unpacked_bytes"):
        ours.Dataset(pa.table({"w": words})).cast_column("w", ours.Value("large_string"))
    assert ds.cast(features)["w"][0] == "word " * 100
