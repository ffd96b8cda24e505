//! HTTP: one client, redirects by hand, one retry policy, one reading of error answers.

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod page;
pub(crate) mod retry;

pub use call::{Answer, Call, Pages, Subject, encode_pairs};
pub use client::Http;
