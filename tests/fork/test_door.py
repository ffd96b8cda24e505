"""The boundary: Ctrl-C, panics, forks, spawned workers."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from _crucible import _native
from _crucible.errors import InternalError
from crucible_datasets import Dataset, load_dataset
from hfhub import hf_hub_download


@pytest.mark.parametrize("work", [_native._test_sleep, _native._test_spin])
def test_ctrl_c_is_answered_within_200_ms(work: Callable[[float], None]) -> None:
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        work(20.0)
    # Far from 20 s; the bound itself is generous, since the machine may be busy.
    assert time.monotonic() - sent[0] < 2.0


def test_a_panic_is_an_exception() -> None:
    with pytest.raises(InternalError, match="a panic made on purpose") as caught:
        _native._test_panic()
    assert isinstance(caught.value, RuntimeError)
    assert "report" in caught.value.__notes__[0]


def test_the_gil_is_free_during_work() -> None:
    counted = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    _native._test_spin(0.3)
    stop.set()
    thread.join()
    assert counted > 1000


def in_child(work: Callable[[], Any]) -> None:
    """Runs work in a forked child under an alarm; fails if it fails or hangs."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001  # a child must not run pytest's own exit
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert status == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_who_waits_does_not_stand_behind_what_is_read_ahead() -> None:
    def work() -> None:
        busy = _native._test_busy()
        table = Dataset.from_dict({"a": list(range(50_000))})._table
        assert _native.Table.concat([table, table]).num_rows == 100_000
        assert table.select(range(49_999, -1, -1)).row(0) == {"a": 49_999}
        del busy
        assert _native.Table.concat([table, table]).num_rows == 100_000

    in_child(work)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("hf_env")
def test_forked_children_work() -> None:
    ds = load_dataset("org/small", split="train")
    stream = iter(load_dataset("org/small", split="train", streaming=True))
    next(stream)
    image = _native.encode_png(bytes(12), 2, 2, "RGB")
    _native.decode_image(image)
    parent = _native._test_engine_pid()

    def work() -> None:
        assert _native._test_engine_pid() == os.getpid() != parent
        assert ds[3] == {"a": 3, "t": "row 3"}
        assert len(list(ds.shuffle(seed=1))) == 50
        hf_hub_download("org/small", "data/big.bin", repo_type="dataset")
        assert len(load_dataset("org/small", split="train")) == 50
        assert len(list(load_dataset("org/small", split="train", streaming=True))) == 50
        assert _native.decode_image(image)[0] == "RGB"

    for _ in range(3):
        in_child(work)
    assert len(list(stream)) == 49


def first_row(data: bytes) -> Any:
    return pickle.loads(data)[0]


def test_spawned_workers_work() -> None:
    ds = Dataset.from_list([{"a": i} for i in range(10)]).shuffle(seed=0)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(first_row, [pickle.dumps(ds)]) == ds[0]
