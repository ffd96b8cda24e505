//! `HubServer`: the local mirror, run by the engine's I/O threads.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use crucible_hub::server::{self, ServerHandle, ServerOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::door;
use crate::errors::{Error, hub};

/// Method, path with query, status, first byte of the file in the body, bytes of the body.
type Answer = (String, String, u16, u64, u64);

/// A read-only hub over a folder of repositories; stops on `close` or when it is collected.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct HubServer {
    pid: u32,
    url: String,
    port: u16,
    handle: Mutex<Option<ServerHandle>>,
}

#[pymethods]
impl HubServer {
    #[new]
    #[pyo3(signature = (root, host="127.0.0.1", port=0, *, page_size=1000, tokens=None, private=None, gated=None))]
    #[expect(clippy::too_many_arguments, reason = "settings, all but the first optional and by keyword")]
    fn new(
        py: Python<'_>,
        root: PathBuf,
        host: &str,
        port: u16,
        page_size: usize,
        tokens: Option<Vec<String>>,
        private: Option<Vec<String>>,
        gated: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let options = ServerOptions {
            root,
            host: host.to_owned(),
            port,
            page_size: page_size.max(1),
            tokens: tokens.unwrap_or_default(),
            private: private.unwrap_or_default(),
            gated: gated.unwrap_or_default(),
        };
        let handle = door::wait(py, server::start(options))?;
        Ok(Self {
            pid: std::process::id(),
            url: handle.url().to_owned(),
            port: handle.port(),
            handle: Mutex::new(Some(handle)),
        })
    }

    /// Address to use as `HF_ENDPOINT`.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    #[getter]
    fn port(&self) -> u16 {
        self.port
    }

    /// Requests answered so far: (method, path with query, status).
    fn requests(&self) -> PyResult<Vec<(String, String, u16)>> {
        self.with(ServerHandle::requests)
    }

    /// Answers so far: (method, path with query, status, first byte of the file in it, bytes).
    fn answers(&self) -> PyResult<Vec<Answer>> {
        let each = |a: server::Answered| (a.method, a.target, a.status, a.start, a.length);
        self.with(|h| h.answers().into_iter().map(each).collect())
    }

    fn clear_requests(&self) -> PyResult<()> {
        self.with(ServerHandle::clear_requests)
    }

    /// Adds a fault, as JSON: see `docs/server.md`.
    fn add_fault(&self, spec: &str) -> PyResult<()> {
        self.with(|h| h.add_fault(spec).map_err(hub))?
    }

    fn clear_faults(&self) -> PyResult<()> {
        self.with(ServerHandle::clear_faults)
    }

    /// Waits until a signal arrives (Ctrl-C raises KeyboardInterrupt).
    #[expect(clippy::unused_self, reason = "a method: the server must be alive while somebody waits")]
    fn wait(&self, py: Python<'_>) -> PyResult<()> {
        door::wait(py, async {
            loop {
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
            #[expect(unreachable_code, reason = "gives the loop its type")]
            Ok::<(), Error>(())
        })
    }

    /// Stops the server. Calling it again does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let taken = self.handle.lock().map_err(|_| Error::Internal("server lock".into()))?.take();
        match taken {
            // A forked child has no server threads: nothing to stop, and nothing may be joined.
            Some(handle) if self.pid != std::process::id() => {
                std::mem::forget(handle);
                Ok(())
            }
            Some(handle) => door::wait(py, async {
                handle.shutdown().await;
                Ok::<(), Error>(())
            }),
            None => Ok(()),
        }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        format!("HubServer(url={:?})", self.url)
    }
}

impl HubServer {
    fn with<T>(&self, work: impl FnOnce(&ServerHandle) -> T) -> PyResult<T> {
        let guard = self.handle.lock().map_err(|_| Error::Internal("server lock".into()))?;
        match guard.as_ref() {
            Some(handle) if self.pid == std::process::id() => Ok(work(handle)),
            _ => Err(PyValueError::new_err("the server is closed (or runs in the parent process)")),
        }
    }
}
