//! `LazyRow`: a row, or a batch of rows, whose values are made when they are looked at.
//!
//! It is what `map` and `filter` give to the user's function. Three dicts say what happened to it: `seen` (values that
//! were made), `put` (values that were assigned) and `gone` (names that were deleted), each made at first use.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PySet, PyString, PyTuple};

use super::table::Table;
use crate::door;

/// A mapping over one row, or over the columns of neighbouring rows.
#[pyclass(frozen, mapping, module = "_crucible._native")]
pub(crate) struct LazyRow {
    pub(crate) table: Py<Table>,
    start: usize,
    /// End of the rows of a batch; None for one row.
    stop: Option<usize>,
    decoders: Option<Py<PyDict>>,
    seen: PyOnceLock<Py<PyDict>>,
    put: PyOnceLock<Py<PyDict>>,
    gone: PyOnceLock<Py<PySet>>,
}

impl LazyRow {
    pub(crate) fn new(
        table: Py<Table>,
        start: usize,
        stop: Option<usize>,
        decoders: Option<Py<PyDict>>,
    ) -> Self {
        Self {
            table,
            start,
            stop,
            decoders,
            seen: PyOnceLock::new(),
            put: PyOnceLock::new(),
            gone: PyOnceLock::new(),
        }
    }

    /// Values that were made.
    pub(crate) fn seen<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyDict>> {
        self.seen.get(py).map(|d| d.bind(py))
    }

    /// Values that were assigned.
    pub(crate) fn put<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyDict>> {
        self.put.get(py).map(|d| d.bind(py))
    }

    /// Names that were deleted and not assigned again.
    pub(crate) fn gone<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PySet>> {
        self.gone.get(py).map(|d| d.bind(py))
    }

    /// Whether a name was deleted.
    pub(crate) fn is_gone(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.gone(key.py()).map_or(Ok(false), |gone| gone.contains(key))
    }

    /// Whether the shown value of a column is not the stored one.
    pub(crate) fn decodes(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.decoders.as_ref().map_or(Ok(false), |d| d.bind(key.py()).contains(key))
    }

    /// The value of a column as the table has it, decoded.
    pub(crate) fn made<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let table = self.table.get();
        let Ok(name) = key.cast::<PyString>() else { return Ok(None) };
        let Some(column) = table.find_column(name.to_str()?) else { return Ok(None) };
        let decode = match &self.decoders {
            Some(decoders) => decoders.bind(py).get_item(key)?,
            None => None,
        };
        let value = match self.stop {
            None => {
                let (maker, row) = table.place(py, self.start)?;
                maker.value(py, column, row)?
            }
            Some(stop) => table.values(py, column, self.start, stop)?.into_any(),
        };
        Ok(Some(match (decode, self.stop) {
            (None, _) => value,
            (Some(decode), None) => decode.call1((value,))?,
            (Some(decode), Some(_)) => {
                let decoded = value.try_iter()?.map(|v| decode.call1((v?,))).collect::<PyResult<Vec<_>>>()?;
                PyList::new(py, decoded)?.into_any()
            }
        }))
    }

    fn find<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        if let Some(put) = self.put(py)
            && let Some(value) = put.get_item(key)?
        {
            return Ok(Some(value));
        }
        if self.is_gone(key)? {
            return Ok(None);
        }
        let seen = self.seen.get_or_init(py, || PyDict::new(py).unbind()).bind(py);
        if let Some(value) = seen.get_item(key)? {
            return Ok(Some(value));
        }
        let made = self.made(py, key)?;
        if let Some(value) = &made {
            seen.set_item(key, value)?;
        }
        Ok(made)
    }

    fn names<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let table = self.table.get();
        let mut names = Vec::new();
        for name in table.names() {
            let name = PyString::new(py, &name).into_any();
            if !self.is_gone(&name)? {
                names.push(name);
            }
        }
        if let Some(put) = self.put(py) {
            for name in put.keys() {
                let known = name.cast::<PyString>().ok().and_then(|n| table.find_column(n.to_str().ok()?));
                if known.is_none() {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    fn whole<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let whole = PyDict::new(py);
        for name in self.names(py)? {
            if let Some(value) = self.find(&name)? {
                whole.set_item(name, value)?;
            }
        }
        Ok(whole)
    }

    fn assign(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        if let Some(gone) = self.gone(py) {
            gone.discard(key)?;
        }
        self.put.get_or_init(py, || PyDict::new(py).unbind()).bind(py).set_item(key, value)
    }

    fn delete(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        if let Some(put) = self.put(py)
            && put.contains(key)?
        {
            put.del_item(key)?;
        }
        self.gone.get_or_try_init(py, || PySet::empty(py).map(Bound::unbind))?.bind(py).add(key)
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
        if let Some(put) = self.put(key.py())
            && put.contains(key)?
        {
            return Ok(true);
        }
        let Ok(name) = key.cast::<PyString>() else { return Ok(false) };
        Ok(self.table.get().find_column(name.to_str()?).is_some() && !self.is_gone(key)?)
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
    fn changes<'py>(&self, py: Python<'py>) -> PyResult<[Bound<'py, PyAny>; 3]> {
        let dict =
            |d: Option<&Bound<'py, PyDict>>| d.map_or_else(|| PyDict::new(py), Clone::clone).into_any();
        let gone = match self.gone(py) {
            Some(gone) => gone.clone(),
            None => PySet::empty(py)?,
        };
        Ok([dict(self.seen(py)), dict(self.put(py)), gone.into_any()])
    }

    /// A column as the table has it, whatever happened to the row since.
    fn original<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.made(py, key)?.ok_or_else(|| PyKeyError::new_err(key.clone().unbind()))
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

#[pymethods]
impl Table {
    /// Rows `start..stop` as lazy rows. `decoders`: column to a function from the stored to the shown value.
    #[pyo3(signature = (start, stop, decoders=None))]
    fn lazy_rows<'py>(
        slf: &Bound<'py, Self>,
        start: usize,
        stop: usize,
        decoders: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        slf.get().check(start, stop)?;
        let decoders = decoders.filter(|d| !d.is_empty());
        let rows = (start..stop)
            .map(|i| {
                Py::new(py, LazyRow::new(slf.clone().unbind(), i, None, decoders.map(|d| d.clone().unbind())))
            })
            .collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, rows)
    }

    /// Rows `start..stop` as one lazy batch: a mapping of lists.
    #[pyo3(signature = (start, stop, decoders=None))]
    fn lazy_batch(
        slf: &Bound<'_, Self>,
        start: usize,
        stop: usize,
        decoders: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<LazyRow> {
        slf.get().check(start, stop)?;
        let decoders = decoders.filter(|d| !d.is_empty()).map(|d| d.clone().unbind());
        Ok(LazyRow::new(slf.clone().unbind(), start, Some(stop), decoders))
    }
}
