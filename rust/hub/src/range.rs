//! `RemoteFile`: a file of the hub read by byte ranges, its address resolved once.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use futures::future::try_join_all;
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, HeaderName, RANGE};

use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::http::answer::{connection_error, error_of};
use crate::http::client::{Redirects, parse};
use crate::http::retry::with_retries;
use crate::repo::RepoRef;

/// Ranges closer than this are fetched as one.
const GAP: u64 = 64 << 10;

/// A remote file of known length, pinned to the commit that answered first.
#[derive(Clone)]
pub struct RemoteFile {
    client: HubClient,
    repo: RepoRef,
    path: String,
    len: u64,
    location: Arc<Mutex<String>>,
}

impl HubClient {
    /// Opens a file for range reads: one request.
    ///
    /// # Errors
    /// As `file_metadata`; `Http` if the hub does not say the length.
    pub async fn open_remote(&self, repo: &RepoRef, path: &str) -> Result<RemoteFile, HubError> {
        let meta = self.file_metadata(repo, path).await?;
        let len = meta.size.ok_or_else(|| {
            HubError::new(
                HubErrorKind::Http,
                format!("{path} of {}: the hub does not say its length", repo.shown()),
            )
        })?;
        Ok(RemoteFile {
            client: self.clone(),
            repo: repo.at(&meta.commit),
            path: path.to_owned(),
            len,
            location: Arc::new(Mutex::new(meta.location)),
        })
    }
}

impl RemoteFile {
    /// Length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a file, not a collection")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// One range, clamped to the file.
    ///
    /// # Errors
    /// As for a download, and `Integrity` if fewer bytes come than asked.
    pub async fn read_range(&self, range: Range<u64>) -> Result<Bytes, HubError> {
        let range = range.start.min(self.len)..range.end.min(self.len);
        if range.start >= range.end {
            return Ok(Bytes::new());
        }
        with_retries(self.client.config(), || self.ask(range.clone())).await
    }

    /// Several ranges, in their order; neighbours are fetched together, the rest side by side.
    ///
    /// # Errors
    /// As `read_range`.
    pub async fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, HubError> {
        let merged = coalesce(ranges);
        let fetched = try_join_all(merged.iter().map(|r| self.read_range(r.clone()))).await?;
        ranges
            .iter()
            .map(|range| {
                let found =
                    merged.iter().zip(&fetched).find(|(m, _)| m.start <= range.start && range.end <= m.end);
                let cut = found.and_then(|(m, bytes)| {
                    let (start, end) = ((range.start - m.start) as usize, (range.end - m.start) as usize);
                    (end <= bytes.len()).then(|| bytes.slice(start..end))
                });
                cut.ok_or_else(|| self.short(range))
            })
            .collect()
    }

    fn short(&self, range: &Range<u64>) -> HubError {
        let message = format!(
            "{} of {}: bytes {}..{} were asked, the file has {}",
            self.path,
            self.repo.shown(),
            range.start,
            range.end,
            self.len
        );
        HubError::new(HubErrorKind::Integrity, message)
    }

    fn location(&self) -> String {
        self.location.lock().map_or_else(|e| e.into_inner().clone(), |l| l.clone())
    }

    async fn ask(&self, range: Range<u64>) -> Result<Bytes, HubError> {
        match self.ask_at(&self.location(), &range).await {
            // A signed address runs out: resolve again, then go on.
            Err(error) if matches!(error.context().status, Some(401 | 403 | 404 | 410)) => {
                let meta = self.client.file_metadata(&self.repo, &self.path).await?;
                if let Ok(mut location) = self.location.lock() {
                    location.clone_from(&meta.location);
                }
                self.ask_at(&meta.location, &range).await
            }
            done => done,
        }
    }

    async fn ask_at(&self, location: &str, range: &Range<u64>) -> Result<Bytes, HubError> {
        let headers: [(HeaderName, String); 2] = [
            (ACCEPT_ENCODING, "identity".to_owned()),
            (RANGE, format!("bytes={}-{}", range.start, range.end - 1)),
        ];
        let config = self.client.config();
        let place = parse(location)?;
        let sent = self.client.http().send(config, Method::GET, &place, &headers, Redirects::Follow);
        let (mut response, url) = self.client.within(config.metadata_timeout * 3, sent).await?;
        if let Some(error) = error_of(&response, &url, Some(&self.repo), Some(&self.path)) {
            return Err(error);
        }
        let wanted = (range.end - range.start) as usize;
        // A server that ignores ranges sends the file from its start: skip to what was asked.
        let mut skip = if response.status().as_u16() == 206 { 0 } else { range.start as usize };
        let mut bytes = BytesMut::new();
        while bytes.len() < wanted
            && let Some(chunk) =
                response.chunk().await.map_err(|e| connection_error("receiving a range", Some(&url), e))?
        {
            let from = skip.min(chunk.len());
            skip -= from;
            let rest = chunk.slice(from..);
            let take = rest.len().min(wanted - bytes.len());
            bytes.extend_from_slice(&rest.slice(..take));
        }
        if bytes.len() < wanted {
            return Err(HubError::new(
                HubErrorKind::Connection,
                format!("{}: a range ended early", self.path),
            ));
        }
        Ok(bytes.freeze())
    }
}

/// Ranges sorted and merged where they touch or nearly do.
fn coalesce(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.to_vec();
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
        assert_eq!(coalesce(&[0..10, 1_000_000..1_000_010]), [0..10, 1_000_000..1_000_010]);
        assert!(coalesce(&[]).is_empty());
    }
}
