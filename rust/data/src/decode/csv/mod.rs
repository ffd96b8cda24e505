//! CSV to Arrow with the meaning of pandas' `read_csv`, which `datasets` uses: types from the first 10,000 rows, widened
//! where later rows need it (`datasets` fails there).
//!
//! Two passes over pieces that end at record ends, on all threads: the first finds the types, the second builds columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;
use serde::Deserialize;

use super::lines::lines_in;
use super::unpack::unpacked;
use super::{FileBatches, ReadOptions};
use crate::error::{DataError, DataErrorKind};
use crate::features::schema_from_features;
use crate::source::ByteSource;

mod build;
mod infer;
mod numbers;
mod records;

use infer::{Seen, Words};
use records::{Records, pieces};

/// Rows that decide the types, as the chunks of `datasets` do.
const HEAD: usize = 10_000;
/// Bytes of text that a thread takes at a time.
const PIECE: usize = 2 << 20;

/// What to do with a record that has too many fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadLines {
    /// An error that names the line.
    #[default]
    Error,
    /// Leave it out.
    #[serde(alias = "warn")]
    Skip,
}

/// Options under the names of pandas. Characters are single bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the options of pandas")]
pub struct CsvOptions {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields; `None` gives quotes no meaning.
    pub quote: Option<u8>,
    /// Takes the next byte as it is.
    pub escape: Option<u8>,
    /// Starts a comment to the end of the line.
    pub comment: Option<u8>,
    /// Whether two quotes inside a quoted field are one.
    pub double_quote: bool,
    /// Whether blanks after a delimiter are dropped.
    pub skip_initial_space: bool,
    /// Whether lines without anything are no rows.
    pub skip_blank_lines: bool,
    /// Row of the names; `None`: there is none.
    pub header: Option<usize>,
    /// Names in place of the header's.
    pub names: Option<Vec<String>>,
    /// Lines left out before anything is read.
    pub skip_rows: usize,
    /// Most rows to read.
    pub max_rows: Option<usize>,
    /// More texts that mean a missing value.
    pub na_values: Vec<String>,
    /// Whether the usual ones do.
    pub keep_default_na: bool,
    /// Whether any text means a missing value.
    pub na_filter: bool,
    /// More texts that mean true.
    pub true_values: Vec<String>,
    /// More texts that mean false.
    pub false_values: Vec<String>,
    /// Dropped from numbers.
    pub thousands: Option<u8>,
    /// Between whole and fraction.
    pub decimal: u8,
    /// Records with too many fields.
    pub bad_lines: BadLines,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            comment: None,
            double_quote: true,
            skip_initial_space: false,
            skip_blank_lines: true,
            header: Some(0),
            names: None,
            skip_rows: 0,
            max_rows: None,
            na_values: Vec::new(),
            keep_default_na: true,
            na_filter: true,
            true_values: Vec::new(),
            false_values: Vec::new(),
            thousands: None,
            decimal: b'.',
            bad_lines: BadLines::Error,
        }
    }
}

/// All rows of several files.
pub(crate) fn read_sources(
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<Vec<FileBatches>, DataError> {
    sources.iter().map(|s| read_file(s.clone(), options).map_err(|e| e.with_path(s.name()))).collect()
}

fn wrong(message: impl Into<String>) -> DataError {
    DataError::new(DataErrorKind::Decode, message)
}

/// The columns of a file: their names in the order of its fields, how many lead as an index, and where rows begin.
struct Layout {
    names: Vec<String>,
    index: usize,
    body: usize,
}

fn read_file(source: Arc<dyn ByteSource>, options: &ReadOptions) -> Result<FileBatches, DataError> {
    let source = unpacked(source, &options.limits)?;
    let bytes = source.read_range(0..source.len())?;
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let csv = &options.csv;
    let layout = layout(text, csv)?;
    let body = text.get(layout.body..).unwrap_or_default();
    let lines = || lines_in(text.get(..layout.body).unwrap_or_default());
    let words = Words::new(csv);
    let imposed = options.features.as_ref().map(schema_from_features).transpose()?;
    let width = layout.names.len();

    let head = csv.max_rows.unwrap_or(usize::MAX).min(HEAD);
    let (first, stop) = Records::cut(body, csv, head);
    let mut rest = pieces(body.get(stop..).unwrap_or_default(), csv, PIECE);
    if csv.max_rows.is_some() {
        // Rows are counted in order: the limit lies inside the head, or everything is one piece behind it.
        let left = body.get(stop..).map_or(0, <[u8]>::len);
        rest = if head < HEAD || left == 0 { Vec::new() } else { std::iter::once(0..left).collect() };
    }
    let limit = csv.max_rows.map_or(usize::MAX, |rows| rows - first.len().min(rows));
    let whole = std::iter::once(0..stop).chain(rest.iter().map(|r| r.start + stop..r.end + stop));
    let parts: Vec<(std::ops::Range<usize>, usize)> =
        whole.enumerate().map(|(i, r)| (r, if i == 0 { head } else { limit })).collect();

    let seen = parts
        .par_iter()
        .map(|(range, limit)| {
            options.cancel.check()?;
            let piece = body.get(range.clone()).unwrap_or_default();
            let (records, _) = Records::cut(piece, csv, *limit);
            if let Some(row) = (0..records.len()).find(|&row| records.width(row) > width)
                && csv.bad_lines == BadLines::Error
            {
                let before = body.get(..range.start + records.begins(row)).unwrap_or_default();
                let message = format!("expected {width} fields, saw {}", records.width(row));
                return Err(wrong(message).with_line(lines() + lines_in(before) + 1));
            }
            Ok(infer::look(&records, width, &words, csv))
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let types = types(&seen, &layout, imposed.as_ref());

    let order: Vec<usize> = (layout.index..width).chain(0..layout.index).collect();
    let kept: Vec<usize> = match &imposed {
        None => order,
        Some(schema) => {
            let there = |name: &str| layout.names.iter().position(|n| n == name);
            let missing = schema.fields().iter().find(|f| there(f.name()).is_none());
            if let Some(field) = missing {
                let message = format!("no column {:?}; there are {:?}", field.name(), layout.names);
                return Err(DataError::new(DataErrorKind::MissingColumn, message).with_column(field.name()));
            }
            schema.fields().iter().filter_map(|f| there(f.name())).collect()
        }
    };
    let fields =
        kept.iter().filter_map(|&c| Some(Field::new(layout.names.get(c)?, types.get(c)?.clone(), true)));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batches = parts
        .into_par_iter()
        .map(|(range, limit)| {
            options.cancel.check()?;
            let piece = body.get(range.clone()).unwrap_or_default();
            let (records, _) = Records::cut(piece, csv, limit);
            let records = records.without_longer_than(width);
            let columns = kept
                .iter()
                .map(|&c| {
                    let data_type = types.get(c).unwrap_or(&DataType::LargeUtf8);
                    build::column(&records, c, data_type, &words, csv)
                        .map_err(|e| e.with_column(layout.names.get(c).map_or("", String::as_str)))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let count = RecordBatchOptions::new().with_row_count(Some(records.len()));
            Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &count)?)
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    if layout.index == 1 && imposed.is_none() && is_range(&batches, schema.fields().len() - 1) {
        return without_last(&schema, &batches);
    }
    Ok(FileBatches { schema, batches })
}

/// Whether a column counts evenly: pandas makes such an index a range, which is no column.
fn is_range(batches: &[RecordBatch], column: usize) -> bool {
    let parts: Option<Vec<&Int64Array>> =
        batches.iter().map(|b| b.columns().get(column)?.as_any().downcast_ref::<Int64Array>()).collect();
    let Some(parts) = parts else { return false };
    let mut values = parts.iter().flat_map(|p| p.iter());
    let (Some(mut last), mut step) = (values.next().flatten(), None) else { return false };
    let even = values.all(|value| {
        let Some(found) = value.and_then(|v| v.checked_sub(last)) else { return false };
        last = last.wrapping_add(found);
        found != 0 && *step.get_or_insert(found) == found
    });
    even && step.is_some()
}

fn without_last(schema: &Schema, batches: &[RecordBatch]) -> Result<FileBatches, DataError> {
    let kept: Vec<usize> = (0..schema.fields().len() - 1).collect();
    let batches = batches.iter().map(|b| b.project(&kept)).collect::<Result<Vec<_>, _>>()?;
    Ok(FileBatches { schema: Arc::new(schema.project(&kept)?), batches })
}

/// Types of all columns: those of the head, unless later rows do not fit them.
fn types(seen: &[Vec<Seen>], layout: &Layout, imposed: Option<&Schema>) -> Vec<DataType> {
    let column = |index: usize| {
        let name = layout.names.get(index).map_or("", String::as_str);
        if let Some(field) = imposed.and_then(|s| s.field_with_name(name).ok())
            && matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        {
            return DataType::LargeUtf8; // text stays as it is written: `007`
        }
        let mut parts = seen.iter().filter_map(|s| s.get(index)).copied();
        let head = parts.next().unwrap_or_default();
        let all = parts.fold(head, Seen::and);
        let by_head = head.data_type(true);
        match (&by_head, all.data_type(false)) {
            // A missing value after the head is a null of a whole-number column.
            (DataType::Int64, DataType::Int64) | (DataType::UInt64, DataType::UInt64) => by_head,
            (DataType::Boolean, DataType::Boolean) | (DataType::LargeUtf8, _) => by_head,
            (DataType::Float64, DataType::Int64 | DataType::UInt64 | DataType::Float64) => by_head,
            (DataType::Int64, DataType::UInt64) if !head.has_missing() => DataType::UInt64,
            (_, wide) => wide,
        }
    };
    (0..layout.names.len()).map(column).collect()
}

/// Reads the header, and looks at the first row: fields that it has beyond the header are an index in front.
fn layout(text: &[u8], options: &CsvOptions) -> Result<Layout, DataError> {
    let mut start = 0;
    for _ in 0..options.skip_rows {
        let rest = text.get(start..).unwrap_or_default();
        start += memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
    }
    let rest = text.get(start..).unwrap_or_default();
    let (records, body) = match options.header {
        Some(row) => Records::cut(rest, options, row + 1),
        None => Records::cut(rest, options, 0),
    };
    let (first, _) = Records::cut(rest.get(body..).unwrap_or_default(), options, 1);
    let width = first.width(0);
    let header = options.header.map(|row| (row, records.len() > row));
    let mut names = match header {
        Some((_, false)) => return Err(wrong("no columns to parse: the file is empty")),
        Some((row, true)) => {
            let texts = (0..records.width(row)).map(|c| records.field(row, c).unwrap_or_default());
            named(texts.map(|t| String::from_utf8_lossy(t).into_owned()).collect())
        }
        None if first.len() == 0 => return Err(wrong("no columns to parse: the file is empty")),
        None => (0..width).map(|c| c.to_string()).collect(),
    };
    if let Some(given) = &options.names {
        names.clone_from(given);
    }
    let index = width.saturating_sub(names.len());
    let mut all: Vec<String> = (0..index).map(|i| format!("__index_level_{i}__")).collect();
    all.append(&mut names);
    Ok(Layout { names: all, index, body: start + body })
}

/// Names of a header as pandas makes them unique: empty ones by their place, repeated ones with a number.
fn named(texts: Vec<String>) -> Vec<String> {
    let fill = |(i, name): (usize, String)| if name.is_empty() { format!("Unnamed: {i}") } else { name };
    let mut names: Vec<String> = texts.into_iter().enumerate().map(fill).collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for i in 0..names.len() {
        let old = names.get(i).cloned().unwrap_or_default();
        let mut name = old.clone();
        let mut count = counts.get(&name).copied().unwrap_or(0);
        while count > 0 {
            counts.insert(old.clone(), count + 1);
            name = format!("{old}.{count}");
            count = if names.contains(&name) { count + 1 } else { counts.get(&name).copied().unwrap_or(0) };
        }
        counts.insert(name.clone(), count + 1);
        if let Some(place) = names.get_mut(i) {
            *place = name;
        }
    }
    names
}
