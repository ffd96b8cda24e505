//! Decimals as Python's `Decimal` writes them.

/// `str(Decimal)`: with an exponent where more than six zeros would follow the point, or zeros the digits.
pub(crate) fn text(out: &mut Vec<u8>, digits: &str, scale: i32) {
    let digits = sign(out, digits);
    let left = digits.len() as i32 - scale;
    if scale >= 0 && left > -6 {
        placed(out, digits, left);
        return;
    }
    placed(out, digits, 1);
    out.push(b'E');
    out.push(if left - 1 < 0 { b'-' } else { b'+' });
    super::number::integer(out, (left - 1).unsigned_abs());
}

/// `format(Decimal, "f")`: never with an exponent.
pub(crate) fn plain(out: &mut Vec<u8>, digits: &str, scale: i32) {
    let zero = digits.bytes().all(|b| b == b'0');
    let digits = sign(out, digits);
    // Zeros are not multiplied by a negative scale.
    placed(out, digits, if zero && scale < 0 { 1 } else { digits.len() as i32 - scale });
}

fn sign<'a>(out: &mut Vec<u8>, digits: &'a str) -> &'a str {
    digits.strip_prefix('-').map_or(digits, |rest| {
        out.push(b'-');
        rest
    })
}

/// Digits with the decimal point behind the first `left` of them.
fn placed(out: &mut Vec<u8>, digits: &str, left: i32) {
    let digits = digits.as_bytes();
    let before = usize::try_from(left).unwrap_or(0);
    let (whole, fraction) = digits.split_at(before.min(digits.len()));
    out.extend_from_slice(if before == 0 { b"0" } else { whole });
    out.resize(out.len() + before.saturating_sub(digits.len()), b'0');
    if !fraction.is_empty() {
        out.push(b'.');
        out.resize(out.len() + usize::try_from(-left).unwrap_or(0), b'0');
        out.extend_from_slice(fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python() {
        let cases = [
            ("150", 2, "1.50", "1.50"),
            ("-1", 2, "-0.01", "-0.01"),
            ("0", 2, "0.00", "0.00"),
            ("1", 10, "1E-10", "0.0000000001"),
            ("0", 10, "0E-10", "0.0000000000"),
            ("1", 6, "0.000001", "0.000001"),
            ("1", 7, "1E-7", "0.0000001"),
            ("123", -2, "1.23E+4", "12300"),
            ("1", -2, "1E+2", "100"),
            ("12", 0, "12", "12"),
        ];
        for (digits, scale, expected, expected_plain) in cases {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            text(&mut a, digits, scale);
            plain(&mut b, digits, scale);
            assert_eq!(String::from_utf8_lossy(&a), expected);
            assert_eq!(String::from_utf8_lossy(&b), expected_plain);
        }
    }
}
