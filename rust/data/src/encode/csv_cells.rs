//! The cells of a column: the text that pandas gives each value.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, TimeUnit};

use super::csv::{CsvWriteOptions, unsupported};
use super::csv_dialect::Dialect;
use super::text::temporal::{DAY, Fraction, Offset};
use super::text::{bytes, decimal, number, temporal};
use crate::error::DataError;

/// Writes the text of a row; `false` if it is not known here.
pub(super) type Made<'a> = Box<dyn Fn(&mut Vec<u8>, usize) -> bool + 'a>;

/// Where a cell's text comes from.
pub(super) enum Value<'a> {
    /// Text as it is stored.
    Text(Box<dyn Fn(usize) -> &'a [u8] + 'a>),
    /// Text that is made.
    Made(Made<'a>),
}

/// A column of cells.
pub(super) struct Column<'a> {
    valid: Option<NullBuffer>,
    pub(super) value: Value<'a>,
    /// Whether made texts never hold anything to quote.
    pub(super) clean: bool,
    /// Whether they are quoted nevertheless.
    pub(super) quoted: bool,
}

impl Column<'_> {
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.valid.as_ref().is_some_and(|v| v.is_null(row))
    }
}

const NUMBER: &[u8] = b"0123456789+-.eEinf";
const BOOL: &[u8] = b"TrueFals";
const TIME: &[u8] = b"0123456789+-:. days";
/// Longer texts of null are cut by numpy beside floats.
const LONGEST_NA: usize = 10;

/// The cells of an array.
///
/// # Errors
/// `Unsupported` for a type whose text is not known here.
pub(super) fn cells<'a>(
    array: &'a ArrayRef,
    options: &CsvWriteOptions,
    dialect: &Dialect,
) -> Result<Column<'a>, DataError> {
    let mut valid = array.logical_nulls();
    let mut numbers = true;
    let mut alphabet = NUMBER;
    let mut looked_at = false; // whether texts may hold anything
    let value = match array.data_type() {
        DataType::Null => made(|_, _| true),
        DataType::Boolean => {
            alphabet = BOOL;
            let array = array.as_boolean();
            made(move |out, row| {
                out.extend_from_slice(if array.value(row) { b"True" } else { b"False" });
                true
            })
        }
        DataType::Int8 => integers::<Int8Type>(array),
        DataType::Int16 => integers::<Int16Type>(array),
        DataType::Int32 => integers::<Int32Type>(array),
        DataType::Int64 => integers::<Int64Type>(array),
        DataType::UInt8 => integers::<UInt8Type>(array),
        DataType::UInt16 => integers::<UInt16Type>(array),
        DataType::UInt32 => integers::<UInt32Type>(array),
        DataType::UInt64 => integers::<UInt64Type>(array),
        DataType::Float32 | DataType::Float64 => {
            if options.na_rep.chars().count() > LONGEST_NA {
                return Err(unsupported("a long text for null beside floats"));
            }
            numbers = options.float_decimals.is_none();
            floats(array, options, &mut valid)
        }
        DataType::Decimal128(_, scale) => {
            let (array, scale) = (array.as_primitive::<Decimal128Type>(), i32::from(*scale));
            made(move |out, row| {
                decimal::text(out, itoa::Buffer::new().format(array.value(row)), scale);
                true
            })
        }
        DataType::Decimal256(_, scale) => {
            let (array, scale) = (array.as_primitive::<Decimal256Type>(), i32::from(*scale));
            made(move |out, row| {
                decimal::text(out, &array.value(row).to_string(), scale);
                true
            })
        }
        other => {
            (numbers, alphabet) = (false, TIME);
            if let Some(value) = times(array)? {
                value
            } else {
                looked_at = true;
                texts(array).ok_or_else(|| unsupported(format!("CSV of {other}")))?
            }
        }
    };
    Ok(Column {
        valid,
        value,
        clean: !looked_at && dialect.clean(alphabet),
        quoted: if numbers { dialect.quotes_numbers } else { dialect.quotes_text },
    })
}

fn made<'a>(write: impl Fn(&mut Vec<u8>, usize) -> bool + 'a) -> Value<'a> {
    Value::Made(Box::new(write))
}

fn integers<T: ArrowPrimitiveType<Native: itoa::Integer>>(array: &ArrayRef) -> Value<'_> {
    let values = array.as_primitive::<T>().values();
    made(move |out, row| {
        number::integer(out, values[row]);
        true
    })
}

fn floats<'a>(array: &'a ArrayRef, options: &CsvWriteOptions, valid: &mut Option<NullBuffer>) -> Value<'a> {
    let (limit, decimals) = (options.float32_limit, options.float_decimals);
    let wide = array.data_type() == &DataType::Float64;
    let narrow = move |row: usize| array.as_primitive::<Float32Type>().values()[row];
    let value = move |row: usize| {
        if wide { array.as_primitive::<Float64Type>().values()[row] } else { f64::from(narrow(row)) }
    };
    let numbers = BooleanBuffer::collect_bool(array.len(), |row| !value(row).is_nan());
    *valid = NullBuffer::union(valid.as_ref(), Some(&NullBuffer::new(numbers)));
    made(move |out, row| {
        match decimals {
            Some(decimals) => number::fixed(out, value(row), decimals),
            None if wide => number::float64(out, value(row)),
            None => number::float32(out, narrow(row), limit),
        }
        true
    })
}

/// Stored texts, and bytes as Python shows them.
fn texts(array: &ArrayRef) -> Option<Value<'_>> {
    Some(match array.data_type() {
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Value::Text(Box::new(move |row| array.value(row).as_bytes()))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Value::Text(Box::new(move |row| array.value(row).as_bytes()))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Value::Text(Box::new(move |row| array.value(row).as_bytes()))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            made(move |out, row| shown(out, array.value(row)))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            made(move |out, row| shown(out, array.value(row)))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            made(move |out, row| shown(out, array.value(row)))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            made(move |out, row| shown(out, array.value(row)))
        }
        _ => return None,
    })
}

fn shown(out: &mut Vec<u8>, value: &[u8]) -> bool {
    bytes::repr(out, value);
    true
}

/// Dates, times, instants and durations.
fn times(array: &ArrayRef) -> Result<Option<Value<'_>>, DataError> {
    Ok(Some(match array.data_type() {
        DataType::Date32 => {
            let array = array.as_primitive::<Date32Type>();
            made(move |out, row| temporal::date(out, array.value(row).into()))
        }
        DataType::Date64 => {
            let array = array.as_primitive::<Date64Type>();
            made(move |out, row| temporal::date(out, array.value(row) / (DAY * 1_000)))
        }
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let (ticks, unit) = (ticks(array)?, *unit);
            made(move |out, row| temporal::time(out, ticks[row], unit))
        }
        DataType::Timestamp(unit, zone) => {
            let (ticks, unit) = (ticks(array)?, *unit);
            let offset = match zone {
                None => Offset::default(),
                Some(zone) => {
                    Offset::parse(zone).ok_or_else(|| unsupported(format!("CSV in the time zone {zone}")))?
                }
            };
            let (fraction, whole_days) = shape(array, &ticks, unit);
            if whole_days && zone.is_none() {
                let day = DAY * temporal::per_second(unit);
                return Ok(Some(made(move |out, row| temporal::date(out, ticks[row].div_euclid(day)))));
            }
            made(move |out, row| temporal::instant(out, ticks[row], unit, fraction, &offset))
        }
        DataType::Duration(unit) => {
            let (ticks, unit) = (ticks(array)?, *unit);
            let (fraction, whole_days) = shape(array, &ticks, unit);
            // Milliseconds are written as microseconds.
            let fraction = if fraction == Fraction::Millis { Fraction::Micros } else { fraction };
            made(move |out, row| {
                temporal::duration(out, ticks[row], unit, fraction, whole_days);
                true
            })
        }
        _ => return Ok(None),
    }))
}

/// The numbers of a column of times.
pub(super) fn ticks(array: &ArrayRef) -> Result<Arc<[i64]>, DataError> {
    let numbers = match array.data_type() {
        DataType::Time32(_) => {
            arrow_cast::cast(&arrow_cast::cast(array, &DataType::Int32)?, &DataType::Int64)?
        }
        _ => arrow_cast::cast(array, &DataType::Int64)?,
    };
    Ok(numbers.as_primitive::<Int64Type>().values().iter().copied().collect())
}

/// What pandas decides for a whole column: decimals of seconds, and whether all values are whole days.
fn shape(array: &ArrayRef, ticks: &[i64], unit: TimeUnit) -> (Fraction, bool) {
    let day = DAY * temporal::per_second(unit);
    let nulls = array.nulls();
    let valid = ticks.iter().enumerate().filter(|(row, _)| nulls.is_none_or(|n| n.is_valid(*row)));
    valid.fold((Fraction::None, true), |(fraction, whole), (_, ticks)| {
        (fraction.max(Fraction::of(*ticks, unit)), whole && ticks.rem_euclid(day) == 0)
    })
}
