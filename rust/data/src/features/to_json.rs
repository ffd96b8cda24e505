//! Arrow types to features.

use arrow_schema::{DataType, Field, TimeUnit};
use serde_json::{Map, Value, json};

use crate::error::{DataError, DataErrorKind};

/// The feature of an Arrow type.
///
/// # Errors
/// `Unsupported` for a type that the Hub's features do not know (maps, unions, intervals…).
pub fn feature_of(kind: &DataType) -> Result<Value, DataError> {
    Ok(match kind {
        DataType::List(item) => json!({"feature": child(item)?, "_type": "List"}),
        DataType::FixedSizeList(item, n) => {
            json!({"feature": child(item)?, "length": n, "_type": "List"})
        }
        DataType::LargeList(item) => json!({"feature": child(item)?, "_type": "LargeList"}),
        DataType::Struct(fields) => {
            let mut map = Map::new();
            for field in fields {
                map.insert(field.name().clone(), child(field)?);
            }
            Value::Object(map)
        }
        DataType::Dictionary(_, value) => feature_of(value)?,
        plain => json!({"dtype": dtype(plain)?, "_type": "Value"}),
    })
}

/// The feature of a field: what its extension type says, else what its Arrow type says.
pub(super) fn feature_of_field(field: &Field) -> Result<Value, DataError> {
    match super::extension::said_by(field) {
        Some(feature) => Ok(feature),
        None => feature_of(field.data_type()),
    }
}

fn child(field: &Field) -> Result<Value, DataError> {
    feature_of_field(field)
}

fn dtype(kind: &DataType) -> Result<String, DataError> {
    Ok(match kind {
        DataType::Null => "null".into(),
        DataType::Boolean => "bool".into(),
        DataType::Int8 => "int8".into(),
        DataType::Int16 => "int16".into(),
        DataType::Int32 => "int32".into(),
        DataType::Int64 => "int64".into(),
        DataType::UInt8 => "uint8".into(),
        DataType::UInt16 => "uint16".into(),
        DataType::UInt32 => "uint32".into(),
        DataType::UInt64 => "uint64".into(),
        DataType::Float16 => "float16".into(),
        DataType::Float32 => "float32".into(),
        DataType::Float64 => "float64".into(),
        DataType::Utf8 => "string".into(),
        DataType::LargeUtf8 => "large_string".into(),
        DataType::Utf8View => "string_view".into(),
        DataType::Binary => "binary".into(),
        DataType::LargeBinary => "large_binary".into(),
        DataType::BinaryView => "binary_view".into(),
        DataType::FixedSizeBinary(n) => format!("fixed_size_binary[{n}]"),
        DataType::Date32 => "date32".into(),
        DataType::Date64 => "date64".into(),
        DataType::Time32(u) => format!("time32[{}]", unit(*u)),
        DataType::Time64(u) => format!("time64[{}]", unit(*u)),
        DataType::Duration(u) => format!("duration[{}]", unit(*u)),
        DataType::Timestamp(u, None) => format!("timestamp[{}]", unit(*u)),
        DataType::Timestamp(u, Some(zone)) => format!("timestamp[{}, tz={zone}]", unit(*u)),
        DataType::Decimal128(p, s) => format!("decimal128({p}, {s})"),
        DataType::Decimal256(p, s) => format!("decimal256({p}, {s})"),
        other => {
            let message = format!("Arrow type {other} has no datasets dtype equivalent");
            return Err(DataError::new(DataErrorKind::Unsupported, message));
        }
    })
}

fn unit(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}
