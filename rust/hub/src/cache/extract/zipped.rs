//! Zip archives.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::result::ZipError;

use super::output::Output;
use super::{broken, refuse};
use crate::error::{HubError, HubErrorKind};

/// Unpacks a zip archive. Links in it come as files that hold the target's name, as Python's `zipfile` does it.
pub(super) fn unpack(file: File, archive: &Path, output: &mut Output<'_>) -> Result<(), HubError> {
    let failed = |e: ZipError| match e {
        ZipError::Io(e) => broken(archive, e),
        e => refuse(HubErrorKind::Archive, archive, &format!("it is damaged or cut short ({e})"))
            .with_source(e),
    };
    let mut zip = zip::ZipArchive::new(BufReader::new(file)).map_err(failed)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|e| match e {
            ZipError::UnsupportedArchive(what) => {
                refuse(HubErrorKind::Archive, archive, &format!("an entry of it cannot be read: {what}"))
            }
            e => failed(e),
        })?;
        let name = entry.name().map_err(failed)?.into_owned();
        if entry.encrypted() {
            let why = format!("{name:?} in it is encrypted");
            return Err(refuse(HubErrorKind::Archive, archive, &why));
        }
        if name.ends_with('/') {
            output.folder(name.as_bytes())?;
        } else {
            let (mode, size) = (entry.unix_mode().filter(|mode| mode & 0o777 != 0), entry.size());
            output.file(name.as_bytes(), mode, None, &mut entry, Some(size))?;
        }
    }
    Ok(())
}
