//! The listing of a whole commit, if it is short: one request, kept in the cache, the answer to every later question.

use crate::api::TreeEntry;
use crate::cache::layout::Layout;
use crate::cache::store;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::http::client::parse;
use crate::http::page::next_page;
use crate::repo::{RepoRef, encode_segment};

impl HubClient {
    /// Files and folders of a commit if they fit into one page, or if the cache has them all; else `None`, and folders
    /// are better listed one by one.
    ///
    /// # Errors
    /// As `list_tree`; `InvalidArgument` for a revision that is not a full commit.
    pub async fn list_tree_if_short(&self, repo: &RepoRef) -> Result<Option<Vec<TreeEntry>>, HubError> {
        if !repo.is_commit() {
            let message = format!("{}: only the listing of a full commit is kept", repo.shown());
            return Err(HubError::new(HubErrorKind::InvalidArgument, message));
        }
        let layout = Layout::new(self.config().cache_dir(), repo);
        if let Some(entries) = store::read_tree(&layout, &repo.revision) {
            return Ok(Some(entries));
        }
        self.online(repo)?;
        let url = parse(&format!(
            "{}/api/{}/{}/tree/{}?recursive=true&expand=false",
            self.config().endpoint(),
            repo.kind.plural(),
            repo.id,
            encode_segment(&repo.revision)
        ))?;
        let (raw, headers) = self.get_json(repo, &url).await?;
        let serde_json::Value::Array(items) = raw else {
            let message = format!("{}: the listing is not a list", repo.shown());
            return Err(HubError::new(HubErrorKind::Http, message));
        };
        if next_page(&headers, &url)?.is_some() {
            return Ok(None);
        }
        let entries: Vec<TreeEntry> = items.into_iter().filter_map(TreeEntry::parse).collect();
        self.keep_tree(repo, &entries);
        Ok(Some(entries))
    }

    /// Keeps the complete listing of a commit that was put together from parts, given as the hub sent them.
    ///
    /// # Errors
    /// `InvalidArgument` for a revision that is not a full commit, or for entries that are none.
    pub fn keep_listing(&self, repo: &RepoRef, entries: &[u8]) -> Result<(), HubError> {
        let wrong =
            |why: &str| HubError::new(HubErrorKind::InvalidArgument, format!("{}: {why}", repo.shown()));
        if !repo.is_commit() {
            return Err(wrong("only the listing of a full commit is kept"));
        }
        let items: Vec<serde_json::Value> =
            serde_json::from_slice(entries).map_err(|e| wrong(&format!("not a listing: {e}")))?;
        let entries: Vec<TreeEntry> = items.into_iter().filter_map(TreeEntry::parse).collect();
        self.keep_tree(repo, &entries);
        Ok(())
    }

    /// A cache that cannot be written to costs a listing next time, nothing else.
    fn keep_tree(&self, repo: &RepoRef, entries: &[TreeEntry]) {
        let layout = Layout::new(self.config().cache_dir(), repo);
        // A repository without a snapshot's folder counts as damaged when the official client scans the cache.
        let _ = store::make_parent(&layout.pointer(&repo.revision, "any"));
        let _ = store::write_tree(&layout, &repo.revision, entries);
    }
}
