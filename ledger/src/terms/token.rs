//! A token: what the vault knows of a term. Deterministic under one search key, so equal terms have equal tokens, and that is what it leaks.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::term::MAX_TERMS;

/// The first 32 bytes of the VOPRF's output. Text and JSON: base64url without padding, 43 characters. `Debug` does not print it, as logs have no tokens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; 32]);

/// Text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is 32 bytes as 43 characters of base64url")]
pub struct TokenError;

/// Why text is no list of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenListError {
    /// One of them is no token, or they are not separated by single spaces.
    #[error("a list of tokens is tokens separated by single spaces")]
    Malformed,
    /// Too many of them.
    #[error("a record has at most {MAX_TERMS} tokens, not {found}")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// Not sorted, or one of them twice.
    #[error("the tokens are not in ascending order, each once")]
    NotSorted,
}

/// Writes tokens as the private field `tokens` of `record.announce.v1` holds them: sorted, each once, separated by spaces. Sorting hides which term they are of.
pub fn join_tokens(tokens: impl IntoIterator<Item = Token>) -> Result<String, TokenListError> {
    let sorted: BTreeSet<Token> = tokens.into_iter().collect();
    if sorted.len() > MAX_TERMS {
        return Err(TokenListError::TooMany { found: sorted.len() });
    }
    Ok(sorted.iter().map(Token::to_string).collect::<Vec<_>>().join(" "))
}

/// Reads what [`join_tokens`] writes, and nothing else. A record may have no tokens: then the text is empty.
pub fn split_tokens(text: &str) -> Result<Vec<Token>, TokenListError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let found = text.split(' ').count();
    if found > MAX_TERMS {
        return Err(TokenListError::TooMany { found });
    }
    let parsed: Result<Vec<Token>, TokenError> = text.split(' ').map(str::parse).collect();
    let tokens = parsed.map_err(|TokenError| TokenListError::Malformed)?;
    if tokens.is_sorted_by(|left, right| left < right) { Ok(tokens) } else { Err(TokenListError::NotSorted) }
}

impl Token {
    /// The token with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError)?;
        bytes.try_into().map(Self).map_err(|_| TokenError)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_spelling() {
        let token = Token::from_bytes([0xff; 32]);
        let text = token.to_string();
        assert_eq!(text.len(), 43);
        assert_eq!(text.parse(), Ok(token));
        assert_eq!(serde_json::to_string(&token).unwrap(), format!("\"{text}\""));
        let last_bits_set = format!("{}9", &text[..42]);
        for bad in ["", &text[..42], &format!("{text}="), &format!("{text}A"), &text.replace('_', "/"), &last_bits_set]
        {
            assert_eq!(bad.parse::<Token>(), Err(TokenError), "{bad:?}");
        }
    }

    #[test]
    fn a_token_does_not_print_itself() {
        assert_eq!(format!("{:?}", Token::from_bytes([1; 32])), "Token(..)");
    }

    #[test]
    fn lists_are_sorted_and_each_token_stands_once() {
        let token = |byte| Token::from_bytes([byte; 32]);
        let text = join_tokens([token(2), token(1), token(2)]).unwrap();
        assert_eq!(text, format!("{} {}", token(1), token(2)));
        assert_eq!(split_tokens(&text), Ok(vec![token(1), token(2)]));
        assert_eq!(split_tokens(""), Ok(Vec::new()));
        assert_eq!(split_tokens(&format!("{} {}", token(2), token(1))), Err(TokenListError::NotSorted));
        assert_eq!(split_tokens(&format!("{} {}", token(1), token(1))), Err(TokenListError::NotSorted));
        for bad in [" ", "x", &format!("{}  {}", token(1), token(2)), &format!("{text} ")] {
            assert_eq!(split_tokens(bad), Err(TokenListError::Malformed), "{bad:?}");
        }
        assert_eq!(join_tokens((0..33).map(token)), Err(TokenListError::TooMany { found: 33 }));
        let many = (0..33).map(|byte| token(byte).to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(split_tokens(&many), Err(TokenListError::TooMany { found: 33 }));
    }
}
