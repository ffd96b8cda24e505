//! Numbers as pandas reads them: which texts are integers, and which are floats.

use super::CsvOptions;

/// An integer, or what it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Signed(i64),
    /// Above the largest `i64`.
    Unsigned(u64),
    /// Digits, but too many.
    TooLarge,
    No,
}

fn trimmed(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// Reads an integer: blanks around it and a sign are allowed, the thousands separator is dropped.
pub(super) fn whole(text: &[u8], options: &CsvOptions) -> Whole {
    let text = trimmed(text);
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    if !digits.first().is_some_and(u8::is_ascii_digit) {
        return Whole::No;
    }
    let mut value: Option<u64> = Some(0);
    for &byte in digits {
        if options.thousands == Some(byte) {
            continue;
        }
        if !byte.is_ascii_digit() {
            return Whole::No;
        }
        value = value.and_then(|v| v.checked_mul(10)?.checked_add(u64::from(byte - b'0')));
    }
    match (value, negative) {
        (None, _) => Whole::TooLarge,
        (Some(v), true) if v <= i64::MIN.unsigned_abs() => Whole::Signed(0_i64.wrapping_sub_unsigned(v)),
        (Some(_), true) => Whole::TooLarge,
        (Some(v), false) => i64::try_from(v).map_or(Whole::Unsigned(v), Whole::Signed),
    }
}

/// Longest text that is looked at as a float.
const LONGEST: usize = 1024;

/// Reads a float, correctly rounded; `None` if the text is none. `inf`, `infinity` and signs of them are floats.
pub(super) fn float(text: &[u8], options: &CsvOptions) -> Option<f64> {
    let text = trimmed(text);
    let body = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
        return Some(if text.first() == Some(&b'-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    let first = body.first()?;
    if !(first.is_ascii_digit() || *first == options.decimal) || text.len() > LONGEST {
        return None;
    }
    let plain = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<f64>().ok();
    if options.decimal == b'.' && options.thousands.is_none() {
        plain(text)
    } else {
        let kept = text.iter().filter(|b| options.thousands != Some(**b));
        let pointed = kept.map(|&b| match b {
            b if b == options.decimal => b'.',
            b'.' => b'x', // not the decimal point, so not a number
            b => b,
        });
        plain(&pointed.collect::<Vec<u8>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        let options = CsvOptions::default();
        let read = |text: &str| whole(text.as_bytes(), &options);
        assert_eq!(read("007"), Whole::Signed(7));
        assert_eq!(read(" -9223372036854775808 "), Whole::Signed(i64::MIN));
        assert_eq!(read("9223372036854775808"), Whole::Unsigned(1 << 63));
        assert_eq!(read("1e3"), Whole::No);
        assert_eq!(read(""), Whole::No);
        assert_eq!(read("99999999999999999999999999"), Whole::TooLarge);
        let thousands = CsvOptions { thousands: Some(b','), ..CsvOptions::default() };
        assert_eq!(whole(b"1,234", &thousands), Whole::Signed(1234));
    }

    #[test]
    fn floats() {
        let options = CsvOptions::default();
        let read = |text: &str| float(text.as_bytes(), &options);
        assert_eq!(read("1.5"), Some(1.5));
        assert_eq!(read("1e3"), Some(1000.0));
        assert_eq!(read("-inf"), Some(f64::NEG_INFINITY));
        for bad in ["", "x", "1.5x", "e5", "1e", "0x10", "."] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
