//! HTTP: one client, redirects by hand, one retry policy, one rate budget, one reading of error answers.
//!
//! | file | what |
//! | --- | --- |
//! | `client` | redirects, headers, who may see the token |
//! | `transport`, `proxy` | certificates, proxies, connections |
//! | `budget`, `bucket`, `limits` | the server's rate limits, kept by all processes together |
//! | `retry`, `random` | what is tried again, and after how long |
//! | `answer` | error answers and connection failures |
//! | `call`, `page` | any request; listings |
//! | `pulse` | counters |

pub(crate) mod answer;
mod bucket;
mod budget;
pub(crate) mod call;
pub(crate) mod client;
mod limits;
pub(crate) mod page;
pub(crate) mod proxy;
pub(crate) mod pulse;
pub(crate) mod random;
pub(crate) mod retry;
pub(crate) mod transport;

pub use call::{Answer, Call, Pages, Subject, encode_pairs};
pub use client::Http;
pub use pulse::{NetworkState, network_state};
