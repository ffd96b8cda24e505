//! The HTTP client: connections, redirects and who may see the token.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use reqwest::{Method, Response};
use url::Url;

use super::answer::connection_error;
use crate::config::HubConfig;
use crate::error::{HubError, HubErrorKind};

const MAX_REDIRECTS: usize = 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections, shared by every client of a process. Clones are the same connections.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    /// Without certificates: an `http://` mirror should not wait for them to be loaded.
    plain: reqwest::Client,
    tls: OnceLock<reqwest::Client>,
    read_timeout: Duration,
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
    /// Prepares a client; certificates are loaded with the first `https` request.
    ///
    /// # Errors
    /// `Connection` if the TLS set-up fails.
    pub fn new(config: &HubConfig) -> Result<Self, HubError> {
        let _ = rustls::crypto::ring::default_provider().install_default(); // another library may have been first
        let empty = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let plain = Self::builder(config.read_timeout)
            .tls_backend_preconfigured(empty)
            .build()
            .map_err(|e| connection_error("preparing the HTTP client", None, e))?;
        Ok(Self(Arc::new(Inner { plain, tls: OnceLock::new(), read_timeout: config.read_timeout })))
    }

    #[allow(clippy::disallowed_methods, reason = "the home of HTTP clients")]
    fn builder(read_timeout: Duration) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(read_timeout)
            .pool_max_idle_per_host(64)
            .tcp_nodelay(true)
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, HubError> {
        if url.scheme() != "https" {
            return Ok(&self.0.plain);
        }
        if let Some(client) = self.0.tls.get() {
            return Ok(client);
        }
        let made = Self::builder(self.0.read_timeout)
            .build()
            .map_err(|e| connection_error("preparing the HTTPS client", Some(url), e))?;
        Ok(self.0.tls.get_or_init(|| made))
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
        self.send_out(config, Outgoing { method, url: url.clone(), headers, body: None, redirects }).await
    }

    /// Sends one request, following redirects by hand. The token goes to the endpoint's origin only.
    pub(crate) async fn send_out(
        &self,
        config: &HubConfig,
        mut out: Outgoing,
    ) -> Result<(Response, Url), HubError> {
        let endpoint = parse(config.endpoint())?;
        for _ in 0..=MAX_REDIRECTS {
            let trusted = same_origin(&out.url, &endpoint);
            let mut request = self.client(&out.url)?.request(out.method.clone(), out.url.clone());
            request = request.headers(headers(config, &out.headers, trusted)?);
            if let Some(body) = &out.body {
                request = request.body(body.clone());
            }
            let response =
                request.send().await.map_err(|e| connection_error("asking the hub", Some(&out.url), e))?;
            let next = match out.redirects {
                Redirects::Stay => None,
                _ => redirect_target(&response, &out.url)?,
            };
            let Some(next) = next else {
                return Ok((response, out.url));
            };
            if out.redirects == Redirects::Metadata
                && (response.headers().contains_key("x-linked-etag") || !same_origin(&out.url, &next))
            {
                return Ok((response, out.url));
            }
            out.redirected(response.status().as_u16(), next);
        }
        Err(HubError::new(HubErrorKind::Http, format!("more than {MAX_REDIRECTS} redirects"))
            .with(|c| c.url = Some(shown(&out.url))))
    }
}

/// A request on its way.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Option<Bytes>,
    pub(crate) redirects: Redirects,
}

impl Outgoing {
    /// Goes on at another address. After 303, and after 301 and 302 to a POST, it is a GET without a body; 307 and 308
    /// repeat the request as it was. A caller's own credentials stay with the first origin, and so does a body.
    fn redirected(&mut self, status: u16, next: Url) {
        let changes = status == 303 || (matches!(status, 301 | 302) && self.method == Method::POST);
        if changes && self.method != Method::HEAD {
            self.method = Method::GET;
            self.body = None;
            self.headers.retain(|(name, _)| *name != CONTENT_TYPE);
        }
        if !same_origin(&self.url, &next) {
            self.headers.retain(|(name, _)| *name != AUTHORIZATION && *name != COOKIE);
        }
        self.url = next;
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
) -> Result<HeaderMap, HubError> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, value(config.user_agent())?);
    if trusted {
        if let Some(token) = config.token() {
            let mut secret = value(&format!("Bearer {}", token.reveal()))?;
            secret.set_sensitive(true);
            headers.insert(AUTHORIZATION, secret);
        }
        headers.extend(config.headers().iter().cloned());
    }
    headers.extend(more.iter().cloned());
    Ok(headers)
}

/// Where a redirect leads; `None` for any other answer.
pub(crate) fn redirect_target(response: &Response, from: &Url) -> Result<Option<Url>, HubError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(target) = response.headers().get(LOCATION).and_then(|v| v.to_str().ok()) else {
        return Ok(None);
    };
    let next = from.join(target).map_err(|e| {
        HubError::new(HubErrorKind::Http, format!("a redirect to an address that cannot be read: {e}"))
            .with(|c| c.url = Some(shown(from)))
    })?;
    if !matches!(next.scheme(), "http" | "https") {
        return Err(HubError::new(HubErrorKind::Http, "a redirect to something that is not HTTP")
            .with(|c| c.url = Some(shown(from))));
    }
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
