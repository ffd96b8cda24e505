"""Files of a dataset: CSV, JSON, Parquet, Arrow IPC."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from crucible_datasets.dataset._present import PresentMixin
from crucible_datasets.io._csv import write_csv
from crucible_datasets.io._json_out import write_json
from crucible_datasets.io._output import by_path
from crucible_datasets.io._parquet_out import write_parquet

_ROWS = 1000
Output = str | os.PathLike[str] | BinaryIO


class WriteMixin(PresentMixin):
    """Exports to files. Local files appear under their names only when complete."""

    def to_csv(
        self,
        path_or_buf: Output,
        batch_size: int | None = None,
        num_proc: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
        **to_csv_kwargs: Any,
    ) -> int:
        """Writes CSV: the bytes that `datasets` writes, which are pandas'.

        Args:
            path_or_buf: a path, an address that fsspec knows, or an open binary file.
            batch_size: rows of a batch (1000 when absent). pandas decides in each how times are written.
            num_proc: accepted for compatibility: threads do the work.
            storage_options: options of the file system of an address.
            **to_csv_kwargs: of `pandas.DataFrame.to_csv`; `index` is False unless given.

        Returns:
            Number of bytes.

        Raises:
            ImportError: nested columns or rare options, which pandas has to write, and it is not installed.
            ValueError: `num_proc` below 1.
            OSError: the file cannot be written.
        """
        rows = batch_size or _ROWS
        return write_csv(self._table, self._features, path_or_buf, rows, num_proc, storage_options, **to_csv_kwargs)

    def to_json(
        self,
        path_or_buf: Output,
        batch_size: int | None = None,
        num_proc: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
        **to_json_kwargs: Any,
    ) -> int:
        """Writes JSON lines (unless options say otherwise): the bytes that `datasets` writes, which are pandas'.

        Floats have ten decimals at most, and dates are milliseconds since 1970, unless `double_precision`, `date_format`
        and `date_unit` say otherwise.

        Args:
            path_or_buf: a path (compressed if it ends in .gz, .bz2 or .xz), an address that fsspec knows, or an open
                binary file.
            batch_size: rows of a batch (1000 when absent).
            num_proc: accepted for compatibility: threads do the work.
            storage_options: options of the file system of an address.
            **to_json_kwargs: of `pandas.DataFrame.to_json`; `orient` is "records" and `lines` True unless given.

        Returns:
            Number of bytes, before compression.

        Raises:
            NotImplementedError: an unknown compression, one for an open file, or more rows than `batch_size` where the
                result is not lines.
            ImportError: rare options or types, which pandas has to write, and it is not installed.
            ValueError: `num_proc` below 1, or options that exclude each other.
            OSError: the file cannot be written.
        """
        rows = batch_size or _ROWS
        return write_json(self._table, self._features, path_or_buf, rows, num_proc, storage_options, **to_json_kwargs)

    def to_parquet(
        self,
        path_or_buf: Output,
        batch_size: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
        **parquet_writer_kwargs: Any,
    ) -> int:
        """Writes a Parquet file with the features in its metadata.

        As in `datasets`: row groups of about 100 MB, snappy, pages cut by their content, an index of pages; images,
        sounds and the like are not compressed again.

        Args:
            path_or_buf: a path, an address that fsspec knows, or an open binary file.
            batch_size: rows of a row group.
            storage_options: options of the file system of an address.
            **parquet_writer_kwargs: of `pyarrow.parquet.ParquetWriter`: `compression` (snappy, zstd, gzip, lz4, brotli,
                none), `compression_level`, `use_dictionary`, `write_statistics`, `write_page_index`, `write_batch_size`,
                `data_page_size`, `data_page_version`, `dictionary_pagesize_limit`, `max_rows_per_page`,
                `use_content_defined_chunking`.

        Returns:
            Bytes of the rows as Arrow data.

        Raises:
            UnsupportedError: another option.
            SchemaError: an unknown compression, or a level that it does not have.
            DataIOError: the file cannot be written.
        """
        table = self._table.with_features(self._features.to_text())
        return write_parquet(table, self._features, path_or_buf, batch_size, storage_options, **parquet_writer_kwargs)

    def write_ipc(self, file: Output, *, compression: str | None = "uncompressed") -> None:
        """Writes an Arrow IPC file with the features in its metadata: polars' name for what `datasets` has no method for.

        Args:
            file: a path, an address that fsspec knows, or an open binary file.
            compression: "uncompressed", "lz4" or "zstd". Files that are not compressed can be mapped.

        Raises:
            SchemaError: an unknown compression.
            DataIOError: the file cannot be written.
        """
        self._write_ipc(file, compression, stream=False)

    def write_ipc_stream(self, file: Output, *, compression: str | None = "uncompressed") -> None:
        """Writes an Arrow IPC stream, which `Dataset.from_file` opens, here and in `datasets`.

        Args:
            file: a path, an address that fsspec knows, or an open binary file.
            compression: "uncompressed", "lz4" or "zstd". Streams that are not compressed are mapped by `from_file`.

        Raises:
            SchemaError: an unknown compression.
            DataIOError: the file cannot be written.
        """
        self._write_ipc(file, compression, stream=True)

    def _write_ipc(self, file: Output, compression: str | None, *, stream: bool) -> None:
        table = self._table.with_features(self._features.to_text())
        how = compression or "uncompressed"

        def write(path: Path) -> None:
            table.write_ipc(path, stream=stream, compression=how)

        by_path(write, file)
