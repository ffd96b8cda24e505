//! CSV writer: the bytes of pandas' `to_csv`, batch by batch.
//!
//! Types and options whose text is not pandas' here are `Unsupported`: the caller lets pandas write those.

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use rayon::prelude::*;
use serde::Deserialize;

use super::csv_cells::{Value, cells};
use super::csv_dialect::Dialect;
use super::text::number::integer;
use crate::cancel::Cancel;
use crate::error::{DataError, DataErrorKind};
use crate::view::View;

/// pandas cuts a frame into parts of this many cells; how times are written is decided in each.
const CELLS: usize = 100_000;

/// How rows become CSV. Names are those of pandas.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvWriteOptions {
    /// Rows of a batch: row numbers begin anew in each, and how times are written is decided in each.
    pub batch_size: usize,
    /// Text between cells.
    pub sep: String,
    /// Text of null and NaN.
    pub na_rep: String,
    /// Names in the first line; no such line when absent.
    pub header: Option<Vec<String>>,
    /// Whether rows begin with their number in the batch.
    pub index: bool,
    /// Name of those numbers in the first line.
    pub index_label: String,
    /// What is quoted: 0 what needs it, 1 everything, 2 what is no number.
    pub quoting: u8,
    /// The quote.
    pub quotechar: String,
    /// Whether a quote in a cell is written twice.
    pub doublequote: bool,
    /// What is written before a quote otherwise.
    pub escapechar: Option<String>,
    /// End of a line.
    pub lineterminator: String,
    /// Other characters that are quoted: those that Python's `csv` takes for ends of lines.
    pub newlines: String,
    /// Decimals of floats; as many as they need when absent.
    pub float_decimals: Option<usize>,
    /// From where on a float32 has an exponent.
    pub float32_limit: f64,
}

pub(super) fn unsupported(message: impl Into<String>) -> DataError {
    DataError::new(DataErrorKind::Unsupported, message)
}

/// Rows `start..stop` of a view as CSV, a piece a batch; `start` is the first row of a batch. The first line comes with
/// row 0.
///
/// # Errors
/// `Unsupported` for a type, value or option whose text is not pandas' here, `OutOfBounds`, `Cancelled`.
pub fn csv_rows(
    view: &View,
    start: usize,
    stop: usize,
    options: &CsvWriteOptions,
    cancel: &Cancel,
) -> Result<Vec<Vec<u8>>, DataError> {
    let dialect = Dialect::new(options)?;
    let width = view.table().schema_ref().fields().len();
    if width == 0 {
        return Err(unsupported("CSV of no columns"));
    }
    let part = (CELLS / width).max(1);
    let rows = options.batch_size.max(1);
    let mut first = Vec::new();
    if let (0, Some(names)) = (start, &options.header) {
        dialect.header(&mut first, names, options)?;
    }
    let starts: Vec<usize> = (start..stop).step_by(rows).collect();
    let pieces = starts
        .into_par_iter()
        .map(|at| {
            cancel.check()?;
            let batch = rows_of(view, at, rows.min(stop - at))?;
            let mut out = Vec::new();
            let mut from = 0;
            while from < batch.num_rows() {
                let taken = part.min(batch.num_rows() - from);
                write_part(&mut out, &batch.slice(from, taken), from, &dialect, options)?;
                from += taken;
            }
            Ok(out)
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    Ok(std::iter::once(first).chain(pieces).collect())
}

/// Rows of a view as one batch.
pub(super) fn rows_of(view: &View, start: usize, len: usize) -> Result<RecordBatch, DataError> {
    let batches = view.select_range(start, len)?.to_batches()?;
    match batches.as_slice() {
        [one] => Ok(one.clone()),
        many => Ok(concat_batches(&view.table().schema(), many)?),
    }
}

fn write_part(
    out: &mut Vec<u8>,
    batch: &RecordBatch,
    first: usize,
    dialect: &Dialect,
    options: &CsvWriteOptions,
) -> Result<(), DataError> {
    let schema = batch.schema();
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| cells(array, options, dialect).map_err(|e| e.with_column(field.name())))
        .collect::<Result<Vec<_>, _>>()?;
    let mut scratch = Vec::new();
    for row in 0..batch.num_rows() {
        let begun = out.len();
        if options.index {
            scratch.clear();
            integer(&mut scratch, first + row);
            dialect.field(out, &scratch, options.quoting == 1);
        }
        for (place, column) in columns.iter().enumerate() {
            if place > 0 || options.index {
                out.push(dialect.sep);
            }
            let ok = if column.is_null(row) {
                out.extend_from_slice(&dialect.na);
                true
            } else {
                match &column.value {
                    Value::Text(bytes) => dialect.field(out, bytes(row), dialect.quotes_text),
                    Value::Made(write) if column.clean => {
                        dialect.plain(out, column.quoted, |out| write(out, row))
                    }
                    Value::Made(write) => {
                        scratch.clear();
                        write(&mut scratch, row) && dialect.field(out, &scratch, column.quoted)
                    }
                }
            };
            if !ok {
                let name = schema.fields().get(place).map(|f| f.name().as_str()).unwrap_or_default();
                return Err(unsupported("a value whose CSV text is not known here").with_column(name));
            }
        }
        dialect.end_row(out, begun);
    }
    Ok(())
}
