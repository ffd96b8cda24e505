//! Tar archives.

use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::rc::Rc;

use tar::EntryType;

use super::output::Output;
use super::{broken, refuse};
use crate::error::{HubError, HubErrorKind};

/// Bytes of headers and padding between two files: long names and the like are read into memory.
const HEADER_BYTES: u64 = 8 << 20;
/// Bytes after the end mark: padding.
const TRAILER_BYTES: u64 = 64 << 20;

/// A reader that gives so many bytes and no more, and remembers whether the end was met.
struct Metered<R> {
    inner: R,
    left: Rc<Cell<u64>>,
    ended: Rc<Cell<bool>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = usize::try_from(self.left.get()).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(std::io::Error::new(ErrorKind::InvalidData, "a header is larger than 8 MiB"));
        }
        let count = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        if count == 0 && most > 0 {
            self.ended.set(true);
        }
        self.left.set(self.left.get().saturating_sub(count as u64));
        Ok(count)
    }
}

/// Unpacks a tar archive.
pub(super) fn unpack(from: Box<dyn Read>, archive: &Path, output: &mut Output<'_>) -> Result<(), HubError> {
    let (left, ended) = (Rc::new(Cell::new(HEADER_BYTES)), Rc::new(Cell::new(false)));
    let mut tar = tar::Archive::new(Metered { inner: from, left: left.clone(), ended: ended.clone() });
    let failed = |e| broken(archive, e);
    for entry in tar.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let name = entry.path_bytes().into_owned();
        let link = entry.link_name_bytes().map(|l| l.into_owned()).unwrap_or_default();
        let refused = |what: &str| {
            let name = String::from_utf8_lossy(&name).into_owned();
            Err(refuse(HubErrorKind::Archive, archive, &format!("{name:?} in it is {what}")))
        };
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => {}
            EntryType::Directory => output.folder(&name)?,
            EntryType::Symlink => output.symlink(&name, &link)?,
            EntryType::Link => output.hardlink(&name, &link)?,
            EntryType::Char | EntryType::Block => return refused("a device"),
            EntryType::Fifo => return refused("a pipe"),
            _ if name.ends_with(b"/") => output.folder(&name)?, // how the oldest form marks a folder
            _ => {
                let (mode, modified) = (entry.header().mode().ok(), entry.header().mtime().ok());
                let size = entry.size();
                left.set(u64::MAX);
                output.file(&name, mode, modified, &mut entry, Some(size))?;
            }
        }
        left.set(HEADER_BYTES);
    }
    if ended.get() {
        return Err(broken(archive, ErrorKind::UnexpectedEof.into())); // without its end mark
    }
    // To the end of the compressed bytes, whose checksum comes last.
    left.set(TRAILER_BYTES);
    let mut rest = tar.into_inner();
    let mut chunk = vec![0; 1 << 16];
    loop {
        output.check_stop()?;
        match rest.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
    }
}
