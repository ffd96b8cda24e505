//! What the mirror says of a repository: info, refs, commits.

use serde_json::{Map, Value, json};

use super::repos::{self, Repo};
use super::routes::parameters;
use super::{ServerOptions, Shared};

/// A time as the Hub writes it.
pub(super) fn time(at: std::time::SystemTime) -> String {
    let seconds = at.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date from days (Howard Hinnant's `civil_from_days`).
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.000Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// What a repository is before anything is known of its files; `known` (its `.info.json`) wins.
pub(super) fn general(
    id: &str,
    modified: std::time::SystemTime,
    options: &ServerOptions,
    known: &Map<String, Value>,
) -> Map<String, Value> {
    let when = time(modified);
    let gated: Value = if options.gated.iter().any(|g| g == id) { json!("auto") } else { json!(false) };
    let private = options.private.iter().any(|p| p == id);
    let base = json!({
        "author": id.split('/').next(), "lastModified": when, "createdAt": when, "private": private, "gated": gated,
        "disabled": false, "downloads": 0, "likes": 0, "tags": [],
    });
    let mut facts = match base {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    facts.extend(known.iter().map(|(key, value)| (key.clone(), value.clone())));
    facts.insert("id".into(), json!(id));
    facts
}

/// Leaves the fields of `expand=…`, if there is any.
pub(super) fn expanded(facts: Map<String, Value>, query: &str) -> Value {
    let wanted = parameters(query, "expand");
    if wanted.is_empty() {
        return Value::Object(facts);
    }
    let keep = |key: &str| matches!(key, "_id" | "id") || wanted.iter().any(|w| w == key);
    Value::Object(facts.into_iter().filter(|(key, _)| keep(key)).collect())
}

fn siblings(repo: &Repo, blobs: bool) -> Vec<Value> {
    let sibling = |path: &String, file: &repos::RepoFile| {
        if !blobs {
            return json!({"rfilename": path});
        }
        let mut sibling = json!({"rfilename": path, "size": file.size, "blobId": file.oid});
        if let (Some(sha), Some(map)) = (&file.sha256, sibling.as_object_mut()) {
            map.insert("lfs".into(), json!({"sha256": sha, "size": file.size, "pointerSize": 134}));
        }
        sibling
    };
    repo.files.iter().map(|(path, file)| sibling(path, file)).collect()
}

/// Info of a repository at a revision.
pub(super) fn info(repo: &Repo, query: &str, options: &ServerOptions) -> Value {
    let mut facts = general(&repo.id, repo.modified, options, &repo.facts);
    facts.insert("_id".into(), json!(repo.commit.get(..24)));
    facts.insert("sha".into(), json!(repo.commit));
    facts.insert("siblings".into(), json!(siblings(repo, !parameters(query, "blobs").is_empty())));
    facts.insert("usedStorage".into(), json!(repo.files.values().map(|f| f.size).sum::<u64>()));
    expanded(facts, query)
}

/// Refs of a repository: `main`, and the revisions that lie beside it. Hashes files: not for async threads.
pub(super) fn refs(shared: &Shared, repo: &Repo, pull_requests: bool) -> Value {
    let main = json!({"name": "main", "ref": "refs/heads/main", "targetCommit": repo.commit});
    let (mut branches, mut converts, mut tags, mut prs) = (vec![main], Vec::new(), Vec::new(), Vec::new());
    let root = &shared.options.root;
    for revision in repos::revisions(root, repo.kind, &repo.id) {
        let Some(other) = repos::open(root, &shared.hashes, repo.kind, &repo.id, &revision) else {
            continue;
        };
        let (list, name) = if let Some(name) = revision.strip_prefix("refs/convert/") {
            (&mut converts, name)
        } else if let Some(name) = revision.strip_prefix("refs/pr/") {
            (&mut prs, name)
        } else if let Some(name) = revision.strip_prefix("refs/tags/") {
            (&mut tags, name)
        } else {
            (&mut branches, revision.trim_start_matches("refs/heads/"))
        };
        let full =
            if revision.starts_with("refs/") { revision.clone() } else { format!("refs/heads/{revision}") };
        list.push(json!({"name": name, "ref": full, "targetCommit": other.commit}));
    }
    let mut refs = json!({"branches": branches, "converts": converts, "tags": tags});
    if let (true, Some(map)) = (pull_requests, refs.as_object_mut()) {
        map.insert("pullRequests".into(), json!(prs));
    }
    refs
}

/// Commits of a revision: the mirror knows the present one.
pub(super) fn commits(repo: &Repo, query: &str) -> Value {
    let title = "Files as they are";
    let mut commit = json!({
        "id": repo.commit, "title": title, "message": "", "authors": [{"user": "mirror"}],
        "date": time(repo.modified),
    });
    if let (false, Some(map)) = (parameters(query, "expand[]").is_empty(), commit.as_object_mut()) {
        map.insert("formatted".into(), json!({"title": title, "message": ""}));
    }
    json!([commit])
}
