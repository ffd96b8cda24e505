//! Files into the cache: decide first, then fetch, verify, and only then name.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use crate::api::TreeEntry;
use crate::cache::layout::Layout;
use crate::cache::store;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::patterns;
use crate::progress::Progress;
use crate::repo::{RepoRef, safe_path};

mod body;
mod file;
pub(crate) mod verify;

use file::Known;

/// How to download.
#[derive(Clone, Debug)]
pub struct DownloadOptions {
    /// Fetch again what is there.
    pub force: bool,
    /// Use the cache alone.
    pub local_files_only: bool,
    /// Files at a time.
    pub max_workers: usize,
    /// Counters to show.
    pub progress: Arc<Progress>,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self { force: false, local_files_only: false, max_workers: 8, progress: Arc::default() }
    }
}

/// How to download a snapshot.
#[derive(Clone, Debug, Default)]
pub struct SnapshotOptions {
    /// For each file.
    pub download: DownloadOptions,
    /// Only files that match one of these (`fnmatch`).
    pub allow_patterns: Option<Vec<String>>,
    /// No files that match one of these.
    pub ignore_patterns: Option<Vec<String>>,
}

impl HubClient {
    /// The commit of a revision: itself, or one request. Without a network, what the cache remembers.
    ///
    /// # Errors
    /// `LocalEntryNotFound` (with the network's error as cause) if neither knows.
    pub async fn resolve_commit(&self, repo: &RepoRef, local_only: bool) -> Result<String, HubError> {
        let commit = self.commit_of(repo, local_only).await?;
        self.remember_commit(repo, &commit);
        Ok(commit)
    }

    /// Later calls without a network find the commit.
    fn remember_commit(&self, repo: &RepoRef, commit: &str) {
        let layout = Layout::new(self.config().cache_dir(), repo);
        let _ = store::write_ref(&layout, &repo.revision, commit); // a read-only cache is no hindrance
    }

    async fn commit_of(&self, repo: &RepoRef, local_only: bool) -> Result<String, HubError> {
        if repo.is_commit() {
            return Ok(repo.revision.clone());
        }
        let cause = if local_only {
            HubError::new(HubErrorKind::Offline, "local_files_only=True forbids requests")
        } else {
            match self.repo_info(repo, false).await {
                Ok(info) => {
                    return info.sha.ok_or_else(|| {
                        HubError::new(
                            HubErrorKind::Http,
                            format!("{}: the hub did not name the commit", repo.shown()),
                        )
                    });
                }
                Err(error) if error.is_transient() || error.kind() == HubErrorKind::Offline => error,
                Err(error) => return Err(error),
            }
        };
        store::read_ref(&Layout::new(self.config().cache_dir(), repo), &repo.revision)
            .ok_or_else(|| file::not_cached(repo, None, cause))
    }

    /// Several files of one commit, in the order asked. The listing names the blobs, so no file is asked about first.
    ///
    /// # Errors
    /// The first failure; files that are complete stay.
    pub async fn download_files(
        &self,
        repo: &RepoRef,
        paths: &[String],
        options: &DownloadOptions,
    ) -> Result<Vec<PathBuf>, HubError> {
        let commit = self.commit_of(repo, options.local_files_only).await?;
        let (asked, repo) = (repo, repo.at(&commit));
        let layout = Layout::new(self.config().cache_dir(), &repo);
        if !options.force {
            let pointers: Vec<PathBuf> = paths
                .iter()
                .map(|p| Ok(layout.pointer(&commit, safe_path(p)?)))
                .collect::<Result<_, HubError>>()?;
            if pointers.iter().all(|p| p.exists()) {
                self.remember_commit(asked, &commit);
                return Ok(pointers);
            }
        }
        if options.local_files_only {
            let cause = HubError::new(HubErrorKind::Offline, "local_files_only=True forbids requests");
            return Err(file::not_cached(&repo, paths.first().map(String::as_str), cause));
        }
        let tree = self.list_tree(&repo, None, true, false).await.map_err(|e| match e.kind() {
            HubErrorKind::Offline => file::not_cached(&repo, paths.first().map(String::as_str), e),
            _ => e,
        })?;
        self.remember_commit(asked, &commit);
        let wanted = paths.iter().map(|p| {
            tree.iter().find(|e| e.is_file() && e.path == *p).cloned().ok_or_else(|| missing(&repo, p))
        });
        self.fetch_all(&repo, wanted.collect::<Result<Vec<_>, _>>()?, options).await
    }

    /// All files of a revision, or those that pass the patterns. Returns the snapshot's folder.
    ///
    /// # Errors
    /// The first failure; `LocalEntryNotFound` offline when the cache does not hold every file.
    pub async fn download_snapshot(
        &self,
        repo: &RepoRef,
        options: &SnapshotOptions,
    ) -> Result<PathBuf, HubError> {
        let commit = self.commit_of(repo, options.download.local_files_only).await?;
        let (asked, repo) = (repo, repo.at(&commit));
        let layout = Layout::new(self.config().cache_dir(), &repo);
        let offline = options.download.local_files_only || self.config().offline();
        let tree = if offline {
            store::read_tree(&layout, &commit)
        } else {
            Some(self.list_tree(&repo, None, true, false).await?)
        };
        let there = layout.snapshot(&commit).is_dir();
        let Some(tree) = tree else {
            if there {
                return Ok(layout.snapshot(&commit)); // nobody knows what is missing: as the official client
            }
            let cause = HubError::new(HubErrorKind::Offline, "the listing of this commit is not cached");
            return Err(file::not_cached(&repo, None, cause));
        };
        let (allow, ignore) = (options.allow_patterns.as_deref(), options.ignore_patterns.as_deref());
        let wanted: Vec<_> =
            tree.into_iter().filter(|e| e.is_file() && patterns::passes(&e.path, allow, ignore)).collect();
        if offline {
            if let Some(absent) = wanted.iter().find(|e| !layout.pointer(&commit, &e.path).exists()) {
                let cause = HubError::new(HubErrorKind::Offline, "requests are forbidden");
                return Err(file::not_cached(&repo, Some(&absent.path), cause));
            }
            if !there {
                let cause = HubError::new(HubErrorKind::Offline, "requests are forbidden");
                return Err(file::not_cached(&repo, None, cause));
            }
            return Ok(layout.snapshot(&commit));
        }
        self.remember_commit(asked, &commit);
        self.fetch_all(&repo, wanted, &options.download).await?;
        Ok(layout.snapshot(&commit))
    }

    async fn fetch_all(
        &self,
        repo: &RepoRef,
        entries: Vec<TreeEntry>,
        options: &DownloadOptions,
    ) -> Result<Vec<PathBuf>, HubError> {
        let bytes: u64 = entries.iter().map(|e| e.size).sum();
        options.progress.total.fetch_add(bytes, Ordering::Relaxed);
        let mut places: Vec<Option<PathBuf>> = entries.iter().map(|_| None).collect();
        let mut waiting = entries.into_iter().enumerate();
        let mut running: JoinSet<Result<(usize, PathBuf), HubError>> = JoinSet::new();
        loop {
            while running.len() < options.max_workers.max(1) {
                let Some((index, entry)) = waiting.next() else {
                    break;
                };
                let (client, repo, options) = (self.clone(), repo.clone(), options.clone());
                running.spawn(async move {
                    let known = Known {
                        commit: repo.revision.clone(),
                        etag: entry.etag().to_owned(),
                        size: Some(entry.size),
                        location: None,
                    };
                    client.fetch(&repo, &entry.path, known, &options).await.map(|p| (index, p))
                });
            }
            // Leaving early drops the set, which stops the others.
            let Some(done) = running.join_next().await else {
                break;
            };
            let (index, path) =
                done.map_err(|e| HubError::new(HubErrorKind::Io, "a download task failed").with_source(e))??;
            if let Some(place) = places.get_mut(index) {
                *place = Some(path);
            }
        }
        Ok(places.into_iter().flatten().collect())
    }
}

fn missing(repo: &RepoRef, path: &str) -> HubError {
    HubError::new(
        HubErrorKind::EntryNotFound,
        format!("{path} of {}: no such file (Entry Not Found)", repo.shown()),
    )
    .with(|c| {
        c.repo_id = Some(repo.id.clone());
        c.revision = Some(repo.revision.clone());
        c.path = Some(path.to_owned());
    })
}
