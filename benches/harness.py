"""The harness: contestants alternate within a round, each measurement in its own fresh process.

A contestant is a function of `benches.suites`; it sets up, then calls `clock(work)` once. Only `work` is timed.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benches.data import make_data
from benches.suites import SUITES

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Result:
    suite: str
    task: str
    contestant: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    written_mb: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "median_s": self.median}


CORES = "BENCH_CORES"
"""The variable with the processors that a process of a suite is to use: numbers with commas."""


def keep_to_cores() -> None:
    """Keeps this process, and those that it starts, to the processors of `CORES`; before it has threads."""
    if given := os.environ.get(CORES):
        os.sched_setaffinity(0, map(int, given.split(",")))


begun: list[tuple[float, int]] = []
"""When the first of what a work hands on was there, and its rows."""


def counted(rows: Iterator[int]) -> int:
    """The sum of rows as they come; `begun` has when the first ones were there."""
    first = next(rows)
    begun.append((time.perf_counter(), first))
    return first + sum(rows)


def clock(work: Callable[[], Any]) -> None:
    """Times `work` and reports to the parent. Called once by each contestant."""
    written = written_mb()
    cpu, start = time.process_time(), time.perf_counter()
    kept = work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    written = written_mb() - written
    rss = peak_rss_mb()
    print(json.dumps({"seconds": seconds, "cpu": cpu, "rss_mb": rss, "written_mb": written}))
    del kept


def peak_rss_mb() -> float:
    """Peak memory of this process: `VmHWM`, since `ru_maxrss` is inherited through fork and exec."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def written_mb() -> float:
    """Megabytes that this process gave to `write`; 0 where the system does not tell."""
    counters = Path("/proc/self/io")
    if not counters.exists():
        return 0.0
    line = next(line for line in counters.read_text().splitlines() if line.startswith("wchar"))
    return int(line.split()[1]) / 1e6


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    """A mirror over the data, in its own process."""
    command = [sys.executable, "-m", "hfhub", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split(" at ")[1].split()[0]
        process.terminate()


def measure(suite: str, task: str, contestant: str, env: dict[str, str]) -> dict[str, float]:
    script = f"from benches.suites import SUITES; SUITES[{suite!r}].TASKS[{task!r}][{contestant!r}]()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{suite}/{task}/{contestant} failed:\n{done.stderr[-3000:]}")
    line: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return line


def run_suite(suite: str, rounds: int, rows: int, only: str = "") -> list[Result]:
    """Measures the tasks of a suite whose names have `only` in them."""
    tasks = {task: who for task, who in SUITES[suite].TASKS.items() if only in task}
    data = getattr(SUITES[suite], "MAKE", make_data)(rows)
    results = {(t, c): Result(suite, t, c) for t, contestants in tasks.items() for c in contestants}
    with tempfile.TemporaryDirectory(prefix="crucible-bench-") as scratch, hub(data / "hub") as url:
        base = {"BENCH_DATA": str(data), "HF_ENDPOINT": url, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        base["HF_HUB_DISABLE_TELEMETRY"] = "1"
        for round_number in range(rounds):
            for (task, contestant), result in results.items():
                warm = task.startswith("warm")
                home = Path(scratch, contestant, task if warm else f"{task}-{round_number}")
                env = {**base, "HF_HOME": str(home)}
                if warm and round_number == 0:
                    measure(suite, task, contestant, env)  # fills the caches
                line = measure(suite, task, contestant, env)
                result.seconds.append(line["seconds"])
                result.cpu.append(line["cpu"])
                result.rss_mb.append(line["rss_mb"])
                result.written_mb.append(line["written_mb"])
                if not warm:
                    shutil.rmtree(home, ignore_errors=True)  # at a gigabyte a load, disks fill
    show(suite, tasks, results)
    return list(results.values())


def show(suite: str, tasks: dict[str, dict[str, Any]], results: dict[tuple[str, str], Result]) -> None:
    print(f"\n{suite}")
    print(f"{'task':<38}{'contestant':<16}{'median':>12}{'spread':>9}{'cpu':>9}{'rss':>10}{'written':>10}{'ratio':>9}")
    for task, contestants in tasks.items():
        ours = results[task, "crucible"].median
        for contestant in contestants:
            r = results[task, contestant]
            spread = (max(r.seconds) - min(r.seconds)) / r.median
            ratio = "" if contestant == "crucible" else f"{r.median / ours:8.2f}x"
            cpu, rss, out = (statistics.median(values) for values in (r.cpu, r.rss_mb, r.written_mb))
            print(
                f"{task:<38}{contestant:<16}{r.median * 1000:>9.1f} ms{spread:>8.0%}{cpu:>7.2f} s{rss:>7.0f} MB{out:>7.0f} MB{ratio:>9}"
            )
    sys.stdout.flush()
