//! Ends of the object eater's columns: counts of a time unit, decimals, numbers of numpy's widths.

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Decimal256Array, Int64Array};
use arrow_buffer::{NullBuffer, i256};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, TimeUnit};

use super::numpy::Width;

/// Integers that count a unit; a finer unit takes over.
pub(crate) struct Ticks {
    pub(crate) values: Vec<i64>,
    pub(crate) unit: TimeUnit,
}

fn a_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

impl Ticks {
    pub(crate) fn zeros(count: usize, unit: TimeUnit) -> Self {
        Self { values: vec![0; count], unit }
    }

    pub(crate) fn push(&mut self, number: i64, unit: TimeUnit) -> Result<(), String> {
        let outside = || format!("a time does not fit {unit:?}s");
        let (own, other) = (a_second(self.unit), a_second(unit));
        if other > own {
            let factor = other / own;
            for value in &mut self.values {
                *value = value.checked_mul(factor).ok_or_else(outside)?;
            }
            self.unit = unit;
            self.values.push(number);
        } else {
            self.values.push(number.checked_mul(own / other).ok_or_else(outside)?);
        }
        Ok(())
    }

    pub(crate) fn finish(self, nulls: Option<NullBuffer>, kind: &DataType) -> Result<ArrayRef, String> {
        let array = Int64Array::try_new(self.values.into(), nulls).map_err(|e| e.to_string())?;
        arrow_cast::cast(&array, kind).map_err(|e| e.to_string())
    }
}

/// A column of numpy's numbers in their own width.
pub(crate) fn narrowed_to(array: ArrayRef, width: Option<Width>, whole: bool) -> Result<ArrayRef, String> {
    let Some(kind) = width.map(Width::data_type).filter(|k| k.is_integer() == whole) else {
        return Ok(array);
    };
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&array, &kind, &options).map_err(|e| e.to_string())
}

/// Decimals by their text, at the precision and scale that hold them all.
pub(crate) fn decimals(values: &[Option<String>]) -> Result<ArrayRef, String> {
    let scale =
        values.iter().flatten().map(|v| v.split_once('.').map_or(0, |(_, f)| f.len())).max().unwrap_or(0);
    let mut texts = Vec::with_capacity(values.len());
    let mut digits = 1;
    for value in values {
        let text = value.as_ref().map(|value| {
            let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
            format!("{whole}{fraction:0<scale$}")
        });
        if let Some(text) = &text {
            digits = digits.max(text.trim_start_matches('-').trim_start_matches('0').len());
        }
        texts.push(text);
    }
    let precision = digits.max(scale);
    let wrong = |e: arrow_schema::ArrowError| e.to_string();
    if precision <= 38 {
        let numbers: Decimal128Array =
            texts.iter().map(|t| t.as_ref().and_then(|t| t.parse::<i128>().ok())).collect();
        let numbers = numbers.with_precision_and_scale(precision as u8, scale as i8).map_err(wrong)?;
        return Ok(Arc::new(numbers));
    }
    if precision > 76 {
        return Err("decimals of more than 76 digits are not supported".into());
    }
    let numbers: Decimal256Array =
        texts.iter().map(|t| t.as_ref().and_then(|t| i256::from_string(t))).collect();
    let numbers = numbers.with_precision_and_scale(precision as u8, scale as i8).map_err(wrong)?;
    Ok(Arc::new(numbers))
}
