//! A budget of the process for what streams read ahead of its use.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that may be read ahead at a time when nothing else is said.
pub const BUDGET: u64 = 256 << 20;

static AHEAD: AtomicU64 = AtomicU64::new(0);

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct Share(u64);

impl Share {
    /// Takes a part, if so much is left of `budget`.
    pub fn take(bytes: u64, budget: u64) -> Option<Self> {
        AHEAD
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= budget)
            })
            .ok()
            .map(|_| Self(bytes))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        AHEAD.fetch_sub(self.0, Ordering::AcqRel);
    }
}
