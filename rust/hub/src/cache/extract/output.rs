//! Where an archive goes: files, folders and links below one folder of our own, within the limits.
//!
//! Nothing is written through a link: each folder on the way is looked at before. A link may point to what is inside,
//! which is decided at the end by following it, when all links are known.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::{ExtractLimits, broken, names, refuse};
use crate::error::{HubError, HubErrorKind};

const CHUNK: usize = 1 << 18;
/// The ratio is not looked at before: small archives of zeros are no danger.
const RATIO_FREE: u64 = 256 << 20;
/// As many links as Linux follows.
const MAX_HOPS: usize = 40;
const MAX_STEPS: usize = 10_000;

/// The folder that an archive is unpacked to.
pub(super) struct Output<'a> {
    archive: &'a Path,
    archive_size: u64,
    root: PathBuf,
    limits: ExtractLimits,
    stop: &'a dyn Fn() -> bool,
    entries: u64,
    bytes: u64,
    /// Folders known to be real ones.
    folders: HashSet<PathBuf>,
    links: Vec<PathBuf>,
    chunk: Vec<u8>,
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere not every name is one")]
fn os(part: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStrExt;
    Some(OsStr::from_bytes(part).to_owned())
}

#[cfg(not(unix))]
fn os(part: &[u8]) -> Option<OsString> {
    std::str::from_utf8(part).ok().map(OsString::from)
}

impl<'a> Output<'a> {
    pub(super) fn new(
        archive: &'a Path,
        archive_size: u64,
        root: PathBuf,
        limits: ExtractLimits,
        stop: &'a dyn Fn() -> bool,
    ) -> Self {
        Self {
            archive,
            archive_size,
            root,
            limits,
            stop,
            entries: 0,
            bytes: 0,
            folders: HashSet::new(),
            links: Vec::new(),
            chunk: vec![0; CHUNK],
        }
    }

    fn bad(&self, name: &[u8], why: &str) -> HubError {
        let shown: String = String::from_utf8_lossy(name).chars().take(200).collect();
        refuse(HubErrorKind::Archive, self.archive, &format!("{shown:?} in it {why}"))
    }

    fn over(&self, why: &str) -> HubError {
        refuse(HubErrorKind::ArchiveLimit, self.archive, why)
            .with_hint("If the archive is trusted, raise the limit by its argument.")
    }

    /// Refuses to go on when it was asked to stop.
    pub(super) fn check_stop(&self) -> Result<(), HubError> {
        if (self.stop)() {
            return Err(HubError::io("extract", self.archive, ErrorKind::Interrupted.into()));
        }
        Ok(())
    }

    /// The parts of a name as a path; counts the entry.
    fn path_of(&mut self, name: &[u8]) -> Result<PathBuf, HubError> {
        self.check_stop()?;
        self.entries += 1;
        if self.entries > self.limits.max_entries {
            return Err(
                self.over(&format!("it has more than {} entries (max_entries)", self.limits.max_entries))
            );
        }
        self.relative(name)
    }

    fn relative(&self, name: &[u8]) -> Result<PathBuf, HubError> {
        let parts = names::parts(name).map_err(|why| self.bad(name, why))?;
        if parts.len() > self.limits.max_depth {
            return Err(
                self.over(&format!("it has folders deeper than {} (max_depth)", self.limits.max_depth))
            );
        }
        let parts: Option<Vec<OsString>> = parts.into_iter().map(os).collect();
        parts.map(|p| p.iter().collect()).ok_or_else(|| self.bad(name, "is not UTF-8"))
    }

    /// Makes folders, none of them through a link.
    fn make_folders(&mut self, relative: &Path, name: &[u8]) -> Result<(), HubError> {
        let mut so_far = PathBuf::new();
        for part in relative.components() {
            so_far.push(part);
            if self.folders.contains(&so_far) {
                continue;
            }
            let path = self.root.join(&so_far);
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {}
                Ok(found) if found.is_symlink() => {
                    return Err(self.bad(name, "would be written through a link"));
                }
                Ok(_) => return Err(self.bad(name, "would be below a file")),
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    fs::create_dir(&path).map_err(|e| HubError::io("make the folder", &path, e))?;
                }
                Err(e) => return Err(HubError::io("look at", &path, e)),
            }
            self.folders.insert(so_far.clone());
        }
        Ok(())
    }

    /// Room for a file or link: its folder is there, and nothing of its name. The last of a name wins.
    fn make_room(&mut self, name: &[u8]) -> Result<PathBuf, HubError> {
        let relative = self.path_of(name)?;
        let Some(parent) = relative.parent() else {
            return Err(self.bad(name, "is no name of a file"));
        };
        self.make_folders(parent, name)?;
        let path = self.root.join(&relative);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => Err(self.bad(name, "is a folder and a file")),
            Ok(_) => fs::remove_file(&path).map_err(|e| HubError::io("replace", &path, e)).map(|()| path),
            Err(_) => Ok(path),
        }
    }

    /// A folder.
    pub(super) fn folder(&mut self, name: &[u8]) -> Result<(), HubError> {
        let relative = self.path_of(name)?;
        self.make_folders(&relative, name)
    }

    /// A file, of exactly `length` bytes if that is known. Only permissions to read and run are taken over.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        mode: Option<u32>,
        modified: Option<u64>,
        mut from: impl Read,
        length: Option<u64>,
    ) -> Result<(), HubError> {
        let path = self.make_room(name)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|e| HubError::io("create", &path, e))?;
        let mut written = 0;
        loop {
            self.check_stop()?;
            let count = match from.read(&mut self.chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(broken(self.archive, e)),
            };
            self.count(count as u64)?;
            written += count as u64;
            if length.is_some_and(|length| written > length) {
                return Err(self.bad(name, "is longer than it says"));
            }
            file.write_all(self.chunk.get(..count).unwrap_or_default())
                .map_err(|e| HubError::io("write", &path, e))?;
        }
        if length.is_some_and(|length| written < length) {
            return Err(broken(self.archive, ErrorKind::UnexpectedEof.into()));
        }
        allow(&file, mode);
        if let Some(moment) = modified.and_then(|s| UNIX_EPOCH.checked_add(Duration::from_secs(s))) {
            let _ = file.set_modified(moment); // a date out of the file system's range
        }
        Ok(())
    }

    /// Counts bytes before they are written.
    pub(super) fn count(&mut self, more: u64) -> Result<(), HubError> {
        self.bytes = self.bytes.saturating_add(more);
        if self.bytes > self.limits.max_bytes {
            return Err(
                self.over(&format!("it unpacks to more than {} bytes (max_bytes)", self.limits.max_bytes))
            );
        }
        let most = self.archive_size.saturating_mul(self.limits.max_ratio).max(RATIO_FREE);
        if self.bytes > most {
            return Err(self.over(&format!(
                "it unpacks to more than {} times its {} bytes (max_ratio)",
                self.limits.max_ratio, self.archive_size
            )));
        }
        Ok(())
    }

    /// A link, to be checked at the end.
    pub(super) fn symlink(&mut self, name: &[u8], target: &[u8]) -> Result<(), HubError> {
        if target.is_empty() || target.contains(&0) || matches!(target, [b'/' | b'\\', ..]) {
            return Err(self.bad(name, "links out of the folder"));
        }
        let path = self.make_room(name)?;
        let Some(target) = os(target) else {
            return Err(self.bad(name, "links to a name that is not UTF-8"));
        };
        make_link(&target, &path).map_err(|e| HubError::io("make the link", &path, e))?;
        self.links.push(path);
        Ok(())
    }

    /// A second name of a file that was unpacked before.
    pub(super) fn hardlink(&mut self, name: &[u8], target: &[u8]) -> Result<(), HubError> {
        let to = self.relative(target).map_err(|_| self.bad(name, "links out of the folder"))?;
        let mut so_far = self.root.clone();
        for part in to.components() {
            so_far.push(part);
            if fs::symlink_metadata(&so_far).is_ok_and(|found| found.is_symlink()) {
                return Err(self.bad(name, "is a second name of what is behind a link"));
            }
        }
        let length = match fs::symlink_metadata(&so_far) {
            Ok(found) if found.is_file() => found.len(),
            _ => return Err(self.bad(name, "is a second name of a file that did not come before")),
        };
        if self.relative(name)? == to {
            return Ok(());
        }
        let path = self.make_room(name)?;
        if fs::hard_link(&so_far, &path).is_err() {
            self.count(length)?;
            fs::copy(&so_far, &path).map_err(|e| HubError::io("write", &path, e))?;
        }
        Ok(())
    }

    /// Checks the links. Returns the entries and bytes.
    pub(super) fn finish(self) -> Result<(u64, u64), HubError> {
        for link in &self.links {
            self.check_stop()?;
            let relative = link.strip_prefix(&self.root).unwrap_or(link);
            if !stays_inside(&self.root, relative) {
                return Err(self.bad(relative.as_os_str().as_encoded_bytes(), "links out of the folder"));
            }
        }
        Ok((self.entries, self.bytes))
    }
}

/// Follows a path below `root` link by link. One that ends nowhere is fine as long as it never leaves.
fn stays_inside(root: &Path, relative: &Path) -> bool {
    let own = |path: &Path| path.components().map(|c| c.as_os_str().to_owned()).collect::<Vec<OsString>>();
    let mut at: Vec<OsString> = Vec::new();
    let mut todo: VecDeque<OsString> = own(relative).into();
    let (mut hops, mut steps) = (0, 0);
    while let Some(part) = todo.pop_front() {
        steps += 1;
        if steps > MAX_STEPS {
            return false;
        }
        match Path::new(&part).components().next() {
            None | Some(Component::CurDir) => continue,
            Some(Component::ParentDir) => {
                if at.pop().is_none() {
                    return false;
                }
                continue;
            }
            Some(Component::Normal(_)) => at.push(part),
            Some(Component::RootDir | Component::Prefix(_)) => return false,
        }
        let path = root.join(at.iter().collect::<PathBuf>());
        if let Ok(target) = fs::read_link(&path) {
            hops += 1;
            if hops > MAX_HOPS {
                return true; // a circle: no system follows it further
            }
            at.pop();
            own(&target).into_iter().rev().for_each(|part| todo.push_front(part));
        }
    }
    true
}

#[cfg(unix)]
fn make_link(target: &OsStr, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn make_link(_target: &OsStr, _path: &Path) -> std::io::Result<()> {
    Err(std::io::Error::new(ErrorKind::Unsupported, "links in archives are supported on Unix alone"))
}

#[cfg(unix)]
fn allow(file: &fs::File, mode: Option<u32>) {
    use std::os::unix::fs::PermissionsExt;
    if let Some(mode) = mode {
        let _ = file.set_permissions(fs::Permissions::from_mode((mode & 0o755) | 0o600)); // no matter where it fails
    }
}

#[cfg(not(unix))]
fn allow(_file: &fs::File, _mode: Option<u32>) {}
