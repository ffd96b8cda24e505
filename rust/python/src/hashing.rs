//! `Hashing`: the hash of a file that is read in order, made beside the reading.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use crucible_hub::{Along, HubError};

use crate::door::{self, Started};

/// Bytes that may wait to be hashed; who brings more hashes some.
const MOST: usize = 8 << 20;
/// Bytes that are hashed before others get a turn.
const STEP: usize = 1 << 20;

/// Hashes what is read on the decode pool, in the order in which it was read. Whoever reads the end waits for all of it.
pub(crate) struct Hashing {
    shared: Arc<Shared>,
    size: u64,
    pid: u32,
}

struct Shared {
    along: Mutex<Along>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    pieces: VecDeque<(u64, Bytes)>,
    bytes: usize,
    task: Option<Started<()>>,
    /// Whether the task will look for pieces again.
    busy: bool,
    failed: Option<HubError>,
}

impl Hashing {
    pub(crate) fn new(along: Along, size: u64) -> Self {
        let shared = Shared { along: Mutex::new(along), waiting: Mutex::default() };
        Self { shared: Arc::new(shared), size, pid: std::process::id() }
    }

    /// Bytes that came, from a position on.
    ///
    /// In a forked child nothing is hashed: a thread of the parent may hold the locks for ever.
    ///
    /// # Errors
    /// `Integrity` when these were the last and the file has another hash.
    pub(crate) fn saw(&self, start: u64, bytes: &Bytes) -> Result<(), HubError> {
        if self.pid != std::process::id() {
            return Ok(());
        }
        let last = start + bytes.len() as u64 >= self.size;
        let mut waiting = held(&self.shared.waiting);
        waiting.pieces.push_back((start, bytes.clone()));
        waiting.bytes += bytes.len();
        if !waiting.busy && !last {
            let shared = self.shared.clone();
            let started = door::start(move |_| {
                while shared.step() {
                    let _ = rayon::yield_now(); // rows that somebody waits for come first
                }
                Ok::<_, HubError>(())
            });
            waiting.task = started.ok(); // without a pool it is hashed when too much waits, or at the end
            waiting.busy = waiting.task.is_some();
        }
        drop(waiting);
        let most = if last { 0 } else { MOST };
        self.shared.hash(most);
        if last { held(&self.shared.waiting).failed.take().map_or(Ok(()), Err) } else { Ok(()) }
    }
}

impl Shared {
    /// Hashes what waits down to so many bytes. Bytes are taken by who holds the hash, so they stay in order.
    fn hash(&self, most: usize) {
        while held(&self.waiting).bytes > most && self.step() {}
        if most == 0 {
            while self.step() {} // another one may hash the last of them
        }
    }

    /// Hashes some of what waits; false if nothing does.
    fn step(&self) -> bool {
        let mut along = held(&self.along);
        let mut waiting = held(&self.waiting);
        let Some((start, mut rest)) = waiting.pieces.pop_front() else {
            waiting.busy = false;
            return false;
        };
        let bytes = rest.split_to(STEP.min(rest.len()));
        if !rest.is_empty() {
            waiting.pieces.push_front((start + bytes.len() as u64, rest));
        }
        waiting.bytes -= bytes.len();
        drop(waiting);
        if let Err(error) = along.saw(start, &bytes) {
            held(&self.waiting).failed = Some(error);
        }
        true
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
