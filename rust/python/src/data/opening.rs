//! A file of the hub that is opened ahead of its use: where it is, and its footer.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use crucible_data::ByteSource;
use crucible_data::decode::parquet::footer_guess;
use crucible_data::decode::with_bytes;
use crucible_hub::{HubError, KeptEnd, RemoteFile};
use pyo3::prelude::*;
use tokio::task::JoinHandle;

use crate::door;
use crate::engine::engine;
use crate::errors::{Error, hub};
use crate::hub::client::{HubClient, repo_ref};
use crate::source::{HubPlace, HubSource, Source, same_as_listed};

/// The file, and from where on its end came, and that; None where the cache has it.
type Opened = (RemoteFile, Option<(u64, Bytes)>);

/// A file on its way to be open. Dropped before that, it stops.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct HubOpening {
    pid: u32,
    task: Mutex<Option<JoinHandle<Result<Opened, HubError>>>>,
    client: Py<HubClient>,
    kind: String,
    repo_id: String,
    path: String,
    revision: String,
    size: Option<u64>,
    etag: Option<String>,
}

impl Drop for HubOpening {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        match task {
            Some(task) if self.pid == std::process::id() => task.abort(),
            task => std::mem::forget(task), // the parent's
        }
    }
}

#[pymethods]
impl HubOpening {
    /// Begins; size and etag are those of the listing.
    #[new]
    #[pyo3(signature = (client, kind, repo_id, path, revision, size=None, etag=None))]
    fn new(
        client: Bound<'_, HubClient>,
        kind: String,
        repo_id: String,
        path: String,
        revision: String,
        size: Option<u64>,
        etag: Option<String>,
    ) -> PyResult<Self> {
        let repo = repo_ref(&kind, &repo_id, Some(&revision))?;
        let live = client.get().live()?.patient();
        let asked = path.clone();
        let task = engine()?.io.spawn(async move {
            let file = live.open_remote(&repo, &asked).await?;
            if KeptEnd::of(&file).is_some_and(|kept| kept.read().is_some()) {
                return Ok((file, None));
            }
            let guess = footer_guess(file.len());
            let start = guess.start;
            let bytes = file.read_range(guess).await?;
            Ok((file, Some((start, bytes))))
        });
        let (pid, task) = (std::process::id(), Mutex::new(Some(task)));
        Ok(Self { pid, task, client: client.unbind(), kind, repo_id, path, revision, size, etag })
    }

    /// Whether `source` would not wait.
    #[getter]
    fn ready(&self) -> bool {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        self.pid == std::process::id() && task.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// The file, once; None in a forked child, where it will not come, or where it was taken.
    fn source(&self, py: Python<'_>) -> PyResult<Option<Source>> {
        if self.pid != std::process::id() {
            return Ok(None);
        }
        let taken = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(task) = taken else { return Ok(None) };
        let mut task = Stopped(task);
        let (file, end) = door::wait(py, async {
            (&mut task.0).await.map_err(|e| Error::Internal(format!("opening a file stopped: {e}")))
        })?
        .map_err(hub)?;
        let Self { kind, repo_id, path, revision, .. } = self;
        let place = HubPlace { kind, repo_id, path, revision };
        let remote: Arc<dyn ByteSource> = Arc::new(HubSource::new(place.shown(), &file));
        same_as_listed(&place, &remote, file.etag(), self.size, self.etag.as_deref())?;
        let bytes = match end {
            Some((start, bytes)) => with_bytes(remote, start, bytes),
            None => remote,
        };
        Ok(Some(Source::of_hub(self.client.clone_ref(py), &place, bytes)))
    }
}

/// A task that ends with who waits for it.
struct Stopped<T>(JoinHandle<T>);

impl<T> Drop for Stopped<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
