//! Arrow IPC streams in files (`save_to_disk`), and a file that grows batch by batch (results of `map`).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use tempfile::NamedTempFile;

use crate::cancel::Cancel;
use crate::encode::{atomically, io_error, widen_mode};
use crate::error::{DataError, DataErrorKind};
use crate::ipc_check;
use crate::limits::Limits;
use crate::store;
use crate::table::Table;

fn failed(path: &Path, error: &ArrowError) -> DataError {
    match error {
        ArrowError::IoError(_, inner) => io_error(path, std::io::Error::new(inner.kind(), inner.to_string())),
        other => DataError::new(DataErrorKind::Io, format!("cannot write Arrow IPC: {other}"))
            .with_path(path.to_string_lossy()),
    }
}

/// Writes batches as an Arrow IPC stream, complete or not at all.
///
/// # Errors
/// `Io` or `DiskFull` with the path, what a batch failed with, or `Cancelled`.
pub fn write_stream(
    path: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
    cancel: &Cancel,
) -> Result<(), DataError> {
    atomically(path, |out| {
        let mut writer = StreamWriter::try_new(out, schema).map_err(|e| failed(path, &e))?;
        for batch in batches {
            cancel.check()?;
            writer.write(&batch?).map_err(|e| failed(path, &e))?;
        }
        writer.finish().map_err(|e| failed(path, &e))
    })
}

/// Maps an Arrow IPC stream, validated, or an Arrow IPC file; columns point into the map, but those of compressed batches.
///
/// # Errors
/// `NotFound`, `Io`, `Limit`, or `Decode` for broken bytes.
pub fn open_stream(path: &Path) -> Result<Table, DataError> {
    let buffer = store::map(path)?;
    if store::is_file(&buffer) {
        let table = store::open_mapped(path, &buffer)?;
        // Files of strangers come this way too; texts and offsets inside the values were not looked at.
        for column in table.batches().iter().flat_map(RecordBatch::columns) {
            column.to_data().validate_full().map_err(|e| {
                DataError::new(DataErrorKind::Decode, format!("broken Arrow IPC: {e}"))
                    .with_path(path.to_string_lossy())
            })?;
        }
        return Ok(table);
    }
    decoded(path, buffer)
}

/// The table of a mapped stream.
pub(crate) fn decoded(path: &Path, buffer: Buffer) -> Result<Table, DataError> {
    ipc_check::check_stream(&buffer, &Limits::default())
        .and_then(|()| {
            // The reader may panic on broken offsets; what it panics on is not Arrow.
            catch_unwind(AssertUnwindSafe(|| batches_of(path, buffer)))
                .unwrap_or_else(|_| Err(DataError::new(DataErrorKind::Decode, "broken Arrow IPC")))
        })
        .map_err(|e| e.with_path(path.to_string_lossy()))
}

fn batches_of(path: &Path, mut buffer: Buffer) -> Result<Table, DataError> {
    let broken = |e: ArrowError| DataError::new(DataErrorKind::Decode, format!("broken Arrow IPC: {e}"));
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    while !buffer.is_empty() {
        match decoder.decode(&mut buffer).map_err(broken)? {
            Some(batch) => batches.push(batch),
            None => break,
        }
    }
    decoder.finish().map_err(broken)?;
    let schema = decoder.schema().or_else(|| batches.first().map(RecordBatch::schema));
    let schema = schema.unwrap_or_else(|| Arc::new(Schema::empty()));
    Ok(Table::try_new(schema, batches)?.mapped_from(path))
}

/// An Arrow IPC file that grows: batches are written as they come and the file appears when it is finished.
pub struct GrowingFile {
    writer: FileWriter<BufWriter<NamedTempFile>>,
    path: PathBuf,
}

impl GrowingFile {
    /// Starts a file; until it is finished it has a temporary name in the same folder.
    ///
    /// # Errors
    /// `Io` with the path.
    pub fn create(path: &Path, schema: &Schema) -> Result<Self, DataError> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let file =
            tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder).map_err(|e| io_error(path, e))?;
        let out = BufWriter::with_capacity(1 << 20, file);
        let writer = FileWriter::try_new(out, schema).map_err(|e| failed(path, &e))?;
        Ok(Self { writer, path: path.to_owned() })
    }

    /// Appends a batch of the file's columns.
    ///
    /// # Errors
    /// `Io` or `DiskFull` with the path.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        self.writer.write(batch).map_err(|e| failed(&self.path, &e))
    }

    /// Completes the file, gives it its name and maps it.
    ///
    /// # Errors
    /// `Io` or `DiskFull` with the path.
    pub fn finish(self) -> Result<Table, DataError> {
        let Self { writer, path } = self;
        let mut out = writer.into_inner().map_err(|e| failed(&path, &e))?;
        out.flush().map_err(|e| io_error(&path, e))?;
        let file = out.into_inner().map_err(|e| io_error(&path, e.into_error()))?;
        widen_mode(file.as_file()).map_err(|e| io_error(&path, e))?;
        let _: File = file.persist(&path).map_err(|e| io_error(&path, e.error))?;
        store::open_ipc(&path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn table() -> Table {
        let a: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let b: ArrayRef = Arc::new(StringArray::from(vec!["x", "", "zé"]));
        let batch = RecordBatch::try_from_iter_with_nullable([("a", a, true), ("b", b, true)]).unwrap();
        Table::try_new(batch.schema(), vec![batch.clone(), batch]).unwrap()
    }

    #[test]
    fn streams_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.arrow");
        let batches = || table().batches().to_vec().into_iter().map(Ok);
        write_stream(&path, &table().schema(), batches(), &Cancel::new()).unwrap();
        assert_eq!(open_stream(&path).unwrap().batches(), table().batches());
        let none = std::iter::empty();
        write_stream(&path, &table().schema(), none, &Cancel::new()).unwrap();
        assert_eq!(open_stream(&path).unwrap().schema(), table().schema());
        std::fs::write(&path, b"nonsense that is long enough").unwrap();
        assert!(open_stream(&path).is_err());
    }

    #[test]
    fn either_kind_opens() {
        let folder = tempfile::tempdir().unwrap();
        let (stream, file) = (folder.path().join("s.arrow"), folder.path().join("f.arrow"));
        let batches = table().batches().to_vec().into_iter().map(Ok);
        write_stream(&stream, &table().schema(), batches, &Cancel::new()).unwrap();
        store::write_ipc(&table(), &file).unwrap();
        for path in [&stream, &file] {
            for opened in [open_stream(path).unwrap(), store::open_ipc(path).unwrap()] {
                assert_eq!(opened.batches(), table().batches());
                assert_eq!(opened.path(), Some(path.as_path()));
            }
        }
    }

    #[test]
    fn grows_and_appears_when_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g.arrow");
        let mut file = GrowingFile::create(&path, &table().schema()).unwrap();
        for batch in table().batches() {
            file.write(batch).unwrap();
        }
        assert!(!path.exists());
        assert_eq!(file.finish().unwrap().batches(), table().batches());
        drop(GrowingFile::create(&path.with_extension("gone"), &table().schema()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
