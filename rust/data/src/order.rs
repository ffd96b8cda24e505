//! `RowOrder`: which rows of a table, in which order. Orders compose; rows are never copied.

use std::sync::Arc;

use crate::error::{DataError, DataErrorKind};

/// Row numbers of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOrder {
    /// `len` rows from `start` on.
    Range {
        /// First row.
        start: usize,
        /// Number of rows.
        len: usize,
    },
    /// Any rows, in any order, also several times.
    Indices(Arc<Vec<u64>>),
}

impl RowOrder {
    /// All rows of a table.
    pub fn all(rows: usize) -> Self {
        Self::Range { start: 0, len: rows }
    }

    /// Number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Range { len, .. } => *len,
            Self::Indices(rows) => rows.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table row at a position.
    #[inline]
    pub fn get(&self, position: usize) -> Option<usize> {
        match self {
            Self::Range { start, len } => (position < *len).then(|| start + position),
            Self::Indices(rows) => rows.get(position).map(|&r| r as usize),
        }
    }

    /// Positions `start..start + len` of this order.
    ///
    /// # Errors
    /// `OutOfBounds` if they are not all there.
    pub fn select_range(&self, start: usize, len: usize) -> Result<Self, DataError> {
        let end =
            start.checked_add(len).filter(|&e| e <= self.len()).ok_or_else(|| self.outside(start + len))?;
        Ok(match self {
            Self::Range { start: first, .. } => Self::Range { start: first + start, len },
            Self::Indices(rows) => Self::Indices(Arc::new(rows.get(start..end).unwrap_or_default().to_vec())),
        })
    }

    /// The given positions of this order. Ascending neighbours stay a range.
    ///
    /// # Errors
    /// `OutOfBounds` for a position past the end.
    pub fn select_indices(&self, positions: &[u64]) -> Result<Self, DataError> {
        if let Some(bad) = positions.iter().find(|&&p| p >= self.len() as u64) {
            return Err(self.outside(*bad as usize));
        }
        let neighbours = positions.windows(2).all(|w| matches!(w, [a, b] if a.checked_add(1) == Some(*b)));
        match (self, positions.first()) {
            (_, None) => Ok(Self::Range { start: 0, len: 0 }),
            (_, Some(&first)) if neighbours => self.select_range(first as usize, positions.len()),
            (Self::Range { start, .. }, _) => {
                Ok(Self::Indices(Arc::new(positions.iter().map(|p| p + *start as u64).collect())))
            }
            (Self::Indices(rows), _) => {
                let picked = positions.iter().filter_map(|&p| rows.get(p as usize).copied());
                Ok(Self::Indices(Arc::new(picked.collect())))
            }
        }
    }

    /// The same for numbers that can be kept: they are not copied where the order is all rows of a table.
    ///
    /// # Errors
    /// `OutOfBounds` for a position past the end.
    pub fn select_owned(&self, positions: Arc<Vec<u64>>) -> Result<Self, DataError> {
        let whole = matches!(self, Self::Range { start: 0, .. });
        let ascends = matches!(positions.get(..2), Some([a, b]) if a.checked_add(1) == Some(*b));
        if !whole || ascends || positions.len() < 2 {
            return self.select_indices(&positions);
        }
        let last = positions.iter().copied().fold(0, u64::max);
        if last >= self.len() as u64 {
            return Err(self.outside(last as usize));
        }
        Ok(Self::Indices(positions))
    }

    fn outside(&self, position: usize) -> DataError {
        let message = format!("row {position} of {} rows", self.len());
        DataError::new(DataErrorKind::OutOfBounds, message)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn composes_like_lists(rows in 1_usize..60, seed in prop::collection::vec(0_u64..1000, 1..30), cut in 0_usize..30) {
            let positions: Vec<u64> = seed.iter().map(|s| s % rows as u64).collect();
            let order = RowOrder::all(rows + 5).select_range(5, rows).unwrap();
            let mut expected: Vec<usize> = positions.iter().map(|&p| p as usize + 5).collect();
            let mut got = order.select_indices(&positions).unwrap();
            prop_assert_eq!(&got, &order.select_owned(Arc::new(positions.clone())).unwrap());
            let all = RowOrder::all(rows);
            prop_assert_eq!(all.select_indices(&positions).unwrap(), all.select_owned(Arc::new(positions.clone())).unwrap());
            let reverse: Vec<u64> = (0..expected.len() as u64).rev().collect();
            got = got.select_indices(&reverse).unwrap();
            expected.reverse();
            let cut = cut.min(expected.len());
            got = got.select_range(cut, expected.len() - cut).unwrap();
            expected.drain(..cut);
            prop_assert_eq!((0..got.len()).map(|i| got.get(i).unwrap()).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn neighbours_stay_a_range() {
        let order = RowOrder::all(10).select_indices(&[3, 4, 5]).unwrap();
        assert_eq!(order, RowOrder::Range { start: 3, len: 3 });
        assert!(order.select_indices(&[3]).is_err());
        assert!(RowOrder::all(3).select_owned(Arc::new(vec![2, 0, 3])).is_err());
        assert!(order.select_range(2, 2).is_err());
    }
}
