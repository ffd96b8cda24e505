"""How cost grows with rows: `python -m benches.growth [--to 10000000] [--rounds 5]`.

One column of int64 of 1,000 rows to `--to`, in steps of ten. Each figure is the median of the rounds, in milliseconds, in
this process; libraries alternate. `numpy` is numpy's own permutation of that many rows: the limit of `shuffle`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import product
from typing import Any

import datasets as official
import numpy as np

import crucible_datasets as ours

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "shuffle": lambda ds, _m: ds.shuffle(seed=1),
    "select 1 in 10": lambda ds, _m: ds.select(range(0, len(ds), 10)),
    "select a range": lambda ds, _m: ds.select(range(len(ds) // 2, len(ds))),
    "concatenate with itself": lambda ds, m: m.concatenate_datasets([ds, ds]),
    "sort": lambda ds, _m: ds.sort("x"),
    "1000 rows after shuffle": lambda ds, _m: ds.shuffle(seed=1)[:1000],
}


def milliseconds(work: Callable[..., Any], *arguments: Any) -> float:
    start = time.perf_counter()
    work(*arguments)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.growth")
    parser.add_argument("--to", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for library in (official, ours):
        library.disable_caching()
        library.disable_progress_bars()
    print(f"{'operation':<26}{'rows':>12}{'crucible':>12}{'datasets':>12}{'numpy':>12}{'ratio':>9}")
    rows = 1000
    while rows <= arguments.to:
        column = np.random.default_rng(0).permutation(rows)
        made = {m: m.Dataset.from_dict({"x": column}) for m in (ours, official)}
        for module, name in product(made, OPERATIONS if rows == 1000 else ()):
            OPERATIONS[name](made[module], module)  # imports are not timed
        for name, operation in OPERATIONS.items():
            times: dict[str, list[float]] = {"crucible": [], "datasets": [], "numpy": []}
            for _ in range(arguments.rounds):
                times["crucible"].append(milliseconds(operation, made[ours], ours))
                times["datasets"].append(milliseconds(operation, made[official], official))
                if name == "shuffle":
                    times["numpy"].append(milliseconds(np.random.default_rng(1).permutation, rows))
            mid = {who: statistics.median(t) for who, t in times.items() if t}
            limit = f"{mid['numpy']:.2f}" if "numpy" in mid else ""
            ratio = mid["datasets"] / mid["crucible"]
            print(f"{name:<26}{rows:>12,}{mid['crucible']:>12.2f}{mid['datasets']:>12.2f}{limit:>12}{ratio:>8.1f}x")
        rows *= 10


if __name__ == "__main__":
    main()
