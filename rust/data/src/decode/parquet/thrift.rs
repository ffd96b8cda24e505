//! A walk over Thrift's compact protocol, in which Parquet's footer, page headers and indexes are written.
//!
//! The parquet crate allocates what a list or a page announces before it reads it. The walk reads first: a list that is
//! longer than its bytes never reaches the crate, and the sizes of pages are known before anything is unpacked.

/// Deepest nesting; Parquet's own structures have less than ten levels.
const DEEPEST: usize = 32;

/// What is not the compact protocol, or ends too early.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Walks over one struct at the start of `bytes` and gives its length. `number` gets the field ids from the outside in
/// (elements of lists add none) and the value of every integer.
pub(super) fn walk(bytes: &[u8], number: &mut dyn FnMut(&[i16], i64)) -> Result<usize, Broken> {
    let mut walk = Walk { bytes, at: 0, path: Vec::new(), number };
    walk.fields()?;
    Ok(walk.at)
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    path: Vec<i16>,
    number: &'a mut dyn FnMut(&[i16], i64),
}

impl Walk<'_> {
    fn byte(&mut self) -> Result<u8, Broken> {
        let byte = *self.bytes.get(self.at).ok_or(Broken)?;
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, length: u64) -> Result<(), Broken> {
        let end = usize::try_from(length).ok().and_then(|l| self.at.checked_add(l)).ok_or(Broken)?;
        if end > self.bytes.len() {
            return Err(Broken);
        }
        self.at = end;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    fn zigzag(&mut self) -> Result<i64, Broken> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn fields(&mut self) -> Result<(), Broken> {
        if self.path.len() >= DEEPEST {
            return Err(Broken);
        }
        let mut id = 0_i16;
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == 0 {
                return Ok(());
            }
            id = match head >> 4 {
                0 => i16::try_from(self.zigzag()?).map_err(|_| Broken)?,
                step => id.checked_add(i16::from(step)).ok_or(Broken)?,
            };
            self.path.push(id);
            if kind > 2 {
                self.value(kind)?; // a boolean's value is in its kind
            }
            self.path.pop();
        }
    }

    fn value(&mut self, kind: u8) -> Result<(), Broken> {
        match kind {
            1..=3 => self.skip(1),
            4..=6 => {
                let value = self.zigzag()?;
                (self.number)(&self.path, value);
                Ok(())
            }
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                self.elements(count, head & 0x0f)
            }
            12 => self.fields(),
            _ => Err(Broken), // maps are nowhere in Parquet
        }
    }

    fn elements(&mut self, count: u64, kind: u8) -> Result<(), Broken> {
        // Lists of lists are nowhere in Parquet; every other element takes a byte at least.
        if matches!(kind, 0 | 9..=11) || count > (self.bytes.len() - self.at) as u64 {
            return Err(Broken);
        }
        (0..count).try_for_each(|_| self.value(kind))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    type Found = Vec<(Vec<i16>, i64)>;

    fn numbers(bytes: &[u8]) -> Result<(usize, Found), Broken> {
        let mut found = Vec::new();
        let length = walk(bytes, &mut |path, value| found.push((path.to_vec(), value)))?;
        Ok((length, found))
    }

    #[test]
    fn numbers_and_places() {
        // 1: i32 = 0, 2: i32 = 100, 5: struct { 1: i64 = -1, 2: true }, 6: list of two i32, then bytes behind.
        let bytes =
            [0x15, 0x00, 0x15, 0xc8, 0x01, 0x3c, 0x16, 0x01, 0x11, 0x00, 0x19, 0x25, 0x02, 0x04, 0x00, 9];
        let (length, found) = numbers(&bytes).unwrap();
        assert_eq!(length, bytes.len() - 1);
        let expected: Found =
            vec![(vec![1], 0), (vec![2], 100), (vec![5, 1], -1), (vec![6], 1), (vec![6], 2)];
        assert_eq!(found, expected);
        for cut in 0..length {
            assert_eq!(numbers(bytes.get(..cut).unwrap()), Err(Broken), "cut at {cut}");
        }
    }

    #[test]
    fn a_list_longer_than_its_bytes() {
        assert_eq!(numbers(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00, 0x00]), Err(Broken));
        assert_eq!(numbers(&vec![0x1c; 100_000]), Err(Broken));
    }

    proptest! {
        #[test]
        fn ends_on_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((length, _)) = numbers(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
