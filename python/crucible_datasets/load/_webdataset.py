"""WebDataset: what columns the archives have, and all their samples as a table.

The first samples of the first archive say what there is; the reader is `SampleReader`, which never writes a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from _crucible._native import SampleReader, Source, Table
from crucible_datasets.errors import DecodeError, LimitError, SampleError, SchemaError, UnsupportedError
from crucible_datasets.features import Audio, Feature, Features, Image, Mesh, Value, Video
from crucible_datasets.io import KEY, URL, LocalFile, SampleColumns, decoded, file_source, kept, store_name

if TYPE_CHECKING:
    from crucible_datasets.load._jobs import ReadJob

_HEAD = 5
"""Samples that say the columns."""
_TOGETHER = 128 << 20
"""Bytes of archives that are read side by side; a larger one is read alone, piece by piece."""
_PIECE = 32 << 20
_ROWS = 1 << 30
_TEXT = Value("string")

_MEDIA: dict[str, Feature] = {
    **dict.fromkeys(
        [
            "blp",
            "bmp",
            "dib",
            "bufr",
            "cur",
            "pcx",
            "dcx",
            "dds",
            "ps",
            "eps",
            "fit",
            "fits",
            "fli",
            "flc",
            "ftc",
            "ftu",
            "gbr",
            "gif",
            "grib",
            "h5",
            "hdf",
            "png",
            "apng",
            "jp2",
            "j2k",
            "jpc",
            "jpf",
            "jpx",
            "j2c",
            "icns",
            "ico",
            "im",
            "iim",
            "tif",
            "tiff",
            "jfif",
            "jpe",
            "jpg",
            "jpeg",
            "mpg",
            "mpeg",
            "msp",
            "pcd",
            "pxr",
            "pbm",
            "pgm",
            "ppm",
            "pnm",
            "psd",
            "bw",
            "rgb",
            "rgba",
            "sgi",
            "ras",
            "tga",
            "icb",
            "vda",
            "vst",
            "webp",
            "wmf",
            "emf",
            "xbm",
            "xpm",
        ],
        Image(),
    ),
    **dict.fromkeys(
        [
            "aiff",
            "au",
            "avr",
            "caf",
            "flac",
            "htk",
            "svx",
            "mat4",
            "mat5",
            "mpc2k",
            "ogg",
            "paf",
            "pvf",
            "raw",
            "rf64",
            "sd2",
            "sds",
            "ircam",
            "voc",
            "w64",
            "wav",
            "nist",
            "wavex",
            "wve",
            "xi",
            "mp3",
            "opus",
        ],
        Audio(),
    ),
    **dict.fromkeys(["mkv", "mp4", "avi", "mpeg", "mov"], Video()),
    **dict.fromkeys(["glb", "ply", "stl"], Mesh()),
}
"""Suffixes of files that stay files. (`mpeg` is a video: the later entry counts.)"""


def sample_features(source: Source) -> Features:
    """The columns that the first samples of an archive have.

    Args:
        source: the archive.

    Raises:
        SampleError: it has no samples, or the first ones have not the same fields, or cannot be decoded.
    """
    try:
        samples = SampleReader(source)
        rows: list[dict[str, Any]] = []
        # One after the other: they may be large, and nothing but the kind of their values is wanted.
        while len(rows) < _HEAD and (found := samples.next_samples(1)):
            [(key, sample)] = found
            rows.append({field: _short(decoded(key, field, value, source.name)) for field, value in sample})
        alone = len(rows) == 1
        if not rows:
            msg = f"The archive has no files that are samples ({source.name})"
            raise SampleError(msg)
        if any(row.keys() != rows[0].keys() for row in rows):
            shown = [list(row) for row in rows]
            msg = (
                "The TAR archives of the dataset should be in WebDataset format, but the files in the archive don't "
                f"share the same prefix or the same types. The first samples have the fields {shown} ({source.name})"
            )
            raise SampleError(msg)
        types = Features.from_text(Table.from_rows(rows).features)
    except (DecodeError, SchemaError, LimitError, UnsupportedError) as error:
        raise SampleError(str(error)) from error
    places: dict[str, Any] = {KEY: _TEXT, URL: _TEXT}
    fields = {name: _MEDIA.get(name.rsplit(".", 1)[-1].lower(), feature) for name, feature in types.items()}
    # As in `datasets`: an archive of one sample ends before its columns are put in order.
    return Features({**places, **fields} if alone else {**fields, **places})


def _short(value: Any) -> Any:
    return value[:1] if isinstance(value, str | bytes) else value


def read_webdataset(job: ReadJob) -> Table:
    """The samples of a split.

    Raises:
        SampleError: as `sample_features`.
        DecodeError: a broken archive, a field that comes twice or is not what its suffix says; with the archive and the
            name of the file in it.
        SchemaError: a value that does not fit the types of the first samples.
        LimitError: a file too large for a cell.
    """
    features = job.features
    if features is None:
        features = sample_features(file_source(job.files[0].path))
    folder = job.store.folder
    path = folder / "crucible" / store_name(job.files, job.format, features, dict(job.options))
    if job.store.rebuild:
        path.unlink(missing_ok=True)
    if not job.keep_in_memory and path.exists():
        return Table.open_ipc(str(path))
    return kept(_tables(job.files, SampleColumns(features)), path, job.keep_in_memory, str(folder))


def _tables(files: Sequence[LocalFile], columns: SampleColumns) -> Iterator[Table]:
    """The samples in order: small archives side by side, a large one in pieces."""
    made = False
    for group in _groups(files):
        if len(group) > 1:
            yield columns.table(SampleReader.read_archives(group, columns.wanted))
            made = True
            continue
        reader = SampleReader(group[0])
        while found := reader.next_batch(columns.wanted, _ROWS, _PIECE):
            yield columns.table(found[0])
            made = True
    if not made:
        yield columns.empty()


def _groups(files: Sequence[LocalFile]) -> Iterator[list[Source]]:
    group: list[Source] = []
    size = 0
    for file in files:
        source = file_source(file.path)
        if group and size + len(source) > _TOGETHER:
            yield group
            group, size = [], 0
        group.append(source)
        size += len(source)
    yield group
