//! `RemoteFile`: a file of the hub, or of any web server, read by byte ranges.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use reqwest::Method;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, LAST_MODIFIED, RANGE,
};

use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::http::answer::{error_of, header};
use crate::http::client::{Redirects, parse};
use crate::http::retry::with_retries;
use crate::place::{Place, Target};
use crate::repo::{RepoRef, safe_path};
use crate::stream::RemoteStream;

/// Ranges closer than this are fetched as one (HUB_PROTOCOL 5.3: a request costs more than these bytes).
const GAP: u64 = 256 << 10;
/// Ranges longer than this are fetched in parts side by side.
const PART: u64 = 16 << 20;
/// Room for longer ranges is not made before they come.
const AT_ONCE: u64 = 256 << 20;
/// Parts of one call that are under way at a time.
const AT_A_TIME: usize = 8;

/// A remote file. Clones share its place, so they resolve its address once together.
#[derive(Clone)]
pub struct RemoteFile {
    place: Arc<Place>,
    etag: Option<String>,
    web: Option<Arc<WebFacts>>,
}

/// What a web server says about a file.
#[derive(Clone, Debug, Default)]
pub struct WebFacts {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Last-Modified`, as sent.
    pub last_modified: Option<String>,
}

impl HubClient {
    /// Opens a file for range reads: one request, which pins the commit.
    ///
    /// # Errors
    /// As `file_metadata`; `Http` if the hub does not say the length.
    pub async fn open_remote(&self, repo: &RepoRef, path: &str) -> Result<RemoteFile, HubError> {
        let named = |error: HubError| {
            error.with(|c| {
                c.path.get_or_insert_with(|| path.to_owned());
            })
        };
        let meta = self.file_metadata(repo, path).await.map_err(named)?;
        let size = meta.size.ok_or_else(|| {
            HubError::new(
                HubErrorKind::Http,
                format!("{path} of {}: the hub does not say its length", repo.shown()),
            )
        })?;
        let target = Target::Hub { repo: repo.at(&meta.commit), path: path.to_owned() };
        let place = Place::new(self.clone(), target, Some(size), Some(parse(&meta.location)?));
        Ok(RemoteFile { place, etag: Some(meta.etag), web: None })
    }

    /// A file that a listing of a commit described: no request before the first byte is wanted.
    ///
    /// # Errors
    /// `InvalidArgument` for an unsafe path or a revision that is not a full commit.
    pub fn open_listed(
        &self,
        repo: &RepoRef,
        path: &str,
        size: u64,
        etag: Option<&str>,
    ) -> Result<RemoteFile, HubError> {
        if !repo.is_commit() {
            let message = format!("{}: only a full commit pins what a listing said", repo.shown());
            return Err(HubError::new(HubErrorKind::InvalidArgument, message));
        }
        let target = Target::Hub { repo: repo.clone(), path: safe_path(path)?.to_owned() };
        let place = Place::new(self.clone(), target, Some(size), None);
        Ok(RemoteFile { place, etag: etag.map(str::to_owned), web: None })
    }

    /// Fails in offline mode.
    pub(crate) fn online_web(&self, shown: &str) -> Result<(), HubError> {
        if !self.config().offline() {
            return Ok(());
        }
        let message = format!("{shown}: offline mode is on, no request was made");
        Err(HubError::new(HubErrorKind::Offline, message)
            .with(|c| c.url = Some(shown.to_owned()))
            .with_hint("HF_HUB_OFFLINE (or offline=True) forbids requests; unset it to go online."))
    }

    /// Opens any `http://` or `https://` address: one request for its first byte, which tells the length and whether
    /// the server knows ranges. The token goes to the hub's own origin only.
    ///
    /// # Errors
    /// `EntryNotFound` for 404 and 410, else as for a download; `InvalidArgument` for another scheme.
    pub async fn open_web(&self, url: &str) -> Result<RemoteFile, HubError> {
        let url = parse(url)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            let message = format!("{}: only http and https are read", crate::http::client::shown(&url));
            return Err(HubError::new(HubErrorKind::InvalidArgument, message));
        }
        self.online_web(&crate::http::client::shown(&url))?;
        let headers: [(HeaderName, String); 2] =
            [(ACCEPT_ENCODING, "identity".to_owned()), (RANGE, "bytes=0-0".to_owned())];
        let config = self.config();
        with_retries(config, || async {
            let sent = self.http().send(config, Method::GET, &url, &headers, Redirects::Follow);
            let (response, at) = self.within(config.metadata_timeout * 3, sent).await?;
            let status = response.status().as_u16();
            if let Some(error) = error_of(&response, &at, None, None).filter(|_| status != 416) {
                let missing = matches!(status, 404 | 410);
                return Err(if missing { error.into_kind(HubErrorKind::EntryNotFound) } else { error });
            }
            let found = response.headers();
            let total = found
                .get(CONTENT_RANGE)
                .and_then(|v| v.to_str().ok()?.rsplit_once('/')?.1.trim().parse().ok());
            let length = found.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
            let size = if matches!(status, 206 | 416) { total } else { length };
            let target = Target::Web { url: url.clone() };
            let place = Place::new(self.clone(), target, size, Some(at));
            if status != 206 && size != Some(0) {
                place.set_ranges_ignored();
            }
            let text = |name: HeaderName| header(found, name.as_str());
            let web = WebFacts { content_type: text(CONTENT_TYPE), last_modified: text(LAST_MODIFIED) };
            let etag = header(found, "etag");
            Ok(RemoteFile { place, etag, web: Some(Arc::new(web)) })
        })
        .await
    }
}

impl RemoteFile {
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The same file over another client: for a forked child, or to wait longer for a server. No request is made.
    #[must_use]
    pub fn over(&self, client: HubClient) -> Self {
        Self { place: self.place.again(client), etag: self.etag.clone(), web: self.web.clone() }
    }

    /// The client that asks.
    pub fn client(&self) -> &HubClient {
        self.place.client()
    }

    /// Length in bytes; 0 where a web server does not say it (see `size`).
    #[expect(clippy::len_without_is_empty, reason = "a file, not a collection")]
    pub fn len(&self) -> u64 {
        self.size().unwrap_or(0)
    }

    /// Length in bytes, where it is known.
    pub fn size(&self) -> Option<u64> {
        self.place.size()
    }

    /// The name of the content: a hash for files of the hub.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The commit, for a file of the hub.
    pub fn commit(&self) -> Option<&str> {
        match self.place.target() {
            Target::Hub { repo, .. } => Some(&repo.revision),
            Target::Web { .. } => None,
        }
    }

    /// What a web server said.
    pub fn web(&self) -> Option<&WebFacts> {
        self.web.as_deref()
    }

    /// Whether ranges come alone; false once the server answered one with the whole file.
    pub fn ranges(&self) -> bool {
        self.size().is_some() && !self.place.ranges_ignored()
    }

    /// The file from `start` on (to `end`, or to its own), in constant memory. A whole file of the hub is verified.
    pub fn stream(&self, start: u64, end: Option<u64>) -> RemoteStream {
        RemoteStream::new(self.clone(), start, end)
    }

    /// One range, clamped to the file; long ones come in parts side by side.
    ///
    /// # Errors
    /// As for a download; `Integrity` if the file changed since it was opened.
    pub async fn read_range(&self, range: Range<u64>) -> Result<Bytes, HubError> {
        let range = clamp(&range, self.known_size()?);
        Ok(self.fetch(vec![range]).await?.pop().unwrap_or_default())
    }

    /// As `read_range`, in parts as they came: they follow each other.
    ///
    /// # Errors
    /// As `read_range`.
    pub async fn read_parts(&self, range: Range<u64>) -> Result<Vec<Bytes>, HubError> {
        let range = clamp(&range, self.known_size()?);
        self.fetch(split(&range).collect()).await
    }

    fn known_size(&self) -> Result<u64, HubError> {
        self.size().ok_or_else(|| {
            let name = self.place.target().shown();
            let message = format!("{name}: its length is unknown, so it is read from its start only");
            HubError::new(HubErrorKind::Http, message)
        })
    }

    /// Ranges, in parts of which some are under way at a time.
    async fn fetch(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>, HubError> {
        let mut counts = Vec::with_capacity(ranges.len());
        let mut parts = Vec::new();
        for range in &ranges {
            let length = range.end - range.start;
            counts.push(split(range).count());
            // One buffer for all parts of a range: they are neighbours there, too. What is very long grows as it comes.
            let mut room =
                (PART < length && length <= AT_ONCE).then(|| BytesMut::with_capacity(length as usize));
            for part in split(range) {
                let into = room.as_mut().map(|room| {
                    let rest = room.split_off((part.end - part.start) as usize);
                    std::mem::replace(room, rest)
                });
                parts.push((part, into));
            }
        }
        let mut came = futures::stream::iter(parts)
            .map(|(part, into)| async move {
                let length = (part.end - part.start) as usize;
                let mut bytes = into.unwrap_or_else(|| BytesMut::with_capacity(length));
                match self.place.fill(part.clone(), &mut bytes).await {
                    Ok(()) => Ok(bytes),
                    Err(error) => {
                        Err(self.place.located(error).of_range(&part, &self.place.target().shown()))
                    }
                }
            })
            .buffered(AT_A_TIME);
        let mut whole = Vec::with_capacity(counts.len());
        for count in counts {
            let mut range = BytesMut::new();
            for _ in 0..count {
                if let Some(part) = came.try_next().await? {
                    range.unsplit(part);
                }
            }
            whole.push(range.freeze());
        }
        Ok(whole)
    }

    /// Several ranges, in their order, clamped to the file; neighbours are fetched together, the rest side by side.
    ///
    /// # Errors
    /// As `read_range`.
    pub async fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, HubError> {
        let size = self.known_size()?;
        let clamped: Vec<Range<u64>> = ranges.iter().map(|range| clamp(range, size)).collect();
        let merged = coalesce(&clamped);
        let whole = self.fetch(merged.clone()).await?;
        Ok(clamped.iter().map(|range| cut(range, &merged, &whole)).collect())
    }
}

/// A range inside a file of this size; empty where it lies outside.
fn clamp(range: &Range<u64>, size: u64) -> Range<u64> {
    let start = range.start.min(size);
    start..range.end.min(size).max(start)
}

/// The bytes of a range out of the merged range that holds it.
fn cut(range: &Range<u64>, merged: &[Range<u64>], whole: &[Bytes]) -> Bytes {
    let index = merged.partition_point(|m| m.end < range.end);
    match (merged.get(index), whole.get(index)) {
        (Some(m), Some(bytes)) if range.start < range.end && m.start <= range.start => {
            bytes.slice((range.start - m.start) as usize..(range.end - m.start) as usize)
        }
        _ => Bytes::new(), // an empty range
    }
}

/// A range in parts.
fn split(range: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let Range { start, end } = *range;
    (0..(end - start).div_ceil(PART)).map(move |i| start + i * PART..end.min(start + (i + 1) * PART))
}

/// Ranges sorted and merged where they touch or nearly do; empty ones are left out.
fn coalesce(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|r| r.start < r.end).cloned().collect();
    sorted.sort_unstable_by_key(|r| r.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "lists of ranges")]
    fn neighbours_merge() {
        assert_eq!(coalesce(&[100..200, 0..50, 190..300]), [0..300]);
        assert_eq!(coalesce(&[0..10, 1_000_000..1_000_010, 7..7]), [0..10, 1_000_000..1_000_010]);
        assert!(coalesce(&[]).is_empty());
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "lists of ranges")]
    fn long_ranges_split() {
        assert_eq!(split(&(5..6)).collect::<Vec<_>>(), [5..6]);
        assert_eq!(split(&(0..PART)).count(), 1);
        let parts: Vec<_> = split(&(3..3 * PART)).collect();
        assert_eq!(parts.len(), 3);
        assert_eq!((parts.first().map(|p| p.start), parts.last().map(|p| p.end)), (Some(3), Some(3 * PART)));
        assert!(parts.windows(2).all(|w| matches!(w, [a, b] if a.end == b.start)));
    }

    #[test]
    fn ranges_are_cut_out_of_what_was_fetched() {
        let asked = [10..12, 0..3, 5..5, 2_000_000..2_000_002];
        let merged = coalesce(&asked);
        let whole: Vec<Bytes> = merged.iter().map(|m| (m.start..m.end).map(|i| i as u8).collect()).collect();
        let cuts: Vec<Vec<u8>> = asked.iter().map(|r| cut(r, &merged, &whole).to_vec()).collect();
        let expected: Vec<Vec<u8>> = asked.iter().map(|r| r.clone().map(|i| i as u8).collect()).collect();
        assert_eq!(cuts, expected);
    }
}
