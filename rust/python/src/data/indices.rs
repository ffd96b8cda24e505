//! Row numbers from Python: numpy arrays by the buffer protocol, anything else by iteration.

use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use super::permutation::RowNumbers;

/// Row numbers that can be kept: those of a `RowNumbers` as they are, others copied once (ten million are 80 MB).
///
/// Raises `IndexError` for a number that is negative.
pub(crate) fn shared(py: Python<'_>, indices: &Bound<'_, PyAny>) -> PyResult<Arc<Vec<u64>>> {
    match indices.cast::<RowNumbers>() {
        Ok(numbers) => Ok(numbers.get().rows.clone()),
        Err(_) => Ok(Arc::new(parse(py, indices)?)),
    }
}

/// Row numbers from an int64 or uint64 buffer or an iterable of ints, copied once.
///
/// Raises `IndexError` for a number that is negative.
pub(crate) fn parse(py: Python<'_>, indices: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    if let Ok(buffer) = PyBuffer::<i64>::get(indices) {
        let mut all = 0;
        let signed = |number: i64| {
            all |= number;
            number as u64
        };
        let parsed: Vec<u64> = buffer.to_vec(py)?.into_iter().map(signed).collect(); // in place
        if all < 0
            && let Some(bad) = parsed.iter().map(|&n| n as i64).find(|&n| n < 0)
        {
            return Err(negative(bad));
        }
        return Ok(parsed);
    }
    if let Ok(buffer) = PyBuffer::<u64>::get(indices) {
        return buffer.to_vec(py);
    }
    let positive = |index: i64| u64::try_from(index).map_err(|_| negative(index));
    indices.try_iter()?.map(|i| positive(i?.extract::<i64>()?)).collect()
}

/// The error for the first number that is too large, if there is one.
pub(crate) fn too_large(indices: &[u64], rows: usize) -> Option<PyErr> {
    let bad = indices.iter().find(|&&i| i >= rows as u64)?;
    Some(PyIndexError::new_err(format!("Index {bad} out of range for dataset of size {rows}.")))
}

fn negative(index: i64) -> PyErr {
    PyIndexError::new_err(format!("Index {index} is negative."))
}
