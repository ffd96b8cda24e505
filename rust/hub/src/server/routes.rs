//! Addresses to answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::repos::{self, Repo, RepoFile};
use super::{Shared, facts, files, made, search};
use crate::repo::{RepoKind, RepoRef, encode_path, encode_segment, is_commit};

/// Largest body of a `paths-info` question.
const MAX_FORM: usize = 4 << 20;

pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    let headers = [
        ("x-error-code", code.to_owned()),
        ("x-error-message", message.to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let headers: Vec<_> = headers.into_iter().filter(|(_, v)| !v.is_empty()).collect();
    made(status, &headers, Body::from(json!({"error": message}).to_string()))
}

pub(super) fn as_json(value: &Value, more: &[(&str, String)]) -> Response {
    let mut headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    headers.extend(more.iter().cloned());
    made(200, &headers, Body::from(value.to_string()))
}

pub(super) async fn route(shared: &Arc<Shared>, request: Request) -> Response {
    let method = request.method().clone();
    let headers = request.headers().clone();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    if let Some(refusal) = bad_token(shared, &headers) {
        return refusal;
    }
    match parts.as_slice() {
        ["api", "whoami-v2"] => whoami(shared, &headers),
        ["api", kind] => match kind.parse::<RepoKind>() {
            Ok(kind) => {
                let (shared, visible) = (shared.clone(), knows(shared, &headers));
                tokio::task::spawn_blocking(move || search::search(&shared, kind, &query, visible))
                    .await
                    .unwrap_or_else(|_| refused(500, "", "the search failed"))
            }
            Err(_) => refused(404, "", "Not found"),
        },
        ["api", "resolve-cache", kind, rest @ ..] => match kind.parse::<RepoKind>() {
            Ok(kind) => resolved_file(shared, kind, rest, &method, &headers).await,
            Err(_) => refused(404, "", "Not found"),
        },
        ["api", kind, rest @ ..] => match kind.parse::<RepoKind>() {
            Ok(kind) => api(shared, kind, rest, &query, &headers, request).await,
            Err(_) => refused(404, "", "Not found"),
        },
        ["lfs-cdn", kind, rest @ ..] => match kind.parse::<RepoKind>() {
            Ok(kind) => resolved_file(shared, kind, rest, &method, &headers).await,
            Err(_) => refused(404, "", "Not found"),
        },
        [kind @ ("datasets" | "spaces"), rest @ ..] => {
            let kind = if *kind == "datasets" { RepoKind::Dataset } else { RepoKind::Space };
            resolve(shared, kind, rest, &headers).await
        }
        rest => resolve(shared, RepoKind::Model, rest, &headers).await,
    }
}

fn token_of(headers: &HeaderMap) -> Option<&str> {
    headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
}

fn knows(shared: &Shared, headers: &HeaderMap) -> bool {
    token_of(headers).is_some_and(|t| shared.options.tokens.iter().any(|known| known == t))
}

/// Where tokens are configured, a token that is none of them fails everywhere, as on the Hub.
fn bad_token(shared: &Shared, headers: &HeaderMap) -> Option<Response> {
    let wrong = !shared.options.tokens.is_empty() && token_of(headers).is_some() && !knows(shared, headers);
    wrong.then(|| refused(401, "", "Invalid credentials in Authorization header"))
}

fn whoami(shared: &Shared, headers: &HeaderMap) -> Response {
    if !knows(shared, headers) {
        return refused(401, "", "Invalid credentials in Authorization header");
    }
    let number =
        shared.options.tokens.iter().position(|t| Some(t.as_str()) == token_of(headers)).unwrap_or(0);
    let name = if number == 0 { "mirror".to_owned() } else { format!("mirror-{}", number + 1) };
    let access = json!({"accessToken": {"displayName": name, "role": "read"}});
    as_json(
        &json!({"type": "user", "id": "mirror", "name": "mirror", "fullname": "mirror", "orgs": [], "auth": access}),
        &[],
    )
}

/// The values of a query's key, in their order.
pub(super) fn parameters(query: &str, key: &str) -> Vec<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| decoded(name) == key)
        .map(|(_, value)| decoded(&value.replace('+', " ")))
        .collect()
}

/// The first of them.
pub(super) fn parameter(query: &str, key: &str) -> Option<String> {
    parameters(query, key).into_iter().next()
}

/// Takes `ns/name` or `name` off a path: the longest that is a repository.
async fn find<'a>(
    shared: &Arc<Shared>,
    kind: RepoKind,
    parts: &'a [&'a str],
    headers: &HeaderMap,
) -> Result<(Arc<Repo>, &'a [&'a str]), Response> {
    for length in [2, 1] {
        let (Some(name), Some(rest)) = (parts.get(..length), parts.get(length..)) else {
            continue;
        };
        let id = name.iter().map(|p| decoded(p)).collect::<Vec<_>>().join("/");
        if RepoRef::new(kind, &id, None).is_err() {
            continue;
        }
        let (shared, wanted) = (shared.clone(), id.clone());
        let pinned = shared.hashes.pinned(kind, &id, rest.get(..2).unwrap_or(rest));
        let pinned = pinned.filter(|repo| asked_file(repo, rest).is_none_or(RepoFile::unchanged));
        let repo = if let Some(repo) = pinned {
            repo
        } else {
            let opened = tokio::task::spawn_blocking({
                let shared = shared.clone();
                let revision = asked_revision(rest);
                move || repos::open(&shared.options.root, &shared.hashes, kind, &wanted, &revision)
            });
            // A folder of one part is an organisation when its repositories have two.
            let Ok(Some(repo)) = opened.await else {
                continue;
            };
            repo
        };
        if shared.options.private.contains(&id) && !knows(&shared, headers) {
            break;
        }
        return Ok((repo, rest));
    }
    let status = if token_of(headers).is_some() { 404 } else { 401 };
    Err(refused(status, "RepoNotFound", "Repository not found"))
}

/// The revision that a route names.
fn asked_revision(rest: &[&str]) -> String {
    match rest {
        ["revision" | "tree" | "paths-info" | "commits" | "resolve" | "raw", revision, ..] => {
            decoded(revision)
        }
        [commit, ..] if is_commit(commit) => (*commit).to_owned(),
        _ => "main".to_owned(),
    }
}

/// The file that `resolve/<commit>/<path>` or `<commit>/<path>` asks for.
fn asked_file<'a>(repo: &'a Repo, rest: &[&str]) -> Option<&'a RepoFile> {
    let at = rest.iter().position(|part| *part == repo.commit)?;
    let path = rest.get(at + 1..)?.iter().map(|p| decoded(p)).collect::<Vec<_>>().join("/");
    repo.files.get(&path)
}

fn gate(shared: &Shared, repo: &Repo, headers: &HeaderMap) -> Option<Response> {
    let closed = shared.options.gated.contains(&repo.id) && !knows(shared, headers);
    let status = if token_of(headers).is_some() { 403 } else { 401 };
    let message = format!(
        "Access to {} {} is restricted. You must have access to it and be authenticated to access it.",
        repo.kind, repo.id
    );
    closed.then(|| refused(status, "GatedRepo", &message))
}

fn check_revision(repo: &Repo, revision: &str) -> Option<Response> {
    let name = repo.revision.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
    let known = [repo.revision.as_str(), name, repo.commit.as_str()].contains(&revision);
    let message = format!("Invalid rev id: {}", revision.replace(|c: char| c.is_control(), ""));
    (!known).then(|| refused(404, "RevisionNotFound", &message))
}

async fn api(
    shared: &Arc<Shared>,
    kind: RepoKind,
    parts: &[&str],
    query: &str,
    headers: &HeaderMap,
    request: Request,
) -> Response {
    let (repo, rest) = match find(shared, kind, parts, headers).await {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let revision = asked_revision(rest);
    if let Some(refusal) = check_revision(&repo, &revision) {
        return refusal;
    }
    match rest {
        [] | ["revision", _] => as_json(&facts::info(&repo, query, &shared.options), &[]),
        ["refs"] => {
            let (shared, with_prs) = (shared.clone(), parameter(query, "include_prs").is_some());
            let found = tokio::task::spawn_blocking(move || facts::refs(&shared, &repo, with_prs)).await;
            found.map_or_else(|_| refused(500, "", "the refs could not be read"), |refs| as_json(&refs, &[]))
        }
        ["commits", _] => as_json(&facts::commits(&repo, query), &[]),
        ["auth-check"] => gate(shared, &repo, headers).unwrap_or_else(|| as_json(&json!({}), &[])),
        ["auth-check", "write"] => refused(403, "", "This mirror is read-only."),
        ["tree", _, folder @ ..] => {
            let folder = folder.iter().map(|f| decoded(f)).collect::<Vec<_>>().join("/");
            tree(shared, &repo, &folder, query)
        }
        ["paths-info", _] => {
            let Ok(body) = axum::body::to_bytes(request.into_body(), MAX_FORM).await else {
                return refused(413, "", "too many parameters");
            };
            paths_info(&repo, &String::from_utf8_lossy(&body))
        }
        _ => refused(404, "", "Not found"),
    }
}

fn entry(path: &str, file: &RepoFile) -> Value {
    let mut entry = json!({"type": "file", "oid": file.oid, "size": file.size, "path": path});
    if let (Some(sha), Some(map)) = (&file.sha256, entry.as_object_mut()) {
        map.insert("lfs".into(), json!({"oid": sha, "size": file.size, "pointerSize": 134}));
    }
    entry
}

fn folder_entry(path: &str) -> Value {
    json!({"type": "directory", "oid": "0".repeat(40), "size": 0, "path": path})
}

fn tree(shared: &Shared, repo: &Repo, folder: &str, query: &str) -> Response {
    let recursive = matches!(parameter(query, "recursive").as_deref(), Some("true" | "True" | "1"));
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut entries: Vec<(String, Option<&RepoFile>)> = Vec::new();
    let mut folders: BTreeSet<String> = BTreeSet::new();
    for (path, file) in repo.files.iter().filter(|(p, _)| p.starts_with(&prefix)) {
        let below = path.get(prefix.len()..).unwrap_or_default();
        let mut ends: Vec<usize> = below.match_indices('/').map(|(i, _)| i).collect();
        if !recursive {
            ends.truncate(1);
        }
        folders.extend(ends.iter().map(|&end| format!("{prefix}{}", below.get(..end).unwrap_or_default())));
        if recursive || ends.is_empty() {
            entries.push((path.clone(), Some(file)));
        }
    }
    if entries.is_empty() && folders.is_empty() && !folder.is_empty() {
        return refused(404, "EntryNotFound", "Entry not found");
    }
    entries.extend(folders.into_iter().map(|folder| (folder, None)));
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let start = parameter(query, "cursor").and_then(|c| c.parse::<usize>().ok()).unwrap_or(0);
    let size = shared.options.page_size;
    let made = |(path, file): &(String, Option<&RepoFile>)| {
        file.map_or_else(|| folder_entry(path), |file| entry(path, file))
    };
    let page: Vec<Value> = entries.iter().skip(start).take(size).map(made).collect();
    let mut headers = vec![("x-repo-commit", repo.commit.clone())];
    if start + size < entries.len() {
        let expand = parameter(query, "expand").unwrap_or_else(|| "false".into());
        let folder = if folder.is_empty() { String::new() } else { format!("/{}", encode_segment(folder)) };
        // At the commit: all pages are of one state, and the folder is not walked for each.
        let next = format!(
            "<{}/api/{}/{}/tree/{}{folder}?recursive={recursive}&expand={}&cursor={}>; rel=\"next\"",
            shared.url,
            repo.kind.plural(),
            repo.id,
            repo.commit,
            encode_segment(&expand),
            start + size
        );
        headers.push(("link", next));
    }
    as_json(&Value::Array(page), &headers)
}

fn paths_info(repo: &Repo, form: &str) -> Response {
    let mut found = Vec::new();
    for pair in form.split('&') {
        let Some(("paths", value)) = pair.split_once('=') else {
            continue;
        };
        let path = decoded(&value.replace('+', " "));
        let path = path.trim_matches('/');
        match repo.files.get(path) {
            Some(file) => found.push(entry(path, file)),
            None if repo.files.keys().any(|p| p.starts_with(&format!("{path}/"))) => {
                found.push(folder_entry(path));
            }
            None => {}
        }
    }
    as_json(&Value::Array(found), &[])
}

/// `<id>/resolve/<revision>/<path>`: a redirect to where the bytes are.
async fn resolve(shared: &Arc<Shared>, kind: RepoKind, parts: &[&str], headers: &HeaderMap) -> Response {
    let (repo, rest) = match find(shared, kind, parts, headers).await {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let ["resolve" | "raw", revision, path @ ..] = rest else {
        return refused(404, "", "Not found");
    };
    if let Some(refusal) = check_revision(&repo, &decoded(revision)).or_else(|| gate(shared, &repo, headers))
    {
        return refusal;
    }
    let path = path.iter().map(|p| decoded(p)).collect::<Vec<_>>().join("/");
    let Some(file) = repo.files.get(&path) else {
        let mut missing = refused(404, "EntryNotFound", "Entry not found");
        if let Ok(commit) = repo.commit.parse() {
            missing.headers_mut().insert("x-repo-commit", commit);
        }
        return missing;
    };
    let place = format!("{}/{}/{}/{}", repo.kind.plural(), repo.id, repo.commit, encode_path(&path));
    let common = |location: String| vec![("location", location), ("x-repo-commit", repo.commit.clone())];
    match &file.sha256 {
        None => {
            let mut out = common(format!("/api/resolve-cache/{place}"));
            out.push(("etag", format!("\"{}\"", file.oid)));
            made(307, &out, Body::from("Temporary Redirect"))
        }
        Some(sha) => {
            let mut out = common(format!("{}/lfs-cdn/{place}", shared.url));
            out.push(("x-linked-etag", format!("\"{sha}\"")));
            out.push(("x-linked-size", file.size.to_string()));
            out.push(("accept-ranges", "bytes".into()));
            made(302, &out, Body::from("Found"))
        }
    }
}

/// `<id>/<commit>/<path>`: the bytes.
async fn resolved_file(
    shared: &Arc<Shared>,
    kind: RepoKind,
    parts: &[&str],
    method: &Method,
    headers: &HeaderMap,
) -> Response {
    let (repo, rest) = match find(shared, kind, parts, headers).await {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let [commit, path @ ..] = rest else {
        return refused(404, "", "Not found");
    };
    if let Some(refusal) = gate(shared, &repo, headers) {
        return refusal;
    }
    let path = path.iter().map(|p| decoded(p)).collect::<Vec<_>>().join("/");
    match repo.files.get(&path) {
        Some(file) if is_commit(commit) && *commit == repo.commit => {
            let extra = vec![("x-repo-commit", repo.commit.clone())];
            files::serve(method, headers, &file.disk, file.etag(), extra)
        }
        _ => refused(404, "EntryNotFound", "Entry not found"),
    }
}
