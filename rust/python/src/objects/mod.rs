//! Arrow values to Python objects (`to_py`, the row maker) and back (`from_py`, the object eater): one place each.

pub(crate) mod eater;
pub(crate) mod from_py;
mod numpy;
mod same;
mod ticks;
pub(crate) mod to_py;
pub(crate) mod values;
