//! `HubError`: what was asked, what happened, where. Never holds a token; addresses are printed without their query.

use std::error::Error as StdError;
use std::fmt;

/// Kinds of failure, each of which becomes one exception class in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HubErrorKind {
    /// No such repository, or a private one that this token cannot see.
    RepositoryNotFound,
    /// No such branch, tag or commit.
    RevisionNotFound,
    /// No such file.
    EntryNotFound,
    /// The repository wants its terms accepted.
    Gated,
    /// The repository was disabled.
    Disabled,
    /// The token is not valid.
    Unauthorized,
    /// The token may not do this.
    Forbidden,
    /// The server did not understand.
    BadRequest,
    /// Too many requests.
    RateLimited,
    /// The server failed (5xx).
    Server,
    /// Refused, reset, unknown host, timeout.
    Connection,
    /// Offline mode is on.
    Offline,
    /// Not in the cache, and the hub cannot be asked.
    LocalEntryNotFound,
    /// The cache holds a part of a snapshot, and the hub cannot be asked for the rest.
    IncompleteSnapshot,
    /// What a download would do cannot be said, since the hub cannot be asked.
    DryRun,
    /// A forced download without a hub to fetch from.
    ForceDownload,
    /// Wrong length or hash.
    Integrity,
    /// No space left.
    DiskFull,
    /// Another process holds a lock for too long.
    LockTimeout,
    /// A repository id that cannot be one.
    InvalidRepoId,
    /// Another argument that cannot be right.
    InvalidArgument,
    /// A stored token was asked for and there is none.
    TokenNotFound,
    /// Reading or writing local files failed.
    Io,
    /// An archive that is broken, unknown, or would write outside its folder.
    Archive,
    /// An archive that unpacks to more than is allowed.
    ArchiveLimit,
    /// Any other answer.
    Http,
}

/// Facts of a failure.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Address asked, without its query.
    pub url: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// `X-Request-Id`, to quote to the hub's people.
    pub request_id: Option<String>,
    /// `X-Error-Code`.
    pub error_code: Option<String>,
    /// `X-Error-Message`.
    pub server_message: Option<String>,
    /// Repository id.
    pub repo_id: Option<String>,
    /// Revision.
    pub revision: Option<String>,
    /// Path in the repository, or of a local file.
    pub path: Option<String>,
    /// First of the bytes that were asked for, where it was a range.
    pub offset: Option<u64>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Seconds that the server asked to wait.
    pub retry_after: Option<f64>,
    /// How often it was tried, where it was tried more than once.
    pub tries: Option<u32>,
    /// Headers of the error answer.
    pub headers: Vec<(String, String)>,
    /// Whether nobody listens there, or nobody that is trusted: more tries are of little use.
    pub unreachable: bool,
    /// Whether time ran out.
    pub timed_out: bool,
    /// Folder of an incomplete snapshot.
    pub snapshot_path: Option<String>,
    /// Files that an incomplete snapshot lacks.
    pub missing: Vec<String>,
    /// The hash that was promised.
    pub expected: Option<String>,
    /// The hash of what came.
    pub actual: Option<String>,
}

/// An error of the hub client.
#[derive(Debug)]
pub struct HubError {
    kind: HubErrorKind,
    message: String,
    context: Box<Context>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl HubError {
    /// An error without facts.
    pub fn new(kind: HubErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), context: Box::default(), source: None }
    }

    /// What kind of failure.
    pub fn kind(&self) -> HubErrorKind {
        self.kind
    }

    /// The facts.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Fills in facts.
    #[must_use]
    pub fn with(mut self, fill: impl FnOnce(&mut Context)) -> Self {
        fill(&mut self.context);
        self
    }

    /// The same failure as another kind.
    #[must_use]
    pub(crate) fn into_kind(mut self, kind: HubErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.with(|c| c.hint = Some(hint))
    }

    /// Keeps both hashes of wrong bytes.
    #[must_use]
    pub(crate) fn of_hashes(self, expected: &str, actual: &str) -> Self {
        self.with(|c| {
            c.expected = Some(expected.to_owned());
            c.actual = Some(actual.to_owned());
        })
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Says how often and how long it was tried.
    #[must_use]
    pub(crate) fn tried(mut self, tries: u32, time: std::time::Duration) -> Self {
        if tries > 1 && self.context.tries.is_none() {
            let said = format!(" (tried {tries} times over {:.1} s)", time.as_secs_f64());
            self.message.push_str(&said);
            self.context.tries = Some(tries);
        }
        self
    }

    /// Names the bytes that were asked for, and the file where the text does not.
    #[must_use]
    pub(crate) fn of_range(mut self, range: &std::ops::Range<u64>, name: &str) -> Self {
        let of = if self.message.contains(name) { String::new() } else { format!(" of {name}") };
        let said = format!(" (bytes {}-{}{of})", range.start, range.end.saturating_sub(1));
        self.message.push_str(&said);
        self.with(|c| c.offset = Some(range.start))
    }

    /// Names the file that was being sent.
    #[must_use]
    pub(crate) fn of_upload(mut self, name: &str, repo: &str) -> Self {
        if !self.message.contains(name) {
            self.message = format!("uploading {name} to {repo}: {}", self.message);
        }
        self.with(|c| c.path = Some(name.to_owned()))
    }

    /// Adds the server's words, which came late.
    #[must_use]
    pub(crate) fn saying(mut self, words: &str) -> Self {
        self.message = format!("{}, {words}", self.message);
        self.with(|c| c.server_message = Some(words.to_owned()))
    }

    /// Whether the other end cannot be reached at all.
    pub(crate) fn is_refused(&self) -> bool {
        self.context.unreachable
    }

    /// Whether asking again may help.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.kind, HubErrorKind::Connection | HubErrorKind::Server | HubErrorKind::RateLimited)
    }

    /// A local file operation that failed.
    pub(crate) fn io(what: &str, path: &std::path::Path, error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge => HubErrorKind::DiskFull,
            _ => HubErrorKind::Io,
        };
        let path = path.to_string_lossy().into_owned();
        let made = Self::new(kind, format!("cannot {what} {path}: {error}")).with(|c| c.path = Some(path));
        let made = made.with_source(error);
        if kind == HubErrorKind::DiskFull {
            return made.with_hint("Free space, or point HF_HUB_CACHE to a larger disk, and try again.");
        }
        made
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.context.status.is_some()
            && let Some(id) = &self.context.request_id
        {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

impl StdError for HubError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|s| s.as_ref() as &(dyn StdError + 'static))
    }
}
