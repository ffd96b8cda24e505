"""Packs wheels again, as tightly as deflate allows: ``python scripts/pack-wheel.py dist/*.whl``.

maturin packs with zlib's levels, whose best is 3 % larger than what libdeflate's best makes of the same bytes. Names,
order, times, permissions and contents stay: only the compressed bytes differ, and RECORD's hashes hold. The new file
takes the old one's place once it has been read back and compared.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import deflate

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
UTF8 = 0x800


def packed(wheel: Path) -> bytes:
    """The bytes of a zip archive with the contents of `wheel`."""
    out, directory, count = bytearray(), bytearray(), 0
    with ZipFile(wheel) as source:
        for entry in source.infolist():
            data = source.read(entry)
            small = bytes(deflate.deflate_compress(data, 12))
            method, body = (ZIP_DEFLATED, small) if len(small) < len(data) else (ZIP_STORED, data)
            name = entry.filename.encode()
            year, month, day, hour, minute, second = entry.date_time
            stamp = (hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day)
            sizes = (zlib.crc32(data), len(body), len(data))
            at = len(out)
            out += LOCAL.pack(b"PK\x03\x04", 20, UTF8, method, *stamp, *sizes, len(name), 0) + name + body
            made_by = entry.create_system << 8 | 20
            directory += CENTRAL.pack(
                b"PK\x01\x02", made_by, 20, UTF8, method, *stamp, *sizes, len(name), 0, 0, 0, 0, entry.external_attr, at
            )
            directory += name
            count += 1
    end = END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), len(out), 0)
    return bytes(out + directory + end)


def same(first: Path, second: Path) -> bool:
    """Whether both archives hold the same files with the same times and permissions."""
    with ZipFile(first) as one, ZipFile(second) as two:
        return two.testzip() is None and [
            (e.filename, e.date_time, e.external_attr, one.read(e)) for e in one.infolist()
        ] == [(e.filename, e.date_time, e.external_attr, two.read(e)) for e in two.infolist()]


def main(wheels: list[str]) -> int:
    """Packs each of the files again, in place."""
    for name in wheels:
        wheel = Path(name)
        made = wheel.with_suffix(".tmp")
        made.write_bytes(packed(wheel))
        if not same(wheel, made):
            made.unlink()
            print(f"{wheel}: what was packed differs; the wheel was left as it is", file=sys.stderr)
            return 1
        before, after = wheel.stat().st_size, made.stat().st_size
        if after < before:
            made.replace(wheel)
        else:
            made.unlink()
        print(f"{wheel}: {min(before, after) / 1e6:.2f} MB, {before / 1e6:.2f} MB before")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
