"""Streams of folders of images on a hub or a web server: files come side by side, ahead of their turn, in their order."""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crucible_datasets import load_dataset
from faulthub import FaultHub, Request, Response, faults
from hfhub import HfApi
from hfhub.errors import HfHubHTTPError, IntegrityError
from streamed import all_answered

ID = "org/pictures"
FILES, UNIT = 40, 8


def png(number: int) -> bytes:
    """An image that tells its number, of some kilobytes."""
    out = io.BytesIO()
    image = Image.frombytes("RGB", (40, 40), os.urandom(4800))
    image.putpixel((0, 0), (number, 0, 0))
    image.save(out, "png")
    return out.getvalue()


@pytest.fixture
def pictures(fault_hub: FaultHub, fault_env: Path) -> list[bytes]:
    made = [png(i) for i in range(FILES)]
    fault_hub.repo("dataset", ID).commit({f"i/{i:03}.png": data for i, data in enumerate(made)}, lfs=("*",))
    return made


def stream_of(**more: Any) -> Any:
    made = load_dataset(ID, split="train", streaming=True, **more)
    return made.cast_column("image", made.features["image"].__class__(decode=False))


def numbers(rows: Any) -> list[int]:
    return [Image.open(io.BytesIO(row["image"]["bytes"])).getpixel((0, 0))[0] for row in rows]


@pytest.mark.parametrize("cache", [False, True])
def test_rows_are_in_order_and_whole(pictures: list[bytes], fault_hub: FaultHub, cache: bool) -> None:
    stream = stream_of(cache=cache)
    assert [row["image"]["bytes"] for row in stream] == pictures
    fault_hub.forget()
    assert [row["image"]["bytes"] for row in stream] == pictures
    if cache:
        assert fault_hub.served("png") == 0


def test_files_come_side_by_side(pictures: list[bytes], fault_hub: FaultHub) -> None:
    """No file is sent before all of its unit are asked for."""
    together = threading.Barrier(UNIT)

    def wait(_: Request, __: Response) -> None:
        together.wait(20)

    rows = iter(stream_of())
    for number in range(UNIT):
        fault_hub.fault(f"{number:03}.png", wait, method="GET", times=1, statuses=(200, 206))
    assert numbers(next(rows) for _ in range(UNIT)) == list(range(UNIT))
    assert not together.broken
    assert numbers(rows) == list(range(UNIT, FILES))


def test_the_next_files_are_fetched_ahead_and_no_more(pictures: list[bytes], fault_hub: FaultHub) -> None:
    rows = iter(stream_of())
    assert numbers(next(rows) for _ in range(3)) == [0, 1, 2]
    assert all_answered(fault_hub)
    assert not fault_hub.requests(r"008\.png")  # who wants a few rows does not pay for more
    assert numbers(next(rows) for _ in range(7)) == list(range(3, 10))
    assert fault_hub.wait_until(lambda: bool(fault_hub.requests(r"031\.png")))
    assert all_answered(fault_hub)
    assert not fault_hub.requests(r"03[2-9]\.png")  # two units are ahead of the one that is used
    assert numbers(rows) == list(range(10, FILES))


def test_going_on_at_every_row(pictures: list[bytes]) -> None:
    running = stream_of()
    for place, _ in enumerate(running, 1):
        if place % 7 == 0:
            resumed = stream_of()
            resumed.load_state_dict(json.loads(json.dumps(running.state_dict())))
            assert numbers(resumed) == list(range(place, FILES))


def test_a_state_of_other_files_is_refused(pictures: list[bytes], fault_hub: FaultHub) -> None:
    """One file of the rows to come is another one now."""
    running = stream_of()
    rows = iter(running)
    assert numbers(next(rows) for _ in range(10)) == list(range(10))
    state = running.state_dict()
    repo = fault_hub.repos["dataset", ID]
    before = repo.refs["refs/heads/main"]
    repo.commit({"README.md": b"# words"})
    same = stream_of()
    same.load_state_dict(state)
    assert numbers(same) == list(range(10, FILES))
    repo.commit({"i/030.png": png(200)}, lfs=("*",))
    moved = stream_of()
    moved.load_state_dict(state)
    with pytest.raises(ValueError, match="other data"):
        next(iter(moved))
    old = stream_of(revision=before)
    old.load_state_dict(state)
    assert numbers(old) == list(range(10, FILES))


@pytest.mark.parametrize(
    ("fault", "error"),
    [(faults.status(503), HfHubHTTPError), (faults.flip(100), IntegrityError)],
    ids=["refused", "damaged"],
)
def test_a_file_that_fails_fails_in_its_turn(
    pictures: list[bytes], fault_hub: FaultHub, fault: Any, error: type[Exception]
) -> None:
    fault_hub.fault(r"020\.png", fault, method="GET")
    rows = iter(stream_of())
    assert numbers(next(rows) for _ in range(2 * UNIT)) == list(range(2 * UNIT))
    with pytest.raises(error, match=r"020\.png"):
        next(rows)
    fault_hub.clear()
    assert numbers(stream_of()) == list(range(FILES))


def test_bad_times_cost_no_row(pictures: list[bytes], fault_hub: FaultHub) -> None:
    rows = iter(stream_of())
    assert numbers(next(rows) for _ in range(1)) == [0]
    fault_hub.fault(r"\.png", faults.status(503), times=5)
    fault_hub.fault(r"\.png", faults.cut(1000), times=5, statuses=(200, 206))
    assert numbers(rows) == list(range(1, FILES))


@pytest.mark.parametrize(
    "fault",
    [
        faults.shorter(7),
        faults.wrong_length(9),
        faults.wrong_length(-9),
        faults.replace(b""),
        faults.status(404),
        faults.status(403),
    ],
    ids=["lacks bytes", "too much promised", "too little promised", "empty", "not found", "refused"],
)
def test_one_bad_answer_is_not_the_last_word(pictures: list[bytes], fault_hub: FaultHub, fault: Any) -> None:
    """Whole files come without a range to tell their length by."""
    rows = iter(stream_of())
    assert numbers([next(rows)]) == [0]
    bad = fault_hub.fault(".", fault, origin="cdn", method="GET", times=1)
    assert numbers(rows) == list(range(1, FILES))
    assert bad.hits == 1
    assert not fault_hub.tokens_on("cdn")


def test_a_broken_off_stream_leaves_nothing(pictures: list[bytes], fault_hub: FaultHub) -> None:
    rows = iter(stream_of())
    assert numbers(next(rows) for _ in range(UNIT)) == list(range(UNIT))
    # Those that are ahead hang in the middle of a body.
    stalled = fault_hub.fault(r"(01[6-9]|02\d|03\d)\.png", faults.stall(1000), statuses=(200, 206))
    assert numbers([next(rows)]) == [UNIT]
    assert fault_hub.wait_until(lambda: stalled.hits > 0)
    del rows
    gc.collect()
    # What was on its way comes to the hub a little later; from then on the stream asks for nothing.
    asked, looked = -1, threading.Event()
    while asked != len(fault_hub.requests(r"\.png")):
        asked = len(fault_hub.requests(r"\.png"))
        looked.wait(0.2)
    for _ in range(3):
        assert HfApi().list_repo_files(ID, repo_type="dataset")
    assert all_answered(fault_hub)
    assert len(fault_hub.requests(r"\.png")) == asked


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("begun", [1, 5, 10])
def test_a_forked_child_goes_on(pictures: list[bytes], begun: int) -> None:
    rows = iter(stream_of())
    assert numbers(next(rows) for _ in range(begun)) == list(range(begun))
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        os._exit(0 if numbers(rows) == list(range(begun, FILES)) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert numbers(rows) == list(range(begun, FILES))


INTERRUPTED = """
import signal
from crucible_datasets import load_dataset
signal.signal(signal.SIGINT, signal.default_int_handler)
rows = iter(load_dataset("org/pictures", split="train", streaming=True))
print("there", flush=True)
try:
    next(rows)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def test_ctrl_c_ends_it(pictures: list[bytes], fault_hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "60")
    stalled = fault_hub.fault(r"\.png", faults.stall(100), method="GET", statuses=(200, 206))
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        assert fault_hub.wait_until(lambda: stalled.hits >= UNIT)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        assert process.wait(20) == 0


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A web server that knows no ranges, and its address."""
    for number in range(FILES):
        (tmp_path / f"{number:03}.png").write_bytes(png(number))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_from_the_web(web: str, fault_env: Path) -> None:
    addresses = [f"{web}/{number:03}.png" for number in range(FILES)]
    made = load_dataset("imagefolder", data_files=addresses, split="train", streaming=True)
    made = made.cast_column("image", made.features["image"].__class__(decode=False))
    assert numbers(made) == list(range(FILES))
