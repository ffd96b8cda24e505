//! Room on the disk: asked for before the first byte, so that a full disk is told at once.

use std::fs::File;
use std::path::Path;

use crate::error::{HubError, HubErrorKind};

/// Free bytes of the file system that holds a folder, for this user. `None` where it does not say.
#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok().filter(|s| s.f_blocks > 0)?;
    found.f_bavail.checked_mul(found.f_frsize)
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> Option<u64> {
    None
}

/// An error if fewer than `needed` bytes are free where `file` will be. Its folder must be there.
pub(super) fn room_for(file: &Path, needed: u64) -> Result<(), HubError> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    match free(folder) {
        Some(free) if free < needed => Err(full(folder, needed, free)),
        _ => Ok(()),
    }
}

fn full(folder: &Path, needed: u64, free: u64) -> HubError {
    let shown = folder.to_string_lossy().into_owned();
    let message = format!(
        "not enough space in {shown}: {needed} bytes are needed, {free} are free ({:.1} and {:.1} MB)",
        needed as f64 / 1e6,
        free as f64 / 1e6
    );
    HubError::new(HubErrorKind::DiskFull, message)
        .with(|c| c.path = Some(shown))
        .with_hint("Free space, or point HF_HUB_CACHE (or local_dir) to a larger disk, and try again.")
}

/// Takes the space of a file that will have `size` bytes, where the file system can; its length is set in any case. In
/// memory it is not taken: that is as much work as writing the file, and would have to end before the first write.
pub(super) fn allocate(file: &File, path: &Path, size: u64) -> Result<(), HubError> {
    #[cfg(target_os = "linux")]
    if !in_memory(file) {
        use rustix::io::Errno;
        match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, size) {
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => {
                return Err(HubError::io("reserve space for", path, error.into()));
            }
            Ok(()) => return Ok(()),
            Err(_) => {} // not of this file system
        }
    }
    file.set_len(size).map_err(|e| HubError::io("set the length of", path, e))
}

#[cfg(target_os = "linux")]
fn in_memory(file: &File) -> bool {
    const TMPFS: rustix::fs::FsWord = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|s| s.f_type == TMPFS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[cfg(unix)]
    #[test]
    fn more_than_any_disk_is_refused_with_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        assert!(room_for(&file, 1).is_ok());
        let error = room_for(&file, u64::MAX / 2).unwrap_err();
        assert_eq!(error.kind(), HubErrorKind::DiskFull);
        assert!(error.to_string().contains(&(u64::MAX / 2).to_string()));
    }
}
