//! A read-only hub over a folder: `ROOT/datasets/<org>/<name>/…`, `ROOT/models/…`, `ROOT/spaces/…`.
//!
//! The files of a repository's folder are its revision `main`, also known by a content hash as commit. It speaks
//! enough of the Hub's protocol for the official clients: info, listing with pages, `paths-info`, refs, resolve with
//! ranges and redirects, errors with their codes. Small text files are served as git files (a 307 to
//! `/api/resolve-cache/…`), others as large files (a 302 to `/lfs-cdn/…`), as the Hub does.
//!
//! Faults can be added for tests: see [`faults`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::{HubError, HubErrorKind};

mod facts;
pub mod faults;
mod files;
mod repos;
mod routes;
mod search;

use faults::Faults;
use repos::Hashes;

/// Settings of a server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Folder of repositories.
    pub root: PathBuf,
    /// Address to listen on.
    pub host: String,
    /// Port; 0 for any free one.
    pub port: u16,
    /// Entries of a listing's page.
    pub page_size: usize,
    /// Tokens that are valid.
    pub tokens: Vec<String>,
    /// Ids of repositories that need a valid token to be seen.
    pub private: Vec<String>,
    /// Ids of repositories whose files need a valid token.
    pub gated: Vec<String>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            root: PathBuf::from("."),
            host: "127.0.0.1".into(),
            port: 0,
            page_size: 1000,
            tokens: Vec::new(),
            private: Vec::new(),
            gated: Vec::new(),
        }
    }
}

pub(crate) struct Shared {
    options: ServerOptions,
    url: String,
    hashes: Hashes,
    faults: Faults,
    log: Mutex<Vec<Answered>>,
}

/// An answer, as the log has it.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The method.
    pub method: String,
    /// Path with query.
    pub target: String,
    /// The status.
    pub status: u16,
    /// Where the body starts in its file: 0 but for a range.
    pub start: u64,
    /// Bytes of the body, where its length was said; 0 of an answer to HEAD.
    pub length: u64,
}

/// Requests kept in the log at the most.
const LOG_LIMIT: usize = 100_000;

/// A running server; it stops when this is dropped.
pub struct ServerHandle {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Starts a server on the current tokio runtime.
///
/// # Errors
/// `InvalidArgument` if the root is not a folder, `Connection` if the address cannot be listened on.
pub async fn start(options: ServerOptions) -> Result<ServerHandle, HubError> {
    if !options.root.is_dir() {
        let message = format!("{} is not a folder", options.root.to_string_lossy());
        return Err(HubError::new(HubErrorKind::InvalidArgument, message)
            .with_hint("Give the folder that holds datasets/<org>/<name>/ and the like."));
    }
    let place = format!("{}:{}", options.host, options.port);
    let cannot = |e: std::io::Error| {
        HubError::new(HubErrorKind::Connection, format!("cannot listen on {place}: {e}")).with_source(e)
    };
    let listener = TcpListener::bind((options.host.as_str(), options.port)).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    // Small answers go out at once: head and body are two writes, and the second must not wait for an acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let shared = Arc::new(Shared {
        url: format!("http://{address}"),
        options,
        hashes: Hashes::default(),
        faults: Faults::default(),
        log: Mutex::default(),
    });
    let (stop, mut stopped) = watch::channel(false);
    let app = Router::new().fallback(answer).with_state(shared.clone());
    #[allow(clippy::disallowed_methods, reason = "a task of the caller's runtime, no thread")]
    let task = tokio::spawn(async move {
        let serving = async { axum::serve(listener, app).await };
        tokio::select! {
            _ = serving => {}
            _ = stopped.changed() => {}
        }
    });
    Ok(ServerHandle { shared, address, stop, task: Mutex::new(Some(task)) })
}

impl ServerHandle {
    /// `http://host:port`.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The port listened on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Requests so far: method, path with query, status.
    pub fn requests(&self) -> Vec<(String, String, u16)> {
        let each = |a: &Answered| (a.method.clone(), a.target.clone(), a.status);
        self.shared.log.lock().map(|l| l.iter().map(each).collect()).unwrap_or_default()
    }

    /// Answers so far, with the ranges that they hold.
    pub fn answers(&self) -> Vec<Answered> {
        self.shared.log.lock().map(|l| l.clone()).unwrap_or_default()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        if let Ok(mut log) = self.shared.log.lock() {
            log.clear();
        }
    }

    /// Adds a fault, as JSON.
    ///
    /// # Errors
    /// `InvalidArgument` for JSON that is no fault.
    pub fn add_fault(&self, spec: &str) -> Result<(), HubError> {
        self.shared.faults.add(spec)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Stops listening and waits for it.
    pub async fn shutdown(&self) {
        let _ = self.stop.send(true);
        let task = self.task.lock().ok().and_then(|mut t| t.take());
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

impl Answered {
    fn of(method: String, target: String, response: &Response) -> Self {
        let text = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
        let start = text("content-range")
            .and_then(|r| r.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok())
            .unwrap_or(0);
        let said = text("content-length").and_then(|l| l.parse().ok());
        let length = said.or_else(|| response.body().size_hint().exact()).unwrap_or(0);
        let length = if method == "HEAD" { 0 } else { length };
        Self { method, target, status: response.status().as_u16(), start, length }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let method = request.method().to_string();
    let target = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let fault = shared.faults.take(&method, &target);
    let mut response = match fault.as_ref().and_then(faults::Fault::instead) {
        Some(response) => response,
        None => routes::route(&shared, request).await,
    };
    if let Some(fault) = fault {
        response = fault.applied(response).await;
    }
    if let Ok(mut log) = shared.log.lock()
        && log.len() < LOG_LIMIT
    {
        log.push(Answered::of(method, target, &response));
    }
    response
}

/// An answer of status, headers and body; a header that HTTP forbids is left out.
pub(crate) fn made(status: u16, headers: &[(&str, String)], body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (axum::http::HeaderName::try_from(*name), axum::http::HeaderValue::try_from(value.as_str()))
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}
