//! What streams read, kept: blocks of files in `<repository>/streams/<hash>/`, and the file itself once all are there.
//!
//! Contents are named by their hash, so commits share them. A block is served only with the right check sum, and a whole
//! file gets its name only with the right hash. Nothing here waits for another process, and nothing that fails stops a
//! stream: what is not kept is fetched again.
#![allow(clippy::disallowed_methods, reason = "a home of writes to the cache")]

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;

mod end;
mod room;
mod segment;
#[cfg(test)]
mod tests;

pub use end::KeptEnd;
pub use segment::BLOCK;
use segment::{BLOCKS, Segment, path_of};

use crate::cache::layout::Layout;
use crate::cache::store::{self, Incomplete, Placing};
use crate::download::verify::Verifier;
use crate::error::{HubError, HubErrorKind};
use crate::place::Target;
use crate::range::RemoteFile;

/// A file of the hub of which blocks are kept.
pub struct Kept {
    layout: Layout,
    folder: PathBuf,
    commit: String,
    path: String,
    etag: String,
    size: u64,
    symlinks: bool,
    limit: u64,
    /// One bit for each block that is known to be there, and how many they are.
    there: Vec<AtomicU64>,
    count: AtomicU64,
    /// The segment used last, and one more: each is touched once in a row.
    touched: AtomicU64,
    /// Whether keeping failed (no room, no right to write).
    full: AtomicBool,
}

impl Kept {
    /// What is kept of a file, at most `limit` bytes of all files together. `None` where the name of its content is no
    /// hash: then nobody could tell that it is the right one.
    pub fn of(file: &RemoteFile, limit: u64) -> Option<Self> {
        let Target::Hub { repo, path } = file.place().target() else {
            return None;
        };
        let (etag, size) = (file.etag().filter(|e| Verifier::is_hash(e))?, file.size().filter(|s| *s > 0)?);
        let config = file.client().config();
        let layout = Layout::new(config.cache_dir(), repo);
        room::since();
        let words = usize::try_from(size.div_ceil(BLOCK).div_ceil(64)).ok()?;
        Some(Self {
            folder: layout.root().join(room::FOLDER).join(etag),
            layout,
            commit: repo.revision.clone(),
            path: path.clone(),
            etag: etag.to_owned(),
            size,
            symlinks: config.symlinks(),
            limit,
            there: std::iter::repeat_with(AtomicU64::default).take(words).collect(),
            count: AtomicU64::new(0),
            touched: AtomicU64::new(0),
            full: AtomicBool::new(false),
        })
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The whole file, if the cache has it.
    pub fn whole(&self) -> Option<PathBuf> {
        let pointer = self.layout.pointer(&self.commit, &self.path);
        [self.layout.blob(&self.etag), pointer].into_iter().find(|p| store::intact(p, Some(self.size)))
    }

    /// The bytes of a block.
    pub fn bytes_of(&self, block: u64) -> Range<u64> {
        let start = block.saturating_mul(BLOCK).min(self.size);
        start..start.saturating_add(BLOCK).min(self.size)
    }

    fn segment(&self, number: u64) -> Segment<'_> {
        Segment { path: path_of(&self.folder, number), etag: &self.etag, size: self.size, number }
    }

    /// A block that is kept, its check sum compared.
    pub fn read(&self, block: u64) -> Option<Bytes> {
        let bytes = self.bytes_of(block);
        let number = block / BLOCKS;
        let touch = self.touched.swap(number + 1, Ordering::Relaxed) != number + 1;
        let length = usize::try_from(bytes.end - bytes.start).ok()?;
        let found = self.segment(number).read(block % BLOCKS, length, touch)?;
        self.note(block);
        Some(found)
    }

    /// Keeps a block, if there is room for it.
    pub fn write(&self, block: u64, bytes: &[u8]) {
        let fits = bytes.len() as u64 == self.bytes_of(block).end - self.bytes_of(block).start;
        if !fits || self.full.load(Ordering::Relaxed) {
            return;
        }
        let segment = self.segment(block / BLOCKS);
        let room = segment.exists()
            || room::SEGMENTS.make(self.layout.cache(), &self.layout.root(), segment.length(), self.limit);
        if !room || segment.write(block % BLOCKS, bytes).is_err() {
            self.full.store(true, Ordering::Relaxed);
            return;
        }
        self.note(block);
    }

    /// Whether keeping failed: what is read from now on is not kept.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Counts a block that is there.
    fn note(&self, block: u64) {
        let word = usize::try_from(block / 64).ok().and_then(|w| self.there.get(w));
        let bit = 1_u64 << (block % 64);
        if word.is_some_and(|w| w.fetch_or(bit, Ordering::AcqRel) & bit == 0) {
            self.count.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Makes the file an ordinary one of the cache once all its blocks were seen. Whether it is one.
    ///
    /// # Errors
    /// `Integrity` for another hash than was promised: what was kept is removed.
    pub fn finish(&self) -> Result<bool, HubError> {
        if self.count.load(Ordering::Acquire) < self.size.div_ceil(BLOCK) {
            return Ok(false);
        }
        // Once: whoever else reads the file finds it, or goes on with the blocks.
        self.forget();
        if self.whole().is_none() && !self.assemble()? {
            return Ok(false);
        }
        self.remove();
        Ok(true)
    }

    fn forget(&self) {
        for word in &self.there {
            word.store(0, Ordering::Release);
        }
        self.count.store(0, Ordering::Release);
    }

    /// The file out of its blocks. False if one of them is gone meanwhile, or the cache cannot be written.
    fn assemble(&self) -> Result<bool, HubError> {
        let blob = self.layout.blob(&self.etag);
        let Ok(mut file) = Incomplete::create(&blob) else { return Ok(false) };
        let mut verifier = Verifier::new(&self.etag, Some(self.size));
        for block in 0..self.size.div_ceil(BLOCK) {
            let bytes = self.bytes_of(block);
            let length = usize::try_from(bytes.end - bytes.start).unwrap_or_default();
            let Some(bytes) = self.segment(block / BLOCKS).read(block % BLOCKS, length, false) else {
                return Ok(false);
            };
            verifier.update(&bytes);
            if file.write(&bytes).is_err() {
                return Ok(false); // the disk is full: the blocks stay
            }
        }
        if let Some(hash) = verifier.finish().filter(|hash| *hash != self.etag) {
            self.remove();
            return Err(self.wrong(&hash));
        }
        let what = Placing {
            commit: &self.commit,
            path: &self.path,
            etag: &self.etag,
            symlinks: self.symlinks,
            fresh: true,
        };
        store::tag(self.layout.cache());
        Ok(file.persist(&blob).and_then(|()| store::place(&self.layout, &what)).is_ok())
    }

    fn wrong(&self, found: &str) -> HubError {
        let message = format!(
            "{} at {}: the hash of what came is {found}, {} was promised",
            self.path, self.commit, self.etag
        );
        HubError::new(HubErrorKind::Integrity, message)
            .with(|c| {
                (c.path, c.revision) = (Some(self.path.clone()), Some(self.commit.clone()));
                c.offset = Some(0);
            })
            .of_hashes(&self.etag, found)
            .with_hint(
                "Rows of this file that came before may be wrong: a proxy or mirror in between may be damaged. Nothing of it was kept.",
            )
    }

    /// Removes what is kept of the file.
    pub fn remove(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
        let _ = fs::remove_dir(&self.folder);
        let _ = self.folder.parent().map(fs::remove_dir); // only if it is empty
    }
}
