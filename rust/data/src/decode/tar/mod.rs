//! WebDataset: tar archives whose neighbouring files of one name up to the first dot are a sample, a field by suffix.

use std::sync::Arc;

use arrow_array::RecordBatch;
use rayon::prelude::*;

use crate::cancel::Cancel;
use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;
use crate::source::ByteSource;

mod columns;
mod members;

use columns::Columns;
pub use columns::{Column, Kind};
use members::{Member, Members};

/// The column of a sample's name.
pub const KEY: &str = "__key__";
/// The column of the archive's path.
pub const URL: &str = "__url__";

/// Bytes of samples after which a batch ends, whatever is asked for: the offsets of a column are 32 bits wide.
const MOST: usize = 1 << 30;

/// A sample: the files of one name.
#[derive(Debug)]
pub struct Sample {
    /// The name up to the first dot, with its folders.
    pub key: String,
    /// Suffixes and contents, in the order of the archive.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Where its first header begins.
    pub start: u64,
    /// Where the header after its last file begins.
    pub end: u64,
}

/// Some samples as columns.
pub struct SampleBatch {
    /// The columns that were asked for.
    pub batch: RecordBatch,
    /// Where the first sample begins.
    pub start: u64,
    /// Where the next sample begins.
    pub end: u64,
}

/// The name and the field of a path: parted at the first dot of the file's name. None for hidden files and names
/// without a dot.
fn parted(path: &str) -> Option<(&str, &str)> {
    let base = path.rfind('/').map_or(0, |slash| slash + 1);
    let name = path.get(base..)?;
    if name.starts_with('.') || name.starts_with("__") {
        return None;
    }
    let dot = base + name.find('.')?;
    Some((path.get(..dot)?, path.get(dot + 1..)?))
}

/// The samples of an archive, in order.
pub struct Samples {
    members: Members,
    pending: Option<Member>,
    name: String,
}

impl Samples {
    /// Starts at position `at` of the archive (of what it unpacks to, if it is compressed), where a sample begins.
    ///
    /// # Errors
    /// `Io`, `Decode` or `Unsupported` with the path.
    pub fn open(source: &Arc<dyn ByteSource>, at: u64, limits: &Limits) -> Result<Self, DataError> {
        let members = Members::open(source, at, limits)?;
        Ok(Self { members, pending: None, name: source.name().to_owned() })
    }

    /// The next sample.
    ///
    /// # Errors
    /// `Decode` for a broken archive or a field that comes twice, `Limit`, `Unsupported`, `Io`; with the path, and the
    /// name of the file in the archive.
    pub fn next_sample(&mut self) -> Result<Option<Sample>, DataError> {
        let Some(first) = self.next_member()? else { return Ok(None) };
        let Some(key) = parted(&first.name).map(|(key, _)| key.to_owned()) else { return Ok(None) };
        let (start, mut end) = (first.start, first.end);
        let mut fields = Vec::new();
        let mut next = Some(first);
        while let Some(member) = next {
            let field = match parted(&member.name) {
                Some((same, field)) if same == key => field.to_owned(),
                _ => {
                    self.pending = Some(member);
                    break;
                }
            };
            if field == KEY || field == URL || fields.iter().any(|(name, _)| *name == field) {
                let message = format!("Duplicate field {field:?} for sample {key:?} in the tar archive");
                return Err(DataError::new(DataErrorKind::Decode, message).with_path(&self.name));
            }
            end = member.end;
            fields.push((field, self.members.unpacked(member)?.bytes));
            next = self.next_member()?;
        }
        Ok(Some(Sample { key, fields, start, end }))
    }

    fn next_member(&mut self) -> Result<Option<Member>, DataError> {
        match self.pending.take() {
            Some(member) => Ok(Some(member)),
            None => self.members.next(|name| parted(name).is_some()),
        }
    }

    /// The next samples as columns, until `rows` or about `bytes` are read; None at the end.
    ///
    /// # Errors
    /// As `next_sample`; `Decode` for a field that is not what its suffix says.
    pub fn next_batch(
        &mut self,
        wanted: &[Column],
        rows: usize,
        bytes: usize,
        cancel: &Cancel,
    ) -> Result<Option<SampleBatch>, DataError> {
        let name = self.name.clone();
        let mut columns = Columns::new(wanted, &name);
        let mut start = None;
        let (mut end, mut count, mut size) = (0, 0, 0);
        while count < rows.max(1) && size < bytes.min(MOST) {
            cancel.check()?;
            let Some(sample) = self.next_sample()? else { break };
            start.get_or_insert(sample.start);
            (end, count) = (sample.end, count + 1);
            size += sample.fields.iter().map(|(_, value)| value.len()).sum::<usize>();
            columns.push(sample)?;
        }
        let Some(start) = start else { return Ok(None) };
        Ok(Some(SampleBatch { batch: columns.finish()?, start, end }))
    }
}

/// All samples of several archives, which are read side by side.
///
/// # Errors
/// As `Samples::next_batch`.
pub fn read_archives(
    sources: &[Arc<dyn ByteSource>],
    wanted: &[Column],
    limits: &Limits,
    cancel: &Cancel,
) -> Result<Vec<RecordBatch>, DataError> {
    let read = sources
        .par_iter()
        .map(|source| {
            let mut samples = Samples::open(source, 0, limits)?;
            let mut batches = Vec::new();
            while let Some(found) = samples.next_batch(wanted, usize::MAX, MOST, cancel)? {
                batches.push(found.batch);
            }
            Ok(batches)
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    Ok(read.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
