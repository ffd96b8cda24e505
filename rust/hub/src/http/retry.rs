//! One retry policy: what is tried again, how long to wait before, and when it is enough.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::epoch;
use super::pulse::{PULSE, Waiting};
use super::random;
use crate::config::{HubConfig, Outages};
use crate::error::{HubError, HubErrorKind};

/// Longest single wait, in seconds: a rate-limit window of the Hub.
const LONGEST: f64 = 300.0;
/// A refused connection or unknown host is tried again this often: it is there soon, or not at all.
const REFUSED_RETRIES: u32 = 2;
/// In the middle of something a server is asked so many times more often, since it was there a moment ago…
const PATIENT_TIMES: u32 = 6;
/// …and the waits double only so often: with the usual settings 30 tries, 2 s apart, are a minute.
const PATIENT_DOUBLINGS: u32 = 2;
/// A server that says when to come back is asked again this often; the total deadline is what ends it.
const LIMITED_RETRIES: u32 = 50;
/// Waiters that a server sends away for the same time come back this far apart, in seconds.
const GAP: f64 = 0.05;

tokio::task_local! {
    /// When the logical request must be over.
    static DEADLINE: Instant;
    /// Waits for a limit of the server, which are not the network's slowness.
    static WAITED: Arc<Waited>;
}

/// Time waited within one limit, and within the limits around it.
struct Waited {
    ms: AtomicU64,
    outer: Option<Arc<Waited>>,
}

impl Waited {
    fn add(&self, ms: u64) {
        self.ms.fetch_add(ms, Ordering::Relaxed);
        if let Some(outer) = &self.outer {
            outer.add(ms);
        }
    }

    fn so_far(&self) -> Duration {
        Duration::from_millis(self.ms.load(Ordering::Relaxed))
    }
}

/// Waits for a limit of the server: time limits around it are moved by as much.
pub(crate) async fn wait_politely(wait: Duration) {
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let _ = WAITED.try_with(|w| w.add(ms.saturating_add(1)));
    sleep(wait).await;
}

/// Sleeps, counted.
async fn sleep(wait: Duration) {
    let waiting = Waiting::new();
    PULSE.waited_ms.fetch_add(u64::try_from(wait.as_millis()).unwrap_or(0), Ordering::Relaxed);
    tokio::time::sleep(wait).await;
    drop(waiting);
}

/// Runs `work` for at most `limit`, waits for limits of the server not counted. `None` when time is up.
pub(crate) async fn limited<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let waited = Arc::new(Waited { ms: AtomicU64::new(0), outer: WAITED.try_with(Arc::clone).ok() });
    let start = Instant::now();
    let mut work = std::pin::pin!(WAITED.scope(Arc::clone(&waited), work));
    loop {
        let allowed = limit + waited.so_far();
        if let Ok(done) = tokio::time::timeout_at(start + allowed, work.as_mut()).await {
            return Some(done);
        }
        if limit + waited.so_far() == allowed {
            return None;
        }
    }
}

/// Time left for the logical request that this task works on.
pub(crate) fn time_left(config: &HubConfig) -> Duration {
    DEADLINE.try_with(|end| end.saturating_duration_since(Instant::now())).unwrap_or(config.total_timeout)
}

/// Runs `work` until it succeeds, fails for good, the tries are used up, or the total deadline is near.
pub(crate) async fn with_retries<T, F, W>(config: &HubConfig, mut work: W) -> Result<T, HubError>
where
    F: Future<Output = Result<T, HubError>>,
    W: FnMut() -> F,
{
    let start = Instant::now();
    let end = start + time_left(config);
    let looped = async {
        let mut tries: u32 = 0;
        loop {
            let error = match work().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            tries += 1;
            if !error.is_transient() || tries > allowed(config, &error) {
                return Err(error.tried(tries, start.elapsed()));
            }
            let doubled =
                if config.outages == Outages::Long { (tries - 1).min(PATIENT_DOUBLINGS) } else { tries - 1 };
            let wait = delay(config.retry_base, doubled, error.context().retry_after);
            if Instant::now() + wait >= end {
                return Err(error.tried(tries, start.elapsed()));
            }
            PULSE.retries.fetch_add(1, Ordering::Relaxed);
            wait_politely_or_not(&error, wait).await;
        }
    };
    DEADLINE.scope(end, looped).await
}

async fn wait_politely_or_not(error: &HubError, wait: Duration) {
    if error.kind() == HubErrorKind::RateLimited { wait_politely(wait).await } else { sleep(wait).await }
}

/// How often to try again after an error.
fn allowed(config: &HubConfig, error: &HubError) -> u32 {
    let patient = if config.outages == Outages::Long {
        config.max_retries.saturating_mul(PATIENT_TIMES)
    } else {
        config.max_retries
    };
    match error.kind() {
        HubErrorKind::Connection if error.is_refused() && config.outages == Outages::Short => {
            patient.min(REFUSED_RETRIES)
        }
        HubErrorKind::RateLimited if config.max_retries > 0 && error.context().retry_after.is_some() => {
            LIMITED_RETRIES.max(config.max_retries)
        }
        _ => patient,
    }
}

/// The wait before try `tries + 1`: what the server asked for, else doubling up to 32 times the base. Both are spread,
/// so that many waiters do not come back at once: by chance, and those that a server sent away also one by one.
pub(crate) fn delay(base: Duration, tries: u32, asked: Option<f64>) -> Duration {
    let seconds = match asked {
        Some(asked) => {
            let now = epoch();
            slot(now + asked.clamp(0.0, LONGEST) + random::fraction() * 0.5) - now
        }
        None => base.as_secs_f64() * f64::from(1_u32 << tries.min(5)) * (0.5 + random::fraction()),
    };
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST + 60.0)).unwrap_or(Duration::ZERO)
}

/// A moment at or after `wanted` that lies `GAP` behind every one given out before for about the same time.
fn slot(wanted: f64) -> f64 {
    static LAST: AtomicU64 = AtomicU64::new(0); // milliseconds; an atomic, so a fork cannot inherit it locked
    let wanted = (wanted * 1000.0) as u64;
    let gap = (GAP * 1000.0) as u64;
    let next = |last: u64| if last > wanted + 60_000 { wanted } else { wanted.max(last + gap) };
    let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    before.map_or(wanted, next) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn delays_double_and_are_bounded() {
        let base = Duration::from_millis(100);
        assert!(delay(base, 0, None) < Duration::from_millis(151));
        assert!(delay(base, 3, None) >= Duration::from_millis(400));
        assert!(delay(base, 40, None) <= Duration::from_millis(4800));
        assert!(delay(base, 0, Some(f64::MAX)) <= Duration::from_secs(360));
        assert!(delay(base, 0, Some(f64::NAN)) <= Duration::from_secs(360));
    }

    #[test]
    fn those_sent_away_come_back_apart() {
        let now = epoch() + 10_000.0;
        let slots: Vec<f64> = (0..20).map(|_| slot(now)).collect();
        assert!(slots.iter().zip(slots.iter().skip(1)).all(|(a, b)| b - a > 0.049), "{slots:?}");
    }

    fn config(retries: u32, total: f64) -> HubConfig {
        let text = total.to_string();
        let made = HubConfig::from_lookup(|n| (n == "HFHUB_TOTAL_TIMEOUT").then(|| text.clone()));
        made.with_retries(retries, Duration::from_millis(1))
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        #[allow(clippy::disallowed_methods, reason = "a test")]
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work)
    }

    #[test]
    fn tries_are_counted_and_named() {
        let calls = AtomicU64::new(0);
        let failing = || async {
            calls.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(HubError::new(HubErrorKind::Server, "it broke"))
        };
        let error = run(with_retries(&config(3, 60.0), failing)).unwrap_err();
        assert_eq!(calls.load(Ordering::Relaxed), 4);
        assert!(error.to_string().contains("tried 4 times"), "{error}");
        let error = run(with_retries(&config(3, 60.0), || async {
            Err::<(), _>(HubError::new(HubErrorKind::BadRequest, "no"))
        }));
        assert_eq!(error.unwrap_err().to_string(), "no");
    }

    #[test]
    fn the_patient_ask_more_often_and_wait_no_longer() {
        let calls = AtomicU64::new(0);
        let down = || async {
            calls.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(HubError::new(HubErrorKind::Connection, "gone").with(|c| c.unreachable = true))
        };
        let start = Instant::now();
        assert!(run(with_retries(&config(5, 60.0).patient(), down)).is_err());
        assert_eq!(calls.load(Ordering::Relaxed), 31);
        assert!(start.elapsed() < Duration::from_secs(5), "waits of 1, 2, 4, 4… ms");
        assert!(run(with_retries(&config(0, 60.0).patient(), down)).is_err());
        assert_eq!(calls.load(Ordering::Relaxed), 32);
    }

    #[test]
    fn the_total_deadline_ends_it() {
        let asked = || async {
            Err::<(), _>(
                HubError::new(HubErrorKind::RateLimited, "later").with(|c| c.retry_after = Some(30.0)),
            )
        };
        let start = Instant::now();
        let error = run(with_retries(&config(5, 2.0), asked)).unwrap_err();
        assert!(error.to_string().starts_with("later"));
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn polite_waits_do_not_count_as_slowness() {
        let polite = limited(Duration::from_millis(100), async {
            limited(Duration::from_millis(100), wait_politely(Duration::from_millis(400))).await
        });
        assert_eq!(run(polite), Some(Some(())));
        let slow =
            async { limited(Duration::from_millis(50), tokio::time::sleep(Duration::from_secs(9))).await };
        assert_eq!(run(slow), None);
    }
}
