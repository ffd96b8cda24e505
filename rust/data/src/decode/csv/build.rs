//! Records to columns of known types.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, LargeStringBuilder, PrimitiveBuilder};
use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int64Type, UInt64Type};
use arrow_schema::DataType;

use super::CsvOptions;
use super::infer::Words;
use super::numbers::{self, Whole};
use super::records::Records;
use crate::error::{DataError, DataErrorKind};

/// A column, and whether all of its values were of the type: others are null.
pub(super) struct Built {
    pub(super) array: ArrayRef,
    pub(super) fits: bool,
}

/// One column of the records.
pub(super) fn column(
    records: &Records<'_>,
    index: usize,
    data_type: &DataType,
    words: &Words,
    options: &CsvOptions,
) -> Result<Built, DataError> {
    let values =
        || (0..records.len()).map(|row| records.field(row, index).filter(|text| !words.is_missing(text)));
    Ok(match data_type {
        DataType::Int64 => primitive::<Int64Type>(values(), |text| match numbers::whole(text, options) {
            Whole::Signed(n) => Some(n),
            _ => None,
        }),
        DataType::UInt64 => primitive::<UInt64Type>(values(), |text| match numbers::whole(text, options) {
            Whole::Signed(n) => u64::try_from(n).ok(),
            Whole::Unsigned(n) => Some(n),
            _ => None,
        }),
        DataType::Float64 => primitive::<Float64Type>(values(), |text| numbers::float(text, options)),
        DataType::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(records.len());
            let mut fits = true;
            values().for_each(|text| {
                let value = text.and_then(|t| words.boolean(t));
                fits &= value.is_some() || text.is_none();
                builder.append_option(value);
            });
            Built { array: Arc::new(builder.finish()), fits }
        }
        _ => {
            let fields = (0..records.len()).filter_map(|row| records.field(row, index));
            let bytes = fields.map(<[u8]>::len).sum(); // room that grows is touched twice
            let mut builder = LargeStringBuilder::with_capacity(records.len(), bytes);
            for (row, text) in values().enumerate() {
                let text = text.map(|t| simdutf8::basic::from_utf8(t)).transpose().map_err(|_| {
                    DataError::new(DataErrorKind::Decode, "a CSV field is not UTF-8")
                        .with_line(records.lines_before(row) + 1)
                })?;
                builder.append_option(text);
            }
            Built { array: Arc::new(builder.finish()), fits: true }
        }
    })
}

fn primitive<'a, T: ArrowPrimitiveType>(
    values: impl Iterator<Item = Option<&'a [u8]>>,
    read: impl Fn(&[u8]) -> Option<T::Native>,
) -> Built {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(values.size_hint().0);
    let mut fits = true;
    values.for_each(|text| {
        let value = text.and_then(&read);
        fits &= value.is_some() || text.is_none();
        builder.append_option(value);
    });
    Built { array: Arc::new(builder.finish()), fits }
}
