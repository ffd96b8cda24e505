//! Files to a table in a store, some at a time: while one window of the input is decoded, the one before is written and
//! the text of the next is unpacked. What is in memory does not grow with the files.
//!
//! Where a later window needs other types than were written (wider ones; JSON text, as values have no common type; text,
//! as one of many dates is none), the rest is only looked at, and everything is read once more into the types of all.
//! What windows cannot tell is read as a whole, in memory.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use keeper::{Keeper, Kept};
use windows::Texts;

use super::{Format, ReadOptions, fitted, json, parquet, read_sources, target};
use crate::blocks::Reading;
use crate::error::{DataError, DataErrorKind};
use crate::source::ByteSource;
use crate::store;
use crate::table::Table;

mod keeper;
mod pipeline;
#[cfg(test)]
mod tests;
mod windows;

/// Bytes of a window, unpacked: enough units for all threads, and few enough to stay in memory three times.
const WINDOW: u64 = 64 << 20;
/// Files up to this size are read as a whole when a window fails: a JSON object may lie across the place of a cut, and a
/// whole reading knows the line of an error.
const WHOLE: u64 = 1 << 30;

/// Readings by windows at the most: the second has all types, but for what nobody writes.
const READINGS: usize = 5;

/// What is read, and where to.
#[derive(Clone, Copy)]
struct Job<'a> {
    /// The file to write, if the table is large.
    path: &'a Path,
    /// Bytes up to which a table stays in memory.
    budget: usize,
    sources: &'a [Arc<dyn ByteSource>],
    format: Format,
    options: &'a ReadOptions,
    /// Bytes of a window.
    window: u64,
}

/// As `read_sources`, into the file `path` (Arrow IPC, mapped) if the table has more than `budget` bytes. The file
/// appears when it is complete; a full disk does not lose the reading: the table stays in memory then.
///
/// # Errors
/// As `read_sources`.
pub fn read_into(
    path: &Path,
    budget: usize,
    sources: &[Arc<dyn ByteSource>],
    format: Format,
    options: &ReadOptions,
) -> Result<Table, DataError> {
    Job { path, budget, sources, format, options, window: WINDOW }.read()
}

/// As `read_sources`; files that are packed by windows, so that one is decoded while the next is unpacked.
///
/// # Errors
/// As `read_sources`.
pub fn read_in_memory(
    sources: &[Arc<dyn ByteSource>],
    format: Format,
    options: &ReadOptions,
) -> Result<Table, DataError> {
    if matches!(format, Format::Json | Format::Text) && sources.iter().any(|s| windows::is_packed(s.as_ref()))
    {
        let path = Path::new("");
        return Job { path, budget: usize::MAX, sources, format, options, window: WINDOW }.read();
    }
    let _reading = Reading::start();
    read_sources(sources, format, options)
}

impl Job<'_> {
    fn read(self) -> Result<Table, DataError> {
        let reading = Reading::start();
        let read = match self.format {
            Format::Parquet => self.parquets(),
            Format::Json | Format::Text | Format::Csv | Format::Arrow => self.texts(),
        };
        drop(reading);
        match read {
            Ok(Some(table)) => Ok(table),
            Ok(None) => self.whole(),
            Err(error) if self.again(&error) => self.whole(),
            Err(error) => Err(error),
        }
    }

    /// Whether reading as a whole may do better.
    fn again(self, error: &DataError) -> bool {
        match error.kind() {
            DataErrorKind::Cancelled | DataErrorKind::Limit => false,
            _ => self.sources.iter().map(|s| s.len()).sum::<u64>() <= WHOLE,
        }
    }

    fn whole(self) -> Result<Table, DataError> {
        let reading = Reading::start();
        let table = read_sources(self.sources, self.format, self.options)?;
        drop(reading);
        if table.nbytes() <= self.budget {
            return Ok(table);
        }
        match store::write_ipc(&table, self.path) {
            Ok(()) => store::open_ipc(self.path),
            Err(_) => Ok(table),
        }
    }

    /// Parquet: footers say all types before anything is decoded.
    fn parquets(self) -> Result<Option<Table>, DataError> {
        let files = parquet::Files::open(self.sources, self.options)?;
        let schemas: Vec<SchemaRef> = files.schemas().collect();
        let target = target(schemas.iter().map(AsRef::as_ref), self.sources, self.options)?;
        let mut keeper = Keeper::new(self, Some(target.clone()));
        let mut groups = files.row_groups().into_iter().peekable();
        let next = || {
            let (mut taken, mut bytes) = (Vec::new(), 0_u64);
            let fits = |bytes: u64, more| bytes.saturating_add(more) <= self.window;
            while let Some(group) = groups.next_if(|g| taken.is_empty() || fits(bytes, g.2)) {
                bytes = bytes.saturating_add(group.2);
                taken.push(group);
            }
            Ok((!taken.is_empty()).then_some(taken))
        };
        let decode = |groups: Vec<(usize, usize, u64)>| files.read(&groups);
        let keep = |batches| keeper.add(&target, batches).map(ControlFlow::Continue);
        let reached = pipeline::run(next, decode, keep);
        Ok(match keeper.finish(reached)? {
            Kept::Table(table) => Some(table),
            Kept::Narrow(_) | Kept::Other(_) | Kept::Unclear => None,
        })
    }

    /// Formats whose types only reading tells.
    fn texts(self) -> Result<Option<Table>, DataError> {
        let (mut known, mut plan): (_, Option<json::Plan>) = (None, None);
        let imposed = self.options.features.is_some();
        if imposed {
            known = Some(target(std::iter::empty(), self.sources, self.options)?);
        }
        for _ in 0..READINGS {
            let mut keeper = Keeper::new(self, known.take());
            if self.format == Format::Json && !imposed {
                keeper.learn(plan.clone())?;
            }
            let mut texts = Texts::new(self);
            let decode = |window: windows::Window| window.read(self.format, self.options, plan.as_ref());
            let keep = |read: windows::Read| keeper.read(read);
            let reached = pipeline::run(|| texts.next(), decode, keep);
            match keeper.finish(reached)? {
                Kept::Table(table) => return Ok(Some(table)),
                Kept::Narrow(wide) => known = Some(wide),
                Kept::Other(all) => plan = Some(all),
                Kept::Unclear => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Batches in the table's schema.
    fn fit(
        self,
        batches: Vec<(usize, RecordBatch)>,
        target: &SchemaRef,
    ) -> Result<Vec<RecordBatch>, DataError> {
        let strict = self.options.features.is_some();
        let fit = |(file, batch)| {
            fitted(batch, target, strict).map_err(|e| super::named(e, self.sources.get(file)))
        };
        batches.into_iter().map(fit).collect()
    }
}
