//! Filters as pyarrow's lists of tuples have them: comparisons of a column with values, joined by AND, those by OR.
//!
//! The exact rows come from [`Filter::rows`]; row groups and pages that cannot have any are found by their statistics
//! in [`Filter::may_match`].

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, downcast_integer_array};
use arrow_schema::DataType;
use serde::Deserialize;

use crate::error::{DataError, DataErrorKind};

/// What a row must be: all predicates of one of the lists.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Filter(pub Vec<Vec<Predicate>>);

/// A column compared with values.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Predicate {
    /// The column, at the top of the schema.
    pub column: String,
    /// How it is compared.
    pub op: Op,
    /// One value, or those of `in` and `not in`.
    pub values: Vec<Literal>,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Op {
    /// Equal.
    #[serde(rename = "==")]
    Eq,
    /// Not equal.
    #[serde(rename = "!=")]
    Ne,
    /// Less.
    #[serde(rename = "<")]
    Lt,
    /// At most.
    #[serde(rename = "<=")]
    Le,
    /// Greater.
    #[serde(rename = ">")]
    Gt,
    /// At least.
    #[serde(rename = ">=")]
    Ge,
    /// One of.
    #[serde(rename = "in")]
    In,
    /// None of; null is none of them.
    #[serde(rename = "not in")]
    NotIn,
}

/// A value of a comparison.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literal {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; as text, since JSON has neither infinity nor NaN.
    Float(#[serde(deserialize_with = "float")] f64),
    /// A text.
    Text(String),
}

fn float<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// Statistics of row groups or pages: an element each. Null where it is not known.
pub(super) struct Bounds {
    pub(super) least: ArrayRef,
    pub(super) most: ArrayRef,
}

impl Filter {
    /// Names of the columns, each once.
    pub(super) fn columns(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for predicate in self.0.iter().flatten() {
            if !names.contains(&predicate.column.as_str()) {
                names.push(&predicate.column);
            }
        }
        names
    }

    /// Which rows are wanted.
    pub(super) fn rows(
        &self,
        count: usize,
        column: impl Fn(&str) -> Result<ArrayRef, DataError>,
    ) -> Result<BooleanArray, DataError> {
        // AND and OR are Kleene's; for what is kept in the end (only what is true) null is as good as false there.
        let mut any = vec![false; count];
        for conjunction in &self.0 {
            let mut all = vec![true; count];
            for predicate in conjunction {
                let array = column(&predicate.column)?;
                let matched = predicate.rows(&array).map_err(|e| e.with_column(&predicate.column))?;
                all.iter_mut().zip(&matched).for_each(|(a, m)| *a &= m == Some(true));
            }
            any.iter_mut().zip(all).for_each(|(a, m)| *a |= m);
        }
        Ok(BooleanArray::from(any))
    }
}

impl Predicate {
    fn rows(&self, array: &ArrayRef) -> Result<BooleanArray, DataError> {
        let first = || {
            let message = format!("a comparison by {:?} needs one value", self.op);
            self.values.first().ok_or_else(|| DataError::new(DataErrorKind::Schema, message))
        };
        match self.op {
            Op::Eq => compared(array, first()?, Ordering::is_eq),
            Op::Ne => {
                // NaN is unequal to all, also to itself.
                let equal = compared(array, first()?, Ordering::is_eq)?;
                Ok(BooleanArray::new(!equal.values(), equal.nulls().cloned()))
            }
            Op::Lt => compared(array, first()?, Ordering::is_lt),
            Op::Le => compared(array, first()?, Ordering::is_le),
            Op::Gt => compared(array, first()?, Ordering::is_gt),
            Op::Ge => compared(array, first()?, Ordering::is_ge),
            Op::In | Op::NotIn => {
                let mut any = vec![false; array.len()];
                for value in &self.values {
                    let equal = compared(array, value, Ordering::is_eq)?;
                    any.iter_mut().zip(&equal).for_each(|(a, e)| *a |= e == Some(true));
                }
                Ok(any.into_iter().map(|found| Some(found == (self.op == Op::In))).collect())
            }
        }
    }

    /// For each element of the bounds, whether there may be such a row.
    pub(super) fn may_match(&self, bounds: &Bounds) -> Vec<bool> {
        let count = bounds.least.len();
        let known = |array: &ArrayRef, value: &Literal, holds: fn(Ordering) -> bool| match compared(
            array, value, holds,
        ) {
            Ok(found) => found.iter().map(|v| v == Some(true)).collect(),
            Err(_) => vec![false; count],
        };
        let without = |impossible: Vec<bool>| impossible.into_iter().map(|no| !no).collect();
        let equal = |value: &Literal| -> Vec<bool> {
            let above = known(&bounds.least, value, Ordering::is_gt);
            let below = known(&bounds.most, value, Ordering::is_lt);
            above.into_iter().zip(below).map(|(a, b)| !a && !b).collect()
        };
        match (self.op, self.values.first()) {
            (Op::Eq, Some(value)) => equal(value),
            (Op::Lt, Some(value)) => without(known(&bounds.least, value, Ordering::is_ge)),
            (Op::Le, Some(value)) => without(known(&bounds.least, value, Ordering::is_gt)),
            (Op::Gt, Some(value)) => without(known(&bounds.most, value, Ordering::is_le)),
            (Op::Ge, Some(value)) => without(known(&bounds.most, value, Ordering::is_lt)),
            (Op::In, _) => {
                self.values.iter().map(equal).fold(vec![false; count], |any, one| {
                    any.into_iter().zip(one).map(|(a, b)| a || b).collect()
                })
            }
            _ => vec![true; count],
        }
    }
}

/// Compares each value with a literal; null stays null, NaN holds nothing.
fn compared(
    array: &ArrayRef,
    literal: &Literal,
    holds: impl Fn(Ordering) -> bool,
) -> Result<BooleanArray, DataError> {
    let refused = || {
        let message = format!("a column of type {} is not compared with {literal:?}", array.data_type());
        Err(DataError::new(DataErrorKind::Unsupported, message))
    };
    let by_float = |ordered: Option<Ordering>| ordered.is_some_and(&holds);
    Ok(match (array.data_type(), literal) {
        (kind, Literal::Int(value)) if kind.is_integer() => {
            let value = i128::from(*value);
            downcast_integer_array!(
                array => BooleanArray::from_unary(array, |x| holds(i128::from(x).cmp(&value))),
                _ => return refused()
            )
        }
        (DataType::Int64 | DataType::UInt64, Literal::Float(_)) => return refused(), // not exact, in either way
        (kind, Literal::Float(_)) if kind.is_integer() => {
            return compared(&arrow_cast::cast(array, &DataType::Float64)?, literal, holds);
        }
        (DataType::Float16, Literal::Float(value)) => {
            BooleanArray::from_unary(array.as_primitive::<Float16Type>(), |x| {
                by_float(x.to_f64().partial_cmp(value))
            })
        }
        (DataType::Float32, Literal::Float(value)) => {
            BooleanArray::from_unary(array.as_primitive::<Float32Type>(), |x| {
                by_float(f64::from(x).partial_cmp(value))
            })
        }
        (DataType::Float64, Literal::Float(value)) => {
            BooleanArray::from_unary(array.as_primitive::<Float64Type>(), |x| by_float(x.partial_cmp(value)))
        }
        (kind, Literal::Int(value)) if kind.is_floating() && value.unsigned_abs() < 1 << 24 => {
            return compared(array, &Literal::Float(*value as f64), holds);
        }
        (DataType::Boolean, Literal::Bool(value)) => {
            array.as_boolean().iter().map(|x| x.map(|x| holds(x.cmp(value)))).collect()
        }
        (DataType::Utf8, Literal::Text(value)) => {
            BooleanArray::from_unary(array.as_string::<i32>(), |x| holds(x.cmp(value.as_str())))
        }
        (DataType::LargeUtf8, Literal::Text(value)) => {
            BooleanArray::from_unary(array.as_string::<i64>(), |x| holds(x.cmp(value.as_str())))
        }
        _ => return refused(),
    })
}
