//! `HubConfig`: every setting as a value. `from_env` is the only reader of the environment in this crate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};

use crate::auth::{self, Token, TokenChoice, TokenSource};
use crate::error::{HubError, HubErrorKind};
use crate::http::client::value;
use crate::http::proxy::Proxies;
use crate::http::transport::{Authorities, Transport};

/// The official default of `HF_HUB_ETAG_TIMEOUT`.
const ETAG_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time for one logical request, its retries and waits included (`HFHUB_TOTAL_TIMEOUT`): two windows of the Hub's
/// rate limit. Bodies of files are not bound by it.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(600);

/// Settings of a client.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "switches that users set one by one")]
pub struct HubConfig {
    endpoint: String,
    token: Option<Token>,
    token_source: Option<TokenSource>,
    stored_token: Option<(Token, TokenSource)>,
    state_dir: Option<PathBuf>,
    transport: Transport,
    cache_dir: PathBuf,
    offline: bool,
    user_agent: String,
    origin: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    symlinks: bool,
    pub(crate) symlinks_warning: bool,
    pub(crate) locks: LockMode,
    /// How long the commit of a branch that another process of this machine asked for is good enough.
    pub(crate) revision_ttl: Duration,
    pub(crate) metadata_timeout: Duration,
    pub(crate) total_timeout: Duration,
    pub(crate) max_retries: u32,
    pub(crate) retry_base: Duration,
    pub(crate) outages: Outages,
    pub(crate) lock_timeout: Duration,
    /// Connections for the parts of large files (`HFHUB_CONNECTIONS`).
    pub(crate) connections: usize,
    /// Whether files that are read from start to end have their hash compared.
    pub(crate) stream_hashes: bool,
}

/// How processes wait for each other (`HFHUB_LOCKS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockMode {
    /// `flock`, and files where the file system does not know it.
    Flock,
    /// Files that exist while they are held.
    Soft,
    /// Not at all: the same file may be downloaded more than once.
    Off,
}

/// How long a server that is away is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outages {
    /// At the start of something.
    Short,
    /// In the middle (see `HubConfig::patient`).
    Long,
}

/// With several ranks visible, they need not all ask which commit a branch is.
const RANKS_REVISION_TTL: f64 = 60.0;

impl HubConfig {
    /// Settings as the environment gives them (`HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_HUB_OFFLINE`…).
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one reader of the environment")]
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
    }

    /// Settings from any source of variables.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Self {
        let flag = |name: &str| {
            get(name).is_some_and(|v| matches!(v.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
        };
        let seconds = |name: &str, default: u64| {
            let value = get(name).and_then(|v| v.trim().parse::<u64>().ok()).filter(|v| *v > 0);
            Duration::from_secs(value.unwrap_or(default))
        };
        let whole = |name: &str| get(name).and_then(|v| v.trim().parse::<u32>().ok());
        let fraction = |name: &str| {
            get(name)
                .and_then(|v| v.trim().parse::<f64>().ok())
                .and_then(|v| Duration::try_from_secs_f64(v).ok())
        };
        let ranks = get("WORLD_SIZE").and_then(|v| v.trim().parse::<u64>().ok()).is_some_and(|n| n > 1);
        let home_dir =
            get("HOME").or_else(|| get("USERPROFILE")).map_or_else(|| PathBuf::from("."), PathBuf::from);
        let expand = |text: String| {
            let path = match text.strip_prefix('~') {
                Some("") => home_dir.to_string_lossy().into_owned(),
                Some(rest) if rest.starts_with('/') => format!("{}{rest}", home_dir.to_string_lossy()),
                _ => text,
            };
            PathBuf::from(with_variables(&path, &get))
        };
        let home = get("HF_HOME").map_or_else(
            || get("XDG_CACHE_HOME").map_or_else(|| home_dir.join(".cache"), expand).join("huggingface"),
            expand,
        );
        let cache_dir = get("HF_HUB_CACHE")
            .or_else(|| get("HUGGINGFACE_HUB_CACHE"))
            .map_or_else(|| home.join("hub"), expand);
        let token_file = get("HF_TOKEN_PATH").map_or_else(|| home.join("token"), expand);
        let stored_token = auth::stored([get("HF_TOKEN"), get("HUGGING_FACE_HUB_TOKEN")], &token_file);
        let implicit = stored_token.clone().filter(|_| !flag("HF_HUB_DISABLE_IMPLICIT_TOKEN"));
        let (token, token_source) = implicit.unzip();
        let read_timeout = seconds("HF_HUB_DOWNLOAD_TIMEOUT", 10);
        Self {
            endpoint: trimmed(&get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned())),
            token,
            token_source,
            stored_token,
            state_dir: Some(home.join("hfhub").join("rate")),
            transport: Transport {
                authorities: Authorities::from_lookup(&get),
                proxies: Proxies::from_lookup(&get),
                read_timeout,
            },
            cache_dir,
            offline: flag("HF_HUB_OFFLINE") || flag("TRANSFORMERS_OFFLINE"),
            user_agent: format!("hfhub/{}", env!("CARGO_PKG_VERSION")),
            origin: get("HF_HUB_USER_AGENT_ORIGIN"),
            headers: Vec::new(),
            symlinks: !flag("HF_HUB_DISABLE_SYMLINKS"),
            symlinks_warning: !flag("HF_HUB_DISABLE_SYMLINKS_WARNING"),
            locks: match get("HFHUB_LOCKS").as_deref().map(str::trim) {
                Some("soft") => LockMode::Soft,
                Some("off") => LockMode::Off,
                _ => LockMode::Flock,
            },
            revision_ttl: fraction("HFHUB_REVISION_TTL").unwrap_or(Duration::from_secs_f64(if ranks {
                RANKS_REVISION_TTL
            } else {
                0.0
            })),
            metadata_timeout: seconds("HF_HUB_ETAG_TIMEOUT", ETAG_TIMEOUT.as_secs()),
            total_timeout: seconds("HFHUB_TOTAL_TIMEOUT", TOTAL_TIMEOUT.as_secs()),
            max_retries: whole("HFHUB_MAX_RETRIES").unwrap_or(5),
            retry_base: Duration::from_millis(whole("HFHUB_RETRY_BASE_MS").unwrap_or(500).into()),
            outages: Outages::Short,
            lock_timeout: fraction("HFHUB_LOCK_TIMEOUT").unwrap_or(Duration::from_secs(600)),
            connections: whole("HFHUB_CONNECTIONS").map_or(8, |n| (n as usize).clamp(1, 64)),
            stream_hashes: true,
        }
    }

    /// Another endpoint.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: &str) -> Self {
        self.endpoint = trimmed(endpoint);
        self
    }

    /// Another cache folder.
    #[must_use]
    pub fn with_cache_dir(mut self, folder: PathBuf) -> Self {
        self.cache_dir = folder;
        self
    }

    /// Offline or not.
    #[must_use]
    pub fn with_offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// More fields (`name/version`, separated by `;`) for the user agent; those that it has are not repeated.
    #[must_use]
    pub fn with_user_agent(mut self, more: &str) -> Self {
        for field in more.split(';').map(str::trim).filter(|f| !f.is_empty()) {
            if !self.user_agent.split("; ").any(|known| known == field) {
                self.user_agent = format!("{}; {field}", self.user_agent);
            }
        }
        self
    }

    /// Headers for every request to the endpoint. Their values are treated as secrets.
    ///
    /// # Errors
    /// `InvalidArgument` for a name or value that HTTP forbids.
    pub fn with_headers<'a>(
        mut self,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, HubError> {
        for (name, text) in headers {
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                HubError::new(HubErrorKind::InvalidArgument, format!("{name:?} is not the name of a header"))
            })?;
            let mut secret = value(text)?;
            secret.set_sensitive(true);
            self.headers.push((parsed, secret));
        }
        Ok(self)
    }

    /// Longest wait for an answer about a file. `HF_HUB_ETAG_TIMEOUT` wins when it is set.
    #[must_use]
    pub fn with_etag_timeout(mut self, limit: Duration) -> Self {
        if self.metadata_timeout == ETAG_TIMEOUT {
            self.metadata_timeout = limit;
        }
        self
    }

    /// First wait between retries and how many there are.
    #[must_use]
    pub fn with_retries(mut self, retries: u32, base: Duration) -> Self {
        (self.max_retries, self.retry_base) = (retries, base);
        self
    }

    /// Whether files that are read from start to end, and not downloaded, have their hash compared.
    #[must_use]
    pub fn with_stream_hashes(mut self, wanted: bool) -> Self {
        self.stream_hashes = wanted;
        self
    }

    /// For those who are in the middle of something: a server that is away for a minute costs a minute, not the run. It is
    /// asked more often, and not much later than it is back.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.outages = Outages::Long;
        self
    }

    /// Chooses the token.
    ///
    /// # Errors
    /// `TokenNotFound` if the stored one is demanded and there is none.
    pub fn with_token(mut self, choice: TokenChoice) -> Result<Self, HubError> {
        let implicit = self.token.zip(self.token_source);
        (self.token, self.token_source) = auth::choose(choice, implicit, self.stored_token.clone())?.unzip();
        Ok(self)
    }

    /// The hub's address, without a final `/`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The token to send.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Where the token comes from.
    pub fn token_source(&self) -> Option<TokenSource> {
        self.token_source
    }

    /// Folder of the rate budget that processes share.
    pub(crate) fn state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }

    /// Certificates, proxies, time limits.
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The cache folder.
    pub fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    /// Whether requests are forbidden.
    pub fn offline(&self) -> bool {
        self.offline
    }

    /// The user agent.
    pub fn user_agent(&self) -> String {
        match &self.origin {
            Some(origin) => format!("{}; origin/{origin}", self.user_agent),
            None => self.user_agent.clone(),
        }
    }

    /// Headers for every request to the endpoint.
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// Whether snapshots are links to blobs.
    pub fn symlinks(&self) -> bool {
        self.symlinks
    }
}

/// `$NAME` and `${NAME}` put in, as Python's `os.path.expandvars` does; what is not set stays as it is.
fn with_variables(text: &str, get: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = text.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, rest) = match part.strip_prefix('{').and_then(|p| p.split_once('}')) {
            Some(found) => found,
            None => part.split_at(part.find(|c| !word(c)).unwrap_or(part.len())),
        };
        match get(name).filter(|_| !name.is_empty()) {
            Some(value) => out.extend([value.as_str(), rest]),
            None => out.extend(["$", part]),
        }
    }
    out
}

fn trimmed(endpoint: &str) -> String {
    endpoint.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> HubConfig {
        HubConfig::from_lookup(|name| pairs.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn folders_follow_the_variables() {
        assert_eq!(config(&[("HOME", "/h")]).cache_dir(), Path::new("/h/.cache/huggingface/hub"));
        assert_eq!(config(&[("HF_HOME", "/x")]).cache_dir(), Path::new("/x/hub"));
        assert_eq!(config(&[("HOME", "/h"), ("HF_HUB_CACHE", "~/c")]).cache_dir(), Path::new("/h/c"));
        assert_eq!(config(&[("XDG_CACHE_HOME", "/d")]).cache_dir(), Path::new("/d/huggingface/hub"));
    }

    #[test]
    fn retries_can_be_set() {
        assert_eq!(config(&[]).max_retries, 5);
        let set = config(&[("HFHUB_MAX_RETRIES", "0"), ("HFHUB_RETRY_BASE_MS", "20")]);
        assert_eq!((set.max_retries, set.retry_base), (0, Duration::from_millis(20)));
        assert_eq!(config(&[("HFHUB_RETRY_BASE_MS", "soon")]).retry_base, Duration::from_millis(500));
    }

    #[test]
    fn ranks_share_the_commit_of_a_branch() {
        let ttl = |pairs: &[(&str, &str)]| config(pairs).revision_ttl.as_millis();
        assert_eq!(ttl(&[]), 0);
        assert_eq!(ttl(&[("WORLD_SIZE", "1")]), 0);
        assert_eq!(ttl(&[("WORLD_SIZE", "8")]), 60_000);
        assert_eq!(ttl(&[("WORLD_SIZE", "8"), ("HFHUB_REVISION_TTL", "0")]), 0);
        assert_eq!(ttl(&[("HFHUB_REVISION_TTL", "1.5")]), 1_500);
        assert_eq!(config(&[("HFHUB_LOCK_TIMEOUT", "0.5")]).lock_timeout, Duration::from_millis(500));
        assert_eq!(config(&[("HFHUB_LOCKS", "soft")]).locks, LockMode::Soft);
    }

    #[test]
    fn variables_in_folders() {
        let at = |cache: &str| {
            config(&[("HOME", "/h"), ("S", "/s"), ("U_1", "u"), ("HF_HUB_CACHE", cache)])
                .cache_dir()
                .to_owned()
        };
        for (text, path) in [
            ("$S/c", "/s/c"),
            ("${S}c", "/sc"),
            ("~/$U_1/$NONE/${NONE}", "/h/u/$NONE/${NONE}"),
            ("/a$", "/a$"),
            ("/a${S", "/a${S"),
            ("/$$S", "/$/s"),
            ("~", "/h"),
            ("~x/c", "~x/c"),
        ] {
            assert_eq!(at(text), Path::new(path), "{text}");
        }
    }

    #[test]
    fn tokens_and_flags() {
        let found =
            config(&[("HF_TOKEN", " a\n"), ("HUGGING_FACE_HUB_TOKEN", "b"), ("HF_HUB_OFFLINE", "yes")]);
        assert_eq!(found.token().map(Token::reveal), Some("a"));
        assert!(found.offline());
        assert!(config(&[("HF_TOKEN", "a"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token().is_none());
        assert_eq!(config(&[("HF_ENDPOINT", "http://h/x/")]).endpoint(), "http://h/x");
        assert!(config(&[("HF_TOKEN_PATH", "/nonexistent")]).with_token(TokenChoice::Stored).is_err());
    }
}
