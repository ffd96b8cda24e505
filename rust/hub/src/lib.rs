//! The Hub: client, cache and mirror. Knows neither Python nor Arrow.
//!
//! | module | what |
//! | --- | --- |
//! | [`config`], [`auth`], [`repo`] | settings, tokens, names |
//! | `http` | one client, redirects by hand, retries, error answers |
//! | [`api`] | info, listing, metadata |
//! | `cache` | the official layout on disk: paths, atomic writes, locks |
//! | [`download`] | one file, several, a snapshot: resumed, verified |
//! | [`range`], [`stream`], [`along`] | a remote file read by byte ranges, or from a position on; its hash on the way |
//! | [`upload`] | files into a commit: hashed, stored, committed |
//! | [`server`] | a read-only mirror over a folder |
//!
//! Nothing here makes threads or a runtime: the caller brings tokio.
#![forbid(unsafe_code)]

pub mod along;
mod apart;
pub mod api;
pub mod auth;
mod cache;
pub mod client;
pub mod config;
pub mod download;
pub mod error;
mod http;
pub mod listing;
pub mod notice;
mod patterns;
mod place;
pub mod progress;
pub mod range;
pub mod repo;
pub mod server;
pub mod stream;
pub mod upload;

pub use along::Along;
pub use api::{FileMeta, RepoInfo, TreeEntry};
pub use auth::{Token, TokenChoice, TokenSource};
pub use cache::blocks::{BLOCK, Kept, KeptEnd};
pub use cache::extract::{ExtractLimits, Extracted, extract};
pub use cache::hash::{HashForm, hash_file};
pub use client::HubClient;
pub use config::HubConfig;
pub use download::{DownloadOptions, FilePlan, SnapshotOptions};
pub use error::{HubError, HubErrorKind};
pub use http::{Answer, Call, Http, NetworkState, Pages, Subject, encode_pairs, network_state};
pub use notice::{Notice, NoticeKind, Notices};
pub use progress::Progress;
pub use range::{RemoteFile, WebFacts};
pub use repo::{RepoKind, RepoRef};
pub use reqwest::Method;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use stream::RemoteStream;
pub use upload::{Addition, Change, CommitRequest, Committed, Content, Mode, Planned, UploadOptions};
