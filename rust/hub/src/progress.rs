//! Counters that a waiting thread may read; nothing is drawn here.

use std::sync::atomic::AtomicU64;

/// Bytes and files done and expected. `total` and `files_total` are 0 while they are not known.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes there.
    pub done: AtomicU64,
    /// Bytes expected.
    pub total: AtomicU64,
    /// Files there.
    pub files: AtomicU64,
    /// Files expected.
    pub files_total: AtomicU64,
}
