//! Files read unit by unit for streaming: Parquet by row group, JSON lines by chunk.

use std::sync::{Arc, OnceLock};

use arrow_schema::Schema;
use crucible_data::decode::{json, parquet::ParquetReader};
use crucible_data::{ByteSource, Limits};
use pyo3::prelude::*;

use super::table::Table;
use super::table_make::target_schema;
use crate::door;
use crate::errors::data;
use crate::source::Source;

/// Bytes of JSON lines read at a time.
const CHUNK: usize = 4 << 20;

/// A Parquet file: its footer is read once, its row groups when asked for.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct ParquetFile {
    reader: ParquetReader,
}

#[pymethods]
impl ParquetFile {
    #[new]
    #[expect(clippy::needless_pass_by_value, reason = "a handle, extracted from Python")]
    fn new(source: Bound<'_, Source>) -> PyResult<Self> {
        let bytes = Source::bytes(&source)?;
        let reader = door::run(source.py(), |_| ParquetReader::open(bytes, &Limits::default()))?;
        Ok(Self { reader })
    }

    /// Rows of each row group.
    #[getter]
    fn row_groups(&self) -> Vec<usize> {
        self.reader.row_group_rows()
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

/// A JSON lines file read from any line start.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct JsonLinesFile {
    bytes: Arc<dyn ByteSource>,
    chunk: usize,
    schema: OnceLock<Arc<Schema>>,
}

#[pymethods]
impl JsonLinesFile {
    #[new]
    #[pyo3(signature = (source, chunk_bytes=CHUNK))]
    #[expect(clippy::needless_pass_by_value, reason = "a handle, extracted from Python")]
    fn new(source: Bound<'_, Source>, chunk_bytes: usize) -> PyResult<Self> {
        Ok(Self { bytes: Source::bytes(&source)?, chunk: chunk_bytes.max(1024), schema: OnceLock::new() })
    }

    /// The whole lines of the chunk at `offset`, and where the next chunk starts. Columns of the first chunk that this
    /// object read are kept for the later ones: a column that is missing there is null.
    #[pyo3(signature = (offset, features=None))]
    fn read_chunk(&self, py: Python<'_>, offset: u64, features: Option<&str>) -> PyResult<(Table, u64)> {
        let target = features.map(target_schema).transpose()?;
        let (source, chunk) = (&self.bytes, self.chunk);
        let known = self.schema.get().cloned();
        let (table, next) = door::run(py, |cancel| {
            let (batch, next) = json::read_chunk(source.as_ref(), offset, chunk, known.as_deref(), cancel)?;
            Ok::<_, crucible_data::DataError>((made(vec![batch], target.as_ref())?, next))
        })?;
        if table.view.num_rows() > 0 {
            let _ = self.schema.set(table.view.table().schema());
        }
        Ok((table, next))
    }
}

fn made(
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
