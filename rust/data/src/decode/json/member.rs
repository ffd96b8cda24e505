//! Rows that are not lines of objects: arrays, and what a member (`field`) of the file's one object holds. Arrays of
//! objects are parsed where they are; anything else is first written as lines of objects.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::parser::{Fail, Parser};
use super::{Chunk, Rows, Wanted, explain, first_letter, fits, parse, valid};
use crate::decode::ReadOptions;
use crate::error::{DataError, DataErrorKind};
use crate::source::ByteSource;

/// Name of the column of items that are no objects: `text`, or what the features say.
pub(super) fn text_name(options: &ReadOptions) -> String {
    let features = options.features.as_ref().and_then(|f| f.as_object());
    features.and_then(|f| f.keys().next().cloned()).unwrap_or_else(|| "text".to_owned())
}

/// The rows of one member. `infer`: floats that are all whole become integers, as in pandas, which `datasets` uses here.
pub(super) fn read(
    source: &dyn ByteSource,
    field: &str,
    wanted: &Wanted,
    infer: bool,
) -> Result<Chunk, DataError> {
    fits(source.len())?;
    let text = source.read_range(0..source.len())?;
    valid(&text)?;
    if first_letter(&text) != Some(b'{') {
        let message = format!("field {field:?} was asked for, but the file is not one JSON object");
        return Err(DataError::new(DataErrorKind::Schema, message));
    }
    let mut parser = Parser::new(&text, wanted.depth);
    let (mut found, mut keys) = (None, Vec::new());
    let walked = parser.members(|key, extent| {
        if key == field {
            found = Some(extent);
        } else if keys.len() < 20 {
            keys.push(key.into_owned());
        }
    });
    walked.and_then(|()| parser.end()).map_err(|fail| explain(&text, fail))?;
    let extent = found.ok_or_else(|| {
        DataError::new(DataErrorKind::MissingColumn, format!("no field {field:?}; there are {keys:?}"))
            .with_column(field)
    })?;
    let inside = text.get(..extent.end).unwrap_or_default();
    let chunk = match text.get(extent.start) {
        Some(b'[') => match item(inside, extent.start, wanted)? {
            Some(b'[') => lists(inside, extent.start, wanted)?,
            _ => array(inside, extent.start, wanted)?,
        },
        Some(b'{') => columns(inside, extent.start, wanted)?,
        _ => {
            let message = format!("field {field:?} is neither a list nor an object of columns");
            return Err(DataError::new(DataErrorKind::Schema, message).with_column(field));
        }
    };
    let chunk = Chunk { head: false, ..chunk }; // keys that differ make one struct here
    Ok(if infer { Chunk { batch: whole_numbers(&chunk.batch)?, ..chunk } } else { chunk })
}

/// The rows of the array at `at`, whose text is known to be UTF-8: its objects, or a column of its items.
pub(super) fn array(text: &[u8], at: usize, wanted: &Wanted) -> Result<Chunk, DataError> {
    if matches!(item(text, at, wanted)?, Some(b'{' | b']') | None) {
        return parse(text, wanted, Rows::Array(at));
    }
    let mut parser = Parser::new(text, wanted.depth);
    parser.at = parser.at.max(at);
    let mut lines = Vec::new();
    let name = quoted(&wanted.text);
    let walked = parser.elements(|item| {
        let value = text.get(item).unwrap_or_default();
        for part in [b"{", name.as_bytes(), b":", value, b"}\n"] {
            lines.extend_from_slice(part);
        }
    });
    walked.and_then(|()| parser.end()).map_err(|fail| explain(text, fail))?;
    rewritten(&lines, wanted)
}

/// The first byte of the array's first item.
fn item(text: &[u8], at: usize, wanted: &Wanted) -> Result<Option<u8>, DataError> {
    let mut parser = Parser::new(text, wanted.depth);
    parser.at = parser.at.max(at);
    parser.blanks();
    parser.expect(b'[', "expected an array").map_err(|fail| explain(text, fail))?;
    parser.blanks();
    Ok(parser.peek())
}

/// Lists as rows: the columns are named by their numbers.
fn lists(text: &[u8], at: usize, wanted: &Wanted) -> Result<Chunk, DataError> {
    let failed = |fail| explain(text, fail);
    let mut parser = Parser::new(text, wanted.depth);
    parser.at = at;
    let mut rows = Vec::new();
    parser.elements(|row| rows.push(row)).map_err(failed)?;
    let mut lines = Vec::new();
    for row in rows {
        let mut inner = Parser::new(text, wanted.depth);
        inner.at = row.start;
        let mut columns = Vec::new();
        inner.elements(|item| columns.push(item)).map_err(failed)?;
        let numbered = columns.into_iter().enumerate().map(|(i, item)| (i.to_string(), item));
        line(&mut lines, text, numbered)?;
    }
    rewritten(&lines, wanted)
}

/// An object of columns: lists, or objects whose keys are row numbers.
fn columns(text: &[u8], at: usize, wanted: &Wanted) -> Result<Chunk, DataError> {
    let failed = |fail: Fail| explain(text, fail);
    let mut parser = Parser::new(text, wanted.depth);
    parser.at = at;
    let mut columns: Vec<(String, Range<usize>)> = Vec::new();
    parser.members(|key, extent| columns.push((key.into_owned(), extent))).map_err(failed)?;
    let mut values: Vec<Vec<Range<usize>>> = Vec::with_capacity(columns.len());
    for (name, extent) in &columns {
        let mut inner = Parser::new(text, wanted.depth);
        inner.at = extent.start;
        let mut items = Vec::new();
        match text.get(extent.start) {
            Some(b'[') => inner.elements(|item| items.push(item)).map_err(failed)?,
            Some(b'{') => inner.members(|_, item| items.push(item)).map_err(failed)?,
            _ => {
                let message = "an object of columns must hold lists";
                return Err(DataError::new(DataErrorKind::Schema, message).with_column(name));
            }
        }
        if values.first().is_some_and(|first: &Vec<_>| first.len() != items.len()) {
            let message = format!(
                "columns of other lengths: {} and {}",
                values.first().map_or(0, Vec::len),
                items.len()
            );
            return Err(DataError::new(DataErrorKind::Schema, message).with_column(name));
        }
        values.push(items);
    }
    let mut lines = Vec::new();
    for row in 0..values.first().map_or(0, Vec::len) {
        let cells = columns.iter().zip(&values);
        line(&mut lines, text, cells.filter_map(|((n, _), v)| Some((n.clone(), v.get(row)?.clone()))))?;
    }
    rewritten(&lines, wanted)
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// Writes a row; the names are repeated in each, and a long one makes much of a small file.
fn line(
    lines: &mut Vec<u8>,
    text: &[u8],
    cells: impl Iterator<Item = (String, Range<usize>)>,
) -> Result<(), DataError> {
    lines.push(b'{');
    for (i, (name, value)) in cells.enumerate() {
        if i > 0 {
            lines.push(b',');
        }
        lines.extend_from_slice(quoted(&name).as_bytes());
        lines.push(b':');
        // A value may span lines; what is between its tokens means nothing.
        lines.extend_from_slice(text.get(value).unwrap_or_default());
    }
    lines.extend_from_slice(b"}\n");
    fits(lines.len() as u64)
}

/// Lines that were made here: their numbers would say nothing to a reader.
fn rewritten(lines: &[u8], wanted: &Wanted) -> Result<Chunk, DataError> {
    fits(lines.len() as u64)?;
    parse(lines, wanted, Rows::Lines).map_err(DataError::without_line)
}

fn whole_numbers(batch: &RecordBatch) -> Result<RecordBatch, DataError> {
    let schema = batch.schema();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let whole = whole_column(column);
        fields.push(match whole {
            Some(_) => Field::new(field.name(), DataType::Int64, true),
            None => field.as_ref().clone(),
        });
        columns.push(whole.unwrap_or_else(|| column.clone()));
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

/// A float column whose values are all whole, as integers.
fn whole_column(column: &ArrayRef) -> Option<ArrayRef> {
    let floats = column.as_primitive_opt::<Float64Type>()?;
    let fits = |v: f64| v.fract() == 0.0 && v.abs() < 9.0e18;
    if floats.null_count() == floats.len() || !floats.iter().flatten().all(fits) {
        return None;
    }
    let whole: Int64Array = floats.unary::<_, Int64Type>(|v| v as i64);
    Some(Arc::new(whole))
}
