//! `RemoteFile` and `RemoteStream`: files of the hub and of web servers, read by ranges or from a position on.
//!
//! The objects hold a plan. Live state belongs to the process that made it: a forked child makes its own and never
//! touches (nor drops) the inherited one. The locks here are held with the GIL only, so no fork can find them taken.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use crucible_hub::RemoteStream as Stream;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::client::{HubClient, plural, repo_ref};
use crate::door;
use crate::errors::{Error, hub};

/// What a file was opened from: enough to open it again in another process.
enum Plan {
    Hub { kind: String, repo_id: String, path: String, commit: String, size: u64, etag: Option<String> },
    Web { url: String },
}

/// A file of a hub repository at a commit, or of a web server.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct RemoteFile {
    client: Py<HubClient>,
    plan: Plan,
    live: Mutex<(u32, crucible_hub::RemoteFile)>,
}

impl RemoteFile {
    fn made(client: Py<HubClient>, plan: Plan, live: crucible_hub::RemoteFile) -> Self {
        Self { client, plan, live: Mutex::new((std::process::id(), live)) }
    }

    /// A file of a web server that was opened.
    pub(crate) fn of_web(client: Py<HubClient>, url: String, live: crucible_hub::RemoteFile) -> Self {
        Self::made(client, Plan::Web { url }, live)
    }

    /// The file over this process's connections.
    pub(crate) fn here(&self, py: Python<'_>) -> PyResult<crucible_hub::RemoteFile> {
        let pid = std::process::id();
        {
            let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            if live.0 == pid {
                return Ok(live.1.clone());
            }
        }
        let client = self.client.get().live()?;
        let fresh = match &self.plan {
            Plan::Hub { kind, repo_id, path, commit, size, etag } => {
                let repo = repo_ref(kind, repo_id, Some(commit))?;
                client.open_listed(&repo, path, *size, etag.as_deref()).map_err(hub)?
            }
            Plan::Web { url } => door::wait(py, async { client.open_web(url).await })?,
        };
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::forget(std::mem::replace(&mut *live, (pid, fresh.clone())));
        Ok(fresh)
    }

    pub(crate) fn name(&self) -> String {
        match &self.plan {
            Plan::Hub { kind, repo_id, path, commit, .. } => {
                format!("hf://{}/{repo_id}@{commit}/{path}", plural(kind))
            }
            Plan::Web { url } => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
        }
    }
}

#[pymethods]
impl RemoteFile {
    /// A file of a repository. At a full commit with its size: no request; else one, which pins the commit.
    #[staticmethod]
    #[pyo3(signature = (client, kind, repo_id, path, revision=None, size=None, etag=None))]
    fn hub(
        client: Bound<'_, HubClient>,
        kind: &str,
        repo_id: &str,
        path: &str,
        revision: Option<&str>,
        size: Option<u64>,
        etag: Option<&str>,
    ) -> PyResult<Self> {
        let py = client.py();
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = client.get().live()?;
        let opened = match size {
            Some(size) if repo.is_commit() => live.open_listed(&repo, path, size, etag).map_err(hub)?,
            _ => door::wait(py, async { live.open_remote(&repo, path).await })?,
        };
        let plan = Plan::Hub {
            kind: kind.to_owned(),
            repo_id: repo_id.to_owned(),
            path: path.to_owned(),
            commit: opened.commit().unwrap_or(&repo.revision).to_owned(),
            size: opened.len(),
            etag: opened.etag().map(str::to_owned),
        };
        Ok(Self::made(client.unbind(), plan, opened))
    }

    /// A file of a web server: one request.
    #[staticmethod]
    fn web(client: Bound<'_, HubClient>, url: String) -> PyResult<Self> {
        let live = client.get().live()?;
        let opened = door::wait(client.py(), async { live.open_web(&url).await })?;
        Ok(Self::of_web(client.unbind(), url, opened))
    }

    /// Name for messages: an `hf://` address with its commit, or the address without its query.
    #[getter(name)]
    fn shown(&self) -> String {
        self.name()
    }

    /// Bytes, where the server says.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        Ok(self.here(py)?.size())
    }

    #[getter]
    fn etag(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.here(py)?.etag().map(str::to_owned))
    }

    #[getter]
    fn commit(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.here(py)?.commit().map(str::to_owned))
    }

    #[getter]
    fn content_type(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.here(py)?.web().and_then(|w| w.content_type.clone()))
    }

    #[getter]
    fn last_modified(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.here(py)?.web().and_then(|w| w.last_modified.clone()))
    }

    /// Whether a range comes alone (False: the server sends the whole file each time).
    #[getter]
    fn accepts_ranges(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.here(py)?.ranges())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let size = self.here(py)?.size();
        let size =
            size.ok_or_else(|| PyValueError::new_err(format!("{}: its length is unknown", self.name())))?;
        usize::try_from(size).map_err(|_| Error::Internal("file too large".into()).into())
    }

    /// Bytes `start..end`, clamped to the file.
    fn read<'py>(&self, py: Python<'py>, start: u64, end: u64) -> PyResult<Bound<'py, PyBytes>> {
        let file = self.here(py)?;
        let parts = door::wait(py, async { file.read_parts(start..end).await })?;
        PyBytes::new_with(py, parts.iter().map(Bytes::len).sum(), |mut rest| {
            for part in &parts {
                let (here, after) = rest.split_at_mut(part.len());
                here.copy_from_slice(part);
                rest = after;
            }
            Ok(())
        })
    }

    /// Several ranges, in their order: neighbours fetched together, the rest side by side.
    fn read_ranges<'py>(
        &self,
        py: Python<'py>,
        ranges: Vec<(u64, u64)>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let file = self.here(py)?;
        let ranges: Vec<_> = ranges.into_iter().map(|(start, end)| start..end).collect();
        let read = door::wait(py, async { file.read_ranges(&ranges).await })?;
        Ok(read.iter().map(|bytes| PyBytes::new(py, bytes)).collect())
    }

    /// The file from `start` on, to `end` or to its own.
    #[pyo3(signature = (start=0, end=None))]
    fn stream(slf: Bound<'_, Self>, start: u64, end: Option<u64>) -> PyResult<RemoteStream> {
        let stream = slf.get().here(slf.py())?.stream(start, end);
        let live = Mutex::new(Some((std::process::id(), stream)));
        Ok(RemoteStream { file: slf.unbind(), live })
    }

    fn __repr__(&self) -> String {
        format!("RemoteFile({:?})", self.name())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let (class, this) = (slf.get_type(), slf.get());
        let client = this.client.bind(py);
        match &this.plan {
            Plan::Hub { kind, repo_id, path, commit, size, etag } => {
                let arguments = (client, kind, repo_id, path, commit, size, etag).into_pyobject(py)?;
                Ok((class.getattr("hub")?, arguments))
            }
            Plan::Web { url } => Ok((class.getattr("web")?, (client, url).into_pyobject(py)?)),
        }
    }
}

/// The rest of a remote file, in chunks.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct RemoteStream {
    file: Py<RemoteFile>,
    live: Mutex<Option<(u32, Stream)>>,
}

#[pymethods]
impl RemoteStream {
    /// The next `size` bytes; fewer only at the end, none after it.
    fn read<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        // Taken out while it is waited for: nobody holds the lock without the GIL.
        let taken = self.live.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (pid, stream) = taken.ok_or_else(|| {
            PyRuntimeError::new_err("the stream is closed, or is being read by another thread")
        })?;
        let mut stream =
            if pid == std::process::id() { stream } else { stream.moved_to(self.file.get().here(py)?) };
        let read = door::wait(py, async { stream.next(size).await });
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some((std::process::id(), stream));
        Ok(PyBytes::new(py, &read?.unwrap_or_default()))
    }

    /// Closes the connection. Reading after it is an error.
    fn close(&self) {
        let taken = self.live.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((pid, stream)) = taken
            && pid != std::process::id()
        {
            std::mem::forget(stream);
        }
    }
}

impl Drop for RemoteStream {
    fn drop(&mut self) {
        self.close();
    }
}

#[pymethods]
impl HubClient {
    /// The listing of a commit as JSON if it fits one page or is in the cache; else None.
    fn list_tree_if_short(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        commit: &str,
    ) -> PyResult<Option<String>> {
        let repo = repo_ref(kind, repo_id, Some(commit))?;
        let live = self.live()?;
        let entries = door::wait(py, async { live.list_tree_if_short(&repo).await })?;
        Ok(entries.map(|e| serde_json::Value::Array(e.into_iter().map(|e| e.raw).collect()).to_string()))
    }

    /// Keeps the complete listing of a commit, put together from parts: a JSON list of entries as the hub sent them.
    fn keep_listing(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        commit: &str,
        entries: pyo3::pybacked::PyBackedBytes,
    ) -> PyResult<()> {
        let repo = repo_ref(kind, repo_id, Some(commit))?;
        let live = self.live()?;
        door::run(py, |_| live.keep_listing(&repo, &entries))
    }
}
