//! JSON lines writer: one object a row, nulls written out, as `datasets.Dataset.to_json` does.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_json::writer::{LineDelimited, WriterBuilder};

use super::{atomically, io_error};
use crate::error::{DataError, DataErrorKind};

/// Writes batches as JSON lines.
///
/// # Errors
/// `Schema` for a type that JSON cannot hold, `Io` or `DiskFull` with the path.
pub fn write_lines(path: &Path, batches: &[RecordBatch]) -> Result<(), DataError> {
    atomically(path, |out| {
        let failed = |e: arrow_schema::ArrowError| {
            DataError::new(DataErrorKind::Schema, format!("cannot write JSON: {e}"))
                .with_path(path.to_string_lossy())
        };
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut *out);
        for batch in batches {
            writer.write(batch).map_err(failed)?;
        }
        writer.finish().map_err(failed)?;
        drop(writer);
        out.flush().map_err(|e| io_error(path, e))
    })
}
