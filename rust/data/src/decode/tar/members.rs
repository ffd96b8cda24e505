//! The files in a tar archive, one after the other, each whole in memory. Nothing is written to disk.

use std::cell::{Cell, RefCell};
use std::io::{Read, copy, sink};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::decode::reading::{Flowing, explained, opened};
use crate::decode::unpack::Packing;
use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;
use crate::source::ByteSource;

/// Bytes of headers before a file: long names and the like are read into memory.
const HEADER_BYTES: u64 = 8 << 20;
/// Largest file with holes: a few bytes could announce any size.
const SPARSE_BYTES: u64 = 64 << 20;
const BLOCK: u64 = 512;

/// A file in an archive.
pub(super) struct Member {
    /// Its path.
    pub(super) name: String,
    /// Its content, unpacked if its suffix says a compression.
    pub(super) bytes: Vec<u8>,
    /// Where its first header begins.
    pub(super) start: u64,
    /// Where the header after it begins.
    pub(super) end: u64,
}

/// A reader that gives so many bytes and no more, and knows how many it gave.
struct Metered {
    inner: RefCell<Box<dyn Read + Send>>,
    left: Cell<u64>,
    at: Cell<u64>,
    /// What the source failed with; the tar reader keeps its text only.
    failed: RefCell<Option<DataError>>,
}

impl Read for &Metered {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = usize::try_from(self.left.get()).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(std::io::Error::other("a header is larger than 8 MiB"));
        }
        let read = self.inner.borrow_mut().read(buffer.get_mut(..most).unwrap_or_default());
        let count = match read {
            Ok(count) => count,
            Err(error) => {
                let kind = error.kind();
                return Err(match error.downcast::<DataError>() {
                    Ok(inner) => {
                        self.failed.replace(Some(inner));
                        std::io::Error::from(kind)
                    }
                    Err(error) => error,
                });
            }
        };
        self.left.set(self.left.get().saturating_sub(count as u64));
        self.at.set(self.at.get() + count as u64);
        Ok(count)
    }
}

/// Bytes after which more of the archive is read ahead.
const MANY: u64 = 4 << 20;

/// Reads the regular files of an archive (plain, or compressed as a whole) whose names are not hidden.
pub(super) struct Members {
    input: Metered,
    name: String,
    limits: Limits,
    ended: bool,
    flowing: Flowing,
    opened_at: u64,
}

impl Members {
    /// Starts at a header.
    pub(super) fn open(source: &Arc<dyn ByteSource>, at: u64, limits: &Limits) -> Result<Self, DataError> {
        let head = source.read_range(0..source.len().min(4))?;
        if head.starts_with(b"PK\x03\x04") {
            let message = "a zip archive is not read as WebDataset; tar archives are, plain or compressed";
            return Err(DataError::new(DataErrorKind::Unsupported, message).with_path(source.name()));
        }
        let flowing = Flowing::default();
        let (inner, _) = opened(source, at, limits, &flowing)?;
        let input = Metered {
            inner: RefCell::new(inner),
            left: Cell::new(0),
            at: Cell::new(at),
            failed: RefCell::new(None),
        };
        Ok(Self {
            input,
            name: source.name().to_owned(),
            limits: limits.clone(),
            ended: false,
            flowing,
            opened_at: at,
        })
    }

    fn error(&self, error: std::io::Error, member: Option<&str>) -> DataError {
        if let Some(inner) = self.input.failed.take() {
            return inner.with_path(&self.name);
        }
        let what = member.map_or("tar archive".to_owned(), |m| format!("tar archive: {m:?}"));
        explained(error, &what, &self.name)
    }

    /// The next file that `wanted` says yes to.
    pub(super) fn next(&mut self, wanted: impl Fn(&str) -> bool) -> Result<Option<Member>, DataError> {
        while !self.ended {
            let start = self.input.at.get();
            if start.saturating_sub(self.opened_at) > MANY {
                self.flowing.store(true, Ordering::Relaxed);
            }
            match self.read_one(&wanted) {
                Ok(Some((name, bytes))) => {
                    return Ok(Some(Member { name, bytes, start, end: self.input.at.get() }));
                }
                Ok(None) => {}
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// Reads the file here, or goes past what is none.
    fn read_one(&mut self, wanted: &impl Fn(&str) -> bool) -> Result<Option<(String, Vec<u8>)>, DataError> {
        let input = &self.input;
        input.left.set(HEADER_BYTES);
        // An archive of its own for each file: the one before ended at a block, and nothing borrows between two calls.
        let mut archive = tar::Archive::new(input);
        let mut entries = archive.entries().map_err(|e| self.error(e, None))?;
        let Some(entry) = entries.next() else {
            self.ended = true;
            return Ok(None);
        };
        let mut entry = entry.map_err(|e| self.error(e, None))?;
        let name = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&name).into_owned();
        let refused = |kind, message: String| {
            Err(DataError::new(kind, format!("tar archive: {shown:?} {message}")).with_path(&self.name))
        };
        let holes = match entry.pax_extensions().map_err(|e| self.error(e, None))? {
            Some(all) => all.flatten().any(|e| e.key_bytes().starts_with(b"GNU.sparse.")),
            None => false,
        };
        let kind = entry.header().entry_type();
        let regular = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
        input.left.set(u64::MAX);
        let keep = regular && !shown.ends_with('/') && wanted(&shown);
        let mut bytes = Vec::new();
        if keep {
            let size = entry.size();
            if holes {
                return refused(
                    DataErrorKind::Unsupported,
                    "is stored with holes in the PAX form".to_owned(),
                );
            }
            let most = if kind.is_gnu_sparse() { SPARSE_BYTES } else { self.limits.max_member_bytes };
            if size > most {
                return refused(DataErrorKind::Limit, format!("has {size} bytes, more than {most}"));
            }
            if std::str::from_utf8(&name).is_err() {
                return refused(DataErrorKind::Decode, "has a name that is not UTF-8".to_owned());
            }
            bytes.reserve((size as usize).min(1 << 20)); // more only as it comes
            entry.read_to_end(&mut bytes).map_err(|e| self.error(e, Some(&shown)))?;
            if bytes.len() as u64 != size {
                return refused(DataErrorKind::Decode, format!("ends after {} of {size} bytes", bytes.len()));
            }
        } else {
            let went = copy(&mut entry, &mut sink()).map_err(|e| self.error(e, Some(&shown)))?;
            if went < entry.size() {
                return refused(
                    DataErrorKind::Decode,
                    format!("ends after {went} of {} bytes", entry.size()),
                );
            }
        }
        let padding = (BLOCK - input.at.get() % BLOCK) % BLOCK;
        copy(&mut input.take(padding), &mut sink()).map_err(|e| self.error(e, Some(&shown)))?;
        Ok(keep.then_some((shown, bytes)))
    }

    /// A file's content without the compression that its last suffix says.
    pub(super) fn unpacked(&self, member: Member) -> Result<Member, DataError> {
        let suffix = member.name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let Some(packing) = Packing::of_suffix(&suffix) else {
            if suffix == "lz4" {
                let message =
                    format!("tar archive: {:?} is compressed by lz4, which is not read", member.name);
                return Err(DataError::new(DataErrorKind::Unsupported, message).with_path(&self.name));
            }
            return Ok(member);
        };
        let most = self.limits.max_member_bytes;
        let mut bytes = Vec::new();
        let read = packing
            .reader(&member.bytes)
            .and_then(|reader| reader.take(most.saturating_add(1)).read_to_end(&mut bytes));
        if let Err(error) = read {
            let what = format!("{} in tar archive: {:?}", packing.name(), member.name);
            return Err(explained(error, &what, &self.name));
        }
        if bytes.len() as u64 > most {
            let message = format!("tar archive: {:?} unpacks to more than {most} bytes", member.name);
            return Err(DataError::new(DataErrorKind::Limit, message).with_path(&self.name));
        }
        Ok(Member { bytes, ..member })
    }
}
