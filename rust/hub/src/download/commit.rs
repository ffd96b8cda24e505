//! Revision to commit. Ranks of a job that start together on one machine ask once: the first one leaves a note with
//! the answer and its time under `.locks/<repository>/`, where no version of the official client looks.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::offline::{not_cached, offline_error};
use crate::cache::layout::Layout;
use crate::cache::lock::FileLock;
use crate::cache::store;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::notice::{NoticeKind, Notices};
use crate::repo::{RepoRef, encode_segment, is_commit};

/// What a process of this machine was told.
#[derive(Serialize, Deserialize)]
struct Note {
    commit: String,
    endpoint: String,
    /// Seconds since 1970.
    at: f64,
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}

fn noted(file: &Path, endpoint: &str, ttl: Duration) -> Option<String> {
    let note: Note = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let age = now() - note.at;
    let usable = note.endpoint == endpoint && is_commit(&note.commit) && age.abs() <= ttl.as_secs_f64();
    usable.then_some(note.commit)
}

impl HubClient {
    /// The commit of a revision: itself, or one request. Without a network, what the cache remembers.
    ///
    /// # Errors
    /// `LocalEntryNotFound` (with the network's error as cause) if neither knows.
    pub async fn resolve_commit(
        &self,
        repo: &RepoRef,
        local_only: bool,
        notices: &Notices,
    ) -> Result<String, HubError> {
        let commit = self.commit_of(repo, local_only, notices).await?;
        self.remember_commit(repo, &commit);
        Ok(commit)
    }

    /// Later calls without a network find the commit.
    pub(super) fn remember_commit(&self, repo: &RepoRef, commit: &str) {
        let layout = Layout::new(self.config().cache_dir(), repo);
        let _ = store::write_ref(&layout, &repo.revision, commit); // a read-only cache is no hindrance
    }

    /// As `resolve_commit`, and nothing is written to the cache.
    pub(super) async fn commit_of(
        &self,
        repo: &RepoRef,
        local_only: bool,
        notices: &Notices,
    ) -> Result<String, HubError> {
        if repo.is_commit() {
            return Ok(repo.revision.clone());
        }
        let error = if local_only {
            offline_error(repo)
        } else {
            match self.ask_commit(repo, notices).await {
                Err(error) if error.is_transient() || error.kind() == HubErrorKind::Offline => error,
                done => return done,
            }
        };
        let layout = Layout::new(self.config().cache_dir(), repo);
        let Some(commit) = store::read_ref(&layout, &repo.revision) else {
            return Err(not_cached(&layout, repo, None, error));
        };
        if error.kind() != HubErrorKind::Offline {
            let text =
                format!("{}: using the cached commit {commit}, which may be old: {error}", repo.shown());
            notices.add(NoticeKind::StaleCache, layout.root().to_string_lossy(), text);
        }
        Ok(commit)
    }

    /// The commit of a branch, tag or other ref as the hub says, or as it said to another process a moment ago.
    pub(super) async fn ask_commit(&self, repo: &RepoRef, notices: &Notices) -> Result<String, HubError> {
        let ttl = self.config().revision_ttl;
        if ttl.is_zero() || self.config().offline() {
            return self.ask_commit_now(repo).await;
        }
        let layout = Layout::new(self.config().cache_dir(), repo);
        let name = format!("{}.revision", encode_segment(&repo.revision));
        let note = layout.note(&name);
        let told = || noted(&note, self.config().endpoint(), ttl);
        if let Some(commit) = told() {
            return Ok(commit);
        }
        // Where the cache cannot be written there is neither lock nor note: each process asks.
        let lock = FileLock::acquire(&layout.note(&format!("{name}.lock")), self.config(), notices).await;
        if let Some(commit) = told() {
            return Ok(commit);
        }
        let lock = lock.ok().filter(|lock| !lock.waited());
        // Whoever waited and finds nothing saw the first one fail: those ask all at once, not one after the other.
        let commit = self.ask_commit_now(repo).await?;
        let told = Note { commit: commit.clone(), endpoint: self.config().endpoint().to_owned(), at: now() };
        if let Ok(text) = serde_json::to_string(&told) {
            let _ = store::write_atomically(&note, &text);
        }
        drop(lock);
        Ok(commit)
    }

    async fn ask_commit_now(&self, repo: &RepoRef) -> Result<String, HubError> {
        let info = self.repo_info(repo, false).await?;
        info.sha.ok_or_else(|| {
            let message = format!("{}: the hub did not name the commit", repo.shown());
            HubError::new(HubErrorKind::Http, message)
        })
    }
}
