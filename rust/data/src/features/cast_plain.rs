//! Casts between types without parts, as pyarrow's safe casts: what would lose something is an error.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow_cast::display::FormatOptions;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, TimeUnit};
use std::sync::Arc;

use super::cast::{misfit, texts};
use crate::error::DataError;
use crate::expand::Room;

/// One array without parts cast to another such type.
///
/// # Errors
/// `Schema` for types that have no cast and values that do not fit.
pub(super) fn cast_plain(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, DataError> {
    use DataType::{Binary, Boolean, Date64, FixedSizeBinary, Timestamp, Utf8, Utf8View};
    let source = array.data_type();
    if source == target {
        return Ok(array.clone());
    }
    if !allowed(source, target) {
        return Err(misfit(format!("cannot cast {source} to {target}")));
    }
    match (source, target) {
        (s, t) if is_text(s) && t == &Boolean => bools(array),
        (FixedSizeBinary(_), t) if t != &Binary => cast_plain(&raw(array, &Binary)?, t),
        (s, t) if is_binary(s) && !is_binary(t) && !is_text(t) => cast_plain(&raw(array, &Utf8)?, t),
        (s, t) if s.is_floating() && is_text(t) => raw(&float_texts(array), t),
        (DataType::Duration(_), t) if is_text(t) => raw(&raw(array, &DataType::Int64)?, t),
        (s, t) if s.is_temporal() && is_text(t) => temporal_texts(array, t),
        (s, Timestamp(unit, None)) if is_text(s) && unit != &TimeUnit::Nanosecond => {
            let micros = raw(array, &Timestamp(TimeUnit::Microsecond, None))?;
            exact(&micros, target)
        }
        (s, Timestamp(_, Some(_))) if is_text(s) => {
            let zoned = |t: &str| t.ends_with('Z') || t.get(10..).is_some_and(|r| r.contains(['+', '-']));
            let plain = raw(array, &Utf8)?;
            if plain.as_string::<i32>().iter().flatten().all(zoned) {
                raw(array, target)
            } else {
                Err(misfit(format!("a time without a zone has no place in {target}")))
            }
        }
        (s, t) if s.is_integer() && t.is_floating() => whole(array, t),
        (s, t) if s.is_integer() && matches!(t, DataType::Decimal128(..) | DataType::Decimal256(..)) => {
            decimal_holds(s, t)?;
            raw(array, t)
        }
        (Timestamp(_, _) | DataType::Date32, Date64) => {
            raw(&raw(&local(array)?, &DataType::Date32)?, &Date64)
        }
        (Timestamp(..), Timestamp(unit, zone)) => {
            let plain = exact(&instants(array)?, &Timestamp(*unit, None))?;
            if zone.is_some() { raw(&raw(&plain, &DataType::Int64)?, target) } else { Ok(plain) }
        }
        (DataType::Date32 | Date64, Timestamp(unit, Some(_))) => {
            raw(&raw(&raw(array, &Timestamp(*unit, None))?, &DataType::Int64)?, target)
        }
        (Timestamp(_, Some(_)), DataType::Date32 | DataType::Time32(_) | DataType::Time64(_)) => {
            cast_plain(&local(array)?, target)
        }
        (Timestamp(unit, _), DataType::Time32(_) | DataType::Time64(_)) => {
            let fine = DataType::Time64(match unit {
                TimeUnit::Nanosecond => TimeUnit::Nanosecond,
                _ => TimeUnit::Microsecond,
            });
            exact(&raw(array, &fine)?, target)
        }
        (s, Utf8View) if !is_text(s) && !is_binary(s) => raw(&cast_plain(array, &Utf8)?, target),
        (s, t) if may_lose(s, t) => exact(array, t),
        _ => raw(array, target),
    }
}

fn raw(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, DataError> {
    if array.data_type() == target {
        return Ok(array.clone());
    }
    if matches!(array.data_type(), DataType::Utf8View | DataType::BinaryView) {
        Room::new(u64::MAX).take(array, target)?; // what offsets reach and memory has
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, target, &options)
        .map_err(|e| misfit(format!("cannot cast {} to {target}: {e}", array.data_type())))
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_binary(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
    )
}

/// Whether pyarrow has a cast between two types.
fn allowed(source: &DataType, target: &DataType) -> bool {
    use DataType::{
        Boolean, Date32, Date64, Decimal128, Decimal256, Duration, FixedSizeBinary, Int32, Int64, Time32,
        Time64, Timestamp,
    };
    let decimal = |t: &DataType| matches!(t, Decimal128(..) | Decimal256(..));
    let number = |t: &DataType| t.is_integer() || t.is_floating();
    match source {
        _ if is_text(target) => true,
        Boolean => number(target) && target != &DataType::Float16,
        s if s.is_integer() => {
            number(target)
                || target == &Boolean
                || decimal(target)
                || (s == &Int32 && matches!(target, Date32 | Time32(_)))
                || (s == &Int64 && matches!(target, Date64 | Timestamp(..) | Time64(_) | Duration(_)))
        }
        s if s.is_floating() => {
            number(target) || ((target == &Boolean || decimal(target)) && s != &DataType::Float16)
        }
        s if is_text(s) => {
            number(target)
                || is_binary(target)
                || target == &Boolean
                || decimal(target)
                || matches!(target, Date32 | Date64 | Timestamp(..))
        }
        FixedSizeBinary(_) => is_binary(target),
        s if is_binary(s) => is_binary(target) || number(target) || target == &Boolean || decimal(target),
        Date32 => matches!(target, Int32 | Date64 | Timestamp(..)),
        Date64 => matches!(target, Int64 | Date32 | Timestamp(..)),
        Timestamp(..) => matches!(target, Int64 | Date32 | Date64 | Timestamp(..) | Time32(_) | Time64(_)),
        Time32(_) => matches!(target, Int32 | Time32(_) | Time64(_)),
        Time64(_) => matches!(target, Int64 | Time32(_) | Time64(_)),
        Duration(_) => matches!(target, Int64 | Duration(_)),
        s if decimal(s) => number(target) && target != &DataType::Float16 || decimal(target),
        _ => true,
    }
}

/// Whether the cast may cut something off without saying so.
fn may_lose(source: &DataType, target: &DataType) -> bool {
    use DataType::{Decimal128, Decimal256, Duration, Time32, Time64, Timestamp};
    matches!(
        (source, target),
        (Timestamp(..), Timestamp(..))
            | (Duration(_), Duration(_))
            | (Time32(_) | Time64(_), Time32(_) | Time64(_))
            | (Decimal128(..) | Decimal256(..), Decimal128(..) | Decimal256(..))
    ) || (source.is_floating() || matches!(source, Decimal128(..) | Decimal256(..))) && target.is_integer()
}

/// A cast that must give the same values back.
fn exact(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, DataError> {
    let cast = raw(array, target)?;
    let back = raw(&cast, array.data_type())?;
    if back.as_ref() == array.as_ref() {
        return Ok(cast);
    }
    Err(misfit(format!("a fraction would be lost casting {} to {target}", array.data_type())))
}

/// Integers as floats that hold them all exactly.
fn whole(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, DataError> {
    let bits = match target {
        DataType::Float16 => 11,
        DataType::Float32 => 24,
        _ => 53,
    };
    let limit = 1_u64 << bits;
    let too_large = if array.data_type() == &DataType::UInt64 {
        array.as_primitive::<UInt64Type>().iter().flatten().any(|v| v > limit)
    } else {
        let wide = raw(array, &DataType::Int64)?;
        wide.as_primitive::<Int64Type>().iter().flatten().any(|v| v.unsigned_abs() > limit)
    };
    if too_large {
        return Err(misfit(format!("an integer beyond 2^{bits} cannot be told apart as {target}")));
    }
    raw(array, target)
}

fn decimal_holds(source: &DataType, target: &DataType) -> Result<(), DataError> {
    let digits = match source {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::UInt64 => 20,
        _ => 19,
    };
    let (DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale)) = target else {
        return Ok(());
    };
    let needed = digits + i32::from(*scale);
    if i32::from(*precision) >= needed {
        return Ok(());
    }
    Err(misfit(format!("the precision of {target} is not great enough for {source}: it needs {needed}")))
}

fn bools(array: &ArrayRef) -> Result<ArrayRef, DataError> {
    let plain = raw(array, &DataType::LargeUtf8)?;
    let values = plain.as_string::<i64>().iter().enumerate().map(|(row, text)| match text {
        None => Ok(None),
        Some(t) if t == "1" || t.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(t) if t == "0" || t.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(t) => Err(misfit(format!("{t:?} is no bool")).with_row(row as u64)),
    });
    Ok(Arc::new(values.collect::<Result<BooleanArray, _>>()?))
}

/// Zoned times as the same instants without a zone.
fn instants(array: &ArrayRef) -> Result<ArrayRef, DataError> {
    match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            raw(&raw(array, &DataType::Int64)?, &DataType::Timestamp(*unit, None))
        }
        _ => Ok(array.clone()),
    }
}

/// Zoned times as the times that a clock in the zone shows.
fn local(array: &ArrayRef) -> Result<ArrayRef, DataError> {
    let DataType::Timestamp(unit, Some(zone)) = array.data_type() else {
        return Ok(array.clone());
    };
    if matches!(zone.as_ref(), "UTC" | "Etc/UTC" | "Z" | "+00:00") {
        return raw(&raw(array, &DataType::Int64)?, &DataType::Timestamp(*unit, None));
    }
    let Some(offset) = offset_of(zone) else {
        return Err(misfit(format!(
            "local times of the zone {zone} are not known here; cast to UTC, or shift the column with map"
        )));
    };
    let ticks = offset
        * match unit {
            TimeUnit::Second => 1,
            TimeUnit::Millisecond => 1_000,
            TimeUnit::Microsecond => 1_000_000,
            TimeUnit::Nanosecond => 1_000_000_000,
        };
    let plain = raw(array, &DataType::Int64)?;
    let shifted: Int64Array = plain.as_primitive::<Int64Type>().unary(|v| v.saturating_add(ticks));
    raw(&(Arc::new(shifted) as ArrayRef), &DataType::Timestamp(*unit, None))
}

/// Seconds of a fixed offset like `+02:00`.
fn offset_of(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn temporal_texts(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, DataError> {
    let unit = match array.data_type() {
        DataType::Timestamp(u, _) | DataType::Time32(u) | DataType::Time64(u) => *u,
        _ => TimeUnit::Second,
    };
    let (stamp, zoned, time) = match unit {
        TimeUnit::Second => ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%z", "%H:%M:%S"),
        TimeUnit::Millisecond => ("%Y-%m-%d %H:%M:%S%.3f", "%Y-%m-%d %H:%M:%S%.3f%z", "%H:%M:%S%.3f"),
        TimeUnit::Microsecond => ("%Y-%m-%d %H:%M:%S%.6f", "%Y-%m-%d %H:%M:%S%.6f%z", "%H:%M:%S%.6f"),
        TimeUnit::Nanosecond => ("%Y-%m-%d %H:%M:%S%.9f", "%Y-%m-%d %H:%M:%S%.9f%z", "%H:%M:%S%.9f"),
    };
    let utc = matches!(array.data_type(), DataType::Timestamp(_, Some(zone)) if matches!(zone.as_ref(), "UTC" | "Etc/UTC" | "Z"));
    let array = if matches!(array.data_type(), DataType::Timestamp(_, Some(z)) if !z.starts_with(['+', '-']))
    {
        local(array)?
    } else {
        array.clone()
    };
    let with_z = format!("{stamp}Z");
    let format_options = FormatOptions::default()
        .with_timestamp_format(Some(if utc { with_z.as_str() } else { stamp }))
        .with_timestamp_tz_format(Some(zoned))
        .with_date_format(Some("%Y-%m-%d"))
        .with_datetime_format(Some("%Y-%m-%d"))
        .with_time_format(Some(time));
    let options = CastOptions { safe: false, format_options };
    let cast = cast_with_options(&array, &DataType::Utf8, &options)
        .map_err(|e| misfit(format!("cannot cast {} to {target}: {e}", array.data_type())))?;
    raw(&cast, target)
}

fn float_texts(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float16 => texts(
            array
                .as_primitive::<Float16Type>()
                .iter()
                .map(|v| v.map(|v| shortest(&format!("{:e}", v.to_f32())))),
        ),
        DataType::Float32 => {
            texts(array.as_primitive::<Float32Type>().iter().map(|v| v.map(|v| shortest(&format!("{v:e}")))))
        }
        _ => {
            texts(array.as_primitive::<Float64Type>().iter().map(|v| v.map(|v| shortest(&format!("{v:e}")))))
        }
    }
}

/// The text that pyarrow writes, from Rust's shortest digits and exponent (`1.5e-7`).
fn shortest(scientific: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return match scientific {
            "NaN" => "nan".into(),
            other => other.to_ascii_lowercase(), // inf
        };
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-6..10).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{}", exponent.abs());
    }
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let digits = mantissa.replace('.', "");
    let point = exponent + 1;
    if point <= 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
    }
    let point = point as usize;
    if digits.len() <= point {
        return format!("{sign}{digits}{}", "0".repeat(point - digits.len()));
    }
    let (whole, fraction) = digits.split_at(point);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_pyarrow_writes_them() {
        for (value, text) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e-6, "0.000001"),
            (1.5e-6, "0.0000015"),
            (1e-7, "1e-7"),
            (1e10, "1e+10"),
            (1_234_567_890.0, "1234567890"),
            (123_456_789.125, "123456789.125"),
            (1e300, "1e+300"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(shortest(&format!("{value:e}")), text);
        }
    }
}
