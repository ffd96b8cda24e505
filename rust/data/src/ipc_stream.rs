//! Arrow IPC streams in files (`save_to_disk`), and a file that grows batch by batch (results of `map`).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, StreamDecoder};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_ipc::{Block, root_as_message};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use tempfile::NamedTempFile;

use crate::bytes;
use crate::cancel::Cancel;
use crate::checked::{self, Stamp, is_checked};
use crate::encode::{atomically, io_error, widen_mode};
use crate::error::{DataError, DataErrorKind};
use crate::ipc_check;
use crate::limits::Limits;
use crate::store;
use crate::table::Table;
use crate::unchecked::can_wait;

/// Bytes of a batch of a stream, about.
const PIECE: usize = 1 << 20;

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
            for piece in pieces(&batch?) {
                cancel.check()?;
                writer.write(&piece).map_err(|e| failed(path, &e))?;
            }
        }
        writer.finish().map_err(|e| failed(path, &e))
    })
}

/// A batch in pieces: whoever maps the file checks the piece that he reads, not a whole row group for one row.
fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + '_ {
    let number = bytes::of_batch(batch).div_ceil(PIECE).clamp(1, batch.num_rows().max(1));
    let rows = batch.num_rows().div_ceil(number).max(1);
    (0..batch.num_rows()).step_by(rows).map(move |from| batch.slice(from, rows.min(batch.num_rows() - from)))
}

/// Maps an Arrow IPC stream or an Arrow IPC file; columns point into the map, but those of compressed batches.
///
/// Lengths are checked here. Values are checked when a batch is first read, if this process did not check them before.
///
/// # Errors
/// `NotFound`, `Io`, `Limit`, or `Decode` for broken bytes.
pub fn open_stream(path: &Path) -> Result<Table, DataError> {
    let (buffer, stamp) = store::map(path)?;
    if !store::is_file(&buffer) {
        return decoded(path, buffer, stamp);
    }
    let table = store::open_mapped(path, &buffer)?;
    if is_checked(path, stamp) {
        return Ok(table);
    }
    // Files of strangers come this way too; texts and offsets inside the values were not looked at.
    let table = table.unchecked(path, stamp);
    if !can_wait(table.schema_ref()) {
        table.batches()?;
    }
    Ok(table)
}

fn broken(error: &ArrowError) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken Arrow IPC: {error}"))
}

/// The table of a mapped stream.
pub(crate) fn decoded(path: &Path, buffer: Buffer, stamp: Option<Stamp>) -> Result<Table, DataError> {
    let known = is_checked(path, stamp);
    ipc_check::check_stream(&buffer, &Limits::default())
        .and_then(|()| {
            // The reader may panic on broken offsets; what it panics on is not Arrow.
            let read = || {
                if let Some(table) = unchecked_batches_of(path, &buffer, known)? {
                    return Ok(if known { table } else { table.unchecked(path, stamp) });
                }
                let table = batches_of(path, buffer)?;
                checked::note(path, stamp);
                Ok(table)
            };
            catch_unwind(AssertUnwindSafe(read))
                .unwrap_or_else(|_| Err(DataError::new(DataErrorKind::Decode, "broken Arrow IPC")))
        })
        .map_err(|e| e.with_path(path.to_string_lossy()))
}

/// All values are checked.
fn batches_of(path: &Path, mut buffer: Buffer) -> Result<Table, DataError> {
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    while !buffer.is_empty() {
        match decoder.decode(&mut buffer).map_err(|e| broken(&e))? {
            Some(batch) => batches.push(batch),
            None => break,
        }
    }
    decoder.finish().map_err(|e| broken(&e))?;
    let schema = decoder.schema().or_else(|| batches.first().map(RecordBatch::schema));
    let schema = schema.unwrap_or_else(|| Arc::new(Schema::empty()));
    Ok(Table::try_new(schema, batches)?.mapped_from(path))
}

/// The same without a look at the values: they were checked before, or they are when they are read. `None` where they
/// cannot wait and are not known. The decoder of streams looks at every value, whatever it is told; that of files does
/// not, and messages are the same in both.
#[expect(unsafe_code, reason = "to open bytes without reading them all")]
fn unchecked_batches_of(path: &Path, buffer: &Buffer, known: bool) -> Result<Option<Table>, DataError> {
    let cut = || DataError::new(DataErrorKind::Decode, "broken Arrow IPC: the stream is cut");
    let mut decoder: Option<FileDecoder> = None;
    let (mut schema, mut batches, mut at) = (Arc::new(Schema::empty()), Vec::new(), 0);
    while let Some(rest) = buffer.get(at..).filter(|rest| !rest.is_empty()) {
        let prefix = if rest.starts_with(&[0xff; 4]) { 8 } else { 4 };
        let length = rest.get(prefix - 4..).and_then(|r| r.first_chunk::<4>()).ok_or_else(cut)?;
        let length = i32::from_le_bytes(*length);
        if length == 0 {
            break;
        }
        let metadata = usize::try_from(length).map_err(|_| cut())?;
        let text = rest.get(prefix..prefix + metadata).ok_or_else(cut)?;
        let message = root_as_message(text).map_err(|e| broken(&ArrowError::ParseError(e.to_string())))?;
        let body = usize::try_from(message.bodyLength()).map_err(|_| cut())?;
        let whole = prefix + metadata + body;
        if whole > rest.len() {
            return Err(cut());
        }
        let block = Block::new(0, length + if prefix == 8 { 8 } else { 4 }, message.bodyLength());
        let bytes = buffer.slice_with_length(at, whole);
        if let Some(found) = message.header_as_schema() {
            schema = Arc::new(try_fb_to_schema(found).map_err(|e| broken(&e))?);
            if !known && !can_wait(&schema) {
                return Ok(None);
            }
            let made = FileDecoder::new(schema.clone(), message.version());
            // SAFETY: either this process, or the one that sent the reference, read the same file with all checks (the
            // same inode, untouched since), or the table keeps the arrays back until their values are checked: nothing
            // but their lengths and addresses is used before. Arrays of the types that can wait are made without a look
            // at values. Maps of a file that somebody writes into are unsound whatever is checked first.
            decoder = Some(unsafe { made.with_skip_validation(true) });
        } else if let Some(decoder) = &mut decoder {
            if message.header_as_dictionary_batch().is_some() {
                if !known {
                    return Ok(None); // no type that can wait has one
                }
                decoder.read_dictionary(&block, &bytes).map_err(|e| broken(&e))?;
            } else {
                batches.extend(decoder.read_record_batch(&block, &bytes).map_err(|e| broken(&e))?);
            }
        }
        at += whole;
    }
    for column in batches.iter().flat_map(RecordBatch::columns) {
        // Lengths of buffers and the ends of offsets: a few pages, whatever the size of the table.
        column.to_data().validate().map_err(|e| broken(&e))?;
    }
    Ok(Some(Table::try_new(schema, batches)?.mapped_from(path)))
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
        let batches = || table().batches().unwrap().to_vec().into_iter().map(Ok);
        write_stream(&path, &table().schema(), batches(), &Cancel::new()).unwrap();
        assert_eq!(open_stream(&path).unwrap().batches().unwrap(), table().batches().unwrap());
        let none = std::iter::empty();
        write_stream(&path, &table().schema(), none, &Cancel::new()).unwrap();
        assert_eq!(open_stream(&path).unwrap().schema(), table().schema());
        std::fs::write(&path, b"nonsense that is long enough").unwrap();
        assert!(open_stream(&path).is_err());
    }

    #[test]
    fn bytes_that_were_checked_are_read_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.arrow");
        let batches = table().batches().unwrap().to_vec().into_iter().map(Ok);
        write_stream(&path, &table().schema(), batches, &Cancel::new()).unwrap();
        let (buffer, _) = store::map(&path).unwrap();
        let read = unchecked_batches_of(&path, &buffer, true).unwrap().unwrap();
        assert_eq!((read.batches().unwrap(), read.schema()), (table().batches().unwrap(), table().schema()));
        for length in 0..buffer.len() {
            // Cut anywhere: an error or fewer batches, no panic.
            if let Ok(Some(part)) = unchecked_batches_of(&path, &buffer.slice_with_length(0, length), true) {
                assert!(part.num_rows() <= read.num_rows());
            }
        }
    }

    #[test]
    fn large_batches_are_written_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.arrow");
        let numbers: ArrayRef = Arc::new((0..500_000).collect::<Int64Array>());
        let batch = RecordBatch::try_from_iter([("a", numbers)]).unwrap();
        let none = RecordBatch::new_empty(batch.schema());
        let batches = [none, batch.clone()].into_iter().map(Ok);
        write_stream(&path, &batch.schema(), batches, &Cancel::new()).unwrap();
        let back = open_stream(&path).unwrap();
        assert_eq!(back.num_batches(), 4);
        let back = arrow_select::concat::concat_batches(&batch.schema(), back.batches().unwrap()).unwrap();
        assert_eq!(back, batch);
    }

    #[test]
    fn either_kind_opens() {
        let folder = tempfile::tempdir().unwrap();
        let (stream, file) = (folder.path().join("s.arrow"), folder.path().join("f.arrow"));
        let batches = table().batches().unwrap().to_vec().into_iter().map(Ok);
        write_stream(&stream, &table().schema(), batches, &Cancel::new()).unwrap();
        store::write_ipc(&table(), &file).unwrap();
        for path in [&stream, &file] {
            for opened in [open_stream(path).unwrap(), store::open_ipc(path).unwrap()] {
                assert_eq!(opened.batches().unwrap(), table().batches().unwrap());
                assert_eq!(opened.path(), Some(path.as_path()));
            }
        }
    }

    #[test]
    fn grows_and_appears_when_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g.arrow");
        let mut file = GrowingFile::create(&path, &table().schema()).unwrap();
        for batch in table().batches().unwrap() {
            file.write(batch).unwrap();
        }
        assert!(!path.exists());
        assert_eq!(file.finish().unwrap().batches().unwrap(), table().batches().unwrap());
        drop(GrowingFile::create(&path.with_extension("gone"), &table().schema()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
