"""Broken files, and a process with little memory that reads them."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

Outcome = tuple[str, str]


def outcomes(payloads: list[tuple[str, bytes]], format_: str, folder: Path, *, gib: int = 6) -> list[Outcome]:
    """Reads each payload as a file of its name, in a fresh process that may map `gib` GiB.

    Returns:
        For each payload ("read", number of rows) or (class of the exception, message).

    Raises:
        AssertionError: if the process died, with the name of the file that it was reading.
    """
    packed = folder / "payloads.pickle"
    packed.write_bytes(pickle.dumps(payloads))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("worker.py")), str(packed), format_, str(gib)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    lines = done.stdout.splitlines()
    died = f"died with {done.returncode} at {lines[-1] if lines else 'the start'}: {done.stderr[-2000:]}"
    assert done.returncode == 0, died
    found = [json.loads(line) for line in lines if line.startswith("[")]
    assert len(found) == len(payloads)
    return [(kind, text) for kind, text in found]


def check(payloads: list[tuple[str, bytes]], format_: str, folder: Path, *, gib: int = 6) -> list[Outcome]:
    """As `outcomes`, and sees to it that each is a table or a typed error that names the file."""
    found = outcomes(payloads, format_, folder, gib=gib)
    typed = {"DecodeError", "LimitError", "SchemaError", "UnsupportedError", "MissingColumnError"}
    wrong = [
        (label, kind, text)
        for (label, _), (kind, text) in zip(payloads, found, strict=True)
        if kind != "read" and (kind not in typed or label not in text)
    ]
    assert not wrong, wrong[:5]
    return found
