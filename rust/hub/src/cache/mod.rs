//! The cache on disk: the official client's layout, shared with it while both run.

pub(crate) mod blocks;
pub(crate) mod extract;
pub(crate) mod hash;
pub(crate) mod layout;
pub(crate) mod lock;
mod owner;
pub(crate) mod store;
