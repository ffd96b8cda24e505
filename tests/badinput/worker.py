"""Reads files one after the other and says what became of each: `worker.py PAYLOADS FORMAT GIB`."""

from __future__ import annotations

import contextlib
import json
import pickle
import resource
import sys
from pathlib import Path

from _crucible._native import Table
from _crucible.errors import DataError, InternalError


def attempt(path: str, format_: str) -> tuple[str, str]:
    try:
        table = Table.read([path], format_)
    except (DataError, InternalError) as error:
        return type(error).__name__, str(error)
    # Moments outside Python's years, and the like, are errors of the row: they know no file.
    with contextlib.suppress(DataError):
        table.rows(0, min(table.num_rows, 50))
    return "read", str(table.num_rows)


def main() -> None:
    packed, format_, gib = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (gib << 30, gib << 30))
    for label, data in pickle.loads(packed.read_bytes()):
        path = packed.with_name(label)
        path.write_bytes(data)
        print(label, flush=True)
        print(json.dumps(attempt(str(path), format_)), flush=True)
        path.unlink()


main()
