//! Lengths in the `DELTA_BINARY_PACKED` encoding, counted before the parquet crate believes them.
//!
//! The crate reserves memory for as many values as the header announces, and strings that share prefixes may be
//! thousands of times as long as their bytes. Both are known here before anything is allocated.

/// What is not the encoding, or ends too early.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// A stream of 32-bit integers: its header, then one value after the other.
pub(super) struct Delta<'a> {
    bytes: &'a [u8],
    /// Byte of the next block, or of the end.
    next: usize,
    mini_blocks: usize,
    per_mini_block: usize,
    /// Values that the header announces.
    pub(super) count: u64,
    left: u64,
    first: bool,
    value: i64,
    least: i64,
    /// Widths of the block's mini blocks, where the current one's bits start, its number and its values still to come.
    widths: &'a [u8],
    bits: usize,
    mini_block: usize,
    mini_left: usize,
}

impl<'a> Delta<'a> {
    /// Reads the header.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut next = 0;
        let block = usize::try_from(varint(bytes, &mut next)?).map_err(|_| Broken)?;
        let mini_blocks = usize::try_from(varint(bytes, &mut next)?).map_err(|_| Broken)?;
        let count = varint(bytes, &mut next)?;
        let value = zigzag(bytes, &mut next)?;
        let per_mini_block = block.checked_div(mini_blocks).ok_or(Broken)?;
        if block == 0 || !block.is_multiple_of(mini_blocks) || !per_mini_block.is_multiple_of(32) {
            return Err(Broken);
        }
        Ok(Self {
            bytes,
            next,
            mini_blocks,
            per_mini_block,
            count,
            left: count,
            first: true,
            value,
            least: 0,
            widths: &[],
            bits: 0,
            mini_block: 0,
            mini_left: 0,
        })
    }

    /// The bytes behind all values.
    fn end(mut self) -> Result<&'a [u8], Broken> {
        let mut left = self.count.saturating_sub(1);
        while left > 0 {
            self.left = left - 1;
            self.block()?;
            left = left.saturating_sub((self.per_mini_block * self.mini_blocks) as u64);
        }
        self.rest()
    }

    /// The bytes behind the stream, once all values are taken.
    fn rest(&self) -> Result<&'a [u8], Broken> {
        self.bytes.get(self.next..).ok_or(Broken)
    }

    /// The next value, as the 32-bit integer that the crate makes of it.
    fn value(&mut self) -> Result<i32, Broken> {
        self.left = self.left.checked_sub(1).ok_or(Broken)?;
        if self.first {
            self.first = false;
            return Ok(self.value as i32);
        }
        if self.mini_left == 0 {
            self.mini_block += 1;
            if self.mini_block >= self.widths.len() {
                self.block()?;
            }
            self.mini_left = self.per_mini_block;
        }
        self.mini_left -= 1;
        let width = usize::from(*self.widths.get(self.mini_block).ok_or(Broken)?);
        let delta = if width == 0 { 0 } else { self.packed(width)? };
        self.value =
            i64::from((self.value as i32).wrapping_add(self.least as i32).wrapping_add(delta as i32));
        Ok(self.value as i32)
    }

    fn packed(&mut self, width: usize) -> Result<u64, Broken> {
        if width > 32 {
            return Err(Broken);
        }
        let (byte, shift) = (self.bits / 8, self.bits % 8);
        let from = self.bytes.get(byte..).ok_or(Broken)?;
        let word = match from.first_chunk::<8>() {
            Some(eight) => u64::from_le_bytes(*eight),
            None => from.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        };
        if from.len() * 8 < shift + width {
            return Err(Broken);
        }
        self.bits += width;
        Ok(word >> shift & ((1 << width) - 1))
    }

    fn block(&mut self) -> Result<(), Broken> {
        let mut at = self.next;
        self.least = zigzag(self.bytes, &mut at)?;
        let start = at.checked_add(self.mini_blocks).ok_or(Broken)?;
        self.widths = self.bytes.get(at..start).ok_or(Broken)?;
        (self.bits, self.mini_block) = (start.checked_mul(8).ok_or(Broken)?, 0);
        self.next = start;
        // The value being read is of this block. Behind the last one nothing is stored, whatever the widths say.
        let mut left = usize::try_from(self.left.saturating_add(1)).unwrap_or(usize::MAX);
        for &width in self.widths {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(self.per_mini_block);
            let bytes = (usize::from(width)).checked_mul(self.per_mini_block).ok_or(Broken)? / 8;
            self.next = self.next.checked_add(bytes).ok_or(Broken)?;
        }
        Ok(())
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Broken> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = *bytes.get(*at).ok_or(Broken)?;
        *at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Broken)
}

fn zigzag(bytes: &[u8], at: &mut usize) -> Result<i64, Broken> {
    let value = varint(bytes, at)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Bytes that the strings of a `DELTA_BYTE_ARRAY` stream take: each is so many bytes of the one before, and a suffix.
/// Stops at the first length over `most`.
pub(super) fn joined_bytes(bytes: &[u8], most: u64) -> Result<u64, Broken> {
    let mut prefixes = Delta::new(bytes)?;
    let mut suffixes = Delta::new(Delta::new(bytes)?.end()?)?;
    if suffixes.count != prefixes.count {
        return Err(Broken);
    }
    let (mut length, mut total, mut there) = (0_u64, 0_u64, bytes.len() as u64);
    while prefixes.left > 0 && total <= most {
        // A negative prefix leaves the string before whole.
        let prefix = u64::try_from(prefixes.value()?).unwrap_or(u64::MAX);
        let suffix = u64::try_from(suffixes.value()?).map_err(|_| Broken)?;
        there = there.checked_sub(suffix).ok_or(Broken)?;
        length = length.min(prefix).saturating_add(suffix);
        total = total.saturating_add(length);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn put(out: &mut Vec<u8>, mut value: u64) {
        while value > 0x7f {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }

    fn put_signed(out: &mut Vec<u8>, value: i64) {
        put(out, (value << 1 ^ value >> 63) as u64);
    }

    /// The encoding in its plainest form: blocks of 128 in 4 parts of the same width.
    fn encoded(values: &[i32]) -> Vec<u8> {
        let mut out = Vec::new();
        [128, 4, values.len() as u64].into_iter().for_each(|n| put(&mut out, n));
        put_signed(&mut out, i64::from(values.first().copied().unwrap_or(0)));
        let deltas: Vec<i32> = values.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
        for block in deltas.chunks(128) {
            let least = *block.iter().min().unwrap();
            put_signed(&mut out, i64::from(least));
            let bits: Vec<u32> = block.iter().map(|d| d.wrapping_sub(least) as u32).collect();
            let width = 32 - bits.iter().max().unwrap().leading_zeros() as usize;
            let parts = bits.len().div_ceil(32);
            out.extend((0..4).map(|part| if part < parts { width as u8 } else { 77 }));
            let mut packed = vec![0_u8; parts * 32 * width / 8];
            for (index, value) in bits.iter().enumerate() {
                for bit in (0..width).filter(|b| value >> b & 1 == 1) {
                    packed[(index * width + bit) / 8] |= 1 << ((index * width + bit) % 8);
                }
            }
            out.extend(packed);
        }
        out
    }

    fn decoded(bytes: &[u8]) -> Result<(Vec<i32>, usize), Broken> {
        let mut delta = Delta::new(bytes)?;
        let mut values = Vec::new();
        while delta.left > 0 {
            values.push(delta.value()?);
        }
        let rest = delta.rest()?.len();
        assert_eq!(Delta::new(bytes)?.end()?.len(), rest);
        Ok((values, rest))
    }

    proptest! {
        #[test]
        fn values_and_rest(values in prop::collection::vec(any::<i32>(), 0..400), behind in 0_usize..9) {
            let mut bytes = encoded(&values);
            bytes.extend(std::iter::repeat_n(0xff, behind));
            prop_assert_eq!(decoded(&bytes), Ok((values, behind)));
        }

        #[test]
        fn ends_on_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(mut delta) = Delta::new(&bytes) {
                for _ in 0..1000 {
                    if delta.value().is_err() {
                        break;
                    }
                }
            }
            let _ = joined_bytes(&bytes, 1 << 20);
        }
    }

    #[test]
    fn strings_of_shared_prefixes() {
        let mut bytes = encoded(&[0, 1, 5, -1]);
        bytes.extend(encoded(&[3, 4, 0, 1]));
        bytes.extend([0; 8]);
        assert_eq!(joined_bytes(&bytes, u64::MAX), Ok(3 + 5 + 5 + 6));
        let mut bytes = encoded(&[0; 1]);
        bytes.extend(encoded(&[-3]));
        assert_eq!(joined_bytes(&bytes, u64::MAX), Err(Broken));
    }

    #[test]
    fn a_bomb_is_counted_without_its_bytes() {
        // A million strings, each the whole of the first.
        let mut prefixes = vec![1 << 20; 1 << 20];
        prefixes[0] = 0;
        let mut suffixes = vec![0; 1 << 20];
        suffixes[0] = 1 << 20;
        let mut bytes = encoded(&prefixes);
        bytes.extend(encoded(&suffixes));
        assert!(bytes.len() < 1 << 18);
        assert_eq!(joined_bytes(&bytes, u64::MAX), Err(Broken), "the first string is not there");
        bytes.resize(2 << 20, 0);
        assert_eq!(joined_bytes(&bytes, u64::MAX), Ok(1 << 40));
        assert!(joined_bytes(&bytes, 1 << 30).unwrap() < 1 << 31);
    }
}
