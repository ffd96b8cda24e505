//! The HTTP client: connections, redirects and who may see the token.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT};
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

    /// Sends one request, following redirects by hand. The token goes to the endpoint's origin only.
    pub(crate) async fn send(
        &self,
        config: &HubConfig,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, String)],
        redirects: Redirects,
    ) -> Result<(Response, Url), HubError> {
        let endpoint = parse(config.endpoint())?;
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.client(&url)?.request(method.clone(), url.clone());
            request = request.headers(self.headers(config, headers, same_origin(&url, &endpoint))?);
            let response =
                request.send().await.map_err(|e| connection_error("asking the hub", Some(&url), e))?;
            let Some(next) = redirect_target(&response, &url)? else {
                return Ok((response, url));
            };
            if redirects == Redirects::Metadata
                && (response.headers().contains_key("x-linked-etag") || !same_origin(&url, &next))
            {
                return Ok((response, url));
            }
            url = next;
        }
        Err(HubError::new(HubErrorKind::Http, format!("more than {MAX_REDIRECTS} redirects"))
            .with(|c| c.url = Some(shown(&url))))
    }

    #[expect(clippy::unused_self, reason = "headers may come to depend on the client")]
    fn headers(
        &self,
        config: &HubConfig,
        more: &[(HeaderName, String)],
        trusted: bool,
    ) -> Result<HeaderMap, HubError> {
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| {
                HubError::new(
                    HubErrorKind::InvalidArgument,
                    "a header (or the token) has a character that HTTP forbids",
                )
            })
        };
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, value(config.user_agent())?);
        for (name, text) in more {
            headers.insert(name.clone(), value(text)?);
        }
        if trusted && let Some(token) = config.token() {
            let mut secret = value(&format!("Bearer {}", token.reveal()))?;
            secret.set_sensitive(true);
            headers.insert(AUTHORIZATION, secret);
        }
        Ok(headers)
    }
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
