//! The files of a commit. A commit never changes, so its listing is kept for ever; processes that want the same one at the
//! same time ask once.

use std::path::{Path, PathBuf};

use super::DownloadOptions;
use crate::api::TreeEntry;
use crate::cache::layout::Layout;
use crate::cache::lock::FileLock;
use crate::cache::store;
use crate::client::HubClient;
use crate::error::HubError;
use crate::repo::RepoRef;

/// Larger listings are not read for the sake of one file: asking the hub is quicker.
const READ_FOR_ONE: u64 = 2 << 20;

/// Where the listing of a commit is kept: beside the files it is about.
pub(super) fn tree_file(layout: &Layout, commit: &str, local_dir: Option<&Path>) -> PathBuf {
    match local_dir {
        Some(folder) => folder.join(".cache/huggingface/trees").join(format!("{commit}.json")),
        None => layout.tree(commit),
    }
}

/// Whether a cached listing is small enough to be read for one file; `None` if there is none or it is too large.
pub(super) fn small_tree(layout: &Layout, commit: &str, local_dir: Option<&Path>) -> Option<Vec<TreeEntry>> {
    let own = tree_file(layout, commit, local_dir);
    [own, layout.tree(commit)]
        .iter()
        .find(|file| std::fs::metadata(file).is_ok_and(|m| m.len() <= READ_FOR_ONE))
        .and_then(|file| store::read_tree_at(file))
}

impl HubClient {
    /// All files of a commit. With `keep`, the answer is written to the cache.
    pub(super) async fn commit_tree(
        &self,
        repo: &RepoRef,
        options: &DownloadOptions,
        keep: bool,
    ) -> Result<Vec<TreeEntry>, HubError> {
        let layout = Layout::new(self.config().cache_dir(), repo);
        let file = tree_file(&layout, &repo.revision, options.local_dir.as_deref());
        if let Some(tree) = store::read_tree_at(&file) {
            return Ok(tree);
        }
        if options.local_dir.is_some()
            && let Some(tree) = store::read_tree(&layout, &repo.revision)
        {
            if keep {
                let _ = store::write_tree_at(&file, &tree);
            }
            return Ok(tree);
        }
        self.online(repo)?;
        if !keep {
            return self.ask_tree(repo, None, true, false).await;
        }
        // Beside the listing where that is in a folder of the user's: the cache may stay untouched.
        let place = match &options.local_dir {
            Some(_) => file.with_extension("lock"),
            None => layout.note(&format!("{}.tree.lock", repo.revision)),
        };
        let mut lock = FileLock::acquire(&place, self.config(), &options.notices).await.ok();
        let answer = if let Some(tree) = store::read_tree_at(&file) {
            Ok(tree)
        } else {
            // Whoever waited and finds nothing saw the first one fail: those ask all at once.
            if let Some(held) = lock.take_if(|held| held.waited()) {
                held.remove(&place);
            }
            let asked = self.ask_tree(repo, None, true, false).await;
            if let Ok(tree) = &asked {
                let _ = store::write_tree_at(&file, tree); // the cache may be read-only
            }
            asked
        };
        if let Some(held) = lock {
            held.remove(&place);
        }
        answer
    }
}
