//! How a `Table` comes to be and goes to files: Arrow objects, Python objects, Parquet, JSON, IPC.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use crucible_data::decode::{CsvOptions, JsonOptions, TextOptions};
use crucible_data::{ByteSource, DataError, Format, LocalSource, ReadOptions, View, store};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::table::{FEW_ROWS, Table};
use crate::door;
use crate::errors::{Error, data};
use crate::limits::limits;
use crate::objects::from_py;
use crate::source::Source;

/// Bytes of decoded Arrow data up to which a table stays on the heap, when the caller does not say.
const DEFAULT_BUDGET: usize = 2 << 20;
/// Batches of the tables that are joined where that is asked for: each is named again.
const FEW_BATCHES: usize = 128;

/// A file to read: where it is, or its bytes.
#[derive(FromPyObject)]
enum FileArg<'py> {
    Source(Bound<'py, Source>),
    Path(PathBuf),
}

/// The same without Python.
enum Opened {
    Bytes(Arc<dyn ByteSource>),
    Path(PathBuf),
}

impl FileArg<'_> {
    fn opened(&self) -> PyResult<Opened> {
        Ok(match self {
            Self::Source(source) => Opened::Bytes(Source::bytes(source)?),
            Self::Path(path) => Opened::Path(path.clone()),
        })
    }
}

impl Opened {
    fn bytes(self) -> Result<Arc<dyn ByteSource>, DataError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Path(path) => Ok(Arc::new(LocalSource::open(&path)?)),
        }
    }
}

/// Options of a format from their JSON.
pub(crate) fn parsed<T: Default + serde::de::DeserializeOwned>(
    format: &str,
    text: Option<&str>,
) -> PyResult<T> {
    match text {
        Some(text) => serde_json::from_str(text)
            .map_err(|e| Error::schema(format!("{format} options are wrong: {e}")).into()),
        None => Ok(T::default()),
    }
}

/// The Arrow schema of a features JSON.
pub(crate) fn target_schema(features: &str) -> PyResult<Schema> {
    let value = features_value(features)?;
    crucible_data::features::schema_from_features(&value).map_err(data)
}

pub(crate) fn features_value(features: &str) -> PyResult<serde_json::Value> {
    serde_json::from_str(features).map_err(|e| Error::schema(format!("features are not JSON: {e}")).into())
}

/// The view's rows as Arrow IPC stream bytes.
pub(crate) fn ipc_bytes<'py>(py: Python<'py>, table: &Table) -> PyResult<Bound<'py, PyBytes>> {
    let batches = table.to_batches(py)?;
    let schema = table.view.table().schema();
    let bytes = door::run(py, |_| store::to_ipc_bytes(&schema, &batches))?;
    Ok(PyBytes::new(py, &bytes))
}

/// Whether columns of plain values have the types of a schema already: a cast only renames their types.
pub(crate) fn is_stored_as(schema: &Schema, target: &Schema) -> bool {
    schema.fields().len() == target.fields().len()
        && schema.fields().iter().zip(target.fields()).all(|(a, b)| {
            a.name() == b.name() && a.data_type() == b.data_type() && !a.data_type().is_nested()
        })
}

fn assembled(py: Python<'_>, batch: RecordBatch, features: Option<&str>) -> PyResult<Table> {
    let made =
        |batch: RecordBatch| crucible_data::Table::try_new(batch.schema(), vec![batch]).map(Table::new);
    let Some(target) = features.map(target_schema).transpose()? else {
        return made(batch).map_err(data); // nothing to do that is worth another thread
    };
    if is_stored_as(&batch.schema(), &target) {
        return crucible_data::features::cast_batch(&batch, &target).and_then(made).map_err(data);
    }
    door::run(py, |_| crucible_data::features::cast_batch(&batch, &target).and_then(made))
}

#[pymethods]
impl Table {
    /// From an object with `__arrow_c_stream__` or `__arrow_c_array__`; the memory is shared.
    #[staticmethod]
    fn from_arrow(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (schema, batches) = crate::arrow::import(value)?;
        crucible_data::Table::try_new(schema, batches).map(Self::new).map_err(data)
    }

    /// From a sequence of dicts.
    #[staticmethod]
    #[pyo3(signature = (rows, features=None))]
    fn from_rows(py: Python<'_>, rows: &Bound<'_, PyAny>, features: Option<&str>) -> PyResult<Self> {
        assembled(py, from_py::from_rows(rows)?, features)
    }

    /// From a dict of columns.
    #[staticmethod]
    #[pyo3(signature = (columns, features=None))]
    fn from_columns(py: Python<'_>, columns: &Bound<'_, PyDict>, features: Option<&str>) -> PyResult<Self> {
        assembled(py, from_py::from_columns(columns)?, features)
    }

    /// Reads files of one format, in order: paths, or `Source`s. With `store`, a table above `memory_budget` bytes is
    /// written there once as Arrow IPC and memory-mapped, and an existing `store` is mapped without decoding. `sample_by` and
    /// `keep_linebreaks` are for text, `csv` and `json` are the JSON of `CsvOptions` and `JsonOptions`, `filter` that of
    /// a Parquet `Filter`.
    #[staticmethod]
    #[pyo3(signature = (
        paths, format, *, features=None, columns=None, store=None, memory_budget=None, sample_by="line",
        keep_linebreaks=false, csv=None, filter=None, json=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "each by name, from one Python caller")]
    fn read(
        py: Python<'_>,
        paths: Vec<FileArg<'_>>,
        format: &str,
        features: Option<&str>,
        columns: Option<Vec<String>>,
        store: Option<PathBuf>,
        memory_budget: Option<usize>,
        sample_by: &str,
        keep_linebreaks: bool,
        csv: Option<&str>,
        filter: Option<&str>,
        json: Option<&str>,
    ) -> PyResult<Self> {
        let csv: CsvOptions = parsed("csv", csv)?;
        let json: JsonOptions = parsed("json", json)?;
        let filter = parsed("filter", filter)?;
        let files = paths.iter().map(FileArg::opened).collect::<PyResult<Vec<_>>>()?;
        let text = TextOptions { sample_by: sample_by.parse().map_err(data)?, keep_linebreaks };
        let format: Format = format.parse().map_err(data)?;
        let features = features.map(features_value).transpose()?;
        let budget = memory_budget.unwrap_or(DEFAULT_BUDGET);
        let limits = limits(py)?;
        door::run(py, |cancel| {
            // An unreadable store is decoded and written anew.
            let kept = || {
                let path = store.as_deref().filter(|p| p.exists())?;
                store::open_ipc(path).ok().map(Self::new)
            };
            if let Some(table) = kept() {
                return Ok(table);
            }
            let _lock = match store.as_deref().filter(|_| total_size(&files) > budget as u64) {
                Some(path) => store::lock(path, cancel)?, // what will be large is decoded by one process
                None => None,
            };
            if let Some(table) = kept() {
                return Ok(table);
            }
            let options =
                ReadOptions { columns, features, filter, text, csv, json, limits, cancel: cancel.clone() };
            let sources = files.into_iter().map(Opened::bytes).collect::<Result<Vec<_>, _>>()?;
            let table = match store {
                Some(store) => crucible_data::decode::read_into(&store, budget, &sources, format, &options)?,
                None => crucible_data::decode::read_in_memory(&sources, format, &options)?,
            };
            Ok::<_, DataError>(Self::new(table))
        })
    }

    /// The rows of several tables with equal columns, one after the other; nothing is copied.
    #[staticmethod]
    fn concat(py: Python<'_>, tables: Vec<Bound<'_, Self>>) -> PyResult<Self> {
        let views: Vec<_> = tables.iter().map(|t| t.get().view.clone()).collect();
        let at_hand = |view: &View| !view.is_range() || view.is_at_hand(0, view.num_rows());
        let rows: usize = views.iter().map(View::num_rows).sum();
        let batches: usize = views.iter().map(|view| view.table().num_batches().max(1)).sum();
        let few = rows <= FEW_ROWS && batches <= FEW_BATCHES;
        if few && views.iter().all(at_hand) {
            return door::inline(|| View::concat(&views).map_err(data)).map(Self::from_view);
        }
        door::run(py, |_| View::concat(&views)).map(Self::from_view)
    }

    /// From Arrow IPC stream bytes.
    #[staticmethod]
    fn from_ipc(py: Python<'_>, value: &[u8]) -> PyResult<Self> {
        door::run(py, |_| store::from_ipc_bytes(value).map(Self::new))
    }

    /// Maps an Arrow IPC file.
    #[staticmethod]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from Python")]
    fn open_ipc(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        door::run(py, |_| store::open_ipc(&path).map(Self::new))
    }

    /// The rows as Arrow IPC stream bytes.
    fn to_ipc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        ipc_bytes(py, self)
    }
}

/// Bytes of all files; what cannot be seen counts as nothing.
fn total_size(files: &[Opened]) -> u64 {
    let size = |file: &Opened| match file {
        Opened::Bytes(bytes) => bytes.len(),
        Opened::Path(path) => std::fs::metadata(path).map_or(0, |m| m.len()),
    };
    files.iter().map(size).sum()
}
