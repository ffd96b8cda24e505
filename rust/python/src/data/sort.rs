//! Row numbers: those of a view, and those that sort it.

use arrow_buffer::Buffer as ArrowBuffer;
use crucible_data::sort::{SortKey, sort_rows};
use crucible_data::{RowOrder, View};
use pyo3::prelude::*;

use super::table::Table;
use crate::buffer::{Buffer, Dtype};
use crate::door;

#[pymethods]
impl Table {
    /// The numbers that the rows have in the table behind (uint64 memory); None where the rows are a range of it.
    fn order(&self, py: Python<'_>) -> PyResult<Option<Buffer>> {
        let RowOrder::Indices(rows) = self.view.order() else { return Ok(None) };
        let rows = door::run(py, |_| Ok::<_, crucible_data::DataError>(rows.to_vec()))?;
        let count = rows.len();
        Ok(Some(Buffer::owned(ArrowBuffer::from_vec(rows), Dtype::U64, &[count])))
    }

    /// All rows of the table behind, in its order.
    fn whole(&self) -> Self {
        self.reordered(View::new(self.view.table().clone()))
    }

    /// Row numbers (uint64 memory) that sort this view by `keys`: (column, descending) pairs.
    #[expect(clippy::needless_pass_by_value, reason = "extracted from a Python sequence")]
    fn sort_indices(&self, py: Python<'_>, keys: Vec<(String, bool)>, nulls_first: bool) -> PyResult<Buffer> {
        let columns = keys
            .iter()
            .map(|(name, descending)| Ok((self.column_index(name)?, *descending)))
            .collect::<PyResult<Vec<_>>>()?;
        let view = &self.view;
        let rows = door::run(py, |_| {
            let keys = columns
                .iter()
                .map(|&(column, descending)| {
                    Ok(SortKey { values: view.column_array(column, 0, view.num_rows())?, descending })
                })
                .collect::<Result<Vec<_>, crucible_data::DataError>>()?;
            sort_rows(&keys, nulls_first)
        })?;
        let count = rows.len();
        Ok(Buffer::owned(ArrowBuffer::from_vec(rows), Dtype::U64, &[count]))
    }
}
