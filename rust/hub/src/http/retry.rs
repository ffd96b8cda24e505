//! One retry policy: what is tried again, and how long to wait before.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use reqwest::header::HeaderMap;

use super::answer::header;
use crate::config::HubConfig;
use crate::error::{HubError, HubErrorKind};

/// Longest single wait, in seconds: a rate-limit window of the Hub.
const LONGEST: f64 = 300.0;
/// A refused connection is tried this often: somebody listens soon, or not at all.
const REFUSED_RETRIES: u32 = 2;

/// Seconds that the server asks to wait: `RateLimit: …;r=0;t=55`, or `Retry-After: 3`.
pub(crate) fn wait_of(headers: &HeaderMap) -> Option<f64> {
    let limit = header(headers, "ratelimit").and_then(|text| {
        let field = |key: &str| text.split(';').find_map(|p| p.trim().strip_prefix(key)?.parse::<f64>().ok());
        (field("r=")? <= 0.0).then(|| field("t=")).flatten()
    });
    let after = || header(headers, "retry-after").and_then(|t| t.trim().parse::<f64>().ok());
    limit.or_else(after).filter(|s| s.is_finite() && *s >= 0.0)
}

/// Runs `work` until it succeeds, fails for good, or the tries are used up.
pub(crate) async fn with_retries<T, F, W>(config: &HubConfig, mut work: W) -> Result<T, HubError>
where
    F: Future<Output = Result<T, HubError>>,
    W: FnMut() -> F,
{
    let mut tries = 0;
    loop {
        match work().await {
            Err(error) if error.is_transient() && tries < allowed(config, &error) => {
                tokio::time::sleep(delay(config.retry_base, tries, error.context().retry_after)).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

fn allowed(config: &HubConfig, error: &HubError) -> u32 {
    let refused =
        error.kind() == HubErrorKind::Connection && error.to_string().to_lowercase().contains("refused");
    if refused { config.max_retries.min(REFUSED_RETRIES) } else { config.max_retries }
}

/// The wait before try `tries + 1`: what the server asked for, else doubling; both with jitter, so that many clients do
/// not come back at once.
pub(crate) fn delay(base: Duration, tries: u32, asked: Option<f64>) -> Duration {
    let jitter = (RandomState::new().build_hasher().finish() % 1000) as f64 / 1000.0;
    let seconds = match asked {
        Some(asked) => asked + jitter,
        None => base.as_secs_f64() * f64::from(1_u32 << tries.min(5)) * (0.5 + jitter),
    };
    Duration::from_secs_f64(seconds.min(LONGEST))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn waits_are_read() {
        let wait = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            wait_of(&headers)
        };
        assert_eq!(wait("ratelimit", "\"resolvers\";r=0;t=55"), Some(55.0));
        assert_eq!(wait("ratelimit", "\"resolvers\";r=7;t=55"), None);
        assert_eq!(wait("retry-after", "3"), Some(3.0));
        assert_eq!(wait("retry-after", "soon"), None);
    }

    #[test]
    fn delays_double_and_are_bounded() {
        let base = Duration::from_millis(100);
        assert!(delay(base, 0, None) < Duration::from_millis(151));
        assert!(delay(base, 3, None) >= Duration::from_millis(400));
        assert!(delay(base, 0, Some(1e9)) <= Duration::from_secs(300));
    }
}
