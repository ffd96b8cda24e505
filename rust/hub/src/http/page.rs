//! `Link: <…>; rel="next"`: the next page of a listing, on the same origin only.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

use super::client::same_origin;
use crate::error::{HubError, HubErrorKind};

/// The next page's address; an address on another origin is an error (the token would follow it).
pub(crate) fn next_page(headers: &HeaderMap, from: &Url) -> Result<Option<Url>, HubError> {
    let links = headers.get_all(LINK).iter().filter_map(|v| v.to_str().ok());
    let Some(target) = links.flat_map(|l| l.split(',')).find_map(next_of) else {
        return Ok(None);
    };
    let next = from.join(target).map_err(|e| {
        HubError::new(HubErrorKind::Http, format!("the next page's address cannot be read: {e}"))
    })?;
    if !same_origin(&next, from) {
        let message = format!(
            "the next page lies on another host ({}): not followed",
            next.origin().ascii_serialization()
        );
        return Err(HubError::new(HubErrorKind::Http, message));
    }
    Ok(Some(next))
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
    }
}
