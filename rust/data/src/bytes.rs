//! How many bytes rows take: of a slice only its part of the buffers, as pyarrow's `nbytes` counts.

use arrow_array::{Array, RecordBatch};
use arrow_data::ArrayData;
use arrow_schema::DataType;

/// Bytes of a batch's rows.
pub(crate) fn of_batch(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| of(&column.to_data())).sum()
}

/// Bytes of an array's rows. Offsets may be anything: values are looked at where rows begin and end only, and unchecked
/// ones lead to a wrong number and nothing else.
fn of(data: &ArrayData) -> usize {
    let nulls = data.nulls().map_or(0, |_| data.len().div_ceil(8));
    nulls
        + match data.data_type() {
            DataType::Null => 0,
            DataType::Boolean => data.len().div_ceil(8),
            DataType::Utf8 | DataType::Binary => texts::<i32>(data),
            DataType::LargeUtf8 | DataType::LargeBinary => texts::<i64>(data),
            DataType::List(_) | DataType::Map(_, _) => lists::<i32>(data),
            DataType::LargeList(_) => lists::<i64>(data),
            DataType::FixedSizeBinary(size) => data.len().saturating_mul(usize::try_from(*size).unwrap_or(0)),
            DataType::FixedSizeList(_, size) => {
                let size = usize::try_from(*size).unwrap_or(0);
                child(data, data.offset().saturating_mul(size), data.len().saturating_mul(size))
            }
            DataType::Struct(_) => {
                data.child_data().iter().map(|field| of_part(field, 0, data.len())).sum() // sliced already
            }
            other => match other.primitive_width() {
                Some(width) => data.len() * width,
                None => data.get_array_memory_size(),
            },
        }
}

/// Where the rows of lists or texts begin and end in what they are lists of.
fn span<O>(data: &ArrayData) -> (usize, usize) {
    let at = |row: usize| {
        let width = size_of::<O>();
        let from = row.checked_mul(width)?;
        let bytes = data.buffers().first()?.get(from..from.checked_add(width)?)?;
        let mut wide = [0; 8];
        wide.get_mut(..width)?.copy_from_slice(bytes);
        usize::try_from(i64::from_le_bytes(wide)).ok()
    };
    let first = at(data.offset()).unwrap_or(0);
    (first, at(data.offset() + data.len()).unwrap_or(0).saturating_sub(first))
}

fn texts<O>(data: &ArrayData) -> usize {
    let most = data.buffers().get(1).map_or(0, arrow_buffer::Buffer::len);
    (data.len() + 1) * size_of::<O>() + span::<O>(data).1.min(most)
}

fn lists<O>(data: &ArrayData) -> usize {
    let (first, length) = span::<O>(data);
    (data.len() + 1) * size_of::<O>() + child(data, first, length)
}

fn child(data: &ArrayData, first: usize, length: usize) -> usize {
    data.child_data().first().map_or(0, |values| of_part(values, first, length))
}

fn of_part(data: &ArrayData, first: usize, length: usize) -> usize {
    let first = first.min(data.len());
    of(&data.slice(first, length.min(data.len() - first)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Int64Array, ListArray, StringArray, StructArray};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::Field;

    use super::*;

    #[test]
    fn slices_count_their_part() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|i| format!("{i:05}"))));
        let group: ArrayRef =
            Arc::new(StructArray::try_from(vec![("n", numbers.clone()), ("t", texts.clone())]).unwrap());
        let item = Arc::new(Field::new("item", group.data_type().clone(), false));
        let ends = OffsetBuffer::from_lengths([2; 500]);
        let lists: ArrayRef = Arc::new(ListArray::new(item, ends, group.clone(), None));
        let flags: ArrayRef = Arc::new(BooleanArray::from([Some(true), None].repeat(500)));
        let row = 8 + 5 + 4;
        for (array, bytes) in [
            (&numbers, 8 * 100),
            (&texts, 5 * 100 + 4 * 101),
            (&group, row * 100 + 4),
            (&lists, 4 * 101 + row * 200 + 4),
            (&flags, 13 + 13),
        ] {
            assert_eq!(of(&array.slice(300, 100).to_data()), bytes, "{}", array.data_type());
            let twice = array.slice(200, 250).slice(100, 100);
            assert_eq!(of(&twice.to_data()), bytes, "{}", array.data_type());
        }
    }
}
