//! `merge_rows`: what a function returned for lazy rows, as columns: those that stay as they are and those to eat.

use std::collections::HashMap;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySet, PyString};

use super::lazy::LazyRow;
use crate::door;

/// A column that changed in some row: its value by row, None where the table's value stays.
struct Changed<'py> {
    name: Bound<'py, PyAny>,
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
    fn at(&mut self, name: &Bound<'py, PyAny>, rows: usize, hint: usize) -> PyResult<&mut Changed<'py>> {
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
                    self.list.push(Changed { name: name.clone(), values: vec![None; rows], sure: false });
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
    rows: &Bound<'py, PyList>,
    results: &Bound<'py, PyList>,
    remove: &Bound<'py, PySet>,
) -> PyResult<(Vec<String>, Bound<'py, PyDict>)> {
    door::inline(|| merged(py, rows, results, remove))
}

fn merged<'py>(
    py: Python<'py>,
    rows: &Bound<'py, PyList>,
    results: &Bound<'py, PyList>,
    remove: &Bound<'py, PySet>,
) -> PyResult<(Vec<String>, Bound<'py, PyDict>)> {
    let count = rows.len();
    let lazy: Vec<Bound<'py, LazyRow>> =
        rows.iter().map(|r| r.cast_into::<LazyRow>().map_err(PyErr::from)).collect::<PyResult<_>>()?;
    let mut changed = Columns::default();
    for (at, (row, result)) in lazy.iter().zip(results.iter()).enumerate() {
        note_row(row.get(), at, count, remove, &mut changed, py)?;
        note_result(row.get(), &result, at, count, remove, &mut changed)?;
    }
    let kept_names = |row: &LazyRow| -> PyResult<Vec<String>> {
        let mut names = Vec::new();
        for name in row.table.get().names() {
            let key = PyString::new(py, &name);
            if !remove.contains(&key)? && !row.gone(py).map_or(Ok(false), |g| g.contains(&key))? {
                names.push(name);
            }
        }
        Ok(names)
    };
    let Some(first) = lazy.first() else { return Ok((Vec::new(), PyDict::new(py))) };
    let mut kept = kept_names(first.get())?;
    let written = PyDict::new(py);
    // The table's columns first, in its order.
    for name in first.get().table.get().names() {
        if let Some(&place) = changed.index.get(&name) {
            let column = changed.list.get(place).ok_or_else(|| PyKeyError::new_err(name.clone()))?;
            let there = kept.contains(&name);
            if !there && column.values.first().is_none_or(Option::is_none) {
                continue; // removed or deleted in the first row: not a column
            }
            if let Some(values) = filled(py, column, &lazy, there, remove)? {
                kept.retain(|k| k != &name);
                written.set_item(&column.name, values)?;
            }
        } else if let Some(bad) = missing(py, &name, &kept, &lazy)? {
            return Err(bad);
        }
    }
    for column in &changed.list {
        let name = column.name.cast::<PyString>()?.to_str()?;
        let new = first.get().table.get().find_column(name).is_none();
        if new && column.values.first().is_some_and(Option::is_some) {
            let values = column
                .values
                .iter()
                .map(|v| v.as_ref().ok_or_else(|| PyKeyError::new_err(column.name.clone().unbind())))
                .collect::<PyResult<Vec<_>>>()?;
            written.set_item(&column.name, PyList::new(py, values)?)?;
        }
    }
    Ok((kept, written))
}

/// A kept column that a later row deleted.
fn missing(
    py: Python<'_>,
    name: &str,
    kept: &[String],
    lazy: &[Bound<'_, LazyRow>],
) -> PyResult<Option<PyErr>> {
    if !kept.iter().any(|k| k == name) {
        return Ok(None);
    }
    for row in lazy {
        if let Some(gone) = row.get().gone(py)
            && gone.contains(name)?
        {
            return Ok(Some(PyKeyError::new_err(name.to_owned())));
        }
    }
    Ok(None)
}

/// What the function did to the row itself.
fn note_row<'py>(
    row: &LazyRow,
    at: usize,
    count: usize,
    remove: &Bound<'py, PySet>,
    changed: &mut Columns<'py>,
    py: Python<'py>,
) -> PyResult<()> {
    if let Some(seen) = row.seen(py) {
        for (hint, (name, value)) in seen.iter().enumerate() {
            let decoded = row.decodes(&name)?;
            if (decoded || is_mutable(&value)) && !remove.contains(&name)? && !row.is_gone(&name)? {
                let column = changed.at(&name, count, hint)?;
                column.sure |= decoded;
                set(column, at, value);
            }
        }
    }
    if let Some(put) = row.put(py) {
        for (hint, (name, value)) in put.iter().enumerate() {
            if !remove.contains(&name)? {
                let column = changed.at(&name, count, hint)?;
                column.sure = true;
                set(column, at, value);
            }
        }
    }
    Ok(())
}

/// What the function returned.
fn note_result<'py>(
    row: &LazyRow,
    result: &Bound<'py, PyAny>,
    at: usize,
    count: usize,
    remove: &Bound<'py, PySet>,
    changed: &mut Columns<'py>,
) -> PyResult<()> {
    let py = result.py();
    if let Ok(lazy) = result.cast::<LazyRow>() {
        let same = std::ptr::eq(std::ptr::from_ref(lazy.get()), std::ptr::from_ref(row));
        return if same { Ok(()) } else { note_row(lazy.get(), at, count, remove, changed, py) };
    }
    let result = if let Ok(dict) = result.cast::<PyDict>() {
        dict.clone()
    } else {
        let dict = PyDict::new(py);
        dict.update(result.cast::<PyMapping>()?)?;
        dict
    };
    let (seen, put) = (row.seen(py), row.put(py));
    for (hint, (name, value)) in result.iter().enumerate() {
        // A value that came out of the row and cannot have been changed stays what the table has.
        if let Some(seen) = seen
            && let Some(made) = seen.get_item(&name)?
            && made.is(&value)
            && !is_mutable(&value)
            && !row.decodes(&name)?
            && !remove.contains(&name)?
            && !put.map_or(Ok(false), |p| p.contains(&name))?
        {
            continue;
        }
        let same = seen.map(|s| s.get_item(&name)).transpose()?.flatten().is_some_and(|made| made.is(&value));
        let column = changed.at(&name, count, hint)?;
        column.sure |= !same || remove.contains(&name)?;
        set(column, at, value);
    }
    Ok(())
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

/// The values of a changed column of the table; None if no row differs from the table after all.
fn filled<'py>(
    py: Python<'py>,
    column: &Changed<'py>,
    lazy: &[Bound<'py, LazyRow>],
    in_row: bool,
    remove: &Bound<'py, PySet>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    let removed = remove.contains(&column.name)?;
    let mut differs = column.sure;
    let mut values = Vec::with_capacity(lazy.len());
    for (row, value) in lazy.iter().zip(&column.values) {
        let row = row.get();
        let original =
            || row.made(py, &column.name)?.ok_or_else(|| PyKeyError::new_err(column.name.clone().unbind()));
        match value {
            Some(value) => {
                differs = differs || !value.eq(original()?)?;
                values.push(value.clone());
            }
            None if removed || row.is_gone(&column.name)? => {
                return Err(PyKeyError::new_err(column.name.clone().unbind()));
            }
            None => values.push(original()?),
        }
    }
    (differs || !in_row).then(|| PyList::new(py, values)).transpose()
}
