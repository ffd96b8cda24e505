//! Python classes of the hub side.

pub(crate) mod client;
pub(crate) mod remote;
pub(crate) mod request;
pub(crate) mod server;
