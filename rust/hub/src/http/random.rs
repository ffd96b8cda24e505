//! Numbers that differ between calls, threads, processes and forks: for jitter and trace ids, not for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static CALLS: AtomicU64 = AtomicU64::new(0);

/// A number. The pid and the clock are mixed in since a forked child inherits the keys and the counter.
pub(crate) fn number() -> u64 {
    let mut hash = RandomState::new().build_hasher();
    hash.write_u32(std::process::id());
    hash.write_u64(CALLS.fetch_add(1, Ordering::Relaxed));
    hash.write_u128(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos()));
    hash.finish()
}

/// A number from 0 up to 1.
pub(crate) fn fraction() -> f64 {
    (number() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A text of the form of a uuid4.
pub(crate) fn uuid4() -> String {
    let (high, low) = (number(), number());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFF,
        0x8000 | ((low >> 48) & 0x3FFF),
        low & 0xFFFF_FFFF_FFFF
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn they_differ() {
        let made: HashSet<String> = (0..1000).map(|_| uuid4()).collect();
        assert_eq!(made.len(), 1000);
        assert!(made.iter().all(|id| id.len() == 36 && id.as_bytes().get(14) == Some(&b'4')));
        assert!((0..1000).map(|_| fraction()).all(|f| (0.0..1.0).contains(&f)));
    }
}
