//! Python's `repr` of bytes.

/// `b'…'`, in double quotes where there are single ones and no double ones.
pub(crate) fn repr(out: &mut Vec<u8>, value: &[u8]) {
    let quote = if value.contains(&b'\'') && !value.contains(&b'"') { b'"' } else { b'\'' };
    out.push(b'b');
    out.push(quote);
    for &byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b if b == quote => out.extend_from_slice(&[b'\\', b]),
            b' '..=b'~' => out.push(byte),
            _ => {
                out.extend_from_slice(b"\\x");
                hex(out, byte);
            }
        }
    }
    out.push(quote);
}

/// Two lower-case hexadecimal digits.
pub(crate) fn hex(out: &mut Vec<u8>, byte: u8) {
    let digit = |d: u8| if d < 10 { b'0' + d } else { b'a' + d - 10 };
    out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "b''"),
            (b"a'b", "b\"a'b\""),
            (b"a'\"b", "b'a\\'\"b'"),
            (b"\x00\xff\n\t\r\\~\x7f", "b'\\x00\\xff\\n\\t\\r\\\\~\\x7f'"),
            (b"say \"x\"", "b'say \"x\"'"),
        ];
        for (value, expected) in cases {
            let mut out = Vec::new();
            repr(&mut out, value);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
