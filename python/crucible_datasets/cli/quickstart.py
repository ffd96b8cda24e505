"""The quickstart: an embedded hub with sample data, loaded the usual way. Leaves nothing running and nothing behind."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from _crucible._native import HubServer
from crucible_datasets.cli.samples import make_samples
from crucible_datasets.load import load_dataset


@contextmanager
def _timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"  {what}: {(time.perf_counter() - start) * 1000:.1f} ms")


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def quickstart() -> None:
    """Makes samples, serves them on loopback, loads and shows them."""
    with tempfile.TemporaryDirectory(prefix="crucible-quickstart-") as folder:
        root, home = Path(folder, "hub"), Path(folder, "home")
        make_samples(root)
        with (
            HubServer(str(root)) as server,
            _environment(HF_ENDPOINT=server.url, HF_HOME=str(home), HF_HUB_CACHE=str(home / "hub"), HF_HUB_OFFLINE="0"),
        ):
            print(f"embedded hub at {server.url}")
            _show()
            print(f"{len(server.requests())} requests were answered; the hub stops here")


def _show() -> None:
    print('\nload_dataset("samples/text")')
    with _timed("cold load"):
        text = load_dataset("samples/text")
    with _timed("warm load"):
        text = load_dataset("samples/text")
    print(text)
    train = text["train"]
    print(f"  features: {train.features}")
    print(f"  train[0]: {train[0]}")
    print(f"  train.shuffle(seed=42)[0]: {train.shuffle(seed=42)[0]}")
    with _timed(f"iterating {len(train)} rows"):
        for _row in train:
            pass

    print('\nload_dataset("samples/chat", split="train[:10%]")')
    chat = load_dataset("samples/chat", split="train[:10%]")
    print(f"  {len(chat)} rows, row 0: {chat[0]}")

    print('\nload_dataset("samples/text", split="train", streaming=True)')
    stream = load_dataset("samples/text", split="train", streaming=True)
    with _timed("first 3 rows"):
        rows = list(islice(stream, 3))
    print(f"  ids: {[row['id'] for row in rows]}; state: {stream.state_dict()}")

    print('\nload_dataset("samples/images", split="train").with_format("numpy")')
    images = load_dataset("samples/images", split="train").with_format("numpy")
    pixels = images[0]["image"]
    print(f"  image 0: {type(pixels).__name__} {pixels.dtype} {pixels.shape}, label {images[0]['label']}\n")
