//! `Token`: a secret that cannot be printed, and where it is looked for.

use std::fmt;
use std::path::Path;

use crate::error::{HubError, HubErrorKind};

/// A token. `Debug` and `Display` never show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a text without line ends and surrounding blanks; `None` if nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The secret itself, for the `authorization` header and for a user who asks for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hf_***)")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hf_***")
    }
}

/// What a caller says about the token.
#[derive(Clone)]
pub enum TokenChoice {
    /// The stored one, if there is one.
    Implicit,
    /// The stored one; it is an error if there is none.
    Stored,
    /// No token.
    None,
    /// This one.
    Value(String),
}

/// Where a token comes from: for error texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// `token=`.
    Argument,
    /// `HF_TOKEN`.
    Variable,
    /// `HUGGING_FACE_HUB_TOKEN`.
    OldVariable,
    /// The token file.
    File,
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argument => "the argument token=",
            Self::Variable => "the variable HF_TOKEN",
            Self::OldVariable => "the variable HUGGING_FACE_HUB_TOKEN",
            Self::File => "the token file",
        })
    }
}

/// The stored token: environment first, then the token file. Only the first variable that is set counts.
pub(crate) fn stored(variables: [Option<String>; 2], file: &Path) -> Option<(Token, TokenSource)> {
    let sources = [TokenSource::Variable, TokenSource::OldVariable];
    variables
        .into_iter()
        .zip(sources)
        .find_map(|(text, source)| Some((text?, source)))
        .and_then(|(text, source)| Some((Token::new(&text)?, source)))
        .or_else(|| Some((Token::new(&std::fs::read_to_string(file).ok()?)?, TokenSource::File)))
}

/// Applies a choice.
pub(crate) fn choose(
    choice: TokenChoice,
    implicit: Option<(Token, TokenSource)>,
    stored: Option<(Token, TokenSource)>,
) -> Result<Option<(Token, TokenSource)>, HubError> {
    match choice {
        TokenChoice::Implicit => Ok(implicit),
        TokenChoice::None => Ok(None),
        TokenChoice::Value(text) => Token::new(&text)
            .map(|token| Some((token, TokenSource::Argument)))
            .ok_or_else(|| HubError::new(HubErrorKind::InvalidArgument, "the token is an empty text")),
        TokenChoice::Stored => stored.map(Some).ok_or_else(|| {
            HubError::new(HubErrorKind::TokenNotFound, "token=True was given, but no token is stored")
                .with_hint("Set HF_TOKEN, or write the token to $HF_HOME/token.")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn a_token_does_not_print() {
        let token = Token::new(" hf_secret\n");
        assert!(!format!("{token:?}").contains("secret"));
        assert_eq!(token.as_ref().map(Token::reveal), Some("hf_secret"));
        assert!(Token::new(" \n").is_none());
    }
}
