//! `fnmatch` as Python has it: `*` and `?` match `/` too, `[…]` and `[!…]` are classes; case counts.

/// Whether a path passes the allow and ignore patterns of a snapshot. A pattern that ends in `/` means all below it.
pub(crate) fn passes(path: &str, allow: Option<&[String]>, ignore: Option<&[String]>) -> bool {
    let any = |patterns: &[String]| {
        patterns
            .iter()
            .any(|p| if p.ends_with('/') { matches(&format!("{p}*"), path) } else { matches(p, path) })
    };
    allow.is_none_or(any) && !ignore.is_some_and(any)
}

/// Whether `text` matches `pattern` as a whole.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match step(&pattern, p, text.get(t).copied()) {
            Step::Star => {
                star = Some((p, t));
                p += 1;
            }
            Step::One(next) => {
                p = next;
                t += 1;
            }
            Step::No => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

enum Step {
    Star,
    One(usize),
    No,
}

fn step(pattern: &[char], p: usize, letter: Option<char>) -> Step {
    let (Some(&expected), Some(letter)) = (pattern.get(p), letter) else {
        return Step::No;
    };
    match expected {
        '*' => Step::Star,
        '?' => Step::One(p + 1),
        '[' => match class(pattern, p + 1) {
            Some((negated, members, next)) => {
                if in_class(members, letter) == negated {
                    Step::No
                } else {
                    Step::One(next)
                }
            }
            None if letter == '[' => Step::One(p + 1),
            None => Step::No,
        },
        other if other == letter => Step::One(p + 1),
        _ => Step::No,
    }
}

/// The class that starts after `[`: negated or not, its members, and what follows it.
fn class(pattern: &[char], start: usize) -> Option<(bool, &[char], usize)> {
    let negated = pattern.get(start) == Some(&'!');
    let first = start + usize::from(negated);
    // A `]` that comes first is a member.
    let end = (first + 1..pattern.len()).find(|&i| pattern.get(i) == Some(&']'))?;
    Some((negated, pattern.get(first..end)?, end + 1))
}

fn in_class(members: &[char], letter: char) -> bool {
    let mut rest = members;
    loop {
        rest = match rest {
            [low, '-', high, more @ ..] => {
                if (*low..=*high).contains(&letter) {
                    return true;
                }
                more
            }
            [one, more @ ..] => {
                if *one == letter {
                    return true;
                }
                more
            }
            [] => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_semantics() {
        for (pattern, text, expected) in [
            ("*.json", "a/b.json", true),
            ("a?c", "a/c", true),
            ("[ab]*", "bx", true),
            ("[!ab]*", "bx", false),
            ("[a-c]x", "bx", true),
            ("[]]x", "]x", true),
            ("[", "[", true),
            ("data/*", "data/x/y.parquet", true),
            ("*.JSON", "a.json", false),
            ("a*b*c", "a123b456c", true),
            ("a*b*c", "a123b456", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        let allow = ["data/".to_owned()];
        assert!(passes("data/a/b", Some(&allow), None));
        assert!(!passes("x", Some(&allow), None));
        assert!(!passes("data/a", None, Some(&allow)));
    }
}
