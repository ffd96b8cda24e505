//! What becomes of decoded windows: a small table in memory, or a file that grows.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::Job;
use super::windows::Read;
use crate::decode::json::{Learnt, Plan};
use crate::decode::{enough, lacked, projected, unify};
use crate::error::{DataError, DataErrorKind};
use crate::ipc_stream::GrowingFile;
use crate::table::Table;

/// What all windows came to.
pub(super) enum Kept {
    /// The table.
    Table(Table),
    /// Nothing: what was written was too narrow. The types that all windows fit.
    Narrow(SchemaRef),
    /// The same of JSON: how to read all windows.
    Other(Plan),
    /// Nothing: only all rows together can tell.
    Unclear,
}

/// What becomes of the next window.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is kept.
    Keeping,
    /// It is only looked at.
    Looking,
    /// Only all rows together can tell.
    Unclear,
}

/// Takes windows in order.
pub(super) struct Keeper<'a> {
    job: Job<'a>,
    /// The schema of what is kept.
    target: Option<SchemaRef>,
    /// Whether windows may still make it wider.
    widens: bool,
    /// The types of all windows so far, once they are wider than what is kept.
    wide: Option<SchemaRef>,
    /// What windows of JSON told, and the plan by which they were read.
    learnt: Option<(Learnt, Option<Plan>)>,
    state: State,
    heap: Vec<RecordBatch>,
    bytes: usize,
    missing: u64,
    file: Option<GrowingFile>,
    /// Whether the file could not be written.
    unwritable: bool,
}

impl<'a> Keeper<'a> {
    /// `target` is the table's schema where it is known.
    pub(super) fn new(job: Job<'a>, target: Option<SchemaRef>) -> Self {
        Self {
            job,
            widens: target.is_none(),
            target,
            wide: None,
            learnt: None,
            state: State::Keeping,
            heap: Vec::new(),
            bytes: 0,
            missing: 0,
            file: None,
            unwritable: false,
        }
    }

    /// Learns how to read JSON while it is read; by `plan` if it was read before.
    ///
    /// # Errors
    /// A column that is asked for and not there.
    pub(super) fn learn(&mut self, plan: Option<Plan>) -> Result<(), DataError> {
        if let Some(plan) = &plan {
            self.target = Some(projected(plan.schema()?, self.job.options.columns.as_deref())?);
        }
        self.learnt = Some((Learnt::new(self.job.options.json.mixed), plan));
        Ok(())
    }

    /// The next window of a format whose types only reading tells.
    /// Breaks where only all rows together can tell: no further window helps.
    pub(super) fn read(&mut self, read: Read) -> Result<ControlFlow<()>, DataError> {
        let Read { schema, batches, told, file, clear } = read;
        if !clear {
            self.state = State::Unclear;
            return Ok(ControlFlow::Break(()));
        }
        if let (Some((learnt, plan)), Some(told)) = (&mut self.learnt, told) {
            let foreseen = plan.as_ref().map_or(told.is_plain(), |plan| plan.foresaw(&told));
            learnt.add(told, self.job.sources.iter().skip(file).map(|s| s.name()))?;
            if !foreseen {
                self.stop();
            }
        }
        if self.state == State::Keeping {
            self.take(&schema, batches)?;
        }
        Ok(if self.state == State::Unclear { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Keeps nothing: the rest is only looked at.
    fn stop(&mut self) {
        self.state = State::Looking;
        (self.heap, self.file) = (Vec::new(), None);
    }

    fn take(&mut self, schema: &SchemaRef, batches: Vec<(usize, RecordBatch)>) -> Result<(), DataError> {
        if !self.widens {
            let Some(target) = self.target.clone() else { return Ok(()) };
            return self.add(&target, batches);
        }
        let columns = self.job.options.columns.as_deref();
        let Some(known) = self.wide.as_ref().or(self.target.as_ref()) else {
            return match projected(schema.clone(), columns) {
                Ok(target) => {
                    self.target = Some(target.clone());
                    self.add(&target, batches)
                }
                Err(_) if self.learnt.is_some() => {
                    self.stop(); // a later window may have the column
                    Ok(())
                }
                Err(error) => Err(error),
            };
        };
        let mut fields: Vec<Field> = known.fields().iter().map(|f| f.as_ref().clone()).collect();
        let merged = unify::merge(&mut fields, schema.fields());
        let wide = Arc::new(Schema::new_with_metadata(fields, known.metadata().clone()));
        let wide = merged.and_then(|()| projected(wide, columns));
        let Ok(wide) = wide else {
            match self.learnt {
                Some(_) => self.stop(),
                None => self.state = State::Unclear, // or the same error with its file
            }
            return Ok(());
        };
        if self.wide.is_none()
            && wide.fields() == known.fields()
            && !loses_text(known, &wide)
            && !loses_text(schema, &wide)
        {
            return self.add(&wide, batches);
        }
        if self.learnt.is_some() {
            self.stop();
        } else {
            self.wide = Some(wide);
            (self.heap, self.file) = (Vec::new(), None);
        }
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
        enough(self.missing, self.job.sources, &self.job.options.limits)?;
        let batches = self.job.fit(batches, target)?;
        if self.file.is_none() {
            self.bytes += batches.iter().map(RecordBatch::get_array_memory_size).sum::<usize>();
            self.heap.extend(batches);
            if self.bytes <= self.job.budget {
                return Ok(());
            }
            let heap = Table::try_new(target.clone(), std::mem::take(&mut self.heap))?;
            self.bytes = heap.nbytes(); // without what buffers have too much
            if self.bytes <= self.job.budget {
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
            None => GrowingFile::create(self.job.path, target),
        };
        let written = file.and_then(|mut file| {
            for batch in batches {
                self.job.options.cancel.check()?;
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
        if self.state == State::Unclear {
            return Ok(Kept::Unclear);
        }
        if let Some((learnt, plan)) = self.learnt
            && (self.state == State::Looking || plan.is_some())
        {
            let all = learnt.plan();
            if self.state == State::Looking || plan.as_ref() != Some(&all) {
                return Ok(Kept::Other(all));
            }
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
