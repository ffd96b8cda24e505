//! `LazyRow`: a row, or a batch of rows, whose values are made when they are looked at.
//!
//! It is what `map` and `filter` give to the user's function.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::{PyIndexError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PySet, PyTuple};

use super::lazy_rows::Rows;
use crate::door;

/// What the function did to a row itself.
pub(crate) struct Changes {
    /// Values that were assigned.
    pub(crate) put: Py<PyDict>,
    /// Names that were deleted and not assigned again.
    pub(crate) gone: Py<PySet>,
}

/// A mapping over one row, or over the columns of neighbouring rows.
#[pyclass(frozen, mapping, module = "_crucible._native")]
pub(crate) struct LazyRow {
    pub(crate) rows: Arc<Rows>,
    at: AtomicUsize,
    /// Values that were made, by column; those that `touched` does not name were not.
    seen: OnceLock<Py<PyList>>,
    /// A bit for each column that was made; columns from 63 on share the last one.
    touched: AtomicU64,
    changes: OnceLock<Changes>,
}

impl LazyRow {
    pub(crate) fn new(rows: Arc<Rows>, at: usize) -> Self {
        let (seen, touched, changes) = (OnceLock::new(), AtomicU64::new(0), OnceLock::new());
        Self { rows, at: AtomicUsize::new(at), seen, touched, changes }
    }

    /// The number of the row in its block.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at.load(Ordering::Relaxed)
    }

    /// Makes this another row of the block; only for whom nobody else holds.
    #[inline]
    pub(crate) fn move_to(&self, py: Python<'_>, at: usize) -> PyResult<()> {
        if self.touched.load(Ordering::Relaxed) != 0 {
            self.forget(py)?;
        }
        if let Some(changes) = self.changes.get() {
            changes.put.bind(py).clear();
            changes.gone.bind(py).clear();
        }
        self.at.store(at, Ordering::Relaxed);
        Ok(())
    }

    fn forget(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(seen) = self.seen.get() {
            for column in (0..self.rows.names().len()).filter(|&c| self.is_touched(c)) {
                seen.bind(py).set_item(column, py.Ellipsis())?;
            }
        }
        self.touched.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a column may have been made.
    #[inline]
    fn is_touched(&self, column: usize) -> bool {
        self.touched.load(Ordering::Relaxed) & bit(column) != 0
    }

    /// Whether any column was made.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.touched.load(Ordering::Relaxed) != 0
    }

    /// The value of a column that was made.
    #[inline]
    pub(crate) fn made<'py>(&self, py: Python<'py>, column: usize) -> Option<Bound<'py, PyAny>> {
        if !self.is_touched(column) {
            return None;
        }
        let value = self.seen.get()?.bind(py).get_item(column).ok()?;
        (!value.is(py.Ellipsis())).then_some(value)
    }

    fn keep(&self, column: usize, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        let seen = if let Some(seen) = self.seen.get() {
            seen
        } else {
            let blank = PyList::new(py, self.rows.names().iter().map(|_| py.Ellipsis()))?;
            self.seen.get_or_init(|| blank.unbind())
        };
        seen.bind(py).set_item(column, value)?;
        self.touched.fetch_or(bit(column), Ordering::Relaxed);
        Ok(())
    }

    /// The value of a column, made at first use.
    #[inline]
    fn value<'py>(&self, py: Python<'py>, column: usize) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = self.made(py, column) {
            return Ok(value);
        }
        let value = self.rows.made(py, column, self.at())?;
        if self.rows.remember || !is_number(&value) {
            self.keep(column, &value)?;
        }
        Ok(value)
    }

    /// A number that is neither changed nor remembered: what most predicates look at, without all the rest.
    #[inline]
    fn number<'py>(&self, key: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
        if self.changes.get().is_some() {
            return None;
        }
        self.rows.number(key, self.at())
    }

    /// What was done to the row itself.
    #[inline]
    pub(crate) fn changes(&self, py: Python<'_>) -> Option<&Changes> {
        self.changes.get().filter(|c| !c.put.bind(py).is_empty() || !c.gone.bind(py).is_empty())
    }

    /// The same, empty if nothing was.
    fn changing(&self, py: Python<'_>) -> PyResult<&Changes> {
        if self.changes.get().is_none() {
            let made = Changes { put: PyDict::new(py).unbind(), gone: PySet::empty(py)?.unbind() };
            let _ = self.changes.set(made); // set meanwhile: that one counts
        }
        self.changes.get().ok_or_else(|| PyIndexError::new_err("row of a block"))
    }

    /// Whether a name was deleted.
    fn is_gone(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.changes(key.py()).map_or(Ok(false), |c| c.gone.bind(key.py()).contains(key))
    }

    #[inline]
    fn find<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        if let Some(changes) = self.changes(py) {
            if let Some(value) = changes.put.bind(py).get_item(key)? {
                return Ok(Some(value));
            }
            if changes.gone.bind(py).contains(key)? {
                return Ok(None);
            }
        }
        match self.rows.column(key)? {
            Some(column) => self.value(py, column).map(Some),
            None => Ok(None),
        }
    }

    fn names<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let all = self.rows.names().iter().map(|name| name.bind(py).clone().into_any());
        let Some(changes) = self.changes(py) else { return Ok(all.collect()) };
        let gone = changes.gone.bind(py);
        let mut names = Vec::new();
        for name in all {
            if !gone.contains(&name)? {
                names.push(name);
            }
        }
        for name in changes.put.bind(py).keys() {
            if self.rows.column(&name)?.is_none() {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The values that were made or assigned, as `datasets` takes a row that is returned.
    pub(crate) fn used<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let used = self.seen(py)?;
        if let Some(changes) = self.changes(py) {
            for name in changes.gone.bind(py) {
                if used.contains(&name)? {
                    used.del_item(&name)?;
                }
            }
            used.update(changes.put.bind(py).as_mapping())?;
        }
        Ok(used)
    }

    fn seen<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let seen = PyDict::new(py);
        for (column, name) in self.rows.names().iter().enumerate() {
            if let Some(value) = self.made(py, column) {
                seen.set_item(name.bind(py), value)?;
            }
        }
        Ok(seen)
    }

    fn whole<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let whole = PyDict::new(py);
        if self.changes(py).is_none() {
            for (column, name) in self.rows.names().iter().enumerate() {
                whole.set_item(name.bind(py), self.value(py, column)?)?;
            }
            return Ok(whole);
        }
        for name in self.names(py)? {
            if let Some(value) = self.find(&name)? {
                whole.set_item(name, value)?;
            }
        }
        Ok(whole)
    }

    fn assign(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        let changes = self.changing(py)?;
        changes.gone.bind(py).discard(key)?;
        changes.put.bind(py).set_item(key, value)
    }

    fn delete(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        let changes = self.changing(py)?;
        let put = changes.put.bind(py);
        if put.contains(key)? {
            put.del_item(key)?;
        }
        changes.gone.bind(py).add(key)
    }
}

#[pymethods]
impl LazyRow {
    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(number) = self.number(key) {
            return Ok(number);
        }
        door::inline(|| self.find(key)?.ok_or_else(|| PyKeyError::new_err(key.clone().unbind())))
    }

    fn __setitem__(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.assign(key, value)
    }

    fn __delitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        if !self.__contains__(key)? {
            return Err(PyKeyError::new_err(key.clone().unbind()));
        }
        self.delete(key)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.names(py)?.len())
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Some(changes) = self.changes(key.py())
            && changes.put.bind(key.py()).contains(key)?
        {
            return Ok(true);
        }
        Ok(self.rows.column(key)?.is_some() && !self.is_gone(key)?)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyList::new(py, self.names(py)?)?.try_iter()?.into_any())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.whole(py)?.repr()?.to_string())
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let other = plain(other)?;
        self.whole(py)?.eq(other)
    }

    fn __or__<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let merged = self.whole(py)?;
        merged.call_method1("update", (other,))?;
        Ok(merged)
    }

    fn __ror__<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let merged = PyDict::new(py);
        merged.call_method1("update", (other,))?;
        merged.update(self.whole(py)?.as_mapping())?;
        Ok(merged)
    }

    /// `|=` changes the row in place, as on a dict.
    fn __ior__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        self.update(py, &PyTuple::new(py, [other])?, None)
    }

    /// The value, or a default.
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.find(key)?.or(default))
    }

    /// Names, in order; nothing is decoded.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let names = PyDict::new(py);
        for name in self.names(py)? {
            names.set_item(name, py.None())?;
        }
        names.call_method0("keys")
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.whole(py)?.call_method0("values")
    }

    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.whole(py)?.call_method0("items")
    }

    /// The row as a plain dict.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.whole(py)
    }

    /// Takes a value out.
    #[pyo3(signature = (key, *default))]
    fn pop<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = self.find(key)? {
            self.delete(key)?;
            return Ok(value);
        }
        default.get_item(0).map_err(|_| PyKeyError::new_err(key.clone().unbind()))
    }

    /// Takes the last name and value out.
    fn popitem<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let key = self.names(py)?.pop().ok_or_else(|| PyKeyError::new_err("popitem(): the row is empty"))?;
        let value = self.__getitem__(&key)?;
        self.delete(&key)?;
        Ok((key, value))
    }

    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.names(py)?.iter().try_for_each(|name| self.delete(name))
    }

    #[pyo3(signature = (key, default=None))]
    fn setdefault<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = self.find(key)? {
            return Ok(value);
        }
        let value = default.unwrap_or_else(|| py.None().into_bound(py));
        self.assign(key, &value)?;
        Ok(value)
    }

    /// Assigns the values of a mapping, pairs or keywords.
    #[pyo3(signature = (*others, **named))]
    fn update(
        &self,
        py: Python<'_>,
        others: &Bound<'_, PyTuple>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let all = PyDict::new(py);
        all.call_method("update", others, named)?;
        all.iter().try_for_each(|(key, value)| self.assign(&key, &value))
    }

    /// What happened to the row: values made, values assigned, names deleted.
    #[pyo3(name = "changes")]
    fn changes_made<'py>(&self, py: Python<'py>) -> PyResult<[Bound<'py, PyAny>; 3]> {
        let seen = self.seen(py)?;
        let (put, gone) = match self.changes(py) {
            Some(changes) => (changes.put.bind(py).clone(), changes.gone.bind(py).clone()),
            None => (PyDict::new(py), PySet::empty(py)?),
        };
        Ok([seen.into_any(), put.into_any(), gone.into_any()])
    }

    /// A column as the table has it, whatever happened to the row since.
    fn original<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self.rows.column(key)? {
            Some(column) => self.rows.made(py, column, self.at()),
            None => Err(PyKeyError::new_err(key.clone().unbind())),
        }
    }

    /// A copy is a plain dict.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyDict>,))> {
        Ok((py.get_type::<PyDict>().into_any(), (self.whole(py)?,)))
    }
}

fn plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match value.cast::<LazyRow>() {
        Ok(row) => Ok(row.get().whole(value.py())?.into_any()),
        Err(_) => Ok(value.clone()),
    }
}

#[inline]
fn bit(column: usize) -> u64 {
    1 << column.min(63)
}

/// Whether a value is a number, a bool or None: its identity says nothing.
#[inline]
fn is_number(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_none()
}
