//! Error answers and connection failures to `HubError`.

use reqwest::Response;
use reqwest::header::HeaderMap;
use url::Url;

use super::client::shown;
use super::retry::wait_of;
use crate::error::{HubError, HubErrorKind};
use crate::repo::RepoRef;

/// A header as text.
pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
}

/// An etag as blobs are named: without `W/` and quotes.
pub(crate) fn etag(headers: &HeaderMap) -> Option<String> {
    let raw = header(headers, "x-linked-etag").or_else(|| header(headers, "etag"))?;
    let name = raw.trim_start_matches("W/").trim_matches('"').to_owned();
    let safe =
        !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    safe.then_some(name)
}

/// What a failed request means. `None` for success.
pub(crate) fn error_of(
    response: &Response,
    url: &Url,
    repo: Option<&RepoRef>,
    path: Option<&str>,
) -> Option<HubError> {
    let status = response.status().as_u16();
    if status < 400 {
        return None;
    }
    let headers = response.headers();
    let code = header(headers, "x-error-code");
    let said = header(headers, "x-error-message");
    let kind = kind_of(status, code.as_deref(), said.as_deref(), repo.is_some());
    let what = match (repo, path) {
        (Some(repo), Some(path)) => format!("{path} of {}", repo.shown()),
        (Some(repo), None) => repo.shown(),
        _ => shown(url),
    };
    let message = format!("{what}: {}", sentence(kind, status, said.as_deref()));
    let error = HubError::new(kind, message).with(|c| {
        c.url = Some(shown(url));
        c.status = Some(status);
        c.request_id = header(headers, "x-request-id").or_else(|| header(headers, "x-amz-cf-id"));
        c.error_code = code;
        c.server_message = said;
        c.repo_id = repo.map(|r| r.id.clone());
        c.revision = repo.map(|r| r.revision.clone());
        c.path = path.map(str::to_owned);
        c.retry_after = wait_of(headers);
        c.hint = hint(kind, repo).map(str::to_owned);
    });
    Some(error)
}

fn kind_of(status: u16, code: Option<&str>, said: Option<&str>, of_repo: bool) -> HubErrorKind {
    match (code, status) {
        (Some("RevisionNotFound"), _) => HubErrorKind::RevisionNotFound,
        (Some("EntryNotFound"), _) => HubErrorKind::EntryNotFound,
        (Some("GatedRepo"), _) => HubErrorKind::Gated,
        (_, 401 | 403) if said == Some("Access to this resource is disabled.") => HubErrorKind::Disabled,
        (Some("RepoNotFound"), _) => HubErrorKind::RepositoryNotFound,
        (_, 401) if said.is_some_and(|s| s.starts_with("Invalid credentials")) => HubErrorKind::Unauthorized,
        (_, 401) if of_repo => HubErrorKind::RepositoryNotFound,
        (_, 401) => HubErrorKind::Unauthorized,
        (_, 400) => HubErrorKind::BadRequest,
        (_, 403) => HubErrorKind::Forbidden,
        (_, 429) => HubErrorKind::RateLimited,
        (_, 408 | 500..=599) => HubErrorKind::Server,
        _ => HubErrorKind::Http,
    }
}

fn sentence(kind: HubErrorKind, status: u16, said: Option<&str>) -> String {
    let plain = match kind {
        HubErrorKind::RepositoryNotFound => "no such repository, or a private one (Repository Not Found)",
        HubErrorKind::RevisionNotFound => "no such revision (Revision Not Found)",
        HubErrorKind::EntryNotFound => "no such file (Entry Not Found)",
        HubErrorKind::Gated => "access to this repository is gated",
        HubErrorKind::Disabled => "access to this repository is disabled",
        HubErrorKind::Unauthorized => "the token is not valid (Unauthorized)",
        HubErrorKind::Forbidden => "the token lacks the right to do this (Forbidden)",
        HubErrorKind::RateLimited => "too many requests",
        HubErrorKind::Server => "the server failed",
        _ => "the server refused",
    };
    match said {
        Some(said) => format!("{plain}: HTTP {status}, {said}"),
        None => format!("{plain}: HTTP {status}"),
    }
}

fn hint(kind: HubErrorKind, repo: Option<&RepoRef>) -> Option<&'static str> {
    Some(match kind {
        HubErrorKind::RepositoryNotFound => {
            "Check the name and the repo type. A private repository looks missing without a token that may see it: \
             pass token=, set HF_TOKEN, or write it to $HF_HOME/token."
        }
        HubErrorKind::Gated => {
            "Ask for access on the repository's page, and pass a token of the account that was granted it (token=, HF_TOKEN)."
        }
        HubErrorKind::Unauthorized if repo.is_some() => {
            "The token came from the argument, HF_TOKEN or the token file; an invalid token makes even public \
             repositories fail. Try token=False."
        }
        HubErrorKind::RateLimited => "Fewer workers or a token raise the limit.",
        _ => return None,
    })
}

/// A request that got no answer.
pub(crate) fn connection_error(doing: &str, url: Option<&Url>, error: reqwest::Error) -> HubError {
    let error = error.without_url(); // addresses may carry signatures
    let what = if error.is_timeout() { "timed out" } else { "failed" };
    let mut deepest = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        deepest = cause.to_string();
        next = cause.source();
    }
    let place = url.map_or_else(String::new, |u| format!(" at {}", u.origin().ascii_serialization()));
    HubError::new(HubErrorKind::Connection, format!("{doing}{place} {what}: {deepest}"))
        .with(|c| c.url = url.map(shown))
        .with_source(error)
}
