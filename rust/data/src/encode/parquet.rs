//! Parquet writer: the Arrow schema with its `huggingface` metadata is kept in the file.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{CdcOptions, EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use serde::Deserialize;

use super::atomically;
use crate::cancel::Cancel;
use crate::error::{DataError, DataErrorKind};
use crate::features::{cast_batch, extended};

/// How batches become Parquet. What is absent is the crate's own default.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParquetOptions {
    /// `zstd`, `snappy`, `gzip`, `lz4` or `none`.
    pub compression: String,
    /// Level of zstd or gzip.
    pub level: Option<i32>,
    /// Most rows of a row group.
    pub row_group_rows: usize,
    /// Whether values are looked up in dictionaries where that is smaller.
    pub dictionary: bool,
    /// Whether statistics are written.
    pub statistics: bool,
    /// Whether the index of pages is written.
    pub page_index: bool,
    /// Version of data pages: 1 or 2.
    pub page_version: u8,
    /// Bytes of a data page, about.
    pub page_bytes: Option<usize>,
    /// Bytes of a dictionary at most.
    pub dictionary_bytes: Option<usize>,
    /// Rows of a page at most.
    pub page_rows: Option<usize>,
    /// Rows encoded at a time.
    pub write_batch_rows: Option<usize>,
    /// Smallest and largest bytes of a page, and the level of normalization, where pages are cut by their content.
    pub content_chunks: Option<(usize, usize, i32)>,
    /// Columns whose values are written as they are: not compressed, without dictionaries.
    pub plain: Vec<String>,
    /// Keys and values for the footer.
    pub metadata: Vec<(String, String)>,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self {
            compression: "zstd".to_owned(),
            level: None,
            row_group_rows: 1_000_000,
            dictionary: true,
            statistics: true,
            page_index: true,
            page_version: 1,
            page_bytes: None,
            dictionary_bytes: None,
            page_rows: None,
            write_batch_rows: None,
            content_chunks: None,
            plain: Vec::new(),
            metadata: Vec::new(),
        }
    }
}

/// Writes batches as one Parquet file, and returns the bytes of their rows as Arrow data.
///
/// # Errors
/// `Schema` for an unknown compression, a level that it does not have or a type that Parquet cannot hold, `Io` or
/// `DiskFull` with the path, what a batch failed with, `Cancelled`.
pub fn write_file(
    path: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
    options: &ParquetOptions,
    cancel: &Cancel,
) -> Result<usize, DataError> {
    let mut bytes = 0;
    atomically(path, |out| {
        let failed = |e: ParquetError| {
            DataError::new(DataErrorKind::Io, format!("cannot write Parquet: {e}"))
                .with_path(path.to_string_lossy())
        };
        let extended = Arc::new(extended(schema)?);
        let leaves: Vec<ColumnPath> = ArrowSchemaConverter::new()
            .convert(&extended)
            .map_err(failed)?
            .columns()
            .iter()
            .map(|leaf| leaf.path().clone())
            .filter(|path| path.parts().first().is_some_and(|root| options.plain.contains(root)))
            .collect();
        let properties = properties(options, leaves)?;
        let mut writer = ArrowWriter::try_new(out, extended.clone(), Some(properties)).map_err(failed)?;
        for batch in batches {
            cancel.check()?;
            let batch = batch?;
            for column in batch.columns() {
                bytes += column.to_data().get_slice_memory_size()?;
            }
            if extended.fields() == schema.fields() {
                writer.write(&batch).map_err(failed)?;
            } else {
                writer.write(&cast_batch(&batch, &extended)?).map_err(failed)?; // the same memory, other field names
            }
        }
        writer.close().map_err(failed)?;
        Ok(())
    })?;
    Ok(bytes)
}

fn properties(options: &ParquetOptions, plain: Vec<ColumnPath>) -> Result<WriterProperties, DataError> {
    let statistics = match (options.statistics, options.page_index) {
        (false, _) => EnabledStatistics::None,
        (true, false) => EnabledStatistics::Chunk,
        (true, true) => EnabledStatistics::Page,
    };
    let metadata = options.metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let mut made = WriterProperties::builder()
        .set_compression(codec(&options.compression, options.level)?)
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_dictionary_enabled(options.dictionary)
        .set_statistics_enabled(statistics)
        .set_offset_index_disabled(!options.page_index)
        .set_writer_version(match options.page_version {
            2 => WriterVersion::PARQUET_2_0,
            _ => WriterVersion::PARQUET_1_0,
        })
        .set_key_value_metadata(Some(metadata.collect()))
        .set_content_defined_chunking(options.content_chunks.map(|(least, most, level)| CdcOptions {
            min_chunk_size: least,
            max_chunk_size: most,
            norm_level: level,
        }));
    if let Some(bytes) = options.page_bytes {
        made = made.set_data_page_size_limit(bytes.max(1));
    }
    if let Some(bytes) = options.dictionary_bytes {
        made = made.set_dictionary_page_size_limit(bytes);
    }
    if let Some(rows) = options.page_rows {
        made = made.set_data_page_row_count_limit(rows.max(1));
    }
    if let Some(rows) = options.write_batch_rows {
        made = made.set_write_batch_size(rows.max(1));
    }
    for leaf in plain {
        made = made
            .set_column_compression(leaf.clone(), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(leaf.clone(), false)
            .set_column_encoding(leaf, Encoding::PLAIN);
    }
    Ok(made.build())
}

fn codec(name: &str, level: Option<i32>) -> Result<Compression, DataError> {
    let refused = |e: ParquetError| DataError::new(DataErrorKind::Schema, format!("{name}: {e}"));
    let small = level.map(|l| u32::try_from(l).unwrap_or(u32::MAX));
    let made = match name {
        "zstd" => {
            Compression::ZSTD(level.map(ZstdLevel::try_new).transpose().map_err(refused)?.unwrap_or_default())
        }
        "gzip" => {
            Compression::GZIP(small.map(GzipLevel::try_new).transpose().map_err(refused)?.unwrap_or_default())
        }
        "snappy" => Compression::SNAPPY,
        "lz4" => Compression::LZ4_RAW,
        "none" => Compression::UNCOMPRESSED,
        other => {
            let known = "zstd, snappy, gzip, lz4, none; brotli in to_parquet";
            let message = format!("unknown compression {other:?}; known: {known}");
            return Err(DataError::new(DataErrorKind::Schema, message));
        }
    };
    if level.is_some() && matches!(name, "snappy" | "lz4" | "none") {
        return Err(DataError::new(DataErrorKind::Schema, format!("{name} compression has no levels")));
    }
    Ok(made)
}
