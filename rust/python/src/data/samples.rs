//! `SampleReader`: the samples of a WebDataset archive, read forward.

use std::sync::{Arc, Mutex, PoisonError};

use crucible_data::decode::tar::{Column, SampleBatch, Samples, read_archives};
use crucible_data::{ByteSource, DataError, DataErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::table::Table;
use crate::door;
use crate::errors::data;
use crate::limits::limits;
use crate::source::Source;

/// An archive that is read from a sample on. It goes forward only.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct SampleReader {
    // Taken out while it reads, so that nobody waits for the lock with the GIL.
    samples: Mutex<Option<Samples>>,
    name: String,
}

impl SampleReader {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Samples, &crucible_data::Cancel) -> Result<T, DataError> + Send,
    ) -> PyResult<T> {
        let taken = self.samples.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut samples = taken.ok_or_else(|| {
            data(
                DataError::new(DataErrorKind::Io, "another thread reads it, or reading failed")
                    .with_path(&self.name),
            )
        })?;
        let (samples, read) = door::run(py, move |cancel| {
            let read = work(&mut samples, cancel);
            Ok::<_, DataError>((samples, read))
        })?;
        let read = read.map_err(data)?;
        *self.samples.lock().unwrap_or_else(PoisonError::into_inner) = Some(samples);
        Ok(read)
    }
}

fn columns(wanted: Vec<(String, String)>) -> PyResult<Vec<Column>> {
    wanted.into_iter().map(|(name, kind)| Ok(Column { name, kind: kind.parse().map_err(data)? })).collect()
}

fn table(batches: Vec<arrow_array::RecordBatch>) -> Result<Table, DataError> {
    let schema = batches.first().map_or_else(|| Arc::new(arrow_schema::Schema::empty()), |b| b.schema());
    crucible_data::Table::try_new(schema, batches).map(Table::new)
}

type Fields<'py> = Vec<(String, Bound<'py, PyBytes>)>;

#[pymethods]
impl SampleReader {
    /// Starts at a position that `next_batch` gave, or at the start.
    #[new]
    #[pyo3(signature = (source, start=0))]
    #[expect(clippy::needless_pass_by_value, reason = "a handle, extracted from Python")]
    fn new(source: Bound<'_, Source>, start: u64) -> PyResult<Self> {
        let bytes = Source::bytes(&source)?;
        let limits = limits(source.py())?;
        let samples = door::run(source.py(), |_| Samples::open(&bytes, start, &limits))?;
        Ok(Self { samples: Mutex::new(Some(samples)), name: bytes.name().to_owned() })
    }

    /// The next `count` samples: their keys, and their fields in the order of the archive.
    fn next_samples<'py>(&self, py: Python<'py>, count: usize) -> PyResult<Vec<(String, Fields<'py>)>> {
        let read = self.with(py, |samples, cancel| {
            let mut found = Vec::new();
            while found.len() < count {
                cancel.check()?;
                match samples.next_sample()? {
                    Some(sample) => found.push(sample),
                    None => break,
                }
            }
            Ok(found)
        })?;
        let fields = |all: Vec<(String, Vec<u8>)>| -> Fields<'py> {
            all.into_iter().map(|(name, value)| (name, PyBytes::new(py, &value))).collect()
        };
        Ok(read.into_iter().map(|sample| (sample.key, fields(sample.fields))).collect())
    }

    /// The next samples as columns, until `rows` or about `size` bytes, with the positions of the first and of the one
    /// after the last; None at the end. `wanted` has (name, kind): "bytes", "text", "whole" or "file".
    fn next_batch(
        &self,
        py: Python<'_>,
        wanted: Vec<(String, String)>,
        rows: usize,
        size: usize,
    ) -> PyResult<Option<(Table, u64, u64)>> {
        let wanted = columns(wanted)?;
        self.with(py, |samples, cancel| match samples.next_batch(&wanted, rows, size, cancel)? {
            Some(SampleBatch { batch, start, end }) => Ok(Some((table(vec![batch])?, start, end))),
            None => Ok(None),
        })
    }

    /// All samples of several archives, read side by side.
    #[staticmethod]
    fn read_archives(
        py: Python<'_>,
        sources: Vec<Bound<'_, Source>>,
        wanted: Vec<(String, String)>,
    ) -> PyResult<Table> {
        let wanted = columns(wanted)?;
        let sources: Vec<Arc<dyn ByteSource>> = sources.iter().map(Source::bytes).collect::<PyResult<_>>()?;
        let limits = limits(py)?;
        door::run(py, |cancel| table(read_archives(&sources, &wanted, &limits, cancel)?))
    }
}
