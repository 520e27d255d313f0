//! Private parts: names, phones, justifications, labels, term tokens. They are kept beside an event, never in it, so that they can be erased;
//! the signed public part commits to each with SHA-256(16-byte salt || UTF-8 value), so that they cannot be changed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::codes::{Code, Refusal};
use crate::encoding::{Bytes, Hash};

/// One private value with the salt of its commitment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateValue {
    /// 16 random bytes.
    pub salt: Bytes<16>,
    /// The value: a string.
    pub value: String,
}

impl PrivateValue {
    /// The commitment that the public part carries.
    pub fn commitment(&self) -> Hash {
        Hash::of(&[&self.salt.0, self.value.as_bytes()])
    }
}

impl fmt::Debug for PrivateValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateValue(..)")
    }
}

/// The private part of a command: field name to value.
pub type PrivatePart = BTreeMap<String, PrivateValue>;

/// The commitments of a private part, as the public part carries them.
pub type Commitments = BTreeMap<String, Hash>;

/// A private field that a command type may or must have.
#[derive(Debug, Clone, Copy)]
pub struct FieldRule {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// Its longest value.
    pub max_bytes: usize,
}

/// The commitments of a private part.
pub fn commitments(part: &PrivatePart) -> Commitments {
    part.iter().map(|(name, value)| (name.clone(), value.commitment())).collect()
}

/// Checks that the commitments are of allowed fields and that all required ones are there.
pub fn check_commitments(commitments: &Commitments, rules: &[FieldRule]) -> Result<(), Refusal> {
    let known = commitments.keys().all(|name| rules.iter().any(|rule| rule.name == name));
    if !known {
        return Err(Refusal::field(Code::MalformedCommand, "private"));
    }
    match rules.iter().find(|rule| rule.required && !commitments.contains_key(rule.name)) {
        Some(missing) => Err(Refusal::field(Code::MalformedCommand, missing.name)),
        None => Ok(()),
    }
}

/// Checks a private part that came with a command: exactly the committed fields, each opening its commitment, each within its limit.
pub fn check_part(part: &PrivatePart, commitments: &Commitments, rules: &[FieldRule]) -> Result<(), Refusal> {
    if part.len() != commitments.len() {
        return Err(Code::PrivateMismatch.into());
    }
    for (name, value) in part {
        let rule = rules.iter().find(|rule| rule.name == name).ok_or(Code::PrivateMismatch)?;
        let committed = commitments.get(name).ok_or(Refusal::field(Code::PrivateMismatch, rule.name))?;
        if !bool::from(committed.0.ct_eq(&value.commitment().0)) {
            return Err(Refusal::field(Code::PrivateMismatch, rule.name));
        }
        let empty = rule.required && value.value.trim().is_empty();
        if empty || value.value.len() > rule.max_bytes || value.value.contains('\0') {
            return Err(Refusal::field(Code::BadField, rule.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[FieldRule] = &[
        FieldRule { name: "reason", required: true, max_bytes: 8 },
        FieldRule { name: "note", required: false, max_bytes: 8 },
    ];

    fn part(name: &str, value: &str) -> PrivatePart {
        BTreeMap::from([(name.to_owned(), PrivateValue { salt: Bytes([3; 16]), value: value.to_owned() })])
    }

    #[test]
    fn a_private_part_opens_its_commitments_or_is_refused() {
        let good = part("reason", "because");
        let committed = commitments(&good);
        assert_eq!(check_commitments(&committed, RULES), Ok(()));
        assert_eq!(check_part(&good, &committed, RULES), Ok(()));

        let code = |part: &PrivatePart, committed: &Commitments| check_part(part, committed, RULES).map_err(|r| r.code);
        assert_eq!(code(&part("reason", "Because"), &committed), Err(Code::PrivateMismatch), "another value");
        let mut salted = good.clone();
        salted.get_mut("reason").expect("there").salt.0[0] ^= 1;
        assert_eq!(code(&salted, &committed), Err(Code::PrivateMismatch), "another salt");
        assert_eq!(code(&PrivatePart::new(), &committed), Err(Code::PrivateMismatch), "left out");
        assert_eq!(code(&part("note", "because"), &committed), Err(Code::PrivateMismatch), "under another name");
        let mut more = good;
        more.extend(part("note", "x"));
        assert_eq!(code(&more, &committed), Err(Code::PrivateMismatch), "not committed to");

        let long = part("reason", "far too long");
        assert_eq!(code(&long, &commitments(&long)), Err(Code::BadField));
        let empty = part("reason", " ");
        assert_eq!(code(&empty, &commitments(&empty)), Err(Code::BadField));
        assert!(check_commitments(&Commitments::new(), RULES).is_err(), "a required field is missing");
        assert!(check_commitments(&commitments(&part("other", "x")), RULES).is_err());
    }

    #[test]
    fn debug_shows_nothing() {
        assert!(!format!("{:?}", part("reason", "secret")).contains("secret"));
    }
}
