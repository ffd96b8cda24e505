//! Tables in pickles: by the files that they are mapped from where that is possible, else as Arrow IPC bytes.

use std::path::PathBuf;

use crucible_data::checked::{self, Stamp};
use crucible_data::reference::{self, Reference};
use crucible_data::{RowOrder, View, ipc_stream, store};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::table::Table;
use crate::door;
use crate::errors::Error;

/// Row numbers in a pickle: neighbours, or numbers in as few bytes as the largest needs.
#[derive(FromPyObject)]
enum Sent {
    Range(usize, usize),
    Numbers(usize, Vec<u8>),
}

#[pymethods]
impl Table {
    /// A mapped table is sent as the names of its files, columns and rows, anything else as Arrow IPC bytes.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let this = slf.get();
        let class = slf.get_type();
        if let Some(path) = this.view.table().path()
            && this.view.is_whole()
        {
            let stamp = checked::stamp_of(path).and_then(|stamp| serde_json::to_string(&stamp).ok());
            let unchecked = this.view.table().is_any_waiting();
            let parts = (path.to_string_lossy().into_owned(), stamp, unchecked).into_pyobject(py)?;
            return Ok((class.getattr("_mapped")?, parts));
        }
        let view = &this.view;
        let found = door::run(py, |_| {
            let Some(found) = Reference::of(view.table()) else {
                return Ok(None);
            };
            let text = serde_json::to_string(&found).map_err(|e| Error::Internal(e.to_string()))?;
            Ok::<_, Error>(Some((text, reference::schema_bytes(&view.table().schema())?, packed(view))))
        })?;
        if let Some((text, schema, (width, numbers))) = found {
            let order = match (view.range(), numbers) {
                (Some((start, len)), _) => (start, len).into_pyobject(py)?.into_any(),
                (None, numbers) => (width, PyBytes::new(py, &numbers)).into_pyobject(py)?.into_any(),
            };
            let parts = [text.into_pyobject(py)?.into_any(), PyBytes::new(py, &schema).into_any(), order];
            return Ok((class.getattr("_referred")?, PyTuple::new(py, parts)?));
        }
        let bytes = super::table_make::ipc_bytes(py, this)?;
        Ok((class.getattr("from_ipc")?, PyTuple::new(py, [bytes])?))
    }

    /// What `__reduce__` made of a whole file; `stamp` tells the file whose values were checked, `unchecked` that they were
    /// not.
    #[staticmethod]
    #[pyo3(signature = (path, stamp=None, unchecked=false))]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from Python")]
    fn _mapped(py: Python<'_>, path: PathBuf, stamp: Option<&str>, unchecked: bool) -> PyResult<Self> {
        let stamp: Option<Stamp> = stamp.and_then(|text| serde_json::from_str(text).ok());
        if stamp.is_some() && stamp == Stamp::at(&path) {
            checked::note(&path, stamp);
        }
        door::run(py, |_| {
            if unchecked { ipc_stream::open_stream(&path) } else { store::open_ipc(&path) }.map(Self::new)
        })
    }

    /// What `__reduce__` made of a table over files.
    #[staticmethod]
    fn _referred(py: Python<'_>, text: &str, schema: &[u8], order: Sent) -> PyResult<Self> {
        let found: Reference = serde_json::from_str(text)
            .map_err(|e| Error::schema(format!("a pickled table is broken: {e}")))?;
        door::run(py, |_| {
            let table = found.open(&reference::schema_of(schema)?)?;
            let whole = View::new(std::sync::Arc::new(table));
            let view = match order {
                Sent::Range(start, len) => whole.select_range(start, len)?,
                Sent::Numbers(width, bytes) => whole.select_indices(&unpacked(width, &bytes))?,
            };
            Ok::<_, Error>(Self::from_view(view))
        })
    }
}

/// The row numbers of an order that is no range, each in as few bytes as the largest needs.
fn packed(view: &View) -> (usize, Vec<u8>) {
    let RowOrder::Indices(rows) = view.order() else {
        return (0, Vec::new());
    };
    let largest = rows.iter().copied().max().unwrap_or(0);
    let width = [1_usize, 2, 4].into_iter().find(|w| largest >> (8 * w) == 0).unwrap_or(8);
    let mut bytes = Vec::with_capacity(rows.len() * width);
    for row in rows.iter() {
        bytes.extend(row.to_le_bytes().iter().take(width));
    }
    (width, bytes)
}

fn unpacked(width: usize, bytes: &[u8]) -> Vec<u64> {
    let number = |part: &[u8]| part.iter().rev().fold(0_u64, |sum, &byte| (sum << 8) | u64::from(byte));
    bytes.chunks_exact(width.clamp(1, 8)).map(number).collect()
}
