//! A part of a file, or of bytes in memory, as the body of a request.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::Response;
use tokio::task::{JoinHandle, spawn_blocking};
use url::Url;

use super::Content;
use crate::error::{HubError, HubErrorKind};
use crate::http::client::shown;
use crate::progress::{Meter, Progress};

/// Bytes that are read, and handed to the connection, at a time.
const BLOCK: u64 = 256 << 10;
/// Nothing was sent for so many read timeouts (10 s by default): the connection is given up.
const SILENT_FOR: u32 = 3;
/// The answer to a body that was sent whole is waited for as many: the store may hash what it got.
const ANSWER_FOR: u32 = 6;

/// A range of a content. Each request that sends it makes a body of its own.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) content: Content,
    pub(crate) range: Range<u64>,
    sent: Arc<AtomicU64>,
    meter: Arc<Meter>,
    progress: Arc<Progress>,
}

impl Part {
    pub(crate) fn new(content: Content, range: Range<u64>, progress: &Arc<Progress>) -> Self {
        Self { content, range, sent: Arc::default(), meter: Arc::default(), progress: progress.clone() }
    }

    /// The body of one request.
    pub(crate) fn body(&self) -> reqwest::Body {
        self.sent.store(0, Ordering::Relaxed);
        self.meter.restart();
        reqwest::Body::wrap(PartBody { part: self.clone(), at: self.range.start, file: None, reading: None })
    }

    /// What is wrong with the file, if it is not as long as it was.
    pub(crate) async fn changed(&self) -> Option<HubError> {
        let Content::File(path) = &self.content else {
            return None;
        };
        let failed = match tokio::fs::metadata(path).await {
            Ok(meta) if meta.len() >= self.range.end => return None,
            Ok(_) => io::Error::other("it became shorter while it was uploaded"),
            Err(error) => error,
        };
        Some(HubError::io("read", path, failed))
    }

    fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Waits for the answer to this body; an error once hardly anything moves.
    pub(crate) async fn watched(
        &self,
        limit: Duration,
        at: &Url,
        sending: impl Future<Output = Result<(Response, Url), HubError>>,
    ) -> Result<(Response, Url), HubError> {
        let mut sending = std::pin::pin!(sending);
        let (mut before, mut silent) = (0, 0);
        loop {
            if let Ok(answer) = tokio::time::timeout(limit, sending.as_mut()).await {
                return answer;
            }
            let now = self.sent.load(Ordering::Relaxed);
            silent = if now == before { silent + 1 } else { 0 };
            before = now;
            let allowed = if now >= self.length() { ANSWER_FOR } else { SILENT_FOR };
            if silent >= allowed {
                self.progress.stalled();
                let waited = (limit * allowed).as_secs_f64();
                let message = format!(
                    "sending a file to {} stalled: {now} of {} bytes were sent, and nothing happened for {waited} s",
                    at.origin().ascii_serialization(),
                    self.length()
                );
                return Err(HubError::new(HubErrorKind::Connection, message)
                    .with(|c| {
                        c.url = Some(shown(at));
                        c.timed_out = true;
                    })
                    .with_hint(
                        "HF_HUB_DOWNLOAD_TIMEOUT sets the seconds that a silent connection is waited for.",
                    ));
            }
        }
    }
}

/// The file, given back after each reading, with what was read.
type Reading = JoinHandle<io::Result<(File, Bytes)>>;

struct PartBody {
    part: Part,
    at: u64,
    file: Option<File>,
    reading: Option<Reading>,
}

impl PartBody {
    fn left(&self) -> u64 {
        self.part.range.end - self.at
    }
}

fn block(file: Option<File>, path: &std::path::Path, at: u64, length: u64) -> io::Result<(File, Bytes)> {
    let mut file = if let Some(file) = file {
        file
    } else {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(at))?;
        file
    };
    let mut block = vec![0; length as usize];
    file.read_exact(&mut block)?;
    Ok((file, block.into()))
}

impl Body for PartBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let (at, length) = (self.at, self.left().min(BLOCK));
        if length == 0 {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let bytes = match &this.part.content {
            Content::Bytes(bytes) => bytes.slice(at as usize..(at + length) as usize),
            Content::File(path) => {
                let reading = this.reading.get_or_insert_with(|| {
                    let (file, path) = (this.file.take(), path.clone());
                    spawn_blocking(move || block(file, &path, at, length))
                });
                let read = ready!(Pin::new(reading).poll(context));
                this.reading = None;
                match read.map_err(io::Error::other).flatten() {
                    Ok((file, bytes)) => {
                        this.file = Some(file);
                        bytes
                    }
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
        };
        self.at += length;
        self.part.sent.fetch_add(length, Ordering::Relaxed);
        self.part.meter.add(length, &self.part.progress);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    fn run<T>(work: impl Future<Output = T>) -> T {
        #[allow(clippy::disallowed_methods, reason = "a test")]
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work)
    }

    fn part() -> Part {
        Part::new(Content::Bytes(Bytes::from(vec![7; 1_000_000])), 10..600_010, &Arc::default())
    }

    async fn frames(part: &Part) -> Vec<u8> {
        let mut body = PartBody { part: part.clone(), at: part.range.start, file: None, reading: None };
        assert_eq!(body.size_hint().exact(), Some(part.length()));
        let mut all = Vec::new();
        while let Some(frame) = std::future::poll_fn(|c| Pin::new(&mut body).poll_frame(c)).await {
            all.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        assert!(body.is_end_stream());
        all
    }

    #[test]
    fn a_body_is_its_range() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        #[allow(clippy::disallowed_methods, reason = "a test's file")]
        std::fs::write(&path, &bytes).unwrap();
        let of = |content| Part::new(content, 10..600_010, &Arc::default());
        run(async {
            assert_eq!(frames(&of(Content::Bytes(bytes.clone().into()))).await, bytes[10..600_010]);
            let file = of(Content::File(path.clone()));
            assert_eq!(frames(&file).await, bytes[10..600_010]);
            assert!(file.changed().await.is_none());
            #[allow(clippy::disallowed_methods, reason = "a test's file")]
            std::fs::write(&path, b"short").unwrap();
            assert_eq!(file.changed().await.unwrap().kind(), HubErrorKind::Io);
        });
    }

    #[test]
    fn a_silent_connection_is_given_up() {
        let at = Url::parse("http://x.test/").unwrap();
        let error = run(part().watched(TICK, &at, std::future::pending())).unwrap_err();
        assert_eq!(error.kind(), HubErrorKind::Connection);
        assert!(error.to_string().contains("0 of 600000 bytes"), "{error}");
        let all = part();
        all.sent.store(600_000, Ordering::Relaxed);
        let began = std::time::Instant::now();
        assert!(run(all.watched(TICK, &at, std::future::pending())).is_err());
        assert!(began.elapsed() >= TICK * ANSWER_FOR);
    }

    #[test]
    fn a_slow_one_is_not() {
        let (at, slow) = (Url::parse("http://x.test/").unwrap(), part());
        let sending = async {
            for _ in 0..3 * SILENT_FOR {
                tokio::time::sleep(TICK * 2).await;
                slow.sent.fetch_add(1, Ordering::Relaxed);
            }
            Err(HubError::new(HubErrorKind::Http, "at last"))
        };
        assert_eq!(run(slow.watched(TICK, &at, sending)).unwrap_err().to_string(), "at last");
    }
}
