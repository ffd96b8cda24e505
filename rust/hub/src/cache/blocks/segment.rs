//! One file of blocks: a table of check sums, then the blocks at their places; where none is, there is a hole.
//!
//! A block counts when its entry says so and the sum of its bytes is the entry's. The bytes are written first, so a kill
//! between the two leaves a block that does not count, and two processes that write the same block write the same.
#![allow(
    clippy::disallowed_methods,
    reason = "writes to the cache; what fails is fetched again, or not kept"
)]

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

use crate::cache::store::{read_range, write_at};

/// Bytes of a block. Less would cost more requests than it saves: see the gap of `range`.
pub const BLOCK: u64 = 256 << 10;
/// Blocks of a segment, which is kept and dropped as one.
pub(super) const BLOCKS: u64 = 16;
/// Where the blocks begin: a page.
const HEAD: u64 = 4096;
/// Where the entries begin.
const TABLE: u64 = 64;
const MAGIC: &[u8; 8] = b"hfhubSG1";
const KEPT: [u8; 4] = *b"kept";

/// How often a folder is made again that another reader removed.
const TRIES: usize = 16;

/// A segment of one content.
pub(super) struct Segment<'a> {
    pub(super) path: PathBuf,
    pub(super) etag: &'a str,
    /// Bytes of the whole file.
    pub(super) size: u64,
    pub(super) number: u64,
}

impl Segment<'_> {
    /// Bytes on disk, holes included.
    pub(super) fn length(&self) -> u64 {
        let start = self.number * BLOCKS * BLOCK;
        HEAD + self.size.saturating_sub(start).min(BLOCKS * BLOCK)
    }

    fn head(&self) -> Vec<u8> {
        [MAGIC.as_slice(), &self.size.to_le_bytes(), &self.number.to_le_bytes()].concat()
    }

    /// The sum says which block of which content it is: a file under a wrong name is no danger.
    fn entry(&self, slot: u64, bytes: &[u8]) -> Vec<u8> {
        let mut sum = crc32fast::Hasher::new();
        sum.update(self.etag.as_bytes());
        sum.update(&(self.number * BLOCKS + slot).to_le_bytes());
        sum.update(bytes);
        [sum.finalize().to_le_bytes(), KEPT].concat()
    }

    /// The file, if it is the one that is meant. A cache that others filled may be read without the right to write.
    fn opened(&self, write: bool) -> Option<File> {
        let file = OpenOptions::new().read(true).write(write).open(&self.path).ok()?;
        let head = self.head();
        (exactly(&file, 0, head.len())? == head).then_some(file)
    }

    /// A block of a known length, if it is there and whole.
    pub(super) fn read(&self, slot: u64, length: usize, touch: bool) -> Option<Bytes> {
        let file = self.opened(false)?;
        let entry = exactly(&file, TABLE + slot * 8, 8)?;
        if entry.get(4..) != Some(KEPT.as_slice()) {
            return None;
        }
        let bytes = exactly(&file, HEAD + slot * BLOCK, length)?;
        if entry != self.entry(slot, &bytes) {
            return None;
        }
        if touch {
            let _ = file.set_modified(SystemTime::now()); // it is used: others go first
        }
        Some(bytes.into())
    }

    /// Whether there is a file.
    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Keeps a block.
    pub(super) fn write(&self, slot: u64, bytes: &[u8]) -> std::io::Result<()> {
        let file = match self.opened(true) {
            Some(file) => file,
            None => self.created()?,
        };
        write_at(&file, bytes, HEAD + slot * BLOCK)?;
        write_at(&file, &self.entry(slot, bytes), TABLE + slot * 8)
    }

    fn created(&self) -> std::io::Result<File> {
        let make = || {
            self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path)
        };
        // Whoever is done with another file removes folders that are empty, these meanwhile, too.
        let mut made = make();
        for _ in 0..TRIES {
            match made {
                Err(error) if error.kind() == ErrorKind::NotFound => made = make(),
                _ => break,
            }
        }
        let file = made?;
        file.set_len(self.length())?; // its share of the limit is known from the start
        write_at(&file, &self.head(), 0)?;
        Ok(file)
    }
}

fn exactly(file: &File, at: u64, length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut buffer = vec![0; length];
    read_range(file, at..at + length as u64, &mut buffer, |part| out.extend_from_slice(part)).ok()?;
    Some(out)
}

/// The file of a segment in a folder.
pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.blocks"))
}
