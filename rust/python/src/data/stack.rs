//! Tables put together without copying: side by side, and one after the other where batches are not tiny.

use std::sync::Arc;

use pyo3::prelude::*;

use super::table::Table;
use crate::door;

#[pymethods]
impl Table {
    /// The columns of several tables of as many rows, side by side. Rows that lie together are shared.
    #[staticmethod]
    fn side_by_side(py: Python<'_>, tables: Vec<Bound<'_, Self>>) -> PyResult<Self> {
        let views: Vec<_> = tables.iter().map(|t| t.get().view.clone()).collect();
        door::run(py, |_| {
            let mut parts = Vec::with_capacity(views.len());
            for view in views {
                parts.push(crucible_data::Table::try_new(view.table().schema(), view.to_batches()?)?);
            }
            crucible_data::stack::side_by_side(&parts)
                .map(|table| Self::from_view(crucible_data::View::new(Arc::new(table))))
        })
    }

    /// The same rows with neighbouring small batches made into batches of about `rows` rows.
    fn coalesced(&self, py: Python<'_>, rows: usize) -> PyResult<Self> {
        let view = &self.view;
        let table = door::run(py, |_| crucible_data::stack::coalesced(view.table(), rows))?;
        Ok(Self::from_view(view.over(Arc::new(table))))
    }
}
