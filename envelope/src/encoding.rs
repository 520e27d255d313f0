//! How bytes stand in JSON: SHA-256 values as lower-case hexadecimal, everything else as base64url without padding (RFC 4648 section 5).

/// `#[serde(with = "hex32")]` for SHA-256 values.
pub(crate) mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut value = [0; 32];
        hex::decode_to_slice(&text, &mut value).map_err(|_| D::Error::custom("expected 64 hexadecimal digits"))?;
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(D::Error::custom("expected lower-case hexadecimal digits"));
        }
        Ok(value)
    }
}

/// `#[serde(with = "base64url")]` for byte arrays of a fixed size.
pub(crate) mod base64url {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer, const N: usize>(value: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes =
            URL_SAFE_NO_PAD.decode(&text).map_err(|_| D::Error::custom("expected base64url without padding"))?;
        bytes.try_into().map_err(|_| D::Error::custom(format_args!("expected {N} bytes as base64url")))
    }
}

/// `#[serde(with = "suite")]` for an algorithm suite id: four lower-case hexadecimal digits, as in commands.
pub(crate) mod suite {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    // Serde hands fields over by reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn serialize<S: Serializer>(value: &u16, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{value:04x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = u16::from_str_radix(&text, 16).ok().filter(|value| format!("{value:04x}") == text);
        value.ok_or_else(|| D::Error::custom("expected an algorithm suite as four lower-case hexadecimal digits"))
    }
}
