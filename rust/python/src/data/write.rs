//! Tables to files of other formats.

use std::path::PathBuf;

use crucible_data::encode::csv::{CsvWriteOptions, csv_rows};
use crucible_data::encode::ipc::{self, IpcOptions};
use crucible_data::encode::parquet::{self, ParquetOptions};
use crucible_data::encode::records::{JsonWriteOptions, json_rows};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::counter::Counter;
use super::table::Table;
use crate::door;
use crate::errors::data;

#[pymethods]
impl Table {
    /// Writes the rows as Arrow IPC, the file or the stream form; the file appears under its name only when complete.
    /// `compression` is `uncompressed`, `lz4` or `zstd`.
    #[pyo3(signature = (path, *, stream=false, compression="uncompressed"))]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from Python")]
    fn write_ipc(&self, py: Python<'_>, path: PathBuf, stream: bool, compression: &str) -> PyResult<()> {
        let options = IpcOptions { stream, compression: compression.parse().map_err(data)? };
        let view = &self.view;
        door::run(py, |cancel| {
            ipc::write_ipc(&path, &view.table().schema(), view.iter_batches(), options, cancel)
        })
    }
}

#[pymethods]
impl Table {
    /// Writes the rows as Parquet; the file appears under its name only when complete. `options` is JSON. Returns the bytes
    /// of the rows as Arrow data; `counter` counts them meanwhile.
    #[pyo3(signature = (path, options="{}", counter=None))]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from Python")]
    fn write_parquet(
        &self,
        py: Python<'_>,
        path: PathBuf,
        options: &str,
        counter: Option<Bound<'_, Counter>>,
    ) -> PyResult<usize> {
        let options: ParquetOptions = parsed(options)?;
        let view = &self.view;
        let counter = counter.as_ref().map(Bound::get);
        door::run(py, |cancel| {
            let batches = Counter::counting(counter, view.iter_batches());
            parquet::write_file(&path, &view.table().schema(), batches, &options, cancel)
        })
    }

    /// Rows `start..stop` as CSV, as pandas writes it; `start` is the first row of a batch. `options` is JSON.
    fn csv_rows<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        stop: usize,
        options: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.check(start, stop)?;
        let options: CsvWriteOptions = parsed(options)?;
        let view = &self.view;
        joined(py, &door::run(py, |cancel| csv_rows(view, start, stop, &options, cancel))?)
    }

    /// Rows `start..stop` as JSON, as pandas writes it: lines, or one array of all rows. `options` is JSON.
    fn json_rows<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        stop: usize,
        options: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.check(start, stop)?;
        let options: JsonWriteOptions = parsed(options)?;
        let view = &self.view;
        joined(py, &door::run(py, |cancel| json_rows(view, start, stop, &options, cancel))?)
    }
}

fn parsed<'a, T: serde::Deserialize<'a>>(options: &'a str) -> PyResult<T> {
    serde_json::from_str(options).map_err(|e| PyValueError::new_err(format!("broken options: {e}")))
}

/// The pieces as one object.
fn joined<'py>(py: Python<'py>, pieces: &[Vec<u8>]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, pieces.iter().map(Vec::len).sum(), |mut out| {
        for piece in pieces {
            let (now, rest) = out.split_at_mut(piece.len());
            now.copy_from_slice(piece);
            out = rest;
        }
        Ok(())
    })
}
