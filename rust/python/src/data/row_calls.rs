//! `RowCalls`: the calls of a user's function on the rows of a table, and what is made of the results as they come.
//!
//! The calls are made by Python's own `map`, the cheapest way to call a function under the stable ABI. All of them get
//! one row object, which is moved to the next row between them; where somebody kept it, a new one takes its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyIterator, PyList, PyMapping, PySet, PyTuple};

use super::lazy::LazyRow;
use super::lazy_rows::{Rows, has_only};
use super::merge::{Merge, Merged};
use super::table::Table;
use crate::door;

/// How many calls are done: its length.
#[pyclass(frozen, module = "_crucible._native")]
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

#[pymethods]
impl Count {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn __len__(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Calls of a function on the rows of a table, one after the other.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct RowCalls {
    rows: Arc<Rows>,
    function: Py<PyAny>,
    /// The further arguments of the calls.
    more: Vec<Py<PyIterator>>,
    /// The row of the next call.
    next: AtomicUsize,
}

/// References to the row object that are known: `Calls` has one, and the iterator that repeats it.
const KNOWN: isize = 2;

struct Calls<'a, 'py> {
    of: &'a RowCalls,
    row: Py<LazyRow>,
    results: Bound<'py, PyIterator>,
}

impl<'a, 'py> Calls<'a, 'py> {
    fn new(py: Python<'py>, of: &'a RowCalls) -> PyResult<Self> {
        let row = Py::new(py, LazyRow::new(of.rows.clone(), 0))?;
        let same = py.import("itertools")?.getattr("repeat")?.call1((&row,))?;
        let mut arguments = vec![of.function.bind(py).clone(), same];
        arguments.extend(of.more.iter().map(|each| each.bind(py).clone().into_any()));
        let map = py.import("builtins")?.getattr("map")?.call1(PyTuple::new(py, arguments)?)?;
        Ok(Self { of, row, results: map.try_iter()? })
    }

    /// What the function returns for a row; None where `map` ended.
    #[inline]
    fn call(&mut self, py: Python<'py>, at: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !self.is_alone(py) {
            *self = Self::new(py, self.of)?;
        }
        self.row.get().move_to(py, at)?;
        self.results.next().transpose()
    }

    /// Whether nobody else has the row.
    #[inline]
    fn is_alone(&self, py: Python<'_>) -> bool {
        has_only(&self.row, KNOWN, py)
    }
}

#[pymethods]
impl RowCalls {
    /// Merges the results of the next `number` calls over their rows as they come, so that none lives longer than its
    /// row.
    ///
    /// Returns the results that are no mappings, and what comes of the merge if all were. `done` says how many calls
    /// returned: fewer than `number` where the function raised `StopIteration`.
    #[pyo3(name = "merge")]
    fn merged<'py>(
        &self,
        py: Python<'py>,
        number: usize,
        remove: &Bound<'py, PySet>,
        done: &Bound<'py, Count>,
    ) -> PyResult<(Bound<'py, PyList>, Option<Merged<'py>>)> {
        let done = &done.get().0;
        let first = self.next.fetch_add(number, Ordering::Relaxed);
        door::inline(|| {
            let mut calls = Calls::new(py, self)?;
            let mut merge = Merge::new(py, &self.rows, first, number, remove)?;
            let others = PyList::empty(py);
            for at in 0..number {
                let Some(result) = calls.call(py, first + at)? else { break };
                if is_mapping(&result) {
                    let row = calls.row.get();
                    merge.take(py, at, row, result)?; // the result is gone then
                    merge.note_seen(py, at, row, calls.is_alone(py))?;
                } else {
                    others.append(result)?;
                }
                done.store(at + 1, Ordering::Relaxed);
            }
            let all = others.is_empty() && number > 0 && done.load(Ordering::Relaxed) == number;
            let merged = if all { Some(merge.merged(py)?) } else { None };
            Ok((others, merged))
        })
    }

    /// The numbers of the rows whose result is true, as int64.
    #[pyo3(name = "true_rows")]
    fn trues<'py>(&self, py: Python<'py>, done: &Bound<'py, Count>) -> PyResult<Bound<'py, PyBytes>> {
        let rows = self.rows.count();
        door::inline(|| {
            let mut calls = Calls::new(py, self)?;
            let first = self.next.fetch_add(rows, Ordering::Relaxed);
            numbers_of_true(py, &done.get().0, |at| calls.call(py, first + at), rows)
        })
    }
}

/// The numbers of the true values of an iterator, as int64.
#[pyfunction]
pub(crate) fn true_numbers<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyIterator>,
    done: &Bound<'py, Count>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut values = values.clone();
    door::inline(|| numbers_of_true(py, &done.get().0, |_| values.next().transpose(), usize::MAX))
}

fn numbers_of_true<'py>(
    py: Python<'py>,
    done: &AtomicUsize,
    mut next: impl FnMut(usize) -> PyResult<Option<Bound<'py, PyAny>>>,
    end: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let (yes, no) = (PyBool::new(py, true), PyBool::new(py, false));
    let mut numbers = Vec::new();
    for at in 0..end {
        let Some(value) = next(at)? else { break };
        if value.is(yes) || (!value.is(no) && value.is_truthy()?) {
            numbers.extend_from_slice(&(at as i64).to_ne_bytes());
        }
        done.store(at + 1, Ordering::Relaxed);
    }
    Ok(PyBytes::new(py, &numbers))
}

fn is_mapping(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyDict>()
        || value.is_exact_instance_of::<LazyRow>()
        || (!value.is_none() && value.cast::<PyMapping>().is_ok())
}

#[pymethods]
impl Table {
    /// Calls of `function` on the rows. `more`: iterables of further arguments. `decoders`: column to a function from the
    /// stored to the shown value. `remember`: whether results are merged, where values of the row are known again.
    #[pyo3(signature = (function, more, decoders=None, *, remember=true))]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from a Python sequence")]
    fn row_calls(
        slf: &Bound<'_, Self>,
        function: Py<PyAny>,
        more: Vec<Bound<'_, PyAny>>,
        decoders: Option<&Bound<'_, PyDict>>,
        remember: bool,
    ) -> PyResult<RowCalls> {
        let rows = Rows::new(slf, 0, slf.get().view.num_rows(), false, decoders, remember)?;
        let more = more.iter().map(|each| Ok(each.try_iter()?.unbind())).collect::<PyResult<_>>()?;
        Ok(RowCalls { rows: Arc::new(rows), function, more, next: AtomicUsize::new(0) })
    }
}
