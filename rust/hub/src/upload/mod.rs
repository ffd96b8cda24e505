//! Files to the hub: what a commit holds, how its large files get into the store, and the commit itself.
//!
//! | file | what |
//! | --- | --- |
//! | `plan` | asks the hub how each file is to come, and hashes it |
//! | `lfs` | large files: which the store lacks, whole or in parts |
//! | `body` | a file as the body of a request, and when sending it is too slow |
//! | `commit` | the commit, once even where its answer is lost |
//!
//! Protocol: HUB_PROTOCOL 1.8 and the Git LFS batch API. Large files go to presigned addresses, which never see a token.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::progress::Progress;

pub(crate) mod body;
mod commit;
mod lfs;
mod plan;

pub use commit::{Change, CommitRequest, Committed};
pub use plan::{Mode, Planned};

/// What is uploaded.
#[derive(Clone, Debug)]
pub enum Content {
    /// A local file.
    File(PathBuf),
    /// Bytes in memory.
    Bytes(Bytes),
}

/// A file that a commit shall bring.
#[derive(Clone, Debug)]
pub struct Addition {
    /// Path in the repository.
    pub path: String,
    /// Its bytes.
    pub content: Content,
}

/// How files are uploaded.
#[derive(Clone, Debug)]
pub struct UploadOptions {
    /// Whether they are for a pull request that the commit will open.
    pub create_pr: bool,
    /// A `.gitignore` that decides what is left out; the repository's when absent.
    pub gitignore: Option<String>,
    /// Connections at the most.
    pub connections: usize,
    /// Counters of the bytes of large files.
    pub progress: Arc<Progress>,
}

impl Default for UploadOptions {
    fn default() -> Self {
        Self { create_pr: false, gitignore: None, connections: 5, progress: Arc::default() }
    }
}
