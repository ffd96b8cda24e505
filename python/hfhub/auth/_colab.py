"""The secret `HF_TOKEN` of a Colab notebook, asked for once a process."""

from __future__ import annotations

import os
import threading
import warnings

from _crucible._optional import require
from hfhub.auth._sources import clean


class _Memory:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()  # Colab's own code dead-locks when two threads ask
        self.asked = False
        self.token: str | None = None


_memory = _Memory()


def token() -> str | None:
    """The secret, or None if there is none or the user does not share it."""
    global _memory  # noqa: PLW0603  # one per process
    if _memory.pid != os.getpid():
        _memory = _Memory()
    memory = _memory
    with memory.lock:
        if not memory.asked:
            memory.token = _ask()
            memory.asked = True
        return memory.token


def _ask() -> str | None:
    try:
        userdata = require("google.colab.userdata", extra="colab", why="secrets of a notebook")
        failure = require("google.colab.errors", extra="colab", why="secrets of a notebook").Error
    except ImportError:
        return None
    try:
        return clean(userdata.get("HF_TOKEN"))
    except userdata.SecretNotFoundError:
        return None
    except userdata.NotebookAccessError:
        warnings.warn("Access to the secret HF_TOKEN was not granted to this notebook: going on without.", stacklevel=2)
        return None
    except failure as error:
        warnings.warn(f"The secret HF_TOKEN could not be read: {error}", stacklevel=2)
        return None
