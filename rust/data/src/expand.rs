//! What dictionaries and views stand for, counted before it is written out: an index of four bytes, or a view of sixteen,
//! can mean a string of a mebibyte.

use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{ByteArrayType, ByteViewType};
use arrow_array::{Array, ArrayRef, GenericByteArray, GenericByteViewArray};
use arrow_schema::DataType;

use crate::error::{DataError, DataErrorKind};

/// Bytes that the dictionaries of a file may be written out to.
pub(crate) struct Room {
    most: u64,
    used: AtomicU64,
}

impl Room {
    pub(crate) fn new(most: u64) -> Self {
        Self { most, used: AtomicU64::new(0) }
    }

    /// Takes the bytes that an array of a dictionary or of views needs as `target`.
    ///
    /// # Errors
    /// `Limit` if they are more than are left, than offsets of 32 bits reach, or than fits into memory.
    pub(crate) fn take(&self, array: &ArrayRef, target: &DataType) -> Result<(), DataError> {
        let bytes = written_out(array);
        let used = self.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let limit = |message: String| Err(DataError::new(DataErrorKind::Limit, message));
        if used > self.most {
            return limit(format!(
                "dictionaries stand for {used} bytes, max_unpacked_bytes is {}",
                self.most
            ));
        }
        if matches!(target, DataType::Utf8 | DataType::Binary) && i32::try_from(bytes).is_err() {
            return limit(format!(
                "a batch whose column is {bytes} bytes as {target}: write smaller batches, or read it as large_string"
            ));
        }
        let reserved = usize::try_from(bytes).map(|n| Vec::<u8>::new().try_reserve_exact(n));
        if !matches!(reserved, Ok(Ok(()))) {
            return limit(format!("no memory for a dictionary that stands for {bytes} bytes"));
        }
        Ok(())
    }
}

/// Bytes of an array's values when each is written out, offsets not counted.
fn written_out(array: &ArrayRef) -> u64 {
    let sum = |widths: &[u64]| widths.iter().fold(0, |total: u64, width| total.saturating_add(*width));
    match array.data_type() {
        DataType::Dictionary(_, value) if !varies(value) => {
            array.len() as u64 * flat_width(value).unwrap_or(0)
        }
        _ => sum(&widths(array)),
    }
}

/// Whether values of a type have widths of their own.
fn varies(kind: &DataType) -> bool {
    flat_width(kind).is_none()
}

fn flat_width(kind: &DataType) -> Option<u64> {
    match kind {
        DataType::Null => Some(0),
        DataType::Boolean => Some(1),
        DataType::FixedSizeBinary(n) => Some(n.unsigned_abs().into()),
        other => other.primitive_width().map(|width| width as u64),
    }
}

/// Bytes of each value of an array; a null has none.
fn widths(array: &ArrayRef) -> Vec<u64> {
    let ends = |child: &ArrayRef| {
        let mut total = 0_u64;
        let sums = widths(child).into_iter().map(|width| {
            total = total.saturating_add(width);
            total
        });
        std::iter::once(0).chain(sums).collect::<Vec<u64>>()
    };
    let between = |ends: &[u64], from: usize, to: usize| {
        ends.get(to).copied().unwrap_or(0).saturating_sub(ends.get(from).copied().unwrap_or(0))
    };
    let mut found: Vec<u64> = match array.data_type() {
        DataType::Utf8 => byte_widths(array.as_string::<i32>()),
        DataType::LargeUtf8 => byte_widths(array.as_string::<i64>()),
        DataType::Binary => byte_widths(array.as_binary::<i32>()),
        DataType::LargeBinary => byte_widths(array.as_binary::<i64>()),
        DataType::Utf8View => view_widths(array.as_string_view()),
        DataType::BinaryView => view_widths(array.as_binary_view()),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let ends = ends(list.values());
            list.offsets().windows(2).map(|w| between(&ends, w[0] as usize, w[1] as usize)).collect()
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let ends = ends(list.values());
            list.offsets().windows(2).map(|w| between(&ends, w[0] as usize, w[1] as usize)).collect()
        }
        DataType::FixedSizeList(..) => {
            let list = array.as_fixed_size_list();
            let (ends, size) = (ends(list.values()), list.value_length().unsigned_abs() as usize);
            (0..list.len()).map(|i| between(&ends, i * size, (i + 1) * size)).collect()
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
            let ends = ends(&entries);
            map.offsets().windows(2).map(|w| between(&ends, w[0] as usize, w[1] as usize)).collect()
        }
        DataType::Struct(_) => {
            let mut sums = vec![0_u64; array.len()];
            for column in array.as_struct().columns() {
                for (sum, width) in sums.iter_mut().zip(widths(column)) {
                    *sum = sum.saturating_add(width);
                }
            }
            sums
        }
        DataType::Dictionary(..) => match array.as_any_dictionary_opt().filter(|d| !d.values().is_empty()) {
            Some(dictionary) => {
                let values = widths(dictionary.values());
                let width = |key: usize| values.get(key).copied().unwrap_or(0);
                dictionary.normalized_keys().into_iter().map(width).collect()
            }
            None => vec![0; array.len()],
        },
        other => vec![flat_width(other).unwrap_or(16); array.len()],
    };
    if let Some(nulls) = array.nulls() {
        for (width, valid) in found.iter_mut().zip(nulls) {
            *width = if valid { *width } else { 0 };
        }
    }
    found
}

fn byte_widths<T: ByteArrayType>(array: &GenericByteArray<T>) -> Vec<u64> {
    (0..array.len()).map(|i| AsRef::<[u8]>::as_ref(array.value(i)).len() as u64).collect()
}

/// The length is in the first four bytes of a view.
fn view_widths<T: ByteViewType>(array: &GenericByteViewArray<T>) -> Vec<u64> {
    array.views().iter().map(|view| u64::from(*view as u32)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, Int32Array, StringArray, StringViewArray, StructArray};
    use arrow_schema::Field;

    use super::*;

    fn dictionary(keys: Vec<Option<i32>>, values: ArrayRef) -> ArrayRef {
        Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), values).unwrap())
    }

    #[test]
    fn strings_count_as_often_as_they_are_named() {
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("abc"), Some(""), None, Some("defgh")]));
        let keys = vec![Some(0), Some(3), None, Some(3), Some(1), Some(2)];
        let array = dictionary(keys, words);
        assert_eq!(written_out(&array), 3 + 5 + 5);
        assert_eq!(written_out(&array.slice(2, 2)), 5);
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![7]));
        assert_eq!(written_out(&dictionary(vec![Some(0); 5], numbers)), 20);
        let none: ArrayRef = Arc::new(StringArray::from(Vec::<&str>::new()));
        assert_eq!(written_out(&dictionary(vec![None; 5], none)), 0);
        let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "a text longer than twelve"]));
        assert_eq!(written_out(&views), 26);
    }

    #[test]
    fn structs_and_dictionaries_of_dictionaries_count_what_is_inside() {
        let words: ArrayRef = Arc::new(StringArray::from(vec!["ab", "cdef"]));
        let inner = dictionary(vec![Some(1), Some(0), Some(1)], words);
        let field = Arc::new(Field::new("x", inner.data_type().clone(), true));
        let structs: ArrayRef = Arc::new(StructArray::from(vec![(field, inner)]));
        assert_eq!(written_out(&dictionary(vec![Some(0), Some(0), Some(1)], structs)), 4 + 4 + 2);
    }

    #[test]
    fn room_is_used_up_and_offsets_have_an_end() {
        let word: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
        let array = dictionary(vec![Some(0); 3 << 10], word);
        let room = Room::new(1 << 40);
        let error = room.take(&array, &DataType::Utf8).unwrap_err();
        assert_eq!(error.kind(), DataErrorKind::Limit);
        assert!(error.to_string().contains("large_string"), "{error}");
        let small = array.slice(0, 4);
        let room = Room::new(10 << 20);
        room.take(&small, &DataType::Utf8).unwrap();
        room.take(&small, &DataType::Utf8).unwrap();
        let error = room.take(&small, &DataType::Utf8).unwrap_err();
        assert!(error.to_string().contains("max_unpacked_bytes"), "{error}");
    }
}
