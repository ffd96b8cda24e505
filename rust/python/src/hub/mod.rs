//! Python classes of the hub side.

pub(crate) mod cache;
pub(crate) mod client;
mod download;
pub(crate) mod remote;
pub(crate) mod request;
pub(crate) mod server;
mod upload;
