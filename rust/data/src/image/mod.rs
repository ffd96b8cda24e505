//! Images: size and limits first, then pixels.
//!
//! JPEG is decoded by libjpeg-turbo and PNG by the `image` crate, to the pixels that Pillow gives. Other formats, and
//! PNGs that Pillow opens in another mode (palettes, 1 and 16 bit, transparency chunks), are `Unsupported` here: the
//! caller may know another decoder.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;

mod jpeg;
mod png;

pub use png::encode as encode_png;

/// File formats that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
        })
    }
}

/// What an image's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// File format.
    pub format: ImageFormat,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Pillow's name of the pixel layout: L, LA, RGB, RGBA or CMYK.
    pub mode: &'static str,
}

/// Pixels, 8 bits a channel, rows without padding, channels interleaved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedImage {
    /// Pillow's name of the pixel layout.
    pub mode: &'static str,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Bytes a pixel.
    pub channels: u32,
    /// `height * width * channels` bytes.
    pub data: Vec<u8>,
}

/// Bytes a pixel of a mode.
fn channels(mode: &str) -> u32 {
    match mode {
        "L" => 1,
        "LA" => 2,
        "RGB" => 3,
        _ => 4,
    }
}

/// Reads the header.
///
/// # Errors
/// `Unsupported` for another format or pixel layout, `Decode` for a broken header, `Limit` for too many pixels.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<ImageInfo, DataError> {
    let info = if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        caught(|| jpeg::probe(bytes))?
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        png::probe(bytes)?
    } else if bytes.is_empty() {
        return Err(DataError::new(DataErrorKind::Decode, "an image of no bytes"));
    } else {
        return Err(DataError::new(DataErrorKind::Unsupported, "neither JPEG nor PNG"));
    };
    let pixels = u64::from(info.width) * u64::from(info.height);
    if pixels > limits.max_image_pixels {
        let message = format!(
            "{} x {} pixels are over max_image_pixels = {}",
            info.width, info.height, limits.max_image_pixels
        );
        return Err(DataError::new(DataErrorKind::Limit, message));
    }
    Ok(info)
}

/// Decodes an image.
///
/// # Errors
/// As `probe`, and `Decode` for broken data.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<DecodedImage, DataError> {
    let info = probe(bytes, limits)?;
    let channels = channels(info.mode);
    let size = u64::from(info.width) * u64::from(info.height) * u64::from(channels);
    let size = usize::try_from(size).map_err(|_| DataError::new(DataErrorKind::Limit, "image too large"))?;
    let mut data = vec![0; size];
    caught(|| match info.format {
        ImageFormat::Jpeg => jpeg::decode(bytes, &info, &mut data),
        ImageFormat::Png => png::decode(bytes, &info, &mut data),
    })?;
    Ok(DecodedImage { mode: info.mode, width: info.width, height: info.height, channels, data })
}

/// Image decoders may panic on malicious input; that is a broken image.
fn caught<T>(work: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(DataError::new(DataErrorKind::Decode, "broken image: the decoder gave up")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn png_round_trips() {
        for (mode, channels) in [("L", 1_usize), ("LA", 2), ("RGB", 3), ("RGBA", 4)] {
            let pixels: Vec<u8> = (0..5 * 7 * channels).map(|i| (i * 37 % 256) as u8).collect();
            let png = encode_png(&pixels, 5, 7, mode).unwrap();
            let back = decode(&png, &Limits::default()).unwrap();
            assert_eq!((back.mode, back.width, back.height), (mode, 5, 7));
            assert_eq!(back.data, pixels);
        }
        assert!(encode_png(&[0; 4], 5, 7, "L").is_err());
        assert!(encode_png(&[0; 4], 2, 2, "P").is_err());
    }

    #[test]
    fn jpeg_round_trips_closely() {
        let pixels = vec![200_u8; 16 * 8 * 3];
        let image = turbojpeg::Image {
            pixels: pixels.as_slice(),
            width: 16,
            pitch: 48,
            height: 8,
            format: turbojpeg::PixelFormat::RGB,
        };
        let jpeg = turbojpeg::compress(image, 95, turbojpeg::Subsamp::Sub2x2).unwrap();
        let back = decode(&jpeg, &Limits::default()).unwrap();
        assert_eq!((back.mode, back.width, back.height, back.data.len()), ("RGB", 16, 8, pixels.len()));
        assert!(back.data.iter().all(|v| v.abs_diff(200) < 4));
        let tight = Limits { max_image_pixels: 100, ..Limits::default() };
        assert_eq!(decode(&jpeg, &tight).unwrap_err().kind(), DataErrorKind::Limit);
        assert!(decode(jpeg.get(..40).unwrap(), &Limits::default()).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(tail in prop::collection::vec(any::<u8>(), 0..300), png in any::<bool>()) {
            let head: &[u8] = if png { b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" } else { b"\xff\xd8\xff" };
            let bytes = [head, &tail].concat();
            let small = Limits { max_image_pixels: 1 << 16, ..Limits::default() };
            let _ = decode(&bytes, &small);
        }
    }
}
