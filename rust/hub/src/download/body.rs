//! The bytes of one blob: streamed, hashed as they pass, continued after a cut, named only when right.

use std::path::Path;
use std::sync::atomic::Ordering;

use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, HeaderName, RANGE};
use url::Url;

use super::file::Known;
use super::verify::Verifier;
use crate::cache::store::Incomplete;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::http::answer::{connection_error, error_of};
use crate::http::client::{Redirects, parse, same_origin};
use crate::http::retry::delay;
use crate::progress::Progress;
use crate::repo::RepoRef;

/// How far a body has come.
struct Sofar {
    file: Incomplete,
    verifier: Verifier,
    bytes: u64,
}

impl Sofar {
    /// Back to nothing.
    fn restart(&mut self, known: &Known, progress: &Progress) -> Result<(), HubError> {
        self.file.restart()?;
        progress.done.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
        self.verifier = Verifier::new(&known.etag, known.size);
        Ok(())
    }
}

/// Whether an error came from another origin than the hub's: a CDN.
fn elsewhere(error: &HubError, resolve: &Url) -> bool {
    error.context().url.as_deref().and_then(|u| Url::parse(u).ok()).is_some_and(|u| !same_origin(&u, resolve))
}

impl HubClient {
    /// Fetches a blob to its final name. A wrong hash or length is fetched once more, then it is an error.
    pub(super) async fn fetch_blob(
        &self,
        repo: &RepoRef,
        path: &str,
        known: &Known,
        blob: &Path,
        progress: &Progress,
    ) -> Result<(), HubError> {
        let pinned = repo.at(&known.commit);
        let resolve = self.resolve_url(&pinned, path)?;
        let mut at = known.location.as_deref().map_or_else(|| Ok(resolve.clone()), parse)?;
        for attempt in 0..2 {
            let mut sofar = Sofar {
                file: Incomplete::create(blob)?,
                verifier: Verifier::new(&known.etag, known.size),
                bytes: 0,
            };
            self.fetch_body(&pinned, path, known, &mut at, &resolve, &mut sofar, progress).await?;
            let found = sofar.verifier.finish();
            let right_length = known.size.is_none_or(|size| size == sofar.bytes);
            if right_length && found.as_deref().is_none_or(|hash| hash == known.etag) {
                return sofar.file.persist(blob);
            }
            progress.done.fetch_sub(sofar.bytes, Ordering::Relaxed);
            if attempt == 1 {
                return Err(wrong_bytes(&pinned, path, known, sofar.bytes, found.as_deref()));
            }
            at = resolve.clone();
        }
        Ok(())
    }

    /// Streams the body, asking for the rest by range after each cut.
    #[expect(clippy::too_many_arguments, reason = "one caller, just above")]
    async fn fetch_body(
        &self,
        repo: &RepoRef,
        path: &str,
        known: &Known,
        at: &mut Url,
        resolve: &Url,
        sofar: &mut Sofar,
        progress: &Progress,
    ) -> Result<(), HubError> {
        let mut tries = 0;
        loop {
            let before = sofar.bytes;
            let result = self.stream_rest(repo, path, known, at, sofar, progress).await;
            let complete = known.size.is_some_and(|size| sofar.bytes >= size);
            let error = match result {
                Ok(()) if complete || known.size.is_none() => return Ok(()),
                // All bytes are here: how the connection ended after them does not matter.
                Err(error) if complete && error.kind() == HubErrorKind::Connection => return Ok(()),
                Ok(()) => HubError::new(HubErrorKind::Connection, format!("{path}: the body ended early")),
                Err(error) => error,
            };
            if sofar.bytes > before {
                tries = 0; // bytes came: the line works, if badly
            }
            // A signed address runs out: ask for a new one, once per try.
            let status = error.context().status;
            let expired = matches!(status, Some(401 | 403 | 404 | 410)) && elsewhere(&error, resolve);
            let no_ranges = status == Some(416) && before > 0;
            if !(error.is_transient() || expired || no_ranges) || tries >= self.config().max_retries {
                return Err(error);
            }
            if no_ranges {
                sofar.restart(known, progress)?;
            }
            *at = resolve.clone();
            tokio::time::sleep(delay(self.config().retry_base, tries, error.context().retry_after)).await;
            tries += 1;
        }
    }

    async fn stream_rest(
        &self,
        repo: &RepoRef,
        path: &str,
        known: &Known,
        at: &Url,
        sofar: &mut Sofar,
        progress: &Progress,
    ) -> Result<(), HubError> {
        let mut headers: Vec<(HeaderName, String)> = vec![(ACCEPT_ENCODING, "identity".to_owned())];
        if sofar.bytes > 0 {
            // No If-Range: the etag of a CDN is its own, and one that differs brings the whole file. The hash decides.
            headers.push((RANGE, format!("bytes={}-", sofar.bytes)));
        }
        let sent = self.http().send(self.config(), Method::GET, at, &headers, Redirects::Follow);
        let (mut response, url) = self.within(self.config().metadata_timeout * 3, sent).await?;
        if let Some(error) = error_of(&response, &url, Some(repo), Some(path)) {
            return Err(error);
        }
        if sofar.bytes > 0 && response.status().as_u16() != 206 {
            sofar.restart(known, progress)?; // the range was ignored: this is the whole file again
        }
        while let Some(chunk) =
            response.chunk().await.map_err(|e| connection_error("receiving a file", Some(&url), e))?
        {
            sofar.bytes += chunk.len() as u64;
            progress.done.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            if known.size.is_some_and(|size| sofar.bytes > size) {
                return Ok(()); // more than promised: the length check says so
            }
            sofar.verifier.update(&chunk);
            sofar.file.write(&chunk)?;
        }
        Ok(())
    }
}

fn wrong_bytes(repo: &RepoRef, path: &str, known: &Known, bytes: u64, found: Option<&str>) -> HubError {
    let what = match known.size {
        Some(size) if size != bytes => format!("{bytes} bytes came, {size} were promised"),
        _ => format!("the hash is {}, {} was promised", found.unwrap_or("unknown"), known.etag),
    };
    HubError::new(HubErrorKind::Integrity, format!("{path} of {}: wrong bytes twice: {what}", repo.shown()))
        .with(|c| {
            c.repo_id = Some(repo.id.clone());
            c.revision = Some(repo.revision.clone());
            c.path = Some(path.to_owned());
        })
        .with_hint("Nothing was stored. A proxy or mirror in between may be damaged; try again or change HF_ENDPOINT.")
}
