//! `Link: <…>; rel="next"`: the next page of a listing, on the same origin only.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

use super::client::same_origin;
use crate::error::{HubError, HubErrorKind};

/// Where the Hub itself lives. A mirror that passes its answers on names these in links.
const HUB_HOSTS: [&str; 3] = ["huggingface.co", "hf.co", "hub-ci.huggingface.co"];

/// Whether an address is on the Hub itself.
pub(crate) fn is_hub(url: &Url) -> bool {
    url.host_str().is_some_and(|h| HUB_HOSTS.contains(&h))
}

/// The same page at the mirror that was asked, for a link that a mirror passed on from the Hub.
fn at_the_mirror(next: &Url, from: &Url) -> Option<Url> {
    if !is_hub(next) || !next.path().starts_with("/api/") {
        return None;
    }
    let (prefix, _) = from.path().split_once("/api/")?;
    let mut page = from.clone();
    page.set_path(&format!("{prefix}{}", next.path()));
    page.set_query(next.query());
    Some(page)
}

/// The next page's address. On another origin it is an error (the token would follow it), except that a mirror's link
/// to the Hub means the mirror.
pub(crate) fn next_page(headers: &HeaderMap, from: &Url) -> Result<Option<Url>, HubError> {
    let links = headers.get_all(LINK).iter().filter_map(|v| v.to_str().ok());
    let Some(target) = links.flat_map(split_links).find_map(next_of) else {
        return Ok(None);
    };
    let next = from.join(target).map_err(|e| {
        HubError::new(HubErrorKind::Http, format!("the next page's address cannot be read: {e}"))
    })?;
    if !same_origin(&next, from) {
        if let Some(page) = at_the_mirror(&next, from) {
            return Ok(Some(page));
        }
        let message = format!(
            "the next page lies on another host ({}): not followed",
            next.origin().ascii_serialization()
        );
        return Err(HubError::new(HubErrorKind::Http, message));
    }
    Ok(Some(next))
}

/// The links of a header: split at commas outside `<…>`, since addresses may have commas.
fn split_links(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.split(move |c: char| {
        inside = match c {
            '<' => true,
            '>' => false,
            _ => inside,
        };
        c == ',' && !inside
    })
}

fn next_of(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let next = parameters.split(';').any(|p| matches!(p.trim(), "rel=\"next\"" | "rel=next"));
    next.then_some(target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn pages() {
        let from = Url::parse("http://h/api/tree").unwrap();
        let page = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, text.parse().unwrap());
            next_page(&headers, &from)
        };
        assert_eq!(
            page("<http://h/api/tree?cursor=2>; rel=\"next\"").unwrap().unwrap().query(),
            Some("cursor=2")
        );
        assert_eq!(page("</x>; rel=\"prev\", </y>; rel=next").unwrap().unwrap().path(), "/y");
        assert!(page("</x>; rel=\"prev\"").unwrap().is_none());
        assert!(page("<http://evil/x>; rel=\"next\"").is_err());
        assert!(page("garbage").unwrap().is_none());
        let commas = "</p>; rel=\"prev\", </y?cursor=a,b>; rel=\"next\"";
        assert_eq!(page(commas).unwrap().unwrap().query(), Some("cursor=a,b"));
    }

    #[test]
    fn a_link_to_the_hub_means_the_mirror() {
        let mut headers = HeaderMap::new();
        headers.insert(
            LINK,
            "<https://huggingface.co/api/datasets/a/b/tree/m?cursor=2>; rel=\"next\"".parse().unwrap(),
        );
        let from = Url::parse("http://mirror:8/hub/api/datasets/a/b/tree/m").unwrap();
        let next = next_page(&headers, &from).unwrap().unwrap();
        assert_eq!(next.as_str(), "http://mirror:8/hub/api/datasets/a/b/tree/m?cursor=2");
    }
}
