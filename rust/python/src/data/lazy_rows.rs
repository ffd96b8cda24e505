//! `Rows`: neighbouring rows that are handed to the user's function, and where their values are.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString};

use super::lazy::LazyRow;
use super::table::Table;
use crate::door;
use crate::objects::to_py::BatchMaker;

/// Columns up to which a name is looked for one by one.
const FEW: usize = 16;

/// Neighbouring rows of a table, or a batch of them that counts as one row.
pub(crate) struct Rows {
    pub(crate) table: Py<Table>,
    start: usize,
    stop: usize,
    batch: bool,
    /// The batch of the table and the row in it of the first row, where all rows lie together.
    place: Option<(usize, usize)>,
    names: Vec<Py<PyString>>,
    /// Column numbers by name, where there are many.
    index: Option<Py<PyDict>>,
    /// From the stored to the shown value; as many as columns, or none at all.
    decoders: Vec<Option<Py<PyAny>>>,
    /// Whether numbers that were made are remembered: needed only to know them again in a result.
    pub(crate) remember: bool,
}

impl Rows {
    pub(crate) fn new(
        table: &Bound<'_, Table>,
        start: usize,
        stop: usize,
        batch: bool,
        decoders: Option<&Bound<'_, PyDict>>,
        remember: bool,
    ) -> PyResult<Self> {
        let py = table.py();
        let held = table.get();
        held.check(start, stop)?;
        let texts = held.names();
        let names: Vec<_> = texts.iter().map(|name| PyString::intern(py, name).unbind()).collect();
        let decoders = match decoders.filter(|d| !d.is_empty()) {
            Some(found) => names
                .iter()
                .map(|name| Ok(found.get_item(name.bind(py))?.map(Bound::unbind)))
                .collect::<PyResult<_>>()?,
            None => Vec::new(),
        };
        let index = if names.len() > FEW {
            let index = PyDict::new(py);
            for (number, name) in names.iter().enumerate() {
                index.set_item(name.bind(py), number)?;
            }
            Some(index.unbind())
        } else {
            None
        };
        let together = !batch && start < stop && held.view.is_one_slice(start, stop - start);
        let place = if together { held.view.locate(start).ok() } else { None };
        let table = table.clone().unbind();
        Ok(Self { table, start, stop, batch, place, names, index, decoders, remember })
    }

    /// Number of rows; a batch is one.
    pub(crate) fn count(&self) -> usize {
        if self.batch { 1 } else { self.stop - self.start }
    }

    /// Names of the table's columns.
    pub(crate) fn names(&self) -> &[Py<PyString>] {
        &self.names
    }

    /// The number of a column. Names in code are interned: mostly the same object.
    #[inline]
    pub(crate) fn column(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let py = key.py();
        if let Some(index) = &self.index {
            if !key.is_instance_of::<PyString>() {
                return Ok(None);
            }
            return index.bind(py).get_item(key)?.map(|number| number.extract()).transpose();
        }
        if let Some(found) = self.names.iter().position(|name| name.is(key)) {
            return Ok(Some(found));
        }
        let Ok(key) = key.cast::<PyString>() else { return Ok(None) };
        let text = key.to_str()?;
        for (number, name) in self.names.iter().enumerate() {
            if name.bind(py).to_str()? == text {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// The value of a column of numbers, where that is plain: not to be remembered, not decoded, not null, and by a name
    /// that is the same object as the column's.
    #[inline]
    pub(crate) fn number<'py>(&self, key: &Bound<'py, PyAny>, at: usize) -> Option<Bound<'py, PyAny>> {
        let (batch, first) = self.place?;
        if self.remember || self.index.is_some() || !self.decoders.is_empty() {
            return None;
        }
        let column = self.names.iter().position(|name| name.is(key))?;
        self.table.get().made_maker(batch)?.number(key.py(), column, first + at)
    }

    /// Whether the shown value of a column is not the stored one.
    pub(crate) fn decodes(&self, column: usize) -> bool {
        self.decoders.get(column).is_some_and(Option::is_some)
    }

    /// The value of a column as the table has it, decoded.
    pub(crate) fn made<'py>(&self, py: Python<'py>, column: usize, at: usize) -> PyResult<Bound<'py, PyAny>> {
        let decode = self.decoders.get(column).and_then(Option::as_ref).map(|d| d.bind(py));
        let table = self.table.get();
        if self.batch {
            let values = table.values(py, column, self.start, self.stop)?;
            let Some(decode) = decode else { return Ok(values.into_any()) };
            let decoded = values.iter().map(|v| decode.call1((v,))).collect::<PyResult<Vec<_>>>()?;
            return Ok(PyList::new(py, decoded)?.into_any());
        }
        let (maker, row) = self.located(py, at)?;
        let value = maker.value(py, column, row)?;
        match decode {
            Some(decode) => decode.call1((value,)),
            None => Ok(value),
        }
    }

    /// Whether a value of a row equals what the table has.
    pub(crate) fn is_same(
        &self,
        py: Python<'_>,
        column: usize,
        at: usize,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        if self.batch || self.decodes(column) {
            return value.eq(self.made(py, column, at)?);
        }
        let (maker, row) = self.located(py, at)?;
        maker.same(column, row, value)
    }

    /// Whether a value that was made for a row equals what the table has, and nobody but the row has it or a part of it:
    /// then nobody can change it any more. `value` and the row are two references.
    pub(crate) fn is_same_for_good(
        &self,
        py: Python<'_>,
        column: usize,
        at: usize,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        if self.batch || self.decodes(column) {
            return Ok(false);
        }
        let (maker, row) = self.located(py, at)?;
        maker.same_for_good(column, row, value)
    }

    #[inline]
    fn located(&self, py: Python<'_>, at: usize) -> PyResult<(&BatchMaker, usize)> {
        let table = self.table.get();
        match self.place {
            Some((batch, first)) => Ok((table.maker(py, batch)?, first + at)),
            None => table.place(py, self.start + at),
        }
    }
}

/// Whether an object has `count` references: those that the caller knows, so that nobody else has it.
#[inline]
#[expect(unsafe_code, reason = "PyO3 has no safe way to read a reference count")]
pub(crate) fn has_only<T>(object: &Py<T>, count: isize, py: Python<'_>) -> bool {
    // SAFETY: the object is alive, since `object` is a reference to it, and the GIL is held.
    counts_say(py) && unsafe { pyo3::ffi::Py_REFCNT(object.as_ptr()) } == count
}

/// Whether reference counts say who has an object: not without the GIL.
#[inline]
fn counts_say(py: Python<'_>) -> bool {
    static LOCKED: PyOnceLock<bool> = PyOnceLock::new();
    let asked = || -> PyResult<bool> {
        match py.import("sys")?.getattr_opt("_is_gil_enabled")? {
            Some(ask) => ask.call0()?.extract(),
            None => Ok(true),
        }
    };
    *LOCKED.get_or_init(py, || asked().unwrap_or(false))
}

#[pymethods]
impl Table {
    /// Rows `start..stop` as lazy rows. `decoders`: column to a function from the stored to the shown value.
    #[pyo3(signature = (start, stop, decoders=None))]
    fn lazy_rows(
        slf: &Bound<'_, Self>,
        start: usize,
        stop: usize,
        decoders: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Vec<LazyRow>> {
        door::inline(|| {
            let rows = Arc::new(Rows::new(slf, start, stop, false, decoders, true)?);
            Ok((0..rows.count()).map(|at| LazyRow::new(rows.clone(), at)).collect())
        })
    }

    /// Rows `start..stop` as one lazy batch: a mapping of lists.
    #[pyo3(signature = (start, stop, decoders=None))]
    fn lazy_batch(
        slf: &Bound<'_, Self>,
        start: usize,
        stop: usize,
        decoders: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<LazyRow> {
        let rows = Rows::new(slf, start, stop, true, decoders, true)?;
        Ok(LazyRow::new(Arc::new(rows), 0))
    }
}
