//! PNG by the `image` crate.

use std::io::Cursor;

use image::codecs::png::{PngDecoder, PngEncoder};
use image::{ExtendedColorType, ImageDecoder, ImageEncoder};

use super::{ImageFormat, ImageInfo, channels};
use crate::error::{DataError, DataErrorKind};

fn broken(message: impl std::fmt::Display) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken PNG: {message}"))
}

pub(super) fn probe(bytes: &[u8]) -> Result<ImageInfo, DataError> {
    let header =
        bytes.get(8..33).filter(|h| h.get(4..8) == Some(b"IHDR")).ok_or_else(|| broken("no header"))?;
    let number =
        |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
    let (width, height) = (number(8), number(12));
    if width == 0 || height == 0 {
        return Err(broken("no pixels"));
    }
    let mode = match (header.get(16), header.get(17)) {
        (Some(8), Some(0)) => "L",
        (Some(8), Some(2)) => "RGB",
        (Some(8), Some(4)) => "LA",
        (Some(8), Some(6)) => "RGBA",
        (depth, kind) => {
            let message = format!(
                "PNG of bit depth {:?} and colour type {:?}",
                depth.unwrap_or(&0),
                kind.unwrap_or(&0)
            );
            return Err(DataError::new(DataErrorKind::Unsupported, message));
        }
    };
    if has_transparency_chunk(bytes) {
        return Err(DataError::new(DataErrorKind::Unsupported, "PNG with a transparency chunk"));
    }
    Ok(ImageInfo { format: ImageFormat::Png, width, height, mode })
}

/// Looks for `tRNS` among the chunks before the pixels.
fn has_transparency_chunk(bytes: &[u8]) -> bool {
    let mut at = 8_usize;
    while let Some(head) = at.checked_add(8).and_then(|end| bytes.get(at..end)) {
        let length = head.get(..4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes) as usize;
        match head.get(4..) {
            Some(b"tRNS") => return true,
            Some(b"IDAT" | b"IEND") | None => return false,
            _ => {}
        }
        let Some(next) = at.checked_add(12).and_then(|a| a.checked_add(length)) else {
            return false;
        };
        at = next;
    }
    false
}

pub(super) fn decode(bytes: &[u8], info: &ImageInfo, out: &mut [u8]) -> Result<(), DataError> {
    let decoder = PngDecoder::new(Cursor::new(bytes)).map_err(broken)?;
    if decoder.dimensions() != (info.width, info.height) || decoder.total_bytes() != out.len() as u64 {
        return Err(broken("header and data disagree"));
    }
    decoder.read_image(out).map_err(broken)
}

/// A PNG file of raw pixels.
///
/// # Errors
/// `Schema` for a mode other than L, LA, RGB or RGBA, or pixels that do not fill `width * height`.
pub fn encode(pixels: &[u8], width: u32, height: u32, mode: &str) -> Result<Vec<u8>, DataError> {
    let color = match mode {
        "L" => ExtendedColorType::L8,
        "LA" => ExtendedColorType::La8,
        "RGB" => ExtendedColorType::Rgb8,
        "RGBA" => ExtendedColorType::Rgba8,
        other => {
            let message = format!("mode {other:?} cannot be written as PNG; L, LA, RGB and RGBA can");
            return Err(DataError::new(DataErrorKind::Schema, message));
        }
    };
    let wanted = u64::from(width) * u64::from(height) * u64::from(channels(mode));
    if pixels.len() as u64 != wanted || wanted == 0 {
        let message =
            format!("{} bytes for {width} x {height} pixels of {mode}, which need {wanted}", pixels.len());
        return Err(DataError::new(DataErrorKind::Schema, message));
    }
    let mut file = Vec::new();
    PngEncoder::new(&mut file).write_image(pixels, width, height, color).map_err(broken)?;
    Ok(file)
}
