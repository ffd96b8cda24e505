//! What a server says about its limits: `RateLimit`, `RateLimit-Policy`, `Retry-After`.

use std::time::SystemTime;

use reqwest::header::HeaderMap;

use super::answer::header;

/// One bucket, as a `RateLimit` header gives it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// Name of the bucket.
    pub(crate) bucket: String,
    /// Requests left in this window.
    pub(crate) left: i64,
    /// Seconds until the next window.
    pub(crate) reset: f64,
    /// Requests in a whole window, and its seconds.
    pub(crate) policy: Option<(i64, f64)>,
}

/// Longest wait that is believed, in seconds: four windows of the Hub.
const LONGEST: f64 = 1200.0;

/// The items of a structured list, split at commas outside quotes; each split at its semicolons.
fn items(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let mut quoted = false;
    text.split(move |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .map(|item| item.split(';').map(str::trim).collect())
}

fn field(parts: &[&str], key: &str) -> Option<f64> {
    let value = parts.iter().find_map(|p| p.strip_prefix(key)?.strip_prefix('='))?;
    value.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0)
}

/// Every bucket of the `RateLimit` headers.
pub(crate) fn told(headers: &HeaderMap) -> Vec<Told> {
    let Some(text) = header(headers, "ratelimit") else {
        return Vec::new();
    };
    let policies = header(headers, "ratelimit-policy").unwrap_or_default();
    let policies: Vec<Vec<&str>> = items(&policies).collect();
    let policy = |name: &str| {
        let found = policies.iter().find(|p| p.contains(&name))?;
        Some((field(found, "q")? as i64, field(found, "w")?)).filter(|(q, w)| *q > 0 && *w > 0.0)
    };
    let read = |parts: Vec<&str>| {
        let name = *parts.first()?;
        Some(Told {
            bucket: name.trim_matches('"').chars().take(64).collect(),
            left: field(&parts, "r")? as i64,
            reset: field(&parts, "t")?.min(LONGEST),
            policy: policy(name),
        })
    };
    items(&text).take(8).filter_map(read).collect()
}

/// `Retry-After` in seconds from now; it may be a number or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<f64> {
    let text = header(headers, "retry-after")?;
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(SystemTime::now()).map_or(0.0, |d| d.as_secs_f64()))
    });
    seconds.filter(|s| s.is_finite() && *s >= 0.0).map(|s| s.min(LONGEST))
}

/// Seconds that the server asks to wait: the longest window that is used up, else `Retry-After`.
pub(crate) fn wait_of(headers: &HeaderMap) -> Option<f64> {
    let used_up = told(headers).into_iter().filter(|t| t.left <= 0).map(|t| t.reset).reduce(f64::max);
    used_up.or_else(|| retry_after(headers))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn limits_are_read() {
        let found = told(&headers(&[
            ("ratelimit", "\"resolvers\";r=2998;t=172, \"a,b\";r=0;t=5"),
            ("ratelimit-policy", "\"fixed window\";\"resolvers\";q=3000;w=300"),
        ]));
        assert_eq!(found.len(), 2);
        let first = found.first().unwrap();
        assert_eq!((first.bucket.as_str(), first.left, first.reset), ("resolvers", 2998, 172.0));
        assert_eq!(first.policy, Some((3000, 300.0)));
        assert_eq!(found.last().unwrap().bucket, "a,b");
        for odd in ["", ";;;", "\"x\"", "\"x\";r=a;t=1", "\"x\";r=-1;t=1", "\"x\";r=1;t=inf"] {
            assert!(told(&headers(&[("ratelimit", odd)])).is_empty(), "{odd}");
        }
    }

    #[test]
    fn waits_are_read() {
        let wait = |name: &'static str, value: &str| wait_of(&headers(&[(name, value)]));
        assert_eq!(wait("ratelimit", "\"resolvers\";r=0;t=55"), Some(55.0));
        assert_eq!(wait("ratelimit", "\"resolvers\";r=7;t=55"), None);
        assert_eq!(wait("retry-after", "3"), Some(3.0));
        assert_eq!(wait("retry-after", "soon"), None);
        assert_eq!(wait("retry-after", "-3"), None);
        assert_eq!(wait("retry-after", "1e300"), Some(LONGEST));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!((58.0..=60.0).contains(&wait("retry-after", &date).unwrap()));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), Some(0.0));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_not(limit in "[ -~]{0,80}", policy in "[ -~]{0,80}", after in "[ -~]{0,40}") {
            let found = headers(&[("ratelimit", &limit), ("ratelimit-policy", &policy), ("retry-after", &after)]);
            for one in told(&found) {
                proptest::prop_assert!((0.0..=LONGEST).contains(&one.reset) && one.left >= 0);
            }
            proptest::prop_assert!(wait_of(&found).is_none_or(|w| (0.0..=LONGEST).contains(&w)));
        }
    }
}
