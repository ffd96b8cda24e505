//! JSON to Arrow: lines cut into chunks that all threads parse, types widened when chunks are put together.
//!
//! A file is JSON lines (blank lines, CRLF, a BOM, several objects on a line), objects printed over several lines, or
//! one array of objects; plain or compressed. As in `datasets`, values without a common type (a number and a string in a
//! column) and objects whose keys differ within the first 10 MiB are kept as JSON text, the `Json` feature; objects that
//! differ later become one struct with all keys. Arrays of other things than objects are one column `text`.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Fields, Schema};
use memchr::memrchr;
use rayon::prelude::*;
use serde::Deserialize;

use super::lines::{CHUNK, SEARCH, line_ranges, lines_before, lines_in, next_line};
use super::unpack::unpacked;
use super::{FileBatches, ReadOptions, unify};
use crate::error::{DataError, DataErrorKind};
use crate::features::{features_json, metadata_of};
use crate::source::ByteSource;

mod builder;
mod dates;
mod learnt;
mod member;
mod mixed;
mod parser;
mod raw;
mod strings;
mod walk;

use builder::{Facts, StructBuilder};
pub(super) use learnt::{Learnt, Plan, Told};
use parser::{Fail, Parser, Why};
use raw::{Path, Raw, Step};

/// Files up to this size are parsed again as a whole when a chunk fails: an object may span lines, and a whole parse
/// knows the line of an error.
const WHOLE: u64 = 1 << 30;

/// Most bytes that are parsed into one batch: the offsets of strings and lists are 32 bits wide.
const MOST: usize = i32::MAX as usize;
/// Columns of a chunk that may turn out to be mixed.
const MAX_MIXED: usize = 256;

/// How JSON files are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JsonOptions {
    /// The member of the file's one object that has the rows; the file itself when absent.
    pub field: Option<String>,
    /// Whether values without a common type become JSON text; else they are an error.
    pub mixed: bool,
    /// Bytes at the start of the first file in which objects with different keys make `Json` (the chunk of `datasets`);
    /// 0 if the file's start was read before.
    pub head: u64,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self { field: None, mixed: true, head: 10 << 20 }
    }
}

/// What a chunk gave: a batch in its own types, and what was learnt beside it.
struct Chunk {
    batch: RecordBatch,
    facts: Facts,
    /// Places that had to become JSON text.
    mixed: Vec<Path>,
    /// Whether it lies in the head of its file.
    head: bool,
}

/// What is asked of the parsing of a chunk.
#[derive(Clone)]
struct Wanted {
    depth: usize,
    /// Places to keep as JSON text.
    raw: Arc<Raw>,
    /// Whether a mixed column becomes JSON text; else it is an error.
    find: bool,
    /// Name of the column of an array whose items are no objects.
    text: Arc<str>,
    missing: Arc<Missing>,
}

impl Wanted {
    /// The same for another file, or for another try.
    fn fresh(&self) -> Self {
        Self { missing: Missing::new(self.missing.most), ..self.clone() }
    }
}

/// Values that the rows of a file lack: keys that other rows have.
struct Missing {
    most: u64,
    seen: AtomicU64,
}

impl Missing {
    fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, seen: AtomicU64::new(0) })
    }

    /// Adds those of a chunk.
    fn add(&self, more: u64) -> Result<(), DataError> {
        let seen = self.seen.fetch_add(more, Ordering::Relaxed);
        if seen.saturating_add(more) > self.most { Err(too_many(self.most)) } else { Ok(()) }
    }
}

fn too_many(most: u64) -> DataError {
    let message = format!("rows lack more keys than max_missing_values = {most}");
    DataError::new(DataErrorKind::Limit, message)
}

/// Where in a text the rows are.
#[derive(Clone, Copy)]
enum Rows {
    /// Objects one after the other.
    Lines,
    /// One array, which begins at this byte.
    Array(usize),
}

/// All rows of several files, ISO dates converted where a column has nothing else in any file.
pub(crate) fn read_sources(
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<Vec<FileBatches>, DataError> {
    let sources: Vec<_> =
        sources.iter().map(|s| unpacked(s.clone(), &options.limits)).collect::<Result<_, _>>()?;
    let raw = options.features.as_ref().map(Raw::of_features).unwrap_or_default();
    let (files, raw) = parsed(&sources, options, raw, 1)?;
    let iso = iso_dates(&files, options);
    finished(files, &raw, &iso, &sources, options)
}

/// The same of a window, and what it tells of all rows; without rows where it has JSON text that no plan foresaw. The
/// first `heads` sources are of the first file.
pub(super) fn read_window(
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
    plan: Option<&Plan>,
    heads: usize,
) -> Result<(Vec<FileBatches>, Told), DataError> {
    let sources: Vec<_> =
        sources.iter().map(|s| unpacked(s.clone(), &options.limits)).collect::<Result<_, _>>()?;
    let known = plan.map(|p| p.raw.clone()).unwrap_or_default();
    let (files, raw) = parsed(&sources, options, known, heads)?;
    let iso = iso_dates(&files, options);
    let columns = |(chunks, source): (&Vec<Chunk>, &Arc<dyn ByteSource>)| {
        let mut fields = Vec::new();
        for chunk in chunks {
            unify::merge(&mut fields, chunk.batch.schema().fields())
                .map_err(|e| e.with_path(source.name()))?;
        }
        Ok(fields)
    };
    let told = Told {
        iso: iso.clone(),
        keys: mixed::head_keys(&files, heads).cloned().collect(),
        files: files.iter().zip(&sources).map(columns).collect::<Result<_, DataError>>()?,
        raw: raw.clone(),
    };
    let foreseen = plan.map_or(raw.is_empty(), |p| p.raw == raw);
    if !foreseen {
        return Ok((Vec::new(), told));
    }
    let files = finished(files, &raw, plan.map_or(&iso, |p| &p.iso), &sources, options)?;
    Ok((files, told))
}

/// The chunks of all files, and the places of JSON text: those known before and those found.
fn parsed(
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
    mut raw: Raw,
    heads: usize,
) -> Result<(Vec<Vec<Chunk>>, Raw), DataError> {
    let find = options.features.is_none() && options.json.mixed;
    let text: Arc<str> = Arc::from(member::text_name(options));
    loop {
        let depth = options.limits.max_json_depth;
        let missing = Missing::new(options.limits.max_missing_values);
        let wanted = Wanted { depth, raw: Arc::new(raw.clone()), find, text: text.clone(), missing };
        let files = sources
            .iter()
            .map(|s| read_file(s.as_ref(), options, &wanted.fresh()))
            .collect::<Result<Vec<Vec<Chunk>>, _>>()?;
        // What one chunk cannot hold in a type, the others must not hold in one either.
        let found = if find { mixed::places(&files, heads) } else { Vec::new() };
        if found.iter().filter(|path| raw.insert(path)).count() == 0 {
            return Ok((files, raw));
        }
    }
}

/// For each text column, whether all its values are ISO dates.
fn iso_dates(files: &[Vec<Chunk>], options: &ReadOptions) -> HashMap<String, bool> {
    let mut iso: HashMap<String, bool> = HashMap::new();
    if options.features.is_none() && options.json.field.is_none() {
        for (path, all) in files.iter().flatten().flat_map(|c| &c.facts.iso) {
            *iso.entry(path.clone()).or_insert(true) &= all;
        }
    }
    iso
}

fn finished(
    files: Vec<Vec<Chunk>>,
    raw: &Raw,
    iso: &HashMap<String, bool>,
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<Vec<FileBatches>, DataError> {
    let read = files
        .into_par_iter()
        .zip(sources)
        .map(|(chunks, source)| {
            let batches = chunks.iter().map(|c| dated(&c.batch, iso)).collect::<Result<Vec<_>, _>>()?;
            let mut fields = Vec::new();
            for batch in &batches {
                unify::merge(&mut fields, batch.schema().fields()).map_err(|e| e.with_path(source.name()))?;
            }
            Ok((fields, batches))
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let mut metadata = HashMap::new();
    if !raw.is_empty() && options.features.is_none() {
        let mut fields = Vec::new();
        for (more, _) in &read {
            unify::merge(&mut fields, &more.clone().into())?;
        }
        metadata = json_features(fields.into(), raw)?;
    }
    Ok(read
        .into_iter()
        .map(|(fields, batches)| {
            let schema = Arc::new(Schema::new(fields).with_metadata(metadata.clone()));
            FileBatches { schema, batches }
        })
        .collect())
}

/// Metadata with features of all files together, with their `Json` places.
fn json_features(fields: Fields, raw: &Raw) -> Result<HashMap<String, String>, DataError> {
    let mut features = features_json(&Schema::new(fields))?;
    raw.mark(&mut features);
    Ok(metadata_of(&features))
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

fn read_file(
    source: &dyn ByteSource,
    options: &ReadOptions,
    wanted: &Wanted,
) -> Result<Vec<Chunk>, DataError> {
    let name = source.name();
    if let Some(field) = &options.json.field {
        let chunk = member::read(source, field, wanted, options.features.is_none());
        return Ok(vec![chunk.map_err(|e| e.with_path(name))?]);
    }
    let first = options.json.head;
    let start = source.read_range(0..source.len().min(SEARCH))?;
    if first_letter(&start) == Some(b'[') {
        let chunk = whole(source, wanted, true).map_err(|e| e.with_path(name))?;
        return Ok(vec![Chunk { head: first > 0, ..chunk }]);
    }
    let head = match first {
        0 => 0,
        first if source.len() > first => next_line(source, first)?,
        _ => source.len(),
    };
    let mut ranges = line_ranges(source, 0, head, CHUNK)?;
    ranges.extend(line_ranges(source, head, source.len(), CHUNK)?);
    let parsed: Result<Vec<Chunk>, (Range<u64>, DataError)> = ranges
        .into_par_iter()
        .map(|range| {
            let read = || {
                options.cancel.check()?;
                let chunk = parse(&source.read_range(range.clone())?, wanted, Rows::Lines)?;
                Ok(Chunk { head: range.start < head, ..chunk })
            };
            read().map_err(|e| (range.clone(), e))
        })
        .collect();
    match parsed {
        Ok(chunks) => Ok(chunks),
        Err((_, error)) if error.kind() == DataErrorKind::Cancelled => Err(error),
        Err((_, error)) if error.kind() != DataErrorKind::Limit && source.len() <= WHOLE => {
            let chunk = whole(source, &wanted.fresh(), false).map_err(|e| e.with_path(name))?;
            Ok(vec![Chunk { head: first > 0, ..chunk }])
        }
        Err((range, error)) => Err(error.line_shifted(lines_before(source, range.start)?).with_path(name)),
    }
}

fn whole(source: &dyn ByteSource, wanted: &Wanted, array: bool) -> Result<Chunk, DataError> {
    fits(source.len())?;
    let text = source.read_range(0..source.len())?;
    if !array {
        return parse(&text, wanted, Rows::Lines);
    }
    valid(&text)?;
    member::array(&text, 0, wanted)
}

/// Whether a text may become one batch.
fn fits(length: u64) -> Result<(), DataError> {
    if length < MOST as u64 {
        return Ok(());
    }
    let message = "a JSON array, an object or a line of 2 GiB or more: use JSON lines or Parquet";
    Err(DataError::new(DataErrorKind::Limit, message))
}

fn valid(text: &[u8]) -> Result<(), DataError> {
    simdutf8::compat::from_utf8(text).map(|_| ()).map_err(|error| {
        let line = lines_in(text.get(..error.valid_up_to()).unwrap_or_default()) + 1;
        DataError::new(DataErrorKind::Decode, "malformed JSON: not UTF-8").with_line(line)
    })
}

fn parse(text: &[u8], wanted: &Wanted, rows: Rows) -> Result<Chunk, DataError> {
    fits(text.len() as u64).map_err(|e| e.with_line(1))?; // of a chunk: a chunk that long is one line
    valid(text)?;
    let mut raw = wanted.raw.clone();
    let mut mixed: Vec<Path> = Vec::new();
    let (root, count) = loop {
        let mut root = StructBuilder::new((!raw.is_empty()).then(|| raw.clone()));
        let mut parser = Parser::new(text, wanted.depth);
        parser.max_missing = wanted.missing.most;
        let count = match rows {
            Rows::Lines => parser.rows(&mut root),
            Rows::Array(at) => {
                parser.at = parser.at.max(at);
                parser.array_of_rows(&mut root)
            }
        };
        match count {
            Ok(count) => {
                wanted.missing.add(parser.missing.saturating_add(root.owed(count)))?;
                break (root, count);
            }
            Err(fail) => {
                let misfit = matches!(fail.why, Why::Misfit(_)) && wanted.find && mixed.len() < MAX_MIXED;
                let path: Path = fail.path.iter().rev().cloned().collect();
                if !misfit || !Arc::make_mut(&mut raw).insert(&path) {
                    return Err(explain(text, fail));
                }
                mixed.push(path);
            }
        }
    };
    let mut facts = Facts::default();
    let (fields, columns) = root.finish(count, &mut facts)?;
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
    Ok(Chunk { batch, facts, mixed, head: true })
}

fn explain(text: &[u8], fail: Fail) -> DataError {
    let before = text.get(..fail.at).unwrap_or(text);
    let line = lines_in(before) + 1;
    let keys = fail.path.iter().rev().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_ref()),
        Step::Items => None,
    });
    let column = keys.collect::<Vec<_>>().join(".");
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
        Why::Missing(most) => too_many(most),
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
pub(super) fn first_letter(text: &[u8]) -> Option<u8> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    text.iter().copied().find(|b| !b.is_ascii_whitespace())
}

#[cfg(test)]
mod tests;
