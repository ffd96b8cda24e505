//! JSON text straight into builders: one pass, no tree of values.
//!
//! The text must be valid UTF-8 (checked once for a whole chunk by the caller).

use super::builder::{Builder, Found, Misfit, StructBuilder};
use super::raw::{Path, Step};

/// Where and why parsing stopped.
pub(super) struct Fail {
    /// Byte offset in the text.
    pub(super) at: usize,
    pub(super) why: Why,
    /// Steps from the inside out.
    pub(super) path: Path,
}

pub(super) enum Why {
    Syntax(&'static str),
    Misfit(Misfit),
    Twice(String),
    Depth(usize),
    Missing(u64),
}

pub(super) type Parsed<T> = Result<T, Fail>;

pub(super) struct Parser<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) depth: usize,
    max_depth: usize,
    /// Nulls so far for keys that objects lack, and how many there may be.
    pub(super) missing: u64,
    pub(super) max_missing: u64,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a [u8], max_depth: usize) -> Self {
        let at = if text.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        Self { text, at, depth: 0, max_depth, missing: 0, max_missing: u64::MAX }
    }

    /// Objects one after the other (on lines or not) into rows. Returns the number of rows.
    pub(super) fn rows(&mut self, root: &mut StructBuilder) -> Parsed<usize> {
        let mut rows = 0;
        loop {
            self.blanks();
            match self.peek() {
                None => return Ok(rows),
                Some(b'{') => self.object(root, rows)?,
                Some(_) => return Err(self.syntax("expected an object at the start of a row")),
            }
            rows += 1;
        }
    }

    /// One array of objects into rows, and nothing after it.
    pub(super) fn array_of_rows(&mut self, root: &mut StructBuilder) -> Parsed<usize> {
        let mut rows = 0;
        self.blanks();
        self.expect(b'[', "expected an array")?;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return self.end().map(|()| 0);
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'{') {
                return Err(self.syntax("expected an object as array item"));
            }
            self.object(root, rows)?;
            rows += 1;
            self.blanks();
            match self.next() {
                Some(b',') => {}
                Some(b']') => return self.end().map(|()| rows),
                _ => return Err(self.syntax_before("expected `,` or `]` after an array item")),
            }
        }
    }

    pub(super) fn end(&mut self) -> Parsed<()> {
        self.blanks();
        if self.at < self.text.len() { Err(self.syntax("text after the end of the array")) } else { Ok(()) }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    pub(super) fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn expect(&mut self, byte: u8, message: &'static str) -> Parsed<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.syntax(message))
        }
    }

    pub(super) fn syntax(&self, message: &'static str) -> Fail {
        let message = if self.at >= self.text.len() { "the text ends too early" } else { message };
        Fail { at: self.at.min(self.text.len()), why: Why::Syntax(message), path: Vec::new() }
    }

    pub(super) fn syntax_before(&mut self, message: &'static str) -> Fail {
        if self.at < self.text.len() {
            self.at = self.at.saturating_sub(1);
        }
        self.syntax(message)
    }

    pub(super) fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > self.max_depth {
            return Err(Fail { at: self.at, why: Why::Depth(self.max_depth), path: Vec::new() });
        }
        Ok(())
    }

    fn object(&mut self, into: &mut StructBuilder, rows: usize) -> Parsed<()> {
        self.deeper()?;
        self.at += 1; // {
        let mut count = 0;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                self.blanks();
                let start = self.at;
                // Most objects have the keys of those before, in their order.
                let key = if self.passes(into.written(count)) { None } else { Some(self.key()?) };
                self.blanks();
                self.expect(b':', "expected `:` after a key")?;
                self.blanks();
                let place = key.as_deref().map_or(count, |key| into.place_of(count, key));
                let field = match into.field(place, rows) {
                    Found::There(field) => field,
                    Found::Behind(field, nulls) => {
                        self.lacks(nulls as u64)?;
                        field.push_nulls(nulls);
                        field
                    }
                    Found::Twice => {
                        let why = Why::Twice(into.name(place).to_owned());
                        return Err(Fail { at: start, why, path: Vec::new() });
                    }
                };
                if let Err(mut fail) = self.value(field) {
                    fail.path.push(Step::Key(into.name(place).into()));
                    return Err(fail);
                }
                count += 1;
                self.blanks();
                match self.next() {
                    Some(b',') => {}
                    Some(b'}') => break,
                    _ => return Err(self.syntax_before("expected `,` or `}` after a value")),
                }
            }
        }
        into.end_row(count);
        self.depth -= 1;
        Ok(())
    }

    /// Counts nulls that stand for nothing in the text.
    #[inline]
    fn lacks(&mut self, nulls: u64) -> Parsed<()> {
        self.missing = self.missing.saturating_add(nulls);
        if self.missing > self.max_missing {
            return Err(Fail { at: self.at, why: Why::Missing(self.max_missing), path: Vec::new() });
        }
        Ok(())
    }

    #[inline]
    fn value(&mut self, into: &mut Builder) -> Parsed<()> {
        let start = self.at;
        if into.is_raw() {
            return self.raw(into);
        }
        match self.peek() {
            Some(b'"') => {
                let data = into.text().map_err(misfit_at(start))?;
                self.string(data)?;
                into.end_text();
                Ok(())
            }
            Some(b'{') => {
                let (fields, rows) = into.structure().map_err(misfit_at(start))?;
                self.object(fields, rows)?;
                into.end_struct();
                Ok(())
            }
            Some(b'[') => {
                let items = into.list().map_err(misfit_at(start))?;
                self.items(items)?;
                into.end_list();
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(into),
            Some(b't') => self.word(b"true").and_then(|()| into.push_bool(true).map_err(misfit_at(start))),
            Some(b'f') => self.word(b"false").and_then(|()| into.push_bool(false).map_err(misfit_at(start))),
            Some(b'n') => {
                self.word(b"null")?;
                into.push_null();
                Ok(())
            }
            Some(b'N') => {
                self.word(b"NaN").and_then(|()| into.push_float(f64::NAN).map_err(misfit_at(start)))
            }
            Some(b'I') => {
                self.word(b"Infinity").and_then(|()| into.push_float(f64::INFINITY).map_err(misfit_at(start)))
            }
            _ => Err(self.syntax("expected a value")),
        }
    }

    /// A value of any type, kept as its text.
    fn raw(&mut self, into: &mut Builder) -> Parsed<()> {
        let start = self.at;
        if self.peek() == Some(b'n') {
            self.word(b"null")?;
            into.push_null();
            return Ok(());
        }
        self.skip(&mut Vec::new())?;
        into.push_raw(self.text.get(start..self.at).unwrap_or_default());
        Ok(())
    }

    /// Goes over a value, checking it; `scratch` takes the strings.
    pub(super) fn skip(&mut self, scratch: &mut Vec<u8>) -> Parsed<()> {
        match self.peek() {
            Some(b'"') => {
                scratch.clear();
                self.string(scratch)
            }
            Some(open @ (b'{' | b'[')) => {
                self.deeper()?;
                self.at += 1;
                let close = if open == b'{' { b'}' } else { b']' };
                self.blanks();
                if self.peek() == Some(close) {
                    self.at += 1;
                } else {
                    loop {
                        self.blanks();
                        if open == b'{' {
                            self.key()?;
                            self.blanks();
                            self.expect(b':', "expected `:` after a key")?;
                            self.blanks();
                        }
                        self.skip(scratch)?;
                        self.blanks();
                        match self.next() {
                            Some(b',') => {}
                            Some(byte) if byte == close => break,
                            _ => return Err(self.syntax_before("expected `,` or the end after a value")),
                        }
                    }
                }
                self.depth -= 1;
                Ok(())
            }
            Some(b'n') => self.word(b"null"),
            // Numbers and words: as anywhere, into a column that nobody reads.
            _ => self.value(&mut Builder::default()),
        }
    }

    fn items(&mut self, into: &mut Builder) -> Parsed<()> {
        self.deeper()?;
        self.at += 1; // [
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.blanks();
                if let Err(mut fail) = self.value(into) {
                    fail.path.push(Step::Items);
                    return Err(fail);
                }
                self.blanks();
                match self.next() {
                    Some(b',') => {}
                    Some(b']') => break,
                    _ => return Err(self.syntax_before("expected `,` or `]` after a list item")),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn word(&mut self, word: &'static [u8]) -> Parsed<()> {
        if self.text.get(self.at..self.at + word.len()) == Some(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.syntax("expected a value"))
        }
    }

    fn number(&mut self, into: &mut Builder) -> Parsed<()> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        if negative {
            self.at += 1;
            if self.peek() == Some(b'I') {
                self.word(b"Infinity")?;
                return into.push_float(f64::NEG_INFINITY).map_err(misfit_at(start));
            }
        }
        let digits = self.at;
        let mut whole: u64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            whole = whole.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let count = self.at - digits;
        if count == 0 || (count > 1 && self.text.get(digits) == Some(&b'0')) {
            self.at = digits;
            return Err(self.syntax("not a number"));
        }
        let fraction = self.fraction()?;
        if !fraction && count <= 18 {
            let value = whole as i64;
            return into.push_int(if negative { -value } else { value }).map_err(misfit_at(start));
        }
        let text =
            self.text.get(start..self.at).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or_default();
        if !fraction && let Ok(value) = text.parse::<i64>() {
            return into.push_int(value).map_err(misfit_at(start));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => into.push_float(value).map_err(misfit_at(start)),
            _ => {
                self.at = start;
                Err(self.syntax("a number out of range"))
            }
        }
    }

    /// The part of a number after the whole digits; whether there was one.
    fn fraction(&mut self) -> Parsed<bool> {
        let start = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.at > start)
    }

    fn digits(&mut self) -> Parsed<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.syntax("expected a digit")) } else { Ok(()) }
    }
}

fn misfit_at(at: usize) -> impl Fn(Misfit) -> Fail {
    move |misfit| Fail { at, why: Why::Misfit(misfit), path: Vec::new() }
}
