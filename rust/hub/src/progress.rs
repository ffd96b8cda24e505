//! Counters that a waiting thread may read; nothing is drawn here.

use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Requests for bytes that were made again.
    pub retries: AtomicU64,
    /// Connections that were given up since hardly a byte came.
    pub stalls: AtomicU64,
}

impl Progress {
    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stalled(&self) {
        self.stalls.fetch_add(1, Ordering::Relaxed);
    }
}

/// The share of one file in a `Progress`: it only grows, also when the file starts again.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    now: AtomicU64,
    most: AtomicU64,
}

impl Meter {
    /// Bytes came.
    pub(crate) fn add(&self, bytes: u64, progress: &Progress) {
        let now = self.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let before = self.most.fetch_max(now, Ordering::Relaxed);
        if now > before {
            progress.done.fetch_add(now - before, Ordering::Relaxed);
        }
    }

    /// The same count for another task.
    pub(crate) fn handed_on(&self) -> Self {
        let copy = |from: &AtomicU64| AtomicU64::new(from.load(Ordering::Relaxed));
        Self { now: copy(&self.now), most: copy(&self.most) }
    }

    /// The file starts again.
    pub(crate) fn restart(&self) {
        self.now.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_counts_once() {
        let (meter, progress) = (Meter::default(), Progress::default());
        meter.add(5, &progress);
        meter.add(3, &progress);
        meter.restart();
        meter.add(6, &progress);
        assert_eq!(progress.done.load(Ordering::Relaxed), 8);
        meter.add(4, &progress);
        assert_eq!(progress.done.load(Ordering::Relaxed), 10);
    }
}
