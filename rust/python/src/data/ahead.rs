//! Row groups read ahead of their use, within a budget of the process; and some rows of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;

use super::stream::{ParquetFile, made};
use super::table::Table;
use super::table_make::target_schema;
use crate::door;

/// Bytes that may be read ahead at a time when nothing is said.
const BUDGET: u64 = 256 << 20;

/// Decoded bytes that are being read ahead, as the footers have them.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// A part of the budget, given back when it is dropped.
struct Share(u64);

impl Share {
    /// Takes a part, if so much is left.
    fn take(bytes: u64, budget: u64) -> Option<Self> {
        AHEAD
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= budget)
            })
            .ok()
            .map(|_| Self(bytes))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        AHEAD.fetch_sub(self.0, Ordering::AcqRel);
    }
}

/// A row group on its way. Dropped before it is there, its reading stops.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct RowGroupAhead {
    started: door::Started<Table>,
    _share: Share,
}

#[pymethods]
impl RowGroupAhead {
    /// The table, once; None in a forked child, where it will not come.
    fn wait(&self, py: Python<'_>) -> PyResult<Option<Table>> {
        self.started.wait(py)
    }
}

#[pymethods]
impl ParquetFile {
    /// Starts to read a row group, as `read_row_group` does; None where that would be over the budget in bytes.
    #[pyo3(signature = (index, columns=None, features=None, budget=BUDGET))]
    fn start_row_group(
        &self,
        index: usize,
        columns: Option<Vec<String>>,
        features: Option<&str>,
        budget: u64,
    ) -> PyResult<Option<RowGroupAhead>> {
        let target = features.map(target_schema).transpose()?;
        let Some(share) = Share::take(self.reader.row_group_bytes(index), budget) else { return Ok(None) };
        let reader = Arc::clone(&self.reader);
        let started = door::start(move |cancel| {
            let batches = reader.read_row_group(index, columns.as_deref(), cancel)?;
            made(batches, target.as_ref())
        })?;
        Ok(Some(RowGroupAhead { started, _share: share }))
    }

    /// Rows `start..stop` of a row group, otherwise as `read_row_group`.
    #[pyo3(signature = (index, start, stop, columns=None, features=None))]
    fn read_rows(
        &self,
        py: Python<'_>,
        index: usize,
        start: usize,
        stop: usize,
        columns: Option<Vec<String>>,
        features: Option<&str>,
    ) -> PyResult<Table> {
        let target = features.map(target_schema).transpose()?;
        door::run(py, |cancel| {
            let batches = self.indexed().read_rows(index, start..stop, columns.as_deref(), cancel)?;
            made(batches, target.as_ref())
        })
    }
}
