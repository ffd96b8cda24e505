//! A file of the hub seen as a `ByteSource`: the only join of the two core crates. And `Source`, its Python face.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use crucible_data::{ByteSource, DataError, DataErrorKind, LocalSource, MemorySource};
use crucible_hub::{HubError, RemoteFile};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyTuple};

use crate::door;
use crate::engine::engine;
use crate::errors::{self, Error};
use crate::hub::client::HubClient;
use crate::limits::limits;

/// A hub file read by ranges from decode threads: each read blocks its thread, never the I/O runtime.
struct HubSource {
    name: String,
    file: RemoteFile,
}

impl ByteSource for HubSource {
    fn len(&self) -> u64 {
        self.file.len()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        self.block_on(self.file.read_range(range))
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, DataError> {
        self.block_on(self.file.read_ranges(ranges))
    }
}

impl HubSource {
    fn block_on<T>(&self, work: impl Future<Output = Result<T, HubError>>) -> Result<T, DataError> {
        let engine =
            engine().map_err(|_| DataError::new(DataErrorKind::Internal, "the engine cannot start"))?;
        engine.io.block_on(work).map_err(|e| {
            DataError::new(DataErrorKind::Io, "reading from the hub failed")
                .with_path(&self.name)
                .with_source(e)
        })
    }
}

/// What a `Source` was made from: enough to make it again in another process.
enum Origin {
    Local(String),
    Hub { client: Py<HubClient>, kind: String, repo_id: String, path: String, revision: String },
    Memory(Py<PyBytes>),
    Remote(Py<crate::hub::remote::RemoteFile>),
}

/// Bytes that can be read by position: a local file, a file of a hub repository, or bytes in memory.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct Source {
    origin: Origin,
    pid: u32,
    bytes: Arc<dyn ByteSource>,
}

impl Source {
    /// The bytes, if this process opened them (connections are not shared with a forked child).
    pub(crate) fn bytes(slf: &Bound<'_, Self>) -> PyResult<Arc<dyn ByteSource>> {
        let py = slf.py();
        let this = slf.get();
        match &this.origin {
            Origin::Hub { client, kind, repo_id, path, revision } if this.pid != std::process::id() => {
                open_hub(client.bind(py), kind, repo_id, path, revision)
            }
            Origin::Remote(file) if this.pid != std::process::id() => {
                let file = file.get();
                Ok(Arc::new(HubSource { name: file.name(), file: file.here(py)? }))
            }
            _ => Ok(this.bytes.clone()),
        }
    }
}

fn open_hub(
    client: &Bound<'_, HubClient>,
    kind: &str,
    repo_id: &str,
    path: &str,
    revision: &str,
) -> PyResult<Arc<dyn ByteSource>> {
    let repo = crate::hub::client::repo_ref(kind, repo_id, Some(revision))?;
    let live = client.get().live()?;
    let file = door::wait(client.py(), async { live.open_remote(&repo, path).await })?;
    let name = format!("hf://{}/{}@{}/{}", crate::hub::client::plural(kind), repo_id, revision, path);
    Ok(Arc::new(HubSource { name, file }))
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
    #[pyo3(signature = (client, kind, repo_id, path, revision, size=None))]
    fn hub(
        client: Bound<'_, HubClient>,
        kind: String,
        repo_id: String,
        path: String,
        revision: String,
        size: Option<u64>,
    ) -> PyResult<Self> {
        let bytes = open_hub(&client, &kind, &repo_id, &path, &revision)?;
        if let Some(size) = size
            && size != bytes.len()
        {
            let message = format!("the listing said {size} bytes, the file has {}", bytes.len());
            return Err(errors::data(DataError::new(DataErrorKind::Io, message).with_path(bytes.name())));
        }
        let origin = Origin::Hub { client: client.unbind(), kind, repo_id, path, revision };
        Ok(Self { origin, pid: std::process::id(), bytes })
    }

    /// A file that was opened: of a repository or of a web server, read by ranges.
    #[staticmethod]
    fn remote(py: Python<'_>, file: Bound<'_, crate::hub::remote::RemoteFile>) -> PyResult<Self> {
        let bytes = Arc::new(HubSource { name: file.get().name(), file: file.get().here(py)? });
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
            Origin::Remote(file) => Ok((class.getattr("remote")?, PyTuple::new(py, [file.bind(py)])?)),
            Origin::Memory(value) => {
                let args = (slf.get().bytes.name(), value.bind(py)).into_pyobject(py)?;
                Ok((class.getattr("memory")?, args))
            }
        }
    }
}
