//! A source that is far, with what is at one of its ends in memory: opening a file looks there several times.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::error::DataError;
use crate::source::{ByteSource, Coming, Stopper, Then};

/// A part of a range that is in memory saves a request for it if it is at least this part of the range: it is copied then.
const WORTH: u64 = 16;

/// What is in memory of the first bytes of ranges, and the ranges that are missing behind them.
type Split = (Vec<Option<Bytes>>, Vec<Range<u64>>);

/// Some bytes of a source, kept once they were read.
pub(crate) struct Kept {
    inner: Arc<dyn ByteSource>,
    range: Range<u64>,
    bytes: Mutex<Option<Bytes>>,
}

impl Kept {
    /// The source, with its first bytes read once; the source itself where it is near.
    pub(crate) fn head(inner: &Arc<dyn ByteSource>, length: u64) -> Arc<dyn ByteSource> {
        if inner.is_near() {
            return inner.clone();
        }
        let range = 0..length.min(inner.len());
        Arc::new(Self { inner: inner.clone(), range, bytes: Mutex::default() })
    }

    /// The source, with bytes that were read already.
    pub(crate) fn with(inner: Arc<dyn ByteSource>, start: u64, bytes: Bytes) -> Arc<dyn ByteSource> {
        let range = start..start + bytes.len() as u64;
        Arc::new(Self { inner, range, bytes: Mutex::new(Some(bytes)) })
    }

    /// A range, if it is one of those that are kept.
    fn kept(&self, range: &Range<u64>) -> Result<Option<Bytes>, DataError> {
        if range.start > range.end || range.start < self.range.start || range.end > self.range.end {
            return Ok(None);
        }
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = if let Some(bytes) = held.as_ref() {
            bytes.clone()
        } else {
            let read = self.inner.read_range(self.range.clone())?;
            *held = Some(read.clone());
            read
        };
        Ok(self.cut(&bytes, range))
    }

    /// What is in memory of the first bytes of a range: all of them, or a part that is worth to be put before the others.
    fn begun(&self, range: &Range<u64>) -> Option<Bytes> {
        let held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let end = range.end.min(self.range.end);
        let here = end.checked_sub(range.start)?;
        let worth = here > 0 && here.saturating_mul(WORTH) >= range.end.saturating_sub(range.start);
        held.as_ref().filter(|_| worth).and_then(|bytes| self.cut(bytes, &(range.start..end)))
    }

    /// What is in memory of ranges, and what is missing of each; None where nothing is.
    fn split(&self, ranges: &[Range<u64>]) -> Option<Split> {
        let here: Vec<Option<Bytes>> = ranges.iter().map(|range| self.begun(range)).collect();
        if here.iter().all(Option::is_none) {
            return None;
        }
        let rest = |(range, here): (&Range<u64>, &Option<Bytes>)| {
            range.start + here.as_ref().map_or(0, |bytes| bytes.len() as u64)..range.end
        };
        let missing = ranges.iter().zip(&here).map(rest).collect();
        Some((here, missing))
    }

    fn cut(&self, bytes: &Bytes, range: &Range<u64>) -> Option<Bytes> {
        let start = range.start.checked_sub(self.range.start)?;
        let end = range.end.checked_sub(self.range.start)?;
        (start <= end && end <= bytes.len() as u64).then(|| bytes.slice(start as usize..end as usize))
    }
}

impl ByteSource for Kept {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn is_near(&self) -> bool {
        self.inner.is_near()
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        match self.kept(&range)? {
            Some(bytes) => Ok(bytes),
            None => self.inner.read_range(range),
        }
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, DataError> {
        if let Some(bytes) = ranges.iter().map(|r| self.kept(r)).collect::<Result<Option<Vec<_>>, _>>()? {
            return Ok(bytes);
        }
        let Some((here, missing)) = self.split(ranges) else { return self.inner.read_ranges(ranges) };
        let came = self.inner.read_ranges(&missing)?;
        Ok(here.into_iter().zip(came).map(joined).collect())
    }

    fn saw(&self, start: u64, bytes: &Bytes) -> Result<(), DataError> {
        self.inner.saw(start, bytes)
    }

    fn at_hand(&self) -> Option<Bytes> {
        self.inner.at_hand()
    }

    fn asked(&self) -> u64 {
        self.inner.asked()
    }

    fn is_unpacked(&self) -> bool {
        self.inner.is_unpacked()
    }

    fn keep_end(&self, start: u64, bytes: &Bytes) {
        self.inner.keep_end(start, bytes);
    }

    fn forget_end(&self) {
        self.inner.forget_end();
    }

    fn start_range(&self, range: Range<u64>) -> Option<Box<dyn Coming>> {
        self.inner.start_range(range)
    }

    fn start_ranges(&self, ranges: Vec<Range<u64>>, then: Then) -> Option<Stopper> {
        let Some((here, missing)) = self.split(&ranges) else { return self.inner.start_ranges(ranges, then) };
        if missing.iter().all(Range::is_empty) {
            return None;
        }
        let together = move |came: Result<Vec<Bytes>, DataError>| {
            then(came.map(|came| here.into_iter().zip(came).map(joined).collect()));
        };
        self.inner.start_ranges(missing, Box::new(together))
    }
}

/// The bytes of a range: those that were there, and the others.
fn joined((here, rest): (Option<Bytes>, Bytes)) -> Bytes {
    match here {
        None => rest,
        Some(here) if rest.is_empty() => here,
        Some(here) => [here, rest].concat().into(),
    }
}

/// A source, and some of its bytes that were read already.
pub fn with_bytes(source: Arc<dyn ByteSource>, start: u64, bytes: Bytes) -> Arc<dyn ByteSource> {
    Kept::with(source, start, bytes)
}

/// A source of which some ranges came already.
pub(crate) struct Came {
    inner: Arc<dyn ByteSource>,
    parts: Vec<(u64, Bytes)>,
}

impl Came {
    /// `ranges` and their bytes, in the same order.
    pub(crate) fn of(
        inner: Arc<dyn ByteSource>,
        ranges: &[Range<u64>],
        bytes: Vec<Bytes>,
    ) -> Arc<dyn ByteSource> {
        let parts = ranges.iter().map(|range| range.start).zip(bytes).collect();
        Arc::new(Self { inner, parts })
    }

    fn part(&self, range: &Range<u64>) -> Option<Bytes> {
        self.parts.iter().find_map(|(start, bytes)| {
            let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
            let to = usize::try_from(range.end.checked_sub(*start)?).ok()?;
            (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
        })
    }
}

impl ByteSource for Came {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn forget_end(&self) {
        self.inner.forget_end();
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        self.part(&range).map_or_else(|| self.inner.read_range(range), Ok)
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, DataError> {
        let parts: Option<Vec<Bytes>> = ranges.iter().map(|range| self.part(range)).collect();
        parts.map_or_else(|| self.inner.read_ranges(ranges), Ok)
    }
}
