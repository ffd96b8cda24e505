//! Where bytes come from, as far as decoding knows: something with a length that can be read by position.
//!
//! Reading blocks. Decode threads call it; a source backed by a network waits on its own runtime.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use crate::error::{DataError, DataErrorKind};

/// Bytes that can be read by position from any thread.
#[expect(clippy::len_without_is_empty, reason = "a source is opened, not a collection")]
pub trait ByteSource: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Name for messages.
    fn name(&self) -> &str;

    /// The bytes of one range, all of them.
    ///
    /// # Errors
    /// `Io` with the name, also when the range ends past the end.
    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError>;

    /// Whether reading little at a time costs little: then nothing is read ahead of its use.
    fn is_near(&self) -> bool {
        false
    }

    /// Whether the bytes are what they are, whatever they begin with: not those of a compressed file.
    fn is_unpacked(&self) -> bool {
        false
    }

    /// Told of bytes that `start_range` read, where they are used: a source may look at all that is read in order.
    ///
    /// # Errors
    /// `Io` where they are not what they should be.
    fn saw(&self, start: u64, bytes: &Bytes) -> Result<(), DataError> {
        let _ = (start, bytes);
        Ok(())
    }

    /// The first bytes, where they came already: who reads on from there tells of them with `saw`.
    fn at_hand(&self) -> Option<Bytes> {
        None
    }

    /// Where the bytes end that were asked for so far; 0 where nobody notes it.
    fn asked(&self) -> u64 {
        0
    }

    /// Begins to read a range while something else is done; None where that would gain nothing.
    fn start_range(&self, range: Range<u64>) -> Option<Box<dyn Coming>> {
        let _ = range;
        None
    }

    /// Begins to read several ranges, as `read_ranges` does; `then` gets them on a thread that it must not keep. None where
    /// that would gain nothing: then nothing is called. What is returned stops the reading when it is dropped.
    fn start_ranges(&self, ranges: Vec<Range<u64>>, then: Then) -> Option<Stopper> {
        let _ = (ranges, then);
        None
    }

    /// The bytes from a position to the end of the file, where an earlier reader left them. Nobody knows whether they are
    /// good until they were used.
    fn kept_end(&self) -> Option<(u64, Bytes)> {
        None
    }

    /// Told of the bytes from `start` to the end of the file, which opening it needed: a source may keep them for later
    /// readers.
    fn keep_end(&self, start: u64, bytes: &Bytes) {
        let _ = (start, bytes);
    }

    /// Told that the file made no sense: what is kept of it may be the reason.
    fn forget_end(&self) {}

    /// The bytes of several ranges, in their order. A remote source merges neighbours into one request.
    ///
    /// # Errors
    /// As `read_range`.
    fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, DataError> {
        ranges.iter().map(|r| self.read_range(r.clone())).collect()
    }
}

/// What is done with ranges once they came.
pub type Then = Box<dyn FnOnce(Result<Vec<Bytes>, DataError>) + Send>;
/// Dropped, it stops what was begun.
pub type Stopper = Box<dyn Send + Sync>;

/// Bytes on their way. Dropped, their reading stops.
pub trait Coming: Send {
    /// Whether waiting would take no time.
    fn came(&self) -> bool;

    /// The bytes; None where they will not come, as in a forked child: then they have to be read.
    ///
    /// # Errors
    /// As `read_range`.
    fn wait(self: Box<Self>) -> Option<Result<Bytes, DataError>>;
}

/// A local file, read by position (never by seek: a forked child shares the offset).
pub struct LocalSource {
    file: File,
    len: u64,
    name: String,
}

impl LocalSource {
    /// Opens a file.
    ///
    /// # Errors
    /// `NotFound` or `Io` with the path.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let name = path.to_string_lossy().into_owned();
        let file = File::open(path).map_err(|e| io(&name, e))?;
        let metadata = file.metadata().map_err(|e| io(&name, e))?;
        if metadata.is_dir() {
            return Err(DataError::new(DataErrorKind::Io, "is a folder, expected a file").with_path(name));
        }
        Ok(Self { file, len: metadata.len(), name })
    }
}

fn io(name: &str, error: std::io::Error) -> DataError {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => DataErrorKind::NotFound,
        _ => DataErrorKind::Io,
    };
    DataError::new(kind, format!("cannot read: {error}")).with_path(name).with_source(error)
}

/// `length` bytes at an offset, into memory that is not cleared before.
#[cfg(unix)]
fn read_at(file: &File, length: usize, mut offset: u64) -> std::io::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(length);
    while buffer.len() < length {
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut buffer), offset) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => offset += read as u64,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    buffer.truncate(length); // there may be more room than was asked for
    Ok(buffer)
}

#[cfg(windows)]
fn read_at(file: &File, length: usize, mut offset: u64) -> std::io::Result<Vec<u8>> {
    use std::os::windows::fs::FileExt;
    let mut buffer = vec![0; length];
    let mut rest = buffer.as_mut_slice();
    while !rest.is_empty() {
        let read = file.seek_read(rest, offset)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        rest = rest.get_mut(read..).unwrap_or_default();
        offset += read as u64;
    }
    Ok(buffer)
}

impl ByteSource for LocalSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn is_near(&self) -> bool {
        true
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        let length = checked(&range, self.len, &self.name)?;
        Ok(read_at(&self.file, length, range.start).map_err(|e| io(&self.name, e))?.into())
    }
}

/// Bytes in memory.
pub struct MemorySource {
    bytes: Bytes,
    name: String,
}

impl MemorySource {
    /// Names bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), name: name.into() }
    }
}

impl ByteSource for MemorySource {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn read_range(&self, range: Range<u64>) -> Result<Bytes, DataError> {
        checked(&range, self.len(), &self.name)?;
        Ok(self.bytes.slice(range.start as usize..range.end as usize))
    }
}

/// The length of a range that lies inside `len`, before anything is allocated for it.
fn checked(range: &Range<u64>, len: u64, name: &str) -> Result<usize, DataError> {
    if range.start > range.end || range.end > len {
        let message = format!("bytes {}..{} were asked of {len}", range.start, range.end);
        return Err(DataError::new(DataErrorKind::Decode, message).with_path(name));
    }
    usize::try_from(range.end - range.start)
        .map_err(|_| DataError::new(DataErrorKind::Limit, "range too large for this machine").with_path(name))
}
