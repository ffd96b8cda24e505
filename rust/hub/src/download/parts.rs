//! A large file over several connections: parts written where they belong, hashed in the file's order behind the writers.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, interval_at};

use super::body::failed;
use super::job::{Job, Opened};
use super::journal::{self, Journal, Recovered};
use super::plan::{Plan, segment_length};
use super::preflight::{allocate, room_for};
use super::target::Target;
use super::verify::Verifier;
use super::watchdog::{Patience, Watch};
use crate::apart::apart;
use crate::cache::store::{Incomplete, read_range, write_at};
use crate::error::{HubError, HubErrorKind};

/// Time between signs of life in the journal.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Segments that are hashed before the next look at what is there.
const HASH_AT_ONCE: usize = 4;
/// How many segments the hash may be behind for each connection that goes on. Where the processor is the limit, the last
/// bytes would come early and the hash long after them, on one core; so connections pause in turn, and both end together.
const HASH_BEHIND: usize = 4;
/// Bytes that are read again at a time for the hash: they stay in the processor's cache.
const BLOCK: usize = 256 << 10;

/// What became of a file.
pub(super) enum Outcome {
    /// It has its name.
    Named,
    /// The server does not know ranges: everything comes in this answer.
    Whole(Box<Opened>),
}

/// What the tasks of one file share.
struct Shared {
    job: Arc<Job>,
    file: Arc<File>,
    path: PathBuf,
    plan: Mutex<Plan>,
    journal: Notes,
    connections: usize,
    /// Segments that are there without a gap from the start on.
    ready: watch::Sender<usize>,
    /// Segments that are hashed.
    hashed: watch::Sender<usize>,
}

type Notes = Arc<Mutex<Option<Journal>>>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The temporary file and its journal. Dropped, it leaves both to the next if there is something to go on from.
struct Partial {
    file: Option<Incomplete>,
    journal: Notes,
    keep: bool,
}

impl Partial {
    fn name(mut self, target: &Path) -> Result<(), HubError> {
        self.keep = false;
        match self.file.take() {
            Some(file) => file.persist(target),
            None => Ok(()),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let file = self.file.take();
        let Some(journal) = locked(&self.journal).take() else {
            return;
        };
        match file {
            Some(file) if self.keep && journal.is_useful() => {
                file.keep();
                journal.release();
            }
            _ => journal.remove(),
        }
    }
}

async fn recovered(job: &Job, target: &Target, size: u64) -> Result<Option<Recovered>, HubError> {
    if target.journal.is_none() || !Verifier::is_hash(&job.etag) {
        return Ok(None);
    }
    let (target, etag) = (target.clone(), job.etag.clone());
    apart(move |stop| Ok(journal::recover(&target, &etag, size, stop))).await
}

/// Brings a file of known size in parts.
pub(super) async fn bring(job: &Arc<Job>, target: &Target, size: u64) -> Result<Outcome, HubError> {
    let mut plan = Plan::new(size, segment_length(size));
    let left = recovered(job, target, size).await?;
    for segment in left.iter().flat_map(|r| &r.segments) {
        plan.done(*segment);
    }
    let missing = plan.bytes_missing();
    let connections = job.client.config().connections;
    let first = plan.take(connections);
    let mut opened = None;
    if let Some(part) = &first {
        // Alone, so that a server without ranges is noticed before others ask.
        room_for(&target.stem, if left.is_some() { 0 } else { missing })?;
        let bytes = plan.bytes(part);
        let mut patience = Patience::new(job.client.config());
        let answer = match job.open_patiently(bytes.start, Some(bytes.end), &mut patience).await {
            Ok(answer) => answer,
            Err(error) => {
                // What was taken over is left to the next.
                if let Some(Recovered { file, journal, .. }) = left {
                    let journal = Arc::new(Mutex::new(Some(journal)));
                    drop(Partial { file: Some(file), journal, keep: error.is_transient() });
                }
                return Err(error);
            }
        };
        if answer.whole {
            if let Some(Recovered { journal, .. }) = left {
                journal.remove();
            }
            return Ok(Outcome::Whole(Box::new(answer)));
        }
        opened = Some(answer);
    }
    let (file, journal) = if let Some(Recovered { file, journal, .. }) = left {
        (file, Some(journal))
    } else {
        let file = Incomplete::create(&target.stem)?;
        if let Some(inner) = file.file() {
            allocate(&inner, file.path(), size)?;
        }
        let noted = Verifier::is_hash(&job.etag);
        let journal = noted.then(|| Journal::start(target, file.path(), &job.etag, size)).flatten();
        (file, journal)
    };
    job.meter.add(size - missing, &job.progress);
    let inner = file.file().ok_or_else(|| HubError::new(HubErrorKind::Io, "the temporary file is closed"))?;
    let shared = Arc::new(Shared {
        job: job.clone(),
        file: inner,
        path: file.path().to_owned(),
        ready: watch::Sender::new(plan.frontier()),
        hashed: watch::Sender::new(0),
        plan: Mutex::new(plan),
        journal: Arc::new(Mutex::new(journal)),
        connections,
    });
    let mut partial = Partial { file: Some(file), journal: shared.journal.clone(), keep: true };
    let done = work(&shared, first.zip(opened)).await.and_then(|found| job.compare(found.as_deref()));
    if let Err(error) = done {
        partial.keep = error.is_transient();
        return Err(error);
    }
    partial.name(&target.name)?;
    Ok(Outcome::Named)
}

/// Runs the tasks of a file until all of it is there, and returns its hash.
async fn work(
    shared: &Arc<Shared>,
    first: Option<(Range<usize>, Opened)>,
) -> Result<Option<String>, HubError> {
    let mut workers: JoinSet<Result<(), HubError>> = JoinSet::new();
    let mut hashing: JoinSet<Result<Option<String>, HubError>> = JoinSet::new();
    let me = shared.clone();
    hashing.spawn(async move { hash(&me).await });
    if first.is_some() {
        for index in 1..shared.connections {
            let me = shared.clone();
            workers.spawn(async move { worker(&me, index, None).await });
        }
        let me = shared.clone();
        workers.spawn(async move { worker(&me, 0, first).await });
    }
    let mut clock = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    // Leaving drops the sets, which stops the others: those that wait for a connection have nothing left to do.
    loop {
        tokio::select! {
            Some(done) = workers.join_next() => done.map_err(failed)??,
            Some(done) = hashing.join_next() => return done.map_err(failed)?,
            _ = clock.tick() => {
                if let Some(journal) = locked(&shared.journal).as_ref() {
                    journal.beat();
                }
            }
        }
    }
}

/// Brings parts until none is left. All but a file's first worker share the client's connections with other files.
async fn worker(
    shared: &Shared,
    index: usize,
    mut first: Option<(Range<usize>, Opened)>,
) -> Result<(), HubError> {
    loop {
        shared.hash_keeps_up(index).await;
        let permit = if index == 0 { None } else { shared.job.client.connection().await };
        let (part, opened) = match first.take() {
            Some((part, opened)) => (part, Some(opened)),
            None => match locked(&shared.plan).take(shared.connections) {
                Some(part) => (part, None),
                None => return Ok(()),
            },
        };
        bring_part(shared, part, opened).await?;
        drop(permit);
    }
}

/// How far a part has come.
struct Cursor {
    at: u64,
    end: u64,
    segment: usize,
    segment_end: u64,
    sum: crc32fast::Hasher,
}

/// Brings one part; after a failure what is missing of it is asked for again.
async fn bring_part(shared: &Shared, part: Range<usize>, mut opened: Option<Opened>) -> Result<(), HubError> {
    let job = &shared.job;
    let (bytes, segment) = {
        let plan = locked(&shared.plan);
        (plan.bytes(&part), plan.bytes(&(part.start..part.start + 1)))
    };
    let mut patience = Patience::new(job.client.config());
    let mut cursor = Cursor {
        at: bytes.start,
        end: bytes.end,
        segment: part.start,
        segment_end: segment.end,
        sum: crc32fast::Hasher::new(),
    };
    loop {
        let before = cursor.at;
        let answer = match opened.take() {
            Some(answer) => Ok(answer),
            None => job.open(cursor.at, Some(cursor.end)).await,
        };
        let result = match answer {
            Ok(answer) if answer.whole => Err(job.mismatch("a part was asked for, the whole file came")),
            Ok(answer) => drain(shared, answer, &mut cursor).await,
            Err(error) => Err(error),
        };
        if cursor.at >= cursor.end {
            return Ok(());
        }
        patience.received(cursor.at - before, Some(cursor.end - before));
        let error = result.err().unwrap_or_else(|| job.ended_early());
        job.wait_after(error, &mut patience).await?;
    }
}

async fn drain(shared: &Shared, mut opened: Opened, cursor: &mut Cursor) -> Result<(), HubError> {
    let job = &shared.job;
    let mut watch = Watch::new(job.client.config().transport().read_timeout);
    while cursor.at < cursor.end {
        let Some(chunk) = watch.chunk(&mut opened.response, &opened.at, &job.progress).await? else {
            return Ok(());
        };
        let wanted = usize::try_from(cursor.end - cursor.at).unwrap_or(usize::MAX).min(chunk.len());
        let mut rest = chunk.get(..wanted).unwrap_or_default();
        write_at(&shared.file, rest, cursor.at).map_err(|e| HubError::io("write", &shared.path, e))?;
        while !rest.is_empty() {
            let room = usize::try_from(cursor.segment_end - cursor.at).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(room.min(rest.len()));
            cursor.sum.update(now);
            cursor.at += now.len() as u64;
            rest = later;
            if cursor.at == cursor.segment_end {
                shared.segment_done(cursor);
            }
        }
        job.meter.add(wanted as u64, &job.progress);
    }
    Ok(())
}

impl Shared {
    /// Waits while the hash is behind what is there without a gap: it can always go on, so this ends.
    async fn hash_keeps_up(&self, index: usize) {
        let behind = HASH_BEHIND * (self.connections - index.min(self.connections - 1));
        let mut hashed = self.hashed.subscribe();
        // The sender is ours, so waiting cannot fail.
        let _ = hashed.wait_for(|hashed| self.ready.borrow().saturating_sub(*hashed) <= behind).await;
    }

    fn segment_done(&self, cursor: &mut Cursor) {
        if let Some(journal) = locked(&self.journal).as_mut() {
            journal.done(cursor.segment, cursor.sum.clone().finalize());
        }
        let mut plan = locked(&self.plan);
        let ready = plan.done(cursor.segment);
        cursor.segment += 1;
        cursor.segment_end = plan.bytes(&(cursor.segment..cursor.segment + 1)).end;
        drop(plan);
        cursor.sum.reset();
        self.ready.send_if_modified(|known| {
            let more = ready > *known;
            *known = ready.max(*known);
            more
        });
    }
}

/// Hashes the file in its order, behind the writers, up to its end. A name that is no hash is waited for alike.
async fn hash(shared: &Shared) -> Result<Option<String>, HubError> {
    let mut verifier = Verifier::new(&shared.job.etag, shared.job.size);
    let mut ready = shared.ready.subscribe();
    let segments = locked(&shared.plan).segments();
    let mut hashed = 0;
    let mut buffer = vec![0; BLOCK];
    while hashed < segments {
        let there = *ready.borrow_and_update();
        if there <= hashed {
            ready.changed().await.map_err(|_| HubError::new(HubErrorKind::Io, "the writers are gone"))?;
            continue;
        }
        let upto = there.min(hashed + HASH_AT_ONCE);
        if matches!(verifier, Verifier::Unknown) {
            hashed = upto;
            shared.hashed.send_replace(hashed);
            continue;
        }
        let bytes = locked(&shared.plan).bytes(&(hashed..upto));
        let file = shared.file.clone();
        let step = spawn_blocking(move || {
            read_range(&file, bytes, &mut buffer, |block| verifier.update(block)).map(|()| (verifier, buffer))
        });
        let done = step.await.map_err(failed)?;
        (verifier, buffer) = done.map_err(|e| HubError::io("read", &shared.path, e))?;
        hashed = upto;
        shared.hashed.send_replace(hashed);
    }
    Ok(verifier.finish())
}
