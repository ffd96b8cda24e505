"""The hub suite: downloads, warm snapshots and listings over loopback: as it is, with latency, and throttled.

Contestants: this client; `huggingface_hub` as pinned (hf_xet installed, and switched off); 0.36.2 with hf_transfer where
`.venv-hub036` has it; `aria2c` and `curl -Z` as the limit where they are installed; they
check no hash, except `aria2c, sha256`, which does the work that a cache with verified names has to do.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benches.hub_work import TASKS

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).resolve().parent / ".data" / "hub-transfer"
OLD_PYTHON = ROOT / ".venv-hub036" / "bin" / "python"
ALL = [task for task, repo in TASKS.items() if repo != "line"]
LINES = {
    "loopback": ("", ALL),
    "20 ms a request": ('{"path": "", "action": "delay", "ms": 20}', ALL),
    "20 MB/s a connection": (
        '{"path": "/lfs-cdn/", "action": "slow", "rate": 20000000}',
        ["one file of 256 MiB"],
    ),
}
"""The line: a fault of the server, and the tasks that are measured over it."""
MB = 1 << 20


@dataclass
class Line:
    """The measurements of one contestant at one task."""

    line: str
    task: str
    contestant: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def as_dict(self) -> dict[str, Any]:
        return {"suite": "hub", **self.__dict__, "median_s": self.median}


def make_repositories() -> Path:
    """The served folder; made once with a seed."""
    done = DATA / "done"
    if not done.exists():
        shutil.rmtree(DATA, ignore_errors=True)
        rng = random.Random(11)
        shapes = {
            "large": (1, 1024 * MB),
            "line": (1, 256 * MB),
            "medium": (40, 25 * MB),
            "small": (500, 20_000),
            "many": (10_000, 16),
        }
        for name, (count, size) in shapes.items():
            folder = DATA / "hub" / "datasets" / "bench" / name
            folder.mkdir(parents=True)
            for i in range(count):
                file = folder / ("data.bin" if count == 1 else f"{i % 20:02}/{i:05}.{'txt' if size < MB else 'bin'}")
                file.parent.mkdir(exist_ok=True)
                with file.open("wb") as out:
                    left = size
                    while left:
                        block = rng.randbytes(min(left, 4 * MB))
                        out.write(block if size >= MB else block.hex().encode()[: len(block)])
                        left -= len(block)
        done.touch()
    return DATA / "hub"


class Server:
    """The hub process and its counter of requests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = self._read()
        self._cpu = self.spent = 0.0
        """Its processor seconds: all, and those between the last two calls of `traffic`."""

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def requests(self) -> int:
        """Requests since the last call."""
        return self.traffic()[0]

    def traffic(self) -> tuple[int, int]:
        """Requests since the last call, and the bytes of their answers."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        requests, sent, cpu = json.loads(self._read())
        self.spent, self._cpu = cpu - self._cpu, cpu
        return int(requests), int(sent)


@contextmanager
def serving(root: Path, fault: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    command = [sys.executable, "-m", "benches.hub_server", str(root), fault]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    env = {**os.environ, **(environment or {})}
    with subprocess.Popen(command, cwd=ROOT, text=True, env=env, **pipes) as process:  # type: ignore[call-overload]
        yield Server(process)
        process.terminate()


def contestants(task: str) -> list[str]:
    """Who takes part: only programs that are there."""
    names = ["crucible", "huggingface_hub", "huggingface_hub, no xet"]
    if OLD_PYTHON.exists():
        code = "import hf_transfer, huggingface_hub"
        there = subprocess.run([str(OLD_PYTHON), "-c", code], capture_output=True, check=False).returncode == 0
        names += ["0.36 + hf_transfer"] if there and not task.startswith("list") else []
    if not task.startswith(("list", "warm")):
        names += [name for name in ("aria2c", "curl") if shutil.which(name)]
        names += ["aria2c, sha256"] if "aria2c" in names and task.startswith("one") else []
    return names


def measure(name: str, task: str, server: Server, root: Path, home: Path) -> dict[str, float]:
    env = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(home), "BENCH_HUB_ROOT": str(root)}
    env |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    if name.endswith("no xet"):
        env["HF_HUB_DISABLE_XET"] = "1"
    old = name.startswith("0.36")
    if old:
        env["HF_HUB_ENABLE_HF_TRANSFER"] = "1"
        env.pop("PYTHONPATH", None)
    python = str(OLD_PYTHON) if old else sys.executable
    command = [python, str(ROOT / "benches" / "hub_work.py"), name, task, str(home / "out")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"hub/{task}/{name} failed:\n{done.stderr[-3000:]}")
    line: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return line


def scratch_parent() -> str | None:
    """Memory rather than a disk, where there is enough of it: the line is measured, not the disk."""
    shm = Path("/dev/shm")
    return str(shm) if shm.is_dir() and shutil.disk_usage(shm).free > 6 << 30 else None


def run_hub_suite(rounds: int) -> list[Line]:
    """Measures every contestant, alternating within a round; prints the table."""
    source = make_repositories()
    lines: dict[tuple[str, str, str], Line] = {}
    with tempfile.TemporaryDirectory(prefix="crucible-hub-", dir=scratch_parent()) as scratch:
        root = Path(scratch, "served")
        shutil.copytree(source, root)
        for name_of_line, (fault, tasks) in LINES.items():
            with serving(root, fault) as server:
                for task in tasks:
                    names = contestants(task)
                    warm = task.startswith("warm")
                    homes = {name: Path(scratch, f"home-{i}") for i, name in enumerate(names)}
                    measure(names[0], task, server, root, homes[names[0]])  # the server hashes its files once
                    for name in names if warm else []:
                        measure(name, task, server, root, homes[name])
                    for _round in range(rounds):
                        for name in names:
                            if not warm:
                                shutil.rmtree(homes[name], ignore_errors=True)
                            server.requests()
                            got = measure(name, task, server, root, homes[name])
                            line = lines.setdefault((name_of_line, task, name), Line(name_of_line, task, name))
                            line.seconds.append(got["seconds"])
                            line.cpu.append(got["cpu"])
                            line.rss_mb.append(got["rss_mb"])
                            line.requests.append(server.requests())
                            if not warm:
                                shutil.rmtree(homes[name], ignore_errors=True)
                    for home in homes.values():
                        shutil.rmtree(home, ignore_errors=True)
                    show([line for line in lines.values() if (line.line, line.task) == (name_of_line, task)])
    return list(lines.values())


def show(lines: list[Line]) -> None:
    """One task's table. ratio = the contestant's time / ours."""
    ours = lines[0].median
    print(f"\nhub: {lines[0].task}, {lines[0].line}")
    print(f"{'contestant':<26}{'median':>12}{'spread':>9}{'cpu':>9}{'rss':>9}{'requests':>10}{'ratio':>9}")
    for line in lines:
        spread = (max(line.seconds) - min(line.seconds)) / line.median
        cpu, rss, requests = (statistics.median(v) for v in (line.cpu, line.rss_mb, line.requests))
        ratio = "" if line is lines[0] else f"{line.median / ours:8.2f}x"
        row = f"{line.contestant:<26}{line.median * 1000:>9.1f} ms{spread:>8.0%}{cpu:>7.2f} s{rss:>6.0f} MB"
        print(f"{row}{requests:>10.0f}{ratio:>9}")
    sys.stdout.flush()
