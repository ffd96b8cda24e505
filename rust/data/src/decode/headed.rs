//! A source that is far, with what is at one of its ends in memory: opening a file looks there several times.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::error::DataError;
use crate::source::{ByteSource, Coming, Stopper, Then};

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
        let (start, end) = (range.start - self.range.start, range.end - self.range.start);
        Ok((end <= bytes.len() as u64).then(|| bytes.slice(start as usize..end as usize)))
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
        let kept = ranges.iter().map(|r| self.kept(r)).collect::<Result<Option<Vec<_>>, _>>()?;
        match kept {
            Some(bytes) => Ok(bytes),
            None => self.inner.read_ranges(ranges),
        }
    }

    fn saw(&self, start: u64, bytes: &Bytes) -> Result<(), DataError> {
        self.inner.saw(start, bytes)
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
        let here = ranges.iter().all(|r| r.start >= self.range.start && r.end <= self.range.end);
        if here { None } else { self.inner.start_ranges(ranges, then) }
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
