//! Columns as raw memory: numbers for numpy, bytes for image decoders. Views where the rows lie together.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer as ArrowBuffer;
use arrow_schema::DataType;

use crate::buffer::{Buffer, Dtype};

/// The numpy dtype of a primitive column; `None` for everything else.
pub(crate) fn dtype_of(kind: &DataType) -> Option<Dtype> {
    Some(match kind {
        DataType::Int8 => Dtype::I8,
        DataType::Int16 => Dtype::I16,
        DataType::Int32 => Dtype::I32,
        DataType::Int64 => Dtype::I64,
        DataType::UInt8 => Dtype::U8,
        DataType::UInt16 => Dtype::U16,
        DataType::UInt32 => Dtype::U32,
        DataType::UInt64 => Dtype::U64,
        DataType::Float16 => Dtype::F16,
        DataType::Float32 => Dtype::F32,
        DataType::Float64 => Dtype::F64,
        _ => return None,
    })
}

/// Whether the values are numbers in a row: a primitive column, or fixed-size lists of such.
pub(crate) fn is_numeric(kind: &DataType) -> bool {
    match kind {
        DataType::FixedSizeList(item, _) => is_numeric(item.data_type()),
        other => dtype_of(other).is_some(),
    }
}

/// The values of a primitive array without nulls, or of fixed-size lists of such as one more dimension each. `fresh`:
/// the array was made for this call and may be written to.
pub(crate) fn values(array: ArrayRef, fresh: bool) -> Option<Buffer> {
    let mut shape = vec![array.len()];
    let mut leaf = array; // nothing else may hold the memory that is handed out as writable
    while let DataType::FixedSizeList(_, size) = leaf.data_type() {
        if leaf.null_count() > 0 {
            return None;
        }
        shape.push(usize::try_from(*size).ok()?);
        let items = leaf.as_fixed_size_list().values().clone(); // of the sliced rows only
        leaf = items;
    }
    let dtype = dtype_of(leaf.data_type())?;
    if leaf.null_count() > 0 || leaf.len() != shape.iter().product::<usize>() {
        return None;
    }
    let data = leaf.to_data();
    let bytes =
        data.buffers().first()?.slice_with_length(data.offset() * dtype.width, leaf.len() * dtype.width);
    drop(data);
    drop(leaf);
    Some(if fresh { Buffer::owned(bytes, dtype, &shape) } else { Buffer::shared(bytes, dtype, &shape) })
}

/// Each row's bytes: a binary or string column, or the `bytes` member of an image struct. `None` for null.
pub(crate) fn byte_rows(array: &ArrayRef) -> Option<Vec<Option<Buffer>>> {
    let rows = 0..array.len();
    let view = |values: &ArrowBuffer, start: usize, stop: usize| {
        Buffer::shared(values.slice_with_length(start, stop - start), Dtype::U8, &[stop - start])
    };
    macro_rules! by_offsets {
        ($typed:expr) => {{
            let typed = $typed;
            let (offsets, values) = (typed.value_offsets(), typed.values());
            rows.map(|i| {
                let (start, stop) = (*offsets.get(i)?, *offsets.get(i + 1)?);
                (!typed.is_null(i)).then(|| view(values, start as usize, stop as usize))
            })
            .collect()
        }};
    }
    Some(match array.data_type() {
        DataType::Binary => by_offsets!(array.as_binary::<i32>()),
        DataType::LargeBinary => by_offsets!(array.as_binary::<i64>()),
        DataType::Utf8 => by_offsets!(array.as_string::<i32>()),
        DataType::LargeUtf8 => by_offsets!(array.as_string::<i64>()),
        DataType::Struct(_) => {
            let parts = array.as_struct();
            let member = byte_rows(parts.column_by_name("bytes")?)?;
            member.into_iter().enumerate().map(|(i, b)| b.filter(|_| !parts.is_null(i))).collect()
        }
        _ => return None,
    })
}
