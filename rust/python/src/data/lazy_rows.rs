//! `LazyRows`: neighbouring rows that are handed to the user's function one by one.
//!
//! What is made of a row stays with the block: values in a cell per column and row, changes in one per row. A row object
//! is a reference to its block and a number, so the iterator hands out the same object again and again, as long as
//! nobody kept it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PySet, PyString};

use super::lazy::LazyRow;
use super::table::Table;
use crate::door;
use crate::objects::to_py::BatchMaker;

/// Columns up to which a name is looked for one by one.
const FEW: usize = 16;

/// What the function did to a row itself.
pub(crate) struct Changes {
    /// Values that were assigned.
    pub(crate) put: Py<PyDict>,
    /// Names that were deleted and not assigned again.
    pub(crate) gone: Py<PySet>,
}

type Cells = Box<[OnceLock<Py<PyAny>>]>;

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
    seen: Box<[OnceLock<Cells>]>,
    changes: OnceLock<Box<[OnceLock<Changes>]>>,
    /// Whether numbers that were made are remembered: needed only to know them again in a result.
    remember: bool,
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
        let seen = names.iter().map(|_| OnceLock::new()).collect();
        let table = table.clone().unbind();
        let changes = OnceLock::new();
        Ok(Self { table, start, stop, batch, place, names, index, decoders, seen, changes, remember })
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

    /// Whether the shown value of a column is not the stored one.
    pub(crate) fn decodes(&self, column: usize) -> bool {
        self.decoders.get(column).is_some_and(Option::is_some)
    }

    /// The value of a column that was made for a row.
    #[inline]
    pub(crate) fn seen<'a, 'py>(
        &'a self,
        py: Python<'py>,
        column: usize,
        at: usize,
    ) -> Option<&'a Bound<'py, PyAny>> {
        self.seen.get(column)?.get()?.get(at)?.get().map(|value| value.bind(py))
    }

    /// Whether a column was made for any row.
    pub(crate) fn touched(&self, column: usize) -> bool {
        self.seen.get(column).is_some_and(|cells| cells.get().is_some())
    }

    /// What was done to a row itself.
    #[inline]
    pub(crate) fn changes(&self, at: usize) -> Option<&Changes> {
        self.changes.get()?.get(at)?.get()
    }

    /// The same, empty if nothing was.
    pub(crate) fn changing(&self, py: Python<'_>, at: usize) -> PyResult<&Changes> {
        let all = self.changes.get_or_init(|| (0..self.count()).map(|_| OnceLock::new()).collect());
        let cell = all.get(at).ok_or_else(|| PyIndexError::new_err("row of a block"))?;
        if cell.get().is_none() {
            let made = Changes { put: PyDict::new(py).unbind(), gone: PySet::empty(py)?.unbind() };
            let _ = cell.set(made); // set meanwhile: that one counts
        }
        cell.get().ok_or_else(|| PyIndexError::new_err("row of a block"))
    }

    /// The value of a column in a row, made at first use.
    #[inline]
    pub(crate) fn value<'py>(
        &self,
        py: Python<'py>,
        column: usize,
        at: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = self.seen(py, column, at) {
            return Ok(value.clone());
        }
        let value = self.made(py, column, at)?;
        if self.remember || !is_number(&value) {
            self.keep(column, at, &value);
        }
        Ok(value)
    }

    fn keep(&self, column: usize, at: usize, value: &Bound<'_, PyAny>) {
        let Some(cells) = self.seen.get(column) else { return };
        let cells = cells.get_or_init(|| (0..self.count()).map(|_| OnceLock::new()).collect());
        if let Some(cell) = cells.get(at) {
            let _ = cell.set(value.clone().unbind());
        }
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

    #[inline]
    fn located(&self, py: Python<'_>, at: usize) -> PyResult<(&BatchMaker, usize)> {
        let table = self.table.get();
        match self.place {
            Some((batch, first)) => Ok((table.maker(py, batch)?, first + at)),
            None => table.place(py, self.start + at),
        }
    }
}

/// Whether a value is a number, a bool or None: its identity says nothing.
fn is_number(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_none()
}

/// Rows of a table for the user's function.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct LazyRows {
    pub(crate) rows: Arc<Rows>,
}

#[pymethods]
impl LazyRows {
    fn __len__(&self) -> usize {
        self.rows.count()
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<LazyRowIterator> {
        let own = Py::new(py, LazyRow::new(self.rows.clone(), 0))?;
        Ok(LazyRowIterator { rows: self.rows.clone(), next: AtomicUsize::new(0), own })
    }
}

/// Hands out the rows. The object is used again where the iterator alone has a reference to it.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct LazyRowIterator {
    rows: Arc<Rows>,
    next: AtomicUsize,
    own: Py<LazyRow>,
}

#[pymethods]
impl LazyRowIterator {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<LazyRow>>> {
        let at = self.next.load(Ordering::Relaxed);
        if at >= self.rows.count() {
            return Ok(None);
        }
        self.next.store(at + 1, Ordering::Relaxed);
        if is_mine(&self.own, py) {
            self.own.get().move_to(at);
            return Ok(Some(self.own.clone_ref(py)));
        }
        Py::new(py, LazyRow::new(self.rows.clone(), at)).map(Some)
    }
}

/// Whether the one reference to an object is this one. Without the GIL a count says nothing.
#[inline]
#[expect(unsafe_code, reason = "PyO3 has no safe way to read a reference count")]
fn is_mine<T>(object: &Py<T>, py: Python<'_>) -> bool {
    static LOCKED: PyOnceLock<bool> = PyOnceLock::new();
    let asked = || -> PyResult<bool> {
        match py.import("sys")?.getattr_opt("_is_gil_enabled")? {
            Some(ask) => ask.call0()?.extract(),
            None => Ok(true),
        }
    };
    let locked = *LOCKED.get_or_init(py, || asked().unwrap_or(false));
    // SAFETY: the object is alive, since `object` is a reference to it, and the GIL is held.
    locked && unsafe { pyo3::ffi::Py_REFCNT(object.as_ptr()) } == 1
}

#[pymethods]
impl Table {
    /// Mean bytes of a row.
    #[getter]
    fn row_nbytes(&self) -> usize {
        let table = self.view.table();
        table.nbytes() / table.num_rows().max(1)
    }

    /// Rows `start..stop` as lazy rows. `decoders`: column to a function from the stored to the shown value.
    /// `remember`: whether `merge_rows` follows, which knows values again that the function returned as they were.
    #[pyo3(signature = (start, stop, decoders=None, *, remember=true))]
    fn lazy_rows(
        slf: &Bound<'_, Self>,
        start: usize,
        stop: usize,
        decoders: Option<&Bound<'_, PyDict>>,
        remember: bool,
    ) -> PyResult<LazyRows> {
        door::inline(|| {
            let rows = Rows::new(slf, start, stop, false, decoders, remember)?;
            Ok(LazyRows { rows: Arc::new(rows) })
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

/// One byte a value: whether it is true.
#[pyfunction]
pub(crate) fn truths(values: &Bound<'_, PyList>) -> PyResult<Vec<u8>> {
    let (yes, no) = (PyBool::new(values.py(), true), PyBool::new(values.py(), false));
    let truth = |value: Bound<'_, PyAny>| match () {
        () if value.is(yes) => Ok(1),
        () if value.is(no) => Ok(0),
        () => value.is_truthy().map(u8::from),
    };
    values.iter().map(truth).collect()
}
