//! One file: from what is known about it to a verified blob and its pointer.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::DownloadOptions;
use crate::api::FileMeta;
use crate::cache::layout::Layout;
use crate::cache::lock::FileLock;
use crate::cache::store;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::repo::{RepoRef, safe_path};

/// What is known before the bytes come.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) commit: String,
    pub(super) etag: String,
    pub(super) size: Option<u64>,
    /// Where the bytes are, if that was said.
    pub(super) location: Option<String>,
}

impl From<FileMeta> for Known {
    fn from(meta: FileMeta) -> Self {
        Self { commit: meta.commit, etag: meta.etag, size: meta.size, location: Some(meta.location) }
    }
}

/// The error of a file that is neither cached nor to be had.
pub(super) fn not_cached(repo: &RepoRef, path: Option<&str>, cause: HubError) -> HubError {
    let what = path.map_or_else(|| repo.shown(), |p| format!("{p} of {}", repo.shown()));
    let hint = match cause.kind() {
        HubErrorKind::Offline => {
            "Offline mode (HF_HUB_OFFLINE=1, offline=True or local_files_only=True) uses the cache alone; go online once to fill it."
        }
        _ => "Check the connection and HF_ENDPOINT.",
    };
    HubError::new(
        HubErrorKind::LocalEntryNotFound,
        format!("{what} is not in the cache, and the hub cannot be asked: {cause}"),
    )
    .with(|c| {
        c.repo_id = Some(repo.id.clone());
        c.revision = Some(repo.revision.clone());
        c.path = path.map(str::to_owned);
    })
    .with_hint(hint)
    .with_source(cause)
}

impl HubClient {
    /// The pointer of a file that the cache holds; no request.
    pub fn cached_path(&self, repo: &RepoRef, path: &str) -> Option<PathBuf> {
        let path = safe_path(path).ok()?;
        let layout = Layout::new(self.config().cache_dir(), repo);
        let commit =
            if repo.is_commit() { repo.revision.clone() } else { store::read_ref(&layout, &repo.revision)? };
        let pointer = layout.pointer(&commit, path);
        pointer.exists().then_some(pointer)
    }

    /// One file. With a full commit as revision and the file cached: no request. With a branch: one, then the bytes if
    /// they are not there. Without a network a cached file is good enough.
    ///
    /// # Errors
    /// `EntryNotFound` and the like, `Integrity`, `DiskFull`, `LocalEntryNotFound`.
    pub async fn download_file(
        &self,
        repo: &RepoRef,
        path: &str,
        options: &DownloadOptions,
    ) -> Result<PathBuf, HubError> {
        let path = safe_path(path)?;
        let cached = self.cached_path(repo, path);
        if repo.is_commit()
            && !options.force
            && let Some(pointer) = cached
        {
            return Ok(pointer);
        }
        let asked = if options.local_files_only && options.force {
            let message = "force_download=True and local_files_only=True contradict each other";
            Err(HubError::new(HubErrorKind::InvalidArgument, message))
        } else if options.local_files_only {
            Err(HubError::new(HubErrorKind::Offline, "local_files_only=True forbids requests"))
        } else {
            self.file_metadata(repo, path).await
        };
        match asked {
            Ok(meta) => {
                if let Some(size) = meta.size {
                    options.progress.total.fetch_add(size, Ordering::Relaxed);
                }
                let layout = Layout::new(self.config().cache_dir(), repo);
                // As the official client: a ref without a snapshot's folder counts as damage when caches are scanned.
                let _ = store::make_parent(&layout.pointer(&meta.commit, path));
                store::write_ref(&layout, &repo.revision, &meta.commit)?;
                self.fetch(repo, path, meta.into(), options).await
            }
            Err(error) if error.is_transient() || error.kind() == HubErrorKind::Offline => {
                cached.ok_or_else(|| not_cached(repo, Some(path), error))
            }
            Err(error) => Err(error),
        }
    }

    /// Brings a blob and its pointer into the cache, unless they are there.
    pub(super) async fn fetch(
        &self,
        repo: &RepoRef,
        path: &str,
        known: Known,
        options: &DownloadOptions,
    ) -> Result<PathBuf, HubError> {
        let path = safe_path(path)?;
        let layout = Layout::new(self.config().cache_dir(), repo);
        let link = || store::link(&layout, &known.commit, path, &known.etag, self.config().symlinks());
        let pointer = layout.pointer(&known.commit, path);
        let count = |bytes: u64| options.progress.done.fetch_add(bytes, Ordering::Relaxed);
        let blob = layout.blob(&known.etag);
        if !options.force && pointer.exists() {
            count(known.size.unwrap_or(0));
            return link();
        }
        store::tag(&layout);
        let lock = FileLock::acquire(&layout.lock(&known.etag), self.config().lock_timeout).await?;
        if !options.force && (pointer.exists() || blob.exists()) {
            count(known.size.unwrap_or(0)); // of another name or revision, or another process brought it meanwhile
            return link();
        }
        self.fetch_blob(repo, path, &known, &blob, &options.progress).await?;
        if options.force && !self.config().symlinks() {
            let _ = std::fs::remove_file(&pointer);
        }
        let placed = link();
        drop(lock);
        placed
    }

    /// The text of a small file, through the cache; `None` if the repository does not have it.
    ///
    /// # Errors
    /// As `download_file`, and `Integrity` for text that is not UTF-8.
    pub async fn read_text(&self, repo: &RepoRef, path: &str) -> Result<Option<String>, HubError> {
        let layout = Layout::new(self.config().cache_dir(), repo);
        if repo.is_commit() {
            let known_absent = layout.no_exist(&repo.revision, safe_path(path)?).exists()
                || store::read_tree(&layout, &repo.revision)
                    .is_some_and(|t| t.iter().all(|e| e.path != path));
            if known_absent {
                return Ok(None);
            }
        }
        let file = match self.download_file(repo, path, &DownloadOptions::default()).await {
            Ok(file) => file,
            Err(error) if error.kind() == HubErrorKind::EntryNotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let bytes = std::fs::read(&file).map_err(|e| HubError::io("read", &file, e))?;
        String::from_utf8(bytes).map(Some).map_err(|e| {
            HubError::new(HubErrorKind::Integrity, format!("{path} of {} is not UTF-8", repo.shown()))
                .with_source(e)
        })
    }
}
