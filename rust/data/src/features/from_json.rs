//! Features to Arrow types, the old dialect included.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use serde_json::{Map, Value, json};

use super::metadata_of;
use crate::error::{DataError, DataErrorKind};

fn wrong(message: impl Into<String>) -> DataError {
    DataError::new(DataErrorKind::Schema, message)
}

/// The Arrow schema of features, with the features in its metadata.
///
/// # Errors
/// `Schema` for JSON that is not features.
pub fn schema_from_features(features: &Value) -> Result<Schema, DataError> {
    let Value::Object(columns) = features else {
        return Err(wrong("features must be a JSON object"));
    };
    let mut normal = Map::new();
    let mut fields = Vec::with_capacity(columns.len());
    for (name, feature) in columns {
        let feature = normalise(feature).map_err(|e| e.with_column(name))?;
        let kind = arrow_type(&feature).map_err(|e| e.with_column(name))?;
        fields.push(Field::new(name, kind, true));
        normal.insert(name.clone(), feature);
    }
    Ok(Schema::new(fields).with_metadata(metadata_of(&Value::Object(normal))))
}

/// The current form of a feature: `Sequence` and JSON lists become `List`, defaults are left out.
pub(crate) fn normalise(feature: &Value) -> Result<Value, DataError> {
    match feature {
        Value::Array(items) => match items.as_slice() {
            [item] => Ok(json!({"feature": normalise(item)?, "_type": "List"})),
            _ => Err(wrong("a list feature has exactly one item")),
        },
        Value::Object(map) => {
            match map.get("_type") {
                Some(Value::String(kind)) => typed(kind, map),
                _ => Ok(Value::Object(
                    map.iter()
                        .map(|(k, v)| Ok((k.clone(), normalise(v)?)))
                        .collect::<Result<_, DataError>>()?,
                )),
            }
        }
        other => Err(wrong(format!("{other} is not a feature"))),
    }
}

fn typed(kind: &str, map: &Map<String, Value>) -> Result<Value, DataError> {
    let inner =
        || map.get("feature").ok_or_else(|| wrong(format!("{kind} without `feature`"))).and_then(normalise);
    let length = map.get("length").and_then(Value::as_i64).filter(|n| *n >= 0);
    let list = |feature: Value| match length {
        Some(n) => json!({"feature": feature, "length": n, "_type": "List"}),
        None => json!({"feature": feature, "_type": "List"}),
    };
    match kind {
        "List" => Ok(list(inner()?)),
        "Sequence" => match inner()? {
            Value::Object(fields) if !fields.contains_key("_type") => {
                Ok(Value::Object(fields.into_iter().map(|(k, v)| (k, list(v))).collect()))
            }
            other => Ok(list(other)),
        },
        "LargeList" => Ok(json!({"feature": inner()?, "_type": "LargeList"})),
        _ => {
            let default = |k: &str, v: &Value| {
                v.is_null() && k != "shape"
                    || k == "num_classes"
                    || (k == "decode" && v == &Value::Bool(true))
            };
            Ok(Value::Object(
                map.iter().filter(|(k, v)| !default(k, v)).map(|(k, v)| (k.clone(), v.clone())).collect(),
            ))
        }
    }
}

/// The Arrow type of a feature in its current form.
///
/// # Errors
/// `Schema` for an unknown `_type` or dtype.
pub fn arrow_type(feature: &Value) -> Result<DataType, DataError> {
    let Value::Object(map) = feature else {
        return Err(wrong(format!("{feature} is not a feature")));
    };
    let Some(Value::String(kind)) = map.get("_type") else {
        let fields = map.iter().map(|(k, v)| Ok(Field::new(k, arrow_type(v)?, true)));
        return Ok(DataType::Struct(fields.collect::<Result<Fields, DataError>>()?));
    };
    let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
    let item = || -> Result<Arc<Field>, DataError> {
        let inner = map.get("feature").ok_or_else(|| wrong(format!("{kind} without `feature`")))?;
        Ok(Arc::new(Field::new("item", arrow_type(inner)?, true)))
    };
    Ok(match kind.as_str() {
        "Value" => value_type(text("dtype"))?,
        "ClassLabel" => DataType::Int64,
        "LargeList" => DataType::LargeList(item()?),
        "List" => match map.get("length").and_then(Value::as_i64) {
            Some(n) if n >= 0 => DataType::FixedSizeList(
                item()?,
                i32::try_from(n).map_err(|_| wrong("list length too large"))?,
            ),
            _ => DataType::List(item()?),
        },
        "Image" | "Audio" | "Video" | "Pdf" | "Nifti" | "Mesh" | "BioSequence" | "BioStructure" => {
            DataType::Struct(Fields::from(vec![
                Field::new("bytes", DataType::Binary, true),
                Field::new("path", DataType::Utf8, true),
            ]))
        }
        "Json" => DataType::Utf8,
        "Translation" => {
            let languages = map.get("languages").and_then(Value::as_array).cloned().unwrap_or_default();
            DataType::Struct(
                languages
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|l| Field::new(l, DataType::Utf8, true))
                    .collect(),
            )
        }
        "TranslationVariableLanguages" => {
            let texts = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
            DataType::Struct(Fields::from(vec![
                Field::new("language", texts.clone(), true),
                Field::new("translation", texts, true),
            ]))
        }
        "Array2D" | "Array3D" | "Array4D" | "Array5D" => {
            let depth = kind.get(5..6).and_then(|d| d.parse::<usize>().ok()).unwrap_or(2);
            let mut array = value_type(text("dtype"))?;
            for _ in 0..depth {
                array = DataType::List(Arc::new(Field::new("item", array, true)));
            }
            array
        }
        other => return Err(wrong(format!("unknown feature type {other:?}"))),
    })
}

fn value_type(dtype: &str) -> Result<DataType, DataError> {
    Ok(match dtype {
        "null" => DataType::Null,
        "bool" | "bool_" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float16" => DataType::Float16,
        "float32" | "float" => DataType::Float32,
        "float64" | "double" => DataType::Float64,
        "string" | "utf8" => DataType::Utf8,
        "large_string" | "large_utf8" => DataType::LargeUtf8,
        "string_view" => DataType::Utf8View,
        "binary" => DataType::Binary,
        "large_binary" => DataType::LargeBinary,
        "binary_view" => DataType::BinaryView,
        "date32" => DataType::Date32,
        "date64" => DataType::Date64,
        other => parametric(other).ok_or_else(|| wrong(format!("unknown dtype {other:?}")))?,
    })
}

/// `timestamp[us, tz=UTC]`, `decimal128(10, 2)`, `fixed_size_binary[16]` and the like.
fn parametric(dtype: &str) -> Option<DataType> {
    let (name, rest) = dtype.split_once(['[', '('])?;
    let inside = rest.strip_suffix([']', ')'])?;
    let unit = |text: &str| {
        Some(match text {
            "s" => TimeUnit::Second,
            "ms" => TimeUnit::Millisecond,
            "us" => TimeUnit::Microsecond,
            "ns" => TimeUnit::Nanosecond,
            _ => return None,
        })
    };
    match name {
        "timestamp" => match inside.split_once(',') {
            Some((u, zone)) => {
                Some(DataType::Timestamp(unit(u.trim())?, Some(zone.trim().strip_prefix("tz=")?.into())))
            }
            None => Some(DataType::Timestamp(unit(inside)?, None)),
        },
        "time32" => unit(inside)
            .filter(|u| matches!(u, TimeUnit::Second | TimeUnit::Millisecond))
            .map(DataType::Time32),
        "time64" => unit(inside)
            .filter(|u| matches!(u, TimeUnit::Microsecond | TimeUnit::Nanosecond))
            .map(DataType::Time64),
        "duration" => unit(inside).map(DataType::Duration),
        "fixed_size_binary" => inside.parse().ok().filter(|n| *n >= 0).map(DataType::FixedSizeBinary),
        "decimal128" | "decimal256" => {
            let (precision, scale) = inside.split_once(',').unwrap_or((inside, "0"));
            let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
            Some(if name == "decimal128" {
                DataType::Decimal128(precision, scale)
            } else {
                DataType::Decimal256(precision, scale)
            })
        }
        _ => None,
    }
}
