//! What can go wrong, in one enum: with a stable code, what to do next, and the exit code of the command line.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use chartseal_envelope::{RawAesError, SealError, key_release::ReleaseError};
use chartseal_events::Code;
use chartseal_events::wire::Problem;
use chartseal_ledger::policy::RefusedCheckpoint;
use chartseal_ledger::terms::{BlindError, QueryError, TermError, TokenQueryError};

use crate::invitation::InvitationError;
use crate::tampering::Tampering;
use crate::wallet::WalletError;

/// What an owner can do about a version that bars the next one.
const TAKE_OVER: &str = "It was begun by another run, on this machine or another: give the command again that began it, or make that version of this file, \
     `chartseal record version RECORD FILE --take-over`, or wait until its announcement has expired.";

/// How the command line ends. Part of its documented interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Refused, or failed here.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// Something was changed that must not change.
    Tampering = 3,
    /// The vault could not be reached or was busy: the same again may work.
    TryAgain = 4,
}

/// Why a call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What came back does not hold up. Nothing of it was used.
    #[error(transparent)]
    Tampered(#[from] Tampering),
    /// The vault refused, and said why.
    #[error("{}", title(.0))]
    Refused(Box<Problem>),
    /// Nobody answered, again and again.
    #[error("{url} does not answer: {source}")]
    Unreachable {
        /// What was called, without its query.
        url: String,
        /// The last failure.
        source: Box<ureq::Error>,
    },
    /// An answer that the API's documentation does not know.
    #[error("the answer (HTTP {status}) is not one that a vault gives")]
    Undocumented {
        /// Its HTTP status.
        status: u16,
    },
    /// The object store refused an upload or a download.
    #[error("the object store refused (HTTP {status})")]
    StorageRefused {
        /// Its HTTP status.
        status: u16,
    },
    /// The object store no longer takes the body at the address that the vault gave.
    #[error(
        "the object store does not take the upload at the address that the vault gave: its time is most likely over"
    )]
    UploadExpired,
    /// The object store got something else than was sent, again and again, though the ciphertext on this machine is whole.
    #[error("the object store refused (HTTP 400), again and again: what it got is not what was sent")]
    DamagedOnTheWay,
    /// The address of a vault cannot be used.
    #[error("{0} cannot be a vault's address: it must be https, or http on this machine")]
    Address(String),
    /// No vault is pinned and none was named.
    #[error("the wallet knows no vault")]
    NoVault,
    /// The vault has no genesis event.
    #[error("the vault has not begun: it has no genesis event")]
    EmptyVault,
    /// The wallet is another person's than the command needs.
    #[error("this needs {0}")]
    WrongWallet(&'static str),
    /// The wallet.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// An invitation.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// A term.
    #[error(transparent)]
    Term(#[from] TermError),
    /// A query.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A query that is too large once it has tokens.
    #[error(transparent)]
    TokenQuery(#[from] TokenQueryError),
    /// Terms that cannot be blinded.
    #[error("the terms cannot be blinded: {0}")]
    Blind(BlindError),
    /// A file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A receipt cannot be kept.
    #[error("the vault took it, but its receipt cannot be kept in {}: {source}", path.display())]
    Receipts {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A line of a file of receipts is none.
    #[error("line {line} of {} is no receipt", path.display())]
    ReceiptFile {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// What a transfer keeps on this machine cannot be written or read.
    #[error("the encrypted record cannot be kept in {}: {source}", path.display())]
    Spool {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is no room for what a transfer writes.
    #[error("no room for {}: about {needed_bytes} bytes are needed on that disk", path.display())]
    DiskFull {
        /// The file that could not be written.
        path: PathBuf,
        /// How much it takes in all.
        needed_bytes: u64,
    },
    /// The ciphertext that waited to be sent is not what was encrypted.
    #[error("the encrypted record that waited on this machine was changed or is damaged")]
    SpoolDamaged,
    /// Another process is uploading the same.
    #[error("another chartseal is uploading this file")]
    UploadBusy,
    /// A file was written to while it was read.
    #[error("{} was changed while it was encrypted", .0.display())]
    FileChanged(PathBuf),
    /// A key file has no key.
    #[error("{} holds no key: 32 bytes, or 64 hexadecimal digits", .0.display())]
    KeyFile(PathBuf),
    /// The name or namespace of a key cannot be written into a message.
    #[error(transparent)]
    KeyName(RawAesError),
    /// A file is in the way of a wallet, which replaces none.
    #[error("{} is there already", .0.display())]
    FileExists(PathBuf),
    /// A file is in the way of a key that was to be generated.
    #[error("{} is there already", .0.display())]
    KeyFileExists(PathBuf),
    /// A file is in the way of a download.
    #[error("{} is there already", .0.display())]
    OutExists(PathBuf),
    /// A file was needed and something else is there.
    #[error("{} is {is}, not a file", path.display())]
    NotAFile {
        /// Which one.
        path: PathBuf,
        /// What it is.
        is: &'static str,
    },
    /// What is said about a file could not be announced.
    #[error("{0} is not a media type")]
    MediaType(String),
    /// A label could not be announced.
    #[error("the label {0}")]
    Label(&'static str),
    /// Encrypting failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A sealed key could not even be asked for.
    #[error(transparent)]
    Release(ReleaseError),
    /// The time for something to happen is over.
    #[error("{what} did not happen within {waited_s} s; last seen: {last}")]
    Waited {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        waited_s: u64,
        /// Where it stood at the end.
        last: Cow<'static, str>,
    },
    /// A request went another way than was waited for.
    #[error("the request is {state}")]
    Settled {
        /// Its state.
        state: &'static str,
    },
    /// A record has no such version.
    #[error("the record has no uploaded version{}", version.map(|v| format!(" {v}")).unwrap_or_default())]
    NoSuchVersion {
        /// The version that was asked for; none for the latest.
        version: Option<u32>,
    },
    /// Another process looks at the same vault's log.
    #[error("another process has the heads of this vault's log")]
    HeadsBusy,
    /// What was kept of the log's heads is none.
    #[error("the kept head of this vault's log cannot be read")]
    HeadsUnreadable,
    /// The operating system has no random bytes.
    #[error("the operating system gives no random bytes")]
    Entropy,
}

/// Our own words for a code we know; the vault's, made harmless, for one we do not.
fn title(problem: &Problem) -> String {
    let title =
        Code::from_name(&problem.code).map_or_else(|| printable(&problem.title), |code| code.title().to_owned());
    match &problem.field {
        Some(field) => format!("{title} ({})", printable(field)),
        None => title,
    }
}

impl Error {
    /// How the command line ends on it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Tampered(_) | Self::Wallet(WalletError::Tampered) => Exit::Tampering,
            Self::Unreachable { .. }
            | Self::Waited { .. }
            | Self::UploadExpired
            | Self::DamagedOnTheWay
            | Self::UploadBusy
            | Self::HeadsBusy => Exit::TryAgain,
            Self::Undocumented { status } | Self::StorageRefused { status } if *status >= 500 => Exit::TryAgain,
            Self::Refused(problem) if problem.status >= 500 || problem.status == 429 => Exit::TryAgain,
            Self::Refused(problem) if problem.code == Code::Conflict.name() => Exit::TryAgain,
            Self::Term(_)
            | Self::Query(_)
            | Self::Invitation(_)
            | Self::Address(_)
            | Self::NoVault
            | Self::NotAFile { .. }
            | Self::MediaType(_)
            | Self::KeyFile(_)
            | Self::KeyName(_)
            | Self::Label(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    /// A stable name: the vault's problem code (docs/ERRORS.md), or the client's own.
    pub fn code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Refused(problem) => return Cow::Owned(printable(&problem.code)),
            Self::Tampered(tampering) => tampering.code(),
            Self::Unreachable { .. } => "unreachable",
            Self::Undocumented { .. } => "undocumented-answer",
            Self::StorageRefused { .. } => "storage-refused",
            Self::UploadExpired => "upload-expired",
            Self::DamagedOnTheWay => "damaged-on-the-way",
            Self::DiskFull { .. } => "disk-full",
            Self::Address(_) => "bad-address",
            Self::NoVault => "no-vault",
            Self::EmptyVault => "empty-vault",
            Self::WrongWallet(_) => "wrong-wallet",
            Self::Wallet(error) => error.code(),
            Self::Invitation(_) => "bad-invitation",
            Self::Term(_) => "bad-term",
            Self::Query(_) | Self::TokenQuery(_) => "bad-query",
            Self::Blind(_) => "not-blinded",
            Self::File { .. } => "file",
            Self::Spool { .. } => "spool",
            Self::Receipts { .. } => "receipts",
            Self::ReceiptFile { .. } => "bad-receipt",
            Self::SpoolDamaged => "spool-damaged",
            Self::UploadBusy => "upload-busy",
            Self::FileChanged(_) => "file-changed",
            Self::KeyFile(_) | Self::KeyName(_) => "bad-key",
            Self::FileExists(_) | Self::KeyFileExists(_) | Self::OutExists(_) => "file-exists",
            Self::NotAFile { .. } => "not-a-file",
            Self::MediaType(_) => "bad-media-type",
            Self::Label(_) => "bad-label",
            Self::Seal(_) => "not-sealed",
            Self::Release(_) => "key-release",
            Self::Waited { .. } => "waited",
            Self::Settled { .. } => "settled",
            Self::NoSuchVersion { .. } => "no-such-version",
            Self::HeadsBusy => "heads-busy",
            Self::HeadsUnreadable => "heads-unreadable",
            Self::Entropy => "no-entropy",
        })
    }

    /// What to do next.
    pub fn advice(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Refused(problem) => {
                if self.is_refusal(Code::VersionOpen) {
                    return Cow::Owned(format!(
                        "{TAKE_OVER} [version-open, request {}]",
                        printable(&problem.request_id)
                    ));
                }
                let known = Code::from_name(&problem.code).map(Code::advice);
                let advice = known.map_or_else(|| Cow::Owned(printable(&problem.detail)), Cow::Borrowed);
                let trace = problem.trace.as_deref().map(|trace| format!(", trace {}", printable(trace)));
                return Cow::Owned(format!(
                    "{advice} [{}, request {}{}]",
                    printable(&problem.code),
                    printable(&problem.request_id),
                    trace.unwrap_or_default()
                ));
            }
            Self::Tampered(Tampering::Checkpoint(
                RefusedCheckpoint::Stale { .. } | RefusedCheckpoint::Ahead | RefusedCheckpoint::NoTimestamp,
            )) => {
                "Look at this machine's clock. If it is right, the vault shows an old log, or its clock does not work: tell its operators."
            }
            Self::Tampered(_) => "Do not use what was received. Tell the vault's operators, and keep this message.",
            Self::Unreachable { .. } => "Check the address and the network, then run the same command again.",
            Self::Undocumented { .. } => {
                "Check the address given with --api, and that client and vault have the same version."
            }
            Self::StorageRefused { .. } => "Run the same command again; if it stays, tell the vault's operators.",
            Self::UploadExpired => {
                "Check the clock and the network's speed, then run the same command again: it goes on where this one stopped."
            }
            Self::Address(_) => "Give the address as the vault's operators gave it, for example https://vault.example.",
            Self::NoVault => {
                "Connect it: `chartseal operator connect --api URL`, or `chartseal provider register` with an invitation."
            }
            Self::EmptyVault => "Deploy the stack with its OperatorKeys parameter; its genesis event is written then.",
            Self::WrongWallet(_) => {
                "Name the right wallet with --wallet; `chartseal wallet status` says whose a wallet is."
            }
            Self::Wallet(error) => error.advice(),
            Self::Invitation(_) => "Copy the whole invitation, one line that begins with chartseal-invite-v1.",
            Self::Term(_) => "Write a term as facet:value, for example --term modality:mri.",
            Self::Query(_) | Self::TokenQuery(_) => "Write a query like 'modality:mri AND (body:brain OR body:neck)'.",
            Self::Blind(_) => "Use 1 to 32 terms.",
            Self::File { .. } => "Check the name and that the file is yours to use.",
            Self::Receipts { .. } => {
                "Nothing is lost, the event stands. Make room there or name another file before the next command."
            }
            Self::ReceiptFile { .. } => "Name a file that --receipts has written; each line is one receipt.",
            Self::KeyFileExists(_) => {
                "If an export that was broken off has left it, give the same command without --generate-key; else name another file: a key is never replaced."
            }
            Self::DamagedOnTheWay => {
                "The ciphertext on this machine is whole, so the network damages it (a proxy, a card, a cable): run the same command again, over another network if it stays."
            }
            Self::DiskFull { path, needed_bytes } => {
                let folder = path.parent().unwrap_or(path).display();
                return Cow::Owned(format!(
                    "Make room on the disk that holds {folder}, {needed_bytes} bytes in all, or name another place (--out, or CHARTSEAL_STATE for what waits to be sent); the same command then goes on."
                ));
            }
            Self::FileExists(_) => "Choose another file; a file that holds keys is never replaced.",
            Self::OutExists(_) => "Choose another name, or say --force to replace it.",
            Self::NotAFile { .. } => "Name a file.",
            Self::MediaType(_) => {
                "Write it in lower case as type/subtype without parameters, for example application/dicom."
            }
            Self::Label(_) => "Choose a shorter one, of characters that can be typed.",
            Self::Spool { .. } => {
                "Make room there and check that the folder is yours, or name another one with CHARTSEAL_STATE; the same command then goes on."
            }
            Self::SpoolDamaged => "Run the same command again: the file is encrypted anew.",
            Self::UploadBusy => "Wait until it is done; `chartseal record uploads` lists what is unfinished.",
            Self::FileChanged(_) => "Upload it again when nobody writes to it.",
            Self::KeyFile(_) => "Write one with --generate-key, or name another file.",
            Self::KeyName(_) => "Choose a short name and a namespace that does not begin with aws-kms.",
            Self::Seal(SealError::BodyTooLarge) => {
                "A record has at most 625 GiB when it is encrypted: cut the file into several records."
            }
            Self::Seal(_) => {
                "Check that the file can be read and that there is room for its ciphertext, then try again."
            }
            Self::Release(_) => "Check that the wallet is the one that is registered.",
            Self::Waited { .. } => "Look again later; nothing is lost. A longer --timeout waits longer.",
            Self::Settled { .. } => "See `chartseal request status` for the reason.",
            Self::NoSuchVersion { .. } => "See `chartseal record show` for the record's versions.",
            Self::HeadsBusy => "Run the same command again.",
            Self::HeadsUnreadable => {
                "Somebody has changed the folder `heads` of the state folder (CHARTSEAL_STATE): put it back, or remove it and begin to follow the log anew."
            }
            Self::Entropy => "Try again on a machine whose random source works.",
        })
    }

    pub(crate) fn spool(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Spool { path, source }
    }

    /// Where this is for want of room: how much would be needed.
    pub(crate) fn needing(self, needed_bytes: u64) -> Self {
        let is_full =
            |source: &io::Error| matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        match self {
            Self::File { path, source } | Self::Spool { path, source } if is_full(&source) => {
                Self::DiskFull { path, needed_bytes }
            }
            other => other,
        }
    }

    /// What the vault would say, where the object store has said it.
    pub(crate) fn refusal(code: Code) -> Self {
        Self::Refused(Box::new(Problem::new(code.into(), "none")))
    }

    /// Whether the vault refused with this code.
    pub(crate) fn is_refusal(&self, code: Code) -> bool {
        matches!(self, Self::Refused(problem) if problem.code == code.name())
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

/// Text of others, made harmless for a terminal: control characters and what turns text around become spaces.
pub fn printable(text: &str) -> String {
    let harmless = |c: char| {
        let hidden =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || hidden { ' ' } else { c }
    };
    text.chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use chartseal_events::Refusal;

    use super::*;

    fn refused(code: Code) -> Error {
        Error::Refused(Box::new(Problem::new(Refusal::from(code), "r-1")))
    }

    #[test]
    fn exit_codes_tell_what_to_do() {
        assert_eq!(refused(Code::NotApproved).exit(), Exit::Failed);
        assert_eq!(refused(Code::Conflict).exit(), Exit::TryAgain);
        assert_eq!(refused(Code::Unavailable).exit(), Exit::TryAgain);
        assert_eq!(refused(Code::TooManyRequests).exit(), Exit::TryAgain);
        assert_eq!(Error::from(Tampering::WrongKey).exit(), Exit::Tampering);
        assert_eq!(Error::from(WalletError::Tampered).exit(), Exit::Tampering);
        assert_eq!(Error::from(WalletError::WrongPassphrase).exit(), Exit::Failed);
        assert_eq!(Error::NoVault.exit(), Exit::Usage);
    }

    #[test]
    fn want_of_room_says_where_and_how_much() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            for error in [Error::spool("/state/slot/body")(kind.into()), Error::file("/state/slot/out")(kind.into())] {
                let error = error.needing(70_000);
                assert_eq!(error.code(), "disk-full");
                assert!(error.to_string().contains("70000 bytes"), "{error}");
                assert!(error.advice().contains("/state/slot, 70000 bytes"), "{}", error.advice());
            }
        }
        let other = Error::file("/out")(io::ErrorKind::PermissionDenied.into()).needing(1);
        assert_eq!(other.code(), "file");
    }

    #[test]
    fn a_version_that_bars_the_next_names_the_command() {
        assert!(refused(Code::VersionOpen).advice().contains("record version RECORD FILE --take-over"));
    }

    #[test]
    fn what_others_wrote_cannot_command_a_terminal() {
        assert_eq!(printable("St. \u{1b}[2JAnna\u{202e}\r\n"), "St.  [2JAnna   ");
        let mut problem = Problem::new(Refusal::from(Code::NotFound), "r\u{7}");
        problem.code = "new-\u{1b}code".to_owned();
        problem.title = "\u{1b}]0;x".to_owned();
        let error = Error::Refused(Box::new(problem));
        assert!(!format!("{error}{}{}", error.advice(), error.code()).contains(char::is_control));
    }
}
