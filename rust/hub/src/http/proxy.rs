//! Which proxy a request goes through: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, lower case first.

use std::fmt;
use std::net::IpAddr;

use url::Url;

use crate::error::{HubError, HubErrorKind};

/// The variables as they were when the settings were read.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Proxies {
    http: Option<String>,
    https: Option<String>,
    all: Option<String>,
    none: Vec<String>,
}

impl fmt::Debug for Proxies {
    /// Says which are set: addresses of proxies hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("all", &self.all.is_some())
            .field("none", &self.none)
            .finish()
    }
}

impl Proxies {
    pub(crate) fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Self {
        let either = |lower: &str| get(lower).or_else(|| get(&lower.to_uppercase()));
        // In a CGI program HTTP_PROXY is a header of the request (CVE-2016-5385).
        let cgi = get("REQUEST_METHOD").is_some();
        let none = either("no_proxy").unwrap_or_default();
        Self {
            http: if cgi { get("http_proxy") } else { either("http_proxy") },
            https: either("https_proxy"),
            all: either("all_proxy"),
            none: none.split(',').map(|e| e.trim().to_ascii_lowercase()).filter(|e| !e.is_empty()).collect(),
        }
    }

    pub(crate) fn any(&self) -> bool {
        self.http.is_some() || self.https.is_some() || self.all.is_some()
    }

    /// Whether a proxy itself is spoken to over TLS.
    pub(crate) fn over_tls(&self) -> bool {
        [&self.http, &self.https, &self.all].into_iter().flatten().any(|p| p.starts_with("https://"))
    }

    /// Reads the addresses.
    pub(crate) fn parsed(&self) -> Result<Route, HubError> {
        let read = |name: &str, text: &Option<String>| {
            let Some(text) = text else {
                return Ok(None);
            };
            let text = if text.contains("://") { text.clone() } else { format!("http://{text}") };
            let known = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
            Url::parse(&text)
                .ok()
                .filter(|u| u.has_host() && known.contains(&u.scheme()))
                .map(Some)
                .ok_or_else(|| {
                    HubError::new(
                        HubErrorKind::InvalidArgument,
                        format!("{name} is not the address of a proxy"),
                    )
                    .with_hint("It must look like http://host:port or socks5h://host:port.")
                })
        };
        let all = read("ALL_PROXY", &self.all)?;
        Ok(Route {
            http: read("HTTP_PROXY", &self.http)?.or_else(|| all.clone()),
            https: read("HTTPS_PROXY", &self.https)?.or(all),
            none: self.none.clone(),
        })
    }
}

/// Proxies, ready to be asked.
#[derive(Clone)]
pub(crate) struct Route {
    http: Option<Url>,
    https: Option<Url>,
    none: Vec<String>,
}

impl Route {
    /// The proxy for an address.
    pub(crate) fn proxy(&self, url: &Url) -> Option<Url> {
        if self.none.iter().any(|entry| exempt(entry, url)) {
            return None;
        }
        if url.scheme() == "https" { self.https.clone() } else { self.http.clone() }
    }
}

/// Whether an entry of `NO_PROXY` is about an address: `*`, a host and its subdomains, an IP, a CIDR block; each may end
/// in a port.
fn exempt(entry: &str, url: &Url) -> bool {
    if entry == "*" {
        return true;
    }
    let entry = entry.split_once("://").map_or(entry, |(_, rest)| rest);
    let (name, port) = split_port(entry);
    if port.is_some_and(|p| Some(p) != url.port_or_known_default()) {
        return false;
    }
    let Some(host) = url.host_str() else {
        return false;
    };
    let host = host.trim_matches(['[', ']']);
    if let Ok(address) = host.parse::<IpAddr>() {
        return match name.split_once('/') {
            Some((net, bits)) => in_block(address, net, bits),
            None => name.parse::<IpAddr>().is_ok_and(|a| a == address),
        };
    }
    let name = name.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
    let host = host.trim_end_matches('.');
    !name.is_empty() && (host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')))
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[') {
        let (name, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (name, after.strip_prefix(':').and_then(|p| p.parse().ok()));
    }
    match entry.split_once(':') {
        Some((name, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None), // no port, or an IPv6 address
    }
}

fn in_block(address: IpAddr, net: &str, bits: &str) -> bool {
    let (Ok(net), Ok(bits)) = (net.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(n)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        (IpAddr::V6(a), IpAddr::V6(n)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn proxies(pairs: &[(&str, &str)]) -> Proxies {
        Proxies::from_lookup(|name| pairs.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()))
    }

    fn chosen(pairs: &[(&str, &str)], url: &str) -> Option<String> {
        let route = proxies(pairs).parsed().unwrap();
        route.proxy(&Url::parse(url).unwrap()).map(|u| u.to_string())
    }

    #[test]
    fn variables() {
        let both = [("HTTP_PROXY", "http://up:1"), ("http_proxy", "low:2"), ("ALL_PROXY", "socks5h://all:3")];
        assert_eq!(chosen(&both, "http://h/").as_deref(), Some("http://low:2/"));
        assert_eq!(chosen(&both, "https://h/").as_deref(), Some("socks5h://all:3"));
        assert_eq!(chosen(&[("HTTPS_PROXY", "http://p")], "http://h/"), None);
        assert_eq!(chosen(&[("HTTP_PROXY", "http://p"), ("REQUEST_METHOD", "GET")], "http://h/"), None);
        assert!(proxies(&[("HTTP_PROXY", "http://")]).parsed().is_err());
        assert!(
            proxies(&[("ALL_PROXY", "ftp://secret@h")])
                .parsed()
                .is_err_and(|e| !e.to_string().contains("secret"))
        );
        assert!(!format!("{:?}", proxies(&[("HTTP_PROXY", "http://u:secret@p")])).contains("secret"));
    }

    #[test]
    fn exemptions() {
        let yes = [
            ("*", "http://h/"),
            ("h.org", "http://h.org/"),
            (".h.org", "http://a.h.org/"),
            ("*.h.org", "http://a.b.h.org/"),
            ("h.org:8080", "http://h.org:8080/"),
            ("h.org:80", "http://h.org/"),
            ("127.0.0.1", "http://127.0.0.1:9/"),
            ("10.0.0.0/8", "http://10.9.8.7/"),
            ("0.0.0.0/0", "http://1.2.3.4/"),
            ("::1", "http://[::1]:8/"),
            ("[::1]:8", "http://[::1]:8/"),
            ("fd00::/8", "http://[fd12::1]/"),
        ];
        for (entry, url) in yes {
            assert!(exempt(entry, &Url::parse(url).unwrap()), "{entry} {url}");
        }
        let no = [
            ("h.org", "http://bad-h.org/"),
            ("h.org", "http://h.org.evil/"),
            ("h.org:8080", "http://h.org/"),
            ("10.0.0.0/8", "http://11.0.0.1/"),
            ("10.0.0.0/40", "http://10.0.0.1/"),
            ("127.0.0.1", "http://127.0.0.11/"),
            ("", "http://h/"),
            (".", "http://h/"),
            ("fd00::/8", "http://10.0.0.1/"),
        ];
        for (entry, url) in no {
            assert!(!exempt(entry, &Url::parse(url).unwrap()), "{entry} {url}");
        }
    }
}
