//! The limit on what streams keep: what was not used for the longest time goes first.
#![allow(clippy::disallowed_methods, reason = "removes from the cache; what cannot be removed stays")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime};

/// The folder of kept streams below that of a repository.
pub(super) const FOLDER: &str = "streams";
/// Of what is free, so much is taken at a time without looking again: several processes fill the same cache.
const SHARE: u64 = 16;

/// A kind of files in it, with a limit of its own.
pub(super) struct Kind {
    /// How their names end.
    ending: &'static str,
    /// Whether what this process used of the same repository stays.
    ///
    /// With a limit below the size of a dataset, dropping the oldest blocks would drop all of them before they are read again.
    stays: bool,
    /// What this process may write before it looks again, for a cache and a limit.
    left: Mutex<Option<(PathBuf, u64, u64)>>,
}

/// Segments of blocks.
pub(super) static SEGMENTS: Kind = Kind::new(".blocks", true);
/// Ends of files.
pub(super) static ENDS: Kind = Kind::new(".end", false);

/// A file that is there.
struct Found {
    path: PathBuf,
    repo: PathBuf,
    used: SystemTime,
    length: u64,
}

/// When this process began to keep streams.
pub(super) fn since() -> SystemTime {
    static SINCE: OnceLock<SystemTime> = OnceLock::new();
    *SINCE.get_or_init(|| SystemTime::now() - Duration::from_secs(1)) // clocks of file systems are behind
}

impl Kind {
    const fn new(ending: &'static str, stays: bool) -> Self {
        Self { ending, stays, left: Mutex::new(None) }
    }

    fn found(&self, cache: &Path) -> Vec<Found> {
        let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let mut all = Vec::new();
        for repo in entries(cache) {
            for content in entries(&repo.path().join(FOLDER)) {
                for file in entries(&content.path()) {
                    if !file.file_name().to_string_lossy().ends_with(self.ending) {
                        continue;
                    }
                    let Ok(facts) = file.metadata() else { continue };
                    let used = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    all.push(Found { path: file.path(), repo: repo.path(), used, length: facts.len() });
                }
            }
        }
        all
    }

    /// Makes room for `need` more bytes. False where that would be over the limit.
    pub(super) fn make(&self, cache: &Path, repo: &Path, need: u64, limit: u64) -> bool {
        // Never waited for: after a fork it may be locked for ever. Then the folders are looked at.
        let mut left = self.left.try_lock().ok();
        if let Some(Some((place, of, bytes))) = left.as_deref_mut()
            && (place.as_path(), *of) == (cache, limit)
            && *bytes >= need
        {
            *bytes -= need;
            return true;
        }
        let mut all = self.found(cache);
        let mut total: u64 = all.iter().map(|f| f.length).sum();
        if total.saturating_add(need) > limit {
            all.retain(|f| !self.stays || f.repo != repo || f.used < since());
            all.sort_by_key(|f| f.used);
            for old in all {
                if total.saturating_add(need) <= limit {
                    break;
                }
                if fs::remove_file(&old.path).is_ok() {
                    total = total.saturating_sub(old.length);
                    // Folders that are empty go too.
                    let _ = old.path.parent().map(fs::remove_dir);
                }
            }
        }
        let Some(free) = limit.checked_sub(total).and_then(|free| free.checked_sub(need)) else {
            return false;
        };
        if let Some(left) = left.as_deref_mut() {
            *left = Some((cache.to_owned(), limit, free / SHARE));
        }
        true
    }
}
