//! Where the items of a JSON array end, without parsing them.

use memchr::memchr2;

/// What was found in a text that begins at an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Items {
    /// The array's end: the place of its bracket.
    Closed(usize),
    /// The place of the last comma between items.
    Until(usize),
    /// Not one whole item.
    None,
}

/// Looks for the ends of items. Text that is no JSON gives any answer; the parser finds what is wrong with it.
pub(super) fn items(text: &[u8]) -> Items {
    let (mut depth, mut at, mut last) = (0_usize, 0, None);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => match string_end(text, at + 1) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => break,
            },
            b'[' | b'{' => depth += 1,
            b']' if depth == 0 => return Items::Closed(at),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => last = Some(at),
            _ => {}
        }
        at += 1;
    }
    last.map_or(Items::None, Items::Until)
}

/// The place after the quote that ends a string.
fn string_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(found) == Some(&b'"') {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found() {
        for (text, found) in [
            (r#"{"a": "]\""}, [1, 2], 3"#, Items::Until(20)),
            ("1]", Items::Closed(1)),
            ("", Items::None),
            (r#"{"a": [1, 2], "b"#, Items::None),
            (r#""a, b"#, Items::None),
            (r#""a\"#, Items::None),
            ("}}, 1", Items::Until(2)),
        ] {
            assert_eq!(items(text.as_bytes()), found, "{text}");
        }
    }
}
