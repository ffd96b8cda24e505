//! Row groups read ahead of their use, within a budget of the process; and some rows of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crucible_data::DataError;
use crucible_data::ahead::{BUDGET, Share};
use crucible_data::decode::parquet::ParquetReader;
use crucible_data::source::Stopper;
use pyo3::prelude::*;

use super::stream::{ParquetFile, made};
use super::table::Table;
use super::table_make::target_schema;
use crate::door::{self, Promise, Started};
use crate::errors::data;

/// A row group on its way. Dropped before it is there, its reading stops.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct RowGroupAhead {
    whole: Started<Table>,
    head: Option<Started<Table>>,
    fetched: Arc<AtomicBool>,
    _fetching: Option<Stopper>,
    _share: Share,
}

#[pymethods]
impl RowGroupAhead {
    /// The table, once; None in a forked child, where it will not come.
    fn wait(&self, py: Python<'_>) -> PyResult<Option<Table>> {
        self.whole.wait(py)
    }

    /// The rows that were wanted first, once; None where there were none, or in a forked child.
    fn wait_head(&self, py: Python<'_>) -> PyResult<Option<Table>> {
        self.head.as_ref().map_or(Ok(None), |head| head.wait(py))
    }

    /// Whether its bytes are here.
    #[getter]
    fn fetched(&self) -> bool {
        self.fetched.load(Ordering::Acquire)
    }
}

/// What is decoded of a row group.
struct Wanted {
    index: usize,
    columns: Option<Vec<String>>,
    target: Option<arrow_schema::Schema>,
    whole: Promise<Table>,
    head: Option<(Promise<Table>, std::ops::Range<usize>)>,
}

impl Wanted {
    /// Decodes it out of the bytes that are there: the head first. Where they are not, both fail alike.
    fn decode(self, reader: Result<ParquetReader, DataError>) {
        let Self { index, columns, target, whole, head } = self;
        let reader = match reader {
            Ok(reader) => reader,
            // Who waits for the head hears of it, and does not come for the rest.
            Err(error) => {
                return match head {
                    Some((head, _)) => head.run(|_| Err(error)),
                    None => whole.run(|_| Err(error)),
                };
            }
        };
        if let Some((head, rows)) = head {
            let (reader, columns, target) = (reader.clone(), columns.clone(), target.clone());
            head.run(move |cancel| {
                made(reader.read_rows(index, rows, columns.as_deref(), cancel)?, target.as_ref())
            });
        }
        whole
            .run(move |cancel| made(reader.read_beside(index, columns.as_deref(), cancel)?, target.as_ref()));
    }
}

#[pymethods]
impl ParquetFile {
    /// Starts to read a row group, as `read_row_group` does; None where that would be over the budget in bytes. `head`,
    /// rows from and to, are decoded before the others.
    #[pyo3(signature = (index, columns=None, features=None, budget=BUDGET, head=None))]
    fn start_row_group(
        &self,
        index: usize,
        columns: Option<Vec<String>>,
        features: Option<&str>,
        budget: u64,
        head: Option<(usize, usize)>,
    ) -> PyResult<Option<RowGroupAhead>> {
        let target = features.map(target_schema).transpose()?;
        let Some(share) = Share::take(self.reader.row_group_bytes(index), budget) else { return Ok(None) };
        let wanted = |head: Option<(usize, usize)>| -> PyResult<_> {
            let (whole, started) = door::promise()?;
            let (head, of_head) = match head {
                Some((start, stop)) => {
                    let (head, of_head) = door::promise()?;
                    (Some((head, start..stop)), Some(of_head))
                }
                None => (None, None),
            };
            Ok((
                Wanted { index, columns: columns.clone(), target: target.clone(), whole, head },
                started,
                of_head,
            ))
        };
        let (first, whole, of_head) = wanted(head)?;
        let fetched = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&fetched);
        let then = move |reader| {
            seen.store(true, Ordering::Release);
            first.decode(reader);
        };
        let fetching = self.reader.start_fetching(index, columns.as_deref(), then).map_err(data)?;
        if fetching.is_some() {
            return Ok(Some(RowGroupAhead {
                whole,
                head: of_head,
                fetched,
                _fetching: fetching,
                _share: share,
            }));
        }
        // Nothing is fetched apart: decoding reads what it needs, from afar once only.
        let (wanted, whole, head) = wanted(head.filter(|_| self.reader.is_near()))?;
        wanted.decode(Ok(ParquetReader::clone(&self.reader)));
        fetched.store(true, Ordering::Release);
        Ok(Some(RowGroupAhead { whole, head, fetched, _fetching: None, _share: share }))
    }

    /// Whether row groups may be read side by side at no more cost than one after the other.
    #[getter]
    fn side_by_side(&self) -> bool {
        self.reader.is_side_by_side()
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
