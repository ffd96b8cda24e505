//! `RemoteStream`: a remote file from one position on, in constant memory, its hash checked at the end.

use bytes::{Buf, Bytes, BytesMut};

use crate::download::verify::Verifier;
use crate::download::watchdog::Patience;
use crate::error::{HubError, HubErrorKind};
use crate::http::answer::connection_error;
use crate::place::{Opened, Target};
use crate::progress::Progress;
use crate::range::RemoteFile;

/// The rest of a file as it comes. Continued after cuts; a call that is dropped loses nothing.
pub struct RemoteStream {
    file: RemoteFile,
    at: u64,
    end: Option<u64>,
    body: Option<Opened>,
    /// Came, and was not handed out yet.
    pending: BytesMut,
    verifier: Option<(Verifier, String)>,
    patience: Patience,
    finished: bool,
}

impl RemoteStream {
    pub(crate) fn new(file: RemoteFile, start: u64, end: Option<u64>) -> Self {
        let size = file.size();
        let end = match (end, size) {
            (Some(end), Some(size)) => Some(end.min(size)),
            (end, size) => end.or(size),
        };
        let start = end.map_or(start, |end| start.min(end));
        let whole = start == 0 && end == size;
        let of_hub = matches!(file.place().target(), Target::Hub { .. });
        let verifier =
            file.etag().filter(|_| whole && of_hub).map(|etag| (Verifier::new(etag, size), etag.to_owned()));
        let patience = Patience::new(file.client().config());
        Self {
            file,
            at: start,
            end,
            body: None,
            pending: BytesMut::new(),
            verifier,
            patience,
            finished: false,
        }
    }

    /// Position of the next byte that is handed out.
    pub fn position(&self) -> u64 {
        self.at - self.pending.len() as u64
    }

    /// The same stream over new connections, the old one never touched again: for a forked child.
    #[must_use]
    pub fn moved_to(mut self, file: RemoteFile) -> Self {
        std::mem::forget(self.body.take()); // its socket belongs to the parent
        std::mem::forget(std::mem::replace(&mut self.file, file));
        self
    }

    /// The next `most` bytes; fewer only at the end, `None` after it.
    ///
    /// # Errors
    /// As for a download; `Integrity` at the end of a whole file whose hash is wrong, or if it changed meanwhile.
    pub async fn next(&mut self, most: usize) -> Result<Option<Bytes>, HubError> {
        let most = most.max(1);
        while self.pending.len() < most && !self.finished {
            self.receive().await?;
        }
        if !self.finished && self.end.is_some_and(|end| self.at >= end) {
            self.finish()?; // the last bytes are handed out only if all were right
        }
        if self.pending.is_empty() {
            return Ok(None);
        }
        let take = most.min(self.pending.len());
        Ok(Some(self.pending.split_to(take).freeze()))
    }

    async fn receive(&mut self) -> Result<(), HubError> {
        if self.end.is_some_and(|end| self.at >= end) {
            return self.finish();
        }
        let mut opened = match self.body.take() {
            Some(opened) => opened,
            None => self.file.place().open(self.at, self.end).await?,
        };
        // Kept before the wait, so that a dropped call finds the body where it was.
        let body = self.body.insert(Opened { skip: std::mem::take(&mut opened.skip), ..opened });
        let failure = match body.response.chunk().await {
            Ok(Some(mut chunk)) => {
                let from = usize::try_from(body.skip).map_or(chunk.len(), |s| s.min(chunk.len()));
                body.skip -= from as u64;
                chunk.advance(from);
                if let Some(end) = self.end {
                    chunk.truncate(usize::try_from(end - self.at).unwrap_or(usize::MAX));
                }
                if !chunk.is_empty() {
                    self.patience.received(chunk.len() as u64, self.end.map(|end| end - self.at));
                    self.at += chunk.len() as u64;
                    if let Some((verifier, _)) = &mut self.verifier {
                        verifier.update(&chunk);
                    }
                    self.pending.extend_from_slice(&chunk);
                }
                return Ok(());
            }
            Ok(None) if self.end.is_none() => return self.finish(),
            Ok(None) => None,
            Err(error) => Some(connection_error("receiving a file", Some(&body.url), error)),
        };
        let url = body.url.clone();
        self.body = None;
        self.file.place().wait(&mut self.patience, &Progress::default(), failure, &url).await
    }

    fn finish(&mut self) -> Result<(), HubError> {
        self.finished = true;
        let body = self.body.take();
        let Some((verifier, promised)) = self.verifier.take() else {
            return Ok(());
        };
        match verifier.finish() {
            Some(found) if found != promised => {
                self.pending.clear();
                let place = self.file.place();
                let name = place.target().shown();
                let message = format!("{name}: the hash of what came is {found}, {promised} was promised");
                let error = match &body {
                    Some(body) => place.named(HubErrorKind::Integrity, message, &body.url),
                    None => place.about(HubErrorKind::Integrity, message),
                };
                Err(error.of_hashes(&promised, &found).with_hint(
                    "The chunks handed out before are wrong: a proxy or mirror in between may be damaged.",
                ))
            }
            _ => Ok(()),
        }
    }
}
