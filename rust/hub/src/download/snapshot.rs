//! Many files of one commit. The listing names the blobs, so no file is asked about before its bytes are.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use super::file::Known;
use super::offline::{is_answer, missing, not_cached, offline_error, wanted};
use super::{DownloadOptions, FilePlan, SnapshotOptions};
use crate::api::TreeEntry;
use crate::cache::layout::Layout;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::notice::NoticeKind;
use crate::repo::{RepoRef, safe_path};

/// Bytes up to which a file is small: it costs waiting, not bandwidth.
const SMALL: u64 = 1 << 20;
/// Small files that take the place of one worker: with 20 ms a request, eight at a time would be 400 requests a second.
const SMALL_PER_WORKER: usize = 6;

impl HubClient {
    /// Several files of one commit, in the order asked.
    ///
    /// # Errors
    /// The first failure; files that are complete stay.
    pub async fn download_files(
        &self,
        repo: &RepoRef,
        paths: &[String],
        options: &DownloadOptions,
    ) -> Result<Vec<PathBuf>, HubError> {
        let commit = self.commit_of(repo, options.local_files_only, &options.notices).await?;
        let (asked, repo) = (repo, repo.at(&commit));
        let layout = Layout::new(self.config().cache_dir(), &repo);
        let pointers: Vec<PathBuf> = paths
            .iter()
            .map(|p| Ok(layout.pointer(&commit, safe_path(p)?)))
            .collect::<Result<_, HubError>>()?;
        if !options.force && pointers.iter().all(|p| p.exists()) {
            self.remember_commit(asked, &commit);
            return Ok(pointers);
        }
        if options.local_files_only {
            return Err(not_cached(&layout, &repo, paths.first().map(String::as_str), offline_error(&repo)));
        }
        let tree = self.commit_tree(&repo, options, true).await.map_err(|e| match e.kind() {
            HubErrorKind::Offline => not_cached(&layout, &repo, paths.first().map(String::as_str), e),
            _ => e,
        })?;
        self.remember_commit(asked, &commit);
        let files: HashMap<&str, &TreeEntry> =
            tree.iter().filter(|e| e.is_file()).map(|e| (e.path.as_str(), e)).collect();
        let wanted = paths
            .iter()
            .map(|p| files.get(p.as_str()).map(|e| (*e).clone()).ok_or_else(|| missing(&repo, p)))
            .collect::<Result<Vec<_>, _>>()?;
        self.fetch_all(&repo, wanted, options).await?;
        Ok(pointers)
    }

    /// All files of a revision, or those that pass the patterns. Returns the snapshot's folder.
    ///
    /// # Errors
    /// The first failure; without a network `IncompleteSnapshot` when files are known to be missing, and
    /// `LocalEntryNotFound` when nothing is cached.
    pub async fn download_snapshot(
        &self,
        repo: &RepoRef,
        options: &SnapshotOptions,
    ) -> Result<PathBuf, HubError> {
        let (at, files) = match self.snapshot_files(repo, options, true).await {
            Ok(found) => found,
            Err(error) if is_answer(error.kind()) => return Err(error),
            Err(error) => return self.cached_snapshot(repo, options, error),
        };
        self.fetch_all(&at, files, &options.download).await?;
        Ok(match &options.download.local_dir {
            Some(folder) => folder.clone(),
            None => Layout::new(self.config().cache_dir(), &at).snapshot(&at.revision),
        })
    }

    /// What `download_snapshot` would do, file by file.
    ///
    /// # Errors
    /// `DryRun` if the hub cannot be asked.
    pub async fn plan_snapshot(
        &self,
        repo: &RepoRef,
        options: &SnapshotOptions,
    ) -> Result<Vec<FilePlan>, HubError> {
        let (at, files) = match self.snapshot_files(repo, options, false).await {
            Ok(found) => found,
            Err(error) if is_answer(error.kind()) => return Err(error),
            Err(error) => {
                let message = format!("{}: no dry run, since the hub cannot be asked: {error}", repo.shown());
                return Err(HubError::new(HubErrorKind::DryRun, message).with_source(error));
            }
        };
        let download = &options.download;
        let mut plans = Vec::with_capacity(files.len());
        for entry in &files {
            let known = Known::listed(&at.revision, entry);
            plans.push(match &download.local_dir {
                Some(folder) => {
                    self.plan_known_in_folder(&at, &entry.path, folder, &known, download.force).await?
                }
                None => self.plan(&at, &entry.path, &known, download.force),
            });
        }
        Ok(plans)
    }

    /// The repository at its commit, and the files that are wanted; every name is safe to join to a folder.
    async fn snapshot_files(
        &self,
        repo: &RepoRef,
        options: &SnapshotOptions,
        keep: bool,
    ) -> Result<(RepoRef, Vec<TreeEntry>), HubError> {
        let download = &options.download;
        if download.local_files_only {
            return Err(offline_error(repo));
        }
        self.online(repo)?;
        let commit = if repo.is_commit() {
            repo.revision.clone()
        } else {
            self.ask_commit(repo, &download.notices).await?
        };
        let at = repo.at(&commit);
        let tree = self.commit_tree(&at, download, keep).await?;
        self.remember_commit(repo, &commit);
        let some = tree.iter().any(TreeEntry::is_file);
        let files = wanted(tree, options);
        if some && files.is_empty() {
            let text = format!("{}: no file passes the patterns", repo.shown());
            download.notices.add(NoticeKind::NothingMatched, repo.shown(), text);
        }
        for entry in &files {
            safe_path(&entry.path)?;
        }
        Ok((at, files))
    }

    async fn fetch_all(
        &self,
        repo: &RepoRef,
        entries: Vec<TreeEntry>,
        options: &DownloadOptions,
    ) -> Result<(), HubError> {
        let progress = &options.progress;
        let bytes: u64 = entries.iter().map(|e| e.size).sum();
        progress.total.fetch_add(bytes, Ordering::Relaxed);
        progress.files_total.fetch_add(entries.len() as u64, Ordering::Relaxed);
        let layout = Layout::new(self.config().cache_dir(), repo);
        let here = |entry: &TreeEntry| {
            options.local_dir.is_none()
                && !options.force
                && layout.pointer(&repo.revision, &entry.path).exists()
        };
        let mut groups: Vec<Vec<TreeEntry>> = Vec::new();
        let mut by_blob: HashMap<String, usize> = HashMap::new();
        for entry in entries {
            if here(&entry) {
                progress.done.fetch_add(entry.size, Ordering::Relaxed);
                progress.files.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            // Files of the same content follow each other: the bytes come once.
            if let Some(group) = by_blob.get(entry.etag()).and_then(|at| groups.get_mut(*at)) {
                group.push(entry);
            } else {
                by_blob.insert(entry.etag().to_owned(), groups.len());
                groups.push(vec![entry]);
            }
        }
        let mut waiting = groups.into_iter().peekable();
        let mut running: JoinSet<Result<usize, HubError>> = JoinSet::new();
        let cost = |group: &Vec<TreeEntry>| match group.first() {
            Some(entry) if entry.size > SMALL => SMALL_PER_WORKER,
            _ => 1,
        };
        let mut free = options.max_workers.max(1) * SMALL_PER_WORKER;
        loop {
            while let Some(group) = waiting.next_if(|group| cost(group) <= free) {
                let (client, repo, options) = (self.clone(), repo.clone(), options.clone());
                let cost = cost(&group);
                free -= cost;
                running.spawn(async move { client.fetch_group(&repo, group, options).await.map(|()| cost) });
            }
            // Leaving early drops the set, which stops the others.
            let Some(done) = running.join_next().await else {
                return Ok(());
            };
            free +=
                done.map_err(|e| HubError::new(HubErrorKind::Io, "a download task failed").with_source(e))??;
        }
    }

    /// Files of one content, one after the other.
    async fn fetch_group(
        &self,
        repo: &RepoRef,
        group: Vec<TreeEntry>,
        mut options: DownloadOptions,
    ) -> Result<(), HubError> {
        let mut first: Option<PathBuf> = None;
        for entry in group {
            let known = Known::listed(&repo.revision, &entry);
            if let Some(folder) = options.local_dir.clone() {
                let twin = first.as_deref();
                let place = self.settle_in_folder(repo, &entry.path, &folder, known, twin, &options).await?;
                first = Some(place);
            } else {
                self.fetch(repo, &entry.path, known, &options).await?;
                options.force &= !self.config().symlinks(); // the blob is new now
            }
            options.progress.files.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
