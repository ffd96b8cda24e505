//! Values as pandas' JSON has them.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use super::csv::unsupported;
use super::csv_cells::ticks;
use super::records::JsonWriteOptions;
use super::text::bytes::hex;
use super::text::number::{integer, json_float};
use super::text::temporal::DAY;
use super::text::{decimal, temporal};
use crate::error::DataError;

/// Writes the value of a row; `false` if its text is not known here.
pub(super) type Writer<'a> = Box<dyn Fn(&mut Vec<u8>, usize) -> bool + 'a>;

/// Days that nanoseconds since 1970 hold: pandas has no others in JSON.
const FIRST_DAY: i64 = -106_751;
const LAST_DAY: i64 = 106_750;

/// A text in quotes.
pub(super) fn escaped(out: &mut Vec<u8>, text: &str, force_ascii: bool) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut done = 0;
    let plain = |b: u8| !matches!(b, 0..0x20 | b'"' | b'\\' | b'/') && (b < 0x80 || !force_ascii);
    while let Some(length) = bytes.get(done..).and_then(|rest| rest.iter().position(|b| !plain(*b))) {
        let at = done + length;
        out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
        let Some(char) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
        escape(out, char);
        done = at + char.len_utf8();
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, char: char) {
    let short = match char {
        '"' | '\\' | '/' => char as u8,
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        _ => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                unit.to_be_bytes().into_iter().for_each(|byte| hex(out, byte));
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The writer of an array. `member`: whether its values are members of a struct.
///
/// # Errors
/// `Unsupported` for a type whose JSON is not known here.
pub(super) fn writer<'a>(
    array: &'a ArrayRef,
    options: &JsonWriteOptions,
    member: bool,
) -> Result<Writer<'a>, DataError> {
    let force_ascii = options.force_ascii;
    let value: Writer<'a> = match array.data_type() {
        DataType::Null => Box::new(|_, _| true),
        DataType::Boolean => {
            let array = array.as_boolean();
            Box::new(move |out, row| {
                out.extend_from_slice(if array.value(row) { b"true" } else { b"false" });
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
        DataType::Float16 => floats(|row| array.as_primitive::<Float16Type>().value(row).to_f64(), options),
        DataType::Float32 => floats(|row| f64::from(array.as_primitive::<Float32Type>().value(row)), options),
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values();
            floats(|row| values[row], options)
        }
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            texts(move |row| array.value(row), force_ascii)
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            texts(move |row| array.value(row), force_ascii)
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            texts(move |row| array.value(row), force_ascii)
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            bytes(move |row| array.value(row), force_ascii)
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            bytes(move |row| array.value(row), force_ascii)
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            bytes(move |row| array.value(row), force_ascii)
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            bytes(move |row| array.value(row), force_ascii)
        }
        DataType::Decimal128(_, scale) => {
            let (array, scale) = (array.as_primitive::<Decimal128Type>(), i32::from(*scale));
            Box::new(move |out, row| {
                out.push(b'"');
                decimal::plain(out, itoa::Buffer::new().format(array.value(row)), scale);
                out.push(b'"');
                true
            })
        }
        DataType::Decimal256(_, scale) => {
            let (array, scale) = (array.as_primitive::<Decimal256Type>(), i32::from(*scale));
            Box::new(move |out, row| {
                out.push(b'"');
                decimal::plain(out, &array.value(row).to_string(), scale);
                out.push(b'"');
                true
            })
        }
        DataType::Struct(fields) => {
            let array = array.as_struct();
            let mut members: Vec<(Vec<u8>, Writer<'a>)> = Vec::new();
            for (column, field) in array.columns().iter().zip(fields) {
                let mut key = if members.is_empty() { Vec::new() } else { vec![b','] };
                escaped(&mut key, field.name(), force_ascii);
                key.push(b':');
                members.push((key, writer(column, options, true)?));
            }
            Box::new(move |out, row| {
                out.push(b'{');
                let ok = members.iter().all(|(key, write)| {
                    out.extend_from_slice(key);
                    write(out, row)
                });
                out.push(b'}');
                ok
            })
        }
        DataType::List(_) => {
            let array = array.as_list::<i32>();
            let ends = array.value_offsets();
            items(array.values(), options, move |row| (ends[row] as usize, ends[row + 1] as usize))?
        }
        DataType::LargeList(_) => {
            let array = array.as_list::<i64>();
            let ends = array.value_offsets();
            items(array.values(), options, move |row| (ends[row] as usize, ends[row + 1] as usize))?
        }
        DataType::FixedSizeList(_, length) => {
            let (array, length) = (array.as_fixed_size_list(), usize::try_from(*length).unwrap_or(0));
            items(array.values(), options, move |row| (row * length, (row + 1) * length))?
        }
        _ => times(array, options, member)?,
    };
    let Some(valid) = array.logical_nulls() else { return Ok(value) };
    Ok(Box::new(move |out, row| {
        if valid.is_valid(row) {
            return value(out, row);
        }
        out.extend_from_slice(b"null");
        true
    }))
}

fn items<'a>(
    values: &'a ArrayRef,
    options: &JsonWriteOptions,
    place: impl Fn(usize) -> (usize, usize) + 'a,
) -> Result<Writer<'a>, DataError> {
    let write = writer(values, options, false)?;
    Ok(Box::new(move |out, row| {
        let (start, stop) = place(row);
        out.push(b'[');
        for item in start..stop {
            if item > start {
                out.push(b',');
            }
            if !write(out, item) {
                return false;
            }
        }
        out.push(b']');
        true
    }))
}

fn integers<T: ArrowPrimitiveType<Native: itoa::Integer>>(array: &ArrayRef) -> Writer<'_> {
    let values = array.as_primitive::<T>().values();
    Box::new(move |out, row| {
        integer(out, values[row]);
        true
    })
}

fn floats<'a>(value: impl Fn(usize) -> f64 + 'a, options: &JsonWriteOptions) -> Writer<'a> {
    let precision = options.double_precision;
    Box::new(move |out, row| {
        let value = value(row);
        if value.is_finite() {
            json_float(out, value, precision);
        } else {
            out.extend_from_slice(b"null");
        }
        true
    })
}

fn texts<'a>(value: impl Fn(usize) -> &'a str + 'a, force_ascii: bool) -> Writer<'a> {
    Box::new(move |out, row| {
        escaped(out, value(row), force_ascii);
        true
    })
}

/// Bytes that are UTF-8 text; others are not known.
fn bytes<'a>(value: impl Fn(usize) -> &'a [u8] + 'a, force_ascii: bool) -> Writer<'a> {
    Box::new(move |out, row| {
        simdutf8::basic::from_utf8(value(row)).is_ok_and(|text| {
            escaped(out, text, force_ascii);
            true
        })
    })
}

fn times<'a>(array: &'a ArrayRef, options: &JsonWriteOptions, member: bool) -> Result<Writer<'a>, DataError> {
    let to = match options.date_unit.as_str() {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        other => return Err(unsupported(format!("the unit {other:?}"))),
    };
    let day = move |out: &mut Vec<u8>, day: i64| {
        let known = (FIRST_DAY..=LAST_DAY).contains(&day);
        if known {
            integer(out, day * DAY * temporal::per_second(to));
        }
        known
    };
    Ok(match array.data_type() {
        DataType::Date32 => {
            let array = array.as_primitive::<Date32Type>();
            Box::new(move |out, row| day(out, array.value(row).into()))
        }
        DataType::Date64 => {
            let array = array.as_primitive::<Date64Type>();
            Box::new(move |out, row| day(out, array.value(row) / (DAY * 1_000)))
        }
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let (ticks, unit) = (ticks(array)?, *unit);
            Box::new(move |out, row| {
                out.push(b'"');
                let ok = temporal::time(out, ticks[row], unit);
                out.push(b'"');
                ok
            })
        }
        // Nanoseconds in a struct are bare numbers to pandas; it does not know their unit.
        DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Duration(TimeUnit::Nanosecond) if member => {
            return Err(unsupported("JSON of nanoseconds in a struct"));
        }
        DataType::Timestamp(unit, _) | DataType::Duration(unit) => {
            let (ticks, unit) = (ticks(array)?, *unit);
            Box::new(move |out, row| {
                temporal::in_unit(ticks[row], unit, to, member).is_some_and(|ticks| {
                    integer(out, ticks);
                    true
                })
            })
        }
        other => return Err(unsupported(format!("JSON of {other}"))),
    })
}
