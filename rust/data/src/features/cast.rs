//! Casts of columns onto features, with the rules of `datasets`: structs by name, lists by their items, class names to
//! their numbers, anything to JSON, numbers only where nothing is lost.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Int64Array, LargeListArray, ListArray, RecordBatch,
    RecordBatchOptions, StringArray, StructArray, UInt64Array, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use serde_json::Value;

use super::cast_plain::cast_plain;
use super::{from_json, said_features, same_type};
use crate::error::{DataError, DataErrorKind};
use crate::expand::Room;
use crate::limits::Limits;

pub(super) fn misfit(message: impl Into<String>) -> DataError {
    DataError::new(DataErrorKind::Schema, message.into())
}

/// The batch with the columns of `target`, in its order. A missing column is all null.
///
/// # Errors
/// `Schema` for a column that `target` lacks (both lists are named) or a value that does not fit its new type.
pub fn cast_batch(batch: &RecordBatch, target: &Schema) -> Result<RecordBatch, DataError> {
    cast_batch_within(batch, target, &Limits::default())
}

/// The same; dictionaries and views may be written out to as many bytes as the limits say.
///
/// # Errors
/// The same, and `Limit`.
pub fn cast_batch_within(
    batch: &RecordBatch,
    target: &Schema,
    limits: &Limits,
) -> Result<RecordBatch, DataError> {
    let room = Room::new(limits.max_unpacked_bytes);
    let schema = batch.schema();
    if let Some(extra) = schema.fields().iter().find(|f| target.index_of(f.name()).is_err()) {
        let names = |s: &Schema| s.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        let message = format!(
            "column {:?} is not in the features: {:?} against {:?}",
            extra.name(),
            names(&schema),
            names(target)
        );
        return Err(misfit(message).with_column(extra.name()));
    }
    let said = said_features(target)?;
    let mut columns = Vec::with_capacity(target.fields().len());
    for field in target.fields() {
        let column = match batch.column_by_name(field.name()) {
            None => new_null_array(field.data_type(), batch.num_rows()),
            Some(array) => {
                let feature = said.get(field.name()).and_then(|f| from_json::normalise(f).ok());
                if array.data_type() != field.data_type() {
                    take(&room, array).map_err(|e| e.with_column(field.name()))?;
                }
                cast_feature(array, field.data_type(), feature.as_ref())
                    .map_err(|e| e.with_column(field.name()))?
            }
        };
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(target.clone()), columns, &options)?)
}

/// Takes the bytes that dictionaries and views inside an array stand for.
fn take(room: &Room, array: &ArrayRef) -> Result<(), DataError> {
    match array.data_type() {
        DataType::Dictionary(..) | DataType::Utf8View | DataType::BinaryView => {
            room.take(array, &DataType::LargeBinary)
        }
        DataType::Struct(_) => array.as_struct().columns().iter().try_for_each(|field| take(room, field)),
        DataType::List(_) => take(room, array.as_list::<i32>().values()),
        DataType::LargeList(_) => take(room, array.as_list::<i64>().values()),
        DataType::FixedSizeList(..) => take(room, array.as_fixed_size_list().values()),
        _ => Ok(()),
    }
}

/// One array cast to a type.
///
/// # Errors
/// `Schema` for a value that does not fit.
pub fn cast_array(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, DataError> {
    cast_feature(array, target, None)
}

fn kind_of(feature: Option<&Value>) -> &str {
    feature.and_then(|f| f.get("_type")).and_then(Value::as_str).unwrap_or_default()
}

/// One array cast to the storage of a feature; without a feature the type alone counts.
fn cast_feature(array: &ArrayRef, target: &DataType, feature: Option<&Value>) -> Result<ArrayRef, DataError> {
    let source = array.data_type();
    if source == &DataType::Null {
        return Ok(new_null_array(target, array.len()));
    }
    if let DataType::Dictionary(_, value) = source {
        Room::new(u64::MAX).take(array, value)?; // what offsets reach and memory has
        let plain = cast_with_options(array, value, &CastOptions::default())?;
        return cast_feature(&plain, target, feature);
    }
    match (kind_of(feature), source) {
        ("Json", _) => return super::cast_json::to_json(array),
        _ if source == target => return Ok(array.clone()),
        ("ClassLabel", _) if !same_type(source, target) => return class_ids(array, &class_names(feature)),
        ("Image" | "Audio" | "Video" | "Pdf" | "Nifti" | "Mesh" | "BioSequence" | "BioStructure", _) => {
            if let DataType::Struct(fields) = target
                && let Some(media) = media(array, fields)?
            {
                return Ok(media);
            }
        }
        _ => {}
    }
    let inner = feature.and_then(|f| f.get("feature"));
    match (source, target) {
        (DataType::Struct(_), DataType::Struct(fields)) => cast_struct(array.as_struct(), fields, feature),
        (
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _),
        ) => cast_list(array, target, item, inner),
        (DataType::Utf8 | DataType::Binary, DataType::Struct(fields)) if is_media(fields) => {
            media(array, fields)?.ok_or_else(|| misfit(format!("cannot cast {source} to {target}")))
        }
        _ if source.is_nested() || target.is_nested() || target == &DataType::Null => {
            Err(misfit(format!("cannot cast {source} to {target}")))
        }
        _ => cast_plain(array, target),
    }
}

// ------------------------------------------------------------------------------------------------------------- lists

/// The lists of an array: their ends in the values, which rows are there, the values.
struct Lists {
    offsets: Vec<i64>,
    nulls: Option<NullBuffer>,
    values: ArrayRef,
}

fn lists_of(array: &ArrayRef) -> Lists {
    let nulls = array.nulls().cloned();
    match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.offsets().iter().map(|o| i64::from(*o)).collect();
            Lists { offsets, nulls, values: list.values().clone() }
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            Lists { offsets: list.offsets().to_vec(), nulls, values: list.values().clone() }
        }
        _ => {
            let list = array.as_fixed_size_list();
            let size = i64::from(list.value_length());
            let offsets = (0..=list.len() as i64).map(|i| i * size).collect();
            Lists { offsets, nulls, values: list.values().clone() }
        }
    }
}

fn cast_list(
    array: &ArrayRef,
    target: &DataType,
    item: &FieldRef,
    inner: Option<&Value>,
) -> Result<ArrayRef, DataError> {
    if let (DataType::List(_), DataType::List(_)) = (array.data_type(), target) {
        let list = array.as_list::<i32>();
        let values = cast_feature(list.values(), item.data_type(), inner)?;
        let nulls = list.nulls().cloned();
        return Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, nulls)?));
    }
    let Lists { offsets, nulls, values } = lists_of(array);
    Ok(match target {
        DataType::FixedSizeList(_, size) => {
            let values = fixed_values(array.len(), &offsets, nulls.as_ref(), &values, *size)?;
            let values = cast_feature(&values, item.data_type(), inner)?;
            let rows = array.len();
            Arc::new(FixedSizeListArray::try_new_with_length(item.clone(), *size, values, nulls, rows)?)
        }
        DataType::LargeList(_) => {
            let values = cast_feature(&values, item.data_type(), inner)?;
            Arc::new(LargeListArray::try_new(item.clone(), OffsetBuffer::new(offsets.into()), values, nulls)?)
        }
        _ => {
            let values = cast_feature(&values, item.data_type(), inner)?;
            let narrow = offsets
                .iter()
                .map(|o| i32::try_from(*o).map_err(|_| misfit("more than 2^31 list items in one chunk")))
                .collect::<Result<Vec<i32>, _>>()?;
            Arc::new(ListArray::try_new(item.clone(), OffsetBuffer::new(narrow.into()), values, nulls)?)
        }
    })
}

/// The values of lists that all have `size` items; those of null lists are null.
fn fixed_values(
    rows: usize,
    offsets: &[i64],
    nulls: Option<&NullBuffer>,
    values: &ArrayRef,
    size: i32,
) -> Result<ArrayRef, DataError> {
    let size = i64::from(size);
    let valid = |row: usize| nulls.is_none_or(|n| n.is_valid(row));
    let bounds: Vec<(i64, i64)> = offsets.windows(2).map(|w| (w[0], w[1] - w[0])).collect();
    if let Some((row, (_, length))) = bounds.iter().enumerate().find(|(r, b)| valid(*r) && b.1 != size) {
        let message = format!("a list has {length} items where the feature says {size}");
        return Err(misfit(message).with_row(row as u64));
    }
    let first = offsets.first().copied().unwrap_or(0);
    if bounds.iter().all(|b| b.1 == size) {
        return Ok(values.slice(first as usize, rows * size as usize));
    }
    let picks: UInt64Array = bounds
        .iter()
        .enumerate()
        .flat_map(|(row, (start, _))| {
            let there = valid(row);
            (0..size).map(move |i| there.then_some((start + i) as u64))
        })
        .collect();
    Ok(arrow_select::take::take(values, &picks, None)?)
}

// ----------------------------------------------------------------------------------------------------------- structs

fn cast_struct(array: &StructArray, fields: &Fields, feature: Option<&Value>) -> Result<ArrayRef, DataError> {
    if let Some(extra) = array.fields().iter().find(|f| fields.iter().all(|t| t.name() != f.name())) {
        let names: Vec<_> = fields.iter().map(|f| f.name().as_str()).collect();
        return Err(misfit(format!("struct field {:?} is not among {names:?}", extra.name())));
    }
    let columns = fields
        .iter()
        .map(|f| match array.column_by_name(f.name()) {
            Some(column) => {
                let column = masked(column, array.nulls(), f.data_type())?;
                cast_feature(&column, f.data_type(), feature.and_then(|v| v.get(f.name())))
            }
            None => Ok(new_null_array(f.data_type(), array.len())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let nulls = array.nulls().cloned();
    Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?))
}

/// A field whose values under null structs are null too, where a cast would look at them.
fn masked(column: &ArrayRef, nulls: Option<&NullBuffer>, target: &DataType) -> Result<ArrayRef, DataError> {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 && column.data_type() != target => {
            let mask = arrow_array::BooleanArray::new(!nulls.inner(), None);
            Ok(arrow_select::nullif::nullif(column, &mask)?)
        }
        _ => Ok(column.clone()),
    }
}

// ---------------------------------------------------------------------------------------------------- special storage

fn class_names(feature: Option<&Value>) -> Vec<String> {
    let names = feature.and_then(|f| f.get("names")).and_then(Value::as_array);
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    names.map(|n| n.iter().map(text).collect()).unwrap_or_default()
}

/// Class names to their numbers; numbers as texts are accepted, -1 too. Numbers stay, if there are as many classes.
fn class_ids(array: &ArrayRef, names: &[String]) -> Result<ArrayRef, DataError> {
    let source = array.data_type();
    if !matches!(source, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        let ids = cast_plain(array, &DataType::Int64)?;
        if source.is_integer() {
            let classes = names.len() as i64;
            let found = ids.as_primitive::<arrow_array::types::Int64Type>();
            if let Some((row, id)) =
                found.iter().enumerate().find_map(|(row, id)| id.filter(|i| *i >= classes).map(|i| (row, i)))
            {
                let message = format!("class {id} is not one of {classes} classes");
                return Err(misfit(message).with_row(row as u64));
            }
        }
        return Ok(ids);
    }
    let texts = cast_with_options(array, &DataType::LargeUtf8, &CastOptions::default())?;
    let number =
        |text: &str| text.trim().parse::<i64>().ok().filter(|i| (-1..names.len() as i64).contains(i));
    let ids = texts.as_string::<i64>().iter().enumerate().map(|(row, text)| {
        let Some(text) = text else { return Ok(None) };
        names
            .iter()
            .position(|n| n == text)
            .or_else(|| names.iter().position(|n| n == text.trim()))
            .map(|i| i as i64)
            .or_else(|| number(text))
            .map(Some)
            .ok_or_else(|| {
                misfit(format!("{text:?} is not one of the class names {names:?}")).with_row(row as u64)
            })
    });
    Ok(Arc::new(ids.collect::<Result<Int64Array, DataError>>()?))
}

fn is_media(fields: &Fields) -> bool {
    fields.len() == 2 && fields.iter().map(|f| f.name().as_str()).eq(["bytes", "path"])
}

/// Bare bytes, bare paths, or structs with either, as an image column stores them; `None` for other types.
fn media(array: &ArrayRef, fields: &Fields) -> Result<Option<ArrayRef>, DataError> {
    let nothing = |f: &Arc<Field>| new_null_array(f.data_type(), array.len());
    let part = |f: &Arc<Field>| -> Result<ArrayRef, DataError> {
        match array.data_type() {
            DataType::Struct(_) => match array.as_struct().column_by_name(f.name()) {
                Some(column) => cast_array(column, f.data_type()),
                None => Ok(nothing(f)),
            },
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if f.name() == "path" => {
                cast_array(array, f.data_type())
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView if f.name() == "bytes" => {
                cast_array(array, f.data_type())
            }
            _ => Ok(nothing(f)),
        }
    };
    if !matches!(
        array.data_type(),
        DataType::Struct(_)
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
    ) {
        return Ok(None);
    }
    let columns = fields.iter().map(part).collect::<Result<Vec<_>, _>>()?;
    let nulls = array.nulls().cloned();
    Ok(Some(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?)))
}

/// Texts of an iterator.
pub(super) fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}
