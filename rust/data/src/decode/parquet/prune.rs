//! Row groups and pages that a filter needs, and the rows of them that it wants.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_select::concat::concat;
use arrow_select::filter::filter;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMask, PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::page_index::offset_index::PageLocation;
use rayon::prelude::*;

use super::fetched::Fetched;
use super::filter::{Bounds, Filter, Predicate};
use super::{ParquetReader, caught, check};
use crate::cancel::Cancel;
use crate::decode::headed::Kept;
use crate::error::{DataError, DataErrorKind};

/// Most bytes that are fetched for page indexes.
const FAR_INDEX: u64 = 16 << 20;

impl ParquetReader {
    /// Reads the page indexes, if the file has sound ones: pages are skipped by them.
    #[must_use]
    pub fn with_page_index(mut self) -> Self {
        let indexed = catch_unwind(AssertUnwindSafe(|| self.indexed())); // the crate may panic on broken ones
        if let Ok(Ok(Some(metadata))) = indexed {
            self.metadata = metadata;
        }
        self
    }

    /// As `self`, with the place of every page; their least and greatest values where the file has them.
    fn indexed(&self) -> Result<Option<ArrowReaderMetadata>, ParquetError> {
        let known = self.metadata.metadata();
        let external = |e: DataError| ParquetError::External(Box::new(e));
        let mut all: Option<Range<u64>> = None;
        for chunk in known.row_groups().iter().flat_map(|g| g.columns()) {
            if chunk.offset_index_range().is_none() {
                return Ok(None);
            }
            for range in [chunk.column_index_range(), chunk.offset_index_range()].into_iter().flatten() {
                all = Some(all.map_or(range.clone(), |a| a.start.min(range.start)..a.end.max(range.end)));
            }
        }
        let Some(all) = all.filter(|a| a.end <= self.source.len() && a.start <= a.end) else {
            return Ok(None);
        };
        let source = if self.source.is_near() {
            self.source.clone()
        } else if all.end - all.start > FAR_INDEX {
            return Ok(None);
        } else {
            // They lie together: one request.
            let bytes = self.source.read_range(all.clone()).map_err(external)?;
            Kept::with(self.source.clone(), all.start, bytes)
        };
        for chunk in known.row_groups().iter().flat_map(|g| g.columns()) {
            for range in [chunk.column_index_range(), chunk.offset_index_range()].into_iter().flatten() {
                let bytes = source.read_range(range).map_err(external)?;
                if !check::is_index(&bytes) {
                    return Ok(None);
                }
            }
        }
        let whole = Fetched::whole(&source);
        let mut reader = ParquetMetaDataReader::new_with_metadata(known.as_ref().clone())
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_page_index_mask(ColumnChunkMask::all());
        reader.read_page_indexes(&whole)?;
        ArrowReaderMetadata::try_new(Arc::new(reader.finish()?), ArrowReaderOptions::new()).map(Some)
    }

    /// The row groups that may have rows of a filter, by their statistics.
    pub fn row_groups_of(&self, wanted: &Filter) -> Vec<usize> {
        let count = self.row_group_rows().len();
        let may = wanted.0.iter().fold(vec![false; count], |any, conjunction| {
            let all = conjunction.iter().fold(vec![true; count], |all, predicate| {
                both(all, self.group_bounds(predicate).map(|b| predicate.may_match(&b)), |a, b| a && b)
            });
            both(any, Some(all), |a, b| a || b)
        });
        may.into_iter().enumerate().filter(|(_, may)| *may).map(|(group, _)| group).collect()
    }

    fn group_bounds(&self, predicate: &Predicate) -> Option<Bounds> {
        let groups = self.metadata.metadata().row_groups();
        let made = catch_unwind(AssertUnwindSafe(|| {
            let converter = self.converter(predicate)?;
            let least = converter.row_group_mins(groups).ok()?;
            let most = converter.row_group_maxes(groups).ok()?;
            Some(Bounds { least, most })
        }));
        made.ok().flatten().filter(|b| b.least.len() == groups.len() && b.most.len() == groups.len())
    }

    fn converter(&self, predicate: &Predicate) -> Option<StatisticsConverter<'_>> {
        let descriptor = self.metadata.metadata().file_metadata().schema_descr();
        StatisticsConverter::try_new(&predicate.column, self.metadata.schema(), descriptor).ok()
    }

    /// The rows of pages that may have rows of a filter; `None` for all.
    fn page_selection(&self, row_group: usize, wanted: &Filter, rows: usize) -> Option<RowSelection> {
        let all = || RowSelection::from_consecutive_ranges(std::iter::once(0..rows), rows);
        let none = || RowSelection::from_consecutive_ranges(std::iter::empty(), rows);
        let selected = wanted.0.iter().fold(none(), |any, conjunction| {
            let chosen = conjunction.iter().fold(all(), |chosen, predicate| {
                match self.pages_of(row_group, predicate, rows) {
                    Some(pages) => chosen.intersection(&pages),
                    None => chosen,
                }
            });
            any.union(&chosen)
        });
        (selected.row_count() < rows).then_some(selected)
    }

    fn pages_of(&self, row_group: usize, predicate: &Predicate, rows: usize) -> Option<RowSelection> {
        let index = self.metadata.metadata().page_index()?;
        let found = catch_unwind(AssertUnwindSafe(|| {
            let converter = self.converter(predicate)?;
            let least = converter.data_page_mins(index.as_ref(), &[row_group]).ok()?;
            let most = converter.data_page_maxes(index.as_ref(), &[row_group]).ok()?;
            let pages = index.page_locations(row_group, converter.parquet_column_index()?)?;
            let starts = pages.iter().map(|p| usize::try_from(p.first_row_index).ok());
            Some((Bounds { least, most }, starts.collect::<Option<Vec<_>>>()?))
        }));
        let (bounds, mut starts) = found.ok().flatten()?;
        let sound = starts.first() == Some(&0) && starts.is_sorted() && starts.last() <= Some(&rows);
        if !sound || bounds.least.len() != starts.len() || bounds.most.len() != starts.len() {
            return None;
        }
        starts.push(rows);
        let ranges: Vec<Range<usize>> = predicate
            .may_match(&bounds)
            .into_iter()
            .zip(starts.windows(2))
            .filter_map(|(may, ends)| match ends {
                [start, end] if may && start < end => Some(*start..*end),
                _ => None,
            })
            .collect();
        Some(RowSelection::from_consecutive_ranges(ranges.into_iter(), rows))
    }

    /// The rows of a row group that a filter wants, of all columns or of some in the order given. The filter's own
    /// columns are read first; of the others only the pages with wanted rows, where the file has a page index.
    ///
    /// # Errors
    /// As `read_row_group`; `MissingColumn` and `Unsupported` for a column that cannot be compared.
    pub fn read_filtered(
        &self,
        row_group: usize,
        columns: Option<&[String]>,
        wanted: &Filter,
        cancel: &Cancel,
    ) -> Result<Vec<RecordBatch>, DataError> {
        let place = |e: DataError| e.with_path(self.source.name()).with_row_group(row_group);
        let shown = self.wanted(columns)?;
        let names: Vec<String> = wanted.columns().into_iter().map(str::to_owned).collect();
        let tested = self.wanted(Some(&names))?;
        let rows = self.row_group_rows().get(row_group).copied().unwrap_or(0);
        let pages = self.page_selection(row_group, wanted, rows);
        let count = pages.as_ref().map_or(rows, RowSelection::row_count);
        let batches = self.read_selected(row_group, &tested, pages.as_ref(), cancel)?;
        let mut masks = Vec::with_capacity(batches.len());
        let mut kept: Vec<Vec<ArrayRef>> = vec![Vec::new(); tested.len()];
        for batch in &batches {
            let column = |name: &str| {
                batch.column_by_name(name).cloned().ok_or_else(|| {
                    DataError::new(DataErrorKind::Internal, "a column of the filter was not read")
                })
            };
            let mask: BooleanArray = wanted.rows(batch.num_rows(), column).map_err(place)?;
            for (parts, array) in kept.iter_mut().zip(batch.columns()) {
                parts.push(filter(array, &mask)?);
            }
            masks.push(mask);
        }
        let matched: usize = masks.iter().map(BooleanArray::true_count).sum();
        if matched == 0 {
            return Ok(Vec::new());
        }
        let exact = (matched < rows).then(|| {
            let within = RowSelection::from_filters(&masks);
            match &pages {
                Some(pages) => pages.and_then(&within),
                None => within,
            }
        });
        debug_assert!(matched <= count);
        let rest: Vec<usize> = shown.iter().copied().filter(|c| !tested.contains(c)).collect();
        let others = if rest.is_empty() {
            Vec::new()
        } else {
            self.read_selected(row_group, &rest, exact.as_ref(), cancel)?
        };
        let schema = Arc::new(self.schema.project(&shown)?);
        let mut columns = Vec::with_capacity(shown.len());
        for (column, field) in shown.iter().zip(schema.fields()) {
            let parts: Vec<ArrayRef> = match tested.iter().position(|t| t == column) {
                Some(at) => kept.get(at).cloned().unwrap_or_default(),
                None => others.iter().filter_map(|b| b.column_by_name(field.name()).cloned()).collect(),
            };
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            columns.push(match parts.as_slice() {
                [one] => one.slice(0, one.len()),
                many => concat(many)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(matched));
        Ok(vec![RecordBatch::try_new_with_options(schema, columns, &options)?])
    }

    pub(super) fn read_selected(
        &self,
        row_group: usize,
        columns: &[usize],
        selection: Option<&RowSelection>,
        cancel: &Cancel,
    ) -> Result<Vec<RecordBatch>, DataError> {
        self.read_in_parts(row_group, columns, selection, rayon::current_num_threads(), cancel)
    }

    /// The same, by so many threads at most.
    pub(super) fn read_in_parts(
        &self,
        row_group: usize,
        columns: &[usize],
        selection: Option<&RowSelection>,
        parts: usize,
        cancel: &Cancel,
    ) -> Result<Vec<RecordBatch>, DataError> {
        let groups = self.column_groups(row_group, columns, parts)?;
        let fetched = self.fetch(row_group, columns, selection)?;
        let parts = groups
            .into_par_iter()
            .map(|columns| {
                cancel.check()?;
                let batches = self.decode(row_group, &columns, fetched.clone(), selection)?;
                Ok((columns, batches))
            })
            .collect::<Result<Vec<_>, DataError>>()
            .inspect_err(|error| self.doubt(error))?;
        self.assemble(row_group, columns, parts)
    }

    /// Byte ranges of a chunk that a selection reads: the dictionary and the pages with selected rows.
    pub(super) fn pages_to_read(
        &self,
        row_group: usize,
        leaf: usize,
        chunk: &Range<u64>,
        selection: &RowSelection,
    ) -> Vec<Range<u64>> {
        let index = self.metadata.metadata().page_index();
        let Some(pages) = index.and_then(|i| i.page_locations(row_group, leaf)) else {
            return vec![chunk.clone()];
        };
        if !in_order(pages) {
            return vec![chunk.clone()];
        }
        let scanned = caught(self.source.name(), || Ok(selection.scan_ranges(pages)));
        let first = pages.first().and_then(|p| u64::try_from(p.offset).ok()).unwrap_or(chunk.end);
        let dictionary = chunk.start..first.clamp(chunk.start, chunk.end);
        match scanned {
            Ok(scanned) => std::iter::once(dictionary).filter(|d| !d.is_empty()).chain(scanned).collect(),
            Err(_) => vec![chunk.clone()],
        }
    }
}

/// Whether pages lie one behind the other, as their rows do.
pub(super) fn in_order(pages: &[PageLocation]) -> bool {
    pages.first().is_none_or(|p| p.first_row_index == 0 && p.offset >= 0)
        && pages.iter().all(|p| p.compressed_page_size >= 0)
        && pages.windows(2).all(|pair| match pair {
            [a, b] => {
                a.first_row_index <= b.first_row_index
                    && a.offset
                        .checked_add(i64::from(a.compressed_page_size))
                        .is_some_and(|end| end <= b.offset)
            }
            _ => true,
        })
}

fn both(a: Vec<bool>, b: Option<Vec<bool>>, join: impl Fn(bool, bool) -> bool) -> Vec<bool> {
    match b {
        Some(b) => a.into_iter().zip(b).map(|(a, b)| join(a, b)).collect(),
        None => a,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::sync::atomic::{AtomicU64, Ordering};

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Int64Array, StringArray};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::Compression;
    use parquet::file::properties::WriterProperties;

    use super::super::filter::{Literal, Op};
    use super::*;
    use crate::limits::Limits;
    use crate::source::ByteSource;

    /// Counts the bytes that are asked for.
    struct Counted(Bytes, AtomicU64);

    impl ByteSource for Counted {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn name(&self) -> &'static str {
            "counted"
        }
        fn is_near(&self) -> bool {
            true
        }
        fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
            self.1.fetch_add(range.end - range.start, Ordering::Relaxed);
            Ok(self.0.slice(range.start as usize..range.end as usize))
        }
    }

    const ROWS: i64 = 40_000;

    /// Rising numbers and texts of 200 bytes that do not compress, 4 row groups of 10,000 rows, pages of 500.
    fn file() -> Bytes {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(|i| {
            let mut state = i as u64 + 1;
            let noise = (1..200).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'!' + ((state >> 33) % 90) as u8)
            });
            std::iter::once(char::from(b'!' + (i * 7919 % 90) as u8)).chain(noise).collect::<String>()
        })));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("text", texts)]).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(10_000))
            .set_data_page_row_count_limit(500)
            .set_write_batch_size(100)
            .build();
        let mut out = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        out.into()
    }

    fn filter_of(op: Op, value: i64) -> Filter {
        Filter(vec![vec![Predicate { column: "n".into(), op, values: vec![Literal::Int(value)] }]])
    }

    fn read(bytes: &Bytes, wanted: &Filter) -> (Vec<i64>, u64) {
        let source = Arc::new(Counted(bytes.clone(), AtomicU64::new(0)));
        let reader = ParquetReader::open(source.clone(), &Limits::default()).unwrap().with_page_index();
        let mut found = Vec::new();
        for group in reader.row_groups_of(wanted) {
            for batch in reader.read_filtered(group, None, wanted, &Cancel::new()).unwrap() {
                assert_eq!(batch.num_columns(), 2);
                let numbers = batch.column(0).as_primitive::<Int64Type>().values();
                for (n, text) in numbers.iter().zip(batch.column(1).as_string::<i32>().iter()) {
                    assert!(text.unwrap().starts_with(char::from(b'!' + (n * 7919 % 90) as u8)));
                }
                found.extend_from_slice(numbers);
            }
        }
        (found, source.1.load(Ordering::Relaxed))
    }

    #[test]
    fn reads_the_pages_that_matter() {
        let bytes = file();
        let whole = bytes.len() as u64;
        let (rows, read_bytes) = read(&bytes, &filter_of(Op::Eq, 25_321));
        assert_eq!(rows, [25_321]);
        assert!(read_bytes < whole / 8, "{read_bytes} of {whole} bytes were read");
        let (rows, read_bytes) = read(&bytes, &filter_of(Op::Ge, 39_900));
        assert_eq!(rows, (39_900..ROWS).collect::<Vec<_>>());
        assert!(read_bytes < whole / 8, "{read_bytes} of {whole} bytes were read");
        let (rows, read_bytes) = read(&bytes, &filter_of(Op::Lt, 15_000));
        assert_eq!(rows, (0..15_000).collect::<Vec<_>>());
        assert!(read_bytes > whole / 4 && read_bytes < whole * 2 / 3, "{read_bytes} of {whole}");
        let (rows, read_bytes) = read(&bytes, &filter_of(Op::Gt, ROWS));
        assert!(rows.is_empty() && read_bytes < whole / 16);
        assert_eq!(read(&bytes, &filter_of(Op::Ne, 7)).0.len() as i64, ROWS - 1);
    }

    #[test]
    fn or_takes_both() {
        let bytes = file();
        let mut wanted = filter_of(Op::Lt, 3);
        wanted.0.extend(filter_of(Op::Gt, ROWS - 3).0);
        let (rows, _) = read(&bytes, &wanted);
        assert_eq!(rows, [0, 1, 2, ROWS - 2, ROWS - 1]);
        let both = Filter(vec![vec![wanted.0[0][0].clone(), wanted.0[1][0].clone()]]);
        assert!(read(&bytes, &both).0.is_empty());
    }
}
