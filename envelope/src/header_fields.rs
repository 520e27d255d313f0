//! What a header says of its record and its key: the encryption context and the one encrypted data key.
//!
//! The vault's messages carry exactly three context pairs, in the order of their UTF-8 bytes (record, tenant, version), and exactly one encrypted data
//! key. The same three pairs are the KMS encryption context, so KMS refuses to unwrap a key for another record.

/// Most bytes of a tenant's name, the vault's origin.
pub const MAX_TENANT_BYTES: usize = 255;
/// Most bytes of a record id.
pub const MAX_RECORD_BYTES: usize = 64;
/// Most bytes of a key provider's id.
pub const MAX_PROVIDER_ID_BYTES: usize = 64;
/// Most bytes of a key provider's information: KMS allows an ARN no more.
pub const MAX_PROVIDER_INFO_BYTES: usize = 1024;
/// Most bytes of a wrapped data key: KMS makes 184 of a 32-byte key.
pub const MAX_WRAPPED_KEY_BYTES: usize = 1024;
/// The key provider id of AWS KMS, as the official SDKs write it.
pub const KMS_PROVIDER_ID: &str = "aws-kms";

/// Which record a message belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Context {
    tenant: String,
    record: String,
    version: u32,
}

/// A context that no header of ours can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Empty, too long, or not printable ASCII without spaces.
    #[error("the tenant must be 1 to {MAX_TENANT_BYTES} printable ASCII characters without spaces")]
    Tenant,
    /// Empty, too long, or not printable ASCII without spaces.
    #[error("the record id must be 1 to {MAX_RECORD_BYTES} printable ASCII characters without spaces")]
    Record,
    /// Not a decimal number, or not in its shortest form.
    #[error("the version must be a decimal number without leading zeros")]
    Version,
}

impl Context {
    /// The context of version `version` of `record` in the vault named `tenant`.
    pub fn new(tenant: impl Into<String>, record: impl Into<String>, version: u32) -> Result<Self, ContextError> {
        let (tenant, record) = (tenant.into(), record.into());
        if !is_name(&tenant, MAX_TENANT_BYTES) {
            return Err(ContextError::Tenant);
        }
        if !is_name(&record, MAX_RECORD_BYTES) {
            return Err(ContextError::Record);
        }
        Ok(Self { tenant, record, version })
    }

    /// The context with these texts as values, as a header carries them.
    pub(crate) fn from_text(tenant: &str, record: &str, version: &str) -> Result<Self, ContextError> {
        let number = version.parse().map_err(|_| ContextError::Version)?;
        if u32::to_string(&number) != version {
            return Err(ContextError::Version);
        }
        Self::new(tenant, record, number)
    }

    /// The vault's origin.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The record's id.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The record's version.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Key and value pairs in the order of a header; also the encryption context to give KMS.
    pub fn pairs(&self) -> [(&'static str, String); 3] {
        [("record", self.record.clone()), ("tenant", self.tenant.clone()), ("version", self.version.to_string())]
    }
}

fn is_name(text: &str, limit: usize) -> bool {
    !text.is_empty() && text.len() <= limit && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A data key as its key provider wrapped it ("encrypted data key" in AWS's words).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    provider_id: String,
    provider_info: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// A wrapped key that no header of ours can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrappedKeyError {
    /// Empty or too long.
    #[error("the key provider id must be 1 to {MAX_PROVIDER_ID_BYTES} bytes")]
    ProviderId,
    /// Empty or too long.
    #[error("the key provider information must be 1 to {MAX_PROVIDER_INFO_BYTES} bytes")]
    ProviderInfo,
    /// Empty or too long.
    #[error("the wrapped key must be 1 to {MAX_WRAPPED_KEY_BYTES} bytes")]
    Ciphertext,
}

impl WrappedKey {
    /// A data key wrapped by KMS: `key_arn` is the ARN KMS answered with, `ciphertext` its CiphertextBlob.
    pub fn kms(key_arn: &str, ciphertext: &[u8]) -> Result<Self, WrappedKeyError> {
        Self::of(KMS_PROVIDER_ID, key_arn.as_bytes(), ciphertext)
    }

    /// A data key wrapped by any provider. The vault's own messages use [`WrappedKey::kms`].
    pub fn of(provider_id: &str, provider_info: &[u8], ciphertext: &[u8]) -> Result<Self, WrappedKeyError> {
        let within = |length: usize, limit: usize| (1..=limit).contains(&length);
        if !within(provider_id.len(), MAX_PROVIDER_ID_BYTES) {
            return Err(WrappedKeyError::ProviderId);
        }
        if !within(provider_info.len(), MAX_PROVIDER_INFO_BYTES) {
            return Err(WrappedKeyError::ProviderInfo);
        }
        if !within(ciphertext.len(), MAX_WRAPPED_KEY_BYTES) {
            return Err(WrappedKeyError::Ciphertext);
        }
        Ok(Self {
            provider_id: provider_id.to_owned(),
            provider_info: provider_info.to_vec(),
            ciphertext: ciphertext.to_vec(),
        })
    }

    /// The key provider's id; [`KMS_PROVIDER_ID`] in the vault's own messages.
    pub fn provider_id(&self) -> &str {
        &self.provider_id
    }

    /// What the provider needs to find its key; of KMS, the key's ARN.
    pub fn provider_info(&self) -> &[u8] {
        &self.provider_info
    }

    /// The wrapped data key.
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_limits() {
        assert!(Context::new("t".repeat(MAX_TENANT_BYTES), "r".repeat(MAX_RECORD_BYTES), 0).is_ok());
        assert_eq!(Context::new("t".repeat(MAX_TENANT_BYTES + 1), "r", 0), Err(ContextError::Tenant));
        assert_eq!(Context::new("t", "r".repeat(MAX_RECORD_BYTES + 1), 0), Err(ContextError::Record));
        for bad in ["", "a b", "a\n", "é"] {
            assert_eq!(Context::new(bad, "r", 0), Err(ContextError::Tenant), "{bad:?}");
            assert_eq!(Context::new("t", bad, 0), Err(ContextError::Record), "{bad:?}");
        }
    }

    #[test]
    fn a_version_has_one_spelling() {
        assert_eq!(Context::from_text("t", "r", "4294967295").map(|context| context.version()), Ok(u32::MAX));
        for bad in ["", "01", "+1", "-1", " 1", "1.0", "4294967296", "one"] {
            assert_eq!(Context::from_text("t", "r", bad), Err(ContextError::Version), "{bad:?}");
        }
    }

    #[test]
    fn wrapped_keys_have_limits() {
        assert_eq!(WrappedKey::of("", b"i", b"c").err(), Some(WrappedKeyError::ProviderId));
        assert_eq!(WrappedKey::kms("", b"c").err(), Some(WrappedKeyError::ProviderInfo));
        assert_eq!(WrappedKey::kms("arn", b"").err(), Some(WrappedKeyError::Ciphertext));
        assert_eq!(WrappedKey::kms("arn", &[0; MAX_WRAPPED_KEY_BYTES + 1]).err(), Some(WrappedKeyError::Ciphertext));
    }
}
