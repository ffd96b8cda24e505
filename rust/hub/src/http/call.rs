//! Any request to the hub, for callers that bring their own path: one call, or a listing page by page.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use url::Url;

use super::answer::{connection_error, explained, refuse_html};
use super::client::{Outgoing, Payload, Redirects, parse, shown};
use super::page::next_page;
use super::retry::{limited, with_retries};
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::repo::RepoRef;

/// Longest answer that is taken into memory. Files come another way.
const LONGEST_ANSWER: u64 = 256 << 20;
/// Pages of one listing that are followed at the most.
const MAX_PAGES: u64 = 1_000_000;

/// What a request is about: for error texts and classes only.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The repository at its revision.
    pub repo: Option<RepoRef>,
    /// A path in it.
    pub path: Option<String>,
}

/// A request as the caller describes it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// A path from `/` on, under the endpoint; or an address.
    pub target: String,
    /// Query, a key as often as wanted.
    pub params: Vec<(String, String)>,
    /// More headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body and its type.
    pub body: Option<(Bytes, String)>,
    /// Seconds for one try; the usual when absent.
    pub timeout: Option<Duration>,
    /// Whether to try again after failures that may pass.
    pub retry: bool,
    /// Whether redirects are followed.
    pub follow: bool,
    /// Whether an error status is an error; else it is an answer like others.
    pub check: bool,
    /// What it is about.
    pub subject: Subject,
}

impl Call {
    /// A GET without anything else.
    pub fn get(target: &str) -> Self {
        Self {
            method: Method::GET,
            target: target.to_owned(),
            params: Vec::new(),
            headers: Vec::new(),
            body: None,
            timeout: None,
            retry: true,
            follow: true,
            check: true,
            subject: Subject::default(),
        }
    }
}

/// An answer in memory.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status, below 400 unless it was not checked.
    pub status: u16,
    /// The address that answered; may be signed, so not for logs.
    pub url: Url,
    /// Headers in their order.
    pub headers: reqwest::header::HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// A query or form, percent-encoded.
pub fn encode_pairs(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The whole body; its length is checked before and while it comes.
pub(crate) async fn whole_body(mut response: Response, at: &Url) -> Result<Bytes, HubError> {
    let too_long = || {
        let message = format!("{}: the answer is longer than {} MiB", shown(at), LONGEST_ANSWER >> 20);
        HubError::new(HubErrorKind::Http, message).with(|c| c.url = Some(shown(at)))
    };
    if response.content_length().is_some_and(|n| n > LONGEST_ANSWER) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|e| connection_error("reading the answer", Some(at), e))?
    {
        if (body.len() + chunk.len()) as u64 > LONGEST_ANSWER {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

async fn answer(call: &Call, response: Response, at: Url) -> Result<Answer, HubError> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = if call.method == Method::HEAD { Bytes::new() } else { whole_body(response, &at).await? };
    Ok(Answer { status, url: at, headers, body })
}

/// Whether an address answers in JSON: the API, except for files that it hands out.
fn is_data(url: &Url) -> bool {
    url.path().contains("/api/") && !url.path().contains("/resolve-cache/")
}

impl HubClient {
    /// A deadline for one try; waits for a rate limit are not counted.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, HubError>>,
    ) -> Result<T, HubError> {
        limited(limit, work).await.unwrap_or_else(|| {
            let message =
                format!("asking {} timed out after {} s", self.config().endpoint(), limit.as_secs_f64());
            Err(HubError::new(HubErrorKind::Connection, message).with(|c| c.timed_out = true))
        })
    }

    /// The address of a call's target.
    fn address(&self, call: &Call) -> Result<Url, HubError> {
        let mut url = if call.target.starts_with('/') {
            parse(&format!("{}{}", self.config().endpoint(), call.target))?
        } else {
            parse(&call.target)?
        };
        if !call.params.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.params);
        }
        Ok(url)
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// The kinds of the answer's status (see `http::answer`), `Connection`, `Offline`, `InvalidArgument`.
    pub async fn call(&self, call: &Call) -> Result<Answer, HubError> {
        self.call_at(call, &self.address(call)?).await
    }

    async fn call_at(&self, call: &Call, url: &Url) -> Result<Answer, HubError> {
        if self.config().offline() {
            let message = format!("{}: offline mode is on, no request was made", shown(url));
            return Err(HubError::new(HubErrorKind::Offline, message)
                .with(|c| {
                    c.repo_id = call.subject.repo.as_ref().map(|r| r.id.clone());
                })
                .with_hint("HF_HUB_OFFLINE (or offline=True) forbids requests; unset it to go online."));
        }
        let limit = call.timeout.unwrap_or(self.config().metadata_timeout * 3);
        let once = || self.within(limit, self.call_once(call, url));
        if call.retry { with_retries(self.config(), once).await } else { once().await }
    }

    async fn call_once(&self, call: &Call, url: &Url) -> Result<Answer, HubError> {
        let mut headers = call.headers.clone();
        if !headers.iter().any(|(name, _)| *name == ACCEPT_ENCODING) {
            headers.push((ACCEPT_ENCODING, HeaderValue::from_static("identity")));
        }
        if let Some((_, kind)) = &call.body {
            let kind = HeaderValue::from_str(kind).map_err(|_| {
                HubError::new(HubErrorKind::InvalidArgument, "the content type has a forbidden character")
            })?;
            headers.push((CONTENT_TYPE, kind));
        }
        let out = Outgoing {
            method: call.method.clone(),
            url: url.clone(),
            headers,
            body: call.body.as_ref().map(|(bytes, _)| Payload::Bytes(bytes.clone())),
            redirects: if call.follow { Redirects::Follow } else { Redirects::Stay },
            slow: call.timeout.is_some_and(|limit| limit > self.config().transport().read_timeout),
        };
        let (response, at) = self.http().send_out(self.config(), out).await?;
        let subject = &call.subject;
        if !call.check {
            return answer(call, response, at).await;
        }
        let response = explained(response, &at, subject.repo.as_ref(), subject.path.as_deref()).await?;
        if is_data(url) {
            refuse_html(&response, &at)?;
        }
        answer(call, response, at).await
    }

    /// Starts a listing.
    ///
    /// # Errors
    /// `InvalidArgument` for a target that is no address.
    pub fn pages(&self, call: Call) -> Result<Pages, HubError> {
        Ok(Pages { next: Some(self.address(&call)?), call, seen: 0 })
    }
}

/// A listing, one page at a time. Pages after the first are where `Link: …; rel="next"` says, on the same origin only.
#[derive(Clone, Debug)]
pub struct Pages {
    call: Call,
    next: Option<Url>,
    seen: u64,
}

impl Pages {
    /// The next page; `None` after the last. After an error the same page is asked again.
    ///
    /// # Errors
    /// As `HubClient::call`; `Http` for a page on another origin or a listing that does not end.
    pub async fn advance(&mut self, client: &HubClient) -> Result<Option<Answer>, HubError> {
        let Some(url) = self.next.clone() else {
            return Ok(None);
        };
        let answer = client.call_at(&self.call, &url).await?;
        let next = next_page(&answer.headers, &url)?;
        self.seen += 1;
        if self.seen > MAX_PAGES || next.as_ref() == Some(&url) {
            let message = format!("{}: the listing does not end", shown(&url));
            return Err(HubError::new(HubErrorKind::Http, message).with(|c| c.url = Some(shown(&url))));
        }
        self.next = next;
        Ok(Some(answer))
    }
}
