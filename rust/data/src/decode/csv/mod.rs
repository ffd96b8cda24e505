//! CSV to Arrow with the meaning of pandas' `read_csv`, which `datasets` uses: types from the first 10,000 rows, widened
//! where later rows need it (`datasets` fails there).
//!
//! Long files are read once, by a guess at their types and at where records end (`guess`). Where the guess is wrong, and
//! in short files, there are two passes over pieces that end at record ends, on all threads: the first finds the types,
//! the second builds columns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use rayon::prelude::*;
use serde::Deserialize;

use super::lines::lines_in;
use super::unpack::unpacked;
use super::{FileBatches, ReadOptions};
use crate::error::{DataError, DataErrorKind};
use crate::features::schema_from_features;
use crate::source::ByteSource;

mod build;
mod guess;
mod infer;
mod layout;
mod numbers;
mod records;

pub(super) use guess::Guess;
use infer::{Seen, Words};
pub(super) use layout::Layout;
pub(super) use records::Records;
use records::pieces;

/// Rows that decide the types, as the chunks of `datasets` do.
pub(super) const HEAD: usize = 10_000;
/// A mark of UTF-8 that some writers put first.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";
/// Bytes of text that a thread takes at a time.
pub(super) const PIECE: usize = 2 << 20;

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

/// A column by its name or its number; numbers below zero count from the end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ColumnRef {
    /// By position.
    Number(i64),
    /// By name.
    Name(String),
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
    /// Columns to read; all when absent.
    pub use_columns: Option<Vec<ColumnRef>>,
    /// Columns that are an index, which comes last; counted among those that are read.
    pub index: Vec<ColumnRef>,
    /// Whether fields beyond the header never are an index: they are left out.
    pub no_index: bool,
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
            use_columns: None,
            index: Vec::new(),
            no_index: false,
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

fn read_file(source: Arc<dyn ByteSource>, options: &ReadOptions) -> Result<FileBatches, DataError> {
    let source = unpacked(source, &options.limits)?;
    if let Some(guess) = Guess::open(source.clone(), options, PIECE)?
        && let Some(batches) = guess.read(0..guess.pieces())?
    {
        return guess.file(batches);
    }
    read_whole(source.as_ref(), options)
}

fn read_whole(source: &dyn ByteSource, options: &ReadOptions) -> Result<FileBatches, DataError> {
    let bytes = source.read_range(0..source.len())?;
    let text = bytes.strip_prefix(BOM).unwrap_or(&bytes);
    let layout = Layout::of(text, &options.csv)?;
    let body = text.get(layout.body..).unwrap_or_default();
    read_body(body, &layout, options)
        .map_err(|e| e.line_shifted(lines_in(text.get(..layout.body).unwrap_or_default())))
}

/// The rows of a text behind the header. Lines of errors are those of the text.
pub(super) fn read_body(
    body: &[u8],
    layout: &Layout,
    options: &ReadOptions,
) -> Result<FileBatches, DataError> {
    let csv = &options.csv;
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

    let lines_before = |range: &std::ops::Range<usize>| lines_in(body.get(..range.start).unwrap_or_default());
    let (missing, most) = (AtomicU64::new(0), options.limits.max_missing_values);
    let seen = parts
        .par_iter()
        .map(|(range, limit)| {
            options.cancel.check()?;
            let piece = body.get(range.clone()).unwrap_or_default();
            let (records, _) = Records::cut(piece, csv, *limit);
            if let Some(row) = (0..records.len()).find(|&row| records.width(row) > width)
                && csv.bad_lines == BadLines::Error
                && !layout.any_width
            {
                let message = format!("expected {width} fields, saw {}", records.width(row));
                let line = lines_before(range) + records.lines_before(row) + 1;
                return Err(wrong(message).with_line(line));
            }
            let more = records.missing(width);
            if missing.fetch_add(more, Ordering::Relaxed).saturating_add(more) > most {
                let message = format!("rows lack more fields than max_missing_values = {most}");
                return Err(DataError::new(DataErrorKind::Limit, message));
            }
            Ok(infer::look(&records, width, &words, csv))
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let types = types(&seen, layout, imposed.as_ref());

    let kept = kept(layout, imposed.as_ref())?;
    let schema = schema(layout, &kept, &types);
    let batches = parts
        .into_par_iter()
        .map(|(range, limit)| {
            options.cancel.check()?;
            let piece = body.get(range.clone()).unwrap_or_default();
            let (records, _) = Records::cut(piece, csv, limit);
            let records = if layout.any_width { records } else { records.without_longer_than(width) };
            let columns = kept
                .par_iter() // a unit of a stream is one part: its columns are made side by side
                .map(|&c| {
                    let data_type = types.get(c).unwrap_or(&DataType::LargeUtf8);
                    build::column(&records, c, data_type, &words, csv)
                        .map(|built| built.array) // the type was inferred from all values
                        .map_err(|e| match e.line() {
                            Some(_) => e.line_shifted(lines_before(&range)).with_column(layout.name(c)),
                            None => e.with_column(layout.name(c)),
                        })
                })
                .collect::<Result<Vec<_>, _>>()?;
            let count = RecordBatchOptions::new().with_row_count(Some(records.len()));
            Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &count)?)
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    if imposed.is_none() {
        return layout.without_ranges(&schema, batches);
    }
    Ok(FileBatches { schema, batches })
}

/// The columns of the table, in their order.
fn kept(layout: &Layout, imposed: Option<&Schema>) -> Result<Vec<usize>, DataError> {
    let Some(schema) = imposed else { return Ok(layout.order()) };
    let there = |name: &str| layout.used.iter().copied().find(|&c| layout.name(c) == name);
    if let Some(field) = schema.fields().iter().find(|f| there(f.name()).is_none()) {
        let names: Vec<_> = layout.used.iter().map(|&c| layout.name(c)).collect();
        let message = format!("no column {:?}; there are {names:?}", field.name());
        return Err(DataError::new(DataErrorKind::MissingColumn, message).with_column(field.name()));
    }
    Ok(schema.fields().iter().filter_map(|f| there(f.name())).collect())
}

fn schema(layout: &Layout, kept: &[usize], types: &[DataType]) -> SchemaRef {
    let fields =
        kept.iter().filter_map(|&c| Some(Field::new(layout.names.get(c)?, types.get(c)?.clone(), true)));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Types of all columns: those of the head, unless later rows do not fit them.
fn types(seen: &[Vec<Seen>], layout: &Layout, imposed: Option<&Schema>) -> Vec<DataType> {
    let column = |index: usize| {
        let name = layout.name(index);
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
