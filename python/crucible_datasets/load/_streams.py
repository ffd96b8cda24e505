"""Streams of formats: their files, and how these are read."""

from __future__ import annotations

from itertools import chain

from _crucible._native import Source
from crucible_datasets.iterable import FILTERED, FileOrigin, Reading, head_features
from crucible_datasets.load._jobs import StreamJob
from crucible_datasets.load._parquet import native_filter
from crucible_datasets.load._webdataset import sample_features

Stream = tuple[list[FileOrigin], Reading]
"""Files, and how they are read."""
_SMALL = 256
"""Bytes up to which a packed file may be an empty one."""


def _is_empty(source: Source) -> bool:
    """Whether there is nothing in a file, or in the one that is packed in it."""
    return len(source) <= _SMALL and len(source.unpacked()) == 0


def stream_files(job: StreamJob) -> Stream:
    """JSON, CSV, text and Arrow files.

    As in `datasets`, the beginning of the first JSON or Arrow file is read at once: it says the types of all. Empty
    files are passed by.
    """
    options = dict(job.options)
    features = job.features
    if features is None:
        for head in chain.from_iterable(job.origins([file]) for file in job.heads):
            source = head.open()
            features = head_features(source, job.format, options)
            if features is not None or not _is_empty(source):
                break
    return job.origins(job.files), Reading(job.format, features, None, options)


def stream_parquet(job: StreamJob) -> Stream:
    """Parquet files, whose footers are read when it is their turn."""
    chosen, filters = job.options.get("columns"), job.options.get("filters")
    columns = None if chosen is None else tuple(chosen)
    if filters is None:
        return job.origins(job.files), Reading(job.format, job.features, columns)
    options = {"filters": filters, "filter": native_filter(filters)}
    return job.origins(job.files), Reading(FILTERED, job.features, columns, options)


def stream_samples(job: StreamJob) -> Stream:
    """WebDataset archives. The first samples are read at once: they say the columns."""
    features = job.features
    if features is None:
        features = sample_features(job.origins([job.heads[0]])[0].open())
    return job.origins(job.files), Reading(job.format, features)
