//! Row groups of a Parquet file that a filter does not exclude, and their rows.

use crucible_data::decode::parquet::Filter;
use crucible_data::{DataError, DataErrorKind};
use pyo3::prelude::*;

use super::stream::{ParquetFile, made};
use super::table::Table;
use super::table_make::{parsed, target_schema};
use crate::door;
use crate::errors::data;

fn filter_of(text: &str) -> PyResult<Filter> {
    let parsed: Option<Filter> = parsed("filter", Some(text))?;
    parsed.ok_or_else(|| data(DataError::new(DataErrorKind::Schema, "a filter must not be null")))
}

#[pymethods]
impl ParquetFile {
    /// The row groups that may have rows of a filter (JSON, as `Table.read` has it), by their statistics.
    fn row_groups_of(&self, filter: &str) -> PyResult<Vec<usize>> {
        let wanted = filter_of(filter)?;
        door::inline(|| Ok(self.reader.row_groups_of(&wanted)))
    }

    /// The rows of a row group that a filter wants, otherwise as `read_row_group`; None if there are none.
    #[pyo3(signature = (index, filter, columns=None, features=None))]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from a Python sequence")]
    fn read_filtered(
        &self,
        py: Python<'_>,
        index: usize,
        filter: &str,
        columns: Option<Vec<String>>,
        features: Option<&str>,
    ) -> PyResult<Option<Table>> {
        let wanted = filter_of(filter)?;
        let target = features.map(target_schema).transpose()?;
        door::run(py, |cancel| {
            let batches = self.indexed().read_filtered(index, columns.as_deref(), &wanted, cancel)?;
            if batches.is_empty() {
                return Ok(None);
            }
            made(batches, target.as_ref()).map(Some)
        })
    }
}
