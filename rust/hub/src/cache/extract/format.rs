//! What a file is, by its first bytes: suffixes lie, and blobs of a cache have none.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::{broken, refuse};
use crate::error::{HubError, HubErrorKind};

const BLOCK: usize = 512;
const BUFFER: usize = 1 << 18;
/// Memory that an xz file may ask for; `xz -9` asks for 65 MiB.
const XZ_MEMORY: u64 = 1 << 30;

/// A container or compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Zip,
    Gzip,
    Xz,
    Zstd,
    Plain,
}

/// As many of the first bytes as there are, up to a block.
fn start(from: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK);
    from.take(BLOCK as u64).read_to_end(&mut block)?;
    Ok(block)
}

impl Format {
    /// The format of a file, which is left at its start.
    pub(super) fn of(file: &mut File, archive: &Path) -> Result<Self, HubError> {
        let block = start(file)
            .and_then(|block| file.seek(SeekFrom::Start(0)).map(|_| block))
            .map_err(|e| HubError::io("read", archive, e))?;
        let unknown = |name: &str| {
            let why = format!("{name} is not supported; zip, tar, gz, xz and zst are");
            Err(refuse(HubErrorKind::Archive, archive, &why))
        };
        match block.as_slice() {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Ok(Self::Zip),
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Self::Zstd),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd), // a skippable frame first (pzstd)
            [b'B', b'Z', b'h', ..] => unknown("bzip2"),
            [b'7', b'z', 0xbc, 0xaf, ..] => unknown("7z"),
            [b'R', b'a', b'r', b'!', ..] => unknown("rar"),
            [] => Err(refuse(HubErrorKind::Archive, archive, "it is empty")),
            _ => Ok(Self::Plain),
        }
    }

    /// The bytes within.
    pub(super) fn decode(self, file: File, archive: &Path) -> Result<Box<dyn Read>, HubError> {
        let file = BufReader::with_capacity(BUFFER, file);
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
            Self::Xz => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)
                        .map_err(|e| broken(archive, e.into()))?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(file, stream))
            }
            Self::Zstd => {
                Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(|e| broken(archive, e))?)
            }
            Self::Zip | Self::Plain => Box::new(file),
        })
    }

    /// Whether a tar archive is within. The file is left at its start.
    pub(super) fn holds_tar(self, file: &mut File, archive: &Path, name: &str) -> Result<bool, HubError> {
        let again = file.try_clone().map_err(|e| HubError::io("read", archive, e))?;
        let block = start(&mut self.decode(again, archive)?).map_err(|e| broken(archive, e))?;
        file.seek(SeekFrom::Start(0)).map_err(|e| HubError::io("read", archive, e))?;
        let lower = name.to_lowercase();
        let named = lower.contains(".tar") || [".tgz", ".txz", ".tzst"].iter().any(|s| lower.ends_with(s));
        Ok(is_tar(&block) || (named && block.len() == BLOCK && block.iter().all(|b| *b == 0)))
    }
}

/// Whether a block is the header of a tar archive: its checksum is right. True of old and new forms.
fn is_tar(block: &[u8]) -> bool {
    let (Some(before), Some(field), Some(after)) =
        (block.get(..148), block.get(148..156), block.get(156..BLOCK))
    else {
        return false;
    };
    let digits: String = field.iter().map(|b| char::from(*b)).filter(|c| !matches!(c, ' ' | '\0')).collect();
    let Ok(stated) = u32::from_str_radix(&digits, 8) else {
        return false;
    };
    let sum = before.iter().chain(after).map(|b| u32::from(*b)).sum::<u32>() + 8 * u32::from(b' ');
    stated == sum
}
