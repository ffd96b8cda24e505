//! Downloads: files into the cache or a folder, and what the cache knows.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crucible_hub::{DownloadOptions, FilePlan, HubError, NoticeKind, Notices, Progress, SnapshotOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::client::{HubClient, repo_ref};
use crate::door;
use crate::errors::Error;

/// Commit, bytes, path, place, whether it is there, whether it would be fetched.
type Plan = (String, Option<u64>, String, String, bool, bool);

fn plan(found: FilePlan) -> PyResult<Plan> {
    Ok((found.commit, found.size, found.path, utf8(found.place)?, found.cached, found.will_download))
}

fn utf8(path: PathBuf) -> PyResult<String> {
    path.into_os_string()
        .into_string()
        .map_err(|p| PyValueError::new_err(format!("the path {} is not UTF-8", p.to_string_lossy())))
}

/// Waits for a download, shows its progress, then its warnings.
fn run<T: Send>(
    py: Python<'_>,
    options: &DownloadOptions,
    progress: Option<Py<PyAny>>,
    work: impl Future<Output = Result<T, HubError>> + Send,
) -> PyResult<T> {
    let done = door::wait_with(py, work, report(options.progress.clone(), progress));
    let shown = show(py, &options.notices);
    let value = done?;
    shown?;
    Ok(value)
}

/// Calls `progress(bytes, bytes expected, files, files expected)` when a counter moved; 0 where nothing is known.
pub(super) fn report(
    counters: Arc<Progress>,
    callback: Option<Py<PyAny>>,
) -> impl FnMut(Python<'_>) -> PyResult<()> + Send {
    let mut last = None;
    move |py| {
        let Some(callback) = &callback else {
            return Ok(());
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let now =
            (read(&counters.done), read(&counters.total), read(&counters.files), read(&counters.files_total));
        if last != Some(now) {
            last = Some(now);
            callback.call1(py, now)?;
        }
        Ok(())
    }
}

fn show(py: Python<'_>, notices: &Notices) -> PyResult<()> {
    for notice in notices.take() {
        let class = match notice.kind {
            NoticeKind::StaleCache => "StaleCacheWarning",
            NoticeKind::PartialSnapshot => "PartialSnapshotWarning",
            NoticeKind::Symlinks => "SymlinkWarning",
            NoticeKind::NothingMatched => "NothingMatchedWarning",
            NoticeKind::Lock => "LockWarning",
        };
        py.import("_crucible._notices")?.call_method1("_show", (class, notice.about, notice.text))?;
    }
    Ok(())
}

#[pymethods]
impl HubClient {
    /// The commit of a revision: one request, or none for a full commit; without a network what the cache remembers.
    #[pyo3(signature = (kind, repo_id, revision=None, *, local_files_only=false))]
    fn resolve_commit(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        revision: Option<&str>,
        local_files_only: bool,
    ) -> PyResult<String> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let options = DownloadOptions::default();
        let work = live.resolve_commit(&repo, local_files_only, &options.notices);
        run(py, &options, None, work)
    }

    #[pyo3(signature = (
        kind, repo_id, path, revision=None, *, force=false, local_files_only=false, local_dir=None, progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "the official signature")]
    fn download_file(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        path: &str,
        revision: Option<&str>,
        force: bool,
        local_files_only: bool,
        local_dir: Option<PathBuf>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let options = DownloadOptions { force, local_files_only, local_dir, ..DownloadOptions::default() };
        utf8(run(py, &options, progress, live.download_file(&repo, path, &options))?)
    }

    #[pyo3(signature = (
        kind, repo_id, path, revision=None, *, force=false, local_files_only=false, local_dir=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "the official signature")]
    fn plan_file(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        path: &str,
        revision: Option<&str>,
        force: bool,
        local_files_only: bool,
        local_dir: Option<PathBuf>,
    ) -> PyResult<Plan> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let options = DownloadOptions { force, local_files_only, local_dir, ..DownloadOptions::default() };
        plan(run(py, &options, None, live.plan_file(&repo, path, &options))?)
    }

    #[pyo3(signature = (kind, repo_id, paths, revision=None, *, max_workers=8, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "the official signature")]
    fn download_files(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        paths: Vec<String>,
        revision: Option<&str>,
        max_workers: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Vec<String>> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let options = DownloadOptions { max_workers, ..DownloadOptions::default() };
        let work = live.download_files(&repo, &paths, &options);
        run(py, &options, progress, work)?.into_iter().map(utf8).collect()
    }

    #[pyo3(signature = (
        kind, repo_id, revision=None, *, allow_patterns=None, ignore_patterns=None, max_workers=8, force=false,
        local_files_only=false, local_dir=None, progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "the official signature")]
    fn download_snapshot(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        revision: Option<&str>,
        allow_patterns: Option<Vec<String>>,
        ignore_patterns: Option<Vec<String>>,
        max_workers: usize,
        force: bool,
        local_files_only: bool,
        local_dir: Option<PathBuf>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let download =
            DownloadOptions { force, local_files_only, max_workers, local_dir, ..DownloadOptions::default() };
        let options = SnapshotOptions { download, allow_patterns, ignore_patterns };
        utf8(run(py, &options.download, progress, live.download_snapshot(&repo, &options))?)
    }

    #[pyo3(signature = (
        kind, repo_id, revision=None, *, allow_patterns=None, ignore_patterns=None, force=false,
        local_files_only=false, local_dir=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "the official signature")]
    fn plan_snapshot(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        revision: Option<&str>,
        allow_patterns: Option<Vec<String>>,
        ignore_patterns: Option<Vec<String>>,
        force: bool,
        local_files_only: bool,
        local_dir: Option<PathBuf>,
    ) -> PyResult<Vec<Plan>> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let download = DownloadOptions { force, local_files_only, local_dir, ..DownloadOptions::default() };
        let options = SnapshotOptions { download, allow_patterns, ignore_patterns };
        let plans = run(py, &options.download, None, live.plan_snapshot(&repo, &options))?;
        plans.into_iter().map(plan).collect()
    }

    #[pyo3(signature = (kind, repo_id, path, revision=None))]
    fn read_text(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        path: &str,
        revision: Option<&str>,
    ) -> PyResult<Option<String>> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let options = DownloadOptions::default();
        run(py, &options, None, live.read_text(&repo, path, &options))
    }

    #[pyo3(signature = (kind, repo_id, path, revision=None))]
    fn cached_path(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        path: &str,
        revision: Option<&str>,
    ) -> PyResult<Option<String>> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        door::wait(py, async { Ok::<_, Error>(live.cached_path(&repo, path)) })?.map(utf8).transpose()
    }

    /// Whether the cache remembers that the repository does not have a file.
    #[pyo3(signature = (kind, repo_id, path, revision=None))]
    fn known_absent(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        path: &str,
        revision: Option<&str>,
    ) -> PyResult<bool> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        door::wait(py, async { Ok::<_, Error>(live.known_absent(&repo, path)) })
    }
}
