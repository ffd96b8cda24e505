//! When a body is too slow to go on with, and when it was tried often enough.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Response;
use url::Url;

use crate::config::HubConfig;
use crate::error::{HubError, HubErrorKind};
use crate::http::answer::connection_error;
use crate::http::client::shown;
use crate::http::retry::delay;
use crate::progress::Progress;

/// A body that brings less than this many bytes a second is asked for again.
const SLOWEST: u64 = 1000;
/// The slow speed has to last for this many read timeouts (10 s by default).
const SLOW_FOR: u32 = 2;
/// One try is earned back by so many bytes, or by this share of what was missing.
const EARNS: u64 = 64 << 10;
const EARNS_SHARE: u64 = 32;

/// Watches one body: an error when no byte comes for the read timeout, or hardly any for twice that.
pub(crate) struct Watch {
    limit: Duration,
    since: Instant,
    bytes: u64,
}

impl Watch {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now(), bytes: 0 }
    }

    /// The next bytes of a body; `None` at its end.
    pub(crate) async fn chunk(
        &mut self,
        response: &mut Response,
        at: &Url,
        progress: &Progress,
    ) -> Result<Option<Bytes>, HubError> {
        let chunk = match tokio::time::timeout(self.limit, response.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) if !error.is_timeout() => {
                return Err(connection_error("receiving a file", Some(at), error));
            }
            Ok(Err(_)) | Err(_) => {
                progress.stalled();
                return Err(slow(at, &format!("no byte came for {} s", self.limit.as_secs_f64())));
            }
        };
        let window = self.limit * SLOW_FOR;
        self.bytes += chunk.as_ref().map_or(0, |c| c.len() as u64);
        if self.since.elapsed() >= window {
            if self.bytes < SLOWEST * window.as_secs().max(1) && chunk.is_some() {
                progress.stalled();
                let text = format!("{} bytes came in {} s", self.bytes, window.as_secs_f64());
                return Err(slow(at, &text));
            }
            (self.since, self.bytes) = (Instant::now(), 0);
        }
        Ok(chunk)
    }
}

fn slow(at: &Url, what: &str) -> HubError {
    let place = at.origin().ascii_serialization();
    HubError::new(HubErrorKind::Connection, format!("receiving a file at {place} stalled: {what}"))
        .with(|c| c.url = Some(shown(at)))
        .with_hint("HF_HUB_DOWNLOAD_TIMEOUT sets the seconds that a silent connection is waited for.")
}

/// Tries that are left. A failure costs one, bytes that came earn them back, so the number of requests is bounded by
/// the size, whatever a server does.
pub(crate) struct Patience {
    left: u32,
    most: u32,
    in_a_row: u32,
    earned: u64,
    base: Duration,
    failures: u32,
    start: Instant,
    /// Since when the server only sends away for a while.
    limited: Option<Instant>,
    /// For how long that may go on.
    longest: Duration,
}

impl Patience {
    pub(crate) fn new(config: &HubConfig) -> Self {
        let most = config.max_retries;
        let (base, longest) = (config.retry_base, config.total_timeout);
        Self {
            left: most,
            most,
            in_a_row: 0,
            earned: 0,
            base,
            failures: 0,
            start: Instant::now(),
            limited: None,
            longest,
        }
    }

    /// Bytes came since the last failure, of so many that were missing, where that is known.
    pub(crate) fn received(&mut self, bytes: u64, missing: Option<u64>) {
        let price = missing.map_or(EARNS, |missing| (missing / EARNS_SHARE).clamp(1, EARNS));
        self.earned += bytes;
        let tries = self.earned / price;
        if tries > 0 {
            self.earned %= price;
            self.left = self.most.min(self.left.saturating_add(u32::try_from(tries).unwrap_or(u32::MAX)));
            self.in_a_row = 0;
            self.limited = None;
        }
    }

    /// How long to wait before the next try after a failure that may pass; the error comes back when there is none.
    pub(crate) fn after(&mut self, error: HubError, progress: &Progress) -> Result<Duration, HubError> {
        let asked = error.context().retry_after;
        self.failures += 1;
        if error.kind() == HubErrorKind::RateLimited {
            // Waiting for one's turn is no failure, but has an end.
            let since = *self.limited.get_or_insert_with(Instant::now);
            let wait = delay(self.base, self.in_a_row, asked);
            if since.elapsed() + wait >= self.longest {
                return Err(error.tried(self.failures, self.start.elapsed()));
            }
            progress.retried();
            self.in_a_row += 1;
            return Ok(wait);
        }
        if self.left == 0 {
            return Err(error.tried(self.failures, self.start.elapsed()));
        }
        self.left -= 1;
        self.in_a_row += 1;
        progress.retried();
        Ok(delay(self.base, self.in_a_row - 1, asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> HubError {
        HubError::new(HubErrorKind::Connection, "cut")
    }

    fn patience() -> Patience {
        Patience::new(&HubConfig::from_lookup(|_| None).with_retries(5, Duration::ZERO))
    }

    /// Requests until a file has come, or is given up.
    fn requests(size: u64, brings: impl Fn(u64) -> u64) -> (u64, bool) {
        let (mut patience, progress, mut missing) = (patience(), Progress::default(), size);
        for request in 1.. {
            let came = brings(missing).min(missing);
            patience.received(came, Some(missing));
            missing -= came;
            if missing == 0 || patience.after(failure(), &progress).is_err() {
                return (request, missing == 0);
            }
        }
        (0, false)
    }

    #[test]
    fn a_byte_at_a_time_is_given_up() {
        assert_eq!(requests(1 << 20, |_| 1), (6, false));
        assert_eq!(requests(1 << 20, |_| 0), (6, false));
    }

    #[test]
    fn what_comes_in_good_pieces_comes() {
        assert!(requests(40_000_000, |_| 9_000_000).1);
        assert!(requests(3 << 20, |missing| missing.div_ceil(2)).1);
        let (requests, there) = requests(1 << 30, |_| 64 << 10);
        assert!(there && requests <= 1 << 14);
    }
}
