//! Row groups read ahead of their use, within a budget of the process, small ones together; and some rows of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crucible_data::ahead::{BUDGET, Share};
use crucible_data::decode::parquet::ParquetReader;
use crucible_data::source::Stopper;
use crucible_data::{DataError, DataErrorKind, Streaming};
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
    fetching: Option<Arc<Stopper>>,
    _share: Share,
    _streaming: Streaming,
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

/// What is decoded, and what waits for it: the row group and the rows of its head.
type Begun = (Wanted, Started<Table>, Option<Started<Table>>);

/// How row groups are wanted.
struct How {
    columns: Option<Vec<String>>,
    target: Option<arrow_schema::Schema>,
    head: Option<(usize, usize)>,
}

impl How {
    fn wanted(&self, index: usize) -> PyResult<Begun> {
        let (whole, started) = door::promise()?;
        let (head, of_head) = match self.head {
            Some((start, stop)) => {
                let (head, of_head) = door::promise()?;
                (Some((head, start..stop)), Some(of_head))
            }
            None => (None, None),
        };
        let (columns, target) = (self.columns.clone(), self.target.clone());
        Ok((Wanted { index, columns, target, whole, head }, started, of_head))
    }
}

impl ParquetFile {
    /// Begins to read row groups: as many of the first ones as the budget has room for.
    fn begin(&self, indices: &[usize], mut how: How, budget: u64) -> PyResult<Vec<RowGroupAhead>> {
        let take = |index: &usize| Share::take(self.reader.row_group_bytes(*index), budget);
        let shares: Vec<Share> = indices.iter().map_while(take).collect();
        let indices = indices.get(..shares.len()).unwrap_or_default();
        if indices.is_empty() {
            return Ok(Vec::new());
        }
        let begun = indices.iter().map(|index| how.wanted(*index)).collect::<PyResult<Vec<Begun>>>()?;
        let (mut of_them, mut aheads) = (Vec::new(), Vec::new());
        for ((wanted, whole, head), share) in begun.into_iter().zip(shares) {
            of_them.push(wanted);
            let fetched = Arc::new(AtomicBool::new(false));
            aheads.push(RowGroupAhead {
                whole,
                head,
                fetched,
                fetching: None,
                _share: share,
                _streaming: Streaming::new(),
            });
        }
        let seen: Vec<_> = aheads.iter().map(|ahead| Arc::clone(&ahead.fetched)).collect();
        let name = self.reader.name().to_owned();
        let then = move |reader: Result<ParquetReader, DataError>| {
            seen.iter().for_each(|seen| seen.store(true, Ordering::Release));
            let mut reader = Some(reader);
            for wanted in of_them {
                let taken = match &reader {
                    Some(Ok(reader)) => Ok(reader.clone()),
                    // The first one tells why; nobody comes for the others.
                    _ => reader.take().unwrap_or_else(|| Err(not_read(&name, wanted.index))),
                };
                wanted.decode(taken);
            }
        };
        let fetching = self.reader.start_fetching(indices, how.columns.as_deref(), then).map_err(data)?;
        if let Some(fetching) = fetching.map(Arc::new) {
            aheads.iter_mut().for_each(|ahead| ahead.fetching = Some(Arc::clone(&fetching)));
            return Ok(aheads);
        }
        // Nothing is fetched apart: decoding reads what it needs, from afar once only.
        how.head = how.head.filter(|_| self.reader.is_near());
        for (ahead, index) in aheads.iter_mut().zip(indices) {
            let (wanted, whole, head) = how.wanted(*index)?;
            (ahead.whole, ahead.head) = (whole, head);
            wanted.decode(Ok(ParquetReader::clone(&self.reader)));
            ahead.fetched.store(true, Ordering::Release);
        }
        Ok(aheads)
    }
}

fn not_read(name: &str, index: usize) -> DataError {
    DataError::new(DataErrorKind::Io, "reading a row group before it failed")
        .with_path(name)
        .with_row_group(index)
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
        Ok(self.begin(&[index], How { columns, target, head }, budget)?.pop())
    }

    /// Starts to read row groups with as few requests as `read_ranges` of the hub: as many of the first ones as the budget
    /// in bytes has room for.
    #[pyo3(signature = (indices, columns=None, features=None, budget=BUDGET))]
    fn start_row_groups(
        &self,
        indices: Vec<usize>,
        columns: Option<Vec<String>>,
        features: Option<&str>,
        budget: u64,
    ) -> PyResult<Vec<RowGroupAhead>> {
        let target = features.map(target_schema).transpose()?;
        self.begin(&indices, How { columns, target, head: None }, budget)
    }

    /// Bytes that are read for a row group, of all columns or of some.
    #[pyo3(signature = (index, columns=None))]
    fn fetched_bytes(&self, index: usize, columns: Option<Vec<String>>) -> PyResult<u64> {
        self.reader.fetched_bytes(index, columns.as_deref()).map_err(data)
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
