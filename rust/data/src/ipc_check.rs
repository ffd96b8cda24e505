//! What Arrow IPC messages announce, checked before the reader reserves memory for it.
//!
//! The reader believes lengths: of metadata and bodies, of buffers, and of what a compressed buffer unpacks to. Here each
//! is compared with the bytes that are there. An unpacked length that is much more than its buffer is counted by
//! unpacking in small pieces: what is a lie never becomes an allocation.

use std::io::Read;

use arrow_ipc::{CompressionType, Message, RecordBatch, root_as_footer, root_as_message};

use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;

/// First bytes of the file form, and its last ones.
pub(crate) const MAGIC: &[u8] = b"ARROW1";
const CONTINUATION: [u8; 4] = [0xff; 4];
/// The length of the footer and the magic bytes.
const TRAILER: usize = 10;
/// The unpacked length in front of a compressed buffer.
const PREFIX: usize = 8;
/// Unpacked lengths up to this many times the packed one (and some more for tiny buffers) are taken as they are.
const PLAUSIBLE: u64 = 16;
const PLAUSIBLE_TINY: u64 = 64 << 10;

fn broken(message: impl std::fmt::Display) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken Arrow IPC: {message}"))
}

/// Checks all messages of either form.
///
/// # Errors
/// `Decode` for lengths that are not those of the bytes, `Limit` for more unpacked bytes than allowed or than memory has.
pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Result<(), DataError> {
    if bytes.starts_with(MAGIC) { check_file(bytes, limits) } else { check_stream(bytes, limits) }
}

/// Checks the messages of the file form: those that its footer lists.
pub(crate) fn check_file(bytes: &[u8], limits: &Limits) -> Result<(), DataError> {
    let trailer = bytes.last_chunk::<TRAILER>().filter(|t| t.ends_with(MAGIC));
    let announced = trailer.and_then(|t| t.first_chunk::<4>()).map_or(0, |t| i32::from_le_bytes(*t));
    let footer = usize::try_from(announced)
        .ok()
        .and_then(|n| bytes.get(bytes.len().checked_sub(n.checked_add(TRAILER)?)?..bytes.len() - TRAILER));
    let footer = footer
        .and_then(|f| root_as_footer(f).ok())
        .ok_or_else(|| DataError::new(DataErrorKind::Decode, "broken Arrow IPC: the file has no footer"))?;
    let mut unpacked = 0;
    let blocks =
        footer.dictionaries().into_iter().flatten().chain(footer.recordBatches().into_iter().flatten());
    for block in blocks {
        let place = |from: i64, length: i64| {
            let from = usize::try_from(from).ok()?;
            bytes.get(from..from.checked_add(usize::try_from(length).ok()?)?)
        };
        let metadata = place(block.offset(), block.metaDataLength().into());
        let body = block
            .offset()
            .checked_add(block.metaDataLength().into())
            .and_then(|from| place(from, block.bodyLength()));
        let (Some(metadata), Some(body)) = (metadata, body) else {
            return Err(broken("a block lies outside the file"));
        };
        let skipped = if metadata.starts_with(&CONTINUATION) { 8 } else { 4 };
        let message = metadata.get(skipped..).ok_or_else(|| broken("a block without a message"))?;
        check_message(&root_as_message(message).map_err(broken)?, body, limits, &mut unpacked)?;
    }
    Ok(())
}

/// Checks the messages of a stream, up to its end mark or the end of the bytes.
pub(crate) fn check_stream(mut bytes: &[u8], limits: &Limits) -> Result<(), DataError> {
    let mut unpacked = 0;
    while !bytes.is_empty() {
        let rest = bytes.strip_prefix(&CONTINUATION).unwrap_or(bytes);
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| broken("the stream is cut"))?;
        let length = usize::try_from(i32::from_le_bytes(*length))
            .map_err(|_| broken("a message of negative length"))?;
        if length == 0 {
            return Ok(());
        }
        let outside = || broken("a message is longer than the stream");
        let (metadata, rest) = rest.split_at_checked(length).ok_or_else(outside)?;
        let message = root_as_message(metadata).map_err(broken)?;
        let body = usize::try_from(message.bodyLength()).map_err(|_| broken("a body of negative length"))?;
        let (body, rest) = rest.split_at_checked(body).ok_or_else(outside)?;
        check_message(&message, body, limits, &mut unpacked)?;
        bytes = rest;
    }
    Ok(())
}

fn check_message(
    message: &Message<'_>,
    body: &[u8],
    limits: &Limits,
    unpacked: &mut u64,
) -> Result<(), DataError> {
    let batch = message
        .header_as_record_batch()
        .or_else(|| message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data()));
    batch.map_or(Ok(()), |batch| check_batch(&batch, body, limits, unpacked))
}

fn check_batch(
    batch: &RecordBatch<'_>,
    body: &[u8],
    limits: &Limits,
    unpacked: &mut u64,
) -> Result<(), DataError> {
    let codec = batch.compression().map(|c| c.codec());
    for buffer in batch.buffers().into_iter().flatten() {
        let bytes = usize::try_from(buffer.offset())
            .ok()
            .zip(usize::try_from(buffer.length()).ok())
            .and_then(|(from, length)| body.get(from..from.checked_add(length)?))
            .ok_or_else(|| broken("a buffer lies outside its message"))?;
        if let (Some(codec), false) = (codec, bytes.is_empty()) {
            check_compressed(codec, bytes, limits, unpacked)?;
        }
    }
    Ok(())
}

fn check_compressed(
    codec: CompressionType,
    bytes: &[u8],
    limits: &Limits,
    unpacked: &mut u64,
) -> Result<(), DataError> {
    let (prefix, packed) = bytes
        .split_first_chunk::<PREFIX>()
        .ok_or_else(|| broken("a compressed buffer is shorter than its length"))?;
    let announced = match i64::from_le_bytes(*prefix) {
        -1 | 0 => return Ok(()), // stored as it is, or empty
        other => u64::try_from(other).map_err(|_| broken(format!("a buffer of {other} bytes")))?,
    };
    *unpacked = unpacked.saturating_add(announced);
    if *unpacked > limits.max_unpacked_bytes {
        let message = format!(
            "Arrow IPC buffers announce {unpacked} bytes unpacked, the limit is {}",
            limits.max_unpacked_bytes
        );
        return Err(DataError::new(DataErrorKind::Limit, message));
    }
    if announced <= PLAUSIBLE * packed.len() as u64 + PLAUSIBLE_TINY {
        return Ok(());
    }
    let found = match codec {
        CompressionType::LZ4_FRAME => counted(lz4_flex::frame::FrameDecoder::new(packed), announced),
        CompressionType::ZSTD => zstd::stream::read::Decoder::with_buffer(packed)
            .and_then(|decoder| counted(decoder.single_frame(), announced)),
        _ => return Err(broken(format!("unknown compression {}", codec.0))),
    };
    let found = found.map_err(|e| broken(format!("a buffer cannot be unpacked: {e}")))?;
    if found != announced {
        return Err(broken(format!("a buffer announces {announced} bytes and holds {found} or more")));
    }
    let reserved = usize::try_from(announced).map(|n| Vec::<u8>::new().try_reserve_exact(n));
    if !matches!(reserved, Ok(Ok(()))) {
        let message = format!("no memory for an Arrow IPC buffer of {announced} bytes");
        return Err(DataError::new(DataErrorKind::Limit, message));
    }
    Ok(())
}

/// Bytes that a decoder gives; it is stopped behind `most`.
fn counted(decoder: impl Read, most: u64) -> std::io::Result<u64> {
    std::io::copy(&mut decoder.take(most.saturating_add(1)), &mut std::io::sink())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;
    use crate::cancel::Cancel;
    use crate::decode::{Format, ReadOptions, read_sources};
    use crate::encode::ipc::{IpcCompression, IpcOptions, write_ipc};
    use crate::source::{ByteSource, MemorySource};
    use crate::store;

    const FORMS: [(IpcCompression, bool); 6] = [
        (IpcCompression::None, false),
        (IpcCompression::None, true),
        (IpcCompression::Lz4, false),
        (IpcCompression::Lz4, true),
        (IpcCompression::Zstd, false),
        (IpcCompression::Zstd, true),
    ];

    fn batch(rows: i64) -> arrow_array::RecordBatch {
        let a: ArrayRef = Arc::new((0..rows).map(|i| (i % 3 != 0).then_some(i / 50)).collect::<Int64Array>());
        let b: ArrayRef =
            Arc::new((0..rows).map(|i| Some(format!("text {}", i % 7))).collect::<StringArray>());
        arrow_array::RecordBatch::try_from_iter_with_nullable([("a", a, true), ("b", b, true)]).unwrap()
    }

    fn written(batch: &arrow_array::RecordBatch, compression: IpcCompression, stream: bool) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.arrow");
        let batches = [Ok(batch.clone()), Ok(batch.clone())];
        let options = IpcOptions { stream, compression };
        write_ipc(&path, &batch.schema(), batches.into_iter(), options, &Cancel::new()).unwrap();
        std::fs::read(&path).unwrap()
    }

    fn read(bytes: Vec<u8>, limits: Limits) -> Result<crate::Table, DataError> {
        let source: Arc<dyn ByteSource> = Arc::new(MemorySource::new("t", bytes));
        read_sources(&[source], Format::Arrow, &ReadOptions { limits, ..ReadOptions::default() })
    }

    #[test]
    fn every_form_round_trips() {
        for rows in [0, 1, 5_000] {
            let batch = batch(rows);
            for (compression, stream) in FORMS {
                let bytes = written(&batch, compression, stream);
                let table = read(bytes.clone(), Limits::default()).unwrap();
                assert_eq!(table.num_rows() as i64, 2 * rows, "{compression:?} {stream}");
                assert!(table.batches().unwrap().iter().all(|b| b.columns() == batch.columns()));
                if stream {
                    assert_eq!(store::from_ipc_bytes(&bytes).unwrap().num_rows() as i64, 2 * rows);
                }
            }
        }
    }

    #[test]
    fn compressed_is_smaller() {
        let batch = batch(5_000);
        let plain = written(&batch, IpcCompression::None, false).len();
        assert!(written(&batch, IpcCompression::Lz4, false).len() * 2 < plain);
        assert!(written(&batch, IpcCompression::Zstd, false).len() * 3 < plain);
    }

    /// The places of the unpacked lengths in a file.
    fn lengths(bytes: &[u8], length: i64) -> Vec<usize> {
        let wanted = length.to_le_bytes();
        (0..bytes.len() - 8).filter(|&at| bytes.get(at..at + 8) == Some(wanted.as_slice())).collect()
    }

    #[test]
    fn lengths_that_lie_are_errors() {
        let batch = batch(5_000);
        for (compression, stream) in FORMS.into_iter().skip(2) {
            let bytes = written(&batch, compression, stream);
            let places = lengths(&bytes, 40_000); // the values of `a`
            assert_eq!(places.len(), 2, "{compression:?} {stream}");
            for lie in [-2, 1, 39_999, 40_001, 200_000, 1 << 32, 1 << 40, 1 << 60, i64::MAX, i64::MIN] {
                let mut bytes = bytes.clone();
                bytes.splice(places[1]..places[1] + 8, lie.to_le_bytes());
                let error = read(bytes, Limits::default()).unwrap_err();
                let kind = if lie >= 1 << 40 { DataErrorKind::Limit } else { DataErrorKind::Decode };
                assert_eq!(error.kind(), kind, "{compression:?} {stream} {lie}: {error}");
            }
        }
    }

    #[test]
    fn unpacked_bytes_have_a_limit() {
        let batch = batch(5_000);
        for (compression, stream) in FORMS.into_iter().skip(2) {
            let bytes = written(&batch, compression, stream);
            let limits = Limits { max_unpacked_bytes: 100_000, ..Limits::default() };
            let error = read(bytes.clone(), limits).unwrap_err();
            assert_eq!(error.kind(), DataErrorKind::Limit, "{error}");
            assert!(read(bytes, Limits { max_unpacked_bytes: 1 << 20, ..Limits::default() }).is_ok());
        }
    }

    #[test]
    fn large_ratios_are_counted() {
        let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; 1 << 20]));
        let batch = arrow_array::RecordBatch::try_from_iter([("a", zeros)]).unwrap();
        for (compression, stream) in FORMS.into_iter().skip(2) {
            let bytes = written(&batch, compression, stream);
            assert!(bytes.len() < 200_000);
            assert_eq!(read(bytes.clone(), Limits::default()).unwrap().num_rows(), 2 << 20);
            let place = lengths(&bytes, 8 << 20).remove(0);
            for lie in [(8 << 20) - 1, (8 << 20) + 1, 4 << 30] {
                let mut bytes = bytes.clone();
                bytes.splice(place..place + 8, i64::to_le_bytes(lie));
                let error = read(bytes, Limits::default()).unwrap_err();
                assert!(error.to_string().contains("announces"), "{error}");
            }
        }
    }

    #[test]
    fn cut_files_are_errors() {
        let batch = batch(40);
        for (compression, stream) in FORMS {
            let bytes = written(&batch, compression, stream);
            let last = written(&batch, compression, stream).len() - if stream { 8 } else { 0 };
            for cut in (0..last).filter(|cut| *cut > 0) {
                let got = read(bytes.get(..cut).unwrap().to_vec(), Limits::default());
                // A stream may end between two batches.
                assert!(stream && got.as_ref().is_ok_and(|t| t.num_rows() < 80) || got.is_err(), "{cut}");
            }
        }
    }

    #[test]
    fn flipped_bits_never_panic() {
        let batch = batch(20);
        for (compression, stream) in FORMS {
            let bytes = written(&batch, compression, stream);
            let mut failed = 0;
            for at in 0..bytes.len() {
                for bit in [0, 3, 7] {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1 << bit;
                    failed += usize::from(read(bytes, Limits::default()).is_err());
                }
            }
            assert!(failed > bytes.len() / 8, "{failed} of {}", bytes.len());
        }
    }
}
