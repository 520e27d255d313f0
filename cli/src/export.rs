//! Exporting: a record that is downloaded, checked and decrypted as ever, and at once encrypted again under a key of the user's own, into one AWS
//! Encryption SDK message that any official SDK opens without the vault. The plaintext goes from thread to thread and never to the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use chartseal_envelope::{DataKey, FrameBytes, OpenError, Opening, RawAesKey, SealError, Sealing, open, seal_message};
use chartseal_events::Hash;
use zeroize::Zeroizing;

use crate::client::{Client, random};
use crate::download::{Download, DownloadOf, Hashed};
use crate::error::Error;
use crate::nameless::Nameless;
use crate::pipe::pipe;
use crate::progress::Progress;
use crate::tampering::of_opening;

/// How much of a message is written at once.
const WRITE_BYTES: usize = 256 * 1024;
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Longest key file: hexadecimal digits and the end of the line.
const MAX_KEY_FILE_BYTES: u64 = 66;

/// The user's own key, with the names by which a Raw AES keyring finds it.
#[derive(Debug)]
pub struct ExportKey(RawAesKey);

/// A key as a file has it.
pub struct KeyFile {
    key: Zeroizing<[u8; KEY_BYTES]>,
    /// Whether others than its owner can read the file.
    pub others_can_read: bool,
}

/// A record that was exported.
#[derive(Debug, Clone)]
pub struct Exported {
    /// What was downloaded, and how it was checked.
    pub download: Download,
    /// Bytes of the message.
    pub message_bytes: u64,
}

impl ExportKey {
    /// The namespace unless another is said.
    pub const DEFAULT_NAMESPACE: &str = "chartseal";
    /// The name unless another is said.
    pub const DEFAULT_NAME: &str = "export";

    /// A key under these names, which stand in the message in the clear.
    pub fn new(namespace: &str, name: &str, file: &KeyFile) -> Result<Self, Error> {
        RawAesKey::new(namespace, name, *file.key).map(Self).map_err(Error::KeyName)
    }

    /// Refuses names that no message can have.
    pub fn check_names(namespace: &str, name: &str) -> Result<(), Error> {
        RawAesKey::new(namespace, name, [0; KEY_BYTES]).map(drop).map_err(Error::KeyName)
    }
}

impl KeyFile {
    /// Reads 32 bytes, or 64 hexadecimal digits.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::file(path))?;
        let others_can_read = others_can_read(&file).map_err(Error::file(path))?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES * 2 + 8));
        file.take(MAX_KEY_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Error::file(path))?;
        let key = parse_key(&bytes).ok_or_else(|| Error::KeyFile(path.to_owned()))?;
        Ok(Self { key, others_can_read })
    }

    /// Writes a new key into a new file that only its owner can read, in hexadecimal digits.
    pub fn generate(path: &Path) -> Result<Self, Error> {
        let key = Zeroizing::new(random()?);
        let mut text = Zeroizing::new(String::with_capacity(KEY_BYTES * 2 + 1));
        for byte in key.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
        text.push('\n');
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::KeyFileExists(path.to_owned()),
            _ => Error::file(path)(error),
        })?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(Error::file(path))?;
        Ok(Self { key, others_can_read: false })
    }
}

fn parse_key(bytes: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if let Ok(key) = bytes.try_into() {
        return Some(Zeroizing::new(key));
    }
    let digits = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let digits = digits.strip_suffix(b"\r").unwrap_or(digits);
    if digits.len() != KEY_BYTES * 2 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(key)
}

#[cfg(unix)]
fn others_can_read(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;

    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &File) -> io::Result<bool> {
    Ok(false)
}

impl Client {
    /// Downloads and checks, and writes one message under the user's own key to `out`. A file that is there is replaced only if `replace` says so.
    pub fn export(
        &self,
        of: DownloadOf,
        key: &ExportKey,
        out: &Path,
        replace: bool,
        progress: &dyn Progress,
    ) -> Result<Exported, Error> {
        let mut file = Nameless::open(out, replace)?;
        let mut ready = self.ready(of, progress)?;
        let received = self.receive(&mut ready, progress, &mut |opening, body| {
            reseal(opening, body, key, file.file(), out).map_err(|error| error.needing(opening.announcement.body_bytes))
        })?;
        file.name()?;
        let Resealed { message_bytes, plaintext_bytes, sha256 } = received.settle();
        Ok(Exported { download: ready.downloaded(plaintext_bytes, sha256), message_bytes })
    }
}

/// What was opened and sealed again.
struct Resealed {
    message_bytes: u64,
    plaintext_bytes: u64,
    sha256: Hash,
}

/// Opens a body and seals it again under a fresh data key, which the user's key wraps. The file may have a name once this has come back.
fn reseal(
    opening: &Opening<'_>,
    body: &mut (dyn Read + Send),
    key: &ExportKey,
    file: &mut File,
    out: &Path,
) -> Result<Resealed, Error> {
    let failed = || Error::file(out);
    // It may be the second time.
    file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(failed())?;
    let data_key = DataKey::generate().map_err(|_| Error::Entropy)?;
    let wrapped_key = key.0.wrap(&data_key, opening.context).map_err(Error::KeyName)?;
    let sealing = Sealing {
        key: &data_key,
        context: opening.context,
        wrapped_key: &wrapped_key,
        frame_bytes: FrameBytes::DEFAULT,
    };
    let (writer, reader) = pipe();
    let (opened, sealed) = std::thread::scope(|scope| {
        let worker = scope.spawn(|| seal_message(&sealing, reader, BufWriter::with_capacity(WRITE_BYTES, &mut *file)));
        let mut sink = Hashed::new(writer);
        let opened = open(opening, body, &mut sink);
        let (writer, sha256) = sink.finish();
        // Otherwise the message has no end.
        if opened.is_ok() {
            writer.finish();
        } else {
            drop(writer);
        }
        let sealed = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (opened.map(|opened| (opened.plaintext_bytes, sha256)), sealed)
    });
    match (opened, sealed) {
        (Ok((plaintext_bytes, sha256)), Ok(message_bytes)) => Ok(Resealed { message_bytes, plaintext_bytes, sha256 }),
        // The pipe broke because nobody reads it any more.
        (Ok(_) | Err(OpenError::Write(_)), Err(error)) => Err(match error {
            SealError::Write(source) => failed()(source),
            other => other.into(),
        }),
        (Err(error), _) => Err(of_opening(error).map_or_else(failed(), Error::from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_bytes_or_as_digits() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let written = KeyFile::generate(&path).expect("written");
        let text = std::fs::read_to_string(&path).expect("there");
        assert_eq!(text.len(), 65);
        let good: [&[u8]; 4] =
            [text.as_bytes(), text.trim_end().as_bytes(), &text.to_uppercase().into_bytes(), &*written.key];
        for bytes in good {
            std::fs::write(&path, bytes).expect("written");
            assert_eq!(*KeyFile::read(&path).expect("read").key, *written.key);
        }
        let spaced = text.replacen('\n', " \n", 1);
        for bad in [&b""[..], &[0; 31], &[0; 33], spaced.as_bytes(), &[b'g'; 64], &[b'0'; 63], &[b'0'; 200]] {
            std::fs::write(&path, bad).expect("written");
            let error = KeyFile::read(&path).err().expect("no key");
            assert_eq!((&*error.code(), error.exit()), ("bad-key", crate::error::Exit::Usage));
        }
        assert!(matches!(KeyFile::generate(&path), Err(Error::KeyFileExists(_))), "a key is never replaced");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        assert!(!KeyFile::generate(&path).expect("written").others_can_read);
        assert!(!KeyFile::read(&path).expect("read").others_can_read);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("set");
        assert!(KeyFile::read(&path).expect("read").others_can_read);
    }
}
