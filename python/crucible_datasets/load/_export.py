"""Splits as files of their own: what `download_and_prepare(output_dir=…)` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from _crucible._native import Table
from crucible_datasets.info import DatasetInfo

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", re.IGNORECASE)
_DEFAULT = 500 * 10**6


def in_bytes(size: int | str | None) -> int:
    """A size ("500MB", "1GiB", a number) in bytes; 500 MB when absent.

    Raises:
        ValueError: other text, or less than a byte.
    """
    if size is None:
        return _DEFAULT
    found = _SIZE.fullmatch(str(size))
    count = int(float(found[1]) * _UNITS[found[2].upper()]) if found and found[2].upper() in _UNITS else 0
    if count < 1:
        msg = f"{size!r} is no size; it looks like '500MB' or 1000000"
        raise ValueError(msg)
    return count


def export(
    tables: Mapping[str, Table], info: DatasetInfo, output_dir: str, file_format: str, max_shard_size: int | str | None
) -> None:
    """Writes splits and `dataset_info.json` into a folder.

    Args:
        tables: by split.
        info: what to say of them.
        output_dir: made if absent.
        file_format: "arrow" or "parquet".
        max_shard_size: most bytes of Arrow data in a file.

    Raises:
        ValueError: another format, or no size.
        DataIOError, OSError: a file cannot be written.
    """
    if file_format not in ("arrow", "parquet"):
        msg = f"file_format must be 'arrow' or 'parquet', got {file_format!r}"
        raise ValueError(msg)
    most = in_bytes(max_shard_size)
    folder = Path(output_dir).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    for split, table in tables.items():
        shards = max(1, min(-(-table.nbytes // most), table.num_rows))
        bounds = [table.num_rows * i // shards for i in range(shards + 1)]
        for index in range(shards):
            tail = f"-{index:05d}-of-{shards:05d}" if shards > 1 else ""
            path = folder / f"{info.dataset_name}-{split}{tail}.{file_format}"
            part = table.slice(bounds[index], bounds[index + 1])
            if file_format == "parquet":
                part.write_parquet(str(path))
            else:
                temporary = path.with_name(f".{path.name}.incomplete")
                temporary.write_bytes(part.to_ipc())
                temporary.replace(path)
    info.write_to_directory(folder)
