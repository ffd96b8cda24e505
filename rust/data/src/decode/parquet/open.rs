//! Opening a Parquet file: its footer is found, checked and read.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::Schema;
use bytes::{Buf, Bytes, BytesMut};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataReader};

use super::{ParquetReader, caught, check, footer, widths};
use crate::decode::headed::Kept;
use crate::decode::nullable;
use crate::error::{DataError, DataErrorKind};
use crate::features::METADATA_KEY;
use crate::limits::Limits;
use crate::source::ByteSource;

/// Bytes read for the footer before its length is known: a small part of the file, between these.
const FOOTER_GUESS: std::ops::RangeInclusive<u64> = 16 << 10..=64 << 10;
/// Of which part of the file.
const FOOTER_SHARE: u64 = 4096;
/// A footer longer than such a part of its file is one of many small row groups: the first of them are in the first bytes.
const SMALL_GROUPS: u64 = 64;
/// Those bytes.
const FIRST: u64 = 256 << 10;
/// Length of the footer, and the mark.
const TRAILER: u64 = 8;

/// The bytes of a file of this length that are read for its footer, before the length of that is known.
pub fn footer_guess(length: u64) -> Range<u64> {
    let (least, most) = FOOTER_GUESS.into_inner();
    length - length.min((length / FOOTER_SHARE).clamp(least, most))..length
}

/// What is missing of the footer before the last bytes of a file of this length; None where nothing is, or it makes no sense.
pub fn footer_rest(length: u64, end: &Bytes, limits: &Limits) -> Option<Range<u64>> {
    let from = length.checked_sub(end.len() as u64)?;
    let end = End(from, end.clone());
    let footer = end.announced();
    let start = length.checked_sub(TRAILER)?.checked_sub(footer)?;
    let parquet = end.trailer().ends_with(b"PAR1") && footer <= limits.max_footer_bytes;
    (parquet && start < from).then_some(start..from)
}

/// The end of a file: where it begins, and its bytes. The footer is in it; page indexes may be.
struct End(u64, Bytes);

/// What was read of a file, and its first bytes where they came along.
type Ends = (End, Option<Bytes>);

impl ParquetReader {
    /// Reads and checks the footer.
    ///
    /// # Errors
    /// `Decode` for a broken file, `Limit` for a footer over the limit, `Io` from the source.
    pub fn open(source: Arc<dyn ByteSource>, limits: &Limits) -> Result<Self, DataError> {
        Self::open_for(source, false, limits)
    }

    /// As `open`, for who reads all columns from the start on: where a second request is needed for the footer, the first
    /// row groups come beside it if they are small.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_at_start(source: Arc<dyn ByteSource>, limits: &Limits) -> Result<Self, DataError> {
        let far = !source.is_near();
        Self::open_for(source, far, limits)
    }

    fn open_for(source: Arc<dyn ByteSource>, at_start: bool, limits: &Limits) -> Result<Self, DataError> {
        if let Some(kept) = End::kept(source.as_ref(), limits) {
            match Self::of_end(&source, &kept, limits) {
                Err(_) => source.forget_end(),
                opened => return opened,
            }
        }
        let (end, first) = End::read(source.as_ref(), at_start, limits)?;
        let begun = first.map(|first| Kept::with(Arc::clone(&source), 0, first));
        let opened = Self::of_end(begun.as_ref().unwrap_or(&source), &end, limits)?;
        source.keep_end(end.0, &end.1);
        Ok(opened)
    }

    fn of_end(source: &Arc<dyn ByteSource>, end: &End, limits: &Limits) -> Result<Self, DataError> {
        let name = source.name();
        let bytes = end.footer(source.as_ref(), limits)?.unwrap_or_default();
        footer::check(&bytes, limits).map_err(|e| e.with_path(name))?;
        check::footer(&bytes, name)?;
        let metadata = caught(name, || {
            let parsed = with_row_count(ParquetMetaDataReader::decode_metadata(&bytes)?);
            ArrowReaderMetadata::try_new(Arc::new(parsed), ArrowReaderOptions::new())
        })?;
        widths::check_lists(metadata.schema(), limits).map_err(|e| e.with_path(name))?;
        let schema = nullable::schema(&kept_features(metadata.schema()));
        let source = if source.is_near() {
            Arc::clone(source)
        } else {
            Kept::with(Arc::clone(source), end.0, end.1.clone())
        };
        let (schema, limits) = (Arc::new(schema), limits.clone());
        Ok(Self { source, metadata, schema, limits, batch_bytes: widths::BATCH_BYTES })
    }

    /// Has the end of a file that made no sense fetched again by whoever opens it next: it may be kept with wrong bytes.
    pub(super) fn doubt(&self, error: &DataError) {
        if error.kind() == DataErrorKind::Decode {
            self.source.forget_end();
        }
    }
}

impl End {
    /// What an earlier reader left, if the footer is in it.
    fn kept(source: &dyn ByteSource, limits: &Limits) -> Option<Self> {
        let (start, bytes) = source.kept_end()?;
        let end = Self(start, bytes);
        let whole = start.checked_add(end.1.len() as u64) == Some(source.len());
        (whole && matches!(end.footer(source, limits), Ok(Some(_)))).then_some(end)
    }

    /// Asks for a little, and for the rest where that was too little. Lengths are checked before anything is read for them.
    fn read(source: &dyn ByteSource, at_start: bool, limits: &Limits) -> Result<Ends, DataError> {
        let length = source.len();
        if length < TRAILER + 4 {
            let message = format!("{length} bytes are too few for a Parquet file");
            return Err(DataError::new(DataErrorKind::Decode, message).with_path(source.name()));
        }
        let range = footer_guess(length);
        let from = range.start;
        let guess = Self(from, source.read_range(range)?);
        if guess.footer(source, limits)?.is_some() {
            return Ok((guess, None));
        }
        // What is missing before the bytes that are there.
        let start = length - TRAILER - guess.announced();
        let small = at_start && guess.announced() > length / SMALL_GROUPS && start > FIRST;
        let (missing, first) = if small {
            let mut both = source.read_ranges(&[start..from, 0..FIRST])?.into_iter();
            (both.next().unwrap_or_default(), both.next())
        } else {
            (source.read_range(start..from)?, None)
        };
        let mut whole = BytesMut::with_capacity(missing.len() + guess.1.len());
        whole.extend_from_slice(&missing);
        whole.extend_from_slice(&guess.1);
        Ok((Self(start, whole.freeze()), first))
    }

    /// The last bytes of the file.
    fn trailer(&self) -> &[u8] {
        let from = self.1.len().saturating_sub(TRAILER as usize);
        self.1.get(from..).filter(|bytes| bytes.len() as u64 == TRAILER).unwrap_or(&[0; TRAILER as usize])
    }

    /// The length of the footer, as the file says.
    fn announced(&self) -> u64 {
        u64::from(self.trailer().get(..4).unwrap_or_default().get_u32_le())
    }

    /// The footer; None where it begins before these bytes.
    fn footer(&self, source: &dyn ByteSource, limits: &Limits) -> Result<Option<Bytes>, DataError> {
        let bad = |message: String| DataError::new(DataErrorKind::Decode, message).with_path(source.name());
        let mark = self.trailer().get(4..).unwrap_or_default();
        if mark != b"PAR1" {
            if mark == b"PARE" {
                let message = "an encrypted Parquet footer is not supported";
                return Err(DataError::new(DataErrorKind::Unsupported, message).with_path(source.name()));
            }
            return Err(bad("not a Parquet file: it does not end in PAR1".into()));
        }
        let footer = self.announced();
        if footer > limits.max_footer_bytes {
            let message =
                format!("a footer of {footer} bytes is over max_footer_bytes = {}", limits.max_footer_bytes);
            return Err(DataError::new(DataErrorKind::Limit, message).with_path(source.name()));
        }
        let length = source.len();
        if footer + TRAILER > length {
            return Err(bad(format!("the footer should have {footer} bytes, the file has {length}")));
        }
        let end = self.1.len() - TRAILER as usize;
        Ok(usize::try_from(footer)
            .ok()
            .and_then(|f| end.checked_sub(f))
            .map(|start| self.1.slice(start..end)))
    }
}

/// The metadata with the file's number of rows as its row groups have it: the crate cuts its batches by the former, and
/// some writers leave it at 0.
fn with_row_count(metadata: ParquetMetaData) -> ParquetMetaData {
    let rows = metadata.row_groups().iter().fold(0, |sum: i64, g| sum.saturating_add(g.num_rows()));
    let file = metadata.file_metadata();
    if file.num_rows() == rows {
        return metadata;
    }
    let file = FileMetaData::new(
        file.version(),
        rows,
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    ParquetMetaData::new(file, metadata.row_groups().to_vec())
}

/// Only the features survive of the file's schema metadata.
fn kept_features(schema: &Schema) -> Schema {
    let kept = schema.metadata().get(METADATA_KEY).map(|t| (METADATA_KEY.to_owned(), t.clone()));
    let kept: std::collections::HashMap<_, _> = kept.into_iter().collect();
    Schema::new_with_metadata(schema.fields().clone(), kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_of_a_footer() {
        let limits = Limits::default();
        let end = |footer: u32, mark: &[u8], kept: usize| {
            let mut bytes = vec![0; kept - TRAILER as usize];
            bytes.extend_from_slice(&footer.to_le_bytes());
            bytes.extend_from_slice(mark);
            Bytes::from(bytes)
        };
        assert_eq!(footer_rest(1000, &end(500, b"PAR1", 100), &limits), Some(492..900));
        assert_eq!(footer_rest(1000, &end(92, b"PAR1", 100), &limits), None);
        for wrong in [end(500, b"PARE", 100), end(1000, b"PAR1", 100), end(u32::MAX, b"PAR1", 100)] {
            assert_eq!(footer_rest(1000, &wrong, &limits), None);
        }
        assert_eq!(footer_rest(1 << 40, &end(u32::MAX, b"PAR1", 100), &limits), None);
        for few in [0_usize, 3, 7] {
            assert_eq!(footer_rest(1000, &Bytes::from(vec![255; few]), &limits), None);
        }
    }
}
