"""Kept results and other processes: later ones, several at once, killed ones, forks."""

from __future__ import annotations

import signal
from pathlib import Path

from kept_results import ROWS, ended, results, run

SCRIPT = """
import os, sys, json, pathlib
import crucible_datasets as cd
source, folder = sys.argv[1], pathlib.Path(sys.argv[2])
ds = cd.load_dataset("parquet", data_files=source, split="train")
def count(what):
    with open(folder / what, "a") as file:
        file.write("x")
words = {"a", "b", "c"}
def f(row):
    count("map")
    return {"x": row["n"] + len(words)}
def g(row):
    count("filter")
    return row["x"] % 2 == 0
made = ds.map(f).filter(g).map(lambda b: {"y": [x + 1 for x in b["x"]]}, batched=True, num_proc=2)
print(json.dumps([made._fingerprint, len(made), made[3], sorted(f["filename"] for f in made.cache_files)]))
"""


def test_a_later_process(source: Path, tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    counts.mkdir()
    first = ended(run(SCRIPT, str(source), str(counts), PYTHONHASHSEED="1"))
    sizes = {path.name: path.stat().st_size for path in counts.iterdir()}
    assert sizes == {"map": ROWS, "filter": ROWS}
    moved = "# a comment\n\n" + SCRIPT.replace("def f(row):\n", "def f(row):\n    # another\n\n")
    again = ended(run(moved, str(source), str(counts), PYTHONHASHSEED="2"))
    assert again == first
    assert {path.name: path.stat().st_size for path in counts.iterdir()} == sizes
    changed = ended(run(SCRIPT.replace('"c"}', '"c", "d"}'), str(source), str(counts)))
    assert changed[0] != first[0]
    assert (counts / "map").stat().st_size == 2 * ROWS


def test_processes_at_once(source: Path, tmp_path: Path) -> None:
    """Of several that ask for the same, one runs the function."""
    counts = tmp_path / "counts"
    counts.mkdir()
    ended(
        run(
            "import sys, crucible_datasets as cd\ncd.load_dataset('parquet', data_files=sys.argv[1], split='train')\nprint(1)",
            str(source),
        )
    )
    ranks = [run(SCRIPT, str(source), str(counts)) for _ in range(3)]
    answers = [ended(rank) for rank in ranks]
    assert answers[0] == answers[1] == answers[2]
    assert {path.name: path.stat().st_size for path in counts.iterdir()} == {"map": ROWS, "filter": ROWS}


KILLED = """
import os, signal, sys, json
import crucible_datasets as cd
source, when = sys.argv[1], int(sys.argv[2])
ds = cd.load_dataset("parquet", data_files=source, split="train")
def kill(n):
    if n == when:
        os.kill(int(os.environ["TO_KILL"]) if "TO_KILL" in os.environ else os.getpid(), signal.SIGKILL)
class Kill:
    def __reduce__(self): return "kill"
    def __call__(self, n): kill(n)
killer = Kill()
def f(row):
    killer(row["n"])
    return {"x": [row["n"]] * 50}
made = ds.map(f, writer_batch_size=20, num_proc=2 if "TWO" in os.environ else None)
print(json.dumps([made._fingerprint, sum(x[0] for x in made["x"][:])]))
"""


def test_killed_while_writing(source: Path, cache: Path) -> None:
    killed = run(KILLED, str(source), "200", CRUCIBLE_MEMORY_BUDGET="1000")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert list(cache.rglob(".tmp-*"))  # it was writing
    assert results(cache) == []
    assert ended(run(KILLED, str(source), "-1", CRUCIBLE_MEMORY_BUDGET="1000"))[1] == sum(range(ROWS))
    assert len(results(cache)) == 1


def test_the_parent_is_killed(source: Path, cache: Path) -> None:
    """Its processes end, so that the next run gets the lock."""
    code = KILLED.replace("ds = cd", "os.environ['TO_KILL'] = str(os.getpid())\nds = cd")
    killed = run(code, str(source), "200", TWO="1")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert ended(run(KILLED, str(source), "-1", TWO="1"))[1] == sum(range(ROWS))


def test_a_fork_does_not_keep_the_lock(tmp_path: Path) -> None:
    code = """
import os, sys, json
from _crucible._native import StoreLock
lock = StoreLock.try_take(sys.argv[1])
assert StoreLock.try_take(sys.argv[1]) is None
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.read(reading, 1)
    os._exit(0)
lock.release()
free = StoreLock.try_take(sys.argv[1]) is not None
os.write(writing, b"x")
os.waitpid(child, 0)
print(json.dumps(free))
"""
    assert ended(run(code, str(tmp_path / "x.arrow"))) is True
