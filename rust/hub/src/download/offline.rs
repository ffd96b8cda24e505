//! What the cache alone can answer, and how it is said that it cannot.

use std::path::{Path, PathBuf};

use super::listing::tree_file;
use super::{DownloadOptions, SnapshotOptions};
use crate::api::TreeEntry;
use crate::cache::layout::Layout;
use crate::cache::store;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::notice::NoticeKind;
use crate::patterns;
use crate::repo::RepoRef;

/// How many missing files an error names.
const NAMED: usize = 3;

/// `local_files_only=True`.
pub(super) fn offline_error(repo: &RepoRef) -> HubError {
    let message = format!("{}: local_files_only=True forbids requests", repo.shown());
    HubError::new(HubErrorKind::Offline, message)
}

/// Whether a failure is the hub's answer to the question itself, which a cached file must not hide.
pub(super) fn is_answer(kind: HubErrorKind) -> bool {
    matches!(
        kind,
        HubErrorKind::RevisionNotFound
            | HubErrorKind::EntryNotFound
            | HubErrorKind::InvalidArgument
            | HubErrorKind::InvalidRepoId
            | HubErrorKind::TokenNotFound
            | HubErrorKind::LockTimeout
            | HubErrorKind::DiskFull
            | HubErrorKind::Io
            | HubErrorKind::Integrity
    )
}

/// The error of a file that the repository does not have.
pub(super) fn missing(repo: &RepoRef, path: &str) -> HubError {
    let message = format!("{path} of {}: no such file (Entry Not Found)", repo.shown());
    HubError::new(HubErrorKind::EntryNotFound, message).with(|c| about(c, repo, Some(path)))
}

fn about(context: &mut crate::error::Context, repo: &RepoRef, path: Option<&str>) {
    context.repo_id = Some(repo.id.clone());
    context.revision = Some(repo.revision.clone());
    context.path = path.map(str::to_owned);
}

/// The error where the cache has nothing either: the failure itself if it tells what is wrong with the repository or the
/// token, else that nothing is cached, with the failure as cause.
pub(super) fn not_cached(layout: &Layout, repo: &RepoRef, path: Option<&str>, cause: HubError) -> HubError {
    if !cause.is_transient() && cause.kind() != HubErrorKind::Offline {
        return cause;
    }
    let what = path.map_or_else(|| repo.shown(), |p| format!("{p} of {}", repo.shown()));
    let damaged = !repo.is_commit()
        && layout.reference(&repo.revision).is_file()
        && store::read_ref(layout, &repo.revision).is_none();
    let hint = match cause.kind() {
        _ if damaged => format!(
            "{} does not hold a commit (empty or cut short), so the cache does not know what {} is; go online once to mend it.",
            layout.reference(&repo.revision).display(),
            repo.revision
        ),
        HubErrorKind::Offline => {
            "Offline mode (HF_HUB_OFFLINE=1, offline=True or local_files_only=True) uses the cache alone; go online once to fill it.".to_owned()
        }
        _ => "Check the connection and HF_ENDPOINT.".to_owned(),
    };
    HubError::new(
        HubErrorKind::LocalEntryNotFound,
        format!("{what} is not in the cache, and the hub cannot be asked: {cause}"),
    )
    .with(|c| about(c, repo, path))
    .with_hint(hint)
    .with_source(cause)
}

/// The error of a forced download that has nobody to fetch from.
pub(super) fn cannot_force(repo: &RepoRef, path: Option<&str>, cause: HubError) -> HubError {
    if cause.kind() == HubErrorKind::Offline {
        let message =
            format!("{}: force_download=True and offline mode contradict each other: {cause}", repo.shown());
        return HubError::new(HubErrorKind::InvalidArgument, message)
            .with(|c| about(c, repo, path))
            .with_source(cause);
    }
    if !cause.is_transient() {
        return cause;
    }
    let message =
        format!("{}: force_download=True needs the hub, and it cannot be asked: {cause}", repo.shown());
    HubError::new(HubErrorKind::ForceDownload, message).with(|c| about(c, repo, path)).with_source(cause)
}

/// The files of a listing that a snapshot wants.
pub(super) fn wanted(tree: Vec<TreeEntry>, options: &SnapshotOptions) -> Vec<TreeEntry> {
    let (allow, ignore) = (options.allow_patterns.as_deref(), options.ignore_patterns.as_deref());
    tree.into_iter().filter(|e| e.is_file() && patterns::passes(&e.path, allow, ignore)).collect()
}

/// The commit of a revision, as the cache remembers it.
pub(super) fn cached_commit(layout: &Layout, repo: &RepoRef) -> Option<String> {
    if repo.is_commit() { Some(repo.revision.clone()) } else { store::read_ref(layout, &repo.revision) }
}

impl HubClient {
    /// The pointer of a file that the cache holds; no request.
    pub fn cached_path(&self, repo: &RepoRef, path: &str) -> Option<PathBuf> {
        let path = crate::repo::safe_path(path).ok()?;
        let layout = Layout::new(self.config().cache_dir(), repo);
        let commit = cached_commit(&layout, repo)?;
        let pointer = layout.pointer(&commit, path);
        pointer.exists().then_some(pointer)
    }

    /// Whether the cache remembers that the commit does not have the file; no request.
    pub fn known_absent(&self, repo: &RepoRef, path: &str) -> bool {
        let layout = Layout::new(self.config().cache_dir(), repo);
        let commit = cached_commit(&layout, repo);
        crate::repo::safe_path(path)
            .is_ok_and(|path| commit.is_some_and(|commit| layout.no_exist(&commit, path).exists()))
    }

    /// A snapshot as the cache has it, since the hub could not be asked for the reason given. Complete or unknown: its
    /// folder. Incomplete: an error that names what is missing.
    pub(super) fn cached_snapshot(
        &self,
        repo: &RepoRef,
        options: &SnapshotOptions,
        error: HubError,
    ) -> Result<PathBuf, HubError> {
        let layout = Layout::new(self.config().cache_dir(), repo);
        let download = &options.download;
        let commit = cached_commit(&layout, repo);
        let folder = match (&download.local_dir, &commit) {
            (Some(folder), _) if holds_files(folder) => folder.clone(),
            (None, Some(commit)) if layout.snapshot(commit).is_dir() => layout.snapshot(commit),
            _ => return Err(not_cached(&layout, repo, None, error)),
        };
        let tree = commit
            .as_deref()
            .and_then(|c| store::read_tree_at(&tree_file(&layout, c, download.local_dir.as_deref())));
        let Some(tree) = tree else {
            let text = format!(
                "{}: {} is used as it is; its listing was never cached, so nobody can say whether it is complete",
                repo.shown(),
                folder.display()
            );
            download.notices.add(NoticeKind::PartialSnapshot, folder.to_string_lossy(), text);
            return Ok(folder);
        };
        let absent: Vec<String> = wanted(tree, options)
            .into_iter()
            .map(|e| e.path)
            .filter(|path| crate::repo::safe_path(path).is_err() || !folder.join(path).is_file())
            .collect();
        if !absent.is_empty() {
            return Err(incomplete(repo, &folder, absent, error));
        }
        note_stale(download, &layout, repo, None, &error);
        Ok(folder)
    }
}

fn holds_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

fn incomplete(repo: &RepoRef, folder: &Path, absent: Vec<String>, cause: HubError) -> HubError {
    let mut names = absent.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if absent.len() > NAMED {
        names = format!("{names}, … ({} more)", absent.len() - NAMED);
    }
    let message = format!(
        "the cached snapshot of {} is incomplete: {} file(s) are missing ({names}), and the hub cannot be asked: {cause}",
        repo.shown(),
        absent.len()
    );
    HubError::new(HubErrorKind::IncompleteSnapshot, message)
        .with(|c| {
            about(c, repo, None);
            c.snapshot_path = Some(folder.to_string_lossy().into_owned());
            c.missing = absent;
        })
        .with_hint("Run the download once with a network to complete it, or narrow it with allow_patterns.")
        .with_source(cause)
}

/// Warns that what is returned may be old. Not where the user forbade requests.
pub(super) fn note_stale(
    options: &DownloadOptions,
    layout: &Layout,
    repo: &RepoRef,
    path: Option<&str>,
    error: &HubError,
) {
    if error.kind() == HubErrorKind::Offline {
        return;
    }
    let what = path.map_or_else(|| repo.shown(), |p| format!("{p} of {}", repo.shown()));
    let text = format!("{what}: using what is on disk, which may be old: {error}");
    options.notices.add(NoticeKind::StaleCache, layout.root().to_string_lossy(), text);
}
