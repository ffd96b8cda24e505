//! Parquet files read by row group, for streaming.

use std::sync::{Arc, OnceLock};

use arrow_schema::Schema;
use crucible_data::decode::parquet::ParquetReader;
use pyo3::prelude::*;

use super::table::Table;
use super::table_make::target_schema;
use crate::door;
use crate::engine::engine;
use crate::errors::data;
use crate::limits::limits;
use crate::source::Source;

/// A Parquet file: its footer is read once, its row groups when asked for.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct ParquetFile {
    pub(super) reader: Arc<ParquetReader>,
    /// The same with page indexes, once somebody wanted some rows only.
    pub(super) indexed: OnceLock<Arc<ParquetReader>>,
}

impl ParquetFile {
    /// The reader that knows pages, where the file does.
    pub(super) fn indexed(&self) -> Arc<ParquetReader> {
        let made = || Arc::new(ParquetReader::clone(&self.reader).with_page_index());
        self.indexed.get_or_init(made).clone()
    }
}

#[pymethods]
impl ParquetFile {
    /// `at_start`: all columns are read, from the first row group on.
    #[new]
    #[pyo3(signature = (source, at_start=false))]
    #[expect(clippy::needless_pass_by_value, reason = "a handle, extracted from Python")]
    fn new(source: Bound<'_, Source>, at_start: bool) -> PyResult<Self> {
        let bytes = Source::bytes(&source)?;
        let limits = limits(source.py())?;
        let open = if at_start { ParquetReader::open_at_start } else { ParquetReader::open };
        let reader = door::here(source.py(), |_| open(bytes, &limits))?;
        Ok(Self { reader: Arc::new(reader), indexed: OnceLock::new() })
    }

    /// Rows of each row group.
    #[getter]
    fn row_groups(&self) -> Vec<usize> {
        self.reader.row_group_rows()
    }

    /// Row groups that can be decoded at a time: the decode threads of this process.
    #[getter]
    #[expect(clippy::unused_self, reason = "a property of the reader, for Python")]
    fn at_once(&self) -> PyResult<usize> {
        Ok(engine()?.cpu.current_num_threads())
    }

    /// Features as JSON.
    #[getter]
    fn features(&self) -> PyResult<String> {
        Ok(crucible_data::features::features_json(&self.reader.schema()).map_err(data)?.to_string())
    }

    /// One row group, of some columns, cast to `features` if given.
    #[pyo3(signature = (index, columns=None, features=None))]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from a Python sequence")]
    fn read_row_group(
        &self,
        py: Python<'_>,
        index: usize,
        columns: Option<Vec<String>>,
        features: Option<&str>,
    ) -> PyResult<Table> {
        let target = features.map(target_schema).transpose()?;
        let reader = &self.reader;
        door::run(py, |cancel| {
            let batches = reader.read_row_group(index, columns.as_deref(), cancel)?;
            made(batches, target.as_ref())
        })
    }
}

pub(super) fn made(
    batches: Vec<arrow_array::RecordBatch>,
    target: Option<&Schema>,
) -> Result<Table, crucible_data::DataError> {
    let batches = match target {
        Some(target) => batches
            .iter()
            .map(|b| crucible_data::features::cast_batch(b, target))
            .collect::<Result<Vec<_>, _>>()?,
        None => batches,
    };
    let schema = match (target, batches.first()) {
        (Some(target), _) => Arc::new(target.clone()),
        (None, Some(batch)) => batch.schema(),
        (None, None) => Arc::new(Schema::empty()),
    };
    crucible_data::Table::try_new(schema, batches).map(Table::new)
}
