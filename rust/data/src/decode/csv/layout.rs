//! Which columns a CSV file has: names, those that are read, and those that are an index.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::Schema;

use super::records::Records;
use super::{ColumnRef, CsvOptions, wrong};
use crate::decode::FileBatches;
use crate::error::{DataError, DataErrorKind};

/// The columns of a file.
pub(in crate::decode) struct Layout {
    /// Names in the order of the fields of a record; empty for fields that are not read.
    pub(super) names: Vec<String>,
    /// The fields that are read.
    pub(super) used: Vec<usize>,
    /// The fields that are an index, by level.
    index: Vec<usize>,
    /// Whether records may have any number of fields.
    pub(super) any_width: bool,
    /// Where rows begin.
    pub(in crate::decode) body: usize,
}

impl Layout {
    /// Reads the header, and looks at the first row: fields that it has beyond the header are an index in front.
    pub(in crate::decode) fn of(text: &[u8], options: &CsvOptions) -> Result<Self, DataError> {
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
        let unnamed = match header {
            Some((row, _)) => {
                (0..names.len()).filter(|&c| records.field(row, c).is_none_or(<[u8]>::is_empty)).collect()
            }
            None => Vec::new(),
        };
        let body = start + body;
        if let Some(wanted) = &options.use_columns {
            return Self::chosen(names, wanted, options, &unnamed, body);
        }
        if let Some(given) = &options.names {
            names.clone_from(given);
        }
        let leading =
            if options.no_index || !options.index.is_empty() { 0 } else { width.saturating_sub(names.len()) };
        let mut all: Vec<String> = (0..leading).map(|i| format!("__index_level_{i}__")).collect();
        all.append(&mut names);
        let used = (0..all.len()).collect();
        let index = (0..leading).collect();
        Self { names: all, used, index, any_width: options.no_index, body }.indexed(options, &unnamed)
    }

    /// With `use_columns`: names given for the columns that are read, or for all.
    fn chosen(
        mut names: Vec<String>,
        wanted: &[ColumnRef],
        options: &CsvOptions,
        unnamed: &[usize],
        body: usize,
    ) -> Result<Self, DataError> {
        let whole = options.names.as_ref().filter(|given| given.len() >= names.len());
        if let Some(given) = whole {
            names.clone_from(given);
        }
        let mut used = wanted.iter().map(|c| found(&names, c)).collect::<Result<Vec<_>, _>>()?;
        used.sort_unstable();
        used.dedup();
        if let Some(given) = options.names.as_ref().filter(|_| whole.is_none()) {
            if given.len() != used.len() {
                let message = format!("{} names were given for {} columns", given.len(), used.len());
                return Err(DataError::new(DataErrorKind::Schema, message));
            }
            for (&column, name) in used.iter().zip(given) {
                if let Some(place) = names.get_mut(column) {
                    place.clone_from(name);
                }
            }
        }
        Self { names, used, index: Vec::new(), any_width: true, body }.indexed(options, unnamed)
    }

    /// With the index that the options name. An index column without a name in the header is named by its level.
    fn indexed(mut self, options: &CsvOptions, unnamed: &[usize]) -> Result<Self, DataError> {
        let names: Vec<String> = self.used.iter().map(|&c| self.name(c).to_owned()).collect();
        for (level, column) in options.index.iter().enumerate() {
            let place = found(&names, column)?;
            let Some(&field) = self.used.get(place) else { continue };
            self.index.push(field);
            if unnamed.contains(&field)
                && options.names.is_none()
                && let Some(name) = self.names.get_mut(field)
            {
                *name = format!("__index_level_{level}__");
            }
        }
        Ok(self)
    }

    /// The name of a field.
    pub(super) fn name(&self, field: usize) -> &str {
        self.names.get(field).map_or("", String::as_str)
    }

    /// The fields in the order of the table's columns: the index is last.
    pub(super) fn order(&self) -> Vec<usize> {
        let plain = self.used.iter().filter(|c| !self.index.contains(c));
        plain.chain(&self.index).copied().collect()
    }

    /// Whether there is an index.
    pub(super) fn has_index(&self) -> bool {
        !self.index.is_empty()
    }

    /// Batches in `order` without index columns that count evenly: pandas makes such an index a range, which is no
    /// column.
    pub(super) fn without_ranges(
        &self,
        schema: &Arc<Schema>,
        batches: Vec<RecordBatch>,
    ) -> Result<FileBatches, DataError> {
        let columns = schema.fields().len();
        let plain = columns.saturating_sub(self.index.len());
        let kept: Vec<usize> = (0..columns).filter(|&c| c < plain || !is_range(&batches, c)).collect();
        if kept.len() == columns {
            return Ok(FileBatches { schema: schema.clone(), batches });
        }
        let batches = batches.iter().map(|b| b.project(&kept)).collect::<Result<Vec<_>, _>>()?;
        Ok(FileBatches { schema: Arc::new(schema.project(&kept)?), batches })
    }
}

/// The position of a column.
fn found(names: &[String], column: &ColumnRef) -> Result<usize, DataError> {
    let place = match column {
        ColumnRef::Name(name) => names.iter().position(|n| n == name),
        ColumnRef::Number(number) if *number < 0 => {
            usize::try_from(number.unsigned_abs()).ok().and_then(|back| names.len().checked_sub(back))
        }
        ColumnRef::Number(number) => usize::try_from(*number).ok().filter(|n| *n < names.len()),
    };
    place.ok_or_else(|| {
        let shown = match column {
            ColumnRef::Name(name) => format!("{name:?}"),
            ColumnRef::Number(number) => number.to_string(),
        };
        DataError::new(DataErrorKind::MissingColumn, format!("no column {shown}; there are {names:?}"))
            .with_column(shown)
    })
}

/// Whether a column counts evenly.
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
