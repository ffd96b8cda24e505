//! One file: from what is known about it to a verified blob and its pointer.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::listing::small_tree;
use super::offline::{
    cached_commit, cannot_force, is_answer, missing, not_cached, note_stale, offline_error,
};
use super::target::Target;
use super::{DownloadOptions, FilePlan};
use crate::api::{FileMeta, TreeEntry};
use crate::cache::layout::Layout;
use crate::cache::lock::FileLock;
use crate::cache::store::{self, Placing};
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::notice::NoticeKind;
use crate::repo::{RepoRef, safe_etag, safe_path};

/// What is known before the bytes come.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) commit: String,
    pub(super) etag: String,
    pub(super) size: Option<u64>,
    /// Where the bytes are, if that was said.
    pub(super) location: Option<String>,
}

impl Known {
    fn said(meta: FileMeta, asked: &str) -> Self {
        // The address that was asked may mean another commit by the time of the next request; then the commit's own
        // address is taken.
        let location = Some(meta.location).filter(|place| place != asked);
        Self { commit: meta.commit, etag: meta.etag, size: meta.size, location }
    }

    pub(super) fn listed(commit: &str, entry: &TreeEntry) -> Self {
        let etag = entry.etag().to_owned();
        Self { commit: commit.to_owned(), etag, size: Some(entry.size), location: None }
    }
}

/// What is to be done for a file.
enum Look {
    /// Nothing: here it is.
    Cached { commit: String, file: PathBuf },
    /// The blob and its pointer must be there.
    Known(Known),
}

impl HubClient {
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
        if let Some(folder) = options.local_dir.clone() {
            return self.download_to_folder(repo, path, &folder, options).await;
        }
        match self.look(repo, path, options, options.force).await? {
            Look::Cached { commit, file } => {
                self.remember_commit(repo, &commit);
                Ok(file)
            }
            Look::Known(known) => {
                let layout = Layout::new(self.config().cache_dir(), repo);
                let pointer = layout.pointer(&known.commit, path);
                if options.force || !pointer.exists() {
                    options.progress.total.fetch_add(known.size.unwrap_or(0), Ordering::Relaxed);
                    // As the official client: a ref without a snapshot's folder counts as damage when caches are scanned.
                    store::make_parent(&pointer)?;
                    store::write_ref(&layout, &repo.revision, &known.commit)?;
                } else {
                    self.remember_commit(repo, &known.commit); // a hit needs no cache that can be written
                }
                self.fetch(repo, path, known, options).await
            }
        }
    }

    /// What `download_file` would do.
    ///
    /// # Errors
    /// As `download_file`.
    pub async fn plan_file(
        &self,
        repo: &RepoRef,
        path: &str,
        options: &DownloadOptions,
    ) -> Result<FilePlan, HubError> {
        let path = safe_path(path)?;
        if let Some(folder) = options.local_dir.clone() {
            return self.plan_in_folder(repo, path, &folder, options).await;
        }
        Ok(match self.look(repo, path, options, false).await? {
            Look::Cached { commit, file } => FilePlan {
                commit,
                size: std::fs::metadata(&file).ok().map(|m| m.len()),
                path: path.to_owned(),
                place: file,
                cached: true,
                will_download: options.force,
            },
            Look::Known(known) => self.plan(repo, path, &known, options.force),
        })
    }

    /// What a download into the cache would do, from what is known.
    pub(super) fn plan(&self, repo: &RepoRef, path: &str, known: &Known, force: bool) -> FilePlan {
        let layout = Layout::new(self.config().cache_dir(), repo);
        let place = layout.pointer(&known.commit, path);
        let cached = place.exists() || store::intact(&layout.blob(&known.etag), known.size);
        FilePlan {
            commit: known.commit.clone(),
            size: known.size,
            path: path.to_owned(),
            place,
            cached,
            will_download: force || !cached,
        }
    }

    /// Finds out what is to be done. `again` means that a cached file does not do.
    async fn look(
        &self,
        repo: &RepoRef,
        path: &str,
        options: &DownloadOptions,
        again: bool,
    ) -> Result<Look, HubError> {
        match self.look_online(repo, path, options, again).await {
            Err(error) if !is_answer(error.kind()) => {
                if options.force {
                    return Err(cannot_force(repo, Some(path), error));
                }
                let layout = Layout::new(self.config().cache_dir(), repo);
                let cached = self.cached_path(repo, path).zip(cached_commit(&layout, repo));
                let Some((file, commit)) = cached else {
                    return Err(not_cached(&layout, repo, Some(path), error));
                };
                note_stale(options, &layout, repo, Some(path), &error);
                Ok(Look::Cached { commit, file })
            }
            done => done,
        }
    }

    async fn look_online(
        &self,
        repo: &RepoRef,
        path: &str,
        options: &DownloadOptions,
        again: bool,
    ) -> Result<Look, HubError> {
        let layout = Layout::new(self.config().cache_dir(), repo);
        let repo = &self.pinned(repo, options).await?;
        if repo.is_commit() && !again {
            let pointer = layout.pointer(&repo.revision, path);
            if pointer.exists() {
                return Ok(Look::Cached { commit: repo.revision.clone(), file: pointer });
            }
        }
        Ok(Look::Known(self.known(repo, path, options, true).await?))
    }

    /// The repository at its commit, if other ranks of this machine asked for it.
    pub(super) async fn pinned(
        &self,
        repo: &RepoRef,
        options: &DownloadOptions,
    ) -> Result<RepoRef, HubError> {
        let may_ask = !options.local_files_only && !self.config().offline();
        if repo.is_commit() || self.config().revision_ttl.is_zero() || !may_ask {
            return Ok(repo.clone());
        }
        Ok(repo.at(&self.ask_commit(repo, &options.notices).await?))
    }

    /// Etag and size of a file: from the listing of the commit, or by one request.
    pub(super) async fn known(
        &self,
        repo: &RepoRef,
        path: &str,
        options: &DownloadOptions,
        remember: bool,
    ) -> Result<Known, HubError> {
        if options.local_files_only {
            return Err(offline_error(repo));
        }
        self.online(repo)?;
        let layout = Layout::new(self.config().cache_dir(), repo);
        if repo.is_commit() {
            if !options.force && layout.no_exist(&repo.revision, path).exists() {
                return Err(missing(repo, path));
            }
            if let Some(tree) = small_tree(&layout, &repo.revision, options.local_dir.as_deref()) {
                let entry = tree.iter().find(|e| e.is_file() && e.path == path);
                if entry.is_none() && remember {
                    store::write_no_exist(&layout, &repo.revision, path); // for clients that do not read listings
                }
                return entry.map(|e| Known::listed(&repo.revision, e)).ok_or_else(|| missing(repo, path));
            }
        }
        let asked = self.resolve_url(repo, path)?;
        Ok(Known::said(self.head_file(repo, path, remember).await?, asked.as_str()))
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
        let pointer = layout.pointer(&known.commit, path);
        let skipped = || options.progress.done.fetch_add(known.size.unwrap_or(0), Ordering::Relaxed);
        if !options.force && pointer.exists() {
            skipped();
            return Ok(pointer);
        }
        let blob = layout.blob(safe_etag(&known.etag)?);
        store::tag(layout.cache());
        let lock = FileLock::acquire(&layout.lock(&known.etag), self.config(), &options.notices).await?;
        // Another process may have brought it meanwhile.
        if !options.force && pointer.exists() {
            skipped();
            return Ok(pointer);
        }
        let fresh = options.force || !store::intact(&blob, known.size);
        if fresh {
            let target = Target::in_cache(&layout, &known.etag);
            self.fetch_blob(repo, path, &known, &target, &options.progress).await?;
        } else {
            skipped();
        }
        let what = Placing {
            commit: &known.commit,
            path,
            etag: &known.etag,
            symlinks: self.config().symlinks(),
            fresh,
        };
        let placed = store::place(&layout, &what)?;
        drop(lock);
        if placed.link_failed && self.config().symlinks_warning {
            let text = format!(
                "{} has no symbolic links: files are stored once for each revision. HF_HUB_DISABLE_SYMLINKS_WARNING=1 hides this",
                layout.cache().display()
            );
            options.notices.add(NoticeKind::Symlinks, layout.cache().to_string_lossy(), text);
        }
        Ok(placed.pointer)
    }

    /// The text of a small file, through the cache; `None` if the repository does not have it.
    ///
    /// # Errors
    /// As `download_file`, and `Integrity` for text that is not UTF-8.
    pub async fn read_text(
        &self,
        repo: &RepoRef,
        path: &str,
        options: &DownloadOptions,
    ) -> Result<Option<String>, HubError> {
        let layout = Layout::new(self.config().cache_dir(), repo);
        if repo.is_commit() && !layout.pointer(&repo.revision, safe_path(path)?).exists() {
            let known_absent = layout.no_exist(&repo.revision, path).exists()
                || store::read_tree(&layout, &repo.revision)
                    .is_some_and(|t| t.iter().all(|e| e.path != path));
            if known_absent {
                return Ok(None);
            }
        }
        let file = match self.download_file(repo, path, options).await {
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
