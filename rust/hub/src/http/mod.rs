//! HTTP: one client, redirects by hand, one retry policy, one reading of error answers.

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod page;
pub(crate) mod retry;

pub use client::Http;
