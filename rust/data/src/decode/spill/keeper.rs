//! What becomes of decoded windows: a small table in memory, or a file that grows.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::windows::Read;
use super::{ReadOptions, fit};
use crate::decode::{enough, lacked, projected, unify};
use crate::error::{DataError, DataErrorKind};
use crate::ipc_stream::GrowingFile;
use crate::source::ByteSource;
use crate::table::Table;

/// What all windows came to.
pub(super) enum Kept {
    /// The table.
    Table(Table),
    /// Nothing: what was written was too narrow. The types that all windows fit.
    Narrow(SchemaRef),
    /// Nothing: only all rows together can tell.
    Unclear,
}

/// Takes windows in order.
pub(super) struct Keeper<'a> {
    path: &'a Path,
    budget: usize,
    sources: &'a [Arc<dyn ByteSource>],
    options: &'a ReadOptions,
    /// The schema of what is kept.
    target: Option<SchemaRef>,
    /// Whether windows may still make it wider.
    widens: bool,
    /// The types of all windows so far, once they are wider than what is kept.
    wide: Option<SchemaRef>,
    unclear: bool,
    heap: Vec<RecordBatch>,
    bytes: usize,
    missing: u64,
    file: Option<GrowingFile>,
    /// Whether the file could not be written.
    unwritable: bool,
}

impl<'a> Keeper<'a> {
    /// `target` is the table's schema where it is known.
    pub(super) fn new(
        path: &'a Path,
        budget: usize,
        sources: &'a [Arc<dyn ByteSource>],
        options: &'a ReadOptions,
        target: Option<SchemaRef>,
    ) -> Self {
        Self {
            path,
            budget,
            sources,
            options,
            widens: target.is_none(),
            target,
            wide: None,
            unclear: false,
            heap: Vec::new(),
            bytes: 0,
            missing: 0,
            file: None,
            unwritable: false,
        }
    }

    /// The next window of a format whose types only reading tells.
    /// Breaks where only all rows together can tell: no further window helps.
    pub(super) fn read(&mut self, read: Read) -> Result<ControlFlow<()>, DataError> {
        self.take(read)?;
        Ok(if self.unclear { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn take(&mut self, read: Read) -> Result<(), DataError> {
        if !self.widens {
            let Some(target) = self.target.clone() else { return Ok(()) };
            return self.add(&target, read.batches);
        }
        if !read.clear {
            self.unclear = true;
            return Ok(());
        }
        let Some(known) = self.wide.as_ref().or(self.target.as_ref()) else {
            let target = projected(read.schema, self.options.columns.as_deref())?;
            self.target = Some(target.clone());
            return self.add(&target, read.batches);
        };
        let mut fields: Vec<Field> = known.fields().iter().map(|f| f.as_ref().clone()).collect();
        let merged = unify::merge(&mut fields, read.schema.fields());
        let wide = Arc::new(Schema::new_with_metadata(fields, known.metadata().clone()));
        let wide = merged.and_then(|()| projected(wide, self.options.columns.as_deref()));
        let Ok(wide) = wide else {
            self.unclear = true; // or the same error with its file, or JSON text
            return Ok(());
        };
        if loses_text(known, &wide) || loses_text(&read.schema, &wide) {
            self.unclear = true;
            return Ok(());
        }
        if self.wide.is_none() && wide.fields() == known.fields() {
            return self.add(&wide, read.batches);
        }
        // The rest is only looked at.
        self.wide = Some(wide);
        (self.heap, self.file) = (Vec::new(), None);
        Ok(())
    }

    /// Batches, each with its file.
    pub(super) fn add(
        &mut self,
        target: &SchemaRef,
        batches: Vec<(usize, RecordBatch)>,
    ) -> Result<(), DataError> {
        let missing = batches.iter().map(|(_, batch)| lacked(batch, target));
        self.missing = missing.fold(self.missing, u64::saturating_add);
        enough(self.missing, self.sources, &self.options.limits)?;
        let batches = fit(batches, target, self.sources, self.options)?;
        if self.file.is_none() {
            self.bytes += batches.iter().map(RecordBatch::get_array_memory_size).sum::<usize>();
            self.heap.extend(batches);
            if self.bytes <= self.budget {
                return Ok(());
            }
            let heap = Table::try_new(target.clone(), std::mem::take(&mut self.heap))?;
            self.bytes = heap.nbytes(); // without what buffers have too much
            if self.bytes <= self.budget {
                self.heap = heap.batches()?.to_vec();
                return Ok(());
            }
            return self.write(target, heap.batches()?);
        }
        self.write(target, &batches)
    }

    fn write(&mut self, target: &SchemaRef, batches: &[RecordBatch]) -> Result<(), DataError> {
        let file = match self.file.take() {
            Some(file) => Ok(file),
            None => GrowingFile::create(self.path, target),
        };
        let written = file.and_then(|mut file| {
            for batch in batches {
                self.options.cancel.check()?;
                file.write(batch)?;
            }
            Ok(file)
        });
        match written {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                self.unwritable = error.kind() != DataErrorKind::Cancelled;
                return Err(error);
            }
        }
        Ok(())
    }

    /// What the windows came to, if the last of them was reached.
    pub(super) fn finish(self, reached: Result<(), DataError>) -> Result<Kept, DataError> {
        match reached {
            Err(_) if self.unwritable => return Ok(Kept::Unclear),
            reached => reached?,
        }
        if self.unclear {
            return Ok(Kept::Unclear);
        }
        Ok(match (self.wide, self.file, self.target) {
            (Some(wide), ..) => Kept::Narrow(wide),
            (None, Some(file), _) => file.finish().map_or(Kept::Unclear, Kept::Table), // a full disk
            (None, None, Some(target)) => Kept::Table(Table::try_new(target, self.heap)?),
            (None, None, None) => Kept::Unclear, // no window at all
        })
    }
}

/// Whether times become text again on the way to a wider schema: they may have been written in another way.
fn loses_text(narrow: &Schema, wide: &Schema) -> bool {
    narrow.fields().iter().any(|field| {
        let there = wide.fields().iter().find(|w| w.name() == field.name());
        there.is_some_and(|w| as_text(field.data_type(), w.data_type()))
    })
}

fn as_text(narrow: &DataType, wide: &DataType) -> bool {
    match (narrow, wide) {
        (DataType::Timestamp(..), DataType::Utf8 | DataType::LargeUtf8) => true,
        (DataType::List(a), DataType::List(b)) | (DataType::LargeList(a), DataType::LargeList(b)) => {
            as_text(a.data_type(), b.data_type())
        }
        (DataType::Struct(a), DataType::Struct(b)) => a.iter().any(|a| {
            let there = b.iter().find(|b| b.name() == a.name());
            there.is_some_and(|b| as_text(a.data_type(), b.data_type()))
        }),
        _ => false,
    }
}
