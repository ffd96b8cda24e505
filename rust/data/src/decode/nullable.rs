//! Types as they are handed out: everything nullable, dictionaries as their values (features know neither).

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, FixedSizeListArray, LargeListArray, ListArray, MapArray, StructArray};
use arrow_schema::{DataType, Field, Schema};

use crate::error::DataError;
use crate::expand::Room;

pub(super) fn schema(schema: &Schema) -> Schema {
    let fields: Vec<_> = schema.fields().iter().map(|f| field(f)).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

fn field(field: &Field) -> Arc<Field> {
    Arc::new(Field::new(field.name(), kind(field.data_type()), true))
}

fn kind(data_type: &DataType) -> DataType {
    match data_type {
        DataType::List(item) => DataType::List(field(item)),
        DataType::LargeList(item) => DataType::LargeList(field(item)),
        DataType::FixedSizeList(item, n) => DataType::FixedSizeList(field(item), *n),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| field(f)).collect()),
        DataType::Dictionary(_, value) => kind(value),
        // A map has no feature of its own: it is the list of its entries.
        DataType::Map(entries, _) => DataType::List(field(entries)),
        other => other.clone(),
    }
}

/// The array in its handed-out type; shares memory except for dictionaries, which `room` must have bytes for.
pub(super) fn array(array: &ArrayRef, target: &DataType, room: &Room) -> Result<ArrayRef, DataError> {
    if array.data_type() == target {
        return Ok(array.clone());
    }
    Ok(match (array.data_type(), target) {
        (DataType::Dictionary(..), _) => {
            room.take(array, target)?;
            let plain = arrow_cast::cast(array, target)?;
            self::array(&plain, target, room)?
        }
        (DataType::List(_), DataType::List(item)) => {
            let list: &ListArray = array.as_list();
            let values = self::array(list.values(), item.data_type(), room)?;
            Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned())?)
        }
        (DataType::Map(..), DataType::List(item)) => {
            let map: &MapArray = array.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let values = self::array(&entries, item.data_type(), room)?;
            Arc::new(ListArray::try_new(item.clone(), map.offsets().clone(), values, map.nulls().cloned())?)
        }
        (DataType::LargeList(_), DataType::LargeList(item)) => {
            let list: &LargeListArray = array.as_list();
            let values = self::array(list.values(), item.data_type(), room)?;
            Arc::new(LargeListArray::try_new(
                item.clone(),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?)
        }
        (DataType::FixedSizeList(..), DataType::FixedSizeList(item, n)) => {
            let list = array.as_fixed_size_list();
            let values = self::array(list.values(), item.data_type(), room)?;
            Arc::new(FixedSizeListArray::try_new(item.clone(), *n, values, list.nulls().cloned())?)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let parts = array.as_struct();
            let columns = parts
                .columns()
                .iter()
                .zip(fields)
                .map(|(c, f)| self::array(c, f.data_type(), room))
                .collect::<Result<Vec<_>, _>>()?;
            Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                parts.nulls().cloned(),
                array.len(),
            )?)
        }
        _ => arrow_cast::cast(array, target)?,
    })
}
