"""Streams of every format: the rows, types and order of `datasets`, from disk, hub and web, and states that resume."""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import json
import lzma
import os
import pickle
import tarfile
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

import datasets as official
import PIL.Image
import pyarrow as pa
import pytest

import crucible_datasets as ours
from crucible_datasets.errors import DataError, DecodeError
from hfhub import HubServer

Rows = list[dict[str, Any]]


def lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def arrow(batches: list[Rows], *, file: bool) -> bytes:
    tables = [pa.Table.from_pylist(rows) for rows in batches]
    out = io.BytesIO()
    make = pa.ipc.new_file if file else pa.ipc.new_stream
    with make(out, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table.cast(tables[0].schema))
    return out.getvalue()


def tar(files: list[tuple[str, bytes]], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def png(color: int) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (3, 2), (color, 1, 2)).save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Case:
    """Files of one format, read with options."""

    format: str
    files: dict[str, bytes]
    options: dict[str, Any] = field(default_factory=dict)


FLAT: Rows = [{"i": i, "x": i / 4, "s": f"tœxt {i}\n", "n": None if i % 3 else i} for i in range(23)]
NESTED: Rows = [{"m": [{"a": i, "b": "x" * i}], "d": "2024-01-01T00:00:00", "e": {"k": i}} for i in range(9)]
CSV = ("a,b,c\n" + "".join(f'{i},"x\n{i}",{i / 2}\n' for i in range(50))).encode()
TEXT = "".join(f"lïne {i}\r\n{'' if i % 4 else chr(10)}" for i in range(60)).encode()
SAMPLES = [
    (f"d/{i}.{name}", data) for i in range(7) for name, data in (("txt", b"%d" % i), ("json", b'{"k": [%d]}' % i))
]

CASES: dict[str, Case] = {
    "lines": Case("json", {"a.jsonl": lines(FLAT), "b.jsonl": lines(FLAT[:4])}),
    "nested lines": Case("json", {"a.jsonl": lines(NESTED)}),
    "lines without an end": Case("json", {"a.jsonl": lines(FLAT)[:-1]}),
    "mixed lines": Case("json", {"a.jsonl": lines([{"a": 1}, {"a": "x"}, {"a": [1]}])}),
    "objects with other keys": Case("json", {"a.jsonl": lines([{"a": {"x": 1}}, {"a": {"y": 2}}])}),
    "small chunks": Case("json", {"a.jsonl": lines(FLAT)}, {"chunksize": 300}),
    "array": Case("json", {"a.json": json.dumps(NESTED, indent=2).encode(), "b.json": json.dumps(NESTED[2:]).encode()}),
    "array of strings": Case("json", {"a.json": b'["a", "b, ]", "c\\""]'}),
    "field": Case("json", {"a.json": json.dumps({"v": 1, "data": FLAT}).encode()}, {"field": "data"}),
    "latin lines": Case("json", {"a.jsonl": lines(FLAT).decode().encode("utf-16")}, {"encoding": "utf-16"}),
    "csv": Case("csv", {"a.csv": CSV, "b.csv": b"a,b,c\n9,z,x\n"}),
    "tsv": Case("csv", {"a.tsv": CSV.replace(b",", b"\t")}, {"sep": "\t"}),
    "csv with a mark": Case("csv", {"a.csv": b"\xef\xbb\xbf" + CSV}),
    "csv with few rows": Case("csv", {"a.csv": CSV}, {"nrows": 7}),
    "csv without a header": Case("csv", {"a.csv": CSV}, {"header": None, "skiprows": 1, "names": ["x", "y", "z"]}),
    "csv of other types later": Case(
        "csv",
        {"a.csv": ("a,b\n" + "".join(f"{i if i < 20_000 else 'x'},{'' if i == 10_000 else i}\n" for i in range(20_005))).encode()},
    ),
    "csv features": Case(
        "csv", {"a.csv": CSV}, {"features": {"a": "string", "b": "large_string", "c": "float32"}}
    ),
    "text": Case("text", {"a.txt": TEXT, "b.txt": b"one\n\ntwo"}),
    "text with ends": Case("text", {"a.txt": TEXT}, {"keep_linebreaks": True}),
    "paragraphs": Case("text", {"a.txt": TEXT + b"\n\n\nlast\n", "b.txt": b"x\n\n\n\n"}, {"sample_by": "paragraph"}),
    "documents": Case("text", {"a.txt": TEXT, "b.txt": b"", "c.txt": b"z"}, {"sample_by": "document"}),
    "latin text": Case("text", {"a.txt": "é\nñ\n".encode("latin-1")}, {"encoding": "latin-1"}),
    "arrow stream": Case("arrow", {"a.arrow": arrow([FLAT[:9], FLAT[9:]], file=False), "b.arrow": arrow([FLAT[:2]], file=False)}),
    "arrow file": Case("arrow", {"a.arrow": arrow([NESTED[:4], NESTED[4:8], NESTED[8:]], file=True)}),
    "webdataset": Case("webdataset", {"a.tar": tar(SAMPLES), "b.tar": tar(SAMPLES[:4])}),
    "packed webdataset": Case("webdataset", {"a.tar.gz": tar(SAMPLES, "w:gz")}),
    "pictures": Case("webdataset", {"a.tar": tar([(f"{i}.png", png(i)) for i in range(6)])}),
}  # fmt: skip
PACKED: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
for _name in ("lines", "array", "csv", "text", "paragraphs", "documents"):
    for _suffix, _pack in PACKED.items():
        _case = CASES[_name]
        _files = {name + _suffix: _pack(data) for name, data in _case.files.items()}
        CASES[f"{_name}{_suffix}"] = Case(_case.format, _files, _case.options)


def write(folder: Path, case: Case) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in case.files.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in case.files]


def opened(library: Any, case: Case, files: list[str], **more: Any) -> Any:
    options = dict(case.options)
    if "features" in options:
        types = {name: library.Value(dtype) for name, dtype in options["features"].items()}
        options["features"] = library.Features(types)
    return library.load_dataset(case.format, data_files=files, split="train", streaming=True, **options, **more)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row that compares: pictures by their pixels, addresses left out."""
    return {
        name: value.tobytes() if isinstance(value, PIL.Image.Image) else value
        for name, value in row.items()
        if name != "__url__"
    }


@pytest.mark.parametrize("name", CASES)
def test_rows_are_those_of_datasets(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    files = write(tmp_path / "data", case)
    mine, theirs = opened(ours, case, files), opened(official, case, files, cache_dir=str(tmp_path / "cache"))
    known = None if mine.features is None else mine.features.to_dict()
    assert known == (None if theirs.features is None else theirs.features.to_dict())
    rows = [shown(row) for row in mine]
    assert rows
    assert repr(rows) == repr([shown(row) for row in theirs])  # types of numbers count


@pytest.mark.parametrize("name", CASES)
def test_states_resume_exactly(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    files = write(tmp_path / "data", case)
    whole = [shown(row) for row in opened(ours, case, files)]
    stops = range(len(whole) + 1) if len(whole) < 100 else (0, 1, 9_999, 10_000, 10_001, len(whole))
    for stop in stops:
        stream = opened(ours, case, files)
        head = [shown(row) for row in islice(stream, stop)]
        fresh = opened(ours, case, files)
        fresh.load_state_dict(json.loads(json.dumps(stream.state_dict())))
        rest = [shown(row) for row in fresh]
        assert len(head) + len(rest) == len(whole)
        assert head + rest == whole


@pytest.mark.parametrize("format", ["lines", "array", "csv", "text", "paragraphs", "webdataset", "arrow"])
@pytest.mark.parametrize("packed", [False, True])
def test_large_files_resume(tmp_path: Path, format: str, packed: bool) -> None:
    rows = [{"i": i, "s": "x" * (i % 1000)} for i in range(20_000)]
    made: dict[str, Callable[[], bytes]] = {
        "lines": lambda: lines(rows),
        "array": lambda: json.dumps(rows).encode(),
        "csv": lambda: b"i,s\n" + "".join(f"{r['i']},{r['s']}\n" for r in rows).encode(),
        "text": lambda: "".join(f"{r['i']} {r['s']}\n" for r in rows).encode(),
        "paragraphs": lambda: "".join(f"{r['i']}\n{r['s']}\n\n" for r in rows).encode(),
        "webdataset": lambda: tar([(f"{r['i']:06}.txt", str(r["s"]).encode()) for r in rows[:2000]]),
        "arrow": lambda: arrow([rows[at : at + 1000] for at in range(0, 9000, 1000)], file=not packed),
    }
    formats = {"lines": "json", "array": "json", "paragraphs": "text"}
    options = {
        "paragraphs": {"sample_by": "paragraph"},
        "lines": {"chunksize": 1 << 20},
        "array": {"chunksize": 1 << 20},
    }
    name = f"a.{'arrow' if format == 'arrow' else 'x'}"
    data = made[format]() if format == "arrow" or not packed else gzip.compress(made[format](), 1)
    case = Case(formats.get(format, format), {name: data}, options.get(format, {}))
    files = write(tmp_path, case)
    whole = list(opened(ours, case, files))
    assert len(whole) in (2000, 9000, 20_000)
    for stop in (1, len(whole) // 3, len(whole) // 3 * 2 + 77):
        stream = opened(ours, case, files)
        for _ in islice(stream, stop):
            pass
        state = stream.state_dict()
        assert len(json.dumps(state)) < 200
        fresh = opened(ours, case, files)
        fresh.load_state_dict(state)
        assert list(fresh) == whole[stop:]


def test_streams_of_formats_pickle(tmp_path: Path) -> None:
    for name in ("lines", "csv.gz", "webdataset", "arrow stream"):
        case = CASES[name]
        stream = opened(ours, case, write(tmp_path / name, case))
        whole = list(stream)
        for _ in islice(stream, 3):
            pass
        copied = pickle.loads(pickle.dumps(stream))
        assert list(copied) == whole
        copied.load_state_dict(stream.state_dict())
        assert list(pickle.loads(pickle.dumps(copied))) == whole[3:]


def test_columns_are_chosen(tmp_path: Path) -> None:
    for name, column in (("lines", "i"), ("csv", "b"), ("webdataset", "json"), ("arrow file", "m")):
        case = CASES[name]
        files = write(tmp_path / name, case)
        chosen = opened(ours, case, files).select_columns(column)
        assert list(chosen) == [{column: row[column]} for row in opened(ours, case, files)]


@pytest.mark.parametrize("last", [{"a": 0.5}, {"a": 1, "b": "x"}], ids=["type", "column"])
def test_later_values_that_do_not_fit(tmp_path: Path, last: dict[str, Any]) -> None:
    case = Case("json", {"a.jsonl": lines([{"a": i} for i in range(100)] + [last])}, {"chunksize": 200})
    files = write(tmp_path, case)
    with pytest.raises(DataError, match=r"a\.jsonl"):
        list(opened(ours, case, files))
    with pytest.raises(Exception, match=r"truncated|column names don't match"):
        list(opened(official, case, files, cache_dir=str(tmp_path / "cache")))
    types = {"a": "float64", "b": "string"}
    whole = list(opened(ours, Case("json", case.files, {"features": types}), files))
    assert whole[-1] == {"b": None, **last}


BROKEN: dict[str, tuple[Case, str]] = {
    "lines": (Case("json", {"a.jsonl": lines(FLAT * 9) + b"{oops\n"}, {"chunksize": 100}), r"a\.jsonl.*line 208"),
    "array": (Case("json", {"a.json": json.dumps(FLAT).encode()[:-1]}), r"does not end.*a\.json"),
    "csv": (Case("csv", {"a.csv": CSV + b"1,2,3,4\n"}), r"expected 3 fields, saw 4.*a\.csv, line 102"),
    "text": (Case("text", {"a.txt": TEXT + b"\xff\n"}), r"UTF-8.*a\.txt, line 76"),
    "gzip": (Case("text", {"a.txt.gz": gzip.compress(os.urandom(1000).hex().encode())[:-20]}), r"a\.txt\.gz"),
    "arrow": (Case("arrow", {"a.arrow": arrow([FLAT], file=False)[:-400]}), r"ends inside.*a\.arrow"),
    "tar": (Case("webdataset", {"a.tar": tar([*SAMPLES, ("x.json", b"{"), ("x.txt", b"")])}), r"x\.json.*a\.tar"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(tmp_path: Path, name: str) -> None:
    case, text = BROKEN[name]
    files = write(tmp_path, case)
    with pytest.raises(DecodeError, match=text):
        list(opened(ours, case, files))


# ----------------------------------------------------------------------------------------------------- hub and web


@pytest.mark.usefixtures("hf_env")
@pytest.mark.parametrize("name", ["lines", "array.gz", "csv", "text.xz", "arrow stream", "arrow file", "pictures"])
def test_from_the_hub(tmp_path: Path, hub_root: Path, name: str) -> None:
    case = CASES[name]
    files = write(tmp_path / "data", case)
    write(hub_root / "datasets" / "org" / "formats", case)
    whole = [shown(row) for row in opened(ours, case, files)]
    stream = ours.load_dataset("org/formats", split="train", streaming=True)
    assert [shown(row) for row in stream] == whole
    for _ in islice(stream, 5):
        pass
    stream.load_state_dict(stream.state_dict())
    assert [shown(row) for row in stream] == whole[5:]


@pytest.mark.usefixtures("hf_env")
def test_addresses_of_samples_on_the_hub(hub_root: Path) -> None:
    write(hub_root / "datasets" / "org" / "shards", CASES["webdataset"])
    stream = ours.load_dataset("org/shards", split="train", streaming=True)
    row = next(iter(stream))
    assert row["__url__"].startswith("hf://datasets/org/shards@")
    assert row["__url__"].endswith("/a.tar")


class Web(ThreadingHTTPServer):
    """A web server over bytes, which notes what was asked of it."""

    def __init__(self, files: dict[str, bytes], *, ranges: bool) -> None:
        self.files, self.ranges = files, ranges
        self.sent: list[int] = []
        super().__init__(("127.0.0.1", 0), _Answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Web
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        data = self.server.files[self.path[1:]]
        asked = self.headers.get("Range")
        if asked and self.server.ranges:
            first, last = asked.removeprefix("bytes=").split("-")
            part = data[int(first) : int(last) + 1 if last else None]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")
        else:
            part = data
            self.send_response(200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.server.sent.append(len(part))
        self.wfile.write(part)


@pytest.fixture
def web(request: pytest.FixtureRequest) -> Iterator[Web]:
    with Web({}, ranges=getattr(request, "param", True)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("hf_env")
@pytest.mark.parametrize("web", [True, False], indirect=True, ids=["ranges", "no ranges"])
def test_from_the_web(tmp_path: Path, web: Web) -> None:
    for name in ("lines", "csv.gz", "webdataset", "text", "arrow file"):
        case = CASES[name]
        web.files.update(case.files)
        whole = [shown(row) for row in opened(ours, case, write(tmp_path / "data" / name, case))]
        addresses = [f"{web.url}/{file}" for file in case.files]
        stream = opened(ours, case, addresses, cache_dir=str(tmp_path / "cache"))
        assert [shown(row) for row in stream] == whole
        again = pickle.loads(pickle.dumps(opened(ours, case, addresses, cache_dir=str(tmp_path / "cache"))))
        assert shown(next(iter(again))) == whole[0]


@pytest.mark.usefixtures("hf_env")
def test_the_first_row_needs_little_of_a_file(web: Web) -> None:
    size = 40 << 20
    line = b"x" * 1023 + b"\n"
    files = {
        "a.txt": line * (size // 1024),
        "a.csv": b"a\n" + line * (size // 1024),
        "a.jsonl": (b'{"a": "' + b"x" * 1014 + b'"}\n') * (size // 1024),
        "a.json": b"[" + b",".join([b'{"a": "' + b"x" * 1014 + b'"}'] * (size // 1024)) + b"]",
        "a.tar": tar([(f"{i}.bin", bytes(1 << 20)) for i in range(40)]),
    }
    most = {"a.txt": 1 << 20, "a.tar": 16 << 20}
    web.files.update(files)
    formats = {"txt": "text", "jsonl": "json", "tar": "webdataset"}
    for name in files:
        web.sent.clear()
        suffix = name.partition(".")[2]
        stream = ours.load_dataset(
            formats.get(suffix, suffix), data_files=f"{web.url}/{name}", split="train", streaming=True
        )
        assert next(iter(stream))
        assert sum(web.sent) < most.get(name, 24 << 20), name


# ------------------------------------------------------------------------------------------------------------ folders


def test_image_folders(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    for i, name in enumerate(("cat/1.png", "dog/2.png", "cat/3.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(i))
    mine = ours.load_dataset(str(folder), split="train", streaming=True)
    theirs = official.load_dataset(str(folder), split="train", streaming=True, cache_dir=str(tmp_path / "cache"))
    assert mine.features.to_dict() == theirs.features.to_dict()
    assert [shown(row) for row in mine] == [shown(row) for row in theirs]
    whole = [shown(row) for row in mine]
    for _ in islice(mine, 2):
        pass
    mine.load_state_dict(mine.state_dict())
    assert [shown(row) for row in mine] == whole[2:]


@pytest.mark.usefixtures("hf_env")
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_image_folders_with_metadata(tmp_path: Path, hub_root: Path, hub: HubServer, kind: str) -> None:
    metadata = {
        "csv": b"file_name,text\n" + b"".join(b"i/%d.png,text %d\n" % (i, i) for i in (2, 0, 1)),
        "jsonl": lines([{"file_name": f"i/{i}.png", "tags": [f"t{i}"]} for i in (2, 0, 1)]),
    }[kind]
    local, remote = tmp_path / "d", hub_root / "datasets" / "org" / "pictures"
    for folder in (local, remote):
        (folder / "i").mkdir(parents=True)
        (folder / f"metadata.{kind}").write_bytes(metadata)
        for i in range(3):
            (folder / "i" / f"{i}.png").write_bytes(png(i))
    mine = ours.load_dataset(str(local), split="train", streaming=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves metadata.csv open
        theirs = official.load_dataset(str(local), split="train", streaming=True, cache_dir=str(tmp_path / "cache"))
        assert mine.features.to_dict() == theirs.features.to_dict()
        whole = [shown(row) for row in theirs]
        gc.collect()
    assert [shown(row) for row in mine] == whole
    stream = ours.load_dataset("org/pictures", split="train", streaming=True)
    hub.clear_requests()
    assert [shown(row) for row in stream] == whole
    assert sum(path.endswith(".png") for _, path, _ in hub.requests()) >= 3
    next(iter(stream))
    stream.load_state_dict(stream.state_dict())
    assert [shown(row) for row in stream] == whole[1:]


# --------------------------------------------------------------------------------------------------------------- ends


@pytest.mark.usefixtures("hf_env")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", ["lines", "csv.gz", "text", "arrow stream", "webdataset"])
def test_broken_off_streams_leave_nothing_open(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    files = write(tmp_path, case)

    def state() -> tuple[int, set[str]]:
        found = set()
        for link in Path("/proc/self/fd").iterdir():
            try:
                found.add(str(link.readlink()))
            except OSError:
                continue
        names = [task.joinpath("comm").read_text() for task in Path("/proc/self/task").iterdir()]
        # Threads that callers share are made once, and late.
        threads = sum(not name.startswith("crucible-front") for name in names)
        return threads, {path for path in found if path.startswith(str(tmp_path))}

    rows = iter(opened(ours, case, files))
    next(rows)
    before = state()
    assert before[1]
    for _ in range(3):
        other = iter(opened(ours, case, files))
        next(other)
        del other
    del rows
    after = state()
    assert after == (before[0], set())


def test_memory_stays_small(tmp_path: Path, python: Callable[..., Any]) -> None:
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb", 1) as file:
        block = lines([{"a": i, "s": "x" * 500} for i in range(2000)])
        for _ in range(120):  # 120 MB
            file.write(block)
    script = """
import json, sys
import crucible_datasets as ds
stream = ds.load_dataset("json", data_files=sys.argv[1], split="train", streaming=True)
rows = iter(stream)
for _ in range(30_000): next(rows)
def peak(): return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
first = peak()
count = 30_000 + sum(1 for _ in rows)
print(json.dumps([count, peak() - first]))
"""
    count, grown = python(script, str(path))
    assert count == 240_000
    assert grown < 40_000  # kB
