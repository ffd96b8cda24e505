//! `Table`: an ordered list of record batches with one schema.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use crate::error::{DataError, DataErrorKind};

/// Immutable batches; cloning shares them.
#[derive(Clone, Debug)]
pub struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// First row of each batch, and the number of rows at the end.
    offsets: Vec<usize>,
    path: Option<PathBuf>,
}

impl Table {
    /// Puts batches in order. Empty batches are dropped.
    ///
    /// # Errors
    /// `Schema` if a batch has other columns than `schema`.
    pub fn try_new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Self, DataError> {
        let mut kept = Vec::with_capacity(batches.len());
        let mut offsets = vec![0];
        let mut rows = 0;
        for batch in batches {
            if batch.num_rows() == 0 {
                continue;
            }
            rows += batch.num_rows();
            offsets.push(rows);
            kept.push(if batch.schema_ref() == &schema { batch } else { under(&schema, &batch)? });
        }
        Ok(Self { schema, batches: kept, offsets, path: None })
    }

    /// Says which file the table is mapped from.
    pub(crate) fn mapped_from(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
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
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// First row of each batch, and the number of rows at the end.
    pub(crate) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The mapped file behind the table, if all of it is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Bytes of the buffers.
    pub fn nbytes(&self) -> usize {
        self.batches.iter().map(RecordBatch::get_array_memory_size).sum()
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
        Ok(Self { schema, batches, offsets: self.offsets.clone(), path: None })
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
        Ok(Self { schema, batches, offsets: self.offsets.clone(), path: None })
    }

    /// The same table with one more entry of metadata.
    ///
    /// # Errors
    /// What Arrow says.
    pub fn with_metadata(&self, key: String, value: String) -> Result<Self, DataError> {
        let mut metadata = self.schema.metadata().clone();
        metadata.insert(key, value);
        let schema = Arc::new(self.schema.as_ref().clone().with_metadata(metadata));
        Self::try_new(schema, self.batches.clone())
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
        Self::try_new(first.schema(), tables.iter().flat_map(|t| t.batches.clone()).collect())
    }
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
