//! The end of a file, kept: a Parquet file has its footer there, and who goes on with a stream in another process needs
//! nothing else before its rows.
//!
//! `<repository>/streams/<hash>/file.end` is named by the content's hash, checked by a sum, and written under another name
//! first. It is a help: what is not there, or not whole, is fetched.
#![allow(clippy::disallowed_methods, reason = "a home of writes to the cache; what fails is fetched again")]

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

use super::room;
use crate::cache::layout::Layout;
use crate::cache::store::Incomplete;
use crate::download::verify::Verifier;
use crate::place::Target;
use crate::range::RemoteFile;

const NAME: &str = "file.end";
const MAGIC: &[u8; 8] = b"hfhubEN1";
/// Bytes before those of the file: what it is, the file's size, where the bytes begin, their sum.
const HEAD: usize = 32;
/// Most bytes that are kept of a file: longer footers are rare, and asking for them again is not what costs.
const MOST: u64 = 1 << 20;
/// Bytes that all ends in a cache may have together: those of some thousands of files.
const ALL: u64 = 256 << 20;

/// Where the end of a file of the hub is kept.
#[derive(Debug)]
pub struct KeptEnd {
    cache: PathBuf,
    repo: PathBuf,
    path: PathBuf,
    etag: String,
    size: u64,
}

impl KeptEnd {
    /// That of a file. `None` where the name of its content is no hash: then it may have become another.
    pub fn of(file: &RemoteFile) -> Option<Self> {
        let Target::Hub { repo, .. } = file.place().target() else {
            return None;
        };
        let layout = Layout::new(file.client().config().cache_dir(), repo);
        Self::new(layout.cache(), &layout.root(), file.etag()?, file.size()?)
    }

    fn new(cache: &Path, repo: &Path, etag: &str, size: u64) -> Option<Self> {
        Verifier::is_hash(etag).then(|| Self {
            cache: cache.to_owned(),
            repo: repo.to_owned(),
            path: repo.join(room::FOLDER).join(etag).join(NAME),
            etag: etag.to_owned(),
            size,
        })
    }

    /// What precedes bytes of the file from `start` on. The sum says of which content they are.
    fn head(&self, start: u64, bytes: &[u8]) -> Vec<u8> {
        let mut sum = crc32fast::Hasher::new();
        sum.update(self.etag.as_bytes());
        sum.update(&self.size.to_le_bytes());
        sum.update(&start.to_le_bytes());
        sum.update(bytes);
        let sum = u64::from(sum.finalize());
        [MAGIC.as_slice(), &self.size.to_le_bytes(), &start.to_le_bytes(), &sum.to_le_bytes()].concat()
    }

    /// The bytes from a position to the end of the file, if they are kept and whole.
    pub fn read(&self) -> Option<(u64, Bytes)> {
        let file = File::open(&self.path).ok()?;
        let length = file.metadata().ok()?.len();
        if length > MOST + HEAD as u64 {
            return None;
        }
        let mut all = Vec::with_capacity(usize::try_from(length).ok()?);
        file.take(length).read_to_end(&mut all).ok()?;
        let (head, bytes) = all.split_at_checked(HEAD)?;
        let start = self.size.checked_sub(bytes.len() as u64)?;
        if head != self.head(start, bytes) {
            return None;
        }
        let used = File::options().write(true).open(&self.path);
        let _ = used.and_then(|file| file.set_modified(SystemTime::now())); // others go first
        Some((start, Bytes::from(all).slice(HEAD..)))
    }

    /// Keeps the bytes from a position to the end of the file, if there is room for them.
    pub fn write(&self, start: u64, bytes: &[u8]) {
        let length = bytes.len() as u64;
        if length > MOST || start.checked_add(length) != Some(self.size) {
            return;
        }
        if !room::ENDS.make(&self.cache, &self.repo, length + HEAD as u64, ALL) {
            return;
        }
        // Again where a reader of another file removed the folder, which was empty, meanwhile.
        let Some(mut file) = (0..4).find_map(|_| Incomplete::create(&self.path).ok()) else { return };
        let written = file.write(&self.head(start, bytes)).and_then(|()| file.write(bytes));
        if written.is_ok() {
            let _ = file.persist(&self.path);
        }
    }

    /// Gives up what is kept.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn end(cache: &Path, etag: &str, size: u64) -> KeptEnd {
        KeptEnd::new(cache, &cache.join("datasets--org--a"), etag, size).unwrap()
    }

    #[test]
    fn what_is_not_whole_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let (etag, other) = ("a".repeat(64), "b".repeat(64));
        let one = end(folder.path(), &etag, 1000);
        assert_eq!(one.read(), None);
        let bytes: Vec<u8> = (0..200).collect();
        one.write(800, &bytes);
        assert_eq!(one.read(), Some((800, Bytes::from(bytes.clone()))));
        let good = fs::read(&one.path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&one.path, &bad).unwrap();
            assert_eq!(one.read(), None, "byte {at}");
        }
        for length in 0..good.len() {
            fs::write(&one.path, &good[..length]).unwrap();
            assert_eq!(one.read(), None, "{length} bytes");
        }
        // Of another content or size.
        fs::write(&one.path, &good).unwrap();
        assert_eq!(end(folder.path(), &etag, 1001).read(), None);
        let moved = end(folder.path(), &other, 1000);
        fs::create_dir_all(moved.path.parent().unwrap()).unwrap();
        fs::rename(&one.path, &moved.path).unwrap();
        assert_eq!(moved.read(), None);
        moved.write(800, &bytes);
        assert!(moved.read().is_some(), "what is no end is written anew");
        moved.remove();
        assert_eq!(moved.read(), None);
    }

    #[test]
    fn what_is_no_end_or_too_long_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let one = end(folder.path(), &"a".repeat(40), 2 * MOST);
        one.write(0, &[0; 100]);
        assert_eq!(one.read(), None);
        one.write(MOST - 1, &vec![0; MOST as usize + 1]);
        assert_eq!(one.read(), None);
        one.write(MOST, &vec![0; MOST as usize]);
        assert!(one.read().is_some());
        assert!(KeptEnd::new(folder.path(), folder.path(), "../../etc", 10).is_none());
    }

    #[test]
    fn the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let ends: Vec<KeptEnd> =
            (0..4).map(|i| end(folder.path(), &format!("{i}").repeat(64), 1000)).collect();
        let one = HEAD as u64 + 1000;
        for (number, each) in ends.iter().enumerate() {
            let made = room::ENDS.make(folder.path(), &each.repo, one, 3 * one);
            assert!(made);
            let mut file = Incomplete::create(&each.path).unwrap();
            file.write(&each.head(0, &[7; 1000])).unwrap();
            file.write(&[7; 1000]).unwrap();
            file.persist(&each.path).unwrap();
            let age = std::time::Duration::from_secs(100 - number as u64);
            let file = File::options().write(true).open(&each.path).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
            if number == 1 {
                assert!(ends[0].read().is_some(), "used again, so it is the newest");
            }
        }
        let there: Vec<bool> = ends.iter().map(|e| e.read().is_some()).collect();
        assert_eq!(there, [true, false, true, true]);
    }
}
