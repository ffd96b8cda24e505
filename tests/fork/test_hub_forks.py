"""Forks after use, as a DataLoader makes them: workers read, list and download, and nothing hangs."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from faulthub import FaultHub
from hfhub import HfApi, HubServer, hf_hub_download, snapshot_download

RUNS = 50
WORKERS = 4
SECONDS = 60
"""After so long a child counts as hanging: far more than it needs."""

pytestmark = [
    pytest.mark.usefixtures("hf_env"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*multithreaded code, and JAX:RuntimeWarning"),  # where other tests import it
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),  # more workers than this machine has cores
]


def forked(works: Sequence[Callable[[], Any]]) -> list[int]:
    """Runs each work in its own child, all at once, each under an alarm. Returns their statuses: 0 is good."""
    children = []
    for work in works:
        pid = os.fork()
        if pid == 0:
            try:
                signal.alarm(SECONDS)
                work()
                os._exit(0)
            except BaseException:  # noqa: BLE001  # a child must not run pytest's own exit
                os.write(2, traceback.format_exc().encode())
                os._exit(1)
        children.append(pid)
    return [os.waitpid(pid, 0)[1] for pid in children]


def test_four_workers_in_fifty_runs(hub: HubServer, hf_env: Path) -> None:
    api = HfApi()
    files = api.list_repo_files("org/small", repo_type="dataset")
    path = hf_hub_download("org/small", "data/train.jsonl", repo_type="dataset")
    snapshot_download("org/small", repo_type="dataset")

    def worker(run: int, number: int) -> None:
        assert Path(path).read_text().startswith('{"a": 0')
        assert api.list_repo_files("org/small", repo_type="dataset") == files
        name = "data/big.bin" if number % 2 else "README.md"
        own = hf_env / f"cache-{run}"
        found = hf_hub_download("org/small", name, repo_type="dataset", cache_dir=own)
        assert Path(found).stat().st_size == (512_000 if number % 2 else 8)
        assert hf_hub_download("org/small", name, repo_type="dataset") != found

    for run in range(RUNS):
        works = [lambda number=number, run=run: worker(run, number) for number in range(WORKERS)]
        assert forked(works) == [0] * WORKERS, f"run {run}"
        # The parent goes on using its own connections in between.
        assert hf_hub_download("org/small", "data/train.jsonl", repo_type="dataset") == path


def test_a_fork_while_threads_download(hub: HubServer, hf_env: Path) -> None:
    """The child is made in the middle of the parent's requests, with locks held and connections in use."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def download(number: int) -> None:
        try:
            while not stop.is_set():
                hf_hub_download(
                    "org/small",
                    "data/big.bin",
                    repo_type="dataset",
                    cache_dir=hf_env / f"t{number}",
                    force_download=True,
                )
                HfApi().list_repo_files("org/small", repo_type="dataset")
        except BaseException as error:  # noqa: BLE001  # told by the test
            failures.append(error)

    threads = [threading.Thread(target=download, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()

    def child() -> None:
        snapshot_download("org/small", repo_type="dataset", cache_dir=hf_env / f"child-{os.getpid()}")
        HfApi().dataset_info("org/small")

    try:
        statuses = [status for _ in range(10) for status in forked([child] * 2)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses == [0] * 20
    assert failures == []


def test_a_grandchild(hub: HubServer) -> None:
    """A worker that has used the hub forks again."""

    def inner() -> None:
        hf_hub_download("org/small", "data/big.bin", repo_type="dataset")

    def outer() -> None:
        HfApi().list_repo_files("org/small", repo_type="dataset")
        assert forked([inner, inner]) == [0, 0]

    hf_hub_download("org/small", "README.md", repo_type="dataset")
    assert forked([outer]) == [0]


def spawned(pickled: bytes, cache: str) -> int:
    """In a fresh process: an api that came by pickle lists, and a file comes."""
    api = pickle.loads(pickled)
    files = api.list_repo_files("org/small", repo_type="dataset")
    return sum(
        Path(hf_hub_download("org/small", f, repo_type="dataset", cache_dir=cache)).stat().st_size for f in files
    )


def test_spawned_workers(hub: HubServer, hf_env: Path) -> None:
    api = HfApi()
    expected = sum(p.stat().st_size for p in Path(snapshot_download("org/small", repo_type="dataset")).rglob("*.*"))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        jobs = [pool.apply_async(spawned, (pickle.dumps(api), str(hf_env / "spawned"))) for _ in range(2)]
        assert [job.get(SECONDS) for job in jobs] == [expected] * 2


class Files:
    """A map-style dataset: an item is the length of a file, fetched in the worker."""

    def __init__(self, names: list[str], cache: str) -> None:
        self.names, self.cache = names, cache

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, at: int) -> int:
        found = hf_hub_download("org/small", self.names[at], repo_type="dataset", cache_dir=self.cache)
        return Path(found).stat().st_size


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_a_real_dataloader(hub: HubServer, hf_env: Path, context: str) -> None:
    data = pytest.importorskip("torch.utils.data", reason="torch is not installed")
    names = HfApi().list_repo_files("org/small", repo_type="dataset") * 4
    loader = data.DataLoader(
        Files(names, str(hf_env / context)),
        batch_size=2,
        num_workers=WORKERS,
        timeout=SECONDS,
        multiprocessing_context=context,
    )
    assert sum(int(batch.sum()) for batch in loader) == 4 * sum(Files(names[: len(names) // 4], str(hf_env / "x")))


def test_children_upload_after_their_parent(fault_hub: FaultHub, fault_env: Path) -> None:
    api = HfApi(token="hf_good")
    repo = fault_hub.repo("dataset", "org/data")
    repo.commit({"README.md": b"# data"})

    def upload(name: str) -> None:
        content = b"\0" + name.encode() * 100_000
        api.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id="org/data", repo_type="dataset")

    upload("parent.bin")
    api.run_as_future(upload, "future.bin").result(SECONDS)
    assert forked([lambda n=n: upload(f"{n}.bin") for n in range(3)]) == [0, 0, 0]
    in_background = [lambda: api.run_as_future(upload, "child.bin").result(SECONDS)]
    assert forked(in_background) == [0]
    newest = repo.resolve("main")
    assert newest is not None
    assert {f"{n}.bin" for n in ("parent", "future", "child", 0, 1, 2)} <= set(newest.files)
