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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::decode::reading::{Flowing, opened};
    use crate::limits::Limits;

    /// A far source that notes what is read of it, and what it is told of.
    struct Far {
        all: Bytes,
        read: Mutex<Vec<Range<u64>>>,
        told: Mutex<Vec<Range<u64>>>,
    }

    impl ByteSource for Far {
        fn len(&self) -> u64 {
            self.all.len() as u64
        }

        fn name(&self) -> &'static str {
            "far"
        }

        fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
            self.read.lock().unwrap().push(range.clone());
            Ok(self.all.slice(range.start as usize..range.end as usize))
        }

        fn saw(&self, start: u64, bytes: &Bytes) -> Result<(), DataError> {
            self.told.lock().unwrap().push(start..start + bytes.len() as u64);
            Ok(())
        }
    }

    #[test]
    fn the_first_bytes_are_not_read_again_and_told_of() {
        let all: Bytes = (0..2_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        for length in [1, 1000, 300_000, 2_000_000] {
            let far = Arc::new(Far { all: all.clone(), read: Mutex::default(), told: Mutex::default() });
            let source = begun(far.clone(), all.slice(..length));
            assert!(source.read_range(0..1).unwrap() == all[..1]); // who looks at the head
            let (mut reader, packed) = opened(&source, 0, &Limits::default(), &Flowing::default()).unwrap();
            let mut came = Vec::new();
            reader.read_to_end(&mut came).unwrap();
            assert!(!packed && came == all, "{length}");
            let first = far.read.lock().unwrap().iter().filter(|r| r.start < length as u64).count();
            assert!(first <= usize::from(length < 6), "{length}"); // the mark of a packed file is six bytes
            assert_eq!(far.told.lock().unwrap().first(), Some(&(0..length as u64)));
        }
    }

    #[test]
    fn the_first_bytes_are_given_up_when_reading_is_behind_them() {
        let all = Bytes::from(vec![7; 1000]);
        let far = Arc::new(Far { all: all.clone(), read: Mutex::default(), told: Mutex::default() });
        let source = begun(far, all.slice(..100));
        assert!(source.start_range(50..60).is_none());
        assert_eq!(source.at_hand().map(|head| head.len()), Some(100));
        assert!(source.start_range(100..200).is_none());
        assert_eq!(source.at_hand(), None);
        assert!(source.read_range(0..1000).unwrap() == all);
    }
}
