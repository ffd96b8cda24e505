//! Arrow IPC files and streams of strangers: validated, dictionaries turned into their values.

use std::collections::HashMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};
use rayon::prelude::*;

use super::{FileBatches, ReadOptions, nullable};
use crate::error::{DataError, DataErrorKind};
use crate::features::METADATA_KEY;
use crate::source::ByteSource;

/// First bytes of the file form; anything else is read as a stream.
const MAGIC: &[u8] = b"ARROW1";

/// All batches of several files.
pub(crate) fn read_sources(
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<Vec<FileBatches>, DataError> {
    sources
        .par_iter()
        .map(|source| {
            options.cancel.check()?;
            read_file(source.as_ref()).map_err(|e| e.with_path(source.name()))
        })
        .collect()
}

fn broken(error: &ArrowError) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken Arrow IPC: {error}"))
}

/// Sees to it that the blocks of a file lie inside it: the reader would reserve what they announce. What else is broken,
/// the reader finds.
fn check_blocks(bytes: &[u8]) -> Result<(), DataError> {
    let length = bytes.len() as u64;
    let trailer = bytes.last_chunk::<10>().filter(|t| t.ends_with(MAGIC));
    let announced = trailer.and_then(|t| t.first_chunk::<4>()).map_or(0, |t| i32::from_le_bytes(*t));
    let footer = usize::try_from(announced)
        .ok()
        .and_then(|n| bytes.get(bytes.len().checked_sub(n.checked_add(10)?)?..bytes.len() - 10));
    let Some(footer) = footer.and_then(|f| arrow_ipc::root_as_footer(f).ok()) else {
        return Err(DataError::new(DataErrorKind::Decode, "broken Arrow IPC: the file has no footer"));
    };
    let blocks =
        footer.dictionaries().into_iter().flatten().chain(footer.recordBatches().into_iter().flatten());
    for block in blocks {
        let end = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()]
            .into_iter()
            .try_fold(0_u64, |sum, part| sum.checked_add(u64::try_from(part).ok()?));
        if end.is_none_or(|end| end > length) {
            return Err(DataError::new(
                DataErrorKind::Decode,
                "broken Arrow IPC: a block lies outside the file",
            ));
        }
    }
    Ok(())
}

fn read_file(source: &dyn ByteSource) -> Result<FileBatches, DataError> {
    let bytes = source.read_range(0..source.len())?;
    if bytes.starts_with(MAGIC) {
        check_blocks(&bytes)?;
    }
    // The reader may panic on broken offsets; what it panics on is not Arrow.
    let read = catch_unwind(AssertUnwindSafe(|| {
        let cursor = Cursor::new(bytes.as_ref());
        if bytes.starts_with(MAGIC) {
            let reader = FileReader::try_new(cursor, None)?;
            let schema = reader.schema();
            Ok((schema, reader.collect::<Result<Vec<_>, _>>()?))
        } else {
            let reader = StreamReader::try_new(cursor, None)?;
            let schema = reader.schema();
            Ok((schema, reader.collect::<Result<Vec<_>, _>>()?))
        }
    }));
    let (schema, batches): (SchemaRef, Vec<RecordBatch>) = match read {
        Ok(read) => read.map_err(|e: ArrowError| broken(&e))?,
        Err(_) => return Err(DataError::new(DataErrorKind::Decode, "broken Arrow IPC")),
    };
    let said = schema.metadata().get(METADATA_KEY).map(|text| (METADATA_KEY.to_owned(), text.clone()));
    let kept = schema.as_ref().clone().with_metadata(said.into_iter().collect::<HashMap<_, _>>());
    let target = Arc::new(nullable::schema(&kept));
    let batches = batches
        .into_iter()
        .map(|batch| {
            let columns = batch
                .columns()
                .iter()
                .zip(target.fields())
                .map(|(c, f)| nullable::array(c, f.data_type()).map_err(|e| e.with_column(f.name())))
                .collect::<Result<Vec<_>, _>>()?;
            let count = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(target.clone(), columns, &count)?)
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    Ok(FileBatches { schema: target, batches })
}
