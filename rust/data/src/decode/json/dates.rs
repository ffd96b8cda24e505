//! Columns of ISO dates: the official reader makes `timestamp[s]` of a string column in which every value is one.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, StringArray, StructArray, TimestampSecondArray};
use arrow_schema::{DataType, Field, TimeUnit};

use crate::error::DataError;

const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Second, None);

/// Whether a column has values and all are ISO dates or date-times in whole seconds.
pub(super) fn all_dates(array: &StringArray) -> bool {
    array.len() > array.null_count() && array.iter().flatten().all(|text| seconds(text).is_some())
}

/// Seconds since 1970 of `YYYY-MM-DD`, or with `[T ]hh`, `[T ]hh:mm`, `[T ]hh:mm:ss`, and `Z` after a time.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        bytes
            .get(from..to)?
            .iter()
            .try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
    };
    let mark = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|b| allowed.contains(b));
    if !(mark(4, b"-") && mark(7, b"-")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let days = days_since_1970(year, month, day) * 86_400;
    if bytes.len() == 10 {
        return Some(days);
    }
    if !mark(10, b"T ") {
        return None;
    }
    let time = bytes.len() - usize::from(bytes.last() == Some(&b'Z'));
    let (hour, minute, second) = match time {
        13 => (number(11, 13)?, 0, 0),
        16 if mark(13, b":") => (number(11, 13)?, number(14, 16)?, 0),
        19 if mark(13, b":") && mark(16, b":") => (number(11, 13)?, number(14, 16)?, number(17, 19)?),
        _ => return None,
    };
    (hour < 24 && minute < 60 && second < 60).then_some(days + hour * 3600 + minute * 60 + second)
}

/// Days from the civil calendar (Howard Hinnant's `days_from_civil`).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The array with the string columns at `paths` (all true there) turned into timestamps.
pub(super) fn convert(
    array: &ArrayRef,
    path: &str,
    iso: &HashMap<String, bool>,
) -> Result<ArrayRef, DataError> {
    Ok(match array.data_type() {
        DataType::Utf8 if iso.get(path).copied().unwrap_or(false) => {
            let texts = array.as_string::<i32>();
            Arc::new(texts.iter().map(|t| t.and_then(seconds)).collect::<TimestampSecondArray>())
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let values = convert(list.values(), &format!("{path}[]"), iso)?;
            let field = Arc::new(Field::new("item", values.data_type().clone(), true));
            Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?)
        }
        DataType::Struct(fields) => {
            let parts = array.as_struct();
            let columns = parts
                .columns()
                .iter()
                .zip(fields)
                .map(|(c, f)| convert(c, &format!("{path}.{}", f.name()), iso))
                .collect::<Result<Vec<_>, _>>()?;
            let fields = fields
                .iter()
                .zip(&columns)
                .map(|(f, c)| Field::new(f.name(), c.data_type().clone(), true))
                .collect();
            Arc::new(StructArray::try_new_with_length(fields, columns, parts.nulls().cloned(), array.len())?)
        }
        _ => array.clone(),
    })
}

/// The type that `convert` makes of one.
pub(super) fn converted(kind: &DataType, path: &str, iso: &HashMap<String, bool>) -> DataType {
    match kind {
        DataType::Utf8 if iso.get(path).copied().unwrap_or(false) => TIMESTAMP,
        DataType::List(item) => {
            let inner = converted(item.data_type(), &format!("{path}[]"), iso);
            DataType::List(Arc::new(Field::new("item", inner, true)))
        }
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|f| {
                    Field::new(f.name(), converted(f.data_type(), &format!("{path}.{}", f.name()), iso), true)
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn known_dates() {
        assert_eq!(seconds("1970-01-01"), Some(0));
        assert_eq!(seconds("2020-02-29T12:30:01Z"), Some(1_582_979_401));
        assert_eq!(seconds("1969-12-31 23:59:59"), Some(-1));
        for wrong in
            ["2021-02-29", "2020-13-01", "2020-1-01", "2020-01-01T25:00:00", "2020-01-01x", "x", "10:00:00"]
        {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
