//! Parquet writer: the Arrow schema with its `huggingface` metadata is kept in the file.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::atomically;
use crate::error::{DataError, DataErrorKind};
use crate::features::{cast_batch, extended};

/// Writes batches as one Parquet file.
///
/// `compression` is `zstd`, `snappy`, `gzip`, `lz4`, `brotli` or `none`; `row_group_rows` is the most rows of a row
/// group.
///
/// # Errors
/// `Schema` for an unknown compression or a type that Parquet cannot hold, `Io` or `DiskFull` with the path.
pub fn write_file(
    path: &Path,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    compression: &str,
    row_group_rows: usize,
) -> Result<(), DataError> {
    let properties = WriterProperties::builder()
        .set_compression(codec(compression)?)
        .set_max_row_group_row_count(Some(row_group_rows.max(1)))
        .build();
    atomically(path, |out| {
        let failed = |e: ParquetError| {
            DataError::new(DataErrorKind::Io, format!("cannot write Parquet: {e}"))
                .with_path(path.to_string_lossy())
        };
        let extended = Arc::new(extended(schema)?);
        let mut writer = ArrowWriter::try_new(out, extended.clone(), Some(properties)).map_err(failed)?;
        for batch in batches {
            if extended.fields() == schema.fields() {
                writer.write(batch).map_err(failed)?;
            } else {
                writer.write(&cast_batch(batch, &extended)?).map_err(failed)?; // the same memory, other field names
            }
        }
        writer.close().map_err(failed)?;
        Ok(())
    })
}

fn codec(name: &str) -> Result<Compression, DataError> {
    Ok(match name {
        "zstd" => Compression::ZSTD(ZstdLevel::default()),
        "snappy" => Compression::SNAPPY,
        "gzip" => Compression::GZIP(parquet::basic::GzipLevel::default()),
        "lz4" => Compression::LZ4_RAW,
        "brotli" => Compression::BROTLI(parquet::basic::BrotliLevel::default()),
        "none" => Compression::UNCOMPRESSED,
        other => {
            let message =
                format!("unknown compression {other:?}; known: zstd, snappy, gzip, lz4, brotli, none");
            return Err(DataError::new(DataErrorKind::Schema, message));
        }
    })
}
