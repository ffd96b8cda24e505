"""Replays seeds step by step: `python -m tests.cachefuzz SEED…`, or searches: `python -m tests.cachefuzz FIRST-LAST`."""

from __future__ import annotations

import os
import sys
import time

from .run import Fuzz, scratch


def main() -> int:
    """Runs the seeds of the command line. Returns how many differ."""
    bad = 0
    old = os.environ.get("HUB036_PYTHON", ".venv-hub036/bin/python")  # as in tests/conftest.py
    with scratch() as folder, Fuzz(folder, old) as fuzz:
        for argument in sys.argv[1:]:
            first, dash, last = argument.partition("-")
            start = time.monotonic()
            for seed in range(int(first), int(last or first) + 1):
                found = fuzz.check(seed, each_step=not dash)
                bad += bool(found)
                if found:
                    print(f"seed {seed}:", *found[:8], sep="\n  ", flush=True)
            print(f"{argument}: {time.monotonic() - start:.1f} s, {bad} differ")
    return bad


if __name__ == "__main__":
    sys.exit(min(main(), 100))
