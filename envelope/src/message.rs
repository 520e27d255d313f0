//! Whole messages: a detached header and its body put together again, as any official AWS Encryption SDK reads them.

use std::io::{self, Read, Write};

/// Writes header || body to `message` and returns how many bytes that were.
pub fn write_message(header: &[u8], mut body: impl Read, mut message: impl Write) -> io::Result<u64> {
    message.write_all(header)?;
    let body_bytes = io::copy(&mut body, &mut message)?;
    message.flush()?;
    Ok(header.len() as u64 + body_bytes)
}
