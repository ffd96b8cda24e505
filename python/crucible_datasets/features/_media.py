"""`Audio`, `Video`, `Pdf` and other files in a column: stored as bytes and path, shown that way with `decode=False`.

Nothing here decodes them. A row of a column with `decode=True` is an error that says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from _crucible.errors import UnsupportedError
from crucible_datasets.features._arrow import Typed
from crucible_datasets.features._types import Value


def stored_file(value: Any, kind: str) -> dict[str, Any]:
    """What is stored for a path, bytes, or a `{"bytes", "path"}` dict. A path to a file that is there wins over bytes.

    Raises:
        ValueError: none of these, or neither bytes nor path.
    """
    if isinstance(value, str):
        return {"bytes": None, "path": value}
    if isinstance(value, Path):
        return {"bytes": None, "path": str(value.absolute())}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": bytes(value), "path": None}
    if not isinstance(value, dict):
        msg = f"Can't make {kind} of a value of type {type(value).__name__}; pass a path, bytes or a dict of bytes and path"
        raise ValueError(msg)
    data, path = value.get("bytes"), value.get("path")
    if data is None and path is None:
        msg = f"{kind[:1].upper()}{kind[1:]} sample should have one of 'path' or 'bytes' but they are missing or None in {value}."
        raise ValueError(msg)
    if path is not None and Path(path).is_file():
        data = None
    return {"bytes": data, "path": path}


class Media(Typed):
    """What the features of files share."""

    _kind: ClassVar[str] = "a media"
    decode: bool
    _type: str

    def encode_example(self, value: Any) -> dict[str, Any]:
        """What is stored for a path, bytes, or a `{"bytes", "path"}` dict.

        Raises:
            ValueError: none of these.
        """
        return stored_file(value, self._kind)

    def decode_example(self, value: Any, token_per_repo_id: Any = None) -> Any:  # noqa: ARG002  # the official signature
        """Not supported.

        Raises:
            RuntimeError: `decode` is False.
            UnsupportedError: `decode` is True.
        """
        if not self.decode:
            msg = f"Decoding is disabled for this feature. Please use {self._type}(decode=True) instead."
            raise RuntimeError(msg)
        msg = (
            f"{self._type} columns are not decoded here. Cast the column to {self._type}(decode=False) for the stored "
            "bytes and path, and decode them with a package of your choice."
        )
        raise UnsupportedError(msg)

    def flatten(self) -> Any:
        """The columns that it becomes when flattened: itself if it is decoded."""
        return self if self.decode else {"bytes": Value("binary"), "path": Value("string")}


@dataclass
class Audio(Media):
    """A sound file.

    Args:
        sampling_rate: rate to decode to.
        decode: True is refused when a row is shown; False shows `{"bytes", "path"}`.
        num_channels: channels to decode to.
        stream_index: stream of the file to decode.
        id: a name of the user's own.
    """

    sampling_rate: int | None = None
    decode: bool = True
    num_channels: int | None = None
    stream_index: int | None = None
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "dict"
    _kind: ClassVar[str] = "an audio"
    _type: str = field(default="Audio", init=False, repr=False)


@dataclass
class Video(Media):
    """A video file.

    Args:
        decode: True is refused when a row is shown; False shows `{"bytes", "path"}`.
        stream_index: stream of the file to decode.
        dimension_order: order of the dimensions of decoded frames.
        num_ffmpeg_threads: threads of the decoder.
        device: device of the decoder.
        seek_mode: "exact" or "approximate".
        id: a name of the user's own.
    """

    decode: bool = True
    stream_index: int | None = None
    dimension_order: str = "NCHW"
    num_ffmpeg_threads: int = 1
    device: Any = "cpu"
    seek_mode: str = "exact"
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "torchcodec.decoders.VideoDecoder"
    _kind: ClassVar[str] = "a video"
    _type: str = field(default="Video", init=False, repr=False)


@dataclass
class Pdf(Media):
    """A PDF file.

    Args:
        decode: True is refused when a row is shown; False shows `{"bytes", "path"}`.
        id: a name of the user's own.
    """

    decode: bool = True
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "pdfplumber.pdf.PDF"
    _kind: ClassVar[str] = "a pdf"
    _type: str = field(default="Pdf", init=False, repr=False)


@dataclass
class Nifti(Media):
    """A NIfTI file; arguments as `Pdf`."""

    decode: bool = True
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "nibabel.nifti1.Nifti1Image"
    _kind: ClassVar[str] = "a nifti"
    _type: str = field(default="Nifti", init=False, repr=False)


@dataclass
class Mesh(Media):
    """A file of a 3-D mesh; arguments as `Pdf`."""

    decode: bool = True
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "trimesh.Trimesh"
    _kind: ClassVar[str] = "a mesh"
    _type: str = field(default="Mesh", init=False, repr=False)


@dataclass
class BioSequence(Media):
    """A file of biological sequences.

    Args:
        format: "fasta", "fastq", "genbank", …
        decode: True is refused when a row is shown; False shows `{"bytes", "path"}`.
        id: a name of the user's own.
    """

    format: str = "fasta"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "Bio.SeqRecord.SeqRecord"
    _kind: ClassVar[str] = "a sequence"
    _type: str = field(default="BioSequence", init=False, repr=False)


@dataclass
class BioStructure(Media):
    """A file of a macromolecule's structure.

    Args:
        format: "pdb" or "mmcif".
        decode: True is refused when a row is shown; False shows `{"bytes", "path"}`.
        id: a name of the user's own.

    Raises:
        ValueError: another format.
    """

    format: str = "pdb"
    decode: bool = True
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "Bio.PDB.Structure.Structure"
    _kind: ClassVar[str] = "a structure"
    _type: str = field(default="BioStructure", init=False, repr=False)

    def __post_init__(self) -> None:
        if self.format.lower() not in ("pdb", "mmcif"):
            msg = f"Unsupported structure format {self.format!r}; use 'pdb' or 'mmcif'"
            raise ValueError(msg)
