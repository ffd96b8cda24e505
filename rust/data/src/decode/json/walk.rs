//! Where the values of an object or array lie in a text, without reading them.

use std::borrow::Cow;
use std::ops::Range;

use super::parser::{Parsed, Parser};

impl<'a> Parser<'a> {
    /// Goes over one value; returns where it lies.
    pub(super) fn extent(&mut self) -> Parsed<Range<usize>> {
        self.blanks();
        let start = self.at;
        self.skip(&mut Vec::new())?;
        Ok(start..self.at)
    }

    /// Goes over the object here, and gives its keys and where their values lie.
    pub(super) fn members(&mut self, mut each: impl FnMut(Cow<'a, str>, Range<usize>)) -> Parsed<()> {
        self.deeper()?;
        self.blanks();
        self.expect(b'{', "expected an object")?;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                self.blanks();
                let key = self.key()?;
                self.blanks();
                self.expect(b':', "expected `:` after a key")?;
                let extent = self.extent()?;
                each(key, extent);
                self.blanks();
                match self.next() {
                    Some(b',') => {}
                    Some(b'}') => break,
                    _ => return Err(self.syntax_before("expected `,` or `}` after a value")),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Goes over the array here, and gives where its items lie.
    pub(super) fn elements(&mut self, mut each: impl FnMut(Range<usize>)) -> Parsed<()> {
        self.deeper()?;
        self.blanks();
        self.expect(b'[', "expected an array")?;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                let extent = self.extent()?;
                each(extent);
                self.blanks();
                match self.next() {
                    Some(b',') => {}
                    Some(b']') => break,
                    _ => return Err(self.syntax_before("expected `,` or `]` after an array item")),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }
}
