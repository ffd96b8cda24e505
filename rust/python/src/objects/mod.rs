//! Arrow values to Python objects (`to_py`, the row maker) and back (`from_py`, the object eater): one place each.

pub(crate) mod eater;
pub(crate) mod from_py;
pub(crate) mod gc;
mod numpy;
mod same;
pub(crate) mod stored;
mod ticks;
pub(crate) mod to_py;
pub(crate) mod values;
