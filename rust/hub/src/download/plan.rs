//! Which bytes of a large file are there, which are on their way, and which to ask for next. Pure.

use std::ops::Range;

/// Unit of bookkeeping: what a kill costs at most, for each connection.
const SEGMENT: u64 = 4 << 20;
/// Segments of a file at the most, so that its journal stays small.
const MAX_SEGMENTS: u64 = 16 << 10;
/// Longest request. Shorter ones let the hash follow closely: what it waits for comes with an eighth of the speed.
const LONGEST_PART: u64 = 8 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    Taken,
    Done,
}

/// The segments of one file.
#[derive(Debug)]
pub(super) struct Plan {
    size: u64,
    segment: u64,
    states: Vec<State>,
    /// Segments that nobody works on.
    missing: usize,
    /// All before are taken or done.
    next: usize,
    /// All before are done.
    frontier: usize,
}

/// The segment length for a file.
pub(super) fn segment_length(size: u64) -> u64 {
    SEGMENT.max(size.div_ceil(MAX_SEGMENTS).next_multiple_of(1 << 20))
}

impl Plan {
    /// For a file of which nothing is there. `segment` is more than 0.
    pub(super) fn new(size: u64, segment: u64) -> Self {
        let count = usize::try_from(size.div_ceil(segment.max(1))).unwrap_or(usize::MAX);
        Self {
            size,
            segment: segment.max(1),
            states: vec![State::Missing; count],
            missing: count,
            next: 0,
            frontier: 0,
        }
    }

    pub(super) fn segments(&self) -> usize {
        self.states.len()
    }

    /// The bytes of some segments.
    pub(super) fn bytes(&self, segments: &Range<usize>) -> Range<u64> {
        let at = |index: usize| (index as u64).saturating_mul(self.segment).min(self.size);
        at(segments.start)..at(segments.end)
    }

    /// Takes the next segments to ask for, in one request: long ones first, short ones towards the end, so that all
    /// connections finish together.
    pub(super) fn take(&mut self, connections: usize) -> Option<Range<usize>> {
        while self.states.get(self.next).is_some_and(|s| *s != State::Missing) {
            self.next += 1;
        }
        let start = self.next;
        let longest = usize::try_from((LONGEST_PART / self.segment).max(1)).unwrap_or(1);
        let fair = (self.missing / (2 * connections.max(1))).clamp(1, longest);
        let run = self.states.iter().skip(start).take(fair).take_while(|s| **s == State::Missing).count();
        if run == 0 {
            return None;
        }
        self.states.iter_mut().skip(start).take(run).for_each(|s| *s = State::Taken);
        self.missing -= run;
        self.next = start + run;
        Some(start..start + run)
    }

    /// A segment is there. Returns how many there are from the start on without a gap.
    pub(super) fn done(&mut self, segment: usize) -> usize {
        if let Some(state) = self.states.get_mut(segment) {
            if *state == State::Missing {
                self.missing -= 1;
            }
            *state = State::Done;
        }
        while self.states.get(self.frontier) == Some(&State::Done) {
            self.frontier += 1;
        }
        self.frontier
    }

    /// How many segments are there from the start on without a gap.
    pub(super) fn frontier(&self) -> usize {
        self.frontier
    }

    /// Bytes that are not there yet.
    pub(super) fn bytes_missing(&self) -> u64 {
        let lost = self.states.iter().enumerate().filter(|(_, s)| **s != State::Done);
        lost.map(|(i, _)| self.bytes(&(i..i + 1))).map(|b| b.end - b.start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_is_asked_for_once(
            size in 1_u64..5000, segment in 1_u64..300, connections in 1_usize..10,
            there in proptest::collection::btree_set(0_usize..40, 0..20),
        ) {
            let mut plan = Plan::new(size, segment);
            let there: Vec<usize> = there.into_iter().filter(|i| *i < plan.segments()).collect();
            let mut seen = vec![0_u8; size as usize];
            let mut mark = |bytes: Range<u64>| (bytes.start..bytes.end).for_each(|i| seen[i as usize] += 1);
            for &index in &there {
                plan.done(index);
                mark(plan.bytes(&(index..index + 1)));
            }
            while let Some(part) = plan.take(connections) {
                prop_assert!(!part.is_empty());
                mark(plan.bytes(&part));
                for index in part {
                    plan.done(index);
                }
            }
            prop_assert!(seen.iter().all(|n| *n == 1));
            prop_assert_eq!(plan.frontier(), plan.segments());
            prop_assert_eq!(plan.bytes_missing(), 0);
        }
    }

    #[test]
    fn lengths() {
        assert_eq!(segment_length(1 << 30), 4 << 20);
        assert!(u64::pow(2, 50) / segment_length(u64::pow(2, 50)) <= MAX_SEGMENTS);
        let mut plan = Plan::new(1 << 30, 4 << 20);
        assert_eq!(plan.take(8).map(|p| plan.bytes(&p)), Some(0..8 << 20));
        let mut small = Plan::new(33 << 20, 4 << 20);
        assert_eq!(small.take(8).map(|p| small.bytes(&p)), Some(0..4 << 20));
        assert_eq!(small.bytes(&(8..9)), 32 << 20..33 << 20);
    }
}
