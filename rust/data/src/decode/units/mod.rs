//! Files read forward unit by unit, in bounded memory, from any position where a unit ended: for streaming.
//!
//! A unit is a table of some rows and the positions of its start and its end. A position is a byte of the text (of what
//! a compressed file unpacks to), or the number of a record batch.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::headed::Kept;
use super::lines::SEARCH;
use super::reading::FIRST as FIRST_REQUEST;
use super::{Format, ReadOptions, fitted};
use crate::cancel::Cancel;
use crate::error::{DataError, DataErrorKind};
use crate::source::ByteSource;
use crate::table::Table;

mod arrow;
mod buffer;
mod csv;
mod items;
mod json;
mod pieces;
mod text;

/// Bytes of the first unit of text, so that the first row comes early.
const FIRST: usize = 64 << 10;
/// Bytes of the later ones.
const MOST: usize = 4 << 20;

/// Bytes of the unit of text at a position: what a unit holds must not depend on how it was come to.
fn size_at(at: u64) -> usize {
    usize::try_from(at).unwrap_or(MOST).clamp(FIRST, MOST)
}

/// Some rows of a file.
pub struct Unit {
    /// The rows.
    pub table: Table,
    /// Where they begin.
    pub start: u64,
    /// Where the next unit begins.
    pub end: u64,
}

/// A file that is read forward.
pub trait Units: Send {
    /// The next unit; None at the end.
    ///
    /// # Errors
    /// `Io`, `Decode`, `Limit` or `Schema`, with the path and, where it is known, the line.
    fn next_unit(&mut self, cancel: &Cancel) -> Result<Option<Unit>, DataError>;
}

/// Opens a file at a position that a unit ended at, or at its start (0).
///
/// `options.features` are imposed on every unit. What a unit holds depends on its position alone.
///
/// # Errors
/// As reading; `Unsupported` for Parquet, which is read by row groups.
pub fn open(
    source: &Arc<dyn ByteSource>,
    format: Format,
    at: u64,
    options: &ReadOptions,
) -> Result<Box<dyn Units>, DataError> {
    let source = &Kept::head(source, if at == 0 { FIRST_REQUEST } else { SEARCH });
    let options = options.clone();
    let place = |e: DataError| e.with_path(source.name());
    Ok(match format {
        Format::Text => Box::new(text::TextUnits::open(source, at, options).map_err(place)?),
        Format::Json => Box::new(json::JsonUnits::open(source, at, options).map_err(place)?),
        Format::Csv => Box::new(csv::CsvUnits::open(source, at, options).map_err(place)?),
        Format::Arrow => arrow::open(source, at, options).map_err(place)?,
        Format::Parquet => {
            let message = "Parquet files are read by row groups";
            return Err(DataError::new(DataErrorKind::Unsupported, message));
        }
    })
}

/// Features (as JSON) that a file tells without being read whole: the first lines of JSON, the schema of Arrow.
///
/// # Errors
/// As reading.
pub fn features(
    source: &Arc<dyn ByteSource>,
    format: Format,
    options: &ReadOptions,
) -> Result<Option<serde_json::Value>, DataError> {
    let found = match format {
        Format::Json => json::head_features(source, options),
        Format::Arrow => arrow::features(source, options).map(Some),
        _ => Ok(None),
    };
    found.map_err(|e| e.with_path(source.name()))
}

/// Batches in the types that are imposed.
fn table(
    batches: Vec<RecordBatch>,
    schema: SchemaRef,
    features: Option<&serde_json::Value>,
) -> Result<Table, DataError> {
    let Some(features) = features else {
        return Table::try_new(schema, batches);
    };
    let target = Arc::new(crate::features::schema_from_features(features)?);
    let batches = batches.into_iter().map(|b| fitted(b, &target, true)).collect::<Result<Vec<_>, _>>()?;
    Table::try_new(target, batches)
}

#[cfg(test)]
mod tests;
