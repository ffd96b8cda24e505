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
/// One try is earned back by so many bytes; by a share of the file where that is small.
const EARNS: u64 = 64 << 10;
const EARNS_SHARE: u64 = 32;

/// Watches one body: an error when no byte comes for the read timeout, or hardly any for twice that.
pub(super) struct Watch {
    limit: Duration,
    since: Instant,
    bytes: u64,
}

impl Watch {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now(), bytes: 0 }
    }

    /// The next bytes of a body; `None` at its end.
    pub(super) async fn chunk(
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
pub(super) struct Patience {
    left: u32,
    most: u32,
    in_a_row: u32,
    earned: u64,
    price: u64,
    base: Duration,
}

impl Patience {
    /// For so many bytes, where that is known.
    pub(super) fn new(config: &HubConfig, size: Option<u64>) -> Self {
        let price = size.map_or(EARNS, |size| (size / EARNS_SHARE).clamp(1, EARNS));
        let most = config.max_retries;
        Self { left: most, most, in_a_row: 0, earned: 0, price, base: config.retry_base }
    }

    /// Bytes came since the last failure.
    pub(super) fn received(&mut self, bytes: u64) {
        self.earned += bytes;
        let tries = self.earned / self.price;
        if tries > 0 {
            self.earned %= self.price;
            self.left = self.most.min(self.left.saturating_add(u32::try_from(tries).unwrap_or(u32::MAX)));
            self.in_a_row = 0;
        }
    }

    /// How long to wait before the next try after a failure that may pass; the error comes back when there is none.
    pub(super) fn after(&mut self, error: HubError, progress: &Progress) -> Result<Duration, HubError> {
        if self.left == 0 {
            return Err(error);
        }
        self.left -= 1;
        self.in_a_row += 1;
        progress.retried();
        Ok(delay(self.base, self.in_a_row - 1, error.context().retry_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> HubError {
        HubError::new(HubErrorKind::Connection, "cut")
    }

    fn patience(size: u64) -> Patience {
        let config = HubConfig::from_lookup(|_| None).with_retries(5, Duration::ZERO);
        Patience::new(&config, Some(size))
    }

    #[test]
    fn a_byte_at_a_time_is_given_up() {
        let (mut patience, progress, mut tries) = (patience(1 << 20), Progress::default(), 0);
        while patience.after(failure(), &progress).is_ok() {
            patience.received(1);
            tries += 1;
        }
        assert_eq!(tries, 5);
    }

    #[test]
    fn bytes_earn_tries_and_no_more_than_there_were() {
        let (mut patience, progress) = (patience(1 << 30), Progress::default());
        for _ in 0..100 {
            assert!(patience.after(failure(), &progress).is_ok());
            patience.received(9_000_000);
        }
        assert!((0..5).all(|_| patience.after(failure(), &progress).is_ok()));
        assert!(patience.after(failure(), &progress).is_err());
    }
}
