//! Error answers and connection failures to `HubError`.

use std::error::Error as StdError;
use std::io::ErrorKind;

use reqwest::Response;
use reqwest::header::{HeaderMap, SET_COOKIE};
use url::Url;

use super::client::shown;
use super::limits::{told, wait_of};
use crate::auth::TokenSource;
use crate::error::{HubError, HubErrorKind};
use crate::repo::RepoRef;

/// Longest text of a server that is repeated.
const MAX_TEXT: usize = 1000;
/// Longest body of an error answer that is read for its text.
const MAX_ERROR_BODY: usize = 64 << 10;

/// How an answer was asked for; travels in the response's extensions to where errors are made.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Where the token came from, if one was sent.
    pub(crate) token: Option<TokenSource>,
    /// The range that was asked.
    pub(crate) range: Option<String>,
    /// `X-Amzn-Trace-Id`.
    pub(crate) trace: String,
    /// The hub's address.
    pub(crate) endpoint: String,
}

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

/// Text of a server, without control characters and not longer than useful.
fn tame(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect();
    clean.trim().to_owned()
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
    let sent = response.extensions().get::<Sent>();
    let code = header(headers, "x-error-code");
    let said = header(headers, "x-error-message").map(|text| tame(&text)).filter(|text| !text.is_empty());
    let kind = kind_of(status, code.as_deref(), said.as_deref(), repo.is_some());
    let what = match (repo, path) {
        (Some(repo), Some(path)) => format!("{path} of {}", repo.shown()),
        (Some(repo), None) => repo.shown(),
        _ => shown(url),
    };
    let anonymous = sent.is_some_and(|s| s.token.is_none());
    let mut message = format!("{what}: {}", sentence(kind, status, anonymous));
    if let Some(said) = &said {
        message = format!("{message}, {said}");
    }
    message.push_str(&details(status, headers, sent));
    let error = HubError::new(kind, message).with(|c| {
        c.url = Some(shown(url));
        c.status = Some(status);
        c.request_id = ["x-request-id", "x-amzn-trace-id", "x-amz-cf-id"]
            .iter()
            .find_map(|name| header(headers, name))
            .or_else(|| sent.map(|s| s.trace.clone()));
        c.error_code = code;
        c.server_message = said;
        c.repo_id = repo.map(|r| r.id.clone());
        c.revision = repo.map(|r| r.revision.clone());
        c.path = path.map(str::to_owned);
        c.retry_after = wait_of(headers);
        c.hint = hint(kind, repo, sent);
        c.headers = facts(headers);
    });
    Some(error)
}

/// The order of the official client: codes first, then messages, then statuses.
fn kind_of(status: u16, code: Option<&str>, said: Option<&str>, of_repo: bool) -> HubErrorKind {
    let invalid_token = said.is_some_and(|s| s.starts_with("Invalid credentials"));
    match (code, status) {
        (Some("RevisionNotFound"), _) => HubErrorKind::RevisionNotFound,
        (Some("EntryNotFound"), _) => HubErrorKind::EntryNotFound,
        (Some("GatedRepo"), _) => HubErrorKind::Gated,
        _ if said == Some("Access to this resource is disabled.") => HubErrorKind::Disabled,
        (Some("RepoNotFound"), _) => HubErrorKind::RepositoryNotFound,
        (_, 401) if invalid_token || !of_repo => HubErrorKind::Unauthorized,
        (_, 401) => HubErrorKind::RepositoryNotFound,
        (_, 400) => HubErrorKind::BadRequest,
        (_, 403) => HubErrorKind::Forbidden,
        (_, 429) => HubErrorKind::RateLimited,
        (_, 408 | 500 | 502 | 503 | 504 | 520..=527) => HubErrorKind::Server,
        _ => HubErrorKind::Http,
    }
}

fn sentence(kind: HubErrorKind, status: u16, anonymous: bool) -> String {
    let plain = match kind {
        HubErrorKind::RepositoryNotFound => "no such repository, or a private one (Repository Not Found)",
        HubErrorKind::RevisionNotFound => "no such revision (Revision Not Found)",
        HubErrorKind::EntryNotFound => "no such file (Entry Not Found)",
        HubErrorKind::Gated => "access to this repository is gated",
        HubErrorKind::Disabled => "access to this repository is disabled",
        HubErrorKind::Unauthorized if anonymous => "a token is needed (Unauthorized)",
        HubErrorKind::Unauthorized => "the token is not valid (Unauthorized)",
        HubErrorKind::Forbidden => "the token lacks the right to do this (Forbidden)",
        HubErrorKind::RateLimited => "too many requests",
        HubErrorKind::Server => "the server failed",
        _ if status == 404 => "not found",
        _ if status == 416 => "the file does not have the range that was asked (Range Not Satisfiable)",
        _ => "the server refused",
    };
    format!("{plain}: HTTP {status}")
}

/// What the headers add: the range for 416, the bucket for 429.
fn details(status: u16, headers: &HeaderMap, sent: Option<&Sent>) -> String {
    match status {
        416 => {
            let asked = sent.and_then(|s| s.range.clone()).unwrap_or_else(|| "none".to_owned());
            let has = header(headers, "content-range").unwrap_or_else(|| "unknown".to_owned());
            format!("; asked: {}, Content-Range: {}", tame(&asked), tame(&has))
        }
        429 => told(headers).iter().find(|t| t.left <= 0).map_or_else(String::new, |t| {
            let quota = t.policy.map_or_else(String::new, |(q, w)| format!(", {q} requests per {w} s"));
            format!("; the limit {:?}{quota} opens again in {} s", tame(&t.bucket), t.reset)
        }),
        _ => String::new(),
    }
}

fn token_clause(sent: Option<&Sent>) -> String {
    match sent.map(|s| s.token) {
        Some(Some(source)) => format!("A token was sent; it came from {source}."),
        Some(None) => "No token was sent.".to_owned(),
        None => String::new(),
    }
}

fn hint(kind: HubErrorKind, repo: Option<&RepoRef>, sent: Option<&Sent>) -> Option<String> {
    let token = token_clause(sent);
    let text = match kind {
        HubErrorKind::RepositoryNotFound => format!(
            "Check the name and the repo type. A private repository looks missing without a token that may see it: \
             pass token=, set HF_TOKEN, or write it to $HF_HOME/token. {token}"
        ),
        HubErrorKind::Gated => {
            let page = match (repo, sent) {
                (Some(repo), Some(sent)) => {
                    format!("{}/{}{}", sent.endpoint, repo.kind.url_prefix(), repo.id)
                }
                _ => "the repository's page".to_owned(),
            };
            format!(
                "Ask for access at {page} and pass a token of the account that was granted it (token=, HF_TOKEN). \
                 A fine-grained token also needs the right to read gated repositories. {token}"
            )
        }
        HubErrorKind::Unauthorized if sent.is_some_and(|s| s.token.is_none()) => {
            format!("{token} Pass token=, set HF_TOKEN, or log in: `python -m hfhub auth login`.")
        }
        HubErrorKind::Unauthorized => format!(
            "{token} An invalid token makes even public repositories fail: correct it, or pass token=False to go \
             without one."
        ),
        HubErrorKind::Forbidden => {
            format!(
                "{token} Check the rights of the token (huggingface.co/settings/tokens) and of its account."
            )
        }
        HubErrorKind::RateLimited => format!("{token} Fewer workers, or a token, raise the limit."),
        _ => return None,
    };
    Some(text.trim().to_owned())
}

/// Headers of an error answer as users may read them.
fn facts(headers: &HeaderMap) -> Vec<(String, String)> {
    let seen = headers.iter().filter(|(name, _)| *name != SET_COOKIE).take(64);
    let pair = |(name, v): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        Some((name.as_str().to_owned(), tame(v.to_str().ok()?)))
    };
    seen.filter_map(pair).collect()
}

/// As `error_of`, and takes the server's words from the body when the headers have none.
pub(crate) async fn explained(
    mut response: Response,
    url: &Url,
    repo: Option<&RepoRef>,
    path: Option<&str>,
) -> Result<Response, HubError> {
    let Some(error) = error_of(&response, url, repo, path) else {
        return Ok(response);
    };
    if error.context().server_message.is_some() {
        return Err(error);
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ERROR_BODY {
            break;
        }
    }
    let said = words(&body);
    Err(match said {
        Some(said) => error.saying(&said),
        None => error,
    })
}

/// The text in `{"error": …}`, `{"message": …}` or `{"errors": [{"message": …}]}`.
fn words(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |v: &serde_json::Value| v.as_str().map(tame).filter(|t| !t.is_empty());
    let listed = || {
        let all: Vec<String> =
            value.get("errors")?.as_array()?.iter().filter_map(|e| text(e.get("message")?)).collect();
        Some(all.join("; ")).filter(|t| !t.is_empty())
    };
    ["error", "message"].iter().find_map(|key| text(value.get(key)?)).or_else(listed)
}

/// A page for people where data was expected: a login page of a network in between answers everything with 200.
pub(crate) fn refuse_html(response: &Response, url: &Url) -> Result<(), HubError> {
    let html =
        header(response.headers(), "content-type").is_some_and(|t| t.to_lowercase().contains("text/html"));
    if !html {
        return Ok(());
    }
    let message =
        format!("{}: a web page came instead of data (HTTP {})", shown(url), response.status().as_u16());
    let sent = response.extensions().get::<Sent>();
    Err(HubError::new(HubErrorKind::Http, message)
        .with(|c| {
            c.url = Some(shown(url));
            c.status = Some(response.status().as_u16());
            c.request_id = header(response.headers(), "x-request-id").or_else(|| sent.map(|s| s.trace.clone()));
            c.headers = facts(response.headers());
        })
        .with_hint(
            "The network may want a login (captive portal), a proxy may have answered, or HF_ENDPOINT is not a hub.",
        ))
}

/// A request that got no answer.
pub(crate) fn connection_error(doing: &str, url: Option<&Url>, error: reqwest::Error) -> HubError {
    let error = error.without_url(); // addresses may carry signatures
    let what = if error.is_timeout() { "timed out" } else { "failed" };
    let mut deepest = error.to_string();
    let mut unreachable = false;
    let mut texts = deepest.to_lowercase();
    let mut next = StdError::source(&error);
    while let Some(cause) = next {
        deepest = cause.to_string();
        texts.push_str(&deepest.to_lowercase());
        unreachable |= cause.downcast_ref::<std::io::Error>().is_some_and(|e| {
            matches!(
                e.kind(),
                ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
            )
        });
        next = cause.source();
    }
    let unknown_host = texts.contains("dns error") || texts.contains("failed to lookup");
    let untrusted = texts.contains("certificate");
    let place = url.map_or_else(String::new, |u| format!(" at {}", u.origin().ascii_serialization()));
    let hint = if untrusted {
        Some(
            "The server's certificate is not trusted. If a proxy or a private hub has a CA of its own, name its PEM \
             file in SSL_CERT_FILE (REQUESTS_CA_BUNDLE works too).",
        )
    } else if unknown_host {
        Some(
            "The name of the host cannot be resolved: check the network, HF_ENDPOINT and the proxy variables.",
        )
    } else {
        None
    };
    HubError::new(HubErrorKind::Connection, format!("{doing}{place} {what}: {deepest}"))
        .with(|c| {
            c.url = url.map(shown);
            c.unreachable = unreachable || unknown_host || untrusted;
            c.timed_out = error.is_timeout();
            c.hint = hint.map(str::to_owned);
        })
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_in_the_official_order() {
        let cases = [
            ((404, Some("RevisionNotFound"), None, true), HubErrorKind::RevisionNotFound),
            ((404, Some("EntryNotFound"), None, true), HubErrorKind::EntryNotFound),
            (
                (403, Some("GatedRepo"), Some("Access to this resource is disabled."), true),
                HubErrorKind::Gated,
            ),
            ((403, None, Some("Access to this resource is disabled."), true), HubErrorKind::Disabled),
            ((401, Some("RepoNotFound"), None, true), HubErrorKind::RepositoryNotFound),
            ((401, None, None, true), HubErrorKind::RepositoryNotFound),
            (
                (401, None, Some("Invalid credentials in Authorization header"), true),
                HubErrorKind::Unauthorized,
            ),
            ((401, None, None, false), HubErrorKind::Unauthorized),
            ((400, None, None, true), HubErrorKind::BadRequest),
            ((403, None, None, true), HubErrorKind::Forbidden),
            ((429, None, None, true), HubErrorKind::RateLimited),
            ((416, None, None, true), HubErrorKind::Http),
            ((501, None, None, true), HubErrorKind::Http),
            ((503, None, None, true), HubErrorKind::Server),
            ((408, None, None, false), HubErrorKind::Server),
        ];
        for ((status, code, said, of_repo), kind) in cases {
            assert_eq!(kind_of(status, code, said, of_repo), kind, "{status} {code:?} {said:?}");
        }
    }

    #[test]
    fn words_of_a_body() {
        assert_eq!(words(br#"{"error": "no\nway"}"#).as_deref(), Some("no way"));
        assert_eq!(words(br#"{"errors": [{"message": "a"}, {"message": "b"}]}"#).as_deref(), Some("a; b"));
        assert_eq!(words(b"<html>"), None);
        assert_eq!(words(br#"{"error": {"x": 1}}"#), None);
    }
}
