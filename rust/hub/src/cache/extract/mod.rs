//! Archives unpacked safely: strangers made them, so no name, link, size or count is believed.
//!
//! | module | what |
//! | --- | --- |
//! | `format` | what a file is, by its first bytes; decoders |
//! | `names` | a name of an archive as a path that stays inside, or an error |
//! | `output` | writes files, folders and links below one folder, within the limits |
//! | `tarball`, `zipped` | the two containers |
//!
//! Everything goes into a fresh folder beside the destination, which gets its name when all is there. A failure or a
//! wish to stop removes it.
#![allow(clippy::disallowed_methods, reason = "writes are into a folder of our own until it is renamed")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{HubError, HubErrorKind};

mod format;
mod names;
mod output;
mod tarball;
mod zipped;

use format::Format;
use output::Output;

/// What an archive may unpack to. Over a limit, nothing is kept.
#[derive(Clone, Copy, Debug)]
pub struct ExtractLimits {
    /// Bytes of all files together.
    pub max_bytes: u64,
    /// Bytes written per byte of archive, once 256 MiB are written.
    pub max_ratio: u64,
    /// Files, folders and links.
    pub max_entries: u64,
    /// Folders in folders.
    pub max_depth: usize,
}

impl Default for ExtractLimits {
    /// 1 TiB, 250 : 1 (deflate of real text stays below 50 : 1, its limit is 1032 : 1), 10 million, 64.
    fn default() -> Self {
        Self { max_bytes: 1 << 40, max_ratio: 250, max_entries: 10_000_000, max_depth: 64 }
    }
}

/// What was unpacked.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// The destination folder, or the file in it that a compressed single file became.
    pub path: PathBuf,
    /// Files, folders and links.
    pub entries: u64,
    /// Bytes of files.
    pub bytes: u64,
}

/// An archive that will not be unpacked.
fn refuse(kind: HubErrorKind, archive: &Path, why: &str) -> HubError {
    let shown = archive.to_string_lossy().into_owned();
    HubError::new(kind, format!("cannot extract {shown}: {why}")).with(|c| c.path = Some(shown))
}

/// An archive that is broken.
fn broken(archive: &Path, error: std::io::Error) -> HubError {
    let what = if error.kind() == std::io::ErrorKind::UnexpectedEof {
        "it is cut short".to_owned()
    } else {
        format!("it is damaged or cut short ({error})")
    };
    refuse(HubErrorKind::Archive, archive, &what).with_source(error)
}

/// Unpacks a zip or tar archive, or a compressed file, into `destination`, which must not exist.
///
/// `name` is what the archive is called, for the name of a compressed single file (a blob in a cache has no telling
/// name). `stop` is asked often; once it says yes the work ends with an error.
///
/// # Errors
/// `Archive` for what is broken, unknown or would leave the folder; `ArchiveLimit` over a limit; `Io`, `DiskFull`.
pub fn extract(
    archive: &Path,
    name: &str,
    destination: &Path,
    limits: ExtractLimits,
    stop: &dyn Fn() -> bool,
) -> Result<Extracted, HubError> {
    let mut file = File::open(archive).map_err(|e| HubError::io("open", archive, e))?;
    let size = file.metadata().map_err(|e| HubError::io("read", archive, e))?.len();
    let parent = destination.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|e| HubError::io("make the folder", parent, e))?;
    let workshop = tempfile::Builder::new()
        .prefix(".extract-")
        .suffix(".tmp")
        .tempdir_in(parent)
        .map_err(|e| HubError::io("make a folder in", parent, e))?;
    let root = workshop.path().join("content"); // with the modes that the umask gives, unlike the workshop
    fs::create_dir(&root).map_err(|e| HubError::io("make the folder", &root, e))?;
    let mut output = Output::new(archive, size, root.clone(), limits, stop);
    let mut single = None;
    match Format::of(&mut file, archive)? {
        Format::Zip => zipped::unpack(file, archive, &mut output)?,
        compression => {
            let is_tar = compression.holds_tar(&mut file, archive, name)?;
            let decoded = compression.decode(file, archive)?;
            if is_tar {
                tarball::unpack(decoded, archive, &mut output)?;
            } else if compression == Format::Plain {
                let known = "neither zip, tar, gz, xz nor zst";
                return Err(refuse(HubErrorKind::Archive, archive, &format!("it is {known}")));
            } else {
                let inner = names::without_suffix(name);
                output.file(inner.as_bytes(), None, None, decoded, None)?;
                single = Some(inner);
            }
        }
    }
    let (entries, bytes) = output.finish()?;
    match fs::rename(&root, destination) {
        Ok(()) => {}
        Err(_) if destination.is_dir() => {} // another process unpacked the same meanwhile
        Err(e) => return Err(HubError::io("name", destination, e)),
    }
    let path = single.map_or_else(|| destination.to_owned(), |inner| destination.join(inner));
    Ok(Extracted { path, entries, bytes })
}
