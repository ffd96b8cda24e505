//! Files to a table in a store, some at a time: while one window of the input is decoded, the one before is written and
//! the text of the next is unpacked. What is in memory does not grow with the files.
//!
//! Where a later window needs wider types than were written, the rest is only looked at, and everything is read once
//! more into the types of all. What windows cannot tell (values that must become JSON text, texts that are dates in
//! every row but one) is read as a whole, in memory.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use keeper::{Keeper, Kept};
use windows::Texts;

use super::{Format, ReadOptions, fitted, parquet, read_sources, target};
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
    read_windows(path, budget, sources, format, options, WINDOW)
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
        return read_windows(Path::new(""), usize::MAX, sources, format, options, WINDOW);
    }
    let _reading = Reading::start();
    read_sources(sources, format, options)
}

fn read_windows(
    path: &Path,
    budget: usize,
    sources: &[Arc<dyn ByteSource>],
    format: Format,
    options: &ReadOptions,
    window: u64,
) -> Result<Table, DataError> {
    let reading = Reading::start();
    let read = match format {
        Format::Parquet => parquets(path, budget, sources, options, window),
        Format::Json | Format::Text | Format::Csv | Format::Arrow => {
            texts(path, budget, sources, format, options, window)
        }
    };
    drop(reading);
    match read {
        Ok(Some(table)) => Ok(table),
        Ok(None) => whole(path, budget, sources, format, options),
        Err(error) if again(&error, sources) => whole(path, budget, sources, format, options),
        Err(error) => Err(error),
    }
}

/// Whether reading as a whole may do better.
fn again(error: &DataError, sources: &[Arc<dyn ByteSource>]) -> bool {
    match error.kind() {
        DataErrorKind::Cancelled | DataErrorKind::Limit => false,
        _ => sources.iter().map(|s| s.len()).sum::<u64>() <= WHOLE,
    }
}

fn whole(
    path: &Path,
    budget: usize,
    sources: &[Arc<dyn ByteSource>],
    format: Format,
    options: &ReadOptions,
) -> Result<Table, DataError> {
    let reading = Reading::start();
    let table = read_sources(sources, format, options)?;
    drop(reading);
    if table.nbytes() <= budget {
        return Ok(table);
    }
    match store::write_ipc(&table, path) {
        Ok(()) => store::open_ipc(path),
        Err(_) => Ok(table),
    }
}

/// Parquet: footers say all types before anything is decoded.
fn parquets(
    path: &Path,
    budget: usize,
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
    window: u64,
) -> Result<Option<Table>, DataError> {
    let files = parquet::Files::open(sources, options)?;
    let schemas: Vec<SchemaRef> = files.schemas().collect();
    let target = target(schemas.iter().map(AsRef::as_ref), sources, options)?;
    let mut keeper = Keeper::new(path, budget, sources, options, Some(target.clone()));
    let mut groups = files.row_groups().into_iter().peekable();
    let next = || {
        let (mut taken, mut bytes) = (Vec::new(), 0_u64);
        while let Some(group) = groups.next_if(|g| taken.is_empty() || bytes.saturating_add(g.2) <= window) {
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
        Kept::Narrow(_) | Kept::Unclear => None,
    })
}

/// Formats whose types only reading tells.
fn texts(
    path: &Path,
    budget: usize,
    sources: &[Arc<dyn ByteSource>],
    format: Format,
    options: &ReadOptions,
    window: u64,
) -> Result<Option<Table>, DataError> {
    let mut known = None;
    if options.features.is_some() {
        known = Some(target(std::iter::empty(), sources, options)?);
    }
    for _ in 0..2 {
        let mut keeper = Keeper::new(path, budget, sources, options, known.take());
        let mut texts = Texts::new(sources, format, options, window);
        let decode = |window: windows::Window| window.read(format, options);
        let keep = |read: windows::Read| keeper.read(read);
        let reached = pipeline::run(|| texts.next(), decode, keep);
        match keeper.finish(reached)? {
            Kept::Table(table) => return Ok(Some(table)),
            Kept::Narrow(wide) => known = Some(wide),
            Kept::Unclear => return Ok(None),
        }
    }
    Ok(None)
}

/// Batches in the table's schema.
fn fit(
    batches: Vec<(usize, RecordBatch)>,
    target: &SchemaRef,
    sources: &[Arc<dyn ByteSource>],
    options: &ReadOptions,
) -> Result<Vec<RecordBatch>, DataError> {
    let strict = options.features.is_some();
    let fit = |(file, batch)| fitted(batch, target, strict).map_err(|e| super::named(e, sources.get(file)));
    batches.into_iter().map(fit).collect()
}
