//! Pages between the parquet crate's two halves: what it unpacked is looked at before it is decoded.
//!
//! The crate reserves memory for the counts in a page: values, lengths, strings that share prefixes. They are compared
//! with the page's bytes and the limits here, on pages that are in the processor's cache, so that it costs nothing.

use std::sync::{Arc, Mutex, PoisonError};

use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;

use super::delta::{Broken, Delta, joined_bytes};
use super::dictionary::Dictionary;
use super::fetched::Fetched;
use super::packed::{Packed, as_packed};
use super::prune::in_order;
use super::widths::leaf_bytes;
use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;

type Crate<T> = parquet::errors::Result<T>;

/// The chunks of a row group, their pages looked at.
pub(super) struct Looked {
    pub(super) fetched: Arc<Fetched>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) row_group: usize,
    pub(super) limits: Limits,
    /// The first error: the crate passes on its text only.
    pub(super) error: Arc<Mutex<Option<DataError>>>,
}

impl Looked {
    fn group(&self) -> Crate<&RowGroupMetaData> {
        let group = self.metadata.row_groups().get(self.row_group);
        group.ok_or_else(|| ParquetError::General("no such row group".into()))
    }
}

impl RowGroups for Looked {
    fn num_rows(&self) -> usize {
        self.group().map_or(0, |g| usize::try_from(g.num_rows()).unwrap_or(0))
    }

    fn column_chunks(&self, leaf: usize) -> Crate<Box<dyn PageIterator>> {
        let group = self.group()?;
        let described = group.columns().get(leaf);
        let described = described.ok_or_else(|| ParquetError::General("no such column".into()))?;
        let index = self.metadata.page_index();
        let locations = index.and_then(|i| i.page_locations(self.row_group, leaf));
        let locations = locations.filter(|l| in_order(l)).cloned();
        let packed = as_packed(described)?;
        let chunk = packed.as_ref().map_or(described, |(_, chunk)| chunk);
        let pages = SerializedPageReader::new(self.fetched.clone(), chunk, self.num_rows(), locations)?;
        let chunk = ChunkPages {
            pages,
            packed: packed.map(|(packed, _)| packed),
            values: Values::new(described.column_descr(), &self.limits),
            error: self.error.clone(),
        };
        Ok(Box::new(Once(Some(chunk))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.group().into_iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The one chunk of a column.
struct Once(Option<ChunkPages>);

impl Iterator for Once {
    type Item = Crate<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|chunk| Ok(Box::new(chunk) as Box<dyn PageReader>))
    }
}

impl PageIterator for Once {}

struct ChunkPages {
    pages: SerializedPageReader<Fetched>,
    /// How pages are packed that are unpacked here.
    packed: Option<Packed>,
    values: Values,
    error: Arc<Mutex<Option<DataError>>>,
}

impl ChunkPages {
    fn looked(&mut self, page: Option<Page>) -> Crate<Option<Page>> {
        let Some(mut page) = page else { return Ok(None) };
        if let Some(packed) = self.packed {
            page = packed.unpacked(page, self.values.limits.max_page_bytes)?;
        }
        match self.values.look(&page) {
            Ok(()) => Ok(Some(page)),
            Err(error) => {
                let text = error.to_string();
                self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                Err(ParquetError::General(text))
            }
        }
    }
}

impl Iterator for ChunkPages {
    type Item = Crate<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for ChunkPages {
    fn get_next_page(&mut self) -> Crate<Option<Page>> {
        let page = self.pages.get_next_page()?;
        self.looked(page)
    }

    fn peek_next_page(&mut self) -> Crate<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Crate<()> {
        self.pages.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.pages.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Crate<Option<Page>> {
        let page = self.pages.take_deferred_dictionary()?;
        self.looked(page)
    }

    fn at_record_boundary(&mut self) -> Crate<bool> {
        self.pages.at_record_boundary()
    }
}

/// What the pages of a chunk have announced so far.
struct Values {
    name: String,
    strings: bool,
    dictionary: Dictionary,
    /// Bytes of a value, in the file and decoded with its levels.
    width: u64,
    decoded_width: u64,
    max_definition: i16,
    max_repetition: i16,
    limits: Limits,
    /// Bytes that the pages so far are decoded to, as far as they are known before.
    decoded: u64,
}

impl Values {
    fn new(leaf: &ColumnDescriptor, limits: &Limits) -> Self {
        let levels = u64::from(leaf.max_def_level() > 0) + u64::from(leaf.max_rep_level() > 0);
        Self {
            name: leaf.path().string(),
            strings: leaf.physical_type() == PhysicalType::BYTE_ARRAY,
            dictionary: Dictionary::default(),
            width: match leaf.physical_type() {
                PhysicalType::BOOLEAN => 0, // eight of them are a byte
                PhysicalType::BYTE_ARRAY => 4,
                _ => leaf_bytes(leaf),
            },
            decoded_width: leaf_bytes(leaf) + 2 * levels,
            max_definition: leaf.max_def_level(),
            max_repetition: leaf.max_rep_level(),
            limits: limits.clone(),
            decoded: 0,
        }
    }

    fn look(&mut self, page: &Page) -> Result<(), DataError> {
        self.looked(page).map_err(|e| e.with_column(&self.name))
    }

    fn looked(&mut self, page: &Page) -> Result<(), DataError> {
        let (bytes, count) = (page.buffer(), u64::from(page.num_values()));
        if page.is_dictionary_page() {
            // Values of a dictionary lie one behind the other: what has no bytes is not there.
            if count.saturating_mul(self.width) > bytes.len() as u64 {
                return Err(broken(format!(
                    "a dictionary of {} bytes should have {count} values",
                    bytes.len()
                )));
            }
            if self.strings {
                self.dictionary = Dictionary::new(bytes);
            }
            return Ok(());
        }
        if count > self.limits.max_page_values {
            let message =
                format!("a page of {count} values is over max_page_values = {}", self.limits.max_page_values);
            return Err(DataError::new(DataErrorKind::Limit, message));
        }
        self.decoded = self.decoded.saturating_add(count.saturating_mul(self.decoded_width));
        let (encoding, values) = match page {
            Page::DataPageV2 { encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                (*encoding, usize::try_from(levels).ok().and_then(|skip| bytes.get(skip..)))
            }
            Page::DataPage { encoding, def_level_encoding, rep_level_encoding, .. } => {
                let rest = behind_levels(bytes, self.max_repetition, *rep_level_encoding, count);
                let rest =
                    rest.and_then(|r| behind_levels(r, self.max_definition, *def_level_encoding, count));
                (*encoding, rest)
            }
            Page::DictionaryPage { .. } => return Ok(()),
        };
        let values = values.ok_or_else(|| broken("a page ends within its levels"))?;
        let said = |Broken| {
            broken(format!("a page in the encoding {encoding} has a broken header or ends too early"))
        };
        match encoding {
            Encoding::PLAIN | Encoding::BYTE_STREAM_SPLIT
                if self.max_definition == 0 && count.saturating_mul(self.width) > values.len() as u64 =>
            {
                return Err(broken(format!("a page of {} bytes should have {count} values", values.len())));
            }
            Encoding::DELTA_BINARY_PACKED
            | Encoding::DELTA_LENGTH_BYTE_ARRAY
            | Encoding::DELTA_BYTE_ARRAY => {
                let announced = Delta::new(values).map_err(said)?.count;
                if announced > count {
                    return Err(broken(format!(
                        "a page of {count} values announces {announced} in the encoding {encoding}"
                    )));
                }
            }
            _ => {}
        }
        if self.strings && matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY) {
            self.decoded = self.decoded.saturating_add(self.dictionary.bytes_of(values, count));
        }
        if encoding == Encoding::DELTA_BYTE_ARRAY {
            let joined = joined_bytes(values, self.limits.max_page_bytes).map_err(said)?;
            if joined > self.limits.max_page_bytes {
                let message =
                    format!("the strings of a page are over max_page_bytes = {}", self.limits.max_page_bytes);
                return Err(DataError::new(DataErrorKind::Limit, message));
            }
            self.decoded = self.decoded.saturating_add(joined);
        }
        if self.decoded > self.limits.max_unpacked_bytes {
            let message = format!(
                "the values of a column chunk are over max_unpacked_bytes = {}",
                self.limits.max_unpacked_bytes
            );
            return Err(DataError::new(DataErrorKind::Limit, message));
        }
        Ok(())
    }
}

fn broken(message: impl Into<String>) -> DataError {
    DataError::new(DataErrorKind::Decode, format!("broken Parquet: {}", message.into()))
}

/// What follows the levels of a first-version page.
fn behind_levels(bytes: &[u8], max: i16, encoding: Encoding, count: u64) -> Option<&[u8]> {
    if max == 0 {
        return Some(bytes);
    }
    #[expect(deprecated, reason = "old files have it")]
    let length = match encoding {
        Encoding::BIT_PACKED => {
            let width = u64::from(16 - max.unsigned_abs().leading_zeros());
            usize::try_from(count.checked_mul(width)?.div_ceil(8)).ok()?
        }
        _ => usize::try_from(u32::from_le_bytes(*bytes.first_chunk::<4>()?)).ok()?.checked_add(4)?,
    };
    bytes.get(length..)
}
