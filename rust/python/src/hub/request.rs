//! `HubClient.request` and `HubClient.pages`: any request, for the Python API layer.

use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use crucible_hub::{Answer, Call, HeaderName, HeaderValue, HubError, Method, Subject, encode_pairs};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyMapping};

use super::client::{HubClient, repo_ref, seconds};
use crate::door;
use crate::errors::Error;

const FORM: &str = "application/x-www-form-urlencoded";

/// An answer of the hub, read to its end.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct HttpResponse(Answer);

#[pymethods]
impl HttpResponse {
    /// HTTP status, below 400 unless `check` was off.
    #[getter]
    fn status(&self) -> u16 {
        self.0.status
    }

    /// The address that answered, after redirects. It may carry a signature: not for logs.
    #[getter]
    fn url(&self) -> &str {
        self.0.url.as_str()
    }

    /// Names in lower case and values, in their order.
    #[getter]
    fn headers(&self) -> Vec<(String, String)> {
        let text = |v: &HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
        self.0.headers.iter().map(|(name, v)| (name.as_str().to_owned(), text(v))).collect()
    }

    #[getter]
    fn content<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    /// One header; the first of several.
    fn header(&self, name: &str) -> Option<String> {
        self.0.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
    }

    fn __repr__(&self) -> String {
        format!("HttpResponse(status={}, {} bytes)", self.0.status, self.0.body.len())
    }
}

/// Pages of a listing; a lock so that threads may share the iterator.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct Pages {
    client: Py<HubClient>,
    state: Arc<Mutex<crucible_hub::Pages>>,
}

#[pymethods]
impl Pages {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// The body of the next page.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let live = self.client.get().live()?;
        // A copy, put back after the wait: no lock is held while the network is slow.
        let mut pages = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = door::wait(py, async {
            let answer = pages.advance(&live).await?;
            *self.state.lock().unwrap_or_else(PoisonError::into_inner) = pages;
            Ok::<_, HubError>(answer)
        })?;
        Ok(answer.map(|a| PyBytes::new(py, &a.body)))
    }
}

fn named_headers(headers: Option<&Bound<'_, PyMapping>>) -> PyResult<Vec<(HeaderName, HeaderValue)>> {
    let Some(headers) = headers else {
        return Ok(Vec::new());
    };
    let pairs: Vec<(String, String)> = headers.items()?.extract()?;
    let parse = |(name, text): (String, String)| {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| PyValueError::new_err(format!("{name:?} is not the name of a header")))?;
        let value = HeaderValue::from_str(&text)
            .map_err(|_| PyValueError::new_err(format!("the value of {name} has a forbidden character")))?;
        Ok((parsed, value))
    };
    pairs.into_iter().map(parse).collect()
}

fn subject(
    kind: Option<&str>,
    repo_id: Option<&str>,
    revision: Option<&str>,
    file: Option<String>,
) -> PyResult<Subject> {
    let repo = match (kind, repo_id) {
        (Some(kind), Some(id)) => Some(repo_ref(kind, id, revision)?),
        _ => None,
    };
    Ok(Subject { repo, path: file })
}

#[pymethods]
impl HubClient {
    #[pyo3(signature = (
        method, path, *, params=Vec::new(), form=None, body=None, content_type=None, headers=None, timeout=None,
        retry=true, follow=true, check=true, kind=None, repo_id=None, revision=None, file=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "a request has many parts, each by name")]
    fn request(
        &self,
        py: Python<'_>,
        method: &str,
        path: String,
        params: Vec<(String, String)>,
        form: Option<Vec<(String, String)>>,
        body: Option<PyBackedBytes>,
        content_type: Option<String>,
        headers: Option<&Bound<'_, PyMapping>>,
        timeout: Option<f64>,
        retry: bool,
        follow: bool,
        check: bool,
        kind: Option<&str>,
        repo_id: Option<&str>,
        revision: Option<&str>,
        file: Option<String>,
    ) -> PyResult<HttpResponse> {
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
            .map_err(|_| PyValueError::new_err(format!("{method:?} is not a method")))?;
        let body = match (form, body) {
            (Some(_), Some(_)) => return Err(PyValueError::new_err("form and body exclude each other")),
            (Some(form), None) => Some((Bytes::from(encode_pairs(&form)), FORM.to_owned())),
            (None, Some(bytes)) => {
                let kind = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
                Some((Bytes::copy_from_slice(&bytes), kind))
            }
            (None, None) => None,
        };
        let call = Call {
            method,
            target: path,
            params,
            headers: named_headers(headers)?,
            body,
            timeout: timeout.map(|t| seconds("timeout", t)).transpose()?,
            retry,
            follow,
            check,
            subject: subject(kind, repo_id, revision, file)?,
        };
        let live = self.live()?;
        door::wait(py, async { live.call(&call).await.map_err(Error::from) }).map(HttpResponse)
    }

    #[pyo3(signature = (
        path, *, params=Vec::new(), headers=None, timeout=None, kind=None, repo_id=None, revision=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "a request has many parts, each by name")]
    fn pages(
        slf: &Bound<'_, Self>,
        path: String,
        params: Vec<(String, String)>,
        headers: Option<&Bound<'_, PyMapping>>,
        timeout: Option<f64>,
        kind: Option<&str>,
        repo_id: Option<&str>,
        revision: Option<&str>,
    ) -> PyResult<Pages> {
        let call = Call {
            params,
            headers: named_headers(headers)?,
            timeout: timeout.map(|t| seconds("timeout", t)).transpose()?,
            subject: subject(kind, repo_id, revision, None)?,
            ..Call::get(&path)
        };
        let state = slf.get().live()?.pages(call).map_err(crate::errors::hub)?;
        Ok(Pages { client: slf.clone().unbind(), state: Arc::new(Mutex::new(state)) })
    }
}

/// Shows what servers had to say (`X-HF-Warning`), as Python warnings; called when a wait for the network is over.
pub(crate) fn show_warnings(py: Python<'_>, http: &crucible_hub::Http) -> PyResult<()> {
    let fresh = http.take_warnings();
    if fresh.is_empty() {
        return Ok(());
    }
    let category = py.import("_crucible.errors")?.getattr("HubWarning")?;
    for text in fresh {
        let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
        PyErr::warn(py, &category, &text, 3)?;
    }
    Ok(())
}

/// Counters of this process's requests and waits.
#[pyfunction]
pub(crate) fn network_state(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let state = crucible_hub::network_state();
    let dict = PyDict::new(py);
    dict.set_item("requests", state.requests)?;
    dict.set_item("retries", state.retries)?;
    dict.set_item("rate_waits", state.rate_waits)?;
    dict.set_item("waited_seconds", state.waited_ms as f64 / 1000.0)?;
    dict.set_item("waiting", state.waiting)?;
    Ok(dict)
}
