//! What a function returned for lazy rows, as columns: those that stay as they are and those to eat.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySet, PyString};

use super::lazy::LazyRow;
use super::lazy_rows::Rows;
use crate::door;

/// A column that changed in some row: its value by row, None where the table's value stays.
struct Changed<'py> {
    name: Bound<'py, PyAny>,
    /// Its number in the table, if it is one of the table's.
    known: Option<usize>,
    values: Vec<Option<Bound<'py, PyAny>>>,
    /// Whether a value certainly differs; else only mutable values were handed out, which may have been changed.
    sure: bool,
}

#[derive(Default)]
struct Columns<'py> {
    list: Vec<Changed<'py>>,
    index: HashMap<String, usize>,
}

impl<'py> Columns<'py> {
    /// The column of a name. Rows mostly have the same names in the same order: the hinted place is looked at first.
    fn at(
        &mut self,
        name: &Bound<'py, PyAny>,
        known: Option<usize>,
        rows: usize,
        hint: usize,
    ) -> PyResult<&mut Changed<'py>> {
        let place = match self.list.get(hint) {
            Some(column) if column.name.is(name) => hint,
            _ => {
                let text = name
                    .cast::<PyString>()
                    .map_err(|_| pyo3::exceptions::PyTypeError::new_err("a column name must be a string"))?
                    .to_str()?;
                if let Some(&place) = self.index.get(text) {
                    place
                } else {
                    self.index.insert(text.to_owned(), self.list.len());
                    self.list.push(Changed {
                        name: name.clone(),
                        known,
                        values: vec![None; rows],
                        sure: false,
                    });
                    self.list.len() - 1
                }
            }
        };
        self.list.get_mut(place).ok_or_else(|| PyKeyError::new_err("column"))
    }
}

/// What comes of a merge: the table's columns that stay untouched, and the others as lists; in the order that `datasets`
/// writes: the table's columns, then new ones. Columns are those of the first row.
pub(crate) type Merged<'py> = (Vec<String>, Bound<'py, PyDict>);

/// Merges results over rows, as `{**row, **result}`, `remove` taken out of the row first.
#[pyfunction]
pub(crate) fn merge_rows<'py>(
    py: Python<'py>,
    rows: Vec<Py<LazyRow>>,
    results: &Bound<'py, PyList>,
    remove: &Bound<'py, PySet>,
) -> PyResult<Merged<'py>> {
    let Some(first) = rows.first().map(Py::get) else { return Ok((Vec::new(), PyDict::new(py))) };
    door::inline(|| {
        let mut merge = Merge::new(py, &first.rows, first.at(), rows.len(), remove)?;
        for (at, (row, result)) in rows.iter().zip(results).enumerate() {
            merge.take(py, at, row.get(), result)?;
            merge.note_seen(py, at, row.get(), false)?;
        }
        merge.merged(py)
    })
}

/// Rows that results are merged over.
pub(crate) struct Merge<'a, 'py> {
    rows: &'a Arc<Rows>,
    /// The number of the first of them.
    first: usize,
    count: usize,
    /// Whether a column of the table is taken out of the rows, by its number.
    removed: Vec<bool>,
    changed: Columns<'py>,
    /// Rows and columns that the function deleted.
    gone: HashSet<(usize, usize)>,
}

impl<'a, 'py> Merge<'a, 'py> {
    pub(crate) fn new(
        py: Python<'py>,
        rows: &'a Arc<Rows>,
        first: usize,
        count: usize,
        remove: &Bound<'py, PySet>,
    ) -> PyResult<Self> {
        let removed =
            rows.names().iter().map(|name| remove.contains(name.bind(py))).collect::<PyResult<_>>()?;
        Ok(Self { rows, first, count, removed, changed: Columns::default(), gone: HashSet::new() })
    }

    fn is_removed(&self, column: usize) -> bool {
        self.removed.get(column).copied().unwrap_or(false)
    }

    fn is_gone(&self, at: usize, column: usize) -> bool {
        !self.gone.is_empty() && self.gone.contains(&(at, column))
    }

    /// The columns after all rows.
    pub(crate) fn merged(self, py: Python<'py>) -> PyResult<Merged<'py>> {
        let written = PyDict::new(py);
        let changed = &self.changed;
        let mut kept = Vec::new();
        for (column, name) in self.rows.names().iter().enumerate() {
            if !self.is_removed(column) && !self.is_gone(0, column) {
                kept.push(name.bind(py).to_str()?.to_owned());
            }
        }
        // The table's columns first, in its order.
        for (column, name) in self.rows.names().iter().enumerate() {
            let name = name.bind(py);
            let text = name.to_str()?;
            let there = kept.iter().any(|k| k == text);
            if let Some(&place) = changed.index.get(text) {
                let found = changed.list.get(place).ok_or_else(|| PyKeyError::new_err(text.to_owned()))?;
                if !there && found.values.first().is_none_or(Option::is_none) {
                    continue; // removed or deleted in the first row: not a column
                }
                if let Some(values) = self.filled(py, found, column, there)? {
                    kept.retain(|k| k != text);
                    written.set_item(&found.name, values)?;
                }
            } else if there {
                // A kept column that a later row deleted.
                for at in 1..self.count {
                    if self.is_gone(at, column) {
                        return Err(PyKeyError::new_err(text.to_owned()));
                    }
                }
            }
        }
        for column in self.changed.list {
            if column.known.is_none() && column.values.first().is_some_and(Option::is_some) {
                let values = column
                    .values
                    .into_iter()
                    .map(|v| v.ok_or_else(|| PyKeyError::new_err(column.name.clone().unbind())))
                    .collect::<PyResult<Vec<_>>>()?;
                written.set_item(&column.name, PyList::new(py, values)?)?;
            }
        }
        Ok((kept, written))
    }

    /// What the function did to a row and what it returned.
    pub(crate) fn take(
        &mut self,
        py: Python<'py>,
        at: usize,
        row: &LazyRow,
        result: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        if let Some(changes) = row.changes(py) {
            for (hint, (name, value)) in changes.put.bind(py).iter().enumerate() {
                let known = self.rows.column(&name)?;
                if !known.is_some_and(|c| self.is_removed(c)) {
                    let column = self.changed.at(&name, known, self.count, hint)?;
                    column.sure = true;
                    set(column, at, value);
                }
            }
            for name in changes.gone.bind(py) {
                if let Some(column) = self.rows.column(&name)? {
                    self.gone.insert((at, column));
                }
            }
        }
        if let Ok(dict) = result.cast_exact::<PyDict>() {
            return self.take_values(dict, at, row);
        }
        if let Ok(lazy) = result.cast::<LazyRow>() {
            let other = lazy.get();
            if std::ptr::eq(other, row) {
                return Ok(());
            }
            return self.take_values(&other.used(py)?, at, row);
        }
        let dict = PyDict::new(py);
        dict.update(result.cast::<PyMapping>()?)?;
        self.take_values(&dict, at, row)
    }

    fn take_values(&mut self, result: &Bound<'py, PyDict>, at: usize, row: &LazyRow) -> PyResult<()> {
        let py = result.py();
        for (hint, (name, value)) in result.iter().enumerate() {
            let known = match self.changed.list.get(hint) {
                Some(column) if column.name.is(&name) => column.known,
                _ => self.rows.column(&name)?,
            };
            let same = known.and_then(|column| row.made(py, column)).is_some_and(|made| made.is(&value));
            let removed = known.is_some_and(|column| self.is_removed(column));
            // A value that came out of the row and cannot have been changed stays what the table has.
            if same
                && !removed
                && !is_mutable(&value)
                && !known.is_some_and(|column| self.rows.decodes(column))
                && !row.changes(py).map_or(Ok(false), |c| c.put.bind(py).contains(&name))?
            {
                continue;
            }
            let column = self.changed.at(&name, known, self.count, hint)?;
            column.sure |= !same || removed;
            set(column, at, value);
        }
        Ok(())
    }

    /// Values that were handed out and may have been changed in place: by now, or later if somebody has them. `mine`:
    /// nobody has the row.
    pub(crate) fn note_seen(
        &mut self,
        py: Python<'py>,
        at: usize,
        row: &LazyRow,
        mine: bool,
    ) -> PyResult<()> {
        if !row.is_used() {
            return Ok(());
        }
        for (column, name) in self.rows.names().iter().enumerate() {
            if self.is_removed(column) || self.is_gone(at, column) {
                continue;
            }
            let Some(value) = row.made(py, column) else { continue };
            let decoded = self.rows.decodes(column);
            if !decoded && !is_mutable(&value) {
                continue;
            }
            if mine && self.rows.is_same_for_good(py, column, row.at(), &value)? {
                continue;
            }
            let noted = self.changed.at(name.bind(py).as_any(), Some(column), self.count, column)?;
            noted.sure |= decoded;
            if let Some(slot @ None) = noted.values.get_mut(at) {
                *slot = Some(value);
            }
        }
        Ok(())
    }

    /// The values of a changed column of the table; None if no row differs from the table after all.
    fn filled(
        &self,
        py: Python<'py>,
        found: &Changed<'py>,
        column: usize,
        in_row: bool,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let mut differs = found.sure;
        let mut values = Vec::with_capacity(found.values.len());
        for (at, value) in found.values.iter().enumerate() {
            match value {
                Some(value) => {
                    differs = differs || !self.rows.is_same(py, column, self.first + at, value)?;
                    values.push(value.clone());
                }
                None if self.is_removed(column) || self.is_gone(at, column) => {
                    return Err(PyKeyError::new_err(found.name.clone().unbind()));
                }
                None => values.push(self.rows.made(py, column, self.first + at)?),
            }
        }
        (differs || !in_row).then(|| PyList::new(py, values)).transpose()
    }
}

fn set<'py>(column: &mut Changed<'py>, at: usize, value: Bound<'py, PyAny>) {
    if let Some(slot) = column.values.get_mut(at) {
        *slot = Some(value);
    }
}

/// Whether a value may have been changed in place.
fn is_mutable(value: &Bound<'_, PyAny>) -> bool {
    !(value.is_none()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyBytes>())
}
