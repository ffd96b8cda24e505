//! Single values: text, bytes, numbers, times.

use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::TimeUnit;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::{Eaten, Eater, Refusal, State};
use crate::objects::numpy::{Hint, Width};
use crate::objects::ticks::Ticks;

/// Texts or bytes, one behind the other.
#[derive(Default)]
pub(super) struct Bytes {
    data: Vec<u8>,
    ends: Vec<usize>,
}

impl Bytes {
    pub(super) fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.ends.push(self.data.len());
    }

    /// i32 offsets where they reach, else i64.
    pub(super) fn finish(self) -> (Buffer, Result<OffsetBuffer<i32>, OffsetBuffer<i64>>) {
        let offsets = std::iter::once(0).chain(self.ends);
        let narrow = i32::try_from(self.data.len()).is_ok();
        let data = Buffer::from_vec(self.data);
        if narrow {
            (data, Ok(OffsetBuffer::new(offsets.map(|o| o as i32).collect::<Vec<_>>().into())))
        } else {
            (data, Err(OffsetBuffer::new(offsets.map(|o| o as i64).collect::<Vec<_>>().into())))
        }
    }
}

impl Eater {
    pub(super) fn push_text(&mut self, text: &Bound<'_, PyString>) -> Eaten {
        let text = text.to_str().map_err(|e| {
            Refusal::Type(format!("the text holds a lone surrogate and cannot be stored as UTF-8 ({e})"))
        })?;
        self.start(|n| State::Text(Bytes { data: vec![], ends: vec![0; n] }));
        match &mut self.state {
            State::Text(v) => {
                v.push(text.as_bytes());
                self.valid.push(true);
                Ok(())
            }
            State::Binary(v) => {
                v.push(text.as_bytes());
                self.valid.push(true);
                Ok(())
            }
            _ => Err(self.refuse("string")),
        }
    }

    pub(super) fn push_int(&mut self, value: &Bound<'_, PyAny>, hint: Hint) -> Eaten {
        self.seen(hint)?;
        match &mut self.state {
            State::Float(_) => {
                let number: i64 = value.extract().map_err(|_| too_large())?;
                if number.unsigned_abs() > EXACT {
                    return Err(inexact(number));
                }
                return self.push_float(number as f64);
            }
            State::Decimal(v) => return push_to(v, &mut self.valid, Some(value.str()?.to_string())),
            State::UInt(v) => {
                if let Ok(number) = value.extract::<u64>() {
                    return push_to(v, &mut self.valid, number);
                }
                // A negative number, or one that nothing holds.
                let number: i64 = value.extract().map_err(|_| too_large())?;
                let signed: Result<Vec<i64>, _> = v.iter().map(|&n| i64::try_from(n)).collect();
                let mut signed = signed.map_err(|_| no_common())?;
                signed.push(number);
                self.state = State::Int(signed);
                self.valid.push(true);
                return Ok(());
            }
            State::Null if hint == Hint::Number(Width::U64) => {
                let number: u64 = value.extract()?;
                let mut values = vec![0; self.valid.len()];
                values.push(number);
                self.state = State::UInt(values);
                self.valid.push(true);
                return Ok(());
            }
            _ => {}
        }
        let Ok(number) = value.extract::<i64>() else {
            return self.push_large(value);
        };
        self.start(|n| State::Int(vec![0; n]));
        match &mut self.state {
            State::Int(v) => push_to(v, &mut self.valid, number),
            _ => Err(self.refuse("int64")),
        }
    }

    /// An integer from 2^63 on: the column becomes uint64, unless it has negative numbers.
    fn push_large(&mut self, value: &Bound<'_, PyAny>) -> Eaten {
        let number: u64 = value.extract().map_err(|_| too_large())?;
        if let State::Int(v) = &self.state {
            let unsigned: Result<Vec<u64>, _> = v.iter().map(|&n| u64::try_from(n)).collect();
            self.state = State::UInt(unsigned.map_err(|_| no_common())?);
        }
        self.start(|n| State::UInt(vec![0; n]));
        match &mut self.state {
            State::UInt(v) => push_to(v, &mut self.valid, number),
            _ => Err(self.refuse("uint64")),
        }
    }

    pub(super) fn push_float(&mut self, number: f64) -> Eaten {
        if let State::Int(v) = &self.state {
            if let Some(large) = v.iter().find(|i| i.unsigned_abs() > EXACT) {
                return Err(inexact(*large));
            }
            self.state = State::Float(v.iter().map(|&i| i as f64).collect());
        }
        self.start(|n| State::Float(vec![0.0; n]));
        match &mut self.state {
            State::Float(v) => push_to(v, &mut self.valid, number),
            _ => Err(self.refuse("float64")),
        }
    }

    pub(super) fn push_bytes(&mut self, bytes: &[u8]) -> Eaten {
        if let State::Text(text) = &mut self.state {
            self.state = State::Binary(std::mem::take(text));
        }
        self.start(|n| State::Binary(Bytes { data: vec![], ends: vec![0; n] }));
        match &mut self.state {
            State::Binary(v) => {
                v.push(bytes);
                self.valid.push(true);
                Ok(())
            }
            _ => Err(self.refuse("binary")),
        }
    }

    /// A number out of a datetime64 or timedelta64 array.
    pub(super) fn push_ticks(&mut self, number: i64, hint: Hint) -> Eaten {
        if number == i64::MIN {
            self.start(|n| match hint {
                Hint::Span(unit) => State::Duration(Ticks::zeros(n, unit)),
                Hint::Stamp(unit) => State::Timestamp { ticks: Ticks::zeros(n, unit), zone: None },
                _ => State::Date(vec![0; n]),
            });
            self.push_null(); // not a time
            return Ok(());
        }
        match hint {
            Hint::Stamp(unit) => self.push_stamp(number, unit, None),
            Hint::Span(unit) => self.push_span(number, unit),
            _ => self.push_temporal("date", number, None),
        }
    }

    pub(super) fn push_stamp(&mut self, number: i64, unit: TimeUnit, zone: Option<String>) -> Eaten {
        self.start(|n| State::Timestamp { ticks: Ticks::zeros(n, unit), zone });
        match &mut self.state {
            State::Timestamp { ticks, .. } => ticks.push(number, unit).map_err(Refusal::Type)?,
            State::Date(v) if unit == TimeUnit::Microsecond => {
                v.push(number.div_euclid(86_400_000_000) as i32);
            }
            _ => return Err(self.refuse("timestamp")),
        }
        self.valid.push(true);
        Ok(())
    }

    pub(super) fn push_span(&mut self, number: i64, unit: TimeUnit) -> Eaten {
        self.start(|n| State::Duration(Ticks::zeros(n, unit)));
        match &mut self.state {
            State::Duration(ticks) => ticks.push(number, unit).map_err(Refusal::Type)?,
            _ => return Err(self.refuse("duration")),
        }
        self.valid.push(true);
        Ok(())
    }

    pub(super) fn push_temporal(&mut self, kind: &str, number: i64, extra: Option<String>) -> Eaten {
        match kind {
            "timestamp" => return self.push_stamp(number, TimeUnit::Microsecond, extra),
            "duration" => return self.push_span(number, TimeUnit::Microsecond),
            _ => {}
        }
        if let (State::Int(v), "decimal") = (&self.state, kind) {
            let texts = v.iter().zip(&self.valid).map(|(i, there)| there.then(|| i.to_string()));
            self.state = State::Decimal(texts.collect());
        }
        self.start(|n| match kind {
            "date" => State::Date(vec![0; n]),
            "time" => State::Time(vec![0; n]),
            _ => State::Decimal(vec![None; n]),
        });
        match (&mut self.state, kind) {
            (State::Date(v), "date") => push_to(v, &mut self.valid, number as i32),
            (State::Time(v), "time") => push_to(v, &mut self.valid, number),
            (State::Decimal(v), "decimal") => push_to(v, &mut self.valid, extra),
            _ => Err(self.refuse(kind)),
        }
    }
}

/// Integers up to here are floats without loss.
const EXACT: u64 = 1 << 53;

fn too_large() -> Refusal {
    Refusal::Type("the integer fits neither int64 nor uint64; pass it as a string or a float".into())
}

fn no_common() -> Refusal {
    let message = "the column holds negative integers and such from 2^63 on, which have no common type; pass them as strings or floats";
    Refusal::Type(message.into())
}

fn inexact(number: i64) -> Refusal {
    Refusal::Type(format!(
        "Integer value {number} is outside of the range exactly representable by a float64, which other values of the column are"
    ))
}

#[expect(clippy::unnecessary_wraps, reason = "the last step of every `push_…`")]
pub(super) fn push_to<T>(values: &mut Vec<T>, valid: &mut Vec<bool>, value: T) -> Eaten {
    values.push(value);
    valid.push(true);
    Ok(())
}
