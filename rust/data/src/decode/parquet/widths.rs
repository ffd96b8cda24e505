//! How many bytes values take in memory, and how many rows make a batch.

use arrow_schema::{DataType, FieldRef, Schema};
use parquet::basic::Type as PhysicalType;
use parquet::schema::types::ColumnDescriptor;

use super::ParquetReader;
use crate::error::{DataError, DataErrorKind};
use crate::limits::Limits;

/// Uncompressed bytes of one decoded batch at the most: keeps 32-bit string offsets far from their end.
pub(super) const BATCH_BYTES: u64 = 1 << 30;
/// Rows of a batch where the footer announces more than the file is likely to have.
const DOUBTED_ROWS: usize = 1 << 16;

impl ParquetReader {
    /// Rows of a batch. The crate reserves memory for a whole batch at once: neither the bytes that a row group has nor
    /// those that its rows should take may be over the limit.
    pub(super) fn batch_rows(&self, row_group: usize, rows: usize) -> usize {
        let leaves = self.metadata.metadata().file_metadata().schema_descr().columns();
        let lists: u64 = self.schema.fields().iter().map(|f| fixed_bytes(f.data_type())).sum();
        let width = leaves.iter().map(|leaf| leaf_bytes(leaf)).sum::<u64>().saturating_add(lists);
        let most = usize::try_from(BATCH_BYTES / width.max(1)).unwrap_or(usize::MAX);
        let bytes = self
            .metadata
            .metadata()
            .row_groups()
            .get(row_group)
            .map_or(0, parquet::file::metadata::RowGroupMetaData::total_byte_size);
        let bytes = u64::try_from(bytes).unwrap_or(0);
        let parts = usize::try_from(bytes / self.batch_bytes.max(1)).unwrap_or(0) + 1;
        let batch = rows.div_ceil(parts).clamp(1, most.max(1));
        // The decoder reserves memory for a batch: for as many rows as only the footer believes in, little by little.
        let length = usize::try_from(self.source.len()).unwrap_or(usize::MAX);
        if batch / 64 > length { batch.min(DOUBTED_ROWS) } else { batch }
    }

    /// A list of a fixed length takes its bytes where it is null too: they are nowhere in the file.
    pub(super) fn check_fixed_lists(&self, columns: &[usize], rows: usize) -> Result<(), DataError> {
        for field in columns.iter().filter_map(|&c| self.schema.fields().get(c)) {
            let bytes = fixed_bytes(field.data_type()).saturating_mul(rows as u64);
            let (limit, there) = (self.limits.max_unpacked_bytes, self.source.len());
            if bytes > limit && bytes / 64 > there {
                let message = format!(
                    "{rows} lists of {} bytes are over max_unpacked_bytes = {limit}",
                    bytes / rows as u64
                );
                return Err(DataError::new(DataErrorKind::Limit, message).with_column(field.name()));
            }
        }
        Ok(())
    }
}

/// Checks the lengths of fixed-length lists, which the Arrow schema in a file says.
pub(super) fn check_lists(schema: &Schema, limits: &Limits) -> Result<(), DataError> {
    for field in schema.fields() {
        let width = fixed_bytes(field.data_type());
        if width > u64::from(limits.max_fixed_bytes) {
            let message =
                format!("lists of {width} bytes are over max_fixed_bytes = {}", limits.max_fixed_bytes);
            return Err(DataError::new(DataErrorKind::Limit, message).with_column(field.name()));
        }
    }
    Ok(())
}

/// Bytes of a value of a column, without the text of strings.
pub(super) fn leaf_bytes(leaf: &ColumnDescriptor) -> u64 {
    match leaf.physical_type() {
        PhysicalType::BOOLEAN => 1,
        PhysicalType::INT32 | PhysicalType::FLOAT => 4,
        PhysicalType::INT64 | PhysicalType::DOUBLE | PhysicalType::BYTE_ARRAY => 8,
        PhysicalType::INT96 => 12,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => u64::try_from(leaf.type_length()).unwrap_or(0),
    }
}

/// Bytes of a value that has fixed-length lists; 0 for others.
fn fixed_bytes(kind: &DataType) -> u64 {
    let child = |field: &FieldRef| match field.data_type() {
        kind @ (DataType::FixedSizeList(..) | DataType::Struct(_)) => fixed_bytes(kind),
        DataType::FixedSizeBinary(width) => u64::try_from(*width).unwrap_or(0),
        kind => kind.primitive_width().unwrap_or(8) as u64,
    };
    match kind {
        DataType::FixedSizeList(item, length) => {
            child(item).max(1).saturating_mul(u64::try_from(*length).unwrap_or(0))
        }
        DataType::Struct(fields) => {
            fields.iter().map(|f| fixed_bytes(f.data_type())).fold(0, u64::saturating_add)
        }
        DataType::List(item) | DataType::LargeList(item) => fixed_bytes(item.data_type()),
        DataType::Map(entries, _) => fixed_bytes(entries.data_type()),
        _ => 0,
    }
}
