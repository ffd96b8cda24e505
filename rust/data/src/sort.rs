//! Sorting of rows by columns: stable in both directions, nulls and NaN on one side whatever the direction.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, LargeBinaryArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use rayon::prelude::*;

use crate::error::{DataError, DataErrorKind};

/// A column to sort by.
pub struct SortKey {
    /// Its values, one a row.
    pub values: ArrayRef,
    /// Whether large values come first.
    pub descending: bool,
}

/// Row numbers in sorted order; rows that compare equal keep their order. NaN and nulls come after all values, or
/// before them if `nulls_first`; nulls are outermost.
///
/// # Errors
/// `Unsupported` for a column of lists or structs.
pub fn sort_rows(keys: &[SortKey], nulls_first: bool) -> Result<Vec<u64>, DataError> {
    let columns = keys.iter().map(|key| Column::new(key, nulls_first)).collect::<Result<Vec<_>, _>>()?;
    let rows = keys.first().map_or(0, |k| k.values.len());
    if let [Column { values: Values::Small(values), classes: None }] = columns.as_slice() {
        let mut pairs: Vec<(u64, u64)> = values.iter().copied().zip(0_u64..).collect();
        pairs.par_sort_unstable();
        return Ok(pairs.into_iter().map(|(_, row)| row).collect());
    }
    let mut order: Vec<u64> = (0..rows as u64).collect();
    order.par_sort_by(|&a, &b| {
        let places = (a as usize, b as usize);
        columns.iter().map(|c| c.compare(places.0, places.1)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    });
    Ok(order)
}

struct Column {
    values: Values,
    /// 0 for a value; 1 NaN and 2 null, negative where they come first. None if every row has a value.
    classes: Option<Vec<i8>>,
}

/// Values that compare as the column's do, turned round for descending order.
enum Values {
    Null,
    Small(Vec<u64>),
    Large(Vec<i128>),
    Bytes { values: LargeBinaryArray, descending: bool },
}

impl Column {
    fn new(key: &SortKey, nulls_first: bool) -> Result<Self, DataError> {
        let sign = if nulls_first { -1 } else { 1 };
        let mut classes = vec![0_i8; key.values.len()];
        let values = Values::new(&key.values, key.descending, sign, &mut classes)?;
        if let Some(nulls) = key.values.logical_nulls() {
            for (class, valid) in classes.iter_mut().zip(nulls.iter()) {
                if !valid {
                    *class = 2 * sign;
                }
            }
        }
        let plain = classes.iter().all(|&c| c == 0);
        Ok(Self { values, classes: (!plain).then_some(classes) })
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        if let Some(classes) = &self.classes {
            let (x, y) = (classes.get(a), classes.get(b));
            if x != y || x != Some(&0) {
                return x.cmp(&y);
            }
        }
        match &self.values {
            Values::Null => Ordering::Equal,
            Values::Small(values) => values.get(a).cmp(&values.get(b)),
            Values::Large(values) => values.get(a).cmp(&values.get(b)),
            Values::Bytes { values, descending: false } => values.value(a).cmp(values.value(b)),
            Values::Bytes { values, descending: true } => values.value(b).cmp(values.value(a)),
        }
    }
}

const SIGN: u64 = 1 << 63;

impl Values {
    fn new(array: &ArrayRef, descending: bool, sign: i8, classes: &mut [i8]) -> Result<Self, DataError> {
        let turn = |v: u64| if descending { !v } else { v };
        let signed = |v: i64| turn(v as u64 ^ SIGN);
        let mut float = |row: usize, value: f64| {
            if value.is_nan()
                && let Some(class) = classes.get_mut(row)
            {
                *class = sign;
            }
            let bits = (value + 0.0).to_bits(); // -0.0 becomes 0.0: they are equal
            turn(if bits & SIGN == 0 { bits ^ SIGN } else { !bits })
        };
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => {
                Self::Small(array.as_boolean().values().iter().map(|v| turn(u64::from(v))).collect())
            }
            DataType::Int8 => Self::Small(mapped::<Int8Type>(array, |v| signed(i64::from(v)))),
            DataType::Int16 => Self::Small(mapped::<Int16Type>(array, |v| signed(i64::from(v)))),
            DataType::Int32 => Self::Small(mapped::<Int32Type>(array, |v| signed(i64::from(v)))),
            DataType::Int64 => Self::Small(mapped::<Int64Type>(array, signed)),
            DataType::UInt8 => Self::Small(mapped::<UInt8Type>(array, |v| turn(u64::from(v)))),
            DataType::UInt16 => Self::Small(mapped::<UInt16Type>(array, |v| turn(u64::from(v)))),
            DataType::UInt32 => Self::Small(mapped::<UInt32Type>(array, |v| turn(u64::from(v)))),
            DataType::UInt64 => Self::Small(mapped::<UInt64Type>(array, turn)),
            DataType::Float16 => Self::Small(numbered::<Float16Type>(array, |i, v| float(i, v.to_f64()))),
            DataType::Float32 => Self::Small(numbered::<Float32Type>(array, |i, v| float(i, f64::from(v)))),
            DataType::Float64 => Self::Small(numbered::<Float64Type>(array, float)),
            DataType::Date32 | DataType::Time32(_) => {
                let days = cast(array, &DataType::Int32)?;
                Self::Small(mapped::<Int32Type>(&days, |v| signed(i64::from(v))))
            }
            DataType::Date64 | DataType::Time64(_) | DataType::Timestamp(..) | DataType::Duration(_) => {
                let ticks = cast(array, &DataType::Int64)?;
                Self::Small(mapped::<Int64Type>(&ticks, signed))
            }
            DataType::Decimal128(..) => {
                let values = array.as_primitive::<arrow_array::types::Decimal128Type>().values();
                Self::Large(values.iter().map(|&v| if descending { !v } else { v }).collect())
            }
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => {
                let bytes = cast(array, &DataType::LargeBinary)?;
                Self::Bytes { values: bytes.as_binary::<i64>().clone(), descending }
            }
            DataType::Dictionary(_, value) => {
                return Self::new(&cast(array, value)?, descending, sign, classes);
            }
            other => {
                let message = format!("rows cannot be sorted by a column of type {other}");
                return Err(DataError::new(DataErrorKind::Unsupported, message));
            }
        })
    }
}

fn mapped<T: ArrowPrimitiveType>(array: &ArrayRef, map: impl Fn(T::Native) -> u64) -> Vec<u64> {
    array.as_primitive::<T>().values().iter().map(|&v| map(v)).collect()
}

fn numbered<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    mut map: impl FnMut(usize, T::Native) -> u64,
) -> Vec<u64> {
    array.as_primitive::<T>().values().iter().enumerate().map(|(i, &v)| map(i, v)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn key(values: ArrayRef, descending: bool) -> SortKey {
        SortKey { values, descending }
    }

    #[test]
    fn nulls_and_nan_keep_their_side() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(1.0),
            None,
            Some(f64::NAN),
            Some(-2.0),
            Some(-0.0),
            Some(0.0),
        ]));
        let sorted = |descending, first| sort_rows(&[key(values.clone(), descending)], first).unwrap();
        assert_eq!(sorted(false, false), [3, 4, 5, 0, 2, 1]);
        assert_eq!(sorted(true, false), [0, 4, 5, 3, 2, 1]);
        assert_eq!(sorted(false, true), [1, 2, 3, 4, 5, 0]);
    }

    #[test]
    fn lists_are_refused() {
        let list = arrow_array::ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]);
        assert!(sort_rows(&[key(Arc::new(list), false)], false).is_err());
    }

    proptest! {
        #[test]
        fn sorts_as_a_stable_sort_does(rows in prop::collection::vec((prop::option::of(-3_i64..3), "[a-c]{0,2}"), 0..40), down in any::<bool>()) {
            let a: ArrayRef = Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>());
            let b: ArrayRef = Arc::new(rows.iter().map(|r| Some(r.1.clone())).collect::<StringArray>());
            let got = sort_rows(&[key(a, down), key(b, false)], false).unwrap();
            let mut expected: Vec<u64> = (0..rows.len() as u64).collect();
            expected.sort_by(|&x, &y| {
                let (x, y) = (&rows[x as usize], &rows[y as usize]);
                let first = match (x.0, y.0) {
                    (None, None) => Ordering::Equal,
                    (None, _) => Ordering::Greater,
                    (_, None) => Ordering::Less,
                    (Some(x), Some(y)) => if down { y.cmp(&x) } else { x.cmp(&y) },
                };
                first.then_with(|| x.1.cmp(&y.1))
            });
            prop_assert_eq!(got, expected);
        }
    }
}
