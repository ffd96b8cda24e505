//! Questions about repositories: info, listing, one file's metadata.

use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, HeaderName};
use serde_json::{Value, json};
use url::Url;

use crate::cache::layout::Layout;
use crate::cache::store;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::http::answer::{error_of, etag, explained, header, refuse_html};
use crate::http::call::whole_body;
use crate::http::client::{Redirects, parse, redirect_target};
use crate::http::page::next_page;
use crate::http::retry::with_retries;
use crate::repo::{RepoRef, encode_path, encode_segment, is_commit, safe_path};

/// Pages of a listing that are followed at the most: 1,000 entries each.
const MAX_PAGES: usize = 20_000;

/// What the hub says about a repository.
#[derive(Clone, Debug)]
pub struct RepoInfo {
    /// The commit of the revision asked for.
    pub sha: Option<String>,
    /// The whole answer; fields of a newer hub are kept.
    pub raw: Value,
}

/// A file or folder of a listing.
#[derive(Clone, Debug)]
pub struct TreeEntry {
    /// Path in the repository.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Git object id.
    pub oid: String,
    /// For large files: sha256 and size.
    pub lfs: Option<(String, u64)>,
    /// Xet hash.
    pub xet_hash: Option<String>,
    /// The entry as the hub sent it (or as the cached listing gives it).
    pub raw: Value,
    file: bool,
}

impl TreeEntry {
    pub(crate) fn parse(raw: Value) -> Option<Self> {
        let text = |key: &str| raw.get(key).and_then(Value::as_str).map(str::to_owned);
        let lfs =
            raw.get("lfs").and_then(|l| Some((l.get("oid")?.as_str()?.to_owned(), l.get("size")?.as_u64()?)));
        Some(Self {
            path: text("path")?,
            size: raw.get("size").and_then(Value::as_u64).unwrap_or(0),
            oid: text("oid").unwrap_or_default(),
            lfs,
            xet_hash: text("xetHash"),
            file: raw.get("type").and_then(Value::as_str) != Some("directory"),
            raw,
        })
    }

    pub(crate) fn cached(
        path: String,
        size: u64,
        oid: String,
        lfs: Option<(String, u64)>,
        xet: Option<String>,
    ) -> Self {
        let mut raw = json!({"type": "file", "path": path, "size": size, "oid": oid});
        if let (Some((sha, bytes)), Some(map)) = (&lfs, raw.as_object_mut()) {
            map.insert("lfs".into(), json!({"oid": sha, "size": bytes}));
        }
        Self { path, size, oid, lfs, xet_hash: xet, raw, file: true }
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        self.file
    }

    /// The name of the file's blob: the content's sha256 for large files, the git id for others.
    pub fn etag(&self) -> &str {
        self.lfs.as_ref().map_or(self.oid.as_str(), |l| l.0.as_str())
    }
}

/// What the hub says about a file before its bytes.
#[derive(Clone, Debug)]
pub struct FileMeta {
    /// Commit that answered.
    pub commit: String,
    /// Name of the blob.
    pub etag: String,
    /// Bytes, where the hub says.
    pub size: Option<u64>,
    /// Where the bytes are; may be signed, so not for logs.
    pub location: String,
}

impl HubClient {
    /// Fails in offline mode.
    pub(crate) fn online(&self, repo: &RepoRef) -> Result<(), HubError> {
        if !self.config().offline() {
            return Ok(());
        }
        let message = format!("{}: offline mode is on, no request was made", repo.shown());
        Err(HubError::new(HubErrorKind::Offline, message)
            .with(|c| c.repo_id = Some(repo.id.clone()))
            .with_hint("HF_HUB_OFFLINE (or offline=True) forbids requests; unset it to go online."))
    }

    pub(crate) async fn get_json(
        &self,
        repo: &RepoRef,
        url: &Url,
    ) -> Result<(Value, reqwest::header::HeaderMap), HubError> {
        with_retries(self.config(), || async {
            let work = async {
                let (response, at) =
                    self.http().send(self.config(), Method::GET, url, &[], Redirects::Follow).await?;
                let response = explained(response, &at, Some(repo), None).await?;
                refuse_html(&response, &at)?;
                let headers = response.headers().clone();
                let body = whole_body(response, &at).await?;
                let value = serde_json::from_slice(&body).map_err(|e| {
                    HubError::new(
                        HubErrorKind::Http,
                        format!("{}: the answer is not JSON: {e}", repo.shown()),
                    )
                    .with_hint("Is HF_ENDPOINT a hub? A login page of a network in between looks like this.")
                })?;
                Ok((value, headers))
            };
            self.within(self.config().metadata_timeout * 3, work).await
        })
        .await
    }

    /// Info of a repository at a revision.
    ///
    /// # Errors
    /// `RepositoryNotFound`, `RevisionNotFound`, `Gated`, `Connection`, `Offline`…
    pub async fn repo_info(&self, repo: &RepoRef, files_metadata: bool) -> Result<RepoInfo, HubError> {
        self.online(repo)?;
        let query = if files_metadata { "?blobs=true" } else { "" };
        let url = parse(&format!(
            "{}/api/{}/{}/revision/{}{query}",
            self.config().endpoint(),
            repo.kind.plural(),
            repo.id,
            encode_segment(&repo.revision)
        ))?;
        let (raw, _) = self.get_json(repo, &url).await?;
        let sha = raw.get("sha").and_then(Value::as_str).filter(|s| is_commit(s)).map(str::to_owned);
        Ok(RepoInfo { sha, raw })
    }

    /// Files (and folders) of a repository. The complete listing of a commit is kept in the cache and read from there.
    ///
    /// # Errors
    /// As `repo_info`; `EntryNotFound` for an unknown folder.
    pub async fn list_tree(
        &self,
        repo: &RepoRef,
        path: Option<&str>,
        recursive: bool,
        expand: bool,
    ) -> Result<Vec<TreeEntry>, HubError> {
        let layout = Layout::new(self.config().cache_dir(), repo);
        let whole = path.is_none() && recursive && !expand && repo.is_commit();
        if whole && let Some(entries) = store::read_tree(&layout, &repo.revision) {
            return Ok(entries);
        }
        let entries = self.ask_tree(repo, path, recursive, expand).await?;
        if whole {
            let _ = store::write_tree(&layout, &repo.revision, &entries); // a help for later calls
        }
        Ok(entries)
    }

    /// As `list_tree`, always from the hub, and nothing is kept.
    pub(crate) async fn ask_tree(
        &self,
        repo: &RepoRef,
        path: Option<&str>,
        recursive: bool,
        expand: bool,
    ) -> Result<Vec<TreeEntry>, HubError> {
        self.online(repo)?;
        let folder = match path {
            Some(path) => format!("/{}", encode_segment(safe_path(path)?)),
            None => String::new(),
        };
        let mut next = Some(parse(&format!(
            "{}/api/{}/{}/tree/{}{folder}?recursive={recursive}&expand={expand}",
            self.config().endpoint(),
            repo.kind.plural(),
            repo.id,
            encode_segment(&repo.revision)
        ))?);
        let mut entries = Vec::new();
        let mut pages = 0;
        while let Some(url) = next.take() {
            let (raw, headers) = self.get_json(repo, &url).await?;
            let Value::Array(items) = raw else {
                return Err(HubError::new(
                    HubErrorKind::Http,
                    format!("{}: the listing is not a list", repo.shown()),
                ));
            };
            entries.extend(items.into_iter().filter_map(TreeEntry::parse));
            pages += 1;
            if pages > MAX_PAGES {
                return Err(HubError::new(
                    HubErrorKind::Http,
                    format!("{}: the listing does not end", repo.shown()),
                ));
            }
            next = next_page(&headers, &url)?;
        }
        Ok(entries)
    }

    /// The address of a file.
    pub(crate) fn resolve_url(&self, repo: &RepoRef, path: &str) -> Result<Url, HubError> {
        parse(&format!(
            "{}/{}{}/resolve/{}/{}",
            self.config().endpoint(),
            repo.kind.url_prefix(),
            repo.id,
            encode_segment(&repo.revision),
            encode_path(safe_path(path)?)
        ))
    }

    /// Commit, etag, size and place of a file, without its bytes.
    ///
    /// # Errors
    /// As `repo_info`; `EntryNotFound` for an unknown file.
    pub async fn file_metadata(&self, repo: &RepoRef, path: &str) -> Result<FileMeta, HubError> {
        self.head_file(repo, path, false).await
    }

    /// As `file_metadata`; with `remember`, the cache learns that a commit does not have the file.
    pub(crate) async fn head_file(
        &self,
        repo: &RepoRef,
        path: &str,
        remember: bool,
    ) -> Result<FileMeta, HubError> {
        self.online(repo)?;
        let url = self.resolve_url(repo, path)?;
        let raw_bytes: [(HeaderName, String); 1] = [(ACCEPT_ENCODING, "identity".to_owned())];
        with_retries(self.config(), || async {
            let work = self.http().send(self.config(), Method::HEAD, &url, &raw_bytes, Redirects::Metadata);
            let (response, at) = self.within(self.config().metadata_timeout, work).await?;
            if let Some(error) = error_of(&response, &at, Some(repo), Some(path)) {
                if remember {
                    self.remember_missing(repo, path, &error, header(response.headers(), "x-repo-commit"));
                }
                return Err(error);
            }
            let headers = response.headers();
            let redirect = redirect_target(&response, &at)?;
            let size = header(headers, "x-linked-size").and_then(|s| s.parse().ok()).or_else(|| {
                header(headers, "content-length").filter(|_| redirect.is_none()).and_then(|s| s.parse().ok())
            });
            let odd = |what: &str| {
                let message = format!(
                    "{path} of {}: the answer has no {what}; is {} a hub?",
                    repo.shown(),
                    self.config().endpoint()
                );
                HubError::new(HubErrorKind::Http, message)
            };
            let etag = etag(headers).ok_or_else(|| odd("etag"))?;
            let told = header(headers, "x-repo-commit").filter(|c| is_commit(c));
            let commit = match told.or_else(|| repo.is_commit().then(|| repo.revision.clone())) {
                Some(commit) => commit,
                // Some mirrors leave the header out: the repository's info has it too.
                None => self.repo_info(repo, false).await?.sha.ok_or_else(|| odd("commit"))?,
            };
            Ok(FileMeta { commit, etag, size, location: redirect.unwrap_or(at).to_string() })
        })
        .await
    }

    fn remember_missing(&self, repo: &RepoRef, path: &str, error: &HubError, commit: Option<String>) {
        if error.kind() != HubErrorKind::EntryNotFound {
            return;
        }
        if let Some(commit) = commit.filter(|c| is_commit(c)) {
            let layout = Layout::new(self.config().cache_dir(), repo);
            store::write_no_exist(&layout, &commit, path);
            let _ = store::write_ref(&layout, &repo.revision, &commit);
        }
    }
}
