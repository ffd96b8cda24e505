//! JPEG by libjpeg-turbo with Pillow's settings (slow integer DCT, smooth upsampling): the same pixels.

use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat};

use super::{ImageFormat, ImageInfo, channels};
use crate::error::{DataError, DataErrorKind};

fn broken(error: turbojpeg::Error) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken JPEG: {error}"))
}

pub(super) fn probe(bytes: &[u8]) -> Result<ImageInfo, DataError> {
    let mut decompressor = Decompressor::new().map_err(broken)?;
    let header = decompressor.read_header(bytes).map_err(broken)?;
    let mode = match header.colorspace {
        Colorspace::Gray => "L",
        Colorspace::CMYK | Colorspace::YCCK => "CMYK",
        _ => "RGB",
    };
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(ImageInfo { format: ImageFormat::Jpeg, width: side(header.width), height: side(header.height), mode })
}

pub(super) fn decode(bytes: &[u8], info: &ImageInfo, out: &mut [u8]) -> Result<(), DataError> {
    let mut decompressor = Decompressor::new().map_err(broken)?;
    let format = match info.mode {
        "L" => PixelFormat::GRAY,
        "CMYK" => PixelFormat::CMYK,
        _ => PixelFormat::RGB,
    };
    let width = info.width as usize;
    let pitch = width * channels(info.mode) as usize;
    let image = Image { pixels: &mut *out, width, pitch, height: info.height as usize, format };
    decompressor.decompress(bytes, image).map_err(broken)?;
    if format == PixelFormat::CMYK {
        // Adobe writes CMYK inverted; Pillow turns every CMYK JPEG back.
        out.iter_mut().for_each(|v| *v = 255 - *v);
    }
    Ok(())
}
