//! `Table`: an ordered list of record batches with one schema.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use crate::bytes;
use crate::checked::Stamp;
use crate::error::{DataError, DataErrorKind};
use crate::unchecked::{Checks, Unchecked};

/// Immutable batches; cloning shares them.
#[derive(Clone, Debug)]
pub struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// First row of each batch, and the number of rows at the end.
    offsets: Vec<usize>,
    path: Option<PathBuf>,
    /// What is to be checked before a batch is read; empty if all values are known to be right.
    checks: Vec<Checks>,
}

impl Table {
    /// Puts batches in order. Empty batches are dropped.
    ///
    /// # Errors
    /// `Schema` if a batch has other columns than `schema`.
    pub fn try_new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Self, DataError> {
        Self::with_checks(schema, batches.into_iter().map(|batch| (batch, Checks::new())))
    }

    /// The same of batches whose values may be unchecked.
    pub(crate) fn with_checks(
        schema: SchemaRef,
        batches: impl Iterator<Item = (RecordBatch, Checks)>,
    ) -> Result<Self, DataError> {
        let mut kept = Vec::with_capacity(batches.size_hint().0);
        let mut checks = Vec::with_capacity(kept.capacity());
        let mut offsets = vec![0];
        let mut rows = 0;
        for (batch, waiting) in batches {
            if batch.num_rows() == 0 {
                continue;
            }
            rows += batch.num_rows();
            offsets.push(rows);
            kept.push(if batch.schema_ref() == &schema { batch } else { under(&schema, &batch)? });
            checks.push(waiting);
        }
        if checks.iter().all(Vec::is_empty) {
            checks.clear();
        }
        Ok(Self { schema, batches: kept, offsets, path: None, checks })
    }

    /// Says which file the table is mapped from.
    pub(crate) fn mapped_from(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Says that nobody has looked at the values of the file yet.
    pub(crate) fn unchecked(mut self, path: &Path, stamp: Option<Stamp>) -> Self {
        self.checks = Unchecked::of(path.to_owned(), stamp, &self.batches);
        self
    }

    /// Rows in all.
    pub fn num_rows(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The columns, borrowed.
    pub fn schema_ref(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batches, none of them empty.
    ///
    /// # Errors
    /// `Decode` for values of a file that are no Arrow. They are checked when they are first read.
    pub fn batches(&self) -> Result<&[RecordBatch], DataError> {
        for check in self.checks.iter().flatten().flatten() {
            check.check()?;
        }
        Ok(&self.batches)
    }

    /// How many there are.
    pub fn num_batches(&self) -> usize {
        self.batches.len()
    }

    /// One batch.
    ///
    /// # Errors
    /// The same, `OutOfBounds` if there is none of that number.
    pub fn batch(&self, number: usize) -> Result<&RecordBatch, DataError> {
        for check in self.checks_of(number).iter().flatten() {
            check.check()?;
        }
        self.batches.get(number).ok_or_else(|| no_batch(number))
    }

    /// One column of a batch.
    ///
    /// # Errors
    /// The same.
    pub fn column(&self, number: usize, column: usize) -> Result<&ArrayRef, DataError> {
        if let Some(Some(check)) = self.checks_of(number).get(column) {
            check.check()?;
        }
        self.batches.get(number).and_then(|b| b.columns().get(column)).ok_or_else(|| no_batch(number))
    }

    /// Whether a batch still has to be checked, which takes time.
    pub fn is_waiting(&self, number: usize) -> bool {
        self.checks_of(number).iter().flatten().any(|check| check.is_waiting())
    }

    /// Whether any batch still has to be checked.
    pub fn is_any_waiting(&self) -> bool {
        (0..self.checks.len()).any(|number| self.is_waiting(number))
    }

    /// The batches unchecked: for lengths, types and addresses. Nobody may read their values.
    pub(crate) fn unread(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// What is to be checked of a batch's columns.
    pub(crate) fn checks_of(&self, number: usize) -> &[Option<Arc<Unchecked>>] {
        self.checks.get(number).map_or(&[], Vec::as_slice)
    }

    /// What is to be checked of one column of a batch.
    pub(crate) fn check_of(&self, number: usize, column: usize) -> Option<Arc<Unchecked>> {
        self.checks_of(number).get(column).and_then(Clone::clone)
    }

    /// First row of each batch, and the number of rows at the end.
    pub(crate) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The mapped file behind the table, if all of it is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Bytes of the rows: of buffers that batches share, each counts its part.
    pub fn nbytes(&self) -> usize {
        self.batches.iter().map(bytes::of_batch).sum()
    }

    /// The batch that holds `row`, and the row in it.
    #[inline]
    pub fn locate(&self, row: usize) -> Option<(usize, usize)> {
        if row >= self.num_rows() {
            return None;
        }
        if self.batches.len() == 1 {
            return Some((0, row));
        }
        let batch = self.offsets.partition_point(|&o| o <= row).checked_sub(1)?;
        Some((batch, row - self.offsets.get(batch)?))
    }

    /// The rows of a batch, by their numbers in the table.
    pub fn span(&self, batch: usize) -> Option<std::ops::Range<usize>> {
        Some(*self.offsets.get(batch)?..*self.offsets.get(batch + 1)?)
    }

    /// Some columns, in the order given.
    ///
    /// # Errors
    /// `Schema` for a column number that does not exist.
    pub fn select_columns(&self, columns: &[usize]) -> Result<Self, DataError> {
        let schema = Arc::new(without_lost_features(self.schema.project(columns)?));
        let batches = self
            .batches
            .iter()
            .map(|b| under(&schema, &b.project(columns)?))
            .collect::<Result<Vec<_>, DataError>>()?;
        let some = |checks: &Checks| match checks.as_slice() {
            [] => Checks::new(),
            all => columns.iter().map(|&c| all.get(c).and_then(Clone::clone)).collect(),
        };
        let checks = self.checks.iter().map(some).collect();
        Ok(Self { schema, batches, offsets: self.offsets.clone(), path: None, checks })
    }

    /// The same columns under new names.
    ///
    /// # Errors
    /// `Schema` if there are not as many names as columns, or a name comes twice.
    pub fn rename_columns(&self, names: &[String]) -> Result<Self, DataError> {
        let fields = self.schema.fields();
        if names.len() != fields.len() {
            let message = format!("{} names for {} columns", names.len(), fields.len());
            return Err(DataError::new(DataErrorKind::Schema, message));
        }
        if let Some(twice) =
            names.iter().enumerate().find_map(|(i, n)| names.iter().take(i).find(|m| *m == n))
        {
            return Err(DataError::new(
                DataErrorKind::Schema,
                format!("two columns would be named {twice:?}"),
            ));
        }
        let renamed: Vec<_> =
            fields.iter().zip(names).map(|(f, n)| Arc::new(f.as_ref().clone().with_name(n))).collect();
        let metadata = crate::features::renamed_metadata(&self.schema, names);
        let schema = Arc::new(Schema::new_with_metadata(renamed, metadata));
        let batches = self
            .batches
            .iter()
            .map(|b| Ok(RecordBatch::try_new(schema.clone(), b.columns().to_vec())?))
            .collect::<Result<Vec<_>, DataError>>()?;
        let (offsets, checks) = (self.offsets.clone(), self.checks.clone());
        Ok(Self { schema, batches, offsets, path: None, checks })
    }

    /// The same table with one more entry of metadata.
    ///
    /// # Errors
    /// What Arrow says.
    pub fn with_metadata(&self, key: String, value: String) -> Result<Self, DataError> {
        let mut metadata = self.schema.metadata().clone();
        metadata.insert(key, value);
        let schema = Arc::new(self.schema.as_ref().clone().with_metadata(metadata));
        Self::with_checks(schema, self.parts())
    }

    /// The batches and what is to be checked of them.
    fn parts(&self) -> impl Iterator<Item = (RecordBatch, Checks)> + '_ {
        self.batches
            .iter()
            .enumerate()
            .map(|(number, batch)| (batch.clone(), self.checks_of(number).to_vec()))
    }

    /// The rows of several tables, one after the other; nothing is copied.
    ///
    /// # Errors
    /// `Schema` for no table, or columns that differ in name or type.
    pub fn concat(tables: &[Arc<Self>]) -> Result<Self, DataError> {
        let Some(first) = tables.first() else {
            return Err(DataError::new(DataErrorKind::Schema, "no tables to put together"));
        };
        for table in tables {
            if table.schema.fields() != first.schema.fields() {
                let message = format!(
                    "tables of other columns: {:?} and {:?}",
                    names(&first.schema),
                    names(&table.schema)
                );
                return Err(DataError::new(DataErrorKind::Schema, message));
            }
        }
        Self::with_checks(first.schema(), tables.iter().flat_map(|t| t.parts()))
    }
}

fn no_batch(number: usize) -> DataError {
    DataError::new(DataErrorKind::OutOfBounds, format!("no batch number {number}"))
}

/// The batch under another schema of the same types. Unlike `with_schema`, the metadata may be any other.
fn under(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, DataError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)?)
}

/// Features of columns that are gone are dropped from the schema's metadata.
fn without_lost_features(schema: Schema) -> Schema {
    let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let metadata = crate::features::kept_metadata(&schema, &names);
    schema.with_metadata(metadata)
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.fields().iter().map(|f| f.name().as_str()).collect()
}
