//! Who holds a lock: told by the kernel for processes of this machine, by the lock file's text for those of others.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The kernel's list of locks.
const PROC_LOCKS: &str = "/proc/locks";
/// Longer texts are not ours.
const MAX_TEXT: u64 = 400;

/// This machine's name.
pub(super) fn host() -> String {
    #[cfg(unix)]
    {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
    #[cfg(not(unix))]
    {
        "this machine".to_owned()
    }
}

/// Whether others could not find out otherwise who holds the lock: the file system is not local, or the kernel keeps no
/// list. Elsewhere the lock file stays untouched, as the official client leaves it.
pub(super) fn must_sign(file: &File) -> bool {
    !Path::new(PROC_LOCKS).exists() || is_shared(file)
}

#[cfg(target_os = "linux")]
fn is_shared(file: &File) -> bool {
    // NFS, SMB (three), Lustre, GPFS, Ceph, AFS, 9P, FUSE: from linux/magic.h and the vendors' headers.
    const SHARED: [u64; 10] = [
        0x6969,
        0x517B,
        0xFF53_4D42,
        0xFE53_4D42,
        0x0BD0_0BD0,
        0x4750_4653,
        0x00C3_6400,
        0x5346_414F,
        0x0102_1997,
        0x6573_5546,
    ];
    rustix::fs::fstatfs(file).is_ok_and(|found| SHARED.contains(&(found.f_type as u64 & 0xFFFF_FFFF)))
}

#[cfg(not(target_os = "linux"))]
fn is_shared(_file: &File) -> bool {
    true
}

/// Writes process and machine into a lock file, in the form of `filelock`.
pub(super) fn sign(mut file: &File) -> bool {
    let text = format!("{}\n{}\n", std::process::id(), host());
    file.set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(text.as_bytes()))
        .is_ok()
}

fn signature(path: &Path) -> Option<(u32, String)> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_TEXT).read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    Some((pid, lines.next().unwrap_or_default().trim().to_owned()))
}

/// The holder of a lock, for messages.
pub(super) fn holder(path: &Path) -> Option<String> {
    if let Some((pid, host)) = signature(path) {
        return Some(format!("process {pid} on {host}"));
    }
    let pid = listed(path)?;
    Some(format!("process {pid} on {}", host()))
}

#[cfg(unix)]
fn listed(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{}", std::fs::metadata(path).ok()?.ino());
    let locks = std::fs::read_to_string(PROC_LOCKS).ok()?;
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|w| w.ends_with(&inode))?;
        let held = !words.contains(&"->"); // that one waits
        words.get(at.checked_sub(1)?)?.parse().ok().filter(|pid| held && *pid > 0)
    })
}

#[cfg(not(unix))]
fn listed(_path: &Path) -> Option<u32> {
    None
}

/// Whether the process that signed a lock file was one of this machine and is gone.
pub(super) fn is_dead(path: &Path) -> bool {
    signature(path).is_some_and(|(pid, machine)| machine == host() && !lives(pid))
}

#[cfg(unix)]
fn lives(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else {
        return false;
    };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn lives(_pid: u32) -> bool {
    true
}
