//! `merge_rows`: what a function returned for lazy rows, as columns: those that stay as they are and those to eat.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySet, PyString};

use super::lazy::LazyRow;
use super::lazy_rows::{LazyRows, Rows};
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

/// Merges results over rows, as `{**row, **result}`, `remove` taken out of the row first.
///
/// Returns the table's columns that stay untouched, and the others as lists; in the order that `datasets` writes: the
/// table's columns, then new ones. Columns are those of the first row.
#[pyfunction]
pub(crate) fn merge_rows<'py>(
    py: Python<'py>,
    rows: &Bound<'py, LazyRows>,
    results: &Bound<'py, PyList>,
    remove: &Bound<'py, PySet>,
) -> PyResult<(Vec<String>, Bound<'py, PyDict>)> {
    let block = Block::new(py, &rows.get().rows, remove)?;
    door::inline(|| block.merged(py, results))
}

/// The rows that results are merged over.
struct Block<'a> {
    rows: &'a Rows,
    /// Whether a column of the table is taken out of the rows, by its number.
    removed: Vec<bool>,
}

impl<'a> Block<'a> {
    fn new(py: Python<'_>, rows: &'a Rows, remove: &Bound<'_, PySet>) -> PyResult<Self> {
        let removed =
            rows.names().iter().map(|name| remove.contains(name.bind(py))).collect::<PyResult<_>>()?;
        Ok(Self { rows, removed })
    }

    fn is_removed(&self, column: usize) -> bool {
        self.removed.get(column).copied().unwrap_or(false)
    }

    fn merged<'py>(
        &self,
        py: Python<'py>,
        results: &Bound<'py, PyList>,
    ) -> PyResult<(Vec<String>, Bound<'py, PyDict>)> {
        let written = PyDict::new(py);
        let count = self.rows.count();
        let mut changed = Columns::default();
        for column in (0..self.removed.len()).filter(|&c| self.rows.touched(c)) {
            for at in 0..count {
                self.note_seen(py, column, at, count, &mut changed)?;
            }
        }
        for (at, result) in results.iter().enumerate() {
            self.note_put(py, at, count, &mut changed)?;
            self.note_result(&result, at, count, &mut changed)?;
        }
        let mut kept = Vec::new();
        for (column, name) in self.rows.names().iter().enumerate() {
            if !self.is_removed(column) && !self.is_gone(py, 0, name.bind(py))? {
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
                for at in 1..count {
                    if self.is_gone(py, at, name)? {
                        return Err(PyKeyError::new_err(text.to_owned()));
                    }
                }
            }
        }
        for column in changed.list {
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

    fn is_gone(&self, py: Python<'_>, at: usize, name: &Bound<'_, PyString>) -> PyResult<bool> {
        self.rows.changes(at).map_or(Ok(false), |changes| changes.gone.bind(py).contains(name))
    }

    /// A value that was handed out and may have been changed in place.
    fn note_seen<'py>(
        &self,
        py: Python<'py>,
        column: usize,
        at: usize,
        count: usize,
        changed: &mut Columns<'py>,
    ) -> PyResult<()> {
        let (Some(value), Some(name)) = (self.rows.seen(py, column, at), self.rows.names().get(column))
        else {
            return Ok(());
        };
        let (decoded, name) = (self.rows.decodes(column), name.bind(py));
        if (decoded || is_mutable(value)) && !self.is_removed(column) && !self.is_gone(py, at, name)? {
            let column = changed.at(name.as_any(), Some(column), count, column)?;
            column.sure |= decoded;
            set(column, at, value.clone());
        }
        Ok(())
    }

    /// Values that were assigned to a row.
    fn note_put<'py>(
        &self,
        py: Python<'py>,
        at: usize,
        count: usize,
        changed: &mut Columns<'py>,
    ) -> PyResult<()> {
        let Some(changes) = self.rows.changes(at) else { return Ok(()) };
        for (hint, (name, value)) in changes.put.bind(py).iter().enumerate() {
            let known = self.rows.column(&name)?;
            if !known.is_some_and(|c| self.is_removed(c)) {
                let column = changed.at(&name, known, count, hint)?;
                column.sure = true;
                set(column, at, value);
            }
        }
        Ok(())
    }

    /// What the function returned.
    fn note_result<'py>(
        &self,
        result: &Bound<'py, PyAny>,
        at: usize,
        count: usize,
        changed: &mut Columns<'py>,
    ) -> PyResult<()> {
        let py = result.py();
        if let Ok(dict) = result.cast_exact::<PyDict>() {
            return self.note_values(dict, at, count, changed);
        }
        if let Ok(lazy) = result.cast::<LazyRow>() {
            let row = lazy.get();
            if std::ptr::eq(Arc::as_ptr(&row.rows), self.rows) && row.at() == at {
                return Ok(());
            }
            return self.note_values(&row.used(py)?, at, count, changed);
        }
        let dict = PyDict::new(py);
        dict.update(result.cast::<PyMapping>()?)?;
        self.note_values(&dict, at, count, changed)
    }

    fn note_values<'py>(
        &self,
        result: &Bound<'py, PyDict>,
        at: usize,
        count: usize,
        changed: &mut Columns<'py>,
    ) -> PyResult<()> {
        let py = result.py();
        for (hint, (name, value)) in result.iter().enumerate() {
            let known = match changed.list.get(hint) {
                Some(column) if column.name.is(&name) => column.known,
                _ => self.rows.column(&name)?,
            };
            let same =
                known.and_then(|column| self.rows.seen(py, column, at)).is_some_and(|made| made.is(&value));
            let removed = known.is_some_and(|column| self.is_removed(column));
            // A value that came out of the row and cannot have been changed stays what the table has.
            if same
                && !removed
                && !is_mutable(&value)
                && !known.is_some_and(|column| self.rows.decodes(column))
                && !self.rows.changes(at).map_or(Ok(false), |c| c.put.bind(py).contains(&name))?
            {
                continue;
            }
            let column = changed.at(&name, known, count, hint)?;
            column.sure |= !same || removed;
            set(column, at, value);
        }
        Ok(())
    }

    /// The values of a changed column of the table; None if no row differs from the table after all.
    fn filled<'py>(
        &self,
        py: Python<'py>,
        found: &Changed<'py>,
        column: usize,
        in_row: bool,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let name = found.name.cast::<PyString>()?;
        let mut differs = found.sure;
        let mut values = Vec::with_capacity(found.values.len());
        for (at, value) in found.values.iter().enumerate() {
            match value {
                Some(value) => {
                    differs = differs || !self.rows.is_same(py, column, at, value)?;
                    values.push(value.clone());
                }
                None if self.is_removed(column) || self.is_gone(py, at, name)? => {
                    return Err(PyKeyError::new_err(found.name.clone().unbind()));
                }
                None => values.push(self.rows.made(py, column, at)?),
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
