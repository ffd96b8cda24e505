//! Bytes that indexes of a dictionary stand for: a run of a million long strings is a few bytes of a file.

use bytes::Bytes;

/// Bytes of a page's strings from which they are counted one by one.
const PROOF: u64 = 16 << 20;

/// The strings of a dictionary page.
#[derive(Default)]
pub(super) struct Dictionary {
    page: Bytes,
    longest: u64,
    /// Length of each string, once they are needed.
    lengths: Vec<u32>,
}

impl Dictionary {
    /// Of a page of strings, each behind its length.
    pub(super) fn new(page: &Bytes) -> Self {
        let longest = strings(page).map(u64::from).max().unwrap_or(0);
        Self { page: page.clone(), longest, lengths: Vec::new() }
    }

    /// Bytes of the strings of a data page of `count` values; at most so many, if they are few.
    pub(super) fn bytes_of(&mut self, indexes: &[u8], count: u64) -> u64 {
        let most = count.saturating_mul(self.longest);
        if most <= PROOF {
            return most;
        }
        if self.lengths.is_empty() {
            self.lengths = strings(&self.page).collect();
        }
        let Some((&width, runs)) = indexes.split_first() else { return 0 };
        sum(runs, u32::from(width), count, &self.lengths)
    }
}

/// Lengths of the strings of a page, as long as they are there.
fn strings(page: &[u8]) -> impl Iterator<Item = u32> {
    let mut rest = page;
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        rest = behind.get(usize::try_from(length).ok()?..)?;
        Some(length)
    })
}

/// The sum of lengths that indexes in the RLE and bit-packing hybrid choose. What is broken counts nothing: the decoder
/// finds it.
fn sum(mut runs: &[u8], width: u32, count: u64, lengths: &[u32]) -> u64 {
    let length =
        |index: u64| usize::try_from(index).ok().and_then(|i| lengths.get(i)).map_or(0, |&l| u64::from(l));
    let (mut left, mut total) = (count, 0_u64);
    while left > 0 && width <= 32 {
        let Some(head) = varint(&mut runs) else { break };
        if head & 1 == 0 {
            let run = (head >> 1).min(left);
            let bytes = width.div_ceil(8) as usize;
            let Some((value, behind)) = runs.split_at_checked(bytes) else { break };
            let index = value.iter().rev().fold(0, |index, &byte| index << 8 | u64::from(byte));
            total = total.saturating_add(run.saturating_mul(length(index)));
            (runs, left) = (behind, left - run);
        } else {
            let values = (head >> 1).saturating_mul(8);
            let run = values.min(left);
            let bits = values.saturating_mul(u64::from(width));
            let packed = runs.get(..usize::try_from(bits / 8).unwrap_or(usize::MAX)).unwrap_or(runs);
            let there = if width == 0 { run } else { (packed.len() as u64 * 8 / u64::from(width)).min(run) };
            if width == 0 {
                total = total.saturating_add(run.saturating_mul(length(0)));
            } else {
                let mask = (1_u64 << width) - 1;
                for at in 0..there {
                    let bit = (at * u64::from(width)) as usize;
                    let from = packed.get(bit / 8..).unwrap_or_default();
                    let word = match from.first_chunk::<8>() {
                        Some(eight) => u64::from_le_bytes(*eight),
                        None => from.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
                    };
                    total = total.saturating_add(length(word >> (bit % 8) & mask));
                }
            }
            (runs, left) = (runs.get(packed.len()..).unwrap_or_default(), left - run);
            if there < run {
                break;
            }
        }
    }
    total
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(strings: &[usize]) -> Bytes {
        let bytes = strings.iter().flat_map(|&length| {
            (length as u32).to_le_bytes().into_iter().chain(std::iter::repeat_n(b'x', length))
        });
        bytes.collect()
    }

    #[test]
    fn runs_and_packed_indexes() {
        let mut strings = Dictionary::new(&page(&[10, 3000, 0, 7]));
        // 100,000 times the second; then 8 packed of two bits: 0 1 2 3 0 1 2 3, of which 6 are values.
        let indexes = [&[2][..], &[0xc0, 0x9a, 0x0c, 1], &[3, 0b1110_0100, 0b1110_0100]].concat();
        assert_eq!(strings.bytes_of(&indexes, 100_006), 100_000 * 3000 + 2 * (10 + 3000) + 7);
        assert_eq!(strings.bytes_of(&indexes, 8), 8 * 3000, "few are not counted");
        assert_eq!(strings.bytes_of(&[0, 0xc0, 0x9a, 0x0c], 1 << 40), 100_000 * 10);
        assert_eq!(strings.bytes_of(&[], 1 << 40), 0);
        assert_eq!(Dictionary::new(&page(&[])).bytes_of(&indexes, u64::MAX), 0);
    }

    proptest! {
        #[test]
        fn ends_on_anything(bytes in prop::collection::vec(any::<u8>(), 0..60), count in any::<u64>()) {
            Dictionary::new(&page(&[1, 1 << 20])).bytes_of(&bytes, count);
            Dictionary::new(&bytes.clone().into()).bytes_of(&bytes, count);
        }
    }
}
