//! Looks for planted values in text, in every spelling in which something could have let them through.
//!
//! In scope: plain (also in another case), JSON escapes, base64 and base64url at any offset within something longer, hex, percent-encoding, and lists
//! of bytes as Rust and JSON show them. Out of scope: compression, and anything keyed.

// Few texts, once: what reads best is good enough.
#![allow(clippy::format_collect)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values would be found by chance.
const MIN_BYTES: usize = 8;

/// Something that must not be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plant {
    /// What it is; named when it is found.
    pub what: String,
    /// The value.
    pub value: Vec<u8>,
}

impl Plant {
    /// A value that must not be found.
    pub fn new(what: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        let (what, value) = (what.into(), value.into());
        assert!(value.len() >= MIN_BYTES, "{what} is too short to be looked for");
        Self { what, value }
    }

    /// How it could be spelled: the name of the spelling, its text, and whether case matters.
    fn spellings(&self) -> Vec<(&'static str, String, bool)> {
        let bytes = self.value.as_slice();
        let mut found = Vec::new();
        if let Ok(text) = std::str::from_utf8(bytes) {
            found.push(("plain", text.to_lowercase(), false));
            let json = serde_json::to_string(text).expect("a string");
            found.push(("JSON", json[1..json.len() - 1].to_lowercase(), false));
            found.push(("Rust", format!("{text:?}").trim_matches('"').to_lowercase(), false));
            let escaped = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            found.push(("JSON escapes", escaped, false));
        }
        found.push(("hex", hex::encode(bytes), false));
        let percent = |keep: fn(&u8) -> bool| {
            let one = |byte: &u8| if keep(byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") };
            bytes.iter().map(one).collect::<String>().to_lowercase()
        };
        found.push(("percent", percent(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte)), false));
        found.push(("percent, every byte", percent(|_| false), false));
        let decimal: Vec<_> = bytes.iter().map(u8::to_string).collect();
        found.push(("bytes, as Rust shows them", decimal.join(", "), false));
        found.push(("bytes, as JSON shows them", decimal.join(","), false));
        for offset in 0..3 {
            let shifted = [&[0; 2][..offset], bytes].concat();
            // The characters at both ends also hold bits of what stands beside it.
            let inner = [0, 2, 3][offset]..shifted.len() * 8 / 6;
            found.push(("base64", STANDARD_NO_PAD.encode(&shifted)[inner.clone()].to_owned(), true));
            found.push(("base64url", URL_SAFE_NO_PAD.encode(&shifted)[inner].to_owned(), true));
        }
        found
    }
}

/// Which plants are in a text: what, in which spelling, and what stands around it.
pub fn find(text: &str, plants: &[Plant]) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    for plant in plants {
        for (spelling, needle, case_matters) in plant.spellings() {
            let text = if case_matters { text } else { &lower };
            if let Some(at) = text.find(&needle) {
                let start = (0..=at.saturating_sub(60)).rev().find(|start| text.is_char_boundary(*start));
                let around: String = text[start.unwrap_or(0)..].chars().take(200).collect();
                found.push(format!("{} ({spelling}): ...{around}...", plant.what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "Geheim \"Größe\"\n4711/x";

    fn is_found(text: &str) -> bool {
        !find(text, &[Plant::new("a secret", VALUE)]).is_empty()
    }

    #[test]
    fn a_planted_value_is_found_however_it_is_spelled() {
        let bytes = VALUE.as_bytes();
        let shown = |text: String| format!("{{\"error\":\"before {text} after\"}}");
        assert!(is_found(&shown(VALUE.to_owned())), "plain");
        assert!(is_found(&shown(VALUE.to_ascii_uppercase())), "in another case");
        assert!(is_found(&serde_json::json!({ "error": VALUE }).to_string()), "JSON");
        assert!(is_found(&format!("Field {{ value: {VALUE:?} }}")), "Debug");
        assert!(is_found(&shown(hex::encode_upper(bytes))), "hex");
        assert!(is_found(&format!("{bytes:?}")), "Debug of bytes");
        assert!(is_found(&serde_json::to_string(bytes).expect("JSON")), "bytes in JSON");
        let escaped: String = VALUE.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        assert!(is_found(&shown(escaped)), "escapes");
        let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        assert!(is_found(&shown(percent)), "percent");
        for before in ["", "x", "xy", "xyz"] {
            let whole = format!("{before}{VALUE} and more");
            assert!(is_found(&shown(STANDARD_NO_PAD.encode(&whole))), "base64 after {before}");
            assert!(is_found(&shown(URL_SAFE_NO_PAD.encode(&whole))), "base64url after {before}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert!(!is_found(""));
        assert!(!is_found("Geheim Größe 4711"));
        assert!(!is_found(&hex::encode("another value that is long")));
        assert!(!is_found(&STANDARD_NO_PAD.encode("another value that is long")));
    }

    #[test]
    fn what_is_found_is_named() {
        let found =
            find("x Planted-Name-1 y", &[Plant::new("the name", "planted-name-1"), Plant::new("other", "other-value")]);
        assert!(found.iter().all(|found| found.starts_with("the name (")), "{found:?}");
        assert!(found[0].starts_with("the name (plain): ...x planted-name-1 y"), "{found:?}");
    }
}
