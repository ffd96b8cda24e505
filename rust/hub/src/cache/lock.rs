//! Locks between processes: `flock` on the file that the official clients lock too.
//!
//! What holds whatever the file system does: temporary names are unique, bytes are verified before they get their name,
//! and names are given by `rename`. So a lock only saves the second download of a file; where `flock` does nothing
//! (Lustre with `localflock`, some NFS mounts), a file is fetched more than once and all is well.
//!
//! No byte-range lock (`fcntl`) is taken beside `flock`: on NFS Linux turns `flock` into one on the server, where the two
//! of one process would exclude each other, and the official client takes `flock` alone. Where `flock` is an error
//! (ENOSYS, ENOLCK), the file itself is the lock, as the official client's `SoftFileLock` has it: whoever creates it has
//! it. Such a file outlives a killed holder, so it is broken when its process is gone or when it is a minute old.
//!
//! A lock is released by an explicit unlock: after a fork the child holds the same open file, so closing ours would
//! leave it locked. A process that dies lets go of its `flock`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::owner;
use super::store::make_parent;
use crate::config::{HubConfig, LockMode};
use crate::error::{HubError, HubErrorKind};
use crate::notice::{NoticeKind, Notices};

const FIRST_POLL: Duration = Duration::from_millis(2);
const LONGEST_POLL: Duration = Duration::from_millis(50);
/// A lock that is a file is broken at this age, whoever made it.
const SOFT_AGE: Duration = Duration::from_secs(60);

/// A held lock.
pub(crate) struct FileLock {
    held: Held,
    waited: bool,
}

enum Held {
    Flock { file: File, signed: bool },
    Soft(PathBuf),
    Off,
}

impl FileLock {
    /// Waits for the lock, at most as long as `HFHUB_LOCK_TIMEOUT` says.
    pub(crate) async fn acquire(
        path: &Path,
        config: &HubConfig,
        notices: &Notices,
    ) -> Result<Self, HubError> {
        if config.locks == LockMode::Off {
            return Ok(Self { held: Held::Off, waited: false });
        }
        make_parent(path)?;
        let give_up = Instant::now() + config.lock_timeout;
        let mut soft = config.locks == LockMode::Soft;
        let mut pause = FIRST_POLL;
        let mut waited = false;
        loop {
            let taken = if soft { try_soft(path, notices)? } else { try_flock(path, &mut soft)? };
            if let Some(held) = taken {
                return Ok(Self { held, waited });
            }
            waited = true;
            if Instant::now() >= give_up {
                return Err(held_too_long(path, config.lock_timeout));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_POLL);
        }
    }

    /// Lets go, and takes the file away: the official client leaves no such lock. Who waited for it and who makes it anew
    /// may then hold it both, which costs a request.
    pub(crate) fn remove(self, path: &Path) {
        let _ = std::fs::remove_file(path);
        drop(self);
    }

    /// Whether another process had it first.
    pub(crate) fn waited(&self) -> bool {
        self.waited
    }
}

fn held_too_long(path: &Path, waited: Duration) -> HubError {
    let shown = path.to_string_lossy().into_owned();
    let holder = owner::holder(path).unwrap_or_else(|| "another process".to_owned());
    let message = format!("{holder} has held {shown} for {:.0} s", waited.as_secs_f64());
    HubError::new(HubErrorKind::LockTimeout, message).with(|c| c.path = Some(shown)).with_hint(
        "It downloads the same file, or hangs. HFHUB_LOCK_TIMEOUT sets the seconds to wait; ending that process frees the lock.",
    )
}

/// One try with `flock`. Sets `soft` where the file system does not know it.
fn try_flock(path: &Path, soft: &mut bool) -> Result<Option<Held>, HubError> {
    let mut how = OpenOptions::new();
    how.read(true).write(true);
    let (file, made) = match how.clone().create_new(true).open(path) {
        Ok(file) => (file, true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match how.open(path) {
            Ok(file) => (file, false),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None), // deleted meanwhile
            Err(error) => return Err(HubError::io("open the lock", path, error)),
        },
        Err(error) => return Err(HubError::io("open the lock", path, error)),
    };
    if made {
        open_to_group(&file);
    }
    match file.try_lock() {
        Ok(()) => {
            let signed = owner::must_sign(&file) && owner::sign(&file);
            Ok(Some(Held::Flock { file, signed }))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(_)) => {
            *soft = true;
            if !made {
                return Ok(None);
            }
            owner::sign(&file); // who created the file has the lock
            Ok(Some(Held::Soft(path.to_owned())))
        }
    }
}

/// One try to create the lock's file; a stale one is taken away first.
fn try_soft(path: &Path, notices: &Notices) -> Result<Option<Held>, HubError> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => {
            open_to_group(&file);
            owner::sign(&file);
            Ok(Some(Held::Soft(path.to_owned())))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if stale(path) {
                let holder = owner::holder(path).unwrap_or_else(|| "a process that is gone".to_owned());
                let text = format!("the lock {} was left behind by {holder}; it was broken", path.display());
                notices.add(NoticeKind::Lock, path.to_string_lossy(), text);
                let _ = std::fs::remove_file(path); // another waiter may have been faster
            }
            Ok(None)
        }
        Err(error) => Err(HubError::io("create the lock", path, error)),
    }
}

fn stale(path: &Path) -> bool {
    if owner::is_dead(path) {
        return true;
    }
    let changed = std::fs::metadata(path).and_then(|m| m.modified());
    changed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > SOFT_AGE))
}

impl Drop for FileLock {
    fn drop(&mut self) {
        match &mut self.held {
            Held::Flock { file, signed } => {
                if *signed {
                    let _ = file.set_len(0).and_then(|()| file.flush()); // the official lock file is empty
                }
                let _ = file.unlock();
            }
            Held::Soft(path) => {
                let _ = std::fs::remove_file(path);
            }
            Held::Off => {}
        }
    }
}

#[cfg(unix)]
fn open_to_group(file: &File) {
    use std::os::unix::fs::PermissionsExt;
    let _ = file.set_permissions(std::fs::Permissions::from_mode(0o664)); // as the official client; not ours to force
}

#[cfg(not(unix))]
fn open_to_group(_file: &File) {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use super::*;

    fn config(pairs: &'static [(&'static str, &'static str)]) -> HubConfig {
        HubConfig::from_lookup(|name| pairs.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()))
    }

    #[tokio::test]
    async fn a_held_lock_is_waited_for_and_its_holder_named() {
        let folder = tempfile::tempdir().unwrap();
        for mode in ["flock", "soft"] {
            let path = folder.path().join(mode).join("e.lock");
            let config = if mode == "soft" {
                config(&[("HFHUB_LOCK_TIMEOUT", "0.1"), ("HFHUB_LOCKS", "soft")])
            } else {
                config(&[("HFHUB_LOCK_TIMEOUT", "0.1")])
            };
            let notices = Notices::default();
            let held = FileLock::acquire(&path, &config, &notices).await.unwrap();
            let error = FileLock::acquire(&path, &config, &notices).await.err().unwrap();
            assert_eq!(error.kind(), HubErrorKind::LockTimeout);
            assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
            drop(held);
            assert!(FileLock::acquire(&path, &config, &notices).await.is_ok());
            assert!(notices.take().is_empty());
            assert_eq!(std::fs::read(&path).unwrap_or_default(), b"", "{mode}");
        }
    }

    #[tokio::test]
    async fn the_file_of_a_dead_process_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.lock");
        std::fs::write(&path, format!("4194999\n{}\n", owner::host())).unwrap();
        let config = config(&[("HFHUB_LOCK_TIMEOUT", "5"), ("HFHUB_LOCKS", "soft")]);
        let notices = Notices::default();
        assert!(FileLock::acquire(&path, &config, &notices).await.is_ok());
        assert!(notices.take().iter().any(|n| n.kind == NoticeKind::Lock && n.text.contains("4194999")));
    }
}
