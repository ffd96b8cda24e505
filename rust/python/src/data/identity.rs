//! What a table is: a digest of its rows, the files behind it, entries of its metadata.

use crucible_data::identity;
use pyo3::prelude::*;

use super::table::Table;
use crate::door;

#[pymethods]
impl Table {
    /// A digest (32 hex digits) of the columns' names and types, the rows and their order. Mapped memory counts as its
    /// file, other memory by its bytes.
    fn identity(&self, py: Python<'_>) -> PyResult<String> {
        let view = &self.view;
        let digest = door::run(py, |cancel| identity::identity(view, cancel))?;
        Ok(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The files that the table's memory is mapped from.
    fn files(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let view = &self.view;
        let found = door::run(py, |_| Ok::<_, crucible_data::DataError>(identity::files(view)))?;
        Ok(found.iter().map(|path| path.to_string_lossy().into_owned()).collect())
    }

    /// An entry of the schema's metadata.
    fn metadata(&self, key: &str) -> Option<String> {
        self.view.table().schema_ref().metadata().get(key).cloned()
    }
}
