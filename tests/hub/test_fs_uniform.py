"""One API for the hub, the local disk and the web."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfhub import HubServer, open_file
from hfhub.errors import IntegrityError, ReadOnlyError
from hfhub.fs import Files, filesystem
from hfhub.fs.base import clamped, glob_regex
from hfhub.fs.file import RangeFile
from hfhub.fs.live import LocalReader

pytestmark = pytest.mark.usefixtures("hf_env")

BIG = bytes(range(256)) * 2000
TREE = {"README.md": b"# small\n", "data/big.bin": BIG, "data/sub/z.txt": b"zett\nline\n"}


class Ranged(http.server.SimpleHTTPRequestHandler):
    """The standard library's server, with ranges where `ranges` is set; it notes what it was asked."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        asked = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if server.moved and self.path in server.moved:
            self.send_response(302)
            self.send_header("Location", server.moved[self.path])
            self.end_headers()
            return
        if server.ranges and asked and path.is_file():
            first, _, last = asked.removeprefix("bytes=").partition("-")
            data = path.read_bytes()
            part = data[int(first) : int(last) + 1 if last else None]
            self.send_response(206 if part else 416)
            at = f"{first}-{int(first) + len(part) - 1}" if part else "*"
            self.send_header("Content-Range", f"bytes {at}/{len(data)}")
            self.send_header("Content-Length", str(len(part)))
            self.send_header("ETag", server.etag)
            self.end_headers()
            self.wfile.write(part)
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client has seen enough
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(params=[True, False], ids=["ranges", "no-ranges"])
def web(request: pytest.FixtureRequest, hub_root: Path) -> Iterator[Any]:
    """A plain web server over the dataset's folder."""
    folder = hub_root / "datasets" / "org" / "small"
    (folder / "data" / "sub").mkdir()
    (folder / "data" / "sub" / "z.txt").write_bytes(TREE["data/sub/z.txt"])
    (folder / "data" / "train.jsonl").unlink()
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranged, directory=str(folder)))
    server.ranges, server.seen, server.moved, server.etag = request.param, [], {}, '"1"'
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["hub", "local", "file", "web"])
def place(request: pytest.FixtureRequest, web: Any, hub_root: Path) -> str:
    """The address of the same folder in each kind of place."""
    folder = hub_root / "datasets" / "org" / "small"
    return {
        "hub": "hf://datasets/org/small",
        "local": str(folder),
        "file": folder.as_uri(),
        "web": web.url,
    }[request.param]


def test_every_place_answers_alike(place: str, tmp_path: Path) -> None:
    fs = filesystem(place)
    assert isinstance(fs, Files)
    for name, data in TREE.items():
        at = f"{place}/{name}"
        info = fs.info(at)
        assert (info["type"], info["size"]) == ("file", len(data))
        assert fs.isfile(at)
        assert not fs.isdir(at)
        assert fs.cat_file(at) == data
        assert fs.cat_file(at, 2, 5) == data[2:5]
        assert fs.cat_file(at, -3) == data[-3:]
        assert fs.cat_ranges([at, at, at], [0, 3, 1], [2, 900_000, 1]) == [data[:2], data[3:], b""]
        with open_file(at) as file:
            assert file.read(4) == data[:4]
            file.seek(-2, 2)
            assert file.read() == data[-2:]
            file.seek(0)
            assert file.read() == data
        fs.get(at, tmp_path / "copies" / name)
        assert (tmp_path / "copies" / name).read_bytes() == data
    with open_file(f"{place}/data/sub/z.txt", "r") as text:
        assert text.readlines() == ["zett\n", "line\n"]
    assert not fs.exists(f"{place}/none.txt")
    with pytest.raises(FileNotFoundError):
        fs.open(f"{place}/none.txt")
    with pytest.raises(ReadOnlyError):
        fs.open(f"{place}/none.txt", "w")


def test_every_place_lists_alike(place: str, tmp_path: Path) -> None:
    fs = filesystem(place)
    top = place + ("/" if place.startswith("http") else "")

    def below(name: str) -> str:
        return name.rstrip("/").rpartition("/small/")[2] if "/small" in name else name.removeprefix(place).strip("/")

    assert sorted(below(str(name)) for name in fs.ls(top)) == ["README.md", "data"]
    assert sorted(map(below, fs.find(top))) == sorted(TREE)
    assert sorted(map(below, fs.glob(f"{place}/**/*.bin"))) == ["data/big.bin"]
    assert sorted(map(below, fs.glob(f"{place}/data/*/[y-z].t?t"))) == ["data/sub/z.txt"]
    assert fs.glob(f"{place}/README.md")
    assert fs.glob(f"{place}/nothing*") == []
    walked = [(sorted(folders), sorted(files)) for _, folders, files in fs.walk(top)]
    assert walked == [(["data"], ["README.md"]), (["sub"], ["big.bin"]), ([], ["z.txt"])]
    fs.get(top, tmp_path / "all")
    assert {n: (tmp_path / "all" / n).read_bytes() for n in TREE} == TREE


def test_the_web_is_read_by_ranges_where_it_can(web: Any) -> None:
    with open_file(f"{web.url}/data/big.bin") as file:
        file.seek(1000)
        assert file.read(10) == BIG[1000:1010]
    asked = [headers.get("range") for _, headers in web.seen]
    assert asked[0] == "bytes=0-0"
    if web.ranges:
        assert asked[1:] == ["bytes=1000-66535"]


def test_a_changed_page_is_noticed(web: Any, hub_root: Path) -> None:
    if not web.ranges:
        pytest.skip("needs ranges")
    file = open_file(f"{web.url}/data/big.bin")
    assert file.read(4) == BIG[:4]
    web.etag = '"2"'
    file.seek(400_000)
    with pytest.raises(IntegrityError, match="changed"):
        file.read(4)
    web.etag = '"1"'
    (hub_root / "datasets" / "org" / "small" / "data" / "big.bin").write_bytes(BIG + b"more")
    file.seek(300_000)
    with pytest.raises(IntegrityError, match="changed"):
        file.read(4)


def test_no_token_goes_to_the_web(web: Any, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    web.moved = {"/moved": f"{hub.url}/datasets/org/small/resolve/main/README.md"}
    with open_file(f"{web.url}/README.md") as file:
        assert file.read() == TREE["README.md"]
    assert filesystem(web.url).cat_file(f"{web.url}/moved") == TREE["README.md"]
    assert not [h for _, h in web.seen if "authorization" in h]
    assert "hf_good" not in repr(web.seen)


def test_other_addresses_are_refused() -> None:
    with pytest.raises(ValueError, match="s3"):
        filesystem("s3://bucket/x")


def test_hub_addresses_need_no_fsspec(python: Callable[..., Any]) -> None:
    script = """
import json, sys
sys.modules["fsspec"] = None
import hfhub, hfhub.fs
text = hfhub.open_file("hf://datasets/org/small/README.md", "r").read()
try:
    hfhub.HfFileSystem
except ImportError as error:
    print(json.dumps([text, str(error), "numpy" in sys.modules]))
"""
    text, message, numpy = python(script)
    assert (text, numpy) == ("# small\n", False)
    assert "fsspec" in message
    assert "[fs]" in message


def test_importing_hfhub_leaves_fsspec_out(python: Callable[..., Any]) -> None:
    assert python("import sys, json, hfhub, hfhub.fs; print(json.dumps('fsspec' in sys.modules))") is False


@given(
    data=st.binary(max_size=300),
    moves=st.lists(st.tuples(st.integers(0, 350), st.integers(-1, 120)), max_size=12),
    block=st.sampled_from([None, 1, 16]),
)
def test_a_range_file_is_a_file(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, moves: list[tuple[int, int]], block: int | None
) -> None:
    path = tmp_path_factory.mktemp("r") / "f"
    path.write_bytes(data)
    with path.open("rb") as real, RangeFile(LocalReader(str(path)), len(data), block_size=block) as ours:
        for position, size in moves:
            if position % 3:
                assert ours.seek(position) == real.seek(position)
            assert ours.read(size) == real.read(size)
            assert ours.tell() == real.tell()
        ours.seek(0)
        real.seek(0)
        assert ours.readlines() == real.readlines()


@given(st.integers(-20, 20) | st.none(), st.integers(-20, 20) | st.none(), st.integers(0, 15))
def test_ranges_are_slices(start: int | None, end: int | None, size: int) -> None:
    low, high = clamped(start, end, size)
    assert bytes(range(size))[low:high] == bytes(range(size))[start:end]


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("a/*.txt", "a/b.txt", True),
        ("a/*.txt", "a/b/c.txt", False),
        ("a/**/c.txt", "a/c.txt", True),
        ("a/**/c.txt", "a/x/y/c.txt", True),
        ("a/**", "a/x/y", True),
        ("a/**", "a", False),
        ("a/[!b]?", "a/cd", True),
        ("a/[!b]?", "a/bd", False),
        ("a/[^b]", "a//", False),
        ("a/[]]", "a/]", True),
        ("a/x[", "a/x[", True),
        ("a/.+", "a/bb", False),
    ],
)
def test_globs(pattern: str, name: str, matches: bool) -> None:
    assert bool(glob_regex(pattern).fullmatch(name)) is matches
