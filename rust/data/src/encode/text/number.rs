//! Numbers: Python's `repr` of floats, and the floats of pandas' JSON.

use std::io::Write;

/// Below this, numbers are written with an exponent.
const SMALLEST_PLAIN: f64 = 1e-4;
/// From here on, Python writes float64 with an exponent.
const FLOAT64_LIMIT: f64 = 1e16;

/// An integer.
pub(crate) fn integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Python's `repr` of a float64.
pub(crate) fn float64(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        shortest(out, zmij::Buffer::new().format_finite(value), value, FLOAT64_LIMIT);
    } else {
        not_finite(out, value);
    }
}

/// numpy's `str` of a float32, which has an exponent from `limit` on (1e6, or 1e16 in older releases).
pub(crate) fn float32(out: &mut Vec<u8>, value: f32, limit: f64) {
    if value.is_finite() {
        shortest(out, zmij::Buffer::new().format_finite(value), value.into(), limit);
    } else {
        not_finite(out, value.into());
    }
}

fn not_finite(out: &mut Vec<u8>, value: f64) {
    let text: &[u8] = if value.is_nan() {
        b"nan"
    } else if value < 0.0 {
        b"-inf"
    } else {
        b"inf"
    };
    out.extend_from_slice(text);
}

/// Puts the shortest digits of a number, which `text` has in some form, into Python's form.
fn shortest(out: &mut Vec<u8>, text: &str, value: f64, limit: f64) {
    let size = value.abs();
    let plain = size == 0.0 || (SMALLEST_PLAIN..limit).contains(&size);
    if plain && !text.contains('e') {
        out.extend_from_slice(text.as_bytes());
        if !text.contains('.') {
            out.extend_from_slice(b".0");
        }
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let (mantissa, exponent) = text.trim_start_matches('-').split_once('e').unwrap_or((text, "0"));
    let mantissa = mantissa.trim_start_matches('-');
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let zeros = all.iter().take_while(|b| **b == b'0').count();
    let digits = all.get(zeros..).unwrap_or_default();
    let digits =
        digits.get(..digits.iter().rposition(|b| *b != b'0').map_or(0, |at| at + 1)).unwrap_or_default();
    // The place of the decimal point behind the first digit.
    let point = whole.len() as i32 - zeros as i32 - 1 + exponent.parse::<i32>().unwrap_or(0);
    if plain {
        plain_digits(out, digits, point);
    } else {
        exponential(out, digits, point);
    }
}

fn plain_digits(out: &mut Vec<u8>, digits: &[u8], point: i32) {
    let before = usize::try_from(point + 1).unwrap_or(0);
    let (whole, fraction) = digits.split_at(before.min(digits.len()));
    out.extend_from_slice(if before == 0 { b"0" } else { whole });
    out.resize(out.len() + before.saturating_sub(digits.len()), b'0');
    out.push(b'.');
    out.resize(out.len() + usize::try_from(-1 - point).unwrap_or(0), b'0');
    out.extend_from_slice(if fraction.is_empty() { b"0" } else { fraction });
}

fn exponential(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    if let Some((first, rest)) = digits.split_first() {
        out.push(*first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let size = exponent.unsigned_abs();
    if size < 10 {
        out.push(b'0');
    }
    integer(out, size);
}

/// A float64 with a fixed number of decimals, as C's `%.Nf`.
pub(crate) fn fixed(out: &mut Vec<u8>, value: f64, decimals: usize) {
    if value.is_finite() {
        let _ = write!(out, "{value:.decimals$}"); // writing to memory does not fail
    } else {
        not_finite(out, value);
    }
}

/// A finite float of pandas' JSON: rounded to `precision` decimals (1 to 15), with an exponent only when very large or
/// very small.
pub(crate) fn json_float(out: &mut Vec<u8>, value: f64, precision: u32) {
    let size = value.abs();
    if value < 0.0 {
        out.push(b'-');
    }
    if size > FLOAT64_LIMIT || (size != 0.0 && size < 1e-15) {
        let digits = usize::try_from(precision).unwrap_or(1).max(1) - 1;
        let text = format!("{size:.digits$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits: Vec<u8> = mantissa.bytes().filter(|b| *b != b'.').collect();
        let kept = digits.iter().rposition(|b| *b != b'0').map_or(0, |at| at + 1);
        exponential(out, digits.get(..kept).unwrap_or_default(), exponent.parse().unwrap_or(0));
        return;
    }
    let scale = 10_u64.pow(precision);
    let mut whole = size as u64;
    let scaled = (size - whole as f64) * scale as f64;
    let mut fraction = scaled as u64;
    let rest = scaled - fraction as f64;
    // Halves go to the even number, but up from zero.
    #[expect(clippy::float_cmp, reason = "exactly a half")]
    if rest > 0.5 || (rest == 0.5 && (fraction == 0 || fraction % 2 == 1)) {
        fraction += 1;
    }
    if fraction >= scale {
        fraction = 0;
        whole += 1;
    }
    integer(out, whole);
    out.push(b'.');
    if fraction == 0 {
        out.push(b'0');
        return;
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(fraction);
    out.resize(out.len() + (precision as usize).saturating_sub(digits.len()), b'0');
    out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn floats_as_python_writes_them() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (1e16, "1e+16"),
            (-1e22, "-1e+22"),
            (1e-4, "0.0001"),
            (1.25e-5, "1.25e-05"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(|o| float64(o, value)), expected);
        }
        for (value, expected) in [(999_999.94, "999999.94"), (1e6, "1e+06"), (0.1, "0.1"), (1e-4, "1e-04")] {
            assert_eq!(text(|o| float32(o, value, 1e6)), expected);
        }
        assert_eq!(text(|o| float32(o, 16_777_216.0, 1e16)), "16777216.0");
        assert_eq!(text(|o| float32(o, 1e15, 1e16)), "1000000000000000.0");
    }

    #[test]
    fn floats_as_pandas_json_has_them() {
        let cases = [
            (1.0 / 3.0, "0.3333333333"),
            (-0.0, "0.0"),
            (1e16, "10000000000000000.0"),
            (1e22, "1e+22"),
            (5e-324, "4.940656458e-324"),
            (9.99e-16, "9.99e-16"),
            (1e-15, "0.0"),
            (0.999_999_999_99, "1.0"),
            (123_456_789.123_456_79, "123456789.123456791"),
            (-12.5, "-12.5"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(|o| json_float(o, value, 10)), expected);
        }
        assert_eq!(text(|o| json_float(o, 2.0 / 3.0, 3)), "0.667");
    }
}
