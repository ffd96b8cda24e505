//! The right to write a file of the cache, between processes.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Mutex;

use crucible_data::store;
use pyo3::prelude::*;

use crate::door;

/// A lock that was taken. Given back by `release`, or by the system when the process ends.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct StoreLock {
    file: Mutex<Option<File>>,
}

#[pymethods]
impl StoreLock {
    /// Takes the lock of a file (`<path>.lock`), None if another holds it. Where there are no locks everybody has it.
    #[staticmethod]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from Python")]
    fn try_take(py: Python<'_>, path: PathBuf) -> PyResult<Option<Self>> {
        let taken = door::run(py, |_| Ok::<_, crucible_data::DataError>(store::try_lock(&path)))?;
        Ok(taken.ok().map(|file| Self { file: Mutex::new(file) }))
    }

    /// Gives the lock back.
    fn release(&self) {
        if let Ok(mut held) = self.file.lock()
            && let Some(file) = held.take()
        {
            // Not by closing it alone: a process that was forked meanwhile has it open too.
            let _ = file.unlock();
        }
    }
}
