//! A file of the hub that is opened ahead of its use: where it is, and its footer or its first bytes.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use crucible_data::ahead::{BUDGET, Share};
use crucible_data::decode::parquet::{footer_guess, footer_rest};
use crucible_data::decode::{begun, with_bytes};
use crucible_data::{ByteSource, Streaming};
use crucible_hub::{HubError, KeptEnd, RemoteFile};
use pyo3::prelude::*;
use tokio::task::JoinHandle;

use crate::door;
use crate::engine::engine;
use crate::errors::{Error, hub};
use crate::hub::client::{HubClient, repo_ref};
use crate::limits::limits;
use crate::source::{HubPlace, HubSource, Source, same_as_listed};

/// Most bytes of a footer that come ahead of its use: several files are opened at a time, and what they announce is theirs.
const REST: u64 = 4 << 20;

/// The file, and a part of it that came, and from where on; None where the cache has the end, or nothing was to come.
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
    /// Whether its first bytes come, not its end.
    forward: bool,
    _share: Option<Share>,
    /// What the file before leaves of memory is used for this one.
    _streaming: Streaming,
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
    /// Begins; size and etag are those of the listing. `head` is how many of its first bytes are fetched, as far as there is
    /// memory for what is read ahead; without it, its end is.
    #[new]
    #[pyo3(signature = (client, kind, repo_id, path, revision, size=None, etag=None, head=None))]
    #[expect(clippy::too_many_arguments, reason = "each by name, from one Python caller")]
    fn new(
        client: Bound<'_, HubClient>,
        kind: String,
        repo_id: String,
        path: String,
        revision: String,
        size: Option<u64>,
        etag: Option<String>,
        head: Option<u64>,
    ) -> PyResult<Self> {
        let share = head.and_then(|head| Share::take(head, BUDGET));
        let head = head.map(|head| if share.is_some() { head } else { 0 });
        let repo = repo_ref(&kind, &repo_id, Some(&revision))?;
        let (live, limits) = (client.get().live()?.patient(), limits(client.py())?);
        let asked = path.clone();
        let task = engine()?.io.spawn(async move {
            let file = live.open_remote(&repo, &asked).await?;
            if head == Some(0) || (head.is_none() && KeptEnd::of(&file).is_some_and(|k| k.read().is_some())) {
                return Ok((file, None));
            }
            let guess = head.map_or_else(|| footer_guess(file.len()), |head| 0..head.min(file.len()));
            let start = guess.start;
            let bytes = file.read_range(guess).await?;
            let rest = if head.is_none() { footer_rest(file.len(), &bytes, &limits) } else { None };
            let Some(rest) = rest.filter(|rest| rest.end - rest.start <= REST) else {
                return Ok((file, Some((start, bytes))));
            };
            let start = rest.start;
            let whole = [file.read_range(rest).await?, bytes].concat();
            Ok((file, Some((start, whole.into()))))
        });
        let (pid, task) = (std::process::id(), Mutex::new(Some(task)));
        let (client, forward, streaming) = (client.unbind(), head.is_some(), Streaming::new());
        Ok(Self {
            pid,
            task,
            client,
            kind,
            repo_id,
            path,
            revision,
            size,
            etag,
            forward,
            _share: share,
            _streaming: streaming,
        })
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
            Some((_, head)) if self.forward => begun(remote, head),
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
