//! Whole files: row groups of several files, decoded on all threads, all at once or some at a time.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use rayon::prelude::*;

use super::{Filter, ParquetReader};
use crate::decode::{FileBatches, ReadOptions};
use crate::error::{DataError, DataErrorKind};
use crate::source::ByteSource;

/// Some columns of one row group of one file.
struct Unit {
    file: usize,
    row_group: usize,
    columns: Vec<usize>,
}

/// Several files whose footers have been read.
pub(in crate::decode) struct Files {
    readers: Vec<ParquetReader>,
    options: ReadOptions,
}

impl Files {
    /// Reads the footers.
    pub(in crate::decode) fn open(
        sources: &[Arc<dyn ByteSource>],
        options: &ReadOptions,
    ) -> Result<Self, DataError> {
        let readers = sources
            .par_iter()
            .map(|s| {
                let reader = ParquetReader::open(s.clone(), &options.limits)?;
                Ok(if options.filter.is_some() { reader.with_page_index() } else { reader })
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        Ok(Self { readers, options: options.clone() })
    }

    /// Each file's schema.
    pub(in crate::decode) fn schemas(&self) -> impl Iterator<Item = SchemaRef> {
        self.readers.iter().map(ParquetReader::schema)
    }

    /// Row groups that may have wanted rows, each as its file, its number and its bytes when it is unpacked.
    pub(in crate::decode) fn row_groups(&self) -> Vec<(usize, usize, u64)> {
        let groups = self.readers.iter().enumerate().flat_map(|(file, reader)| {
            let wanted = match &self.options.filter {
                Some(filter) => reader.row_groups_of(filter),
                None => (0..reader.row_group_rows().len()).collect(),
            };
            wanted.into_iter().map(move |group| (file, group, reader.row_group_bytes(group)))
        });
        groups.collect()
    }

    /// The rows of some row groups, in their order, each batch with its file.
    pub(in crate::decode) fn read(
        &self,
        groups: &[(usize, usize, u64)],
    ) -> Result<Vec<(usize, RecordBatch)>, DataError> {
        if let Some(wanted) = &self.options.filter {
            return self.read_filtered(groups, wanted);
        }
        // Few row groups: columns are decoded side by side as well.
        let threads = rayon::current_num_threads();
        let parts = if groups.len() < 2 * threads { 2 * threads } else { 1 };
        let mut units = Vec::new();
        for &(file, row_group, _) in groups {
            let reader = self.reader(file)?;
            // A column that this file lacks, another may have: what nobody has is found when schemas are joined.
            let wanted: Vec<usize> = match &self.options.columns {
                Some(names) => names.iter().filter_map(|n| reader.schema.index_of(n).ok()).collect(),
                None => reader.wanted(None)?,
            };
            for columns in reader.column_groups(row_group, &wanted, parts)? {
                units.push(Unit { file, row_group, columns });
            }
        }
        let decoded = units
            .into_par_iter()
            .map(|unit| {
                self.options.cancel.check()?;
                let reader = self.reader(unit.file)?;
                let fetched = reader.fetch(unit.row_group, &unit.columns, None)?;
                let batches = reader.decode(unit.row_group, &unit.columns, fetched, None)?;
                Ok((unit, batches))
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        let mut out = Vec::new();
        let mut units = decoded.into_iter().peekable();
        while let Some((first, batches)) = units.next() {
            let (file, row_group) = (first.file, first.row_group);
            let mut parts = vec![(first.columns, batches)];
            while let Some((next, batches)) =
                units.next_if(|(u, _)| u.file == file && u.row_group == row_group)
            {
                parts.push((next.columns, batches));
            }
            let mut wanted: Vec<usize> = parts.iter().flat_map(|(c, _)| c.iter().copied()).collect();
            wanted.sort_unstable();
            let batches = self.reader(file)?.assemble(row_group, &wanted, parts)?;
            out.extend(batches.into_iter().map(|batch| (file, batch)));
        }
        Ok(out)
    }

    fn read_filtered(
        &self,
        groups: &[(usize, usize, u64)],
        wanted: &Filter,
    ) -> Result<Vec<(usize, RecordBatch)>, DataError> {
        let read = groups
            .par_iter()
            .map(|&(file, group, _)| {
                let reader = self.reader(file)?;
                let there = |name: &&String| reader.schema.index_of(name).is_ok();
                let columns = self.options.columns.as_ref();
                let columns: Option<Vec<String>> =
                    columns.map(|names| names.iter().filter(there).cloned().collect());
                let batches =
                    reader.read_filtered(group, columns.as_deref(), wanted, &self.options.cancel)?;
                Ok(batches.into_iter().map(|batch| (file, batch)).collect::<Vec<_>>())
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        Ok(read.into_iter().flatten().collect())
    }

    fn reader(&self, file: usize) -> Result<&ParquetReader, DataError> {
        self.readers.get(file).ok_or_else(|| DataError::new(DataErrorKind::Internal, "no reader"))
    }
}

/// All row groups of several files.
pub(in crate::decode) fn read_sources(
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<Vec<FileBatches>, DataError> {
    let files = Files::open(sources, options)?;
    let mut out: Vec<FileBatches> =
        files.schemas().map(|schema| FileBatches { schema, batches: Vec::new() }).collect();
    for (file, batch) in files.read(&files.row_groups())? {
        if let Some(file) = out.get_mut(file) {
            file.batches.push(batch);
        }
    }
    Ok(out)
}
