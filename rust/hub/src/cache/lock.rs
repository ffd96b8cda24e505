//! Locks between processes: `flock` on the file that the official clients lock too.
//!
//! A lock is released by an explicit unlock: after a fork the child holds the same open file, so closing ours would
//! leave it locked. A process that dies lets go of its locks; correctness does not hang on them (temporary names are
//! unique and renames atomic), so a file system where `flock` does nothing only downloads a file twice.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::store::make_parent;
use crate::error::{HubError, HubErrorKind};

const POLL: Duration = Duration::from_millis(25);

/// A held lock.
pub(crate) struct FileLock(File);

impl FileLock {
    /// Waits for the lock, at most `timeout`.
    pub(crate) async fn acquire(path: &Path, timeout: Duration) -> Result<Self, HubError> {
        make_parent(path)?;
        let file = open(path).map_err(|e| HubError::io("open the lock", path, e))?;
        let give_up = Instant::now() + timeout;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => tokio::time::sleep(POLL).await,
                Err(TryLockError::WouldBlock) => {
                    let shown = path.to_string_lossy().into_owned();
                    let message = format!("another process has held {shown} for {} s", timeout.as_secs());
                    return Err(
                        HubError::new(HubErrorKind::LockTimeout, message).with(|c| c.path = Some(shown))
                    );
                }
                // A file system without locks: go on without, see above.
                Err(TryLockError::Error(_)) => return Ok(Self(file)),
            }
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Opens the lock file, making it if it is not there; only one that we made gets the official mode.
fn open(path: &Path) -> std::io::Result<File> {
    let made = OpenOptions::new().create_new(true).read(true).write(true).open(path);
    match made {
        Ok(file) => {
            open_to_group(&file);
            Ok(file)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
        }
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn open_to_group(file: &File) {
    use std::os::unix::fs::PermissionsExt;
    let _ = file.set_permissions(std::fs::Permissions::from_mode(0o664)); // as the official client; not ours to force
}

#[cfg(not(unix))]
fn open_to_group(_file: &File) {}
