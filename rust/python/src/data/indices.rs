//! Row numbers from Python: numpy arrays by the buffer protocol, anything else by iteration.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

/// Row numbers below `rows`, from an int64 or uint64 buffer or an iterable of ints.
///
/// Raises `IndexError` for a number that is negative or too large.
pub(crate) fn parse(py: Python<'_>, indices: &Bound<'_, PyAny>, rows: usize) -> PyResult<Vec<u64>> {
    let parsed: Vec<u64> = if let Ok(buffer) = PyBuffer::<i64>::get(indices) {
        buffer.to_vec(py)?.into_iter().map(positive).collect::<PyResult<_>>()?
    } else if let Ok(buffer) = PyBuffer::<u64>::get(indices) {
        buffer.to_vec(py)?
    } else {
        indices.try_iter()?.map(|i| positive(i?.extract::<i64>()?)).collect::<PyResult<_>>()?
    };
    if let Some(bad) = parsed.iter().find(|&&i| i >= rows as u64) {
        return Err(PyIndexError::new_err(format!("Index {bad} out of range for dataset of size {rows}.")));
    }
    Ok(parsed)
}

fn positive(index: i64) -> PyResult<u64> {
    u64::try_from(index).map_err(|_| PyIndexError::new_err(format!("Index {index} is negative.")))
}
