//! Keys and strings of JSON text.

use std::borrow::Cow;

use memchr::memchr2;

use super::parser::{Parsed, Parser};

/// A key as it stands in the text, quotes included; empty where it would need escapes.
pub(super) fn written(key: &str) -> Box<[u8]> {
    let plain = !has_control(key.as_bytes()) && memchr2(b'"', b'\\', key.as_bytes()).is_none();
    if plain { [b"\"", key.as_bytes(), b"\""].concat().into() } else { Box::default() }
}

impl<'a> Parser<'a> {
    /// Goes past a key if it is this one, as `written` gives it.
    #[inline]
    pub(super) fn passes(&mut self, written: &[u8]) -> bool {
        let here = self.text.get(self.at..self.at + written.len());
        let found = !written.is_empty() && here == Some(written);
        if found {
            self.at += written.len();
        }
        found
    }

    /// A key, borrowed unless it has escapes.
    pub(super) fn key(&mut self) -> Parsed<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("expected a key in quotes"));
        }
        let start = self.at + 1;
        let rest = self.text.get(start..).unwrap_or_default();
        if let Some(end) = memchr2(b'"', b'\\', rest)
            && rest.get(end) == Some(&b'"')
        {
            let raw = rest.get(..end).unwrap_or_default();
            if !has_control(raw)
                && let Ok(key) = std::str::from_utf8(raw)
            {
                self.at = start + end + 1;
                return Ok(key.into());
            }
        }
        let mut bytes = Vec::new();
        self.string(&mut bytes)?;
        String::from_utf8(bytes).map(Into::into).map_err(|_| self.syntax("a key is not UTF-8"))
    }

    /// A string, unescaped, to the end of `out`.
    #[inline]
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        self.at += 1; // "
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(end) = memchr2(b'"', b'\\', rest) else {
                self.at = self.text.len();
                return Err(self.syntax("a string does not end"));
            };
            let plain = rest.get(..end).unwrap_or_default();
            if has_control(plain) {
                self.at += plain.iter().position(|b| *b < 0x20).unwrap_or(0);
                return Err(self.syntax("a control character in a string must be escaped"));
            }
            out.extend_from_slice(plain);
            self.at += end + 1;
            if rest.get(end) == Some(&b'"') {
                return Ok(());
            }
            self.escape(out)?;
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let byte = match self.next() {
            Some(b'n') => b'\n',
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'u') => return self.unicode(out),
            _ => return Err(self.syntax_before("unknown escape in a string")),
        };
        out.push(byte);
        Ok(())
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let first = self.hex()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if self.text.get(self.at..self.at + 2) != Some(b"\\u") {
                    return Err(self.syntax("a lone surrogate in a string"));
                }
                self.at += 2;
                match self.hex()? {
                    second @ 0xDC00..=0xDFFF => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                    _ => return Err(self.syntax("a lone surrogate in a string")),
                }
            }
            code => code,
        };
        let Some(letter) = char::from_u32(code) else {
            return Err(self.syntax("a lone surrogate in a string"));
        };
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hex(&mut self) -> Parsed<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|b| char::from(b).to_digit(16));
            code =
                code * 16 + digit.ok_or_else(|| self.syntax_before("expected four hex digits after \\u"))?;
        }
        Ok(code)
    }
}

/// Branch-free so that it is done many bytes at a time.
#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "a lazy `or` would be a branch for each byte")]
fn has_control(text: &[u8]) -> bool {
    text.iter().fold(false, |found, byte| found | (*byte < 0x20))
}
