//! Requests for the bytes of one file: where they are, and whether an answer is about the file that was meant.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_RANGE,
    RANGE,
};
use reqwest::{Method, Response};
use tokio::sync::Mutex;
use url::Url;

use super::file::Known;
use super::verify::Verifier;
use super::watchdog::Patience;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::http::answer::{error_of, header};
use crate::http::client::{Redirects, parse, same_origin, shown};
use crate::progress::{Meter, Progress};
use crate::repo::RepoRef;

/// One file to bring.
pub(super) struct Job {
    pub(super) client: HubClient,
    pub(super) repo: RepoRef,
    pub(super) path: String,
    pub(super) etag: String,
    pub(super) size: Option<u64>,
    pub(super) progress: Arc<Progress>,
    pub(super) meter: Meter,
    resolve: Url,
    place: Mutex<Place>,
    /// The server refuses ranges.
    rangeless: AtomicBool,
    /// The validator of the first answer, where the blob's name is no hash: all parts have to be of one version.
    version: OnceLock<String>,
}

/// Where the bytes are, once that is known.
struct Place {
    url: Option<Url>,
    /// How often it was found out.
    generation: u64,
}

/// An answer with bytes of the file.
pub(super) struct Opened {
    pub(super) response: Response,
    pub(super) at: Url,
    /// The first byte that comes.
    pub(super) from: u64,
    /// Whether everything comes, from the start on.
    pub(super) whole: bool,
    /// The file's size as this answer has it.
    pub(super) size: Option<u64>,
}

/// `bytes 0-99/1234` as (0, 100, 1234).
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let (first, last) = (first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?);
    let end = last.checked_add(1).filter(|end| *end > first)?;
    Some((first, end, total.trim().parse().ok()))
}

/// Whether the body is not the bytes themselves. `aws-chunked` is a left-over of uploads, not an encoding of the answer.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let plain = |name: &str| matches!(name.trim(), "" | "identity" | "aws-chunked");
    header(headers, CONTENT_ENCODING.as_str()).filter(|text| !text.to_lowercase().split(',').all(plain))
}

impl Job {
    pub(super) fn new(
        client: HubClient,
        repo: &RepoRef,
        path: &str,
        known: &Known,
        progress: &Arc<Progress>,
    ) -> Result<Self, HubError> {
        let repo = repo.at(&known.commit);
        let resolve = client.resolve_url(&repo, path)?;
        let url = known.location.as_deref().map(parse).transpose()?;
        Ok(Self {
            client,
            repo,
            path: path.to_owned(),
            etag: known.etag.clone(),
            size: known.size,
            progress: progress.clone(),
            meter: Meter::default(),
            resolve,
            place: Mutex::new(Place { url, generation: 0 }),
            rangeless: AtomicBool::new(false),
            version: OnceLock::new(),
        })
    }

    /// What came is not what was promised.
    pub(super) fn mismatch(&self, what: impl Into<String>) -> HubError {
        HubError::new(HubErrorKind::Integrity, what).with(|c| {
            c.repo_id = Some(self.repo.id.clone());
            c.revision = Some(self.repo.revision.clone());
            c.path = Some(self.path.clone());
            c.url = Some(shown(&self.resolve));
        })
    }

    /// The body ended before its time.
    pub(super) fn ended_early(&self) -> HubError {
        HubError::new(HubErrorKind::Connection, format!("{}: the body ended early", self.path))
    }

    /// The hash of everything that came against the blob's name.
    pub(super) fn compare(&self, found: Option<&str>) -> Result<(), HubError> {
        match found {
            Some(hash) if hash != self.etag => {
                let error = self.mismatch(format!("the hash is {hash}, {} was promised", self.etag));
                Err(error.of_hashes(&self.etag, hash))
            }
            _ => Ok(()),
        }
    }

    /// Asks for bytes from `from` on, up to `to` or the end. The answer is checked as far as its head goes.
    pub(super) async fn open(&self, from: u64, to: Option<u64>) -> Result<Opened, HubError> {
        let mut headers: Vec<(HeaderName, String)> = vec![(ACCEPT_ENCODING, "identity".to_owned())];
        if (from > 0 || to.is_some()) && !self.rangeless.load(Ordering::Relaxed) {
            let last = to.or(self.size).map_or_else(String::new, |end| end.saturating_sub(1).to_string());
            headers.push((RANGE, format!("bytes={from}-{last}")));
            if let Some(version) = self.version.get().filter(|v| !v.starts_with("W/")) {
                headers.push((IF_RANGE, version.clone()));
            }
        }
        let (response, at) = match self.ask(&headers).await {
            // A part that must be there is not: this server does not do ranges.
            Err(error) if error.context().status == Some(416) && headers.len() > 1 => {
                self.rangeless.store(true, Ordering::Relaxed);
                self.ask(headers.get(..1).unwrap_or_default()).await?
            }
            done => done?,
        };
        self.checked(response, at, from, to)
    }

    /// As `open`, again while it fails and there is patience.
    pub(super) async fn open_patiently(
        &self,
        from: u64,
        to: Option<u64>,
        patience: &mut Patience,
    ) -> Result<Opened, HubError> {
        loop {
            match self.open(from, to).await {
                Ok(opened) => return Ok(opened),
                Err(error) => self.wait_after(error, patience).await?,
            }
        }
    }

    /// Waits before the next try; the error comes back when there is none.
    pub(super) async fn wait_after(&self, error: HubError, patience: &mut Patience) -> Result<(), HubError> {
        if !self.may_pass(&error) {
            return Err(error);
        }
        tokio::time::sleep(patience.after(error, &self.progress)?).await;
        Ok(())
    }

    /// Whether asking again may help: also where a CDN refuses, since its addresses run out.
    fn may_pass(&self, error: &HubError) -> bool {
        let elsewhere = || {
            let url = error.context().url.as_deref().and_then(|u| Url::parse(u).ok());
            url.is_some_and(|u| !same_origin(&u, &self.resolve))
        };
        error.is_transient() || (matches!(error.context().status, Some(401 | 403 | 404 | 410)) && elsewhere())
    }

    /// Sends the request to where the bytes are. An address that ran out is found anew, once for all who ask.
    async fn ask(&self, headers: &[(HeaderName, String)]) -> Result<(Response, Url), HubError> {
        let (url, generation) = {
            let place = self.place.lock().await;
            (place.url.clone(), place.generation)
        };
        if let Some(url) = url {
            match self.ask_at(&url, headers).await {
                Err(error) if self.is_outdated(&url, &error) => {}
                done => return done,
            }
        }
        let mut place = self.place.lock().await;
        if place.generation != generation
            && let Some(url) = place.url.clone()
        {
            drop(place);
            return self.ask_at(&url, headers).await;
        }
        // Others wait for this answer.
        place.url = None;
        let (response, at) = self.ask_at(&self.resolve, headers).await?;
        place.url = Some(at.clone());
        place.generation += 1;
        Ok((response, at))
    }

    /// Whether an address has to be found anew: refused, gone, or another host that does not answer.
    fn is_outdated(&self, url: &Url, error: &HubError) -> bool {
        let refused = matches!(error.context().status, Some(401 | 403 | 404 | 410));
        let dead = error.kind() == HubErrorKind::Connection && !same_origin(url, &self.resolve);
        *url != self.resolve && (refused || dead)
    }

    async fn ask_at(&self, url: &Url, headers: &[(HeaderName, String)]) -> Result<(Response, Url), HubError> {
        let config = self.client.config();
        let sent = self.client.http().send(config, Method::GET, url, headers, Redirects::Follow);
        let (response, at) = self.client.within(config.transport().read_timeout, sent).await?;
        match error_of(&response, &at, Some(&self.repo), Some(&self.path)) {
            Some(error) => Err(error),
            None => Ok((response, at)),
        }
    }

    fn checked(&self, response: Response, at: Url, from: u64, to: Option<u64>) -> Result<Opened, HubError> {
        let headers = response.headers();
        let length = header(headers, CONTENT_LENGTH.as_str()).and_then(|t| t.trim().parse::<u64>().ok());
        let opened = match response.status().as_u16() {
            200 => (0, true, length),
            206 => {
                let text = header(headers, CONTENT_RANGE.as_str()).unwrap_or_default();
                let Some((start, end, total)) = content_range(&text) else {
                    return Err(self.mismatch(format!("a part came without saying which ({text:?})")));
                };
                if start != from || to.is_some_and(|to| end > to) {
                    return Err(self.mismatch(format!("bytes {from}- were asked for, {text:?} came")));
                }
                if let Some(length) = length.filter(|length| *length != end - start) {
                    return Err(self.mismatch(format!("{length} bytes were announced for {text:?}")));
                }
                (from, false, total)
            }
            status => {
                let message = format!("{}: HTTP {status} is no answer with a file", self.path);
                return Err(HubError::new(HubErrorKind::Http, message).with(|c| c.status = Some(status)));
            }
        };
        let (from, whole, size) = opened;
        let encoded = encoding(headers);
        if let (Some(promised), Some(said)) = (self.size, size)
            && promised != said
        {
            let encoded = encoded.map_or_else(String::new, |e| format!(" (encoded: {e})"));
            return Err(
                self.mismatch(format!("{said} bytes were announced{encoded}, {promised} were promised"))
            );
        }
        // A hash decides whether stored bytes merely carry the header. Without one nobody could tell.
        if let Some(encoded) = encoded
            && (size.is_none() || !Verifier::is_hash(&self.etag))
        {
            return Err(self.mismatch(format!("the body is encoded ({encoded}), which was not asked for")));
        }
        self.check_version(headers)?;
        Ok(Opened { response, at, from, whole, size })
    }

    fn check_version(&self, headers: &HeaderMap) -> Result<(), HubError> {
        if Verifier::is_hash(&self.etag) {
            return Ok(());
        }
        let Some(now) = header(headers, ETAG.as_str()) else {
            return Ok(());
        };
        let first = self.version.get_or_init(|| now.clone());
        if *first == now {
            return Ok(());
        }
        Err(self.mismatch(format!("the file changed on the way: its etag was {first}, now it is {now}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 0-99/1234"), Some((0, 100, Some(1234))));
        assert_eq!(content_range("bytes 5-5/*"), Some((5, 6, None)));
        for bad in [
            "",
            "bytes */1234",
            "bytes 9-3/10",
            "bytes 0-18446744073709551615/1",
            "items 0-1/2",
            "bytes a-b/c",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn encodings() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, reqwest::header::HeaderValue::from_static(text));
            encoding(&headers)
        };
        assert!(of("identity").is_none() && of("aws-chunked").is_none() && of("").is_none());
        assert!(of("gzip").is_some() && of("aws-chunked, gzip").is_some());
    }
}
