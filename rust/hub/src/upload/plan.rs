//! Before the bytes: how each file is to come, as the hub says, and what it is named by.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderValue};
use serde_json::{Value, json};

use super::{Addition, Content, UploadOptions};
use crate::apart::apart;
use crate::cache::hash::{HashForm, hash_bytes, hash_file};
use crate::client::HubClient;
use crate::error::{HubError, HubErrorKind};
use crate::http::{Call, Subject};
use crate::repo::{RepoRef, encode_segment, safe_path};

/// Files of one question: the hub takes no more.
pub(super) const AT_ONCE: usize = 256;
/// Bytes of a file that the hub looks at.
const SAMPLE: usize = 512;

/// How a file gets into a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Within the commit.
    Regular,
    /// Into the store of large files, before the commit.
    Large,
}

/// What is known of a file before it is uploaded.
#[derive(Clone, Debug)]
pub struct Planned {
    /// How it is to come.
    pub mode: Mode,
    /// Whether a `.gitignore` leaves it out.
    pub ignored: bool,
    /// Bytes.
    pub size: u64,
    /// sha256 of a large file, the git id of a regular one.
    pub hash: String,
    /// The hash of what the repository has at its path.
    pub present: Option<String>,
}

impl Planned {
    /// Whether the repository has these bytes at this path.
    pub fn unchanged(&self) -> bool {
        self.present.as_ref() == Some(&self.hash)
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> HubError {
    HubError::io("read", path, error)
}

/// Length and first bytes.
fn sample(content: &Content) -> Result<(u64, Bytes), HubError> {
    match content {
        Content::Bytes(bytes) => Ok((bytes.len() as u64, bytes.slice(..bytes.len().min(SAMPLE)))),
        Content::File(path) => {
            let file = File::open(path).map_err(|e| unreadable(path, e))?;
            let meta = file.metadata().map_err(|e| unreadable(path, e))?;
            if !meta.is_file() {
                return Err(unreadable(path, std::io::Error::other("it is not a file")));
            }
            let mut first = Vec::with_capacity(SAMPLE);
            file.take(SAMPLE as u64).read_to_end(&mut first).map_err(|e| unreadable(path, e))?;
            Ok((meta.len(), first.into()))
        }
    }
}

/// Length and hash: sha256 of what goes to the store, the git id of what goes with the commit.
pub(super) fn hashed(content: &Content, mode: Mode, stop: &AtomicBool) -> Result<(u64, String), HubError> {
    let form = if mode == Mode::Large { HashForm::Sha256 } else { HashForm::GitSha1 };
    match content {
        Content::File(path) => hash_file(path, form, &|| stop.load(Ordering::Relaxed)),
        Content::Bytes(bytes) => Ok((bytes.len() as u64, hash_bytes(bytes, form))),
    }
}

/// What the hub says of one file.
struct Said {
    mode: Mode,
    ignored: bool,
    present: Option<String>,
}

impl HubClient {
    /// Asks how files are to come, and hashes those that are not ignored.
    ///
    /// # Errors
    /// `Io` for a file that cannot be read, `InvalidArgument` for a path that cannot be one in a repository, `Http` for an
    /// answer that says nothing of a file; and those of the repository.
    pub async fn plan_upload(
        &self,
        repo: &RepoRef,
        additions: &[Addition],
        options: &UploadOptions,
    ) -> Result<Vec<Planned>, HubError> {
        self.online(repo)?;
        let mut planned = Vec::with_capacity(additions.len());
        for chunk in additions.chunks(AT_ONCE) {
            let said = self.ask_modes(repo, chunk, options).await?;
            let mut hashing = Vec::with_capacity(chunk.len());
            for (addition, said) in chunk.iter().zip(said) {
                let content = addition.content.clone();
                hashing.push(async move {
                    let mode = said.mode;
                    // What is left out needs no hash.
                    let (size, hash) = if said.ignored {
                        (0, String::new())
                    } else {
                        apart(move |stop| hashed(&content, mode, stop)).await?
                    };
                    Ok(Planned { mode, ignored: said.ignored, size, hash, present: said.present })
                });
            }
            let done = stream::iter(hashing).buffered(options.connections.max(1)).try_collect::<Vec<_>>();
            planned.extend(done.await?);
        }
        Ok(planned)
    }

    async fn ask_modes(
        &self,
        repo: &RepoRef,
        additions: &[Addition],
        options: &UploadOptions,
    ) -> Result<Vec<Said>, HubError> {
        let contents: Vec<Content> = additions.iter().map(|a| a.content.clone()).collect();
        let samples = apart(move |_| contents.iter().map(sample).collect::<Result<Vec<_>, _>>()).await?;
        let mut files = Vec::with_capacity(additions.len());
        for (addition, (size, first)) in additions.iter().zip(&samples) {
            let path = safe_path(&addition.path)?;
            files.push(json!({"path": path, "sample": STANDARD.encode(first), "size": size}));
        }
        let mut question = json!({ "files": files });
        if let (Some(text), Some(map)) = (&options.gitignore, question.as_object_mut()) {
            map.insert("gitIgnore".into(), json!(text));
        }
        let target =
            format!("/api/{}/{}/preupload/{}", repo.kind.plural(), repo.id, encode_segment(&repo.revision));
        let answer = self.post_json(repo, &target, &question, "application/json", options.create_pr).await?;
        let listed = answer.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let find = |(addition, (size, _)): (&Addition, &(u64, Bytes))| {
            let of = listed.iter().find(|f| f.get("path").and_then(Value::as_str) == Some(&addition.path));
            let mode = match of.and_then(|f| f.get("uploadMode")).and_then(Value::as_str) {
                Some("lfs") if *size > 0 => Mode::Large,
                Some("lfs" | "regular") => Mode::Regular, // the store takes no empty files
                _ => {
                    let message = format!(
                        "{} to {}: the hub does not say how the file is to be uploaded",
                        addition.path,
                        repo.shown()
                    );
                    return Err(HubError::new(HubErrorKind::Http, message)
                        .with_hint("Is HF_ENDPOINT a hub that takes uploads?"));
                }
            };
            let of = of.unwrap_or(&Value::Null);
            Ok(Said {
                mode,
                ignored: of.get("shouldIgnore").and_then(Value::as_bool).unwrap_or(false),
                present: of.get("oid").and_then(Value::as_str).map(str::to_owned),
            })
        };
        additions.iter().zip(&samples).map(find).collect()
    }

    /// Posts JSON and reads JSON.
    pub(super) async fn post_json(
        &self,
        repo: &RepoRef,
        target: &str,
        question: &Value,
        kind: &'static str,
        create_pr: bool,
    ) -> Result<Value, HubError> {
        let call = Call {
            method: Method::POST,
            params: if create_pr { vec![("create_pr".into(), "1".into())] } else { Vec::new() },
            headers: vec![(ACCEPT, HeaderValue::from_static(kind))],
            body: Some((question.to_string().into(), kind.to_owned())),
            subject: Subject { repo: Some(repo.clone()), path: None },
            ..Call::get(target)
        };
        let answer = self.call(&call).await?;
        serde_json::from_slice(&answer.body).map_err(|e| {
            let message = format!("{}: the answer to an upload is not JSON: {e}", repo.shown());
            HubError::new(HubErrorKind::Http, message)
        })
    }
}
