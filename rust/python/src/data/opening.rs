//! A file that is far and opened ahead of its use: where it is, and its footer or its first bytes.

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
use crate::hub::remote::RemoteFile as RemotePlan;
use crate::limits::limits;
use crate::source::{HubPlace, HubSource, Source, same_as_listed};

/// Most bytes of a footer that come ahead of its use: several files are opened at a time, and what they announce is theirs.
const REST: u64 = 4 << 20;

/// The file, and a part of it that came, and from where on; None where the cache has the end, or nothing was to come.
type Opened = (RemoteFile, Option<(u64, Bytes)>);

/// What is opened: a file of a repository, of which the listing may have told size and etag, or of a web server.
enum Named {
    Hub {
        kind: String,
        repo_id: String,
        path: String,
        revision: String,
        size: Option<u64>,
        etag: Option<String>,
    },
    Web {
        url: String,
    },
}

/// A file on its way to be open. Dropped before that, it stops.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct Opening {
    pid: u32,
    task: Mutex<Option<JoinHandle<Result<Opened, HubError>>>>,
    client: Py<HubClient>,
    named: Named,
    /// Whether its first bytes come, not its end.
    forward: bool,
    _share: Option<Share>,
    /// What the file before leaves of memory is used for this one.
    _streaming: Streaming,
}

impl Drop for Opening {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        match task {
            Some(task) if self.pid == std::process::id() => task.abort(),
            task => std::mem::forget(task), // the parent's
        }
    }
}

/// Opens it and fetches a part: `head` first bytes, or the end where that is absent.
async fn opened(
    file: RemoteFile,
    head: Option<u64>,
    limits: crucible_data::Limits,
) -> Result<Opened, HubError> {
    let kept = || head.is_none() && KeptEnd::of(&file).is_some_and(|kept| kept.read().is_some());
    // What has no ranges would come whole.
    if head == Some(0) || !file.ranges() || kept() {
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
}

impl Opening {
    fn begin(client: Bound<'_, HubClient>, named: Named, head: Option<u64>) -> PyResult<Self> {
        let share = head.and_then(|head| Share::take(head, BUDGET));
        let head = head.map(|head| if share.is_some() { head } else { 0 });
        let (live, limits) = (client.get().live()?.patient(), limits(client.py())?);
        let runtime = &engine()?.io;
        let task = match &named {
            Named::Hub { kind, repo_id, path, revision, .. } => {
                let (repo, path) = (repo_ref(kind, repo_id, Some(revision))?, path.clone());
                runtime
                    .spawn(async move { opened(live.open_remote(&repo, &path).await?, head, limits).await })
            }
            Named::Web { url } => {
                let url = url.clone();
                runtime.spawn(async move { opened(live.open_web(&url).await?, head, limits).await })
            }
        };
        Ok(Self {
            pid: std::process::id(),
            task: Mutex::new(Some(task)),
            client: client.unbind(),
            named,
            forward: head.is_some(),
            _share: share,
            _streaming: Streaming::new(),
        })
    }
}

#[pymethods]
impl Opening {
    /// Begins to open a file of a repository; size and etag are those of the listing. `head` is how many of its first bytes
    /// are fetched, as far as there is memory for what is read ahead; without it, its end is.
    #[staticmethod]
    #[pyo3(signature = (client, kind, repo_id, path, revision, size=None, etag=None, head=None))]
    #[expect(clippy::too_many_arguments, reason = "each by name, from one Python caller")]
    fn hub(
        client: Bound<'_, HubClient>,
        kind: String,
        repo_id: String,
        path: String,
        revision: String,
        size: Option<u64>,
        etag: Option<String>,
        head: Option<u64>,
    ) -> PyResult<Self> {
        Self::begin(client, Named::Hub { kind, repo_id, path, revision, size, etag }, head)
    }

    /// Begins to open a file of a web server, otherwise as `hub`.
    #[staticmethod]
    #[pyo3(signature = (client, url, head=None))]
    fn web(client: Bound<'_, HubClient>, url: String, head: Option<u64>) -> PyResult<Self> {
        Self::begin(client, Named::Web { url }, head)
    }

    /// Whether `source` would not wait.
    #[getter]
    fn ready(&self) -> bool {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        self.pid == std::process::id() && task.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// The file, once; None in a forked child, where it will not come, where it was taken, and of a web server that does not
    /// know ranges.
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
        let part = |remote: Arc<dyn ByteSource>| match end {
            Some((_, head)) if self.forward => begun(remote, head),
            Some((start, bytes)) => with_bytes(remote, start, bytes),
            None => remote,
        };
        let client = self.client.clone_ref(py);
        match &self.named {
            Named::Hub { kind, repo_id, path, revision, size, etag } => {
                let place = HubPlace { kind, repo_id, path, revision };
                let remote: Arc<dyn ByteSource> = Arc::new(HubSource::new(place.shown(), &file));
                same_as_listed(&place, &remote, file.etag(), *size, etag.as_deref())?;
                Ok(Some(Source::of_hub(client, &place, part(remote))))
            }
            Named::Web { .. } if !file.ranges() => Ok(None),
            Named::Web { url } => {
                let opened = RemotePlan::of_web(client, url.clone(), file.clone());
                let remote = Arc::new(HubSource::new(opened.name(), &file));
                Ok(Some(Source::of_web(py, opened, part(remote))?))
            }
        }
    }
}

/// A task that ends with who waits for it.
struct Stopped<T>(JoinHandle<T>);

impl<T> Drop for Stopped<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
