//! Text files to one string column `text`: a row a line, a paragraph or a document, as `datasets` cuts them.
//!
//! Line ends are universal (`\r\n` and `\r` count as `\n`); nothing else splits. A BOM is kept.

use std::str::FromStr;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use memchr::memmem;
use rayon::prelude::*;

use super::lines::{CHUNK, line_ranges, lines_before, lines_in};
use super::unpack::unpacked;
use super::{FileBatches, ReadOptions};
use crate::error::{DataError, DataErrorKind};
use crate::source::ByteSource;

/// What makes a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SampleBy {
    /// Each line; empty ones too.
    #[default]
    Line,
    /// What blank lines part; empty pieces are dropped.
    Paragraph,
    /// The whole file.
    Document,
}

impl FromStr for SampleBy {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        match name {
            "line" => Ok(Self::Line),
            "paragraph" => Ok(Self::Paragraph),
            "document" => Ok(Self::Document),
            other => {
                let message = format!("sample_by must be line, paragraph or document, got {other:?}");
                Err(DataError::new(DataErrorKind::Schema, message))
            }
        }
    }
}

/// How text files are cut.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOptions {
    /// What makes a row.
    pub sample_by: SampleBy,
    /// Whether lines keep their end (as `\n`).
    pub keep_linebreaks: bool,
}

/// All rows of several files.
pub(crate) fn read_sources(
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<Vec<FileBatches>, DataError> {
    sources.iter().map(|s| read_file(s.clone(), options).map_err(|e| e.with_path(s.name()))).collect()
}

/// The schema of text files.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, true)]))
}

fn read_file(source: Arc<dyn ByteSource>, options: &ReadOptions) -> Result<FileBatches, DataError> {
    let source = unpacked(source, &options.limits)?;
    let how = options.text;
    let columns = if how.sample_by == SampleBy::Line {
        line_ranges(source.as_ref(), 0, source.len(), CHUNK)?
            .into_par_iter()
            .map(|range| {
                options.cancel.check()?;
                let bytes = source.read_range(range.clone())?;
                match column(&bytes, how) {
                    Err(error) if error.line().is_some() => {
                        Err(error.line_shifted(lines_before(source.as_ref(), range.start)?))
                    }
                    made => made,
                }
            })
            .collect::<Result<Vec<_>, _>>()?
    } else {
        vec![column(&source.read_range(0..source.len())?, how)?]
    };
    let schema = schema();
    let batches = columns
        .into_iter()
        .map(|column| RecordBatch::try_new(schema.clone(), vec![Arc::new(column) as ArrayRef]))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(FileBatches { schema, batches })
}

/// The rows of a text.
pub(super) fn column(bytes: &[u8], how: TextOptions) -> Result<StringArray, DataError> {
    let text = universal(bytes)?;
    match how.sample_by {
        SampleBy::Line => lines(&text, how.keep_linebreaks),
        SampleBy::Paragraph => paragraphs(&text),
        SampleBy::Document => one(&text),
    }
}

/// Checked text with `\n` as its only line end.
fn universal(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, DataError> {
    let text = simdutf8::compat::from_utf8(bytes).map_err(|e| {
        let line = lines_in(bytes.get(..e.valid_up_to()).unwrap_or_default()) + 1;
        DataError::new(DataErrorKind::Decode, "not UTF-8 text").with_line(line)
    })?;
    if memchr::memchr(b'\r', bytes).is_none() {
        return Ok(text.into());
    }
    Ok(text.replace("\r\n", "\n").replace('\r', "\n").into())
}

fn fits(text: &str) -> Result<(), DataError> {
    if text.len() < i32::MAX as usize {
        return Ok(());
    }
    let message = "a single line, paragraph or document of 2 GiB or more does not fit a string column";
    Err(DataError::new(DataErrorKind::Limit, message))
}

fn lines(text: &str, keep_ends: bool) -> Result<StringArray, DataError> {
    fits(text).map_err(|e| e.with_line(1))?; // of a chunk: a chunk that long is one line
    let mut rows = StringBuilder::with_capacity(lines_in(text.as_bytes()) as usize + 1, text.len());
    for line in text.split_inclusive('\n') {
        rows.append_value(if keep_ends { line } else { line.strip_suffix('\n').unwrap_or(line) });
    }
    Ok(rows.finish())
}

fn one(text: &str) -> Result<StringArray, DataError> {
    fits(text)?;
    Ok(StringArray::from(vec![text]))
}

fn paragraphs(text: &str) -> Result<StringArray, DataError> {
    fits(text)?;
    let count = memmem::find_iter(text.as_bytes(), "\n\n").count() + 1;
    let mut rows = StringBuilder::with_capacity(count, text.len());
    text.split("\n\n").filter(|piece| !piece.is_empty()).for_each(|piece| rows.append_value(piece));
    Ok(rows.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::source::MemorySource;

    fn rows(text: &[u8], text_options: TextOptions) -> Vec<String> {
        let source: Arc<dyn ByteSource> = Arc::new(MemorySource::new("t", text.to_vec()));
        let options = ReadOptions { text: text_options, ..ReadOptions::default() };
        let files = read_sources(&[source], &options).unwrap();
        let batches = files.iter().flat_map(|f| &f.batches);
        batches
            .flat_map(|b| {
                let column = b.column(0).as_any().downcast_ref::<StringArray>().unwrap().clone();
                (0..column.len()).map(move |i| column.value(i).to_owned()).collect::<Vec<_>>()
            })
            .collect()
    }

    use arrow_array::Array;

    #[test]
    fn documented_cuts() {
        let line = TextOptions::default();
        assert_eq!(rows(b"a\n\nb\r\nc\rd\x0be\n", line), ["a", "", "b", "c", "d\x0be"]);
        assert_eq!(rows(b"\xef\xbb\xbfa", line), ["\u{feff}a"]);
        let kept = TextOptions { keep_linebreaks: true, ..line };
        assert_eq!(rows(b"a\r\nb", kept), ["a\n", "b"]);
        let paragraph = TextOptions { sample_by: SampleBy::Paragraph, ..line };
        assert_eq!(rows(b"a\nb\n\nc\n\n\n\nd\n", paragraph), ["a\nb", "c", "d\n"]);
        assert_eq!(rows(b"a\n\n\nbb", paragraph), ["a", "\nbb"]);
        let document = TextOptions { sample_by: SampleBy::Document, ..line };
        assert_eq!(rows(b"", document), [""]);
    }
}
