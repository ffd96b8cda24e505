//! Samples to columns.

use std::str::FromStr;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields, Schema};

use super::{KEY, Sample, URL};
use crate::error::{DataError, DataErrorKind};

/// What a field's bytes become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Themselves.
    Bytes,
    /// UTF-8 text.
    Text,
    /// A whole number, written in digits.
    Whole,
    /// A file: its bytes, and its name as the path.
    File,
}

impl FromStr for Kind {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        Ok(match name {
            "bytes" => Self::Bytes,
            "text" => Self::Text,
            "whole" => Self::Whole,
            "file" => Self::File,
            other => {
                let message = format!("a field is read as bytes, text, whole or file, not {other:?}");
                return Err(DataError::new(DataErrorKind::Schema, message));
            }
        })
    }
}

/// A column to make: a field, `__key__` or `__url__`.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it becomes; of no meaning for `__key__` and `__url__`.
    pub kind: Kind,
}

enum Builder {
    Key(StringBuilder),
    Url(StringBuilder),
    Bytes(BinaryBuilder),
    Text(StringBuilder),
    Whole(Int64Builder),
    File(BinaryBuilder, StringBuilder, Vec<bool>),
}

impl Builder {
    fn of(column: &Column) -> Self {
        match (column.name.as_str(), column.kind) {
            (KEY, _) => Self::Key(StringBuilder::new()),
            (URL, _) => Self::Url(StringBuilder::new()),
            (_, Kind::Bytes) => Self::Bytes(BinaryBuilder::new()),
            (_, Kind::Text) => Self::Text(StringBuilder::new()),
            (_, Kind::Whole) => Self::Whole(Int64Builder::new()),
            (_, Kind::File) => Self::File(BinaryBuilder::new(), StringBuilder::new(), Vec::new()),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Key(mut b) | Self::Url(mut b) | Self::Text(mut b) => Arc::new(b.finish()),
            Self::Bytes(mut b) => Arc::new(b.finish()),
            Self::Whole(mut b) => Arc::new(b.finish()),
            Self::File(mut bytes, mut paths, there) => {
                let fields: Fields = vec![
                    Field::new("bytes", DataType::Binary, true),
                    Field::new("path", DataType::Utf8, true),
                ]
                .into();
                let parts: Vec<ArrayRef> = vec![Arc::new(bytes.finish()), Arc::new(paths.finish())];
                Arc::new(StructArray::new(fields, parts, Some(NullBuffer::from(there))))
            }
        }
    }
}

/// Columns that grow by samples.
pub(super) struct Columns<'a> {
    wanted: &'a [Column],
    builders: Vec<Builder>,
    url: &'a str,
    rows: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn new(wanted: &'a [Column], url: &'a str) -> Self {
        Self { wanted, builders: wanted.iter().map(Builder::of).collect(), url, rows: 0 }
    }

    pub(super) fn push(&mut self, sample: Sample) -> Result<(), DataError> {
        self.rows += 1;
        for (column, builder) in self.wanted.iter().zip(&mut self.builders) {
            let value =
                sample.fields.iter().find(|(name, _)| *name == column.name).map(|(_, v)| v.as_slice());
            let wrong = |what: &str| {
                let message =
                    format!("{:?} in the tar archive {what}", format!("{}.{}", sample.key, column.name));
                DataError::new(DataErrorKind::Decode, message).with_path(self.url).with_column(&column.name)
            };
            match builder {
                Builder::Key(b) => b.append_value(&sample.key),
                Builder::Url(b) => b.append_value(self.url),
                Builder::Bytes(b) => b.append_option(value),
                Builder::Text(b) => {
                    let text = value.map(simdutf8::basic::from_utf8).transpose();
                    b.append_option(text.map_err(|_| wrong("is not UTF-8 text"))?);
                }
                Builder::Whole(b) => {
                    let number =
                        value.map(|v| whole(v).ok_or_else(|| wrong("is no whole number of 64 bits")));
                    b.append_option(number.transpose()?);
                }
                Builder::File(bytes, paths, there) => {
                    bytes.append_option(value);
                    paths.append_option(value.map(|_| format!("{}.{}", sample.key, column.name)));
                    there.push(value.is_some());
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<RecordBatch, DataError> {
        let columns: Vec<ArrayRef> = self.builders.into_iter().map(Builder::finish).collect();
        let fields: Vec<Field> = self
            .wanted
            .iter()
            .zip(&columns)
            .map(|(column, array)| Field::new(&column.name, array.data_type().clone(), true))
            .collect();
        let count = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &count)?)
    }
}

/// A whole number as Python's `int` reads one: blanks around it, a sign, `_` between digits.
fn whole(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let groups = digits.split('_').all(|g| !g.is_empty() && g.bytes().all(|b| b.is_ascii_digit()));
    if !groups {
        return None;
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn whole_numbers_are_those_of_python() {
        for (text, number) in [("7", 7), (" -12\n", -12), ("+1_000", 1000), ("007", 7)] {
            assert_eq!(whole(text.as_bytes()), Some(number));
        }
        for text in ["", "1.0", "_1", "1__0", "--1", "0x1", "9223372036854775808", "1 2", "\u{e9}"] {
            assert_eq!(whole(text.as_bytes()), None, "{text}");
        }
    }
}
