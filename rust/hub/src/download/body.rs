//! The bytes of one blob: brought whole or in parts, hashed as they come, named only when right.

use std::future::Future;
use std::sync::Arc;

use tokio::task::{JoinSet, spawn_blocking};

use super::file::Known;
use super::job::{Job, Opened};
use super::parts;
use super::preflight::room_for;
use super::target::Target;
use super::verify::Verifier;
use super::watchdog::{Patience, Watch};
use crate::cache::store::{self, Incomplete, read_range};
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::http::client::Http;
use crate::progress::Progress;
use crate::repo::RepoRef;

/// Files from this size on are brought in parts over several connections.
const PARTS_FROM: u64 = 32 << 20;
/// Files from this size on are brought by a task of their own: the caller's thread stays free for signals.
const APART_FROM: u64 = 1 << 20;
/// Bytes that are hashed at a time, where they are read again.
const BLOCK: usize = 256 << 10;

/// How far a body has come.
struct Sofar {
    file: Incomplete,
    verifier: Verifier,
    bytes: u64,
    size: Option<u64>,
}

impl HubClient {
    /// Brings a blob to its name. The caller holds the blob's lock. Wrong bytes are fetched once more, over a connection
    /// and an address of their own, then they are an error.
    ///
    /// A large file that does not get complete, since the network fails for good or the caller loses interest, leaves its
    /// complete segments for the next who wants it (see `journal`). Any other failure leaves nothing.
    pub(super) async fn fetch_blob(
        &self,
        repo: &RepoRef,
        path: &str,
        known: &Known,
        target: &Target,
        progress: &Arc<Progress>,
    ) -> Result<(), HubError> {
        store::make_parent(&target.stem)?;
        let job = Arc::new(Job::new(self.clone(), repo, path, known, progress)?);
        let first = match job.size {
            Some(size) if size >= PARTS_FROM => match parts::bring(&job, target, size).await {
                Ok(parts::Outcome::Named) => Ok(()),
                Ok(parts::Outcome::Whole(opened)) => stream_apart(&job, target, Some(*opened)).await,
                Err(error) => Err(error),
            },
            _ => stream_apart(&job, target, None).await,
        };
        match first {
            Err(error) if error.kind() == HubErrorKind::Integrity => {}
            done => return done,
        }
        progress.retried();
        let fresh = Self::new(self.config().clone(), Http::new(self.config())?);
        let unresolved = Known { location: None, ..known.clone() };
        let mut again = Job::new(fresh, repo, path, &unresolved, progress)?;
        job.meter.restart();
        again.meter = job.meter.handed_on();
        stream_apart(&Arc::new(again), target, None).await.map_err(|error| match error.kind() {
            HubErrorKind::Integrity => wrong_bytes(&job, &error),
            _ => error,
        })
    }
}

fn wrong_bytes(job: &Job, error: &HubError) -> HubError {
    let message = format!("{} of {}: wrong bytes twice: {error}", job.path, job.repo.shown());
    let facts = error.context();
    let made = job.mismatch(message).with(|c| {
        c.expected.clone_from(&facts.expected);
        c.actual.clone_from(&facts.actual);
    });
    made.with_hint(
        "Nothing was stored. A proxy or mirror in between may be damaged; try again or change HF_ENDPOINT.",
    )
}

/// Runs work as a task of its own, which ends with the caller.
pub(super) async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, HubError>> + Send + 'static,
) -> Result<T, HubError> {
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(error)) => Err(failed(error)),
        None => Err(HubError::new(HubErrorKind::Io, "a download task is gone")),
    }
}

/// A task that ended without a result.
pub(super) fn failed(error: tokio::task::JoinError) -> HubError {
    HubError::new(HubErrorKind::Io, "a download task failed").with_source(error)
}

async fn stream_apart(job: &Arc<Job>, target: &Target, first: Option<Opened>) -> Result<(), HubError> {
    if job.size.is_some_and(|size| size < APART_FROM) {
        return stream(job, target, first).await;
    }
    let (job, target) = (job.clone(), target.clone());
    apart(async move { stream(&job, &target, first).await }).await
}

/// Brings a file over one connection at a time, asking for the rest by range after each cut.
async fn stream(job: &Job, target: &Target, mut first: Option<Opened>) -> Result<(), HubError> {
    if let Some(size) = job.size {
        room_for(&target.stem, size)?;
    }
    let mut patience = Patience::new(job.client.config());
    let opened = match first.take() {
        Some(opened) => opened,
        None => job.open_patiently(0, None, &mut patience).await?,
    };
    let size = job.size.or(opened.size);
    if let Some(size) = opened.size.filter(|_| job.size.is_none()) {
        room_for(&target.stem, size)?;
    }
    let file = Incomplete::create(&target.stem)?;
    let mut sofar = Sofar { file, verifier: Verifier::new(&job.etag, size), bytes: 0, size };
    first = Some(opened);
    loop {
        let before = sofar.bytes;
        let opened = match first.take() {
            Some(opened) => Ok(opened),
            None => job.open(sofar.bytes, None).await,
        };
        let result = match opened {
            Ok(opened) => drain(job, opened, &mut sofar).await,
            Err(error) => Err(error),
        };
        patience.received(sofar.bytes - before, sofar.size.map(|size| size.saturating_sub(before)));
        let complete = sofar.size.is_some_and(|size| sofar.bytes >= size);
        let error = match result {
            Ok(()) if complete || sofar.size.is_none() => break,
            // All bytes are here: how the connection ended after them does not matter.
            Err(error) if complete && error.kind() == HubErrorKind::Connection => break,
            Ok(()) => job.ended_early(),
            Err(error) => error,
        };
        job.wait_after(error, &mut patience).await?;
    }
    let Sofar { file, verifier, bytes, .. } = sofar;
    let found = match verifier.finish() {
        None if Verifier::is_hash(&job.etag) => hash_again(job, &file, bytes).await?,
        found => found,
    };
    job.compare(found.as_deref())?;
    file.persist(&target.name)
}

/// Takes what comes, up to the end of the body.
async fn drain(job: &Job, mut opened: Opened, sofar: &mut Sofar) -> Result<(), HubError> {
    let mut watch = Watch::new(job.client.config().transport().read_timeout);
    let mut at = opened.from; // behind `sofar.bytes` where the range was ignored
    while let Some(chunk) = watch.chunk(&mut opened.response, &opened.at, &job.progress).await? {
        let known = usize::try_from(sofar.bytes - at).unwrap_or(usize::MAX).min(chunk.len());
        at += chunk.len() as u64;
        let chunk = chunk.get(known..).unwrap_or_default();
        if let Some(size) = sofar.size.filter(|size| sofar.bytes + chunk.len() as u64 > *size) {
            return Err(job.mismatch(format!("more than the {size} bytes that were promised came")));
        }
        sofar.verifier.update(chunk);
        sofar.file.write(chunk)?;
        sofar.bytes += chunk.len() as u64;
        job.meter.add(chunk.len() as u64, &job.progress);
    }
    Ok(())
}

/// The hash of a file whose length was only known at its end, which a git id starts with.
async fn hash_again(job: &Job, file: &Incomplete, bytes: u64) -> Result<Option<String>, HubError> {
    let mut verifier = Verifier::new(&job.etag, Some(bytes));
    let Some(inner) = file.file() else {
        return Ok(None);
    };
    let hashed = spawn_blocking(move || {
        read_range(&inner, 0..bytes, &mut vec![0; BLOCK], |block| verifier.update(block))
            .map(|()| verifier.finish())
    });
    hashed.await.map_err(failed)?.map_err(|e| HubError::io("read", file.path(), e))
}
