//! Writes to the cache: atomic, and nothing under a final name that is not complete.
#![allow(clippy::disallowed_methods, reason = "the home of writes to the cache; errors hold the path")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use crate::api::TreeEntry;
use crate::error::HubError;
use crate::repo::is_commit;

const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
# This file is a cache directory tag created by huggingface_hub.\n\
# For information about cache directory tags, see:\n\
#\thttps://bford.info/cachedir/\n";

/// Makes the folder of a file.
pub(crate) fn make_parent(path: &Path) -> Result<(), HubError> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(parent).map_err(|e| HubError::io("make the folder", parent, e))
}

/// Marks a folder as a cache for backup programs, once.
pub(crate) fn tag(folder: &Path) {
    let path = folder.join("CACHEDIR.TAG");
    if !path.exists() && fs::create_dir_all(folder).is_ok() {
        let _ = fs::write(path, CACHEDIR_TAG); // a help for others, not needed by us
    }
}

/// Part of a temporary name. Forked processes inherit the random keys, so the process is hashed too.
fn random_hex() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:08x}", hasher.finish() as u32)
}

/// A file on its way to a final name; removed when dropped before it got there.
pub(crate) struct Incomplete {
    path: PathBuf,
    file: Option<Arc<File>>,
    length: u64,
}

/// `<stem>.<8 hex>.incomplete`, as the official client names it.
fn temporary(stem: &Path) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(format!(".{}.incomplete", random_hex()));
    PathBuf::from(name)
}

impl Incomplete {
    /// `<final name>.<8 hex>.incomplete`.
    pub(crate) fn create(target: &Path) -> Result<Self, HubError> {
        make_parent(target)?;
        let path = temporary(target);
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| HubError::io("create", &path, e))?;
        Ok(Self { path, file: Some(Arc::new(file)), length: 0 })
    }

    /// Takes what another left, under a new name: of several that try, one gets it.
    pub(crate) fn take_over(old: &Path, target: &Path) -> Result<Self, HubError> {
        let path = temporary(target);
        fs::rename(old, &path).map_err(|e| HubError::io("take over", old, e))?;
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let mut taken = Self { path, file: None, length: 0 };
        taken.file = Some(Arc::new(opened.map_err(|e| HubError::io("open", &taken.path, e))?));
        Ok(taken)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself, for others to write to.
    pub(crate) fn file(&self) -> Option<Arc<File>> {
        self.file.clone()
    }

    /// Writes after what was written so far.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        if let Some(file) = &self.file {
            write_at(file, bytes, self.length).map_err(|e| HubError::io("write", &self.path, e))?;
            self.length += bytes.len() as u64;
        }
        Ok(())
    }

    /// Gives the bytes of a range to `each`, a buffer at a time.
    pub(crate) fn read_range(
        &self,
        range: Range<u64>,
        buffer: &mut [u8],
        each: impl FnMut(&[u8]),
    ) -> std::io::Result<()> {
        match &self.file {
            Some(file) => read_range(file, range, buffer, each),
            None => Err(std::io::ErrorKind::NotFound.into()),
        }
    }

    /// Leaves the file where it is.
    pub(crate) fn keep(mut self) {
        self.path = PathBuf::new();
    }

    /// Gives the file its final name.
    pub(crate) fn persist(mut self, target: &Path) -> Result<(), HubError> {
        self.file = None;
        fs::rename(&self.path, target).map_err(|e| HubError::io("name", target, e))?;
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for Incomplete {
    fn drop(&mut self) {
        self.file = None;
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Gives the bytes of a range to `each`, a buffer at a time.
pub(crate) fn read_range(
    file: &File,
    range: Range<u64>,
    buffer: &mut [u8],
    mut each: impl FnMut(&[u8]),
) -> std::io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let wanted = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
        let block = buffer.get_mut(..wanted).unwrap_or_default();
        let read = read_at(file, block, at)?;
        match block.get(..read) {
            Some(bytes) if read > 0 => each(bytes),
            _ => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
        at += read as u64;
    }
    Ok(())
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

/// Writes all bytes at a place.
#[cfg(unix)]
pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Writes all bytes at a place.
#[cfg(windows)]
pub(crate) fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
        at += written as u64;
    }
    Ok(())
}

/// Writes a small file through a temporary one beside it.
pub(crate) fn write_atomically(path: &Path, text: &str) -> Result<(), HubError> {
    make_parent(path)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", random_hex()));
    let temporary = PathBuf::from(name);
    let done = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path));
    done.map_err(|e| {
        let _ = fs::remove_file(&temporary);
        HubError::io("write", path, e)
    })
}

/// The commit that a branch or tag had when it was last asked for.
pub(crate) fn read_ref(layout: &Layout, revision: &str) -> Option<String> {
    let text = fs::read_to_string(layout.reference(revision)).ok()?;
    let commit = text.trim();
    is_commit(commit).then(|| commit.to_owned())
}

/// Remembers the commit of a branch or tag.
pub(crate) fn write_ref(layout: &Layout, revision: &str, commit: &str) -> Result<(), HubError> {
    if revision == commit || read_ref(layout, revision).as_deref() == Some(commit) {
        return Ok(());
    }
    write_atomically(&layout.reference(revision), commit)
}

/// Remembers that a commit does not have a file.
pub(crate) fn write_no_exist(layout: &Layout, commit: &str, path: &str) {
    let marker = layout.no_exist(commit, path);
    if make_parent(&marker).is_ok() {
        let _ = File::create(marker); // only a help for later calls
    }
}

/// How a pointer is made.
pub(crate) struct Placing<'a> {
    pub(crate) commit: &'a str,
    pub(crate) path: &'a str,
    pub(crate) etag: &'a str,
    /// Whether links are wanted.
    pub(crate) symlinks: bool,
    /// Whether the blob was just made: then no other snapshot needs it where links are not possible.
    pub(crate) fresh: bool,
}

/// A pointer that is there.
pub(crate) struct Placed {
    pub(crate) pointer: PathBuf,
    /// The wish for a link could not be fulfilled.
    pub(crate) link_failed: bool,
}

/// Makes the pointer of a snapshot to a blob: a relative link, or the file itself where links are not possible.
pub(crate) fn place(layout: &Layout, what: &Placing<'_>) -> Result<Placed, HubError> {
    let pointer = layout.pointer(what.commit, what.path);
    let blob = layout.blob(what.etag);
    let is_link = pointer.is_symlink();
    if pointer.exists() && (is_link || !what.fresh) {
        return Ok(Placed { pointer, link_failed: false });
    }
    make_parent(&pointer)?;
    let mut link_failed = false;
    if what.symlinks {
        if is_link {
            let _ = fs::remove_file(&pointer); // it leads to a blob that is gone
        }
        if !pointer.exists() {
            match symlink(&Layout::link_target(what.path, what.etag), &pointer) {
                Ok(()) => return Ok(Placed { pointer, link_failed }),
                // Another process was faster, or a link to nothing stays.
                Err(_) if pointer.exists() => return Ok(Placed { pointer, link_failed }),
                Err(_) => link_failed = true,
            }
        }
    }
    let done = if what.fresh && !blob.is_symlink() {
        fs::rename(&blob, &pointer).map_err(|e| HubError::io("place", &pointer, e))
    } else {
        copy(&blob, &pointer)
    };
    match done {
        Ok(()) => Ok(Placed { pointer, link_failed }),
        Err(_) if pointer.exists() => Ok(Placed { pointer, link_failed }), // another process moved it
        Err(error) => Err(error),
    }
}

/// Copies contents to a name at once; the mode is the umask's.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), HubError> {
    let mut source = File::open(from).map_err(|e| HubError::io("read", from, e))?;
    let mut target = Incomplete::create(to)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = source.read(&mut buffer).map_err(|e| HubError::io("read", from, e))?;
        match buffer.get(..read) {
            Some(bytes) if read > 0 => target.write(bytes)?,
            _ => return target.persist(to),
        }
    }
}

/// Whether a blob is there with the size it should have. Follows links: the official client's shared store.
pub(crate) fn intact(blob: &Path, size: Option<u64>) -> bool {
    fs::metadata(blob).is_ok_and(|m| m.is_file() && size.is_none_or(|size| m.len() == size))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

/// `trees/<commit>.json`: the listing of a commit, in the official client's form.
#[derive(Serialize, Deserialize)]
struct CachedTree {
    format_version: u32,
    files: BTreeMap<String, CachedFile>,
}

#[derive(Serialize, Deserialize)]
struct CachedFile {
    size: u64,
    blob_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lfs_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lfs_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xet_hash: Option<String>,
}

/// The cached listing of a commit; anything unreadable counts as absent.
pub(crate) fn read_tree(layout: &Layout, commit: &str) -> Option<Vec<TreeEntry>> {
    read_tree_at(&layout.tree(commit))
}

/// A cached listing in a file.
pub(crate) fn read_tree_at(file: &Path) -> Option<Vec<TreeEntry>> {
    let text = fs::read_to_string(file).ok()?;
    let tree: CachedTree = serde_json::from_str(&text).ok()?;
    (tree.format_version == 1).then(|| {
        tree.files
            .into_iter()
            .map(|(path, f)| {
                TreeEntry::cached(
                    path,
                    f.size,
                    f.blob_id,
                    f.lfs_sha256.map(|s| (s, f.lfs_size.unwrap_or(f.size))),
                    f.xet_hash,
                )
            })
            .collect()
    })
}

/// Keeps the complete listing of a commit.
pub(crate) fn write_tree(layout: &Layout, commit: &str, entries: &[TreeEntry]) -> Result<(), HubError> {
    write_tree_at(&layout.tree(commit), entries)
}

/// Keeps a listing in a file.
pub(crate) fn write_tree_at(file: &Path, entries: &[TreeEntry]) -> Result<(), HubError> {
    let files = entries
        .iter()
        .filter(|e| e.is_file())
        .map(|e| {
            let file = CachedFile {
                blob_id: e.oid.clone(),
                lfs_sha256: e.lfs.as_ref().map(|l| l.0.clone()),
                lfs_size: e.lfs.as_ref().map(|l| l.1),
                size: e.size,
                xet_hash: e.xet_hash.clone(),
            };
            (e.path.clone(), file)
        })
        .collect();
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, formatter);
    let done = CachedTree { format_version: 1, files }.serialize(&mut writer);
    match done.map(|()| String::from_utf8(text)) {
        Ok(Ok(text)) => write_atomically(file, &text),
        _ => Ok(()),
    }
}
