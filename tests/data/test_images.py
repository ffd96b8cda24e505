"""Images: Pillow's pixels, numpy's shapes."""

from __future__ import annotations

import io
from pathlib import Path

import datasets as theirs
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

import crucible_datasets as ours
from _crucible import _native
from _crucible.errors import DecodeError, UnsupportedError

FEATURES = ours.Features({"image": ours.Image()})


def dataset(files: list[bytes]) -> ours.Dataset:
    return ours.Dataset.from_list([{"image": data} for data in files], FEATURES)


def expected(data: bytes) -> Pillow.Image:
    return ImageOps.exif_transpose(Pillow.open(io.BytesIO(data)))


def test_photographs_are_pillows_pixel_by_pixel(shared: Path) -> None:
    files = [path.read_bytes() for path in sorted((shared / "images").glob("*.JPEG"))]
    assert len(files) == 64
    ds = dataset(files)
    for row, data in zip(ds, files, strict=True):
        image = expected(data)
        assert (row["image"].mode, row["image"].size) == (image.mode, image.size)
        assert row["image"].tobytes() == image.tobytes()
    for index, row in enumerate(ds.with_format("numpy")):
        assert row["image"].dtype == np.uint8
        assert np.array_equal(row["image"], np.asarray(expected(files[index])))


def made(mode: str, size: tuple[int, int], format: str, **options: object) -> bytes:
    channels = len(Pillow.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0]) if channels == 1 else (size[1], size[0], channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    out = io.BytesIO()
    Pillow.frombytes(mode, size, pixels.tobytes()).save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (16, 16), (33, 17)])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"progressive": True}])
def test_jpeg_kinds(size: tuple[int, int], mode: str, options: dict[str, object]) -> None:
    data = made(mode, size, "JPEG", quality=80, **options)
    decoded_mode, pixels = _native.decode_image(data)
    image = Pillow.open(io.BytesIO(data))
    assert decoded_mode == image.mode
    assert np.array_equal(np.asarray(pixels), np.asarray(image))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
def test_png_kinds(mode: str) -> None:
    data = made("L", (9, 6), "PNG") if mode in "P1" else made(mode, (9, 6), "PNG")
    if mode in "P1":
        out = io.BytesIO()
        Pillow.open(io.BytesIO(data)).convert(mode).save(out, "PNG")
        data = out.getvalue()
    image = dataset([data])[0]["image"]
    official = theirs.Dataset.from_list([{"image": {"bytes": data, "path": None}}]).cast_column("image", theirs.Image())
    assert image.mode == official[0]["image"].mode
    assert image.tobytes() == official[0]["image"].tobytes()


def test_orientation_is_applied() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    data = made("RGB", (8, 4), "JPEG", exif=exif)
    assert dataset([data])[0]["image"].size == (4, 8)
    assert dataset([data])[0]["image"].tobytes() == expected(data).tobytes()


def test_bad_images() -> None:
    data = made("RGB", (64, 64), "JPEG")
    with pytest.raises(DecodeError):
        _native.decode_image(data[:100])
    with pytest.raises(DecodeError):
        _native.decode_image(b"")
    with pytest.raises(UnsupportedError):
        _native.decode_image(b"GIF89a....")
    assert dataset([None])[0]["image"] is None


def test_pixels_are_the_callers_own() -> None:
    mode, pixels = _native.decode_image(made("RGB", (4, 3), "PNG"))
    array = np.asarray(pixels)
    array[0, 0, 0] = 7
    assert (mode, array.shape, array.flags.writeable) == ("RGB", (3, 4, 3), True)
    many = _native.decode_images([made("L", (4, 3), "PNG")] * 3)
    assert [np.asarray(p).shape for _, p in many] == [(3, 4)] * 3


def test_not_decoded() -> None:
    features = ours.Features({"image": ours.Image(decode=False)})
    ds = ours.Dataset.from_list([{"image": b"abc"}], features)
    assert ds[0] == {"image": {"bytes": b"abc", "path": None}}
