//! A file of the hub seen as a `ByteSource`: the only join of the two core crates. And `Source`, its Python face.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use crucible_data::source::{Coming, Stopper, Then};
use crucible_data::{ByteSource, DataError, DataErrorKind, LocalSource, MemorySource};
use crucible_hub::{HashForm, HubClient, HubError, HubErrorKind, KeptEnd, RemoteFile};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyTuple};

use crate::door;
use crate::engine::{Engine, engine};
use crate::errors::{self, Error};
use crate::hashing::Hashing;
use crate::hub::client::HubClient as Settings;
use crate::limits::limits;
use crate::tee::KeptFile;

/// A remote file read by ranges from decode threads: each read blocks its thread, never the I/O runtime.
///
/// Readers hold it for long, so it may find itself in a forked child. There it reads over connections of the child.
pub(crate) struct HubSource {
    name: String,
    file: RemoteFile,
    pid: u32,
    /// The file in a forked child, with its pid. Never waited for: after another fork it may be locked for ever.
    child: Mutex<Option<(u32, RemoteFile)>>,
    /// The hash of what was read in order.
    hashing: Option<Hashing>,
    /// Where the bytes end that were asked for.
    asked: AtomicU64,
}

impl ByteSource for HubSource {
    fn len(&self) -> u64 {
        self.file.len()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        let start = range.start;
        self.asks(range.end);
        let bytes = self.block_on(|file| async move { file.read_range(range).await })?;
        self.saw(start, &bytes)?;
        Ok(bytes)
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, DataError> {
        self.block_on(|file| async move { file.read_ranges(ranges).await })
    }

    fn start_range(&self, range: Range<u64>) -> Option<Box<dyn Coming>> {
        let engine = engine().ok()?;
        let file = self.here(engine).ok()?;
        self.asks(range.end);
        let name = self.name.clone();
        let read = async move { file.read_range(range).await.map_err(|e| failed(&name, e)) };
        Some(Box::new(HubRange::new(engine.io.spawn(read))))
    }

    fn start_ranges(&self, ranges: Vec<Range<u64>>, then: Then) -> Option<Stopper> {
        let engine = engine().ok()?;
        let file = self.here(engine).ok()?;
        let name = self.name.clone();
        let work = async move { then(file.read_ranges(&ranges).await.map_err(|e| failed(&name, e))) };
        let task = engine.io.spawn(work).abort_handle();
        Some(Box::new(HubStopper::new(task)))
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn kept_end(&self) -> Option<(u64, Bytes)> {
        KeptEnd::of(&self.file)?.read()
    }

    fn keep_end(&self, start: u64, bytes: &Bytes) {
        if let Some(kept) = KeptEnd::of(&self.file) {
            kept.write(start, bytes);
        }
    }

    fn forget_end(&self) {
        if let Some(kept) = KeptEnd::of(&self.file) {
            kept.remove();
        }
    }

    fn saw(&self, start: u64, bytes: &Bytes) -> Result<(), DataError> {
        match &self.hashing {
            Some(hashing) => hashing.saw(start, bytes).map_err(|e| failed(&self.name, e)),
            None => Ok(()),
        }
    }
}

impl HubSource {
    /// A file that this process opened. It is in the middle of something, so it waits longer for a server.
    pub(crate) fn new(name: String, file: &RemoteFile) -> Self {
        let file = file.over(file.client().clone().patient());
        let hashing = file.along().map(|along| Hashing::new(along, file.len()));
        let (pid, child, asked) = (std::process::id(), Mutex::new(None), AtomicU64::new(0));
        Self { name, file, pid, child, hashing, asked }
    }

    pub(crate) fn asks(&self, end: u64) {
        self.asked.fetch_max(end, Ordering::Relaxed);
    }

    /// The file over the connections of this process.
    pub(crate) fn here(&self, engine: &Engine) -> Result<RemoteFile, HubError> {
        let pid = std::process::id();
        if pid == self.pid {
            return Ok(self.file.clone());
        }
        let mut known = self.child.try_lock().ok();
        if let Some(Some((owner, file))) = known.as_deref()
            && *owner == pid
        {
            return Ok(file.clone());
        }
        let config = self.file.client().config().clone();
        let client = HubClient::new(config.clone(), engine.http(&config)?);
        let file = self.file.over(client);
        if let Some(known) = known.as_deref_mut() {
            std::mem::forget(known.replace((pid, file.clone()))); // what was there belongs to the parent
        }
        Ok(file)
    }

    fn block_on<T, F>(&self, work: impl FnOnce(RemoteFile) -> F) -> Result<T, DataError>
    where
        F: Future<Output = Result<T, HubError>>,
    {
        let engine = engine().map_err(|_| no_engine())?;
        let file = self.here(engine).map_err(|e| failed(&self.name, e))?;
        door::block(engine, work(file))?.map_err(|e| failed(&self.name, e))
    }

    /// Whether a read failed since the bytes are not those of the file.
    pub(crate) fn is_wrong(error: &DataError) -> bool {
        std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<HubError>())
            .is_some_and(|error| error.kind() == HubErrorKind::Integrity)
    }

    pub(crate) fn failed(&self, error: HubError) -> DataError {
        failed(&self.name, error)
    }
}

pub(crate) fn failed(name: &str, error: HubError) -> DataError {
    DataError::new(DataErrorKind::Io, "reading from the hub failed").with_path(name).with_source(error)
}

pub(crate) fn no_engine() -> DataError {
    DataError::new(DataErrorKind::Internal, "the engine cannot start")
}

/// A range on its way.
pub(crate) struct HubRange {
    task: tokio::task::JoinHandle<Result<Bytes, DataError>>,
    pid: u32,
}

impl HubRange {
    pub(crate) fn new(task: tokio::task::JoinHandle<Result<Bytes, DataError>>) -> Self {
        Self { task, pid: std::process::id() }
    }
}

/// Stops a task of this process when it is dropped.
pub(crate) struct HubStopper {
    task: tokio::task::AbortHandle,
    pid: u32,
}

impl HubStopper {
    pub(crate) fn new(task: tokio::task::AbortHandle) -> Self {
        Self { task, pid: std::process::id() }
    }
}

impl Drop for HubStopper {
    fn drop(&mut self) {
        if self.pid == std::process::id() {
            self.task.abort();
        }
    }
}

impl Coming for HubRange {
    fn came(&self) -> bool {
        self.task.is_finished()
    }

    fn wait(mut self: Box<Self>) -> Option<Result<Bytes, DataError>> {
        if self.pid != std::process::id() {
            return None;
        }
        let engine = engine().ok()?;
        match door::block(engine, async { (&mut self.task).await }) {
            Ok(came) => came.ok(), // not ok: it was stopped
            Err(stopped) => Some(Err(stopped)),
        }
    }
}

impl Drop for HubRange {
    fn drop(&mut self) {
        if self.pid == std::process::id() {
            self.task.abort();
        }
    }
}

/// What to do when a file is not the one that the commit has.
const CHANGED: &str = "A mirror or proxy gives other bytes than the commit has, or the repository was made anew under its name. Load the dataset again.";

/// Whether two names of contents are hashes of one kind: others cannot be compared.
fn hashes(one: &str, two: &str) -> bool {
    let form = HashForm::of_name(one);
    form.is_some() && form == HashForm::of_name(two)
}

/// What a `Source` was made from: enough to make it again in another process.
enum Origin {
    Local(String),
    Hub { client: Py<Settings>, kind: String, repo_id: String, path: String, revision: String },
    Memory(Py<PyBytes>),
    Remote(Py<crate::hub::remote::RemoteFile>),
    Kept(Py<Settings>, KeptFile),
}

/// Bytes that can be read by position: a local file, a file of a hub repository, or bytes in memory.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct Source {
    origin: Origin,
    pid: u32,
    bytes: Arc<dyn ByteSource>,
}

impl Source {
    /// A file that is kept as it is read.
    pub(crate) fn of_kept(client: Py<Settings>, file: KeptFile, bytes: Arc<dyn ByteSource>) -> Self {
        Self { origin: Origin::Kept(client, file), pid: std::process::id(), bytes }
    }

    /// The bytes, if this process opened them (connections are not shared with a forked child).
    pub(crate) fn bytes(slf: &Bound<'_, Self>) -> PyResult<Arc<dyn ByteSource>> {
        let py = slf.py();
        let this = slf.get();
        match &this.origin {
            Origin::Hub { client, kind, repo_id, path, revision } if this.pid != std::process::id() => {
                Ok(open_hub(client.bind(py), kind, repo_id, path, revision)?.0)
            }
            Origin::Remote(file) if this.pid != std::process::id() => {
                let file = file.get();
                Ok(Arc::new(HubSource::new(file.name(), &file.here(py)?)))
            }
            _ => Ok(this.bytes.clone()),
        }
    }
}

fn open_hub(
    client: &Bound<'_, Settings>,
    kind: &str,
    repo_id: &str,
    path: &str,
    revision: &str,
) -> PyResult<(Arc<dyn ByteSource>, Option<String>)> {
    let repo = crate::hub::client::repo_ref(kind, repo_id, Some(revision))?;
    let live = client.get().live()?.patient();
    let file = door::wait(client.py(), async { live.open_remote(&repo, path).await })?;
    let name = HubPlace { kind, repo_id, path, revision }.shown();
    Ok((Arc::new(HubSource::new(name, &file)), file.etag().map(str::to_owned)))
}

/// What names a file of the hub.
pub(crate) struct HubPlace<'a> {
    pub(crate) kind: &'a str,
    pub(crate) repo_id: &'a str,
    pub(crate) path: &'a str,
    pub(crate) revision: &'a str,
}

impl HubPlace<'_> {
    /// Name for messages.
    pub(crate) fn shown(&self) -> String {
        let Self { kind, repo_id, path, revision } = self;
        format!("hf://{}/{repo_id}@{revision}/{path}", crate::hub::client::plural(kind))
    }
}

/// Whether a file that was opened has the size and the hash of the listing.
pub(crate) fn same_as_listed(
    place: &HubPlace<'_>,
    bytes: &Arc<dyn ByteSource>,
    found: Option<&str>,
    size: Option<u64>,
    etag: Option<&str>,
) -> PyResult<()> {
    let HubPlace { repo_id, path, revision, .. } = *place;
    let told = |what: &str| {
        let message =
            format!("{path} of {repo_id}@{revision} changed: the listing of the commit has another {what}");
        let error = HubError::new(HubErrorKind::Integrity, message).with(|c| {
            (c.repo_id, c.revision) = (Some(repo_id.to_owned()), Some(revision.to_owned()));
            (c.path, c.offset) = (Some(path.to_owned()), Some(0));
        });
        Err(errors::hub(error.with_hint(CHANGED)))
    };
    if size.is_some_and(|size| size != bytes.len()) {
        return told("size");
    }
    if etag.is_some_and(|etag| found.is_some_and(|found| found != etag && hashes(etag, found))) {
        return told("hash");
    }
    Ok(())
}

impl Source {
    /// A file of the hub that was opened in another way.
    pub(crate) fn of_hub(client: Py<Settings>, place: &HubPlace<'_>, bytes: Arc<dyn ByteSource>) -> Self {
        let [kind, repo_id, path, revision] =
            [place.kind, place.repo_id, place.path, place.revision].map(str::to_owned);
        Self { origin: Origin::Hub { client, kind, repo_id, path, revision }, pid: std::process::id(), bytes }
    }

    /// A file of a web server that was opened in another way.
    pub(crate) fn of_web(
        py: Python<'_>,
        file: crate::hub::remote::RemoteFile,
        bytes: Arc<dyn ByteSource>,
    ) -> PyResult<Self> {
        Ok(Self { origin: Origin::Remote(Py::new(py, file)?), pid: std::process::id(), bytes })
    }
}

#[pymethods]
impl Source {
    /// A local file, read by position.
    #[staticmethod]
    fn local(py: Python<'_>, path: String) -> PyResult<Self> {
        let opened = door::run(py, |_| LocalSource::open(Path::new(&path)))?;
        Ok(Self { origin: Origin::Local(path), pid: std::process::id(), bytes: Arc::new(opened) })
    }

    /// A file of a hub repository, read by ranges.
    #[staticmethod]
    #[pyo3(signature = (client, kind, repo_id, path, revision, size=None, etag=None))]
    fn hub(
        client: Bound<'_, Settings>,
        kind: String,
        repo_id: String,
        path: String,
        revision: String,
        size: Option<u64>,
        etag: Option<&str>,
    ) -> PyResult<Self> {
        let (bytes, found) = open_hub(&client, &kind, &repo_id, &path, &revision)?;
        same_as_listed(
            &HubPlace { kind: &kind, repo_id: &repo_id, path: &path, revision: &revision },
            &bytes,
            found.as_deref(),
            size,
            etag,
        )?;
        let origin = Origin::Hub { client: client.unbind(), kind, repo_id, path, revision };
        Ok(Self { origin, pid: std::process::id(), bytes })
    }

    /// A file of a hub repository at a full commit, with the size that its listing has: no request before bytes are wanted.
    #[staticmethod]
    #[pyo3(signature = (client, kind, repo_id, path, revision, size, etag=None))]
    fn hub_listed(
        client: Bound<'_, Settings>,
        kind: String,
        repo_id: String,
        path: String,
        revision: String,
        size: u64,
        etag: Option<&str>,
    ) -> PyResult<Self> {
        let repo = crate::hub::client::repo_ref(&kind, &repo_id, Some(&revision))?;
        let file = client.get().live()?.open_listed(&repo, &path, size, etag).map_err(errors::hub)?;
        let name = format!("hf://{}/{}@{}/{}", crate::hub::client::plural(&kind), repo_id, revision, path);
        let bytes = Arc::new(HubSource::new(name, &file));
        let origin = Origin::Hub { client: client.unbind(), kind, repo_id, path, revision };
        Ok(Self { origin, pid: std::process::id(), bytes })
    }

    /// A file that was opened: of a repository or of a web server, read by ranges.
    #[staticmethod]
    fn remote(py: Python<'_>, file: Bound<'_, crate::hub::remote::RemoteFile>) -> PyResult<Self> {
        let bytes = Arc::new(HubSource::new(file.get().name(), &file.get().here(py)?));
        Ok(Self { origin: Origin::Remote(file.unbind()), pid: std::process::id(), bytes })
    }

    /// Bytes in memory under the name of the file that they came from; nothing is copied.
    #[staticmethod]
    fn memory(name: String, value: Bound<'_, PyBytes>) -> Self {
        let shared = Bytes::from_owner(PyBackedBytes::from(value.clone()));
        let bytes = Arc::new(MemorySource::new(name, shared));
        Self { origin: Origin::Memory(value.unbind()), pid: std::process::id(), bytes }
    }

    /// The same, unpacked if it is compressed (gzip, zstd, bzip2, xz).
    fn unpacked<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let source = Self::bytes(&slf)?;
        let py = slf.py();
        let limits = limits(py)?;
        let read = door::run(py, |_| {
            let unpacked = crucible_data::decode::unpacked(source.clone(), &limits)?;
            if Arc::ptr_eq(&unpacked, &source) {
                return Ok(None);
            }
            unpacked.read_range(0..unpacked.len()).map(Some)
        })?;
        match read {
            None => Ok(slf),
            Some(read) => {
                Bound::new(py, Self::memory(slf.get().bytes.name().to_owned(), PyBytes::new(py, &read)))
            }
        }
    }

    /// Where the bytes end that were asked for so far; 0 where nobody notes it.
    #[getter]
    fn asked(&self) -> u64 {
        self.bytes.asked()
    }

    /// Name for messages: the path or the `hf://` address.
    #[getter]
    fn name(&self) -> &str {
        self.bytes.name()
    }

    fn __len__(&self) -> PyResult<usize> {
        usize::try_from(self.bytes.len()).map_err(|_| Error::Internal("file too large".into()).into())
    }

    /// Bytes `start..stop`, clamped to the file.
    fn read<'py>(slf: Bound<'py, Self>, start: u64, stop: u64) -> PyResult<Bound<'py, PyBytes>> {
        let source = Self::bytes(&slf)?;
        let stop = stop.min(source.len());
        let range = start.min(stop)..stop;
        let read = door::run(slf.py(), |_| source.read_range(range))?;
        Ok(PyBytes::new(slf.py(), &read))
    }

    fn __reduce__<'py>(slf: Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let class = slf.get_type();
        match &slf.get().origin {
            Origin::Local(path) => Ok((class.getattr("local")?, PyTuple::new(py, [path])?)),
            Origin::Hub { client, kind, repo_id, path, revision } => {
                let args = (client.bind(py), kind, repo_id, path, revision).into_pyobject(py)?;
                Ok((class.getattr("hub")?, args))
            }
            Origin::Kept(client, file) => {
                let KeptFile { kind, repo_id, path, revision, size, etag, limit } = file;
                let args =
                    (client.bind(py), kind, repo_id, path, revision, size, etag, limit).into_pyobject(py)?;
                Ok((class.getattr("hub_kept")?, args))
            }
            Origin::Remote(file) => Ok((class.getattr("remote")?, PyTuple::new(py, [file.bind(py)])?)),
            Origin::Memory(value) => {
                let args = (slf.get().bytes.name(), value.bind(py)).into_pyobject(py)?;
                Ok((class.getattr("memory")?, args))
            }
        }
    }
}
