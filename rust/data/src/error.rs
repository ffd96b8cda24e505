//! `DataError`: what went wrong with data, and where.

use std::error::Error as StdError;
use std::fmt;

/// Kinds of failure, each of which becomes one exception class in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataErrorKind {
    /// A file does not exist.
    NotFound,
    /// Reading or writing failed.
    Io,
    /// Bytes are not what their format demands.
    Decode,
    /// A size announced by the data is over a limit.
    Limit,
    /// Types or columns do not fit.
    Schema,
    /// A column that was asked for does not exist.
    MissingColumn,
    /// A row number is out of range.
    OutOfBounds,
    /// A valid input that is not supported.
    Unsupported,
    /// The caller asked to stop.
    Cancelled,
    /// No space left.
    DiskFull,
    /// A broken invariant of ours.
    Internal,
}

#[derive(Debug, Default)]
struct Place {
    path: Option<String>,
    row_group: Option<usize>,
    row: Option<u64>,
    line: Option<u64>,
    column: Option<String>,
}

/// An error with its place. `Display` names the place once; the cause is in `source()`.
#[derive(Debug)]
pub struct DataError {
    kind: DataErrorKind,
    message: String,
    place: Box<Place>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl DataError {
    /// An error without a place.
    pub fn new(kind: DataErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: Box::default(), source: None }
    }

    /// Names the file, unless a file is already named.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.place.path.get_or_insert_with(|| path.into());
        self
    }

    /// Names the row group.
    #[must_use]
    pub fn with_row_group(mut self, row_group: usize) -> Self {
        self.place.row_group.get_or_insert(row_group);
        self
    }

    /// Names the row.
    #[must_use]
    pub fn with_row(mut self, row: u64) -> Self {
        self.place.row.get_or_insert(row);
        self
    }

    /// Names the line, counted from 1.
    #[must_use]
    pub fn with_line(mut self, line: u64) -> Self {
        self.place.line.get_or_insert(line);
        self
    }

    /// Names the column.
    #[must_use]
    pub fn with_column(mut self, column: impl Into<String>) -> Self {
        self.place.column.get_or_insert_with(|| column.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What kind of failure.
    pub fn kind(&self) -> DataErrorKind {
        self.kind
    }

    /// The file.
    pub fn path(&self) -> Option<&str> {
        self.place.path.as_deref()
    }

    /// The row group, counted from 0.
    pub fn row_group(&self) -> Option<usize> {
        self.place.row_group
    }

    /// The row, counted from 0.
    pub fn row(&self) -> Option<u64> {
        self.place.row
    }

    /// The line, counted from 1.
    pub fn line(&self) -> Option<u64> {
        self.place.line
    }

    /// The column.
    pub fn column(&self) -> Option<&str> {
        self.place.column.as_deref()
    }

    /// Takes the line away, where it is not one of the file.
    #[must_use]
    pub(crate) fn without_line(mut self) -> Self {
        self.place.line = None;
        self
    }

    /// Moves the line by an offset (a chunk knows only its own lines).
    #[must_use]
    pub(crate) fn line_shifted(mut self, lines_before: u64) -> Self {
        self.place.line = self.place.line.map(|l| l + lines_before);
        self
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let place = &self.place;
        let mut parts = Vec::new();
        if let Some(path) = &place.path {
            parts.push(path.clone());
        }
        if let Some(row_group) = place.row_group {
            parts.push(format!("row group {row_group}"));
        }
        if let Some(line) = place.line {
            parts.push(format!("line {line}"));
        }
        if let Some(row) = place.row {
            parts.push(format!("row {row}"));
        }
        if let Some(column) = &place.column {
            parts.push(format!("column {column:?}"));
        }
        if parts.is_empty() { Ok(()) } else { write!(f, " ({})", parts.join(", ")) }
    }
}

impl StdError for DataError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|s| s.as_ref() as &(dyn StdError + 'static))
    }
}

impl From<arrow_schema::ArrowError> for DataError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::new(DataErrorKind::Schema, error.to_string())
    }
}
