"""Features of every kind, made alike in this library and the official one."""

from __future__ import annotations

from typing import Any

DTYPES = [
    "null", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64", "time32[s]", "time32[ms]", "time64[us]", "time64[ns]", "timestamp[s]", "timestamp[ms]", "timestamp[us]",
    "timestamp[ns]", "timestamp[us, tz=UTC]", "timestamp[ms, tz=America/New_York]", "timestamp[s, tz=+02:00]", "date32",
    "date64", "duration[s]", "duration[ms]", "duration[us]", "duration[ns]", "decimal128(10, 2)", "decimal128(5, -2)",
    "decimal256(50, 3)", "binary", "large_binary", "binary_view", "fixed_size_binary[3]", "string", "large_string",
    "string_view",
]  # fmt: skip


def kinds(d: Any) -> dict[str, Any]:
    """One feature of each kind.

    Args:
        d: the library, this or the official one.
    """
    return {
        **{dtype: d.Value(dtype) for dtype in DTYPES},
        "labels": d.ClassLabel(names=["neg", "pos"]),
        "numbered": d.ClassLabel(num_classes=3),
        "list": d.List(d.Value("int64")),
        "short list": [d.Value("string")],
        "list of dict": [{"role": d.Value("string"), "content": [d.Value("string")]}],
        "fixed list": d.List(d.Value("float32"), length=3),
        "nested list": d.List(d.List(d.Value("int8"))),
        "list of labels": d.List(d.ClassLabel(names=["a", "b"])),
        "large list": d.LargeList(d.Value("string")),
        "large list of dict": d.LargeList({"a": d.Value("int32")}),
        "sequence": d.Sequence(d.Value("int64")),
        "sequence of dict": d.Sequence({"a": d.Value("int64"), "b": d.Value("string")}),
        "sequence of lists": d.Sequence({"a": d.List(d.Value("int64"))}),
        "dict": {"x": d.Value("bool"), "y": {"z": d.Value("float64")}},
        "array2d": d.Array2D((2, 3), "float32"),
        "array2d free": d.Array2D((None, 3), "int64"),
        "array3d": d.Array3D((1, 2, 3), "uint8"),
        "array4d": d.Array4D((1, 2, 1, 2), "bool"),
        "array5d": d.Array5D((1, 1, 2, 1, 2), "float16"),
        "array in dict": {"m": d.Array2D((2, 2), "int32")},
        "translation": d.Translation(["en", "fr"]),
        "translations": d.TranslationVariableLanguages(["fr", "en", "de"]),
        "translations free": d.TranslationVariableLanguages(),
        "image": d.Image(),
        "image rgb": d.Image(mode="RGB", decode=False),
        "images": d.List(d.Image()),
        "audio": d.Audio(sampling_rate=16000),
        "audio raw": d.Audio(decode=False),
        "video": d.Video(decode=False),
        "pdf": d.Pdf(),
        "nifti": d.Nifti(decode=False),
        "mesh": d.Mesh(),
        "bio sequence": d.BioSequence(format="fastq"),
        "bio structure": d.BioStructure(),
        "json": d.Json(),
        "json text": d.Json(decode=False),
        "list of json": d.List(d.Json()),
    }
