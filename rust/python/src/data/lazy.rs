//! `LazyRow`: a row, or a batch of rows, whose values are made when they are looked at.
//!
//! It is what `map` and `filter` give to the user's function. What was made of it, assigned and deleted is with its
//! block (`Rows`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyTuple};

use super::lazy_rows::{Changes, Rows};
use crate::door;

/// A mapping over one row, or over the columns of neighbouring rows.
#[pyclass(frozen, mapping, module = "_crucible._native")]
pub(crate) struct LazyRow {
    pub(crate) rows: Arc<Rows>,
    at: AtomicUsize,
}

impl LazyRow {
    pub(crate) fn new(rows: Arc<Rows>, at: usize) -> Self {
        Self { rows, at: AtomicUsize::new(at) }
    }

    /// The number of the row in its block.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at.load(Ordering::Relaxed)
    }

    /// Makes this another row of the block; only for whom nobody else holds.
    pub(crate) fn move_to(&self, at: usize) {
        self.at.store(at, Ordering::Relaxed);
    }

    #[inline]
    fn changes(&self) -> Option<&Changes> {
        self.rows.changes(self.at())
    }

    /// Whether a name was deleted.
    fn is_gone(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.changes().map_or(Ok(false), |c| c.gone.bind(key.py()).contains(key))
    }

    #[inline]
    fn find<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        if let Some(changes) = self.changes() {
            if let Some(value) = changes.put.bind(py).get_item(key)? {
                return Ok(Some(value));
            }
            if changes.gone.bind(py).contains(key)? {
                return Ok(None);
            }
        }
        match self.rows.column(key)? {
            Some(column) => self.rows.value(py, column, self.at()).map(Some),
            None => Ok(None),
        }
    }

    fn names<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let all = self.rows.names().iter().map(|name| name.bind(py).clone().into_any());
        let Some(changes) = self.changes() else { return Ok(all.collect()) };
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
        if let Some(changes) = self.changes() {
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
            if let Some(value) = self.rows.seen(py, column, self.at()) {
                seen.set_item(name.bind(py), value)?;
            }
        }
        Ok(seen)
    }

    fn whole<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let whole = PyDict::new(py);
        if self.changes().is_none() {
            for (column, name) in self.rows.names().iter().enumerate() {
                whole.set_item(name.bind(py), self.rows.value(py, column, self.at())?)?;
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
        let changes = self.rows.changing(py, self.at())?;
        changes.gone.bind(py).discard(key)?;
        changes.put.bind(py).set_item(key, value)
    }

    fn delete(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        let changes = self.rows.changing(py, self.at())?;
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
        if let Some(changes) = self.changes()
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
        let (put, gone) = match self.changes() {
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
