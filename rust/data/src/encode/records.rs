//! JSON writer: the bytes of pandas' `to_json(orient="records")`, in lines or as one array.
//!
//! Types and values whose text is not pandas' here are `Unsupported`: the caller lets pandas write those.

use arrow_array::RecordBatch;
use rayon::prelude::*;
use serde::Deserialize;

use super::csv::{rows_of, unsupported};
use super::records_values::{Writer, escaped, writer};
use crate::cancel::Cancel;
use crate::error::DataError;
use crate::view::View;

/// How rows become JSON. Names are those of pandas.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonWriteOptions {
    /// Rows that a thread takes at a time.
    pub batch_size: usize,
    /// A row a line; else one array of rows.
    pub lines: bool,
    /// Whether what is not ASCII is escaped.
    pub force_ascii: bool,
    /// Decimals of floats, 1 to 15.
    pub double_precision: u32,
    /// The unit of dates, instants and durations: `s`, `ms`, `us` or `ns`.
    pub date_unit: String,
}

/// Rows `start..stop` of a view as JSON, in pieces. Without `lines`, all rows must be asked for at once.
///
/// # Errors
/// `Unsupported` for a type, value or option whose text is not pandas' here, `OutOfBounds`, `Cancelled`.
pub fn json_rows(
    view: &View,
    start: usize,
    stop: usize,
    options: &JsonWriteOptions,
    cancel: &Cancel,
) -> Result<Vec<Vec<u8>>, DataError> {
    let schema = view.table().schema();
    if schema.fields().is_empty() {
        return Err(unsupported("JSON of no columns"));
    }
    if !(1..=15).contains(&options.double_precision) {
        return Err(unsupported("this precision of floats"));
    }
    let rows = options.batch_size.max(1);
    let starts: Vec<usize> = (start..stop).step_by(rows).collect();
    let mut pieces = starts
        .into_par_iter()
        .map(|at| {
            cancel.check()?;
            let mut out = Vec::new();
            write_batch(&mut out, &rows_of(view, at, rows.min(stop - at))?, options)?;
            Ok(out)
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    if !options.lines {
        if let Some(last) = pieces.last_mut() {
            last.pop(); // the comma
        }
        pieces.insert(0, b"[".to_vec());
        pieces.push(b"]\n".to_vec());
    }
    Ok(pieces)
}

fn write_batch(out: &mut Vec<u8>, batch: &RecordBatch, options: &JsonWriteOptions) -> Result<(), DataError> {
    let schema = batch.schema();
    let mut columns: Vec<(Vec<u8>, Writer<'_>)> = Vec::new();
    for (array, field) in batch.columns().iter().zip(schema.fields()) {
        let mut key = vec![if columns.is_empty() { b'{' } else { b',' }];
        escaped(&mut key, field.name(), options.force_ascii);
        key.push(b':');
        columns.push((key, writer(array, options, false).map_err(|e| e.with_column(field.name()))?));
    }
    for row in 0..batch.num_rows() {
        for (place, (key, write)) in columns.iter().enumerate() {
            out.extend_from_slice(key);
            if !write(out, row) {
                let name = schema.fields().get(place).map(|f| f.name().as_str()).unwrap_or_default();
                return Err(unsupported("a value whose JSON text is not known here").with_column(name));
            }
        }
        out.extend_from_slice(if options.lines { b"}\n" } else { b"}," });
    }
    Ok(())
}
