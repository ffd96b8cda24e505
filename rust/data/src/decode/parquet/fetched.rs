//! The column chunks of a unit, as the parquet crate reads them.
//!
//! From a source that is far they come in one call. From a file they come page by page: the bytes of a page are unpacked
//! while they are still in the processor's cache, and their memory is used again for the next.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::check;
use crate::error::DataError;
use crate::limits::Limits;
use crate::source::ByteSource;

/// Bytes read at least, so that small pages come together.
const LEAST: u64 = 64 << 10;
/// Bytes read past a page: the next page's header lies there.
const AHEAD: u64 = 8 << 10;

/// Some chunks of a file.
#[derive(Clone)]
pub(super) struct Fetched {
    source: Arc<dyn ByteSource>,
    chunks: Arc<[Chunk]>,
    looks: Option<Arc<Looks>>,
}

/// How page headers are looked at before they are handed out.
struct Looks {
    /// Codec and name of each chunk's column.
    columns: Vec<(Compression, String)>,
    limits: Limits,
    /// The first error: the crate passes on its text only.
    error: Arc<Mutex<Option<DataError>>>,
}

struct Chunk {
    range: Range<u64>,
    /// Bytes of the chunk, and where they start.
    have: Mutex<(u64, Bytes)>,
}

impl Fetched {
    /// Reads chunks, or prepares to.
    pub(super) fn read(source: &Arc<dyn ByteSource>, ranges: Vec<Range<u64>>) -> Result<Self, DataError> {
        let bytes =
            if source.is_near() { vec![Bytes::new(); ranges.len()] } else { source.read_ranges(&ranges)? };
        let chunks = ranges
            .into_iter()
            .zip(bytes)
            .map(|(range, bytes)| Chunk { have: Mutex::new((range.start, bytes)), range })
            .collect();
        Ok(Self { source: source.clone(), chunks, looks: None })
    }

    /// Looks at the sizes in page headers as they are read; `columns` has codec and name for each chunk. The first error
    /// is put into `error`.
    pub(super) fn looking(
        mut self,
        columns: Vec<(Compression, String)>,
        limits: &Limits,
        error: Arc<Mutex<Option<DataError>>>,
    ) -> Self {
        self.looks = Some(Arc::new(Looks { columns, limits: limits.clone(), error }));
        self
    }

    /// Bytes that begin with the page header at `start`.
    fn header(&self, start: u64) -> Result<Bytes, ParquetError> {
        let mut bytes = self.from(start, AHEAD)?;
        let Some(looks) = &self.looks else { return Ok(bytes) };
        let found = self.chunks.iter().zip(&looks.columns).find(|(chunk, _)| chunk.range.contains(&start));
        let Some((chunk, (codec, column))) = found else { return Ok(bytes) };
        loop {
            match check::page(self.source.as_ref(), &bytes, start, chunk.range.end, *codec, &looks.limits) {
                Ok(true) => return Ok(bytes),
                Ok(false) => bytes = self.from(start, (bytes.len() as u64).saturating_mul(8))?,
                Err(error) => {
                    let error = error.with_column(column);
                    let text = error.to_string();
                    looks.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    return Err(ParquetError::General(text));
                }
            }
        }
    }

    /// Any bytes of a source that is near, read when asked for.
    pub(super) fn whole(source: &Arc<dyn ByteSource>) -> Self {
        let range = 0..source.len();
        let chunk = Chunk { have: Mutex::new((0, Bytes::new())), range };
        Self { source: source.clone(), chunks: Arc::new([chunk]), looks: None }
    }

    /// What is in memory of a chunk from a byte of it on.
    pub(super) fn known(&self, from: u64) -> Bytes {
        let found = self.chunks.iter().find(|c| c.range.contains(&from));
        let have = found.map(|c| c.have.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let rest = have.and_then(|(start, bytes)| {
            let skip = usize::try_from(from.checked_sub(start)?).ok()?;
            (skip <= bytes.len()).then(|| bytes.slice(skip..))
        });
        rest.unwrap_or_default()
    }

    /// The bytes from `start` on, `wanted` of them at least unless the chunk ends before.
    fn from(&self, start: u64, wanted: u64) -> Result<Bytes, ParquetError> {
        let chunk = self
            .chunks
            .iter()
            .find(|c| c.range.contains(&start))
            .ok_or_else(|| ParquetError::General(format!("byte {start} was not fetched")))?;
        let end = chunk.range.end.min(start.saturating_add(wanted));
        let mut have = chunk.have.lock().unwrap_or_else(PoisonError::into_inner);
        if have.0 <= start && end <= have.0 + have.1.len() as u64 {
            return Ok(have.1.slice((start - have.0) as usize..));
        }
        *have = (start, Bytes::new()); // before the next is read: its memory is used again
        let stop = chunk.range.end.min(start.saturating_add(LEAST.max(wanted.saturating_add(AHEAD))));
        let bytes = self.source.read_range(start..stop).map_err(|e| ParquetError::External(Box::new(e)))?;
        *have = (start, bytes.clone());
        Ok(bytes)
    }
}

impl Length for Fetched {
    fn len(&self) -> u64 {
        self.source.len()
    }
}

impl ChunkReader for Fetched {
    type T = Reader;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(Reader { fetched: self.clone(), next: start, have: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let rest = self.from(start, length as u64)?;
        if rest.len() < length {
            return Err(ParquetError::EOF(format!("{length} bytes wanted at {start}, {} there", rest.len())));
        }
        Ok(rest.slice(..length))
    }
}

/// Reads on from a byte to the end of its chunk.
pub(super) struct Reader {
    fetched: Fetched,
    next: u64,
    have: Bytes,
}

impl std::io::Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.have.is_empty() {
            if !self.fetched.chunks.iter().any(|c| c.range.contains(&self.next)) {
                return Ok(0);
            }
            self.have = self.fetched.header(self.next).map_err(std::io::Error::other)?;
            self.next += self.have.len() as u64;
        }
        let length = out.len().min(self.have.len());
        self.have.copy_to_slice(out.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
