//! A source that is far, whose first bytes came while something else was read.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::blocks::Streaming;
use crate::error::DataError;
use crate::source::{ByteSource, Coming, Stopper, Then};

/// The first bytes, until somebody reads what is behind them. The lock is never waited for: a forked child may find it held
/// for ever, and then asks for them.
struct Begun {
    inner: Arc<dyn ByteSource>,
    head: Mutex<Option<Bytes>>,
    _streaming: Streaming,
}

impl Begun {
    /// A part of the first bytes, by itself: who looks at some of them does not keep all.
    fn part(&self, range: &Range<u64>) -> Option<Bytes> {
        let head = self.at_hand()?;
        let inside = head.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
        Some(Bytes::copy_from_slice(inside))
    }

    /// Gives the first bytes up where a range lies behind them.
    fn passed(&self, range: &Range<u64>) {
        if let Ok(mut head) = self.head.try_lock()
            && head.as_ref().is_some_and(|head| range.start >= head.len() as u64)
        {
            *head = None;
        }
    }
}

impl ByteSource for Begun {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn at_hand(&self) -> Option<Bytes> {
        self.head.try_lock().ok()?.clone()
    }

    fn asked(&self) -> u64 {
        self.inner.asked().max(self.at_hand().map_or(0, |head| head.len() as u64))
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        self.part(&range).map_or_else(|| self.inner.read_range(range), Ok)
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, DataError> {
        let parts: Option<Vec<Bytes>> = ranges.iter().map(|range| self.part(range)).collect();
        parts.map_or_else(|| self.inner.read_ranges(ranges), Ok)
    }

    fn start_range(&self, range: Range<u64>) -> Option<Box<dyn Coming>> {
        self.passed(&range);
        self.inner.start_range(range)
    }

    fn start_ranges(&self, ranges: Vec<Range<u64>>, then: Then) -> Option<Stopper> {
        self.inner.start_ranges(ranges, then)
    }

    fn saw(&self, start: u64, bytes: &Bytes) -> Result<(), DataError> {
        self.inner.saw(start, bytes)
    }

    fn is_unpacked(&self) -> bool {
        self.inner.is_unpacked()
    }

    fn kept_end(&self) -> Option<(u64, Bytes)> {
        self.inner.kept_end()
    }

    fn keep_end(&self, start: u64, bytes: &Bytes) {
        self.inner.keep_end(start, bytes);
    }

    fn forget_end(&self) {
        self.inner.forget_end();
    }
}

/// A source whose first bytes came already. Who reads on tells it of them with `saw`.
pub fn begun(inner: Arc<dyn ByteSource>, head: Bytes) -> Arc<dyn ByteSource> {
    Arc::new(Begun { inner, head: Mutex::new(Some(head)), _streaming: Streaming::new() })
}
