//! Python classes of the data side.

pub(crate) mod ahead;
pub(crate) mod counter;
mod distinct;
pub(crate) mod filtered;
mod identity;
pub(crate) mod image;
pub(crate) mod indices;
pub(crate) mod lazy;
pub(crate) mod lazy_rows;
pub(crate) mod lists;
pub(crate) mod lock;
pub(crate) mod merge;
pub(crate) mod numeric;
pub(crate) mod opening;
pub(crate) mod permutation;
pub(crate) mod pickle;
pub(crate) mod row_calls;
pub(crate) mod samples;
pub(crate) mod sort;
pub(crate) mod spill;
pub(crate) mod stack;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod table_make;
pub(crate) mod together;
pub(crate) mod units;
pub(crate) mod write;
