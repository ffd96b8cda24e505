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

    /// Rows of the table behind this view.
    #[getter]
    fn total_rows(&self) -> usize {
        self.view.table().num_rows()
    }

    /// The same rows with neighbouring small batches made into batches of about `rows` rows.
    fn coalesced(&self, py: Python<'_>, rows: usize) -> PyResult<Self> {
        let view = &self.view;
        let table = door::run(py, |_| crucible_data::stack::coalesced(view.table(), rows))?;
        Ok(Self::from_view(view.over(Arc::new(table))))
    }

    /// Some struct columns replaced by their fields, `column.field`.
    #[expect(clippy::needless_pass_by_value, reason = "extracted from a Python sequence")]
    fn flattened(&self, py: Python<'_>, columns: Vec<String>) -> PyResult<Self> {
        let view = &self.view;
        let table = door::run(py, |_| crucible_data::stack::flattened(view.table(), &columns))?;
        Ok(Self::from_view(view.over(Arc::new(table))))
    }

    /// Each group of neighbouring rows as one row of lists; `ends` says where each group ends.
    fn grouped(&self, py: Python<'_>, ends: &Bound<'_, PyAny>) -> PyResult<Self> {
        let view = &self.view;
        let ends = super::indices::parse(py, ends)?;
        if let Some(error) = super::indices::too_large(&ends, view.num_rows().saturating_add(1)) {
            return Err(error);
        }
        door::run(py, |_| crucible_data::stack::grouped(view, &ends)).map(Self::new)
    }
}
