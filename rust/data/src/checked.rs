//! Files whose values were checked already, so that a second opening need not read them all again.
//!
//! A file is known by its place, length and times and, where the system tells, by its inode and the time of its last
//! change of any kind, which nobody can set: what was written since is another file.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What a file is told by, beside its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// That of an open file; `None` where the system does not tell enough.
    #[cfg(unix)]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;

        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// That of an open file; `None` where the system does not tell enough.
    #[cfg(not(unix))]
    pub fn of(_metadata: &Metadata) -> Option<Self> {
        None
    }

    /// Whether the last change is so long ago that another one would show.
    fn is_settled(&self, now: SystemTime) -> bool {
        let (seconds, part) = self.changed;
        let (Ok(seconds), Ok(part)) = (u64::try_from(seconds), u32::try_from(part)) else { return false };
        UNIX_EPOCH
            .checked_add(Duration::new(seconds, part.min(999_999_999)))
            .is_some_and(|changed| now.duration_since(changed).is_ok_and(|since| since > SETTLED))
    }

    /// That of the file at a path.
    pub fn at(path: &Path) -> Option<Self> {
        Self::of(&std::fs::metadata(path).ok()?)
    }
}

static CHECKED: Mutex<Option<HashMap<PathBuf, Stamp>>> = Mutex::new(None);
/// Files that are remembered at the most; above it they are forgotten, and checked again.
const MOST: usize = 65_536;
const SETTLED: Duration = Duration::from_millis(100);

/// The files; none when a fork copied the lock while it was held: they are checked again then.
fn checked() -> Option<MutexGuard<'static, Option<HashMap<PathBuf, Stamp>>>> {
    for _ in 0..10_000 {
        match CHECKED.try_lock() {
            Ok(held) => return Some(held),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
    None
}

fn name(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Notes that a file's values were checked, here or in the process that says so.
pub fn note(path: &Path, stamp: Option<Stamp>) {
    note_at(path, stamp, SystemTime::now());
}

fn note_at(path: &Path, stamp: Option<Stamp>, now: SystemTime) {
    // Clocks of files tick slowly: what changed just now may change once more and show the same time.
    let Some(stamp) = stamp.filter(|stamp| stamp.is_settled(now)) else { return };
    if let Some(mut held) = checked() {
        let files = held.get_or_insert_with(HashMap::new);
        if files.len() >= MOST {
            files.clear();
        }
        files.insert(name(path), stamp);
    }
}

/// Whether a file's values were checked and it has not changed since.
pub(crate) fn is_checked(path: &Path, stamp: Option<Stamp>) -> bool {
    let Some(stamp) = stamp else { return false };
    checked().is_some_and(|held| held.as_ref().and_then(|files| files.get(&name(path))) == Some(&stamp))
}

/// The stamp of a file that was checked here, to tell other processes of it.
pub fn stamp_of(path: &Path) -> Option<Stamp> {
    let stamp = Stamp::at(path);
    if is_checked(path, stamp) { stamp } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    #[test]
    fn a_file_that_changed_is_not_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"one").unwrap();
        let stamp = Stamp::at(&path);
        let later = SystemTime::now() + Duration::from_secs(1);
        note_at(&path, stamp, SystemTime::now() - Duration::from_secs(1));
        assert!(!is_checked(&path, stamp), "it changed too short ago");
        note_at(&path, stamp, later);
        assert_eq!(is_checked(&path, stamp), cfg!(unix));
        assert_eq!(stamp_of(&path), stamp);
        std::fs::write(&path, b"other").unwrap();
        assert!(!is_checked(&path, Stamp::at(&path)));
        assert_eq!(stamp_of(&path), None);
    }
}
