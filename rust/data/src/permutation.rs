//! Permutations that numpy's generators draw, drawn faster: the same numbers, with the memory asked for ahead.

use crate::cancel::Cancel;
use crate::error::DataError;

/// How many partners are drawn before their rows are swapped: the processor then waits for many of them at once.
const DRAWN: usize = 256;

/// The permutation of `0..rows` that `numpy.random.Generator.permutation` gives.
///
/// It is a Fisher-Yates shuffle from the last row down; each partner is the first draw, under the smallest mask of ones
/// that covers it, that is not past the row (`_shuffle_raw` and `random_interval` of numpy 1.17 to 2.4). `draw` is the
/// generator's next 32 random bits.
///
/// # Errors
/// `Cancelled`.
pub fn permutation(rows: u32, mut draw: impl FnMut() -> u32, cancel: &Cancel) -> Result<Vec<u64>, DataError> {
    let mut order: Vec<u64> = (0..u64::from(rows)).collect();
    let mut partners = [0_u32; DRAWN];
    let mut last = rows.saturating_sub(1);
    let mut batches = 0_usize;
    while last > 0 {
        batches += 1;
        if batches.is_multiple_of(1024) {
            cancel.check()?;
        }
        let drawn = DRAWN.min(last as usize);
        for (partner, row) in partners.iter_mut().zip((1..=last).rev()).take(drawn) {
            let mask = u32::MAX >> row.leading_zeros();
            *partner = loop {
                let value = draw() & mask;
                if value <= row {
                    break value;
                }
            };
        }
        for (&partner, row) in partners.iter().zip((1..=last).rev()).take(drawn) {
            order.swap(row as usize, partner as usize);
        }
        last -= drawn as u32;
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_is_there_once(rows in 0_u32..2000, seed in any::<u32>()) {
            let mut state = seed | 1;
            let draw = || { state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453); state ^ (state >> 16) };
            let mut order = permutation(rows, draw, &Cancel::new()).unwrap();
            order.sort_unstable();
            prop_assert_eq!(order, (0..u64::from(rows)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn stops_when_asked() {
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(permutation(1 << 20, || 0, &cancel).is_err());
    }
}
