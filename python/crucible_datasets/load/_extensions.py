"""Which format a file's suffixes say: the table of `datasets`, with formats that are not read here too.

A format that is not read must be known all the same: its files take part in the count that decides a folder's format.
"""

from __future__ import annotations

from typing import Any

_BY_FORMAT = {
    "csv": "csv",
    "json": "json jsonl ndjson",
    "parquet": "parquet geoparquet gpq",
    "arrow": "arrow",
    "text": "txt",
    "conll": "conll conllu",
    "webdataset": "tar",
    "xml": "xml",
    "hdf5": "hdf5 h5",
    "eval": "eval",
    "harbor": "toml md",
    "lance": "lance",
    "tsfile": "tsfile",
    "vortex": "vortex",
    "fasta": "fa fasta fna ffn faa frn afa",
    "genbank": "gb gbk genbank",
    "fastq": "fq fastq",
    "pdb": "pdb ent",
    "mmcif": "cif mmcif",
    "imagefolder": "blp bmp dib bufr cur pcx dcx dds ps eps fit fits fli flc ftc ftu gbr gif grib png apng jp2 j2k jpc "
    "jpf jpx j2c icns ico im iim tif tiff jfif jpe jpg jpeg msp pcd pxr pbm pgm ppm pnm psd bw rgb rgba sgi ras tga "
    "icb vda vst webp wmf emf xbm xpm",
    "audiofolder": "mpg aiff au avr caf flac htk svx mat4 mat5 mpc2k ogg paf pvf raw rf64 sd2 sds ircam voc w64 wav "
    "nist wavex wve xi mp3 opus 3gp 3g2 asf flv m4v webm f4v wmv wma ogm mxf nut",
    "videofolder": "mpeg avi mp4 mov mkv",
    "meshfolder": "glb gltf ply stl",
    "pdffolder": "pdf",
    "niftifolder": "nii",
}
_CAPITALS = {"imagefolder", "audiofolder", "videofolder", "meshfolder", "pdffolder", "niftifolder", "pdb"}
"""Formats whose suffixes count in capitals too (`.JPG` is an image, `.CSV` is nothing)."""
_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")

FORMAT_OF: dict[str, tuple[str, dict[str, Any]]] = {
    f".{suffix}": (format, {}) for format, suffixes in _BY_FORMAT.items() for suffix in suffixes.split()
}
"""Format and options of a suffix in small letters."""
FORMAT_OF[".tsv"] = ("csv", {"sep": "\t"})
FORMAT_OF[".conllu"] = ("conll", {"comment_prefix": "#"})

SIDECARS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_CAPITALS | {"mmcif"}, _METADATA),
    "harbor": ("task.toml", "instruction.md"),
    "lance": ("latest_version_hint.json",),
}
"""Names of files that belong to a format whatever their suffix says. They never decide the format."""
ALL_SIDECARS = frozenset(name for names in SIDECARS.values() for name in names)
PREFERRED = (".parquet", ".lance", ".vortex", ".arrow", ".jsonl", ".json", ".csv")
"""Suffixes that win where several are equally frequent."""
FORMATS = frozenset(_BY_FORMAT) | {"pandas", "iceberg"}
"""Names of all formats of `datasets`."""


def suffixes(path: str) -> list[str]:
    """All dotted suffixes of a file's name: `a.csv.gz` has `.csv` and `.gz`."""
    return [f".{part}" for part in path.rsplit("/", 1)[-1].split(".")[1:]]


def known_formats(path: str) -> list[str]:
    """Formats that the suffixes of a path say, `zip` included."""
    out = []
    for suffix in suffixes(path):
        if suffix == ".zip":
            out.append("zip")
            continue
        found = FORMAT_OF.get(suffix.lower())
        if found and (suffix == suffix.lower() or (found[0] in _CAPITALS and suffix == suffix.upper())):
            out.append(found[0])
    return out


def has_known_suffix(path: str) -> bool:
    """Whether it may be a data file."""
    return bool(known_formats(path)) or bool({".idx", ".txn", ".manifest"} & set(suffixes(path)))
