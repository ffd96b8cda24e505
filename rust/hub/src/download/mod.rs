//! Files into the cache or a folder: decide first, then fetch, verify, and only then name.
//!
//! | file | what |
//! | --- | --- |
//! | `commit` | revision to commit, asked once per machine where ranks start together |
//! | `listing` | the files of a commit, asked once per machine |
//! | `file` | one file into the cache |
//! | `local_dir` | one file into a folder of the user's choice |
//! | `snapshot` | many files, or all |
//! | `offline` | what the cache alone can answer, and the errors where it cannot |
//! | `body`, `verify` | the bytes of one blob |

use std::path::PathBuf;
use std::sync::Arc;

use crate::notice::Notices;
use crate::progress::Progress;

mod body;
mod commit;
mod file;
mod job;
mod journal;
mod listing;
mod local_dir;
mod offline;
mod parts;
mod plan;
mod preflight;
mod snapshot;
mod target;
pub(crate) mod verify;
pub(crate) mod watchdog;

/// How to download.
#[derive(Clone, Debug)]
pub struct DownloadOptions {
    /// Fetch again what is there.
    pub force: bool,
    /// Use the cache alone.
    pub local_files_only: bool,
    /// Files at a time; six of at most 1 MiB count as one.
    pub max_workers: usize,
    /// A folder for the files, in place of the cache.
    pub local_dir: Option<PathBuf>,
    /// Counters to show.
    pub progress: Arc<Progress>,
    /// Warnings to show.
    pub notices: Arc<Notices>,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            force: false,
            local_files_only: false,
            max_workers: 8,
            local_dir: None,
            progress: Arc::default(),
            notices: Arc::default(),
        }
    }
}

/// How to download a snapshot.
#[derive(Clone, Debug, Default)]
pub struct SnapshotOptions {
    /// For each file.
    pub download: DownloadOptions,
    /// Only files that match one of these (`fnmatch`).
    pub allow_patterns: Option<Vec<String>>,
    /// No files that match one of these.
    pub ignore_patterns: Option<Vec<String>>,
}

/// What a download would do with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlan {
    /// The commit of the file.
    pub commit: String,
    /// Bytes, where known.
    pub size: Option<u64>,
    /// Path in the repository.
    pub path: String,
    /// Where the file is or would be.
    pub place: PathBuf,
    /// Whether it is there.
    pub cached: bool,
    /// Whether its bytes would be fetched.
    pub will_download: bool,
}
