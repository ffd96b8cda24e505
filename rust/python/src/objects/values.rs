//! Values that the stable ABI cannot build itself (dates, decimals): made by Python, the callables looked up once.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyAny;

/// Callables of `_crucible._values`, by name.
pub(crate) struct Maker {
    callable: Py<PyAny>,
}

impl Maker {
    /// The function `name` of `_crucible._values`.
    pub(crate) fn new(py: Python<'_>, name: &str) -> PyResult<Self> {
        static MODULE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let module = MODULE
            .get_or_try_init(py, || py.import("_crucible._values").map(|m| m.into_any().unbind()))?
            .bind(py);
        Ok(Self { callable: module.getattr(name)?.unbind() })
    }

    /// The value of one integer with fixed further arguments.
    pub(crate) fn integer<'py>(
        &self,
        py: Python<'py>,
        value: i64,
        unit: &str,
        zone: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.callable.bind(py).call1((value, unit, zone))
    }

    /// The value of a text.
    pub(crate) fn text<'py>(&self, py: Python<'py>, value: &str) -> PyResult<Bound<'py, PyAny>> {
        self.callable.bind(py).call1((value,))
    }
}
