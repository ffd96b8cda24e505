//! Files to tables: many files, one schema, all threads.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use rayon::prelude::*;
use serde_json::Value;

use crate::cancel::Cancel;
use crate::error::{DataError, DataErrorKind};
use crate::features::{cast_batch, schema_from_features};
use crate::limits::Limits;
use crate::source::{ByteSource, LocalSource};
use crate::table::Table;

mod begun;
pub mod csv;
mod headed;
mod ipc;
pub mod json;
mod lines;
mod nullable;
pub mod parquet;
mod reading;
mod spill;
pub mod tar;
pub mod text;
pub mod unify;
pub mod units;
mod unpack;

pub use begun::begun;
pub use csv::CsvOptions;
pub use headed::with_bytes;
pub use json::JsonOptions;
pub use spill::{read_in_memory, read_into};
pub use text::{SampleBy, TextOptions};
pub use unpack::unpacked;

/// File formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// JSON lines, or one JSON array of objects; plain or compressed.
    Json,
    /// Lines, paragraphs or whole files of text; plain or compressed.
    Text,
    /// Arrow IPC, file or stream.
    Arrow,
    /// Comma separated values, as pandas reads them; plain or compressed.
    Csv,
}

impl FromStr for Format {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        match name {
            "parquet" => Ok(Self::Parquet),
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            "arrow" => Ok(Self::Arrow),
            "csv" => Ok(Self::Csv),
            other => {
                let message = format!(
                    "format {other:?} is not read; the formats are parquet, json, csv, text and arrow"
                );
                Err(DataError::new(DataErrorKind::Unsupported, message))
            }
        }
    }
}

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Columns to read, in this order; all when absent.
    pub columns: Option<Vec<String>>,
    /// Features to cast every file to.
    pub features: Option<Value>,
    /// Rows to keep of Parquet files; all when absent.
    pub filter: Option<parquet::Filter>,
    /// How text files are cut.
    pub text: TextOptions,
    /// How JSON files are read.
    pub json: JsonOptions,
    /// How CSV files are cut and what their texts mean.
    pub csv: CsvOptions,
    /// Caps on sizes that files announce.
    pub limits: Limits,
    /// Asks the reading to stop.
    pub cancel: Cancel,
}

/// What a file gave: its schema and batches in order.
pub(crate) struct FileBatches {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
}

/// Reads files of one format into one table, in order. Types widen over all files (null to anything, integer to
/// float, structs to the union of their fields); a column that a file lacks is null there.
///
/// # Errors
/// `NotFound`, `Io`, `Decode`, `Limit` or `Schema`, with the file.
pub fn read_files(paths: &[PathBuf], format: Format, options: &ReadOptions) -> Result<Table, DataError> {
    let sources = paths
        .iter()
        .map(|p| LocalSource::open(p).map(|s| Arc::new(s) as Arc<dyn ByteSource>))
        .collect::<Result<Vec<_>, _>>()?;
    read_sources(&sources, format, options)
}

/// As `read_files`, of bytes from anywhere.
///
/// # Errors
/// As `read_files`, with the names of the sources.
pub fn read_sources(
    sources: &[Arc<dyn ByteSource>],
    format: Format,
    options: &ReadOptions,
) -> Result<Table, DataError> {
    let files = match format {
        Format::Parquet => parquet::read_sources(sources, options)?,
        Format::Json => json::read_sources(sources, options)?,
        Format::Text => text::read_sources(sources, options)?,
        Format::Csv => csv::read_sources(sources, options)?,
        Format::Arrow => ipc::read_sources(sources, options)?,
    };
    let target = target(files.iter().map(|f| f.schema.as_ref()), sources, options)?;
    let batches: Vec<(usize, RecordBatch)> =
        files.into_iter().enumerate().flat_map(|(i, f)| f.batches.into_iter().map(move |b| (i, b))).collect();
    check_missing(&batches, &target, sources, &options.limits)?;
    let strict = options.features.is_some();
    let batches = batches
        .into_par_iter()
        .map(|(file, batch)| {
            options.cancel.check()?;
            fitted(batch, &target, strict).map_err(|e| named(e, sources.get(file)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Table::try_new(target, batches)
}

/// The schema of the table: that of the features, or what all files fit; of the chosen columns.
fn target<'a>(
    schemas: impl Iterator<Item = &'a Schema>,
    sources: &'a [Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<SchemaRef, DataError> {
    let whole = match &options.features {
        Some(features) => Arc::new(schema_from_features(features)?),
        None => unify::schemas(schemas.zip(sources).map(|(schema, s)| (schema, Path::new(s.name()))))?,
    };
    projected(whole, options.columns.as_deref())
}

/// A column that a batch lacks is null there: many columns of many files would take more memory than any file has bytes.
fn check_missing(
    batches: &[(usize, RecordBatch)],
    target: &Schema,
    sources: &[Arc<dyn ByteSource>],
    limits: &Limits,
) -> Result<(), DataError> {
    let missing = batches.iter().map(|(_, batch)| lacked(batch, target)).fold(0, u64::saturating_add);
    enough(missing, sources, limits)
}

/// Values of a table's columns that a batch lacks.
fn lacked(batch: &RecordBatch, target: &Schema) -> u64 {
    let columns = target.fields().len().saturating_sub(batch.num_columns());
    (columns as u64).saturating_mul(batch.num_rows() as u64)
}

fn enough(missing: u64, sources: &[Arc<dyn ByteSource>], limits: &Limits) -> Result<(), DataError> {
    let bytes: u64 = sources.iter().map(|s| s.len()).sum();
    if missing > limits.max_missing_values && missing / 64 > bytes {
        let message = format!(
            "{missing} values that files lack are over max_missing_values = {}",
            limits.max_missing_values
        );
        return Err(DataError::new(DataErrorKind::Limit, message));
    }
    Ok(())
}

fn named(error: DataError, source: Option<&Arc<dyn ByteSource>>) -> DataError {
    match source {
        Some(source) => error.with_path(source.name()),
        None => error,
    }
}

fn projected(schema: SchemaRef, columns: Option<&[String]>) -> Result<SchemaRef, DataError> {
    let Some(columns) = columns else {
        return Ok(schema);
    };
    let indices = columns.iter().map(|c| column_index(&schema, c)).collect::<Result<Vec<_>, _>>()?;
    let metadata = crate::features::kept_metadata(&schema, columns);
    Ok(Arc::new(schema.project(&indices)?.with_metadata(metadata)))
}

/// The position of a column.
pub(crate) fn column_index(schema: &Schema, name: &str) -> Result<usize, DataError> {
    schema.index_of(name).map_err(|_| {
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        DataError::new(DataErrorKind::MissingColumn, format!("no column {name:?}; there are {names:?}"))
            .with_column(name)
    })
}

/// A batch in the table's schema. `strict`: a column too many is an error (features are imposed), else it was
/// projected away on purpose.
fn fitted(batch: RecordBatch, target: &SchemaRef, strict: bool) -> Result<RecordBatch, DataError> {
    if batch.schema().fields() == target.fields() {
        // Not `with_schema`: the features in the metadata are those of the chosen columns.
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        return Ok(RecordBatch::try_new_with_options(target.clone(), columns, &rows)?);
    }
    if strict {
        return cast_batch(&batch, target);
    }
    let schema = batch.schema();
    let wanted: Vec<usize> =
        (0..schema.fields().len()).filter(|&i| target.index_of(schema.field(i).name()).is_ok()).collect();
    cast_batch(&batch.project(&wanted)?, target)
}

/// The name of a path for messages.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
