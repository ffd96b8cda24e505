//! Connections: certificates, proxies and time limits of a `reqwest::Client`, one for each set of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use url::Url;

use super::answer::connection_error;
use super::proxy::Proxies;
use crate::error::{HubError, HubErrorKind};

/// A connection that takes longer is not coming. Shared over the addresses of a host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// No answer takes longer; who sends a body watches over it in another way.
const UNHURRIED: Duration = Duration::from_secs(86_400);
/// Sets of settings that are kept; a process has one or two.
const MAX_CLIENTS: usize = 16;

/// Certificates that take the place of the system's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Authorities {
    /// The variables that name them.
    variables: &'static str,
    file: Option<PathBuf>,
    folder: Option<PathBuf>,
}

impl Authorities {
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`; without them what was set for requests or curl.
    pub(crate) fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let path = |name: &str| get(name).map(PathBuf::from);
        let (file, folder) = (path("SSL_CERT_FILE"), path("SSL_CERT_DIR"));
        if file.is_some() || folder.is_some() {
            let variables = match (&file, &folder) {
                (Some(_), Some(_)) => "SSL_CERT_FILE and SSL_CERT_DIR",
                (Some(_), None) => "SSL_CERT_FILE",
                _ => "SSL_CERT_DIR",
            };
            return Some(Self { variables, file, folder });
        }
        ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].into_iter().find_map(|variables| {
            let place = path(variables)?;
            let (file, folder) = if place.is_dir() { (None, Some(place)) } else { (Some(place), None) };
            Some(Self { variables, file, folder })
        })
    }

    fn load(&self) -> Result<rustls::ClientConfig, HubError> {
        let found = rustls_native_certs::load_certs_from_paths(self.file.as_deref(), self.folder.as_deref());
        let mut roots = rustls::RootCertStore::empty();
        let (good, _) = roots.add_parsable_certificates(found.certs);
        if good == 0 {
            let why = found.errors.first().map_or_else(String::new, |e| format!(": {e}"));
            let shown =
                [&self.file, &self.folder].into_iter().flatten().map(|p| p.to_string_lossy().into_owned());
            let message = format!(
                "no certificate was found where {} says ({}){why}",
                self.variables,
                shown.collect::<Vec<_>>().join(", ")
            );
            return Err(HubError::new(HubErrorKind::Io, message).with_hint(
                "It must name a PEM file (or a folder of them). Unset it to use the system's certificates.",
            ));
        }
        Ok(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }
}

/// What makes two connections different.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Transport {
    pub(crate) authorities: Option<Authorities>,
    pub(crate) proxies: Proxies,
    pub(crate) read_timeout: Duration,
}

impl Transport {
    /// The same without a limit for the time between a request and its answer: sending a body may take long.
    pub(crate) fn unhurried(&self) -> Self {
        Self { read_timeout: UNHURRIED, ..self.clone() }
    }
}

/// The clients of a process.
#[derive(Default)]
pub(crate) struct Clients(Mutex<HashMap<(Transport, bool), reqwest::Client>>);

impl Clients {
    /// The client for an address. Certificates are loaded with the first `https` one: an `http://` mirror should not
    /// wait for them.
    pub(crate) fn of(&self, transport: &Transport, url: &Url) -> Result<reqwest::Client, HubError> {
        let tls = url.scheme() == "https" || transport.proxies.over_tls();
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(transport.clone(), tls)) {
            return Ok(client.clone());
        }
        let made = build(transport, tls)?;
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        clients.insert((transport.clone(), tls), made.clone());
        Ok(made)
    }
}

fn build(transport: &Transport, tls: bool) -> Result<reqwest::Client, HubError> {
    builder(transport, tls)?.build().map_err(|e| connection_error("preparing the HTTP client", None, e))
}

#[allow(clippy::disallowed_methods, reason = "the home of HTTP clients")]
fn builder(transport: &Transport, tls: bool) -> Result<reqwest::ClientBuilder, HubError> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // another library may have been first
    // HTTP/1.1: parallel ranges shall have connections of their own.
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(transport.read_timeout)
        .pool_max_idle_per_host(64)
        .tcp_nodelay(true);
    if transport.proxies.any() {
        let route = transport.proxies.parsed()?;
        builder = builder.proxy(reqwest::Proxy::custom(move |url| route.proxy(url)));
    }
    let preconfigured = match (&transport.authorities, tls) {
        (_, false) => Some(
            rustls::ClientConfig::builder()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        ),
        (Some(authorities), true) => Some(authorities.load()?),
        (None, true) => None,
    };
    if let Some(config) = preconfigured {
        builder = builder.tls_backend_preconfigured(config);
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn a_host_whose_first_address_refuses_is_reached_at_its_second() {
        #[allow(clippy::disallowed_methods, reason = "a test")]
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let addresses: Vec<SocketAddr> = [format!("[::1]:{port}"), format!("127.0.0.1:{port}")]
                .iter()
                .map(|a| a.parse().unwrap())
                .collect();
            let answer = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 512];
                let _ = stream.read(&mut asked).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            };
            let transport = Transport {
                authorities: None,
                proxies: Proxies::default(),
                read_timeout: Duration::from_secs(10),
            };
            let made =
                builder(&transport, false).unwrap().no_proxy().resolve_to_addrs("both.test", &addresses);
            let asked = made.build().unwrap().get(format!("http://both.test:{port}/")).send();
            let (response, ()) = tokio::join!(asked, answer);
            assert_eq!(response.unwrap().text().await.unwrap(), "ok");
        });
    }
}
