//! The HTTP client: redirects, identity, and who may see the token.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, COOKIE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION, RANGE, USER_AGENT,
};
use reqwest::{Method, Response};
use url::Url;

use super::answer::{Sent, connection_error, header};
use super::budget::{Account, Budget, Shared, Ticket, epoch};
use super::page::is_hub;
use super::pulse::PULSE;
use super::random;
use super::retry::{time_left, wait_politely};
use super::transport::Clients;
use crate::config::HubConfig;
use crate::error::{HubError, HubErrorKind};
use crate::upload::body::Part;

/// As many as the official client follows.
const MAX_REDIRECTS: usize = 20;
/// Brakes shorter than this are no use.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
/// Warnings of the server that are kept.
const MAX_WARNINGS: usize = 64;
const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Connections, budget and warnings of a process, shared by its clients. Clones are the same.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

#[derive(Default)]
struct Inner {
    clients: Clients,
    budget: Budget,
    warnings: Mutex<Warnings>,
}

#[derive(Default)]
struct Warnings {
    topics: HashSet<String>,
    fresh: Vec<String>,
}

/// Scheme, host and port: what may see a token.
pub(crate) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

/// An address for messages: without query (signatures) and credentials.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}

/// Parses an address.
pub(crate) fn parse(text: &str) -> Result<Url, HubError> {
    Url::parse(text).map_err(|e| {
        HubError::new(HubErrorKind::InvalidArgument, format!("{text:?} is not an address: {e}"))
            .with_hint("HF_ENDPOINT must look like https://huggingface.co")
    })
}

/// How a request treats redirects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// Follow them all, the token dropped on another origin.
    Follow,
    /// Follow none.
    Stay,
    /// Follow on the same origin only, and not past an answer that describes the file already.
    Metadata,
}

impl Http {
    /// Prepares a client; connections and certificates come with the first request.
    ///
    /// # Errors
    /// `InvalidArgument` if the endpoint is no address.
    pub fn new(config: &HubConfig) -> Result<Self, HubError> {
        parse(config.endpoint())?;
        Ok(Self(Arc::default()))
    }

    /// Warnings that servers sent (`X-HF-Warning: topic; text`), each topic once.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner).fresh)
    }

    fn note_warnings(&self, headers: &HeaderMap) {
        for text in headers.get_all("x-hf-warning").iter().filter_map(|v| v.to_str().ok()) {
            let (topic, message) = text.split_once(';').unwrap_or(("", text));
            let mut warnings = self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner);
            if warnings.topics.len() < MAX_WARNINGS && warnings.topics.insert(topic.trim().to_owned()) {
                warnings.fresh.push(message.trim().to_owned());
            }
        }
    }

    /// Waits for this request's turn, if the server is known to count.
    async fn turn(
        &self,
        config: &HubConfig,
        account: &Account,
        url: &Url,
        shared: Shared<'_>,
    ) -> Result<Ticket, HubError> {
        let mut waited = false;
        loop {
            let wait = match self.0.budget.ask(account, url, shared, waited).await {
                Ok((ticket, brake)) => {
                    let brake = Duration::try_from_secs_f64(brake).unwrap_or_default();
                    if brake > SHORTEST_WAIT {
                        wait_politely(brake).await;
                    }
                    return Ok(ticket);
                }
                Err(until) => Duration::try_from_secs_f64(until - epoch()).unwrap_or_default(),
            };
            if wait > time_left(config) {
                let message = format!(
                    "{}: the rate limit of this server is used up; it opens in {} s, which is past the deadline",
                    shown(url),
                    wait.as_secs() + 1
                );
                return Err(HubError::new(HubErrorKind::RateLimited, message)
                    .with(|c| {
                        c.url = Some(shown(url));
                        c.retry_after = Some(wait.as_secs_f64());
                    })
                    .with_hint("A token raises the limit; HFHUB_TOTAL_TIMEOUT moves the deadline."));
            }
            PULSE.rate_waits.fetch_add(1, Ordering::Relaxed);
            wait_politely(wait).await;
            waited = true;
        }
    }

    /// Sends one request without a body, following redirects by hand.
    pub(crate) async fn send(
        &self,
        config: &HubConfig,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, String)],
        redirects: Redirects,
    ) -> Result<(Response, Url), HubError> {
        let headers = headers.iter().map(|(name, text)| Ok((name.clone(), value(text)?)));
        let headers = headers.collect::<Result<_, HubError>>()?;
        self.send_out(
            config,
            Outgoing { method, url: url.clone(), headers, body: None, redirects, slow: false },
        )
        .await
    }

    /// Sends one request, following redirects by hand. The token goes to the endpoint's origin only.
    pub(crate) async fn send_out(
        &self,
        config: &HubConfig,
        mut out: Outgoing,
    ) -> Result<(Response, Url), HubError> {
        let endpoint = parse(config.endpoint())?;
        let trace = random::uuid4();
        for _ in 0..=MAX_REDIRECTS {
            let trusted = same_origin(&out.url, &endpoint);
            let mut response = self.hop(config, &out, trusted, &trace).await?;
            let next = match out.redirects {
                Redirects::Stay => None,
                _ => redirect_target(&response, &out.url)?,
            };
            let stay = next.as_ref().is_none_or(|next| {
                out.redirects == Redirects::Metadata && describes(&response, &out.url, next)
            });
            let Some(next) = next.filter(|_| !stay) else {
                response.extensions_mut().insert(Sent {
                    token: config.token_source().filter(|_| trusted),
                    range: out.text(&RANGE),
                    trace,
                    endpoint: config.endpoint().to_owned(),
                });
                return Ok((response, out.url));
            };
            out.redirected(response.status().as_u16(), next);
        }
        let message = format!("{}: more than {MAX_REDIRECTS} redirects (a loop?)", shown(&out.url));
        Err(HubError::new(HubErrorKind::Http, message).with(|c| {
            c.url = Some(shown(&out.url));
            c.request_id = Some(trace);
        }))
    }

    /// One request and the head of its answer.
    async fn hop(
        &self,
        config: &HubConfig,
        out: &Outgoing,
        trusted: bool,
        trace: &str,
    ) -> Result<Response, HubError> {
        let client = if out.slow {
            self.0.clients.of(&config.transport().unhurried(), &out.url)?
        } else {
            self.0.clients.of(config.transport(), &out.url)?
        };
        let token = config.token().filter(|_| trusted).map(crate::auth::Token::reveal);
        let account = Account::new(&out.url, token);
        let shared = Shared(config.state_dir().filter(|_| trusted));
        let ticket = self.turn(config, &account, &out.url, shared).await?;
        let mut request = client.request(out.method.clone(), out.url.clone());
        request = request.headers(headers(config, &out.headers, trusted, trace)?);
        if let Some(body) = &out.body {
            request = match body {
                Payload::Bytes(bytes) => request.body(bytes.clone()),
                Payload::Part(part) => request.body(part.body()),
            };
        }
        PULSE.requests.fetch_add(1, Ordering::Relaxed);
        let response = request.send().await.map_err(|e| {
            connection_error("asking the hub", Some(&out.url), e)
                .with(|c| c.request_id = Some(trace.to_owned()))
        })?;
        ticket.answered(response.status().as_u16(), response.headers(), shared).await;
        self.note_warnings(response.headers());
        Ok(response)
    }
}

/// A request on its way.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Option<Payload>,
    pub(crate) redirects: Redirects,
    /// Whether the caller watches over its time: the answer may come long after the request began.
    pub(crate) slow: bool,
}

/// What a request sends.
#[derive(Clone)]
pub(crate) enum Payload {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A part of a file, read while it is sent.
    Part(Part),
}

impl Outgoing {
    /// Goes on at another address. After 303, and after 301 and 302 to a POST, it is a GET without a body; 307 and 308
    /// repeat the request as it was, with its body: the hub says where that goes. A caller's own credentials stay with the
    /// first origin.
    fn redirected(&mut self, status: u16, next: Url) {
        let changes = status == 303 || (matches!(status, 301 | 302) && self.method == Method::POST);
        if changes && self.method != Method::HEAD {
            self.method = Method::GET;
            self.body = None;
            self.headers.retain(|(name, _)| *name != CONTENT_TYPE);
        }
        if !same_origin(&self.url, &next) {
            let secret = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];
            self.headers.retain(|(name, _)| !secret.contains(name));
        }
        self.url = next;
    }

    fn text(&self, wanted: &HeaderName) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(name, _)| name == wanted)?;
        value.to_str().ok().map(str::to_owned)
    }
}

/// A header's value; the error does not repeat it, since it may be a secret.
pub(crate) fn value(text: &str) -> Result<HeaderValue, HubError> {
    HeaderValue::from_str(text).map_err(|_| {
        let message = "a header (or the token) has a character that HTTP forbids";
        HubError::new(HubErrorKind::InvalidArgument, message)
    })
}

/// The headers of one hop. The token and the headers of the client's settings go to the endpoint's origin only.
fn headers(
    config: &HubConfig,
    more: &[(HeaderName, HeaderValue)],
    trusted: bool,
    trace: &str,
) -> Result<HeaderMap, HubError> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, value(&config.user_agent())?);
    headers.insert(TRACE, value(trace)?);
    if trusted {
        if let Some(token) = config.token() {
            let mut secret = value(&format!("Bearer {}", token.reveal()))?;
            secret.set_sensitive(true);
            headers.insert(AUTHORIZATION, secret);
        }
        for (name, text) in config.headers() {
            headers.insert(name.clone(), text.clone());
        }
    }
    for (name, text) in more {
        headers.insert(name.clone(), text.clone());
    }
    Ok(headers)
}

/// Whether a redirect tells what is asked about a file, so that its target need not be asked. A mirror that sends to the
/// Hub and says nothing itself is followed there (without the token, as to any other origin).
fn describes(response: &Response, from: &Url, next: &Url) -> bool {
    let headers = response.headers();
    if headers.contains_key("x-linked-etag") {
        return true;
    }
    let passed_on = is_hub(next) && next.scheme() == "https" && !headers.contains_key(ETAG);
    !same_origin(from, next) && !passed_on
}

/// Where a redirect leads; `None` for any other answer.
pub(crate) fn redirect_target(response: &Response, from: &Url) -> Result<Option<Url>, HubError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(target) = header(response.headers(), LOCATION.as_str()) else {
        return Ok(None);
    };
    let mut next = from.join(&target).map_err(|e| {
        HubError::new(HubErrorKind::Http, format!("a redirect to an address that cannot be read: {e}"))
            .with(|c| c.url = Some(shown(from)))
    })?;
    if !matches!(next.scheme(), "http" | "https") {
        return Err(HubError::new(HubErrorKind::Http, "a redirect to something that is not HTTP")
            .with(|c| c.url = Some(shown(from))));
    }
    // Credentials in a redirect would go out as basic authentication.
    let _ = next.set_username("");
    let _ = next.set_password(None);
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn origins() {
        let url = |text: &str| Url::parse(text).unwrap();
        assert!(same_origin(&url("https://h/a"), &url("https://h:443/b")));
        for other in ["http://h/a", "https://h2/a", "https://h:444/a", "https://h.evil/a"] {
            assert!(!same_origin(&url("https://h/a"), &url(other)), "{other}");
        }
        assert_eq!(shown(&url("https://u:p@h/a?Signature=x#f")), "https://h/a");
    }
}
