//! Parquet to Arrow: units are (file, row group, group of columns), decoded on all threads.
//!
//! A unit reads exactly the column chunks it needs with one `read_ranges` call. The parquet crate may panic on broken
//! files; a panic becomes a `Decode` error here.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use fetched::Fetched;
use pages::Looked;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, RowSelection};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Compression;
use parquet::errors::ParquetError;

use super::column_index;
use super::headed::Came;
use crate::cancel::Cancel;
use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;
use crate::source::{ByteSource, Stopper};

mod assemble;
mod check;
mod delta;
mod dictionary;
mod fetched;
mod filter;
mod footer;
mod open;
mod packed;
mod pages;
mod prune;
mod thrift;
mod whole;
mod widths;

pub use filter::{Filter, Literal, Op, Predicate};
pub use open::{footer_guess, footer_rest};
pub(super) use whole::{Files, read_sources};

/// Bytes of the batches of streamed row groups: memory of that size is soon free for the next, that of a whole row group
/// seldom.
const STREAMED_BATCH: u64 = 4 << 20;
/// How the crate says that the strings of a batch are longer than 32-bit offsets reach.
const OVERFLOW: &str = "index overflow";
/// A Parquet file whose footer has been read. Clones share what was read.
#[derive(Clone)]
pub struct ParquetReader {
    source: Arc<dyn ByteSource>,
    metadata: ArrowReaderMetadata,
    schema: SchemaRef,
    limits: Limits,
    /// Unpacked bytes of a batch at the most, as far as they are known before.
    batch_bytes: u64,
}

impl ParquetReader {
    /// Columns as they are handed out: all nullable, dictionaries as their values.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Name for messages.
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// Whether reading little at a time costs little.
    pub fn is_near(&self) -> bool {
        self.source.is_near()
    }

    /// Rows of each row group.
    pub fn row_group_rows(&self) -> Vec<usize> {
        self.metadata
            .metadata()
            .row_groups()
            .iter()
            .map(|g| usize::try_from(g.num_rows()).unwrap_or(0))
            .collect()
    }

    /// Bytes of a row group's columns before compression, as the footer has them; 0 for one that is not there.
    pub fn row_group_bytes(&self, row_group: usize) -> u64 {
        let group = self.metadata.metadata().row_groups().get(row_group);
        group.and_then(|g| u64::try_from(g.total_byte_size()).ok()).unwrap_or(0)
    }

    /// One row group, of all columns or of some in the order given.
    ///
    /// # Errors
    /// `OutOfBounds`, `MissingColumn`, or as `open` with the row group.
    pub fn read_row_group(
        &self,
        row_group: usize,
        columns: Option<&[String]>,
        cancel: &Cancel,
    ) -> Result<Vec<RecordBatch>, DataError> {
        self.read_selected(row_group, &self.wanted(columns)?, None, cancel)
    }

    /// As `read_row_group`, by half of the threads and in small batches: for row groups that are read side by side.
    ///
    /// # Errors
    /// As `read_row_group`.
    pub fn read_beside(
        &self,
        row_group: usize,
        columns: Option<&[String]>,
        cancel: &Cancel,
    ) -> Result<Vec<RecordBatch>, DataError> {
        let parts = (rayon::current_num_threads() / 2).max(1);
        let this = Self { batch_bytes: STREAMED_BATCH, ..self.clone() };
        this.read_in_parts(row_group, &self.wanted(columns)?, None, parts, cancel)
    }

    /// Bytes that are read for a row group, of all columns or of some; 0 for one that is not there.
    ///
    /// # Errors
    /// `MissingColumn`, or `Decode` for chunks outside the file.
    pub fn fetched_bytes(&self, row_group: usize, columns: Option<&[String]>) -> Result<u64, DataError> {
        if row_group >= self.metadata.metadata().num_row_groups() {
            return Ok(0);
        }
        let ranges = self.chunk_ranges(row_group, &self.wanted(columns)?)?;
        Ok(ranges.iter().map(|range| range.end - range.start).sum())
    }

    /// Begins to fetch row groups, neighbours with one request: `then` gets this reader with the bytes at hand, on a thread
    /// that it must not keep. None where that would gain nothing, as of a local file. What is returned stops it when it is
    /// dropped.
    ///
    /// # Errors
    /// `OutOfBounds` or `MissingColumn`.
    pub fn start_fetching(
        &self,
        row_groups: &[usize],
        columns: Option<&[String]>,
        then: impl FnOnce(Result<Self, DataError>) + Send + 'static,
    ) -> Result<Option<Stopper>, DataError> {
        let wanted = self.wanted(columns)?;
        let mut ranges = Vec::new();
        for row_group in row_groups {
            ranges.extend(self.chunk_ranges(*row_group, &wanted)?);
        }
        let first = row_groups.first().copied().unwrap_or_default();
        let (this, asked) = (self.clone(), ranges.clone());
        let came = move |bytes: Result<Vec<Bytes>, DataError>| {
            let placed = bytes.map_err(|e| e.with_path(this.source.name()).with_row_group(first));
            then(placed.map(|bytes| Self { source: Came::of(this.source.clone(), &asked, bytes), ..this }));
        };
        Ok(self.source.start_ranges(ranges, Box::new(came)))
    }

    /// Some neighbouring rows of a row group; the others are passed by, not decoded.
    ///
    /// # Errors
    /// As `read_row_group`; `OutOfBounds` for rows that are not there.
    pub fn read_rows(
        &self,
        row_group: usize,
        rows: Range<usize>,
        columns: Option<&[String]>,
        cancel: &Cancel,
    ) -> Result<Vec<RecordBatch>, DataError> {
        let count = self.row_group_rows().get(row_group).copied().unwrap_or(0);
        if rows.start > rows.end || rows.end > count {
            let message = format!("rows {} to {} of {count}", rows.start, rows.end);
            return Err(DataError::new(DataErrorKind::OutOfBounds, message)
                .with_path(self.source.name())
                .with_row_group(row_group));
        }
        let selection = RowSelection::from_consecutive_ranges(std::iter::once(rows), count);
        self.read_selected(row_group, &self.wanted(columns)?, Some(&selection), cancel)
    }

    fn wanted(&self, columns: Option<&[String]>) -> Result<Vec<usize>, DataError> {
        match columns {
            None => Ok((0..self.schema.fields().len()).collect()),
            Some(names) => names
                .iter()
                .map(|n| column_index(&self.schema, n).map_err(|e| e.with_path(self.source.name())))
                .collect(),
        }
    }

    /// Cuts columns into at most `parts` groups of about equal compressed size.
    fn column_groups(
        &self,
        row_group: usize,
        wanted: &[usize],
        parts: usize,
    ) -> Result<Vec<Vec<usize>>, DataError> {
        let mut sized = wanted
            .iter()
            .map(|&c| {
                Ok((self.chunk_ranges(row_group, &[c])?.iter().map(|r| r.end - r.start).sum::<u64>(), c))
            })
            .collect::<Result<Vec<(u64, usize)>, DataError>>()?;
        sized.sort_unstable_by(|a, b| b.cmp(a));
        let mut groups = vec![(0_u64, Vec::new()); parts.clamp(1, wanted.len().max(1))];
        for (size, column) in sized {
            if let Some(least) = groups.iter_mut().min_by_key(|g| g.0) {
                least.0 += size.max(1);
                least.1.push(column);
            }
        }
        Ok(groups.into_iter().map(|g| g.1).filter(|g| !g.is_empty()).collect())
    }

    /// Byte ranges of the leaf chunks of some root columns.
    fn chunk_ranges(&self, row_group: usize, roots: &[usize]) -> Result<Vec<Range<u64>>, DataError> {
        Ok(self.chunks(row_group, roots)?.into_iter().map(|(_, range)| range).collect())
    }

    /// The leaf chunks of some root columns: their numbers and byte ranges.
    fn chunks(&self, row_group: usize, roots: &[usize]) -> Result<Vec<(usize, Range<u64>)>, DataError> {
        let metadata = self.metadata.metadata();
        let groups = metadata.row_groups();
        let group = groups.get(row_group).ok_or_else(|| {
            let message = format!("row group {row_group} of {}", groups.len());
            DataError::new(DataErrorKind::OutOfBounds, message).with_path(self.source.name())
        })?;
        let descriptor = metadata.file_metadata().schema_descr();
        let mut ranges = Vec::new();
        for (leaf, chunk) in group.columns().iter().enumerate() {
            if leaf >= descriptor.num_columns() || !roots.contains(&descriptor.get_column_root_idx(leaf)) {
                continue;
            }
            let (start, length) = catch_unwind(AssertUnwindSafe(|| chunk.byte_range()))
                .map_err(|_| self.broken(row_group, "a chunk has no place"))?;
            let end = start.checked_add(length).filter(|&e| e <= self.source.len());
            let end = end.ok_or_else(|| self.broken(row_group, "a column chunk lies outside the file"))?;
            ranges.push((leaf, start..end));
        }
        Ok(ranges)
    }

    /// Codec and name of the chunks of some root columns, where pages are read one after the other by their headers.
    fn looks(
        &self,
        row_group: usize,
        columns: &[usize],
        selection: Option<&RowSelection>,
    ) -> Result<Option<Vec<(Compression, String)>>, DataError> {
        let metadata = self.metadata.metadata();
        if selection.is_some() || metadata.page_index().is_some() {
            return Ok(None);
        }
        let group = metadata.row_groups().get(row_group);
        let described = self.chunks(row_group, columns)?.into_iter().filter_map(|(leaf, _)| {
            let chunk = group.and_then(|g| g.columns().get(leaf))?;
            Some((chunk.compression(), chunk.column_path().string()))
        });
        Ok(Some(described.collect()))
    }

    /// Looks at the sizes that pages announce, before anything is allocated for them.
    fn check_pages(
        &self,
        row_group: usize,
        columns: &[usize],
        fetched: &Fetched,
        selection: Option<&RowSelection>,
    ) -> Result<(), DataError> {
        for (leaf, chunk) in self.chunks(row_group, columns)? {
            let group = self.metadata.metadata().row_groups().get(row_group);
            let Some(described) = group.and_then(|g| g.columns().get(leaf)) else { continue };
            let parts = match selection {
                Some(selection) => self.pages_to_read(row_group, leaf, &chunk, selection),
                None => vec![chunk.clone()],
            };
            for part in parts {
                let have = fetched.known(part.start);
                let codec = described.compression();
                check::pages(self.source.as_ref(), &have, part, codec, &self.limits)
                    .map_err(|e| e.with_column(described.column_path().string()))?;
            }
        }
        Ok(())
    }

    fn broken(&self, row_group: usize, message: &str) -> DataError {
        DataError::new(DataErrorKind::Decode, message).with_path(self.source.name()).with_row_group(row_group)
    }

    /// Reads the chunks of some root columns.
    fn fetch(
        &self,
        row_group: usize,
        columns: &[usize],
        selection: Option<&RowSelection>,
    ) -> Result<Fetched, DataError> {
        let ranges = match selection {
            // Where asking costs, only pages with rows that are wanted.
            Some(selection) if !self.source.is_near() => self
                .chunks(row_group, columns)?
                .iter()
                .flat_map(|(leaf, chunk)| self.pages_to_read(row_group, *leaf, chunk, selection))
                .collect(),
            _ => self.chunk_ranges(row_group, columns)?,
        };
        Fetched::read(&self.source, ranges)
            .map_err(|e| e.with_path(self.source.name()).with_row_group(row_group))
    }

    /// Decodes some root columns of a row group. Dictionaries can make strings of a batch too long for it: then batches
    /// are smaller.
    fn decode(
        &self,
        row_group: usize,
        columns: &[usize],
        fetched: Fetched,
        selection: Option<&RowSelection>,
    ) -> Result<Vec<RecordBatch>, DataError> {
        let place = |e: DataError| e.with_path(self.source.name()).with_row_group(row_group);
        let rows = self.row_group_rows().get(row_group).copied().unwrap_or(0);
        self.check_fixed_lists(columns, rows).map_err(place)?;
        let error = Arc::default();
        let fetched = if let Some(columns) = self.looks(row_group, columns, selection).map_err(place)? {
            fetched.looking(columns, &self.limits, Arc::clone(&error))
        } else {
            self.check_pages(row_group, columns, &fetched, selection).map_err(place)?;
            fetched
        };
        let mut batch_rows = self.batch_rows(row_group, rows).min(rows); // without rows, no page is asked for
        let looked = Looked {
            fetched: Arc::new(fetched),
            metadata: self.metadata.metadata().clone(),
            row_group,
            limits: self.limits.clone(),
            error,
        };
        let batches = loop {
            match self.decoded(&looked, columns, batch_rows, selection) {
                Err(error) if batch_rows > 1 && error.to_string().contains(OVERFLOW) => {
                    batch_rows = batch_rows.div_ceil(8);
                }
                done => break done.map_err(place)?,
            }
        };
        let decoded: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let expected = selection.map_or(rows, RowSelection::row_count);
        if decoded != expected {
            return Err(
                self.broken(row_group, &format!("{decoded} rows decoded, the footer says {expected}"))
            );
        }
        Ok(batches)
    }

    fn decoded(
        &self,
        looked: &Looked,
        columns: &[usize],
        batch_rows: usize,
        selection: Option<&RowSelection>,
    ) -> Result<Vec<RecordBatch>, DataError> {
        let descriptor = looked.metadata.file_metadata().schema_descr();
        let mask = ProjectionMask::roots(descriptor, columns.to_vec());
        let made = caught(self.source.name(), || {
            let kinds = Some(self.metadata.schema().fields());
            let levels = parquet_to_arrow_field_levels(descriptor, mask, kinds)?;
            ParquetRecordBatchReader::try_new_with_row_groups(
                &levels,
                looked,
                batch_rows,
                selection.cloned(),
            )?
            .map(|b| b.map_err(ParquetError::from))
            .collect::<Result<Vec<_>, _>>()
        });
        made.map_err(|e| looked.error.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or(e))
    }
}

/// Calls the parquet crate: its errors and panics become `Decode` errors.
fn caught<T>(name: &str, work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, DataError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(ParquetError::External(cause))) if cause.is::<DataError>() => Err(match cause.downcast() {
            Ok(error) => *error, // the source's own
            Err(other) => DataError::new(DataErrorKind::Io, other.to_string()).with_path(name),
        }),
        Ok(Err(error)) => {
            let kind = match error {
                ParquetError::NYI(_) => DataErrorKind::Unsupported,
                _ => DataErrorKind::Decode,
            };
            Err(DataError::new(kind, format!("broken or unsupported Parquet: {error}")).with_path(name))
        }
        Err(_) => {
            Err(DataError::new(DataErrorKind::Decode, "broken Parquet: the decoder gave up").with_path(name))
        }
    }
}
