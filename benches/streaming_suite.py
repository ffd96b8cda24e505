"""The streaming suite: rows of one file of a hub on loopback, as it is and with 20 ms a request.

Contestants: this library, `datasets`, `polars` (`scan_parquet` on the file's address; it holds all rows at the end), and
as limits this library on the same file on the disk, alone and beside a transfer of its bytes by curl. What is asked of
the hub is counted from the moment the stream is open to the end of the work: the metadata of the repository is no part of
it. With `--cores N` contestants have the first N processors and the hub the others, as a hub elsewhere would: without it the
work of the hub counts against who reads. More peers take part where they are installed (`benches.streaming_peers`); what those with shards of their own need is
not counted.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benches import streaming_peers
from benches.data import make_data
from benches.harness import CORES
from benches.hub_suite import ROOT, Server, serving
from benches.streaming_work import (
    ALL,
    CHATS,
    CONTESTANTS,
    LARGE,
    LARGE_LINES,
    LINES,
    MANY,
    SMALL,
    TASKS,
    TWO,
    repository,
)

DELAYS = {"loopback": "", "20 ms a request": '{"path": "", "action": "delay", "ms": 20}'}
FILES = 6
"""Parquet files of the large tasks; half as many of lines."""
MANY_FILES = 60
"""Parquet files of about a megabyte."""


@dataclass
class Streamed:
    """The measurements of one contestant at one task."""

    line: str
    task: str
    contestant: str
    needed: int
    rows: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    then: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def as_dict(self) -> dict[str, Any]:
        return {"suite": "streaming", **self.__dict__, "median_s": self.median}


def streaming_data(rows: int) -> Path:
    """The chats as Parquet and as JSON lines, each a repository."""
    folder = make_data(rows)
    home = folder / "hub" / "datasets"
    lines = home / LINES
    if not (lines / "train.jsonl").exists():
        lines.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "chat.jsonl", lines / "part")
        (lines / "part").rename(lines / "train.jsonl")
    chat = home / CHATS / "data" / "train-00000-of-00001.parquet"
    for number in range(FILES):
        _large(home / LARGE / "data" / f"train-{number:05}-of-{FILES:05}.parquet", chat, number / FILES)
    of_lines = FILES // 2
    for number in range(of_lines):
        _large(
            home / LARGE_LINES / "data" / f"train-{number:05}-of-{of_lines:05}.jsonl",
            lines / "train.jsonl",
            number / of_lines,
        )
    small = home / SMALL / "data" / "train-00000-of-00001.parquet"
    if not small.exists():
        small.parent.mkdir(parents=True, exist_ok=True)
        part = pq.ParquetFile(chat).read_row_group(0)
        pq.write_table(part, folder / "part", compression="zstd", row_group_size=50)
        (folder / "part").rename(small)
    many = home / MANY / "data"
    if not many.exists():
        part = folder / "many.part"
        part.mkdir(exist_ok=True)
        table = pq.read_table(chat)
        each = -(-table.num_rows // MANY_FILES)
        for number in range(MANY_FILES):
            name = f"train-{number:05}-of-{MANY_FILES:05}.parquet"
            pq.write_table(table.slice(number * each, each), part / name, compression="zstd")
        many.parent.mkdir(parents=True, exist_ok=True)
        part.rename(many)
    return folder


def _large(path: Path, file: Path, start: float) -> None:
    """Writes the rows of a file from a part of it on, then those before it: the same work, and other bytes."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    if file.suffix == ".parquet":
        rows = pq.read_table(file)
        cut = int(rows.num_rows * start)
        groups = pq.read_metadata(file).row_group(0).num_rows
        turned = pa.concat_tables([rows.slice(cut), rows.slice(0, cut)])
        pq.write_table(turned, part, compression="zstd", row_group_size=groups)
    else:
        text = file.read_bytes()
        cut = text.rfind(b"\n", 0, int(len(text) * start)) + 1
        part.write_bytes(text[cut:] + text[:cut])
    part.rename(path)


def needed_bytes(folder: Path, task: str) -> int:
    """Bytes of the files without which the task cannot be done: footers and the chunks of its columns."""
    files = sorted((folder / "hub" / "datasets" / repository(task)).rglob("*.*"))
    if task.endswith(("line", "lines")):
        return 0 if task.startswith("first") else sum(path.stat().st_size for path in files)
    needed = 0
    for path in files:
        footer = pq.read_metadata(path)
        groups = range(1 if task.startswith(("first", "resume")) else footer.num_row_groups)
        roots = TWO if task.startswith("two") else ALL
        chunks = [footer.row_group(g).column(c) for g in groups for c in range(footer.num_columns)]
        needed += sum(c.total_compressed_size for c in chunks if c.path_in_schema.split(".")[0] in roots)
        needed += footer.serialized_size + 8
    return needed


def measure(result: Streamed, server: Server, environment: dict[str, str]) -> None:
    """One process; the server forgets what the set-up asked."""
    command = [sys.executable, "-m", "benches.streaming_work", result.contestant, result.task]
    with (
        tempfile.TemporaryDirectory(prefix="crucible-stream-") as home,
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment, "HF_ENDPOINT": server.url, "HF_HOME": home},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        ready, got = process.stdout.readline(), ""
        if ready == "ready\n":
            server.traffic()
            process.stdin.write("\n")
            process.stdin.flush()
            got = process.stdout.readline()
        requests, asked = server.traffic()
        process.communicate()
        if not got:
            errors.seek(0)
            sys.exit(f"streaming/{result.task}/{result.contestant} failed:\n{errors.read()[-3000:]}")
    figures = json.loads(got)
    result.rows = int(figures["rows"])
    for name in ("seconds", "cpu", "rss_mb"):
        getattr(result, name).append(figures[name])
    for name in ("first", "then"):
        if name in figures:
            getattr(result, name).append(figures[name])
    result.server.append(server.spent)
    result.requests.append(requests)
    result.asked.append(asked)


def shares(cores: int) -> tuple[dict[str, str], dict[str, str]]:
    """The environments of contestants and of the hub: which processors they have, all of them with 0 `cores`."""
    there = sorted(os.sched_getaffinity(0))
    if not cores:
        return {}, {}
    if cores >= len(there):
        sys.exit(f"--cores {cores}: none of the {len(there)} processors is left for the hub")
    print(f"contestants have {cores} of {len(there)} processors, the hub the others")
    return tuple({CORES: ",".join(map(str, part))} for part in (there[:cores], there[cores:]))  # type: ignore[return-value]


def run_streaming_suite(rounds: int, rows: int, only: str = "", cores: int = 0) -> list[Streamed]:
    """Measures every contestant, alternating within a round; prints the tables."""
    mine, of_hub = shares(cores)
    peers = [peer for peer in streaming_peers.PEERS if streaming_peers.installed(peer)]
    for peer, note in streaming_peers.NOTES.items():
        print(f"{peer}: " + (note if peer in peers else "left out, it is not installed"))
    folder = streaming_data(rows)
    subprocess.run([sys.executable, "-m", "benches.streaming_peers", str(folder), *peers], cwd=ROOT, check=True)
    environment = {"BENCH_DATA": str(folder), "BENCH_ROWS": str(rows), **streaming_peers.QUIET, **mine}
    missing = [name for name in ("datasets", "polars") if not importlib.util.find_spec(name)]
    for name in missing:
        print(f"{name}: left out, it is not installed")
    contestants = {who: tasks for who, tasks in CONTESTANTS.items() if who not in missing}
    contestants |= {peer: streaming_peers.PEERS[peer] for peer in peers}
    results: list[Streamed] = []
    for line, fault in DELAYS.items():
        with serving(folder / "hub", fault, of_hub) as server:
            for task in (task for task in TASKS if only in task):
                of_task = [
                    Streamed(line, task, who, 0 if who in streaming_peers.OWN else needed_bytes(folder, task))
                    for who, tasks in contestants.items()
                    if task in tasks
                ]
                for _round in range(rounds):
                    for result in of_task:
                        measure(result, server, environment)
                show(of_task)
                results += of_task
    return results


def show(results: list[Streamed]) -> None:
    """One task's table. ratio = the contestant's time / ours; "first" is when the first row or batch was there, "then"
    the rows/s after it, and the last ratio is our rows/s after it / the contestant's: of those that hand on what comes.
    """
    print(f"\nstreaming: {results[0].task}, {results[0].line}")  # "hub" is the processor time of the serving process
    print(
        f"{'contestant':<19}{'median':>12}{'spread':>8}{'rows/s':>11}{'MB/s':>8}{'cpu':>9}{'hub':>9}{'rss':>9}"
        f"{'requests':>10}{'asked':>11}{'/needed':>9}{'ratio':>8}{'first':>12}{'then':>11}{'ratio':>8}"
    )
    for r in results:
        spread = (max(r.seconds) - min(r.seconds)) / r.median
        measured = (r.cpu, r.server, r.rss_mb, r.requests, r.asked)
        cpu, hub, rss, requests, asked = (statistics.median(values) for values in measured)
        share = f"{asked / r.needed:9.3f}" if asked and r.needed else f"{'':>9}"
        speed = f"{r.needed / r.median / 1e6:8.0f}" if r.needed else f"{'':>8}"
        ratio = "" if r is results[0] else f"{r.median / results[0].median:7.2f}x"
        after = ""
        if r.first:
            then = statistics.median(r.then)
            after = f"{statistics.median(r.first) * 1000:>9.1f} ms{then:>11.0f}"
            after += "" if r is results[0] else f"{statistics.median(results[0].then) / then:7.2f}x"
        print(
            f"{r.contestant:<19}{r.median * 1000:>9.1f} ms{spread:>8.0%}{r.rows / r.median:>11.0f}{speed}"
            f"{cpu:>7.2f} s{hub:>7.2f} s{rss:>6.0f} MB{requests:>10.0f}{asked / 1e6:>8.2f} MB{share}{ratio:>8}{after}"
        )
    sys.stdout.flush()
