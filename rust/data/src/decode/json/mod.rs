//! JSON to Arrow: lines cut into chunks that all threads parse, types widened when chunks are put together.
//!
//! A file is JSON lines (blank lines, CRLF, a BOM, several objects on a line), objects printed over several lines, or
//! one array of objects; plain or compressed. Structs whose keys differ become the union of the keys; values of types
//! without a common one (a number and a string in a column) are an error that names file, line and column.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use memchr::memrchr;
use rayon::prelude::*;

use super::lines::{CHUNK, SEARCH, line_ranges, lines_before, lines_in, next_line};
use super::unpack::{Packing, unpacked};
use super::{FileBatches, ReadOptions, unify};
use crate::cancel::Cancel;
use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;
use crate::source::ByteSource;

mod builder;
mod dates;
mod parser;

use builder::StructBuilder;
use parser::{Fail, Parser, Why};

/// Files up to this size are parsed again as a whole when a chunk fails: an object may span lines, and a whole parse
/// knows the line of an error.
const WHOLE: u64 = 1 << 30;

/// What a chunk gave: a batch in its own types, and which of its string columns hold only ISO dates.
struct Chunk {
    batch: RecordBatch,
    iso: HashMap<String, bool>,
}

/// All rows of several files, ISO dates converted where a column has nothing else in any file.
pub(crate) fn read_sources(
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<Vec<FileBatches>, DataError> {
    let files = sources.iter().map(|s| read_file(s.clone(), options)).collect::<Result<Vec<_>, _>>()?;
    let mut iso: HashMap<String, bool> = HashMap::new();
    if options.features.is_none() {
        for (path, all) in files.iter().flatten().flat_map(|c| &c.iso) {
            *iso.entry(path.clone()).or_insert(true) &= all;
        }
    }
    files
        .into_par_iter()
        .zip(sources)
        .map(|(chunks, source)| {
            let batches = chunks.iter().map(|c| dated(&c.batch, &iso)).collect::<Result<Vec<_>, _>>()?;
            let mut fields = Vec::new();
            for batch in &batches {
                unify::merge(&mut fields, batch.schema().fields()).map_err(|e| e.with_path(source.name()))?;
            }
            Ok(FileBatches { schema: Arc::new(Schema::new(fields)), batches })
        })
        .collect()
}

fn dated(batch: &RecordBatch, iso: &HashMap<String, bool>) -> Result<RecordBatch, DataError> {
    if !iso.values().any(|all| *all) {
        return Ok(batch.clone());
    }
    let schema = batch.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(f, c)| dates::convert(c, &format!(".{}", f.name()), iso))
        .collect::<Result<Vec<_>, _>>()?;
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|f| Field::new(f.name(), dates::converted(f.data_type(), &format!(".{}", f.name()), iso), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

fn read_file(source: Arc<dyn ByteSource>, options: &ReadOptions) -> Result<Vec<Chunk>, DataError> {
    let name = source.name().to_owned();
    let source = unpacked(source, &options.limits)?;
    let depth = options.limits.max_json_depth;
    let head = source.read_range(0..source.len().min(SEARCH))?;
    if first_letter(&head) == Some(b'[') {
        return Ok(vec![whole(source.as_ref(), depth, true).map_err(|e| e.with_path(&name))?]);
    }
    let ranges = line_ranges(source.as_ref(), CHUNK)?;
    let parsed: Result<Vec<Chunk>, (Range<u64>, DataError)> = ranges
        .into_par_iter()
        .map(|range| {
            let read = || {
                options.cancel.check()?;
                parse_rows(&source.read_range(range.clone())?, depth)
            };
            read().map_err(|e| (range.clone(), e))
        })
        .collect();
    match parsed {
        Ok(chunks) => Ok(chunks),
        Err((_, error)) if error.kind() == DataErrorKind::Cancelled => Err(error),
        Err(_) if source.len() <= WHOLE => {
            Ok(vec![whole(source.as_ref(), depth, false).map_err(|e| e.with_path(&name))?])
        }
        Err((range, error)) => {
            Err(error.line_shifted(lines_before(source.as_ref(), range.start)?).with_path(&name))
        }
    }
}

fn whole(source: &dyn ByteSource, depth: usize, array: bool) -> Result<Chunk, DataError> {
    if source.len() >= i32::MAX as u64 {
        let message =
            "a JSON array, or objects over several lines, of 2 GiB or more: use JSON lines or Parquet";
        return Err(DataError::new(DataErrorKind::Limit, message));
    }
    let text = source.read_range(0..source.len())?;
    parse(&text, depth, array)
}

fn parse_rows(text: &[u8], depth: usize) -> Result<Chunk, DataError> {
    parse(text, depth, false)
}

fn parse(text: &[u8], depth: usize, array: bool) -> Result<Chunk, DataError> {
    if let Err(error) = simdutf8::compat::from_utf8(text) {
        let line = lines_in(text.get(..error.valid_up_to()).unwrap_or_default()) + 1;
        return Err(DataError::new(DataErrorKind::Decode, "malformed JSON: not UTF-8").with_line(line));
    }
    let mut root = StructBuilder::default();
    let mut parser = Parser::new(text, depth);
    let count = if array { parser.array_of_rows(&mut root) } else { parser.rows(&mut root) };
    let count = count.map_err(|fail| explain(text, fail))?;
    let mut iso = HashMap::new();
    let (fields, columns) = root.finish("", &mut iso)?;
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
    Ok(Chunk { batch, iso })
}

fn explain(text: &[u8], fail: Fail) -> DataError {
    let before = text.get(..fail.at).unwrap_or(text);
    let line = lines_in(before) + 1;
    let column = fail.path.iter().rev().cloned().collect::<Vec<_>>().join(".");
    let error = match fail.why {
        Why::Syntax(message) => {
            let byte = before.len() - memrchr(b'\n', before).map_or(0, |p| p + 1) + 1;
            DataError::new(
                DataErrorKind::Decode,
                format!("malformed JSON: {message}, at byte {byte} of the line"),
            )
        }
        Why::Twice(key) => DataError::new(
            DataErrorKind::Decode,
            format!("malformed JSON: the key {key:?} comes twice in an object"),
        ),
        Why::Depth(most) => {
            DataError::new(DataErrorKind::Limit, format!("JSON nested deeper than max_json_depth = {most}"))
        }
        Why::Misfit(misfit) => {
            let message =
                format!("mixed types: the column holds {} and here is {}", misfit.holds, misfit.got);
            DataError::new(DataErrorKind::Schema, message)
        }
    };
    let error = error.with_line(line);
    if column.is_empty() { error } else { error.with_column(column) }
}

/// The first byte that is not blank, after a BOM.
fn first_letter(text: &[u8]) -> Option<u8> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    text.iter().copied().find(|b| !b.is_ascii_whitespace())
}

/// The whole lines of the next chunk of a source, and where the chunk after it starts (the length at the end). For
/// streaming: types are those of the chunk, widened by what is `known` from earlier ones; dates stay strings.
///
/// # Errors
/// As reading the file, the line counted from the chunk's start; `Unsupported` for compressed files and arrays.
pub fn read_chunk(
    source: &dyn ByteSource,
    offset: u64,
    size: usize,
    known: Option<&Schema>,
    cancel: &Cancel,
) -> Result<(RecordBatch, u64), DataError> {
    cancel.check()?;
    let length = source.len();
    let start = offset.min(length);
    let end = match start.checked_add(size as u64) {
        Some(end) if end < length => next_line(source, end)?,
        _ => length,
    };
    let text = source.read_range(start..end)?;
    if start == 0 && (first_letter(&text) == Some(b'[') || Packing::of(&text).is_some()) {
        let message = "JSON arrays and compressed files cannot be streamed yet; load them without streaming";
        return Err(DataError::new(DataErrorKind::Unsupported, message).with_path(source.name()));
    }
    let place = |e: DataError| e.with_path(source.name());
    let chunk = match parse_rows(&text, Limits::default().max_json_depth) {
        Ok(chunk) => chunk,
        Err(error) => return Err(place(error.line_shifted(lines_before(source, start)?))),
    };
    let batch = match known {
        None => chunk.batch,
        Some(known) => {
            let mut fields: Vec<Field> = known.fields().iter().map(|f| f.as_ref().clone()).collect();
            unify::merge(&mut fields, chunk.batch.schema().fields()).map_err(place)?;
            crate::features::cast_batch(&chunk.batch, &Schema::new(fields)).map_err(place)?
        }
    };
    Ok((batch, end))
}

#[cfg(test)]
mod tests;
