//! Images: bytes to pixels on the pool, pixels in memory that numpy owns.

use arrow_buffer::MutableBuffer;
use crucible_data::DataError;
use crucible_data::image::{self, DecodedImage};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rayon::prelude::*;

use crate::buffer::{Buffer, Dtype};
use crate::door;
use crate::errors::data;
use crate::limits::limits;

/// Encoded bytes held for the length of a call: `bytes` are borrowed, other buffers copied once.
enum Encoded<'py> {
    Bytes(Bound<'py, PyBytes>),
    Copy(Vec<u8>),
}

impl<'py> Encoded<'py> {
    fn new(value: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone()));
        }
        let buffer = PyBuffer::<u8>::get(value)
            .map_err(|_| PyBufferError::new_err("an image must be bytes or a buffer of bytes"))?;
        Ok(Self::Copy(buffer.to_vec(value.py())?))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.as_bytes(),
            Self::Copy(bytes) => bytes,
        }
    }
}

fn pixels(image: DecodedImage) -> (&'static str, Buffer) {
    let (height, width, channels) = (image.height as usize, image.width as usize, image.channels as usize);
    let shape = if channels == 1 { vec![height, width] } else { vec![height, width, channels] };
    (image.mode, Buffer::from_mutable(MutableBuffer::from(image.data), Dtype::U8, &shape))
}

/// Format, size and mode of an image, from its header.
#[pyfunction]
#[pyo3(name = "probe_image")]
pub(crate) fn probe<'py>(py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let encoded = Encoded::new(value)?;
    let limits = limits(py)?;
    let info = door::inline(|| image::probe(encoded.bytes(), &limits).map_err(data))?;
    let dict = PyDict::new(py);
    dict.set_item("format", info.format.to_string())?;
    dict.set_item("width", info.width)?;
    dict.set_item("height", info.height)?;
    dict.set_item("mode", info.mode)?;
    Ok(dict)
}

/// The pixels of a JPEG or PNG: (mode, buffer of shape (h, w) or (h, w, c)).
#[pyfunction]
#[pyo3(name = "decode_image")]
pub(crate) fn decode(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<(&'static str, Buffer)> {
    let encoded = Encoded::new(value)?;
    let bytes = encoded.bytes();
    let limits = limits(py)?;
    door::run(py, |_| image::decode(bytes, &limits).map(pixels))
}

/// As `decode_image` for many, in parallel.
#[pyfunction]
#[pyo3(name = "decode_images")]
#[expect(clippy::needless_pass_by_value, reason = "extracted from a Python sequence")]
pub(crate) fn decode_many(
    py: Python<'_>,
    values: Vec<Bound<'_, PyAny>>,
) -> PyResult<Vec<(&'static str, Buffer)>> {
    let encoded = values.iter().map(Encoded::new).collect::<PyResult<Vec<_>>>()?;
    let bytes: Vec<&[u8]> = encoded.iter().map(Encoded::bytes).collect();
    let limits = limits(py)?;
    door::run(py, |cancel| {
        bytes
            .par_iter()
            .map(|b| {
                cancel.check()?;
                image::decode(b, &limits).map(pixels)
            })
            .collect::<Result<Vec<_>, DataError>>()
    })
}

/// A PNG of raw pixels (mode L, LA, RGB or RGBA).
#[pyfunction]
pub(crate) fn encode_png<'py>(
    py: Python<'py>,
    pixels: &Bound<'py, PyAny>,
    width: u32,
    height: u32,
    mode: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let raw = Encoded::new(pixels)?;
    let bytes = raw.bytes();
    let png = door::run(py, |_| image::encode_png(bytes, width, height, mode))?;
    Ok(PyBytes::new(py, &png))
}
