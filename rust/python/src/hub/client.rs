//! `HubClient`: settings of a hub client; the live connections belong to the engine of the process that calls.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crucible_hub::{HubConfig, RepoKind, RepoRef, Token, TokenChoice};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyMapping, PyString, PyTuple};

use crate::door;
use crate::engine::engine;
use crate::errors::hub;

/// A client of the Hub: endpoint, token, cache folder.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct HubClient {
    config: HubConfig,
    made_from: Arguments,
}

#[derive(Clone)]
struct Arguments {
    endpoint: Option<String>,
    token: Option<TokenArgument>,
    cache_dir: Option<PathBuf>,
    offline: Option<bool>,
    user_agent: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    etag_timeout: Option<f64>,
    stream_hashes: bool,
}

/// `token=`: a string, True (the stored one), False (none). Never printed.
#[derive(Clone)]
enum TokenArgument {
    Text(String),
    Flag(bool),
}

impl TokenArgument {
    fn parse(token: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Self>> {
        let Some(token) = token.filter(|t| !t.is_none()) else {
            return Ok(None);
        };
        if let Ok(flag) = token.cast::<PyBool>() {
            return Ok(Some(Self::Flag(flag.is_true())));
        }
        let text = token
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err("token must be a str, True, False or None"))?;
        Ok(Some(Self::Text(text.to_str()?.to_owned())))
    }

    fn choice(token: Option<&Self>) -> TokenChoice {
        match token {
            None => TokenChoice::Implicit,
            Some(Self::Flag(true)) => TokenChoice::Stored,
            Some(Self::Flag(false)) => TokenChoice::None,
            Some(Self::Text(text)) => TokenChoice::Value(text.clone()),
        }
    }
}

/// Parses and validates what names a repository.
pub(crate) fn repo_ref(kind: &str, repo_id: &str, revision: Option<&str>) -> PyResult<RepoRef> {
    let kind: RepoKind = kind.parse().map_err(|_| {
        PyValueError::new_err(format!("repo_type must be dataset, model or space, got {kind:?}"))
    })?;
    RepoRef::new(kind, repo_id, revision).map_err(hub)
}

/// A time limit from Python.
pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .ok()
        .filter(|limit| !limit.is_zero() && limit.as_secs() <= 86_400)
        .ok_or_else(|| {
            PyValueError::new_err(format!("{name} must be seconds, more than 0 and at most a day"))
        })
}

/// `dataset` -> `datasets`.
pub(crate) fn plural(kind: &str) -> String {
    if kind.ends_with('s') { kind.to_owned() } else { format!("{kind}s") }
}

impl HubClient {
    /// The client over this process's connections.
    pub(crate) fn live(&self) -> PyResult<crucible_hub::HubClient> {
        let http = engine()?.http(&self.config).map_err(hub)?;
        Ok(crucible_hub::HubClient::new(self.config.clone(), http))
    }
}

/// The settings as the environment gives them; the token is only said to be there or not.
#[pyfunction]
pub(crate) fn default_config(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let config = HubConfig::from_env();
    let dict = PyDict::new(py);
    dict.set_item("endpoint", config.endpoint())?;
    dict.set_item("cache_dir", config.cache_dir())?;
    dict.set_item("offline", config.offline())?;
    dict.set_item("user_agent", config.user_agent())?;
    dict.set_item("has_token", config.token().is_some())?;
    Ok(dict)
}

/// The token that would be sent: argument, environment, token file.
#[pyfunction]
#[pyo3(signature = (token=None))]
pub(crate) fn resolve_token(token: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
    let parsed = TokenArgument::parse(token)?;
    let config = HubConfig::from_env().with_token(TokenArgument::choice(parsed.as_ref())).map_err(hub)?;
    Ok(config.token().map(Token::reveal).map(str::to_owned))
}

#[pymethods]
impl HubClient {
    #[new]
    #[pyo3(signature = (
        *, endpoint=None, token=None, cache_dir=None, offline=None, user_agent=None, headers=None, etag_timeout=None,
        stream_hashes=true
    ))]
    #[expect(clippy::too_many_arguments, reason = "settings, each by name")]
    fn new(
        endpoint: Option<String>,
        token: Option<&Bound<'_, PyAny>>,
        cache_dir: Option<PathBuf>,
        offline: Option<bool>,
        user_agent: Option<String>,
        headers: Option<&Bound<'_, PyMapping>>,
        etag_timeout: Option<f64>,
        stream_hashes: bool,
    ) -> PyResult<Self> {
        let token = TokenArgument::parse(token)?;
        let headers = headers
            .map(|map| map.items()?.extract::<Vec<(String, String)>>().map(BTreeMap::from_iter))
            .transpose()?;
        Self::build(Arguments {
            endpoint,
            token,
            cache_dir,
            offline,
            user_agent,
            headers,
            etag_timeout,
            stream_hashes,
        })
    }

    #[getter]
    fn endpoint(&self) -> &str {
        self.config.endpoint()
    }

    #[getter]
    fn cache_dir(&self) -> String {
        self.config.cache_dir().to_string_lossy().into_owned()
    }

    #[getter]
    fn offline(&self) -> bool {
        self.config.offline()
    }

    /// The same client whose streams do not compare the hashes of files.
    fn without_stream_hashes(&self) -> PyResult<Self> {
        Self::build(Arguments { stream_hashes: false, ..self.made_from.clone() })
    }

    #[pyo3(signature = (kind, repo_id, revision=None, files_metadata=false))]
    fn repo_info(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        revision: Option<&str>,
        files_metadata: bool,
    ) -> PyResult<String> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let info = door::wait(py, async { live.repo_info(&repo, files_metadata).await })?;
        Ok(info.raw.to_string())
    }

    #[pyo3(signature = (kind, repo_id, revision=None, path=None, recursive=true, expand=false))]
    #[expect(clippy::too_many_arguments, reason = "the official signature")]
    fn list_tree(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        revision: Option<&str>,
        path: Option<&str>,
        recursive: bool,
        expand: bool,
    ) -> PyResult<String> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let entries = door::wait(py, async { live.list_tree(&repo, path, recursive, expand).await })?;
        let raw = entries.into_iter().map(|e| e.raw).collect();
        Ok(serde_json::Value::Array(raw).to_string())
    }

    #[pyo3(signature = (kind, repo_id, path, revision=None))]
    fn file_metadata(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        path: &str,
        revision: Option<&str>,
    ) -> PyResult<String> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let meta = door::wait(py, async { live.file_metadata(&repo, path).await })?;
        let text = serde_json::json!({
            "commit": meta.commit, "etag": meta.etag, "size": meta.size, "location": meta.location,
        });
        Ok(text.to_string())
    }

    fn __repr__(&self) -> String {
        format!("HubClient(endpoint={:?})", self.config.endpoint())
    }

    /// Pickles its arguments. A token given as text travels in the pickle, as it must to reach a spawned worker.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let from = &slf.get().made_from;
        let arguments = PyDict::new(py);
        arguments.set_item("endpoint", &from.endpoint)?;
        match &from.token {
            Some(TokenArgument::Text(text)) => arguments.set_item("token", text)?,
            Some(TokenArgument::Flag(flag)) => arguments.set_item("token", flag)?,
            None => {}
        }
        arguments.set_item("cache_dir", &from.cache_dir)?;
        arguments.set_item("offline", from.offline)?;
        arguments.set_item("user_agent", &from.user_agent)?;
        arguments.set_item("headers", &from.headers)?;
        arguments.set_item("etag_timeout", from.etag_timeout)?;
        arguments.set_item("stream_hashes", from.stream_hashes)?;
        let rebuild =
            py.import("functools")?.getattr("partial")?.call((slf.get_type(),), Some(&arguments))?;
        Ok((rebuild, PyTuple::empty(py)))
    }
}

impl HubClient {
    fn build(arguments: Arguments) -> PyResult<Self> {
        let mut config = HubConfig::from_env();
        if let Some(endpoint) = &arguments.endpoint {
            config = config.with_endpoint(endpoint);
        }
        if let Some(folder) = &arguments.cache_dir {
            config = config.with_cache_dir(folder.clone());
        }
        if let Some(offline) = arguments.offline {
            config = config.with_offline(offline);
        }
        if let Some(agent) = &arguments.user_agent {
            config = config.with_user_agent(agent);
        }
        if let Some(headers) = &arguments.headers {
            let pairs = headers.iter().map(|(name, text)| (name.as_str(), text.as_str()));
            config = config.with_headers(pairs).map_err(hub)?;
        }
        if let Some(limit) = arguments.etag_timeout {
            config = config.with_etag_timeout(seconds("etag_timeout", limit)?);
        }
        config = config.with_stream_hashes(arguments.stream_hashes);
        let config = config.with_token(TokenArgument::choice(arguments.token.as_ref())).map_err(hub)?;
        Ok(Self { config, made_from: arguments })
    }
}
