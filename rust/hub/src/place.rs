//! Where the bytes of a remote file are: resolved once for all its ranges, and again, once for all, when a signed
//! address ran out.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderName, RANGE};
use reqwest::{Method, Response};
use url::Url;

use crate::client::HubClient;
use crate::download::watchdog::{Patience, Watch};
use crate::error::{HubError, HubErrorKind};
use crate::http::answer::{error_of, header};
use crate::http::client::{Redirects, shown};
use crate::http::retry::with_retries;
use crate::progress::Progress;
use crate::repo::RepoRef;

/// Addresses of others that a call tries.
const SHARED: usize = 2;

/// What a file is called.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A file of a repository, at the commit that the listing or the first answer named.
    Hub { repo: RepoRef, path: String },
    /// Any address.
    Web { url: Url },
}

impl Target {
    /// For messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Hub { repo, path } => format!("{path} of {}", repo.shown()),
            Self::Web { url } => shown(url),
        }
    }
}

/// What is known of the place. A later answer bumps `turn`, so that a failure at an old address renews only once.
#[derive(Clone, Default)]
struct Known {
    at: Option<Url>,
    turn: u64,
    etag: Option<(String, String)>,
    ranges_ignored: bool,
}

/// A file's place, shared by every reader of the file.
pub(crate) struct Place {
    client: HubClient,
    target: Target,
    size: Option<u64>,
    known: Mutex<Known>,
    /// Held by the one request that finds the address; the others wait for its answer.
    resolving: tokio::sync::Mutex<()>,
}

/// An answer whose body is about to come.
pub(crate) struct Opened {
    pub(crate) response: Response,
    pub(crate) url: Url,
    /// Bytes to pass over: the server ignored the range and sends the file from its start.
    pub(crate) skip: u64,
}

impl Place {
    pub(crate) fn new(client: HubClient, target: Target, size: Option<u64>, at: Option<Url>) -> Arc<Self> {
        let known = Known { at, ..Known::default() };
        Arc::new(Self {
            client,
            target,
            size,
            known: Mutex::new(known),
            resolving: tokio::sync::Mutex::default(),
        })
    }

    /// The same place for another client. After a fork a lock may be held for ever by a thread that is gone, so nothing is
    /// waited for: then the address is asked for anew.
    pub(crate) fn again(&self, client: HubClient) -> Arc<Self> {
        let known = match self.known.try_lock() {
            Ok(known) => known.clone(),
            Err(TryLockError::Poisoned(known)) => known.into_inner().clone(),
            Err(TryLockError::WouldBlock) => Known::default(),
        };
        Arc::new(Self {
            client,
            target: self.target.clone(),
            size: self.size,
            known: Mutex::new(known),
            resolving: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn client(&self) -> &HubClient {
        &self.client
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether a range was ever answered with the whole file.
    pub(crate) fn ranges_ignored(&self) -> bool {
        self.with(|k| k.ranges_ignored)
    }

    pub(crate) fn set_ranges_ignored(&self) {
        self.with(|k| k.ranges_ignored = true);
    }

    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for bytes `range` (to the end where `end` is unknown), with the usual retries.
    ///
    /// # Errors
    /// As for a download; `Integrity` if the file is not the one that was opened.
    pub(crate) async fn open(&self, start: u64, end: Option<u64>) -> Result<Opened, HubError> {
        let turn = self.with(|k| k.turn);
        match with_retries(self.client.config(), || self.open_once(start, end)).await {
            // One answer may be damaged on its way, or come of one server of many: a file that is another says so again.
            Err(error) if error.kind() == HubErrorKind::Integrity => {
                self.forget(turn);
                with_retries(self.client.config(), || self.open_once(start, end)).await
            }
            done => done,
        }
    }

    async fn open_once(&self, start: u64, end: Option<u64>) -> Result<Opened, HubError> {
        self.online()?;
        // An address that somebody else renewed may have run out again: then this call finds one of its own.
        let mut refused = 0;
        loop {
            if let (Some(at), turn) = self.with(|k| (k.at.clone(), k.turn))
                && refused < SHARED
            {
                match self.ask(&at, start, end).await {
                    Err(error) if ran_out(&error) => {
                        refused += 1;
                        self.forget(turn);
                    }
                    Err(error) => {
                        // The next try asks the hub again: it may name another host.
                        if matches!(error.kind(), HubErrorKind::Connection | HubErrorKind::Server) {
                            self.forget(turn);
                        }
                        return Err(error);
                    }
                    done => return done,
                }
            }
            let _one = self.resolving.lock().await;
            if refused < SHARED && self.with(|k| k.at.is_some()) {
                continue; // somebody else found it while this call waited
            }
            let first = self.first_address()?;
            let opened = match self.ask(&first, start, end).await {
                // The host that was just named does not know the file or the signature yet: it is named once more.
                Err(error) if ran_out(&error) && elsewhere(&error, &first) => {
                    self.ask(&first, start, end).await
                }
                done => done,
            }?;
            self.with(|k| k.at = Some(opened.url.clone()));
            return Ok(opened);
        }
    }

    /// Drops the address that failed, unless it was renewed since.
    fn forget(&self, turn: u64) {
        self.with(|k| {
            if k.turn == turn {
                k.at = None;
                k.turn += 1;
            }
        });
    }

    fn online(&self) -> Result<(), HubError> {
        match &self.target {
            Target::Hub { repo, .. } => self.client.online(repo),
            Target::Web { .. } => self.client.online_web(&self.target.shown()),
        }
    }

    fn first_address(&self) -> Result<Url, HubError> {
        match &self.target {
            Target::Hub { repo, path } => self.client.resolve_url(repo, path),
            Target::Web { url } => Ok(url.clone()),
        }
    }

    async fn send(&self, at: &Url, range: Option<String>) -> Result<(Response, Url), HubError> {
        let mut headers: Vec<(HeaderName, String)> = vec![(ACCEPT_ENCODING, "identity".to_owned())];
        headers.extend(range.map(|range| (RANGE, range)));
        let config = self.client.config();
        let sent = self.client.http().send(config, Method::GET, at, &headers, Redirects::Follow);
        self.client.within(config.metadata_timeout * 3, sent).await
    }

    async fn ask(&self, at: &Url, start: u64, end: Option<u64>) -> Result<Opened, HubError> {
        let whole = start == 0 && (end.is_none() || end == self.size);
        let last = end.map_or_else(String::new, |end| (end - 1).to_string());
        let range = (!whole).then(|| format!("bytes={start}-{last}"));
        let (mut response, mut url) = self.send(at, range).await?;
        if response.status().as_u16() == 416 && !whole {
            // The range lies inside the size that was said, so the server refuses ranges, or the file shrank: the
            // whole file tells.
            (response, url) = self.send(at, None).await?;
        }
        let (repo, path) = match &self.target {
            Target::Hub { repo, path } => (Some(repo), Some(path.as_str())),
            Target::Web { .. } => (None, None),
        };
        if response.status().as_u16() == 416 {
            return Err(self.changed("a range inside it does not exist any more", &url));
        }
        if let Some(error) = error_of(&response, &url, repo, path) {
            return Err(missing_page(error, repo.is_none()));
        }
        let skip = self.check(&response, &url, start, whole)?;
        Ok(Opened { response, url, skip })
    }

    /// Whether the answer belongs to the file that was opened. Returns how many bytes to pass over.
    fn check(&self, response: &Response, url: &Url, start: u64, whole: bool) -> Result<u64, HubError> {
        let headers = response.headers();
        let text = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
        if text(CONTENT_ENCODING).is_some_and(|e| !e.eq_ignore_ascii_case("identity")) {
            return Err(self.odd("compressed bytes, though plain ones were asked", url));
        }
        let skip = match response.status().as_u16() {
            206 => {
                let sent = text(CONTENT_RANGE).and_then(content_range);
                let Some((first, total)) = sent else {
                    return Err(self.odd("a part without saying which (no Content-Range)", url));
                };
                if first != start {
                    return Err(self.odd(&format!("bytes from {first} where {start} was asked"), url));
                }
                self.same_size(total, url)?;
                0
            }
            200 => {
                self.same_size(text(CONTENT_LENGTH).and_then(|l| l.parse().ok()), url)?;
                if !whole {
                    self.set_ranges_ignored();
                }
                start
            }
            status => return Err(self.odd(&format!("HTTP {status}"), url)),
        };
        self.same_etag(header(headers, "etag"), url)?;
        Ok(skip)
    }

    fn same_size(&self, total: Option<u64>, url: &Url) -> Result<(), HubError> {
        match (self.size, total) {
            (Some(size), Some(total)) if size != total => {
                Err(self.changed(&format!("it had {size} bytes and has {total}"), url))
            }
            _ => Ok(()),
        }
    }

    /// Etags are compared between answers of one host: another host may name the same bytes differently.
    fn same_etag(&self, etag: Option<String>, url: &Url) -> Result<(), HubError> {
        let Some(etag) = etag else {
            return Ok(());
        };
        let host = url.origin().ascii_serialization();
        let same = self.with(|k| match &k.etag {
            Some((before, first)) if *before == host => *first == etag,
            _ => {
                k.etag = Some((host, etag));
                true
            }
        });
        if same { Ok(()) } else { Err(self.changed("its etag is another", url)) }
    }

    fn changed(&self, what: &str, url: &Url) -> HubError {
        let message = format!("{} changed while it was read: {what}", self.target.shown());
        self.named(HubErrorKind::Integrity, message, url).with_hint("Open it again to read the new content.")
    }

    fn odd(&self, what: &str, url: &Url) -> HubError {
        self.named(HubErrorKind::Http, format!("{}: the server sent {what}", self.target.shown()), url)
    }

    /// An error with the facts of this file.
    pub(crate) fn named(&self, kind: HubErrorKind, message: String, url: &Url) -> HubError {
        self.about(kind, message).with(|c| c.url = Some(shown(url)))
    }

    /// A failure of this file, wherever it was.
    pub(crate) fn about(&self, kind: HubErrorKind, message: String) -> HubError {
        self.located(HubError::new(kind, message))
    }

    /// The failure with the file's name among its facts.
    pub(crate) fn located(&self, error: HubError) -> HubError {
        error.with(|c| match &self.target {
            Target::Hub { repo, path } => {
                c.repo_id.get_or_insert_with(|| repo.id.clone());
                c.revision.get_or_insert_with(|| repo.revision.clone());
                c.path.get_or_insert_with(|| path.clone());
            }
            Target::Web { url } => {
                c.url.get_or_insert_with(|| shown(url));
            }
        })
    }

    /// Bytes `range` of a file of known size into `into`, continued after cuts.
    ///
    /// # Errors
    /// As `open`; `Connection` when the body keeps ending early.
    pub(crate) async fn fill(&self, range: Range<u64>, into: &mut bytes::BytesMut) -> Result<(), HubError> {
        let wanted = range.end - range.start;
        let mut patience = Patience::new(self.client.config());
        let progress = Progress::default();
        while (into.len() as u64) < wanted {
            let before = into.len();
            let Opened { mut response, url, mut skip } =
                self.open(range.start + before as u64, Some(range.end)).await?;
            let mut watch = Watch::new(self.client.config().transport().read_timeout);
            let failure = loop {
                let left = wanted - into.len() as u64;
                if left == 0 {
                    return Ok(());
                }
                match watch.chunk(&mut response, &url, &progress).await {
                    Ok(Some(chunk)) => {
                        let from = usize::try_from(skip).map_or(chunk.len(), |s| s.min(chunk.len()));
                        skip -= from as u64;
                        let rest = chunk.slice(from..);
                        let take = usize::try_from(left).map_or(rest.len(), |l| l.min(rest.len()));
                        into.extend_from_slice(&rest.slice(..take));
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            patience.received((into.len() - before) as u64, Some(wanted - before as u64));
            self.wait(&mut patience, &progress, failure, &url).await?;
        }
        Ok(())
    }

    /// After a body that ended early: waits before the next try, or gives up when hardly anything came for too long.
    ///
    /// # Errors
    /// `Connection` when it gives up.
    pub(crate) async fn wait(
        &self,
        patience: &mut Patience,
        progress: &Progress,
        failure: Option<HubError>,
        url: &Url,
    ) -> Result<(), HubError> {
        let ended = || {
            let message = format!("{}: the body ended early", self.target.shown());
            self.named(HubErrorKind::Connection, message, url)
        };
        tokio::time::sleep(patience.after(failure.unwrap_or_else(ended), progress)?).await;
        Ok(())
    }
}

/// A page of the web that is not there is a missing file too.
fn missing_page(error: HubError, web: bool) -> HubError {
    match error.context().status {
        Some(404 | 410) if web && error.kind() == HubErrorKind::Http => {
            error.into_kind(HubErrorKind::EntryNotFound)
        }
        _ => error,
    }
}

/// Whether an address that worked before has run out.
fn ran_out(error: &HubError) -> bool {
    matches!(error.context().status, Some(401 | 403 | 404 | 410))
}

/// Whether the answer came from another host than was asked.
fn elsewhere(error: &HubError, asked: &Url) -> bool {
    let answered = error.context().url.as_deref().and_then(|url| Url::parse(url).ok());
    answered.is_some_and(|url| url.origin() != asked.origin())
}

/// `bytes 5-9/100`: first byte, and the whole length where it is said.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?);
    (first <= last).then(|| (first, total.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::content_range;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 5-9/100"), Some((5, Some(100))));
        assert_eq!(content_range("bytes 0-0/*"), Some((0, None)));
        for bad in ["bytes */100", "bytes 9-5/100", "items 0-1/2", "", "bytes a-b/c"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
