//! The commit: lines of JSON, one for each change.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderStringWriter;
use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};

use super::plan::hashed;
use super::{Addition, Content, Mode};
use crate::apart::apart;
use crate::api::TreeEntry;
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::http::retry::with_retries;
use crate::http::{Call, Subject, encode_pairs};
use crate::repo::{RepoRef, encode_segment, safe_path};

/// Bytes of the files within one commit at the most: what is larger belongs into the store.
const MAX_REGULAR: u64 = 1 << 30;

/// Paths of one question about files: the hub takes a thousand.
const PATHS_AT_ONCE: usize = 500;
const FORM: &str = "application/x-www-form-urlencoded";

/// One change of a commit.
#[derive(Clone, Debug)]
pub enum Change {
    /// A file whose bytes are in the commit.
    Regular(Addition),
    /// A file of the store.
    Large {
        /// Path in the repository.
        path: String,
        /// sha256.
        oid: String,
        /// Bytes; absent for a copy of a file that the repository has.
        size: Option<u64>,
    },
    /// A file that goes.
    DeletedFile(String),
    /// A folder that goes, with all below it.
    DeletedFolder(String),
}

/// A commit that is asked for.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    /// First line of its message.
    pub summary: String,
    /// The rest of its message.
    pub description: String,
    /// The commit that it shall follow; the hub refuses it (412) when there is a newer one.
    pub parent: Option<String>,
    /// Whether it opens a pull request.
    pub create_pr: bool,
    /// What changes, in order.
    pub changes: Vec<Change>,
}

/// A commit that was made.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its page.
    pub url: String,
    /// Its id.
    pub oid: String,
    /// The page of the pull request.
    pub pr_url: Option<String>,
}

fn line(out: &mut Vec<u8>, key: &str, value: Value) {
    out.extend_from_slice(json!({"key": key, "value": value}).to_string().as_bytes());
    out.push(b'\n');
}

fn encoded(content: &Content, left: &mut u64) -> Result<String, HubError> {
    let mut text = EncoderStringWriter::new(&STANDARD);
    let too_much = |size: u64| {
        let message = format!(
            "a commit of more than {} MiB in regular files (one has {size} bytes)",
            MAX_REGULAR >> 20
        );
        HubError::new(HubErrorKind::InvalidArgument, message)
            .with_hint("Make several commits, or let .gitattributes send such files to the store.")
    };
    match content {
        Content::Bytes(bytes) => {
            let size = bytes.len() as u64;
            *left = left.checked_sub(size).ok_or_else(|| too_much(size))?;
            let _ = text.write_all(bytes); // to memory
        }
        Content::File(path) => {
            let failed = |e| HubError::io("read", path, e);
            let mut file = std::fs::File::open(path).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            *left = left.checked_sub(size).ok_or_else(|| too_much(size))?;
            if std::io::copy(&mut file, &mut text).map_err(failed)? != size {
                return Err(failed(std::io::Error::other("its length changed while it was read")));
            }
        }
    }
    Ok(text.into_inner())
}

/// The body of the request.
fn lines(request: &CommitRequest) -> Result<Bytes, HubError> {
    let mut out = Vec::new();
    let mut header = json!({"summary": request.summary, "description": request.description});
    if let (Some(parent), Some(map)) = (&request.parent, header.as_object_mut()) {
        map.insert("parentCommit".into(), json!(parent));
    }
    line(&mut out, "header", header);
    let mut left = MAX_REGULAR;
    for change in &request.changes {
        match change {
            Change::Regular(file) => {
                let content = encoded(&file.content, &mut left)?;
                let path = safe_path(&file.path)?;
                line(&mut out, "file", json!({"content": content, "path": path, "encoding": "base64"}));
            }
            Change::Large { path, oid, size } => {
                let mut value = json!({"path": safe_path(path)?, "algo": "sha256", "oid": oid});
                if let (Some(size), Some(map)) = (size, value.as_object_mut()) {
                    map.insert("size".into(), json!(size));
                }
                line(&mut out, "lfsFile", value);
            }
            Change::DeletedFile(path) => line(&mut out, "deletedFile", json!({"path": safe_path(path)?})),
            Change::DeletedFolder(path) => {
                safe_path(path.trim_end_matches('/'))?;
                line(&mut out, "deletedFolder", json!({ "path": path }));
            }
        }
    }
    Ok(out.into())
}

impl HubClient {
    /// Makes a commit on the branch that the revision names.
    ///
    /// A commit whose answer got lost may have been made. Where the request names its parent that can be found out, so it
    /// is tried again; where it does not (and for pull requests), only what the hub certainly did not begin is.
    ///
    /// # Errors
    /// `Http` with status 412 when the parent is not the newest commit, 409 when another commit is being made;
    /// `Forbidden`, `BadRequest`; `Connection` when it is not known whether the commit was made; and those of the
    /// repository.
    pub async fn commit(&self, repo: &RepoRef, request: CommitRequest) -> Result<Committed, HubError> {
        self.online(repo)?;
        let (body, request) = apart(move |_| lines(&request).map(|body| (body, request))).await?;
        let target =
            format!("/api/{}/{}/commit/{}", repo.kind.plural(), repo.id, encode_segment(&repo.revision));
        let call = Call {
            method: Method::POST,
            params: if request.create_pr { vec![("create_pr".into(), "1".into())] } else { Vec::new() },
            body: Some((body, "application/x-ndjson".to_owned())),
            timeout: Some(self.config().total_timeout),
            retry: false,
            subject: Subject { repo: Some(repo.clone()), path: None },
            ..Call::get(&target)
        };
        let knows = request.parent.is_some() && !request.create_pr;
        let maybe_made = AtomicBool::new(false);
        let answer = with_retries(self.config(), || async {
            match self.call(&call).await {
                Ok(answer) => Ok(Ok(answer)),
                Err(error) => {
                    let begun = error.is_transient()
                        && error.kind() != HubErrorKind::RateLimited
                        && !error.is_refused();
                    if begun {
                        maybe_made.store(true, Ordering::Relaxed);
                    }
                    if begun && !knows { Ok(Err(error)) } else { Err(error) }
                }
            }
        })
        .await;
        let maybe_made = maybe_made.into_inner();
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(error.with_hint(
                    "The commit may have been made: look at the repository, or name parent_commit, with which it is \
                     safe to try again.",
                ));
            }
            Err(error) if maybe_made && knows => {
                return match self.made_already(repo, request).await {
                    Ok(Some(made)) => Ok(made),
                    _ => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let (Some(url), Some(oid)) = (text("commitUrl"), text("commitOid")) else {
            let message = format!("{}: the answer to a commit names no commit", repo.shown());
            return Err(HubError::new(HubErrorKind::Http, message));
        };
        Ok(Committed { url, oid, pr_url: text("pullRequestUrl") })
    }

    /// The commit after the parent, if it is the one that was asked for. Others may use the same message, so what it holds
    /// decides.
    async fn made_already(
        &self,
        repo: &RepoRef,
        request: CommitRequest,
    ) -> Result<Option<Committed>, HubError> {
        let (Some(parent), summary) = (request.parent.clone(), request.summary.clone()) else {
            return Ok(None);
        };
        let target =
            format!("/api/{}/{}/commits/{}", repo.kind.plural(), repo.id, encode_segment(&repo.revision));
        let subject = Subject { repo: Some(repo.clone()), path: None };
        let answer = self.call(&Call { subject, ..Call::get(&target) }).await?;
        let history: Vec<Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |commit: &Value, key: &str| commit.get(key).and_then(Value::as_str).map(str::to_owned);
        let follows = |pair: &[Value]| match pair {
            [next, before] if text(before, "id")?.starts_with(&parent) => {
                Some((text(next, "id")?, text(next, "title")?))
            }
            _ => None,
        };
        let Some((oid, title)) = history.windows(2).find_map(follows) else {
            return Ok(None);
        };
        let expected = apart(move |stop| left_behind(&request, stop)).await?;
        if Some(title.as_str()) != summary.lines().next() || !self.holds(&repo.at(&oid), &expected).await? {
            return Ok(None);
        }
        let url = format!("{}/{}{}/commit/{oid}", self.config().endpoint(), repo.kind.url_prefix(), repo.id);
        Ok(Some(Committed { url, oid, pr_url: None }))
    }

    /// Whether a commit has files of these hashes, and nothing where there is none.
    async fn holds(&self, repo: &RepoRef, expected: &Expected) -> Result<bool, HubError> {
        let target =
            format!("/api/{}/{}/paths-info/{}", repo.kind.plural(), repo.id, encode_segment(&repo.revision));
        let paths: Vec<&String> = expected.keys().collect();
        for some in paths.chunks(PATHS_AT_ONCE) {
            let pairs: Vec<_> = some.iter().map(|path| ("paths".to_owned(), (*path).clone())).collect();
            let call = Call {
                method: Method::POST,
                body: Some((encode_pairs(&pairs).into(), FORM.to_owned())),
                subject: Subject { repo: Some(repo.clone()), path: None },
                ..Call::get(&target)
            };
            let raw: Vec<Value> = serde_json::from_slice(&self.call(&call).await?.body).unwrap_or_default();
            let there: Vec<TreeEntry> = raw.into_iter().filter_map(TreeEntry::parse).collect();
            let fits = |path: &String| {
                let entry = there.iter().find(|entry| entry.path == *path);
                entry.map(TreeEntry::etag) == expected.get(path).and_then(Option::as_deref)
            };
            if !some.iter().all(|path| fits(path)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Paths and the hashes of their files; `None` for what is gone.
type Expected = BTreeMap<String, Option<String>>;

/// What a commit leaves behind at the paths that it names.
fn left_behind(request: &CommitRequest, stop: &AtomicBool) -> Result<Expected, HubError> {
    let mut left = Expected::new();
    for change in &request.changes {
        let (path, hash) = match change {
            Change::Regular(file) => (&file.path, hashed(&file.content, Mode::Regular, stop)?.1),
            Change::Large { path, oid, .. } => (path, oid.clone()),
            Change::DeletedFile(path) | Change::DeletedFolder(path) => {
                left.insert(path.trim_end_matches('/').to_owned(), None);
                continue;
            }
        };
        // A folder that went is there again with a file in it.
        left.retain(|gone, hash| hash.is_some() || !path.starts_with(&format!("{gone}/")));
        left.insert(path.clone(), Some(hash));
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_line_for_each_change() {
        let file = Addition { path: "a/b.txt".into(), content: Content::Bytes(Bytes::from_static(b"hi\n")) };
        let request = CommitRequest {
            summary: "s".into(),
            description: "d\ne".into(),
            parent: Some("0".repeat(40)),
            create_pr: false,
            changes: vec![
                Change::Regular(file),
                Change::Large { path: "c".into(), oid: "f".into(), size: Some(3) },
                Change::DeletedFile("d".into()),
                Change::DeletedFolder("e/".into()),
            ],
        };
        let text = String::from_utf8(lines(&request).unwrap().to_vec()).unwrap();
        let parsed: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(
            parsed,
            [
                json!({"key": "header", "value":
                    {"summary": "s", "description": "d\ne", "parentCommit": "0".repeat(40)}}),
                json!({"key": "file", "value": {"content": "aGkK", "path": "a/b.txt", "encoding": "base64"}}),
                json!({"key": "lfsFile", "value": {"path": "c", "algo": "sha256", "oid": "f", "size": 3}}),
                json!({"key": "deletedFile", "value": {"path": "d"}}),
                json!({"key": "deletedFolder", "value": {"path": "e/"}}),
            ]
        );
    }

    #[test]
    fn what_a_commit_leaves_behind() {
        let add = |path: &str| {
            let content = Content::Bytes(Bytes::from_static(b"hello\n"));
            Change::Regular(Addition { path: path.into(), content })
        };
        let changes = vec![
            Change::DeletedFolder("a/".into()),
            Change::DeletedFile("b".into()),
            Change::DeletedFile("c".into()),
            add("a/x"),
            add("c"),
            Change::Large { path: "d".into(), oid: "f".into(), size: None },
        ];
        let request = CommitRequest {
            summary: "s".into(),
            description: String::new(),
            parent: None,
            create_pr: false,
            changes,
        };
        let hello = Some("ce013625030ba8dba906f756967f9e9ca394464a".to_owned());
        let expected = [("a/x", hello.clone()), ("b", None), ("c", hello), ("d", Some("f".to_owned()))];
        let expected: Expected = expected.map(|(path, hash)| (path.to_owned(), hash)).into();
        assert_eq!(left_behind(&request, &AtomicBool::new(false)).unwrap(), expected);
    }

    #[test]
    fn paths_stay_in_the_repository() {
        let changes = vec![Change::DeletedFile("../x".into())];
        let request = CommitRequest {
            summary: String::new(),
            description: String::new(),
            parent: None,
            create_pr: false,
            changes,
        };
        assert_eq!(lines(&request).unwrap_err().kind(), HubErrorKind::InvalidArgument);
    }
}
