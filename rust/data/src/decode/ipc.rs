//! Arrow IPC files and streams of strangers: validated, dictionaries turned into their values.

use std::collections::HashMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use rayon::prelude::*;

use super::{FileBatches, ReadOptions, nullable};
use crate::cancel::Cancel;
use crate::error::{DataError, DataErrorKind};
use crate::expand::Room;
use crate::features::METADATA_KEY;
use crate::ipc_check::{self, MAGIC};
use crate::source::ByteSource;

/// Rows of a batch that need no proof. Only columns of nulls have rows without bytes.
const MANY: usize = 1 << 26;

/// All batches of several files.
pub(crate) fn read_sources(
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<Vec<FileBatches>, DataError> {
    sources
        .par_iter()
        .map(|source| {
            options.cancel.check()?;
            read_file(source.as_ref(), options).map_err(|e| e.with_path(source.name()))
        })
        .collect()
}

pub(super) fn broken(error: &ArrowError) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken Arrow IPC: {error}"))
}

fn collected(
    reader: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    cancel: &Cancel,
) -> Result<Vec<RecordBatch>, DataError> {
    reader
        .map(|batch| {
            cancel.check()?;
            batch.map_err(|e| broken(&e))
        })
        .collect()
}

fn read_file(source: &dyn ByteSource, options: &ReadOptions) -> Result<FileBatches, DataError> {
    let bytes = source.read_range(0..source.len())?;
    ipc_check::check(&bytes, &options.limits)?;
    // The reader may panic on broken offsets; what it panics on is not Arrow.
    let read = catch_unwind(AssertUnwindSafe(|| {
        let cursor = Cursor::new(bytes.as_ref());
        if bytes.starts_with(MAGIC) {
            let reader = FileReader::try_new(cursor, None).map_err(|e| broken(&e))?;
            Ok::<_, DataError>((reader.schema(), collected(reader, &options.cancel)?))
        } else {
            let reader = StreamReader::try_new(cursor, None).map_err(|e| broken(&e))?;
            Ok((reader.schema(), collected(reader, &options.cancel)?))
        }
    }));
    let (schema, batches): (SchemaRef, Vec<RecordBatch>) = match read {
        Ok(read) => read?,
        Err(_) => return Err(DataError::new(DataErrorKind::Decode, "broken Arrow IPC")),
    };
    if let Some(batch) =
        batches.iter().find(|b| b.num_rows() > MANY && b.num_rows() as u64 / 64 > source.len())
    {
        let message =
            format!("broken Arrow IPC: {} bytes should have {} rows", source.len(), batch.num_rows());
        return Err(DataError::new(DataErrorKind::Decode, message));
    }
    let target = kept(&schema);
    let room = Room::new(options.limits.max_unpacked_bytes);
    let batches = batches.iter().map(|b| fit(b, &target, &room)).collect::<Result<Vec<_>, _>>()?;
    Ok(FileBatches { schema: target, batches })
}

/// The schema that is kept: all nullable, values in the place of dictionaries, of the metadata only the features.
pub(super) fn kept(schema: &Schema) -> SchemaRef {
    let said = schema.metadata().get(METADATA_KEY).map(|text| (METADATA_KEY.to_owned(), text.clone()));
    let kept = schema.clone().with_metadata(said.into_iter().collect::<HashMap<_, _>>());
    Arc::new(nullable::schema(&kept))
}

/// A batch in the schema that is kept; its dictionaries are written out into `room`.
pub(super) fn fit(batch: &RecordBatch, target: &SchemaRef, room: &Room) -> Result<RecordBatch, DataError> {
    let columns = batch
        .columns()
        .iter()
        .zip(target.fields())
        .map(|(c, f)| nullable::array(c, f.data_type(), room).map_err(|e| e.with_column(f.name())))
        .collect::<Result<Vec<_>, _>>()?;
    let count = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(target.clone(), columns, &count)?)
}
