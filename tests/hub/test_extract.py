"""`extract_archive`: as Python's tarfile, zipfile, gzip and lzma on good archives; nothing outside, ever, on others."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hfhub import HubServer
from hfhub.cache import extract, extract_archive
from hfhub.errors import ArchiveError, ArchiveLimitError

FILES = {
    "a.txt": b"a",
    "empty": b"",
    "deep/er/b.bin": bytes(range(256)) * 500,
    "deep/ümläut.txt": "ü".encode(),
    "deep/" + "n" * 150 + "/" + "m" * 120: b"long name",
}


def tar_bytes(add: Callable[[tarfile.TarFile], Any], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        add(tar)
    return buffer.getvalue()


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mtime = 1_600_000_000
    for key, value in fields.items():
        setattr(info, key, value)
    return info, io.BytesIO(content)


def good_tar(tar: tarfile.TarFile) -> None:
    for name, content in FILES.items():
        tar.addfile(*member(name, content, mode=0o755 if name == "a.txt" else 0o640))
    tar.addfile(*member("folder", type=tarfile.DIRTYPE, mode=0o755))
    tar.addfile(*member("deep/link", type=tarfile.SYMTYPE, linkname="../a.txt"))
    tar.addfile(*member("dangling", type=tarfile.SYMTYPE, linkname="nowhere/x"))
    tar.addfile(*member("hard", type=tarfile.LNKTYPE, linkname="deep/er/b.bin", mode=0o640))
    tar.addfile(*member("a.txt", b"the last of a name wins"))


def zip_bytes(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name) if name.endswith("/") else name, content)
    return buffer.getvalue()


def zstd(content: bytes) -> bytes:
    """A zstd frame of raw blocks."""
    blocks = [content[i : i + 65_536] for i in range(0, len(content), 65_536)] or [b""]
    out = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(content))
    for number, block in enumerate(blocks):
        out += struct.pack("<I", (len(block) << 3) | (number == len(blocks) - 1))[:3] + block
    return out


def listing(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = path.read_bytes()
    return found


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": lambda raw: raw,
    ".tar.gz": gzip.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": zstd,
}


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_tar_as_python(tmp_path: Path, suffix: str, format: int) -> None:
    raw = tar_bytes(good_tar, format)
    archive = tmp_path / f"x{suffix}"
    archive.write_bytes(PACKERS[suffix](raw))
    got = Path(extract_archive(archive, tmp_path / "got"))
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        tar.extractall(tmp_path / "want", filter="data")
    assert listing(got) == listing(tmp_path / "want")
    for name in ("deep/er/b.bin", "empty"):
        assert (got / name).stat().st_mtime == 1_600_000_000
        assert stat.S_IMODE((got / name).stat().st_mode) == stat.S_IMODE((tmp_path / "want" / name).stat().st_mode)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_as_python(tmp_path: Path, compression: int) -> None:
    raw = zip_bytes({**FILES, "folder/": b"", "back\\slash": b"kept"}, compression)
    archive = tmp_path / "blob-without-suffix"
    archive.write_bytes(raw)
    got = Path(extract_archive(archive, tmp_path / "got"))
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        opened.extractall(tmp_path / "want")
    assert listing(got) == listing(tmp_path / "want")


@pytest.mark.parametrize(
    ("name", "pack", "inner"),
    [
        ("t.csv.gz", gzip.compress, "t.csv"),
        ("t.csv.xz", lzma.compress, "t.csv"),
        ("t.csv.zst", zstd, "t.csv"),
        ("noname", gzip.compress, "noname"),
    ],
)
def test_single_files(tmp_path: Path, name: str, pack: Callable[[bytes], bytes], inner: str) -> None:
    content = b"a,b\n1,2\n" * 50_000
    (tmp_path / name).write_bytes(pack(content) * (2 if pack is not zstd else 1))
    path = Path(extract_archive(tmp_path / name, cache_dir=tmp_path / "out"))
    assert path.name == inner
    assert path.read_bytes() == content * (2 if pack is not zstd else 1)
    assert Path(extract_archive(tmp_path / name, cache_dir=tmp_path / "out")) == path


def test_once(hf_env: Path, tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    archive.write_bytes(zip_bytes(FILES))
    first = Path(extract_archive(archive))
    assert first.is_relative_to(hf_env / "hfhub" / "extracted")
    (first / "own").write_text("shows that the folder is the same")
    assert Path(extract_archive(archive)) == first
    assert (first / "own").exists()
    assert Path(extract_archive(archive, force=True)) == first
    assert listing(first) == {**FILES, "deep": "folder", "deep/er": "folder", "deep/" + "n" * 150: "folder"}
    archive.write_bytes(zip_bytes({"other": b"x"}))
    assert listing(Path(extract_archive(archive))) == {"other": b"x"}
    assert not list((hf_env / "hfhub" / "extracted").glob(".extract*"))


def test_from_the_hub(hub: HubServer, hub_root: Path, hf_env: Path) -> None:
    (hub_root / "datasets" / "org" / "small" / "data" / "x.tar.gz").write_bytes(gzip.compress(tar_bytes(good_tar)))
    path = Path(extract("hf://datasets/org/small/data/x.tar.gz"))
    assert (path / "deep" / "er" / "b.bin").read_bytes() == FILES["deep/er/b.bin"]
    assert extract("hf://datasets/org/small/data/x.tar.gz") == str(path)


def test_output_dir_rules(tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    archive.write_bytes(zip_bytes({"f": b"f"}))
    (tmp_path / "empty").mkdir()
    extract_archive(archive, tmp_path / "empty")
    with pytest.raises(FileExistsError, match="empty"):
        extract_archive(archive, tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        extract_archive(tmp_path / "none.zip")


def sym(name: str, target: str) -> tuple[tarfile.TarInfo, io.BytesIO]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


EVIL_TARS: dict[str, list[tuple[tarfile.TarInfo, io.BytesIO]]] = {
    "parent": [member("../evil", b"x")],
    "inner parent": [member("a/../../evil", b"x")],
    "absolute": [member("/tmp/evil-hfhub", b"x")],
    "backslashes": [member("..\\evil", b"x")],
    "drive": [member("C:\\evil", b"x")],
    "share": [member("\\\\host\\share\\evil", b"x")],
    "link up": [sym("l", "..")],
    "link absolute": [sym("l", "/etc/passwd")],
    "link up and down": [sym("l", "../../etc/passwd")],
    "link through link": [sym("d/e/l", "../.."), sym("m", "d/e/l/../x")],
    "write through link": [sym("l", "."), member("l/evil", b"x")],
    "write through outward link": [sym("l", ".."), member("l/evil", b"x")],
    "hard link out": [member("h", type=tarfile.LNKTYPE, linkname="../secret")],
    "hard link absolute": [member("h", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
    "hard link behind link": [sym("l", "x"), member("h", type=tarfile.LNKTYPE, linkname="l")],
    "hard link to nothing": [member("h", type=tarfile.LNKTYPE, linkname="later")],
    "device": [member("dev", type=tarfile.CHRTYPE)],
    "block device": [member("dev", type=tarfile.BLKTYPE)],
    "pipe": [member("pipe", type=tarfile.FIFOTYPE)],
    "below a file": [member("f", b"x"), member("f/g", b"x")],
    "folder as file": [member("f/g", b"x"), member("f", b"x")],
    "long part": [member("n" * 300, b"x")],
}


@pytest.mark.parametrize("case", EVIL_TARS)
def test_evil_tars(tmp_path: Path, case: str) -> None:
    room = tmp_path / "room"
    room.mkdir()
    (room / "secret").write_bytes(b"secret")
    archive = room / "evil.tar.gz"

    def add(tar: tarfile.TarFile) -> None:
        tar.addfile(*member("good", b"good"))
        for info, content in EVIL_TARS[case]:
            content.seek(0)
            tar.addfile(info, content)

    archive.write_bytes(gzip.compress(tar_bytes(add)))
    before = listing(tmp_path)
    with pytest.raises(ArchiveError) as caught:
        extract_archive(archive, room / "out")
    assert isinstance(caught.value, ValueError | OSError)
    assert str(archive) in str(caught.value)
    assert listing(tmp_path) == before
    assert not Path("/tmp/evil-hfhub").exists()


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil", "C:/evil", "a\x01/../../b"]
)
def test_evil_zips(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "evil.zip"
    archive.write_bytes(zip_bytes({"good": b"x", name: b"evil"}))
    with pytest.raises(ArchiveError):
        extract_archive(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.zip"]


def test_a_link_in_a_zip_is_a_file(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    out = Path(extract_archive(tmp_path / "l.zip", tmp_path / "out"))
    assert not (out / "link").is_symlink()
    assert (out / "link").read_text() == "/etc/passwd"


def test_links_that_stay_inside_are_kept(tmp_path: Path) -> None:
    def add(tar: tarfile.TarFile) -> None:
        tar.addfile(*member("d/f", b"f"))
        tar.addfile(*sym("d/up", "../d/f"))
        tar.addfile(*sym("circle", "circle"))
        tar.addfile(*sym("folder", "d"))
        tar.addfile(*sym("through", "folder/f"))

    (tmp_path / "x.tar").write_bytes(tar_bytes(add))
    out = Path(extract_archive(tmp_path / "x.tar", tmp_path / "out"))
    assert (out / "through").read_bytes() == (out / "d" / "up").read_bytes() == b"f"


def huge_member(size: int) -> bytes:
    """The header of a tar member of zeros, without its bytes."""
    info = tarfile.TarInfo("zeros")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def bomb(path: Path, size: int) -> None:
    """A tar of zeros; gzip may be made of members, so one is made and repeated."""
    step = gzip.compress(bytes(20 << 20))
    with path.open("wb") as file:
        file.write(gzip.compress(huge_member(size)))
        for _ in range(size // (20 << 20)):
            file.write(step)
        file.write(gzip.compress(bytes(1024)))


def test_bombs(tmp_path: Path) -> None:
    bomb(tmp_path / "b.tar.gz", 300 << 20)
    with pytest.raises(ArchiveLimitError, match="max_ratio"):
        extract_archive(tmp_path / "b.tar.gz", tmp_path / "out")
    with pytest.raises(ArchiveLimitError, match="max_bytes") as caught:
        extract_archive(tmp_path / "b.tar.gz", tmp_path / "out", max_bytes=1 << 20)
    assert caught.value.__notes__
    (tmp_path / "many.zip").write_bytes(zip_bytes({f"f{i}": b"" for i in range(100)}))
    with pytest.raises(ArchiveLimitError, match="max_entries"):
        extract_archive(tmp_path / "many.zip", tmp_path / "out", max_entries=99)
    (tmp_path / "deep.zip").write_bytes(zip_bytes({"d/" * 70 + "f": b""}))
    with pytest.raises(ArchiveLimitError, match="max_depth"):
        extract_archive(tmp_path / "deep.zip", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "deep.zip", "many.zip"]
    extract_archive(tmp_path / "deep.zip", tmp_path / "out", max_depth=80)


def test_a_header_as_a_bomb(tmp_path: Path) -> None:
    """A long name of gigabytes must not be read into memory."""
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 4 << 30
    packer = zlib.compressobj(9, wbits=31)
    data = packer.compress(info.tobuf(tarfile.GNU_FORMAT))
    for _ in range(64):
        data += packer.compress(b"n" * (1 << 20))
    (tmp_path / "h.tar.gz").write_bytes(data + packer.flush())
    with pytest.raises(ArchiveError, match="8 MiB"):
        extract_archive(tmp_path / "h.tar.gz", tmp_path / "out")


def packed(suffix: str) -> bytes:
    return zip_bytes(FILES) if suffix == ".zip" else PACKERS[suffix](tar_bytes(good_tar))


@pytest.mark.parametrize("suffix", [".zip", *PACKERS])
def test_cut_short_at_many_places(tmp_path: Path, suffix: str) -> None:
    raw = packed(suffix)
    pick = random.Random(5)
    ends = {0, 1, 10, len(raw) // 2, len(raw) - 1} | {pick.randrange(len(raw)) for _ in range(40)}
    if suffix == ".tar":  # what follows the end mark is padding
        last = len(raw.rstrip(b"\0"))
        ends = {end for end in ends if end < last}
    for end in sorted(ends):
        archive = tmp_path / f"cut{suffix}"
        archive.write_bytes(raw[:end])
        with pytest.raises(ArchiveError):
            extract_archive(archive, tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == [archive.name], end


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz"])
def test_flipped_bits_give_an_error_or_the_right_bytes(tmp_path: Path, suffix: str) -> None:
    raw = packed(suffix)
    archive = tmp_path / f"x{suffix}"
    archive.write_bytes(raw)
    right = listing(Path(extract_archive(archive, tmp_path / "right")))
    pick = random.Random(7)
    for number in range(60):
        at = pick.randrange(len(raw))
        archive.write_bytes(raw[:at] + bytes([raw[at] ^ (1 << pick.randrange(8))]) + raw[at + 1 :])
        try:
            out = Path(extract_archive(archive, tmp_path / f"out{number}"))
        except ArchiveError:
            continue
        if out.is_dir():  # bits that carry no content: dates, modes, names
            contents = sorted(value for value in listing(out).values() if isinstance(value, bytes))
            assert contents == sorted(value for value in right.values() if isinstance(value, bytes)), at


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(
        st.tuples(
            st.sampled_from(["file", "link", "hard", "folder"]),
            st.lists(st.sampled_from(["a", "b", "..", ".", "c"]), min_size=1, max_size=4).map("/".join),
            st.lists(st.sampled_from(["a", "b", "..", ".", "c", ""]), min_size=1, max_size=4).map("/".join),
        ),
        max_size=8,
    )
)
def test_no_archive_reaches_outside(tmp_path: Path, entries: list[tuple[str, str, str]]) -> None:
    kinds = {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "folder": tarfile.DIRTYPE}
    room = tmp_path / str(time.monotonic_ns())
    room.mkdir()
    (room / "a").write_bytes(b"outside")

    def add(tar: tarfile.TarFile) -> None:
        for kind, name, target in entries:
            content = b"inside" if kind == "file" else b""
            tar.addfile(*member(name, content, type=kinds[kind], linkname=target))

    archive = room / "x.tar"
    archive.write_bytes(tar_bytes(add))
    before = listing(room)
    try:
        out = Path(extract_archive(archive, room / "deep" / "er" / "out"))
    except ArchiveError:
        after = {name: value for name, value in listing(room).items() if not name.startswith("deep")}
        assert after == before
        assert not any((room / "deep" / "er").iterdir())
        return
    for path in out.rglob("*"):
        if path.is_symlink():
            try:
                path.resolve(strict=False).relative_to(out.resolve())
            except (OSError, RuntimeError):
                continue  # a circle
        elif path.is_file():
            assert path.read_bytes() == b"inside"


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"BZh91AY&SY", "bzip2"), (b"plain text", "neither"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"", "empty")],
)
def test_unknown_formats(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ArchiveError, match=why):
        extract_archive(tmp_path / "x", tmp_path / "out")


def test_an_encrypted_zip(tmp_path: Path) -> None:
    raw = bytearray(zip_bytes({"f": b"secret"}, zipfile.ZIP_STORED))
    raw[6] |= 1  # the flag in the local header
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x.zip").write_bytes(raw)
    with pytest.raises(ArchiveError):
        extract_archive(tmp_path / "x.zip", tmp_path / "out")


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C in mid-work: KeyboardInterrupt soon, and no file stays."""
    bomb(tmp_path / "slow.tar.gz", 4000 << 20)
    script = (
        "import sys\nfrom hfhub.cache import extract_archive\nprint('go', flush=True)\n"
        "try:\n    extract_archive(sys.argv[1], sys.argv[2], max_ratio=10**6)\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "slow.tar.gz"), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob(".extract-*/content/zeros")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "interrupted\n"
        assert process.wait(20) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["slow.tar.gz"]


def test_leftovers_of_killed_processes_go_after_a_day(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zip_bytes({"f": b"f"}))
    cache = tmp_path / "cache"
    for name, age in (("old", 2), ("new", 0)):
        left = cache / f".extract-{name}.tmp"
        left.mkdir(parents=True)
        os.utime(left, (time.time() - age * 86_400,) * 2)
    path = extract_archive(tmp_path / "x.zip", cache_dir=cache)
    assert [p.name for p in cache.glob(".extract-*")] == [".extract-new.tmp"]
    assert json.loads((cache / f"{Path(path).name}.json").read_text())["entries"] == 1
