"""The optional peers of the streaming suite: daft, webdataset, mosaicml-streaming and litdata, each where it is installed.

daft reads the Parquet file and the JSON lines of the hub, litdata the Parquet file. webdataset reads tar shards and
mosaicml-streaming its own shards, both of the same rows, made once by `make`. All over HTTP from the same hub. What a
library cannot do is absent from its tasks: none but mosaicml-streaming and litdata can go on in the middle.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import os
import sys
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from itertools import islice
from pathlib import Path
from typing import Any

from benches.harness import counted

PARQUET, LINES, TARS, SHARDS = "bench/chat", "bench/chat-lines", "bench/chat-tar", "bench/chat-mds"
ROWS_OF_A_SHARD = 10_000
"""As many as a row group of the Parquet file has."""
TWO = ["id", "score"]
MODULES = {"daft": "daft", "webdataset": "webdataset", "mosaicml-streaming": "streaming", "litdata": "litdata"}
PEERS = {
    "daft": (
        "first row",
        "all rows",
        "all batches, arrow",
        "two columns, arrow",
        "first line",
        "all lines",
    ),
    "webdataset": ("first row", "all rows"),
    "mosaicml-streaming": ("first row", "all rows", "resume at 50 %"),
    "litdata": ("first row", "all rows", "resume at 50 %"),
}
NOTES = {
    "daft": "Parquet and JSON lines at the address of the file",
    "webdataset": "tar shards of JSON, read through curl",
    "mosaicml-streaming": "MDS shards (zstd), which it keeps on the disk",
    "litdata": "the Parquet file (hf://), which it keeps on the disk",
}
"""What a peer reads."""
OWN = frozenset({"webdataset", "mosaicml-streaming"})
"""Peers with shards of their own, which are not the same bytes."""
QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DAFT_ANALYTICS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "LITDATA_DISABLE_VERSION_CHECK": "1",
}
"""Settings with which nobody asks anything but the hub of the benchmark."""
Work = Callable[[], int]


def installed(peer: str) -> bool:
    return importlib.util.find_spec(MODULES[peer]) is not None


# ------------------------------------------------------------------------------------------------------------ data


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    with (folder / "chat.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def make(folder: Path, peers: list[str]) -> None:
    """Writes what peers read, each a repository of the hub, where it is not there yet.

    Args:
        folder: the folder of the benchmark's data.
        peers: names of peers.
    """
    for peer, name, write in (("webdataset", TARS, _tars), ("mosaicml-streaming", SHARDS, _shards)):
        made = folder / "hub" / "datasets" / name
        if peer in peers and not made.exists():
            part = folder / f"{peer}.part"
            write(folder, part)
            part.rename(made)


def _tars(folder: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rows = _rows(folder)
    for number in range(sys.maxsize):
        shard = list(islice(rows, ROWS_OF_A_SHARD))
        if not shard:
            return
        with tarfile.open(out / f"train-{number:05}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for row in shard:
                text = json.dumps(row).encode()
                header = tarfile.TarInfo(f"{row['id']}.json")
                header.size = len(text)
                tar.addfile(header, io.BytesIO(text))


def _shards(folder: Path, out: Path) -> None:
    writer = importlib.import_module("streaming").MDSWriter
    columns = {"id": "str", "source": "str", "score": "float64", "turns": "int", "messages": "json"}
    with writer(out=str(out), columns=columns, compression="zstd", size_limit=1 << 24, exist_ok=True) as shards:
        for row in _rows(folder):
            shards.write(row)


# ------------------------------------------------------------------------------------------------------------ tasks


def prepared(peer: str, task: str) -> Work:
    """What is timed.

    Args:
        peer: its name.
        task: one of its tasks in `PEERS`.
    """
    with redirect_stdout(sys.stderr):  # the suite reads standard output, and some print there
        if peer == "daft":
            return _daft(task)
        if task.startswith("resume"):
            return {"mosaicml-streaming": _mosaicml_resumed, "litdata": _litdata_resumed}[peer]()
        made = {"webdataset": _webdataset, "mosaicml-streaming": _mosaicml, "litdata": _litdata}[peer](task)
    if task.startswith("first"):
        return lambda: len([next(iter(made))])
    return lambda: counted(1 for _row in made)


def _address(repository: str, name: str) -> str:
    return f"{os.environ['HF_ENDPOINT']}/datasets/{repository}/resolve/main/{name}"


def _daft(task: str) -> Work:
    daft = importlib.import_module("daft")
    importlib.import_module("pyarrow")
    lines = task.endswith(("line", "lines"))
    address = _address(LINES, "train.jsonl") if lines else _address(PARQUET, "data/train-00000-of-00001.parquet")
    frame = daft.read_json(address) if lines else daft.read_parquet(address)
    if task.startswith("first"):
        return lambda: len(frame.limit(1).to_pylist())
    if task.startswith("two"):
        frame = frame.select(*TWO)
    if task.endswith("arrow"):
        return lambda: counted(batch.num_rows for batch in frame.to_arrow_iter())
    return lambda: counted(1 for _row in frame.iter_rows())


def _webdataset(_task: str) -> Any:
    webdataset = importlib.import_module("webdataset")
    count = -(-int(os.environ["BENCH_ROWS"]) // ROWS_OF_A_SHARD)
    shards = [_address(TARS, f"train-{number:05}.tar") for number in range(count)]
    return webdataset.WebDataset(shards, shardshuffle=False).decode().map(lambda sample: sample["json"])


def _mosaicml(task: str, folder: str = "mds") -> Any:
    streaming = importlib.import_module("streaming")
    ahead = (
        ROWS_OF_A_SHARD if task == "all rows" else None
    )  # its own choice is the best for a row, and 10 x slower here
    return streaming.StreamingDataset(
        remote=f"hf://datasets/{SHARDS}",
        local=str(Path(os.environ["HF_HOME"], folder)),
        shuffle=False,
        batch_size=1,
        predownload=ahead,
    )


def _mosaicml_resumed() -> Work:
    """It goes on in a folder that has none of the shards."""
    half = int(os.environ["BENCH_ROWS"]) // 2
    before = _mosaicml("all rows")
    wanted = _after(before, half)
    state = json.loads(json.dumps(before.state_dict(half, True)))
    return _going_on(_mosaicml("resume", "new"), state, wanted)


def _litdata(_task: str) -> Any:
    litdata, loaders = (importlib.import_module(name) for name in ("litdata", "litdata.streaming.item_loader"))
    return litdata.StreamingDataset(
        f"hf://datasets/{PARQUET}/data",
        cache_dir=str(Path(os.environ["HF_HOME"], "litdata")),
        item_loader=loaders.ParquetLoader(),
    )


def _litdata_resumed() -> Work:
    """It goes on where its index is, since a state is of one index, but none of the rows are on the disk."""
    half = int(os.environ["BENCH_ROWS"]) // 2
    before = _litdata("resume")
    wanted = _after(before, half)
    state = json.loads(json.dumps(before.state_dict(half, 1, 1)))
    for kept in Path(os.environ["HF_HOME"], "litdata").rglob("*.parquet"):
        kept.unlink()
    return _going_on(_litdata("resume"), state, wanted)


def _after(stream: Any, rows: int) -> str:
    """Reads so many rows; the `id` of the row that comes then."""
    [last] = deque(islice(stream, rows), maxlen=1)
    return f"chat-{int(last['id'].removeprefix('chat-')) + 1:08}"


def _going_on(made: Any, state: dict[str, Any], wanted: str) -> Work:
    def work() -> int:
        made.load_state_dict(state)
        got = next(iter(made))["id"]
        if got != wanted:
            sys.exit(f"goes on with {got}, {wanted} is the next")
        return 1

    return work


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2:])
