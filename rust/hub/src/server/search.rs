//! Search over the mirror's repositories.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::routes::{as_json, parameter, parameters};
use super::{Shared, facts, repos};
use crate::repo::{RepoKind, encode_segment};

/// Fields that a plain search answers with; `full` and `expand` ask for more.
const SHORT: [&str; 11] = [
    "id",
    "author",
    "lastModified",
    "createdAt",
    "private",
    "gated",
    "disabled",
    "downloads",
    "likes",
    "tags",
    "pipeline_tag",
];
const SORTS: [&str; 5] = ["lastModified", "createdAt", "downloads", "likes", "trendingScore"];

/// A page of the repositories that pass `search`, `author`, `filter` and `gated`, sorted and limited. Reads the disk:
/// not for async threads.
pub(super) fn search(shared: &Shared, kind: RepoKind, query: &str, knows_private: bool) -> Response {
    let words: Vec<String> = parameters(query, "search").iter().map(|w| w.to_lowercase()).collect();
    let (author, gated) = (parameter(query, "author"), parameter(query, "gated"));
    let filters = parameters(query, "filter");
    let options = &shared.options;
    let mut found: Vec<Map<String, Value>> = repos::list(&options.root, kind)
        .into_iter()
        .filter(|id| knows_private || !options.private.contains(id))
        .filter(|id| words.iter().all(|word| id.to_lowercase().contains(word)))
        .filter(|id| author.as_ref().is_none_or(|a| id.split('/').next() == Some(a)))
        .map(|id| {
            let folder = repos::folder(&options.root, kind, &id);
            let modified = folder.metadata().and_then(|m| m.modified()).unwrap_or(std::time::UNIX_EPOCH);
            let mut facts = facts::general(&id, modified, options, &repos::facts(&folder));
            facts.insert("_id".into(), json!(id));
            facts
        })
        .filter(|facts| filters.iter().all(|tag| has_tag(facts, tag)))
        .filter(|facts| gated.as_ref().is_none_or(|g| (g == "true") == is_gated(facts)))
        .collect();
    if let Some(key) = parameter(query, "sort").filter(|key| SORTS.contains(&key.as_str())) {
        found.sort_by(|a, b| ordered(b.get(&key), a.get(&key)));
    }
    let limit = parameter(query, "limit").and_then(|l| l.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let start = parameter(query, "cursor").and_then(|c| c.parse::<usize>().ok()).unwrap_or(0);
    let end = found.len().min(limit);
    let full = parameter(query, "full").is_some() || parameter(query, "expand").is_some();
    let page: Vec<Value> = found
        .drain(..)
        .take(end)
        .skip(start)
        .take(options.page_size)
        .map(|mut facts| {
            facts.retain(|key, _| full || key == "_id" || SHORT.contains(&key.as_str()));
            facts::expanded(facts, query)
        })
        .collect();
    let mut headers = Vec::new();
    if start.saturating_add(options.page_size) < end {
        let kept: String = query
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="))
            .fold(String::new(), |mut text, pair| {
                text.push_str(pair);
                text.push('&');
                text
            });
        let next = encode_segment(&(start + options.page_size).to_string());
        let address = format!("<{}/api/{}?{kept}cursor={next}>; rel=\"next\"", shared.url, kind.plural());
        headers.push(("link", address));
    }
    as_json(&Value::Array(page), &headers)
}

fn has_tag(facts: &Map<String, Value>, tag: &str) -> bool {
    facts.get("tags").and_then(Value::as_array).is_some_and(|tags| tags.iter().any(|t| t == tag))
}

fn is_gated(facts: &Map<String, Value>) -> bool {
    facts.get("gated").is_some_and(|gated| gated.is_string() || gated == &json!(true))
}

/// Numbers by value, dates as texts, what is missing last.
fn ordered(a: Option<&Value>, b: Option<&Value>) -> std::cmp::Ordering {
    let number = |v: Option<&Value>| v.and_then(Value::as_f64).unwrap_or(f64::MIN);
    let text = |v: Option<&Value>| v.and_then(Value::as_str).unwrap_or_default().to_owned();
    number(a).total_cmp(&number(b)).then_with(|| text(a).cmp(&text(b)))
}
