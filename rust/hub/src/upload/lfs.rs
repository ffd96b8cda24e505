//! Large files into the store: the Git LFS batch API, whole files or parts of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use reqwest::header::ETAG;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::body::Part;
use super::plan::AT_ONCE;
use super::{Addition, Content, Mode, Planned, UploadOptions};
use crate::client::HubClient;
use crate::download::watchdog::Patience;
use crate::error::{HubError, HubErrorKind};
use crate::http::answer::explained;
use crate::http::client::{Outgoing, Payload, Redirects, parse};
use crate::http::{Call, Subject};
use crate::progress::Progress;
use crate::repo::RepoRef;

const JSON: &str = "application/vnd.git-lfs+json";
/// The address that a hub behind another one writes into its answers.
const HUB: &str = "https://huggingface.co/";
/// Parts of a file at the most: as many as S3 takes.
const MAX_PARTS: u64 = 10_000;

/// A large file on its way.
struct Object<'a> {
    name: &'a str,
    content: &'a Content,
    oid: &'a str,
    size: u64,
}

/// What the store wants to be done for an object it lacks.
struct Wanted {
    upload: String,
    /// The length of a part and their addresses, where it is to come in parts.
    parts: Option<(u64, Vec<String>)>,
    verify: Option<String>,
}

impl Object<'_> {
    fn wrong(&self, repo: &RepoRef, what: &str) -> HubError {
        HubError::new(HubErrorKind::Http, format!("uploading {} to {}: {what}", self.name, repo.shown()))
            .with(|c| c.path = Some(self.name.to_owned()))
    }

    /// Reads the store's answer about this object; `None` when it has it.
    fn wanted(&self, repo: &RepoRef, said: &Value) -> Result<Option<Wanted>, HubError> {
        if let Some(error) = said.get("error").filter(|e| !e.is_null()) {
            let why = error.get("message").and_then(Value::as_str).unwrap_or("no reason was given");
            return Err(self.wrong(repo, &format!("the store refuses it: {why}")));
        }
        let Some(actions) = said.get("actions").filter(|a| !a.is_null()) else {
            return Ok(None);
        };
        let href = |name: &str| Some(actions.get(name)?.get("href")?.as_str()?.to_owned());
        let Some(upload) = href("upload") else {
            return Err(self.wrong(repo, "the store does not say where to"));
        };
        let header = actions.get("upload").and_then(|u| u.get("header"));
        let parts = match header.and_then(|h| h.get("chunk_size")) {
            None | Some(Value::Null) => None,
            Some(length) => Some(self.parts(repo, length, header)?),
        };
        Ok(Some(Wanted { upload, parts, verify: href("verify") }))
    }

    fn parts(
        &self,
        repo: &RepoRef,
        length: &Value,
        header: Option<&Value>,
    ) -> Result<(u64, Vec<String>), HubError> {
        let number = length.as_u64().or_else(|| length.as_str()?.parse().ok());
        let length = number.filter(|n| *n > 0).ok_or_else(|| self.wrong(repo, "parts of no length"))?;
        let named = header.and_then(Value::as_object).into_iter().flatten();
        let addresses: BTreeMap<u64, String> =
            named.filter_map(|(key, v)| Some((key.parse().ok()?, v.as_str()?.to_owned()))).collect();
        let count = self.size.div_ceil(length);
        if addresses.len() as u64 != count || count > MAX_PARTS {
            let what = format!("the store names {} parts where {count} are needed", addresses.len());
            return Err(self.wrong(repo, &what));
        }
        Ok((length, addresses.into_values().collect()))
    }
}

impl HubClient {
    /// Brings the large files of a plan into the store; those that it has are not sent.
    ///
    /// # Errors
    /// `Http` for an object that the store refuses, `Io` for a file that cannot be read or was changed; and those of the
    /// repository.
    pub async fn upload_large(
        &self,
        repo: &RepoRef,
        additions: &[Addition],
        planned: &[Planned],
        options: &UploadOptions,
    ) -> Result<(), HubError> {
        self.online(repo)?;
        let mut seen = HashSet::new();
        let objects: Vec<Object<'_>> = additions
            .iter()
            .zip(planned)
            .filter(|(_, plan)| plan.mode == Mode::Large && !plan.ignored && !plan.unchanged())
            .filter(|(_, plan)| seen.insert(plan.hash.as_str())) // the same bytes under two names are sent once
            .map(|(addition, plan)| Object {
                name: &addition.path,
                content: &addition.content,
                oid: &plan.hash,
                size: plan.size,
            })
            .collect();
        let bytes = objects.iter().map(|o| o.size).sum();
        options.progress.total.fetch_add(bytes, Ordering::Relaxed);
        options.progress.files_total.fetch_add(objects.len() as u64, Ordering::Relaxed);
        let turns = Semaphore::new(options.connections.max(1));
        for chunk in objects.chunks(AT_ONCE) {
            let said = self.ask_store(repo, chunk).await?;
            let mut sending = Vec::with_capacity(chunk.len());
            for (object, wanted) in chunk.iter().zip(said) {
                let turns = &turns;
                sending.push(async move {
                    match wanted {
                        None => _ = options.progress.done.fetch_add(object.size, Ordering::Relaxed),
                        Some(wanted) => self.send_object(repo, object, wanted, turns, options).await?,
                    }
                    options.progress.files.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, HubError>(())
                });
            }
            let at_once = options.connections.max(1);
            stream::iter(sending).buffer_unordered(at_once).try_collect::<Vec<()>>().await?;
        }
        Ok(())
    }

    async fn ask_store(
        &self,
        repo: &RepoRef,
        objects: &[Object<'_>],
    ) -> Result<Vec<Option<Wanted>>, HubError> {
        let listed: Vec<Value> = objects.iter().map(|o| json!({"oid": o.oid, "size": o.size})).collect();
        let question = json!({
            "operation": "upload",
            "transfers": ["basic", "multipart"],
            "objects": listed,
            "hash_algo": "sha256",
            "ref": {"name": repo.revision},
        });
        let target = format!("/{}{}.git/info/lfs/objects/batch", repo.kind.url_prefix(), repo.id);
        let answer = self.post_json(repo, &target, &question, JSON, false).await?;
        let said = answer.get("objects").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let about = |object: &Object<'_>| {
            let of = said.iter().find(|o| o.get("oid").and_then(Value::as_str) == Some(object.oid));
            let of = of.ok_or_else(|| object.wrong(repo, "the store does not answer for it"))?;
            object.wanted(repo, of)
        };
        objects.iter().map(about).collect()
    }

    /// Sends one object. Addresses are good for a time: those that were refused are asked for once more.
    async fn send_object(
        &self,
        repo: &RepoRef,
        object: &Object<'_>,
        mut wanted: Wanted,
        turns: &Semaphore,
        options: &UploadOptions,
    ) -> Result<(), HubError> {
        let mut again = true;
        loop {
            match self.send_once(repo, object, &wanted, turns, options).await {
                Err(error) if error.kind() == HubErrorKind::Forbidden && again => {
                    again = false;
                    let asked = self.ask_store(repo, std::slice::from_ref(object)).await?;
                    match asked.into_iter().next().flatten() {
                        Some(fresh) => wanted = fresh,
                        None => return Ok(()),
                    }
                }
                Err(error) => return Err(error.of_upload(object.name, &repo.shown())),
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn send_once(
        &self,
        repo: &RepoRef,
        object: &Object<'_>,
        wanted: &Wanted,
        turns: &Semaphore,
        options: &UploadOptions,
    ) -> Result<(), HubError> {
        let part = |range| Part::new(object.content.clone(), range, &options.progress);
        if let Some((length, addresses)) = &wanted.parts {
            let mut sending = Vec::with_capacity(addresses.len());
            for (index, address) in addresses.iter().enumerate() {
                let start = index as u64 * length;
                let part = part(start..(start + length).min(object.size));
                sending.push(async move {
                    let etag = self.put(address, part, turns, &options.progress).await?;
                    let etag = etag.ok_or_else(|| object.wrong(repo, "a part got no ETag"))?;
                    Ok::<_, HubError>(json!({"partNumber": index + 1, "etag": etag}))
                });
            }
            let etags = stream::iter(sending).buffered(options.connections.max(1));
            let parts: Vec<Value> = etags.try_collect().await?;
            let done = json!({"oid": object.oid, "parts": parts});
            self.post_json_or_nothing(repo, &self.on_this_hub(&wanted.upload), &done).await?;
        } else {
            self.put(&wanted.upload, part(0..object.size), turns, &options.progress).await?;
        }
        if let Some(verify) = &wanted.verify {
            let stored = json!({"oid": object.oid, "size": object.size});
            self.post_json_or_nothing(repo, &self.on_this_hub(verify), &stored).await?;
        }
        Ok(())
    }

    /// Puts bytes to an address; the ETag of the answer.
    async fn put(
        &self,
        address: &str,
        part: Part,
        turns: &Semaphore,
        progress: &Progress,
    ) -> Result<Option<String>, HubError> {
        let url = parse(address)?;
        let limit = self.config().transport().read_timeout;
        let mut patience = Patience::new(self.config());
        loop {
            let turn = turns.acquire().await; // never closed
            let once = async {
                let out = Outgoing {
                    method: Method::PUT,
                    url: url.clone(),
                    headers: Vec::new(),
                    body: Some(Payload::Part(part.clone())),
                    redirects: Redirects::Follow,
                    slow: true,
                };
                let sending = self.http().send_out(self.config(), out);
                let (response, at) = part.watched(limit, &url, sending).await?;
                explained(response, &at, None, None).await
            };
            let error = match once.await {
                Ok(answer) => {
                    return Ok(answer.headers().get(ETAG).and_then(|v| v.to_str().ok()).map(str::to_owned));
                }
                Err(error) => error,
            };
            drop(turn);
            if !error.is_transient() {
                return Err(error);
            }
            if let Some(changed) = part.changed().await {
                return Err(changed);
            }
            let wait = patience.after(error, progress)?;
            tokio::time::sleep(wait).await;
        }
    }

    /// Posts to the store, whose answer may be empty.
    async fn post_json_or_nothing(
        &self,
        repo: &RepoRef,
        address: &str,
        body: &Value,
    ) -> Result<(), HubError> {
        let call = Call {
            method: Method::POST,
            body: Some((body.to_string().into(), JSON.to_owned())),
            // Putting thousands of parts together takes its time.
            timeout: Some(self.config().total_timeout),
            subject: Subject { repo: Some(repo.clone()), path: None },
            ..Call::get(address)
        };
        self.call(&call).await.map(drop)
    }

    /// An address on the hub, under the endpoint that is used: mirrors hand on what the hub wrote.
    fn on_this_hub(&self, address: &str) -> String {
        let rest = address.strip_prefix(HUB);
        rest.map_or_else(|| address.to_owned(), |rest| format!("{}/{rest}", self.config().endpoint()))
    }
}
