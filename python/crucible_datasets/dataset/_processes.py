"""Jobs in processes of their own: in order, errors with their traceback, nothing left running."""

from __future__ import annotations

import multiprocessing as mp
import os
import pickle
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from _crucible._settings import settings
from crucible_datasets.store import owned_folder
from crucible_datasets.utils import Meter, progress

_PATIENCE = 2.0
"""Seconds that a process has to remove its temporary files when it is ended."""


class Job(Protocol):
    """Work for a process."""

    @property
    def part(self) -> Sized:
        """The rows."""

    def run(self, path: Path, meter: Meter) -> Any:
        """Does the work in the child: large results go to `path`, small ones are returned."""

    def result(self, sent: Any, path: Path) -> Any:
        """Makes the result in the parent of what was returned and written."""


class RemoteTraceback(Exception):  # noqa: N818  # as multiprocessing names it
    """The traceback of an exception in another process."""

    def __str__(self) -> str:
        """The text of the traceback."""
        return f'\n"""\n{self.args[0]}"""'


def run_jobs(jobs: Sequence[Job], what: str, label: str) -> list[Any]:
    """Runs each job in a process and returns their results in order.

    Children are forked on Linux, so that any function can run there; elsewhere, or where `CRUCIBLE_START_METHOD` says
    so, they are spawned, and the function must be picklable. The first failure, Ctrl-C, or the end of this process
    ends all of them.

    Args:
        jobs: the work.
        what: name of the operation, for errors.
        label: label of the progress bar.

    Raises:
        RuntimeError: a process died.
        TypeError: the function cannot be sent to a spawned process.
        Exception: what a job raised, unchanged, with the traceback of its process as the cause.
    """
    method = settings().start_method or ("fork" if sys.platform == "linux" else "spawn")
    context: Any = mp.get_context(method)
    total = sum(len(job.part) for job in jobs)
    with _temporary_folder(settings().datasets_cache) as folder:
        paths = [Path(folder, f"{index:05d}.arrow") for index in range(len(jobs))]
        children: list[tuple[Any, Connection]] = []
        try:
            for job, path in zip(jobs, paths, strict=True):
                with _no_interrupt():  # between the start and the list, nobody would end the child
                    ours, theirs = context.Pipe(duplex=False)
                    child = context.Process(target=_child, args=(job, path, theirs), daemon=True)
                    _start(child, method)
                    theirs.close()
                    children.append((child, ours))
            with progress(label, total or None) as meter:  # its thread starts after the forks
                sent = _collected(children, what, meter)
        finally:
            with _no_interrupt():
                for child, _ in children:
                    if child.is_alive():
                        child.terminate()
                for child, ours in children:
                    child.join(_PATIENCE)
                    if child.is_alive():
                        child.kill()
                        child.join()
                    ours.close()
        return [job.result(value, path) for job, value, path in zip(jobs, sent, paths, strict=True)]


@contextmanager
def _temporary_folder(root: Path) -> Iterator[Path]:
    folder, lock = owned_folder(root, "tmp-jobs-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _start(child: Any, method: str) -> None:
    try:
        child.start()
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        if method == "fork":
            raise
        msg = (
            f"num_proc: the function, or something that it needs, cannot be sent to a process that is started by "
            f"{method!r}: {error}. Define it at the top level of a module that can be imported."
        )
        raise TypeError(msg) from error


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Holds Ctrl-C back for a moment. A signal mask would not do: other threads would take the signal."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    held: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held and callable(before):
            before(*held[-1])


def _collected(children: list[tuple[Any, Connection]], what: str, meter: Meter) -> list[Any]:
    """What the children sent, in their order."""
    values: list[Any] = [None] * len(children)
    counts = [0] * len(children)
    waiting = {ours: index for index, (_, ours) in enumerate(children)}
    while waiting:
        # Another thread may take the signal of Ctrl-C: look for it ten times a second.
        for ready in wait(list(waiting), timeout=0.1):
            if not isinstance(ready, Connection):
                continue
            index = waiting[ready]
            try:
                kind, value = ready.recv()
            except EOFError:
                msg = f"One of the subprocesses has abruptly died during {what} operation. To debug the error, disable multiprocessing."
                raise RuntimeError(msg) from None
            if kind == "count":
                counts[index] = value
                meter.reached(sum(counts))
                continue
            del waiting[ready]
            if kind == "error":
                error, text = value
                raise error from RemoteTraceback(text)
            values[index], counts[index] = value
            meter.reached(sum(counts))
    return values


def _child(job: Job, path: Path, out: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends the children
    signal.signal(signal.SIGTERM, _ended)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    meter = Meter()
    ended = threading.Event()
    reporter = threading.Thread(target=_report, args=(meter, out, ended), daemon=True)
    reporter.start()
    try:
        answer: tuple[str, Any] = ("done", (job.run(path, meter), len(job.part)))
    except BaseException as error:  # noqa: BLE001  # it is raised in the parent
        answer = ("error", (_sendable(error), traceback.format_exc()))
    ended.set()
    reporter.join()
    with suppress(OSError):  # the parent has given up
        out.send(answer)
    out.close()


def _ended(number: int, frame: Any) -> None:
    """Leaves by an exception: temporary files are removed on the way."""
    del frame
    raise SystemExit(128 + number)


def _report(meter: Meter, out: Connection, ended: threading.Event) -> None:
    """Tells the parent how far the work is, and ends the process when the parent is gone."""
    told = 0
    parent = mp.parent_process()
    while not ended.wait(0.1):
        if parent is not None and not parent.is_alive():
            os._exit(1)  # killed: nobody takes the result, and the locks of the parent must not stay
        count = meter.count()
        if count != told:
            told = count
            with suppress(OSError):
                out.send(("count", count))


def _sendable(error: BaseException) -> BaseException:
    """The exception, or one that says what it was if it cannot be sent."""
    try:
        copy = pickle.loads(pickle.dumps(error))  # our own bytes
    except Exception:  # noqa: BLE001
        copy = None
    if type(copy) is type(error):
        return error
    made = RuntimeError(f"{type(error).__name__}: {error}")
    for note in getattr(error, "__notes__", []):
        made.add_note(note)
    return made
