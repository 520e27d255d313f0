//! Fresh random bytes, from the operating system alone, through this one function.

/// The operating system gave no random bytes; nothing can be sealed until it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct EntropyError;

/// Fills `bytes` with fresh random bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), EntropyError> {
    getrandom::fill(bytes).map_err(|_| EntropyError)
}
