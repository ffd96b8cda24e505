//! Counters of the network of this process, for progress lines and tests: what went out, what is being waited for.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the process began.
#[derive(Debug)]
pub(crate) struct Pulse {
    pub(crate) requests: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) rate_waits: AtomicU64,
    pub(crate) waited_ms: AtomicU64,
    /// Waits going on now.
    pub(crate) waiting: AtomicU64,
}

pub(crate) static PULSE: Pulse = Pulse {
    requests: AtomicU64::new(0),
    retries: AtomicU64::new(0),
    rate_waits: AtomicU64::new(0),
    waited_ms: AtomicU64::new(0),
    waiting: AtomicU64::new(0),
};

/// The counters at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkState {
    /// Requests sent, each hop of a redirect counted.
    pub requests: u64,
    /// Tries after a failure.
    pub retries: u64,
    /// Waits for a rate limit.
    pub rate_waits: u64,
    /// Milliseconds waited, for retries and limits, by all tasks together.
    pub waited_ms: u64,
    /// Tasks that wait now.
    pub waiting: u64,
}

/// Reads the counters.
pub fn network_state() -> NetworkState {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    NetworkState {
        requests: read(&PULSE.requests),
        retries: read(&PULSE.retries),
        rate_waits: read(&PULSE.rate_waits),
        waited_ms: read(&PULSE.waited_ms),
        waiting: read(&PULSE.waiting),
    }
}

/// Counts a wait while it lasts.
pub(crate) struct Waiting;

impl Waiting {
    pub(crate) fn new() -> Self {
        PULSE.waiting.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        PULSE.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
