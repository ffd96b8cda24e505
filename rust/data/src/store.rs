//! Arrow IPC: tables in files that are memory-mapped, and as bytes.
#![expect(unsafe_code, reason = "the one home of memory maps")]

use std::fs::{File, TryLockError};
use std::io::{Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, StreamReader, read_footer_length};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_ipc::{Block, root_as_footer};
use arrow_schema::SchemaRef;

use crate::cancel::Cancel;
use crate::checked::Stamp;
use crate::encode::atomically;
use crate::error::{DataError, DataErrorKind};
use crate::identity::TrackedMap;
use crate::ipc_check;
use crate::limits::Limits;
use crate::table::Table;

const TRAILER: usize = 10;

/// Writes a table as an uncompressed Arrow IPC file, complete or not at all.
///
/// # Errors
/// `Io` or `DiskFull` with the path.
pub fn write_ipc(table: &Table, path: &Path) -> Result<(), DataError> {
    atomically(path, |out| {
        let mut writer = FileWriter::try_new(out, &table.schema()).map_err(|e| failed(path, &e))?;
        for batch in table.batches()? {
            writer.write(batch).map_err(|e| failed(path, &e))?;
        }
        writer.finish().map_err(|e| failed(path, &e))
    })
}

fn failed(path: &Path, error: &arrow_schema::ArrowError) -> DataError {
    match error {
        arrow_schema::ArrowError::IoError(_, inner) => {
            crate::encode::io_error(path, std::io::Error::new(inner.kind(), inner.to_string()))
        }
        other => DataError::new(DataErrorKind::Io, format!("cannot write Arrow IPC: {other}"))
            .with_path(path.to_string_lossy()),
    }
}

/// How long a wait for a lock lasts before it asks whether to stop.
const LOCK_TICK: Duration = Duration::from_millis(20);

/// The right to write a store, so that the ranks of a job write it once. Given back when dropped, or by the system when
/// the process ends. `None` where the file system has no locks.
///
/// # Errors
/// `Cancelled` while waiting.
pub fn lock(store: &Path, cancel: &Cancel) -> Result<Option<File>, DataError> {
    loop {
        if let Ok(taken) = try_lock(store) {
            return Ok(taken);
        }
        cancel.check()?;
        std::thread::sleep(LOCK_TICK);
    }
}

/// Another has the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held;

/// The same without waiting.
///
/// # Errors
/// `Held` if another has it.
pub fn try_lock(store: &Path) -> Result<Option<File>, Held> {
    let mut name = store.as_os_str().to_owned();
    name.push(".lock");
    let Ok(file) = File::options().create(true).truncate(false).write(true).open(name) else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Held),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// The first bytes of an Arrow IPC file; a stream begins with 0xffffffff.
const MAGIC: &[u8] = b"ARROW1";

/// Maps an Arrow IPC file that `write_ipc` made, or a stream; columns point into the map.
///
/// # Errors
/// `NotFound`, `Io`, or `Decode` for a file that is not complete or whose batches do not fit their buffers.
pub fn open_ipc(path: &Path) -> Result<Table, DataError> {
    let (buffer, stamp) = map(path)?;
    if buffer.starts_with(&[0xff; 4]) {
        return crate::ipc_stream::decoded(path, buffer, stamp);
    }
    open_mapped(path, &buffer)
}

/// Whether these are the bytes of an Arrow IPC file.
pub(crate) fn is_file(buffer: &[u8]) -> bool {
    buffer.starts_with(MAGIC)
}

/// The table of a mapped Arrow IPC file.
pub(crate) fn open_mapped(path: &Path, buffer: &Buffer) -> Result<Table, DataError> {
    // What is read without validation may be anything when a disk lost it; its decoder slices and panics then.
    catch_unwind(AssertUnwindSafe(|| opened(path, buffer))).unwrap_or_else(|_| {
        Err(DataError::new(DataErrorKind::Decode, "broken Arrow IPC").with_path(path.to_string_lossy()))
    })
}

fn opened(path: &Path, buffer: &Buffer) -> Result<Table, DataError> {
    let name = path.to_string_lossy().into_owned();
    let bad = |message: String| DataError::new(DataErrorKind::Decode, message).with_path(&name);
    ipc_check::check_file(buffer, &Limits::default()).map_err(|e| e.with_path(&name))?;
    let trailer =
        buffer.len().checked_sub(TRAILER).and_then(|at| buffer.get(at..)).and_then(|t| t.try_into().ok());
    let trailer: [u8; TRAILER] = trailer.ok_or_else(|| bad("too short for an Arrow IPC file".into()))?;
    let length = read_footer_length(trailer).map_err(|e| bad(e.to_string()))?;
    let footer = buffer
        .len()
        .checked_sub(TRAILER + length)
        .and_then(|at| buffer.get(at..at + length))
        .ok_or_else(|| bad("the footer is longer than the file".into()))?;
    let footer = root_as_footer(footer).map_err(|e| bad(format!("the footer is broken: {e}")))?;
    let schema = footer.schema().ok_or_else(|| bad("the footer has no schema".into()))?;
    let schema: SchemaRef = Arc::new(try_fb_to_schema(schema).map_err(|e| bad(e.to_string()))?);
    let decoder = FileDecoder::new(schema.clone(), footer.version());
    // SAFETY: the file was written by `write_ipc` from valid arrays and renamed when complete; its footer was just
    // checked. Validating again would read the whole file, which is what mapping avoids (pyarrow does the same).
    let mut decoder = unsafe { decoder.with_skip_validation(true) };
    for block in footer.dictionaries().iter().flatten() {
        let data = block_of(buffer, block).ok_or_else(|| bad("a dictionary lies outside the file".into()))?;
        decoder.read_dictionary(block, &data).map_err(|e| bad(e.to_string()))?;
    }
    let mut batches = Vec::new();
    for block in footer.recordBatches().iter().flatten() {
        let data = block_of(buffer, block).ok_or_else(|| bad("a batch lies outside the file".into()))?;
        batches.extend(decoder.read_record_batch(block, &data).map_err(|e| bad(e.to_string()))?);
    }
    for column in batches.iter().flat_map(RecordBatch::columns) {
        // Lengths of buffers and the ends of offsets: a few pages, whatever the size of the table.
        column.to_data().validate().map_err(|e| bad(e.to_string()))?;
    }
    Ok(Table::try_new(schema, batches)?.mapped_from(path))
}

fn block_of(buffer: &Buffer, block: &Block) -> Option<Buffer> {
    let start = usize::try_from(block.offset()).ok()?;
    let metadata = usize::try_from(block.metaDataLength()).ok()?;
    let length = usize::try_from(block.bodyLength()).ok()?.checked_add(metadata)?;
    (start.checked_add(length)? <= buffer.len()).then(|| buffer.slice_with_length(start, length))
}

/// The bytes of a file and what it is told by.
pub(crate) fn map(path: &Path) -> Result<(Buffer, Option<Stamp>), DataError> {
    let source = crate::source::LocalSource::open(path)?; // its errors name the path
    drop(source);
    let io = |e: std::io::Error| {
        DataError::new(DataErrorKind::Io, format!("cannot map: {e}"))
            .with_path(path.to_string_lossy())
            .with_source(e)
    };
    let mut file = File::open(path).map_err(io)?;
    if file.seek(SeekFrom::End(0)).map_err(io)? == 0 {
        return Err(
            DataError::new(DataErrorKind::Decode, "the file is empty").with_path(path.to_string_lossy())
        );
    }
    // SAFETY: the file is ours, made under a temporary name and never changed after its rename; a deleted file stays
    // mapped. Somebody who truncates it by hand takes the process down, as with every memory-mapped Arrow file.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    let map = TrackedMap::new(map, path, &metadata);
    let (pointer, length) = (map.bytes().as_ptr().cast_mut(), map.bytes().len());
    let pointer = NonNull::new(pointer).ok_or_else(|| io(std::io::Error::other("null map")))?;
    // SAFETY: pointer and length are the map's, which the buffer keeps alive.
    let buffer = unsafe { Buffer::from_custom_allocation(pointer, length, Arc::new(map)) };
    Ok((buffer, Stamp::of(&metadata)))
}

/// Batches as Arrow IPC stream bytes.
///
/// # Errors
/// What Arrow says.
pub fn to_ipc_bytes(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

/// A table from Arrow IPC stream bytes, validated.
///
/// # Errors
/// `Decode` for broken bytes.
pub fn from_ipc_bytes(bytes: &[u8]) -> Result<Table, DataError> {
    let broken =
        |e: arrow_schema::ArrowError| DataError::new(DataErrorKind::Decode, format!("broken Arrow IPC: {e}"));
    ipc_check::check_stream(bytes, &Limits::default())?;
    catch_unwind(AssertUnwindSafe(|| {
        let reader = StreamReader::try_new(bytes, None).map_err(broken)?;
        let schema = reader.schema();
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(broken)?;
        Table::try_new(schema, batches)
    }))
    .unwrap_or_else(|_| Err(DataError::new(DataErrorKind::Decode, "broken Arrow IPC")))
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
    fn maps_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.arrow");
        write_ipc(&table(), &path).unwrap();
        let back = open_ipc(&path).unwrap();
        assert_eq!(back.batches().unwrap(), table().batches().unwrap());
        assert_eq!(back.path(), Some(path.as_path()));
        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 1, 9, 11, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, bytes.get(..cut).unwrap()).unwrap();
            assert!(open_ipc(&path).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.arrow");
        write_ipc(&table(), &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut failed = 0;
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            for byte in broken.iter_mut().skip(at).take(8) {
                *byte = 0xff;
            }
            std::fs::write(&path, broken).unwrap();
            failed += usize::from(open_ipc(&path).is_err()); // damage in values is not seen
        }
        assert!(failed > 100, "{failed} of {}", bytes.len());
    }

    #[test]
    fn one_writes_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.arrow");
        let cancel = Cancel::new();
        let first = lock(&path, &cancel).unwrap().unwrap();
        cancel.cancel();
        assert_eq!(lock(&path, &cancel).unwrap_err().kind(), DataErrorKind::Cancelled);
        drop(first);
        assert!(lock(&path, &cancel).unwrap().is_some());
    }

    #[test]
    fn bytes_round_trip() {
        let bytes = to_ipc_bytes(&table().schema(), table().batches().unwrap()).unwrap();
        assert_eq!(from_ipc_bytes(&bytes).unwrap().batches().unwrap(), table().batches().unwrap());
        assert!(from_ipc_bytes(b"nonsense").is_err());
    }
}
