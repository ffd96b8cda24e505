//! Counters that a waiting thread may read; nothing is drawn here.

use std::sync::atomic::AtomicU64;

/// Bytes done and expected. `total` is 0 while it is not known.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes there.
    pub done: AtomicU64,
    /// Bytes expected.
    pub total: AtomicU64,
}
