//! Compact JWS (RFC 7515) with EdDSA (RFC 8037), and nothing else of JOSE: the header is exactly `alg`, `kid` and `typ`, so that there is
//! no `crit`, no embedded key, no other algorithm to be talked into. Signatures are verified strictly (no small-order keys, no malleability).

use std::cell::RefCell;
use std::collections::HashMap;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::codes::{Code, Refusal};
use crate::encoding::{Bytes, base64url, from_base64url};
use crate::id::{Id, Kid};
use crate::limits::{MAX_CLOCK_SKEW_MS, MAX_JWS_BYTES, MAX_TOKEN_LIFE_S};
use crate::strict;

/// Most public keys that a thread keeps as points.
const MAX_POINTS: usize = 1_024;

/// The `typ` of a command.
pub const COMMAND_TYP: &str = "chartseal-command+jws";
/// The `typ` of a read token.
pub const READ_TYP: &str = "chartseal-read+jwt";

/// A JWS that is well formed. Its signature has not been looked at: [`Jws::verify`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jws {
    text: String,
    kid: Kid,
    payload: Vec<u8>,
    signature: [u8; 64],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: Kid,
    typ: String,
}

impl Jws {
    /// Reads a compact JWS of type `typ`. `malformed` is the code for whatever is not well formed.
    pub fn parse(text: &str, typ: &str, malformed: Code) -> Result<Self, Refusal> {
        if text.len() > MAX_JWS_BYTES {
            return Err(malformed.into());
        }
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed.into());
        };
        let decode = |part: &str| from_base64url(part).map_err(|_| Refusal::from(malformed));
        let header_bytes = decode(header)?;
        let value = strict::value(&header_bytes).map_err(|_| malformed)?;
        if value.get("alg").and_then(|alg| alg.as_str()).is_some_and(|alg| alg != "EdDSA") {
            return Err(Code::BadAlgorithm.into());
        }
        let header: Header = serde_json::from_value(value).map_err(|_| Refusal::field(malformed, "header"))?;
        if header.typ != typ {
            return Err(Refusal::field(malformed, "typ"));
        }
        let signature = decode(signature)?.try_into().map_err(|_| Refusal::from(malformed))?;
        Ok(Self { text: text.to_owned(), kid: header.kid, payload: decode(payload)?, signature })
    }

    /// Makes a JWS.
    pub fn sign(typ: &str, kid: Kid, payload: &[u8], key: &SigningKey) -> Self {
        let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{typ}"}}"#);
        let mut text = format!("{}.{}", base64url(header.as_bytes()), base64url(payload));
        let signature = key.sign(text.as_bytes()).to_bytes();
        text.push('.');
        text.push_str(&base64url(&signature));
        Self { text, kid, payload: payload.to_vec(), signature }
    }

    /// Who is said to have signed.
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// The exact payload bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The exact compact text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Verifies the signature (RFC 8032, strictly).
    pub fn verify(&self, public_key: &Bytes<32>) -> Result<(), Code> {
        let key = point(public_key).ok_or(Code::SignatureInvalid)?;
        let signed = self.text.rsplit_once('.').map_or("", |(signed, _)| signed);
        key.verify_strict(signed.as_bytes(), &Signature::from_bytes(&self.signature))
            .map_err(|_| Code::SignatureInvalid)
    }
}

/// The public key as a point on the curve. To find it is an eighth of a verification, so this thread's last ones are kept.
fn point(public_key: &Bytes<32>) -> Option<VerifyingKey> {
    thread_local! {
        static POINTS: RefCell<HashMap<[u8; 32], VerifyingKey>> = RefCell::default();
    }
    POINTS.with_borrow_mut(|points| {
        if let Some(key) = points.get(&public_key.0) {
            return Some(*key);
        }
        let key = VerifyingKey::from_bytes(&public_key.0).ok()?;
        if points.len() >= MAX_POINTS {
            points.clear();
        }
        points.insert(public_key.0, key);
        Some(key)
    })
}

/// Whether bytes are an Ed25519 public key that can be used: a point on the curve, of large order.
pub fn is_public_key(bytes: &Bytes<32>) -> bool {
    VerifyingKey::from_bytes(&bytes.0).is_ok_and(|key| !key.is_weak())
}

/// The claims of a read token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadClaims {
    /// The vault's origin.
    pub aud: String,
    /// Signed at, Unix seconds.
    pub iat: u64,
    /// Good until, Unix seconds; at most 60 after `iat`.
    pub exp: u64,
    /// The HTTP method.
    pub htm: String,
    /// The path, as the function sees it, without a query.
    pub htu: String,
    /// The provider that a staff person acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Id>,
}

/// A read token: a signed, short-lived leave to read one path.
#[derive(Debug, Clone)]
pub struct ReadToken {
    /// Who signed, and the signature.
    pub jws: Jws,
    /// What it claims.
    pub claims: ReadClaims,
}

impl ReadToken {
    /// Reads the value of an `Authorization` header and checks everything but the signature.
    pub fn admit(authorization: &str, audience: &str, method: &str, path: &str, now_ms: u64) -> Result<Self, Refusal> {
        let (scheme, token) = authorization.split_once(' ').ok_or(Code::MissingToken)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Code::MissingToken.into());
        }
        let jws = Jws::parse(token, READ_TYP, Code::MalformedToken)?;
        let claims: ReadClaims = strict::parse(jws.payload()).map_err(|_| Code::MalformedToken)?;
        if claims.aud != audience {
            return Err(Code::WrongAudience.into());
        }
        if claims.htm != method || claims.htu != path {
            return Err(Code::TokenTarget.into());
        }
        check_clock(claims.iat, now_ms)?;
        let life_s = claims.exp.checked_sub(claims.iat).ok_or(Code::TokenExpired)?;
        if life_s > MAX_TOKEN_LIFE_S || now_ms >= claims.exp.saturating_mul(1000) {
            return Err(Code::TokenExpired.into());
        }
        Ok(Self { jws, claims })
    }
}

/// Checks that something signed at `iat_s` may be taken at `now_ms`.
pub fn check_clock(iat_s: u64, now_ms: u64) -> Result<(), Refusal> {
    if iat_s.saturating_mul(1000).abs_diff(now_ms) > MAX_CLOCK_SKEW_MS { Err(Code::ClockSkew.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn public(key: &SigningKey) -> Bytes<32> {
        Bytes(key.verifying_key().to_bytes())
    }

    fn kid() -> Kid {
        Kid::Person(Id::from_parts(1, [1; 10]))
    }

    fn with_header(header: &str) -> Result<Jws, Refusal> {
        let jws = Jws::sign(COMMAND_TYP, kid(), b"{}", &key());
        let rest = jws.text().split_once('.').expect("three parts").1;
        Jws::parse(&format!("{}.{rest}", base64url(header.as_bytes())), COMMAND_TYP, Code::MalformedCommand)
    }

    #[test]
    fn signs_and_verifies() {
        let jws = Jws::sign(COMMAND_TYP, kid(), br#"{"a":1}"#, &key());
        let read = Jws::parse(jws.text(), COMMAND_TYP, Code::MalformedCommand).expect("well formed");
        assert_eq!(read, jws);
        assert_eq!(read.verify(&public(&key())), Ok(()));
        assert_eq!(read.verify(&public(&SigningKey::from_bytes(&[8; 32]))), Err(Code::SignatureInvalid));
        assert_eq!(read.verify(&Bytes([0; 32])), Err(Code::SignatureInvalid), "a small-order key");
        assert!(!is_public_key(&Bytes([0; 32])));
    }

    #[test]
    fn no_header_but_ours() {
        let id = kid();
        let refused = |header: String| with_header(&header).map(|_| ()).map_err(|refusal| refusal.code);
        assert_eq!(refused(format!(r#"{{"alg":"EdDSA","kid":"{id}","typ":"{COMMAND_TYP}"}}"#)), Ok(()));
        for alg in ["none", "HS256", "ES256", "eddsa", ""] {
            let header = format!(r#"{{"alg":"{alg}","kid":"{id}","typ":"{COMMAND_TYP}"}}"#);
            assert_eq!(refused(header), Err(Code::BadAlgorithm), "{alg}");
        }
        for header in [
            format!(r#"{{"alg":"EdDSA","kid":"{id}","typ":"{READ_TYP}"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{id}","typ":"{COMMAND_TYP}","crit":["b64"]}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{id}","typ":"{COMMAND_TYP}","jwk":{{}}}}"#),
            format!(r#"{{"alg":"EdDSA","alg":"EdDSA","kid":"{id}","typ":"{COMMAND_TYP}"}}"#),
            format!(r#"{{"kid":"{id}","typ":"{COMMAND_TYP}"}}"#),
            r#"{"alg":"EdDSA","kid":"somebody","typ":"chartseal-command+jws"}"#.to_owned(),
            "[]".to_owned(),
        ] {
            assert_eq!(refused(header.clone()), Err(Code::MalformedCommand), "{header}");
        }
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let jws = Jws::sign(COMMAND_TYP, kid(), br#"{"a":1}"#, &key());
        for index in 0..jws.text().len() {
            let mut bytes = jws.text().as_bytes().to_vec();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let text = String::from_utf8(bytes).expect("ASCII");
            let taken = Jws::parse(&text, COMMAND_TYP, Code::MalformedCommand)
                .is_ok_and(|read| read.verify(&public(&key())).is_ok() && read.kid() == kid());
            assert!(!taken, "byte {index}");
        }
    }

    fn claims() -> ReadClaims {
        ReadClaims { aud: "v".into(), iat: 1000, exp: 1060, htm: "GET".into(), htu: "/records".into(), act: None }
    }

    fn admit(claims: &ReadClaims, now_ms: u64) -> Result<(), Code> {
        let payload = serde_json::to_vec(claims).expect("JSON");
        let token = Jws::sign(READ_TYP, kid(), &payload, &key());
        let header = format!("Bearer {}", token.text());
        ReadToken::admit(&header, "v", "GET", "/records", now_ms).map(|_| ()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_read_token_is_for_one_path_and_a_minute() {
        assert_eq!(admit(&claims(), 1_030_000), Ok(()));
        assert_eq!(admit(&claims(), 1_060_000), Err(Code::TokenExpired));
        assert_eq!(admit(&ReadClaims { exp: 1061, ..claims() }, 1_030_000), Err(Code::TokenExpired));
        assert_eq!(admit(&ReadClaims { exp: 999, ..claims() }, 1_000_000), Err(Code::TokenExpired));
        assert_eq!(admit(&claims(), 1_120_001), Err(Code::ClockSkew));
        assert_eq!(admit(&claims(), 879_999), Err(Code::ClockSkew));
        assert_eq!(admit(&ReadClaims { aud: "w".into(), ..claims() }, 1_030_000), Err(Code::WrongAudience));
        assert_eq!(admit(&ReadClaims { htm: "POST".into(), ..claims() }, 1_030_000), Err(Code::TokenTarget));
        assert_eq!(admit(&ReadClaims { htu: "/records/x".into(), ..claims() }, 1_030_000), Err(Code::TokenTarget));
        assert_eq!(
            ReadToken::admit("Basic eA", "v", "GET", "/", 0).map(|_| ()).map_err(|r| r.code),
            Err(Code::MissingToken)
        );
    }
}
