//! Tables to Arrow IPC files: streams (`save_to_disk`) and files that grow (results of `map`).

use std::path::PathBuf;
use std::sync::Mutex;

use crucible_data::ipc_stream;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::counter::Counter;
use super::table::Table;
use crate::door;

/// An Arrow IPC file that grows by tables and appears under its name when finished.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct GrowingFile {
    path: PathBuf,
    file: Mutex<Option<ipc_stream::GrowingFile>>,
}

#[pymethods]
impl GrowingFile {
    /// A file for the columns of `table`, whose rows are its first ones.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, table: &Bound<'_, Table>) -> PyResult<Self> {
        let schema = table.get().view.table().schema();
        let file = door::run(py, |_| ipc_stream::GrowingFile::create(&path, &schema))?;
        let made = Self { path, file: Mutex::new(Some(file)) };
        made.write(py, table)?;
        Ok(made)
    }

    /// Appends the rows of a table of the same columns.
    fn write(&self, py: Python<'_>, table: &Bound<'_, Table>) -> PyResult<()> {
        let view = &table.get().view;
        door::run(py, |cancel| {
            let mut held = self.file.lock().map_err(|_| finished(&self.path))?;
            let file = held.as_mut().ok_or_else(|| finished(&self.path))?;
            for batch in view.iter_batches() {
                cancel.check()?;
                file.write(&batch?)?;
            }
            Ok::<_, crucible_data::DataError>(())
        })
    }

    /// Completes the file and maps it.
    fn finish(&self, py: Python<'_>) -> PyResult<Table> {
        door::run(py, |_| {
            let file = self.file.lock().map_err(|_| finished(&self.path))?.take();
            file.ok_or_else(|| finished(&self.path))?.finish().map(Table::new)
        })
    }
}

fn finished(path: &std::path::Path) -> crucible_data::DataError {
    crucible_data::DataError::new(crucible_data::DataErrorKind::Io, "the file is finished or broken")
        .with_path(path.to_string_lossy())
}

#[pymethods]
impl Table {
    /// Writes the rows as an Arrow IPC stream; the file appears under its name only when complete. `counter`
    /// counts the rows meanwhile.
    #[pyo3(signature = (path, counter=None))]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from Python")]
    fn write_stream(
        &self,
        py: Python<'_>,
        path: PathBuf,
        counter: Option<Bound<'_, Counter>>,
    ) -> PyResult<()> {
        let view = &self.view;
        let counter = counter.as_ref().map(Bound::get);
        door::run(py, |cancel| {
            let batches = Counter::counting(counter, view.iter_batches());
            ipc_stream::write_stream(&path, &view.table().schema(), batches, cancel)
        })
    }

    /// Maps an Arrow IPC stream.
    #[staticmethod]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from Python")]
    fn open_stream(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        door::run(py, |_| ipc_stream::open_stream(&path).map(Self::new))
    }

    /// The same with an entry of the schema's metadata.
    fn with_metadata(&self, key: String, value: String) -> PyResult<Self> {
        if key.is_empty() {
            return Err(PyValueError::new_err("a metadata key must not be empty"));
        }
        let table = self.view.table().with_metadata(key, value).map_err(crate::errors::data)?;
        Ok(Self::from_view(self.view.over(std::sync::Arc::new(table))))
    }
}
