//! How many rows some native work has taken: progress bars look at it while the work goes on.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use pyo3::prelude::*;

/// Batches that were begun; its length is their number.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct Counter {
    rows: AtomicUsize,
    batch: usize,
}

impl Counter {
    /// The same batches; their rows are counted as they are taken.
    pub(crate) fn counting<'a, E: 'a>(
        counter: Option<&'a Self>,
        batches: impl Iterator<Item = Result<RecordBatch, E>> + 'a,
    ) -> impl Iterator<Item = Result<RecordBatch, E>> + 'a {
        batches.inspect(move |batch| {
            if let (Some(counter), Ok(batch)) = (counter, batch) {
                counter.rows.fetch_add(batch.num_rows(), Ordering::Relaxed);
            }
        })
    }
}

#[pymethods]
impl Counter {
    /// Counts batches of `batch_size` rows.
    #[new]
    #[pyo3(signature = (batch_size=1))]
    fn new(batch_size: usize) -> Self {
        Self { rows: AtomicUsize::new(0), batch: batch_size.max(1) }
    }

    fn __len__(&self) -> usize {
        self.rows.load(Ordering::Relaxed).div_ceil(self.batch)
    }
}
