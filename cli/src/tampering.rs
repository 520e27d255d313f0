//! What was noticed when something did not hold up: one variant for each thing that can have been changed.

use chartseal_envelope::key_release::ReleaseError;
use chartseal_envelope::{FrameError, HeaderError, HeaderMismatch, OpenError};
use chartseal_events::EventRef;
use chartseal_events::evidence::Unsound;
use chartseal_ledger::event_proof::EventProofError;
use chartseal_ledger::policy::RefusedCheckpoint;
use chartseal_ledger::terms::BlindError;

/// Something that came back from outside is not what it must be.
#[derive(Debug, thiserror::Error)]
pub enum Tampering {
    /// The vault's genesis event is another one than was pinned.
    #[error("the vault is not the one this wallet knows: another genesis event or origin")]
    OtherVault,
    /// A receipt's hash is not the hash of its bytes.
    #[error("the receipt of {0} is false: its hash is not the hash of its bytes")]
    ReceiptHash(EventRef),
    /// A receipt's bytes are no event, or of another place.
    #[error("the receipt of {0} is false: its bytes are not an event of that place")]
    ReceiptEvent(EventRef),
    /// A receipt is for another command than was sent.
    #[error("the receipt of {0} is false: it does not hold the command that was sent")]
    ReceiptCommand(EventRef),
    /// A receipt states something else than was asked for.
    #[error("the receipt of {0} is false: it states something else than was asked for")]
    ReceiptOutcome(EventRef),
    /// The streams' bytes do not hold up.
    #[error("the evidence does not hold up: {0}")]
    Evidence(#[from] Unsound),
    /// The streams do not have what they must prove.
    #[error("the evidence does not show {0}")]
    NotShown(&'static str),
    /// An answer says something else than its own evidence.
    #[error("the answer says something else than its evidence: {0}")]
    AnswerDiffers(&'static str),
    /// A private value is not the one that was signed.
    #[error("a private value was exchanged: it is not the one that the signed command commits to")]
    PrivateValue,
    /// The grant in the evidence is not live, or not ours.
    #[error("the evidence shows no live grant to this wallet")]
    NoGrant,
    /// The announcement was not signed by a person of the record's owner.
    #[error("the announcement was not signed by a person of the record's owner")]
    NotTheOwner,
    /// The announcement announces something that cannot be.
    #[error("the signed announcement is not possible: {0}")]
    Announcement(&'static str),
    /// The header is not well formed.
    #[error("the message header was tampered with: {0}")]
    HeaderMalformed(#[source] HeaderError),
    /// The header is not the announced one, or of another record.
    #[error("the message header was exchanged: {0}")]
    HeaderMismatch(#[source] HeaderMismatch),
    /// The header was changed after it was sealed.
    #[error("the message header was tampered with: its tag does not verify")]
    HeaderTampered,
    /// The wrapped key is not the one that `record.created.v1` names.
    #[error("the wrapped key was exchanged: it is not the one the record was created with")]
    WrappedKey,
    /// The sealed data key does not open.
    #[error("the data key was tampered with: {0}")]
    SealedKey(#[source] ReleaseError),
    /// The data key is not the message's.
    #[error("the data key is a wrong one: the message is committed to another")]
    WrongKey,
    /// The body has another size than announced.
    #[error("the body was tampered with: {announced} bytes were announced, there are {found} or more")]
    BodyLength {
        /// Bytes announced.
        announced: u64,
        /// Bytes found.
        found: u64,
    },
    /// The body has another checksum than announced.
    #[error("the body was tampered with: its SHA-256 is not the announced one")]
    BodyChecksum,
    /// The body is not laid out as frames.
    #[error("the body was tampered with: {0}")]
    BodyFrames(#[source] FrameError),
    /// A frame does not verify.
    #[error("the body was tampered with: frame {0} does not verify")]
    BodyFrame(u32),
    /// The frames are genuine but not the announced ones.
    #[error("the body was exchanged: its frames are not the announced ones")]
    FramesRoot,
    /// The vault did not evaluate terms with its published search key.
    #[error("the search tokens are false: {0}")]
    Tokens(#[source] BlindError),
    /// The log's head is not to be believed.
    #[error("the checkpoint does not hold up: {0}")]
    Checkpoint(#[source] RefusedCheckpoint),
    /// The log's head is smaller than one that was seen.
    #[error("the log was rolled back: {seen} leaves were seen, and {shown} are shown")]
    RolledBack {
        /// Leaves that were seen.
        seen: u64,
        /// Leaves that are shown.
        shown: u64,
    },
    /// The log's head is of another history than one that was seen.
    #[error(
        "the log was forked: the head of {shown} leaves does not extend that of {seen} leaves, and the log has signed both"
    )]
    Forked {
        /// Leaves of the smaller one.
        seen: u64,
        /// Leaves of the larger one.
        shown: u64,
    },
    /// A proof does not prove its event.
    #[error("the proof does not hold up: {0}")]
    Proof(#[source] EventProofError),
    /// A block does not hold together.
    #[error("block {height} does not hold up: {what}")]
    Block {
        /// Which block.
        height: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// An event of a block is not the one that was sealed.
    #[error("block {height} does not hold up: its event {position} is not the one that was sealed")]
    BlockEvent {
        /// Which block.
        height: u64,
        /// How many of the block's events are before it.
        position: usize,
    },
    /// A hit says something else than its event.
    #[error("the hit {0} is false: it says something else than its signed event")]
    Hit(EventRef),
}

impl Tampering {
    /// A stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherVault => "other-vault",
            Self::ReceiptHash(_) => "receipt-hash",
            Self::ReceiptEvent(_) => "receipt-event",
            Self::ReceiptCommand(_) => "receipt-command",
            Self::ReceiptOutcome(_) => "receipt-outcome",
            Self::Evidence(_) => "event-tampered",
            Self::NotShown(_) => "evidence-missing",
            Self::AnswerDiffers(_) => "answer-differs",
            Self::PrivateValue => "private-value-exchanged",
            Self::NoGrant => "no-grant",
            Self::NotTheOwner => "not-the-owner",
            Self::Announcement(_) => "bad-announcement",
            Self::HeaderMalformed(_) | Self::HeaderTampered => "header-tampered",
            Self::HeaderMismatch(_) => "header-exchanged",
            Self::WrappedKey => "wrapped-key-exchanged",
            Self::SealedKey(_) => "sealed-key-tampered",
            Self::WrongKey => "wrong-key",
            Self::BodyLength { .. } | Self::BodyChecksum | Self::BodyFrames(_) | Self::BodyFrame(_) => "body-tampered",
            Self::FramesRoot => "body-exchanged",
            Self::Tokens(_) => "tokens-false",
            Self::Checkpoint(
                RefusedCheckpoint::Stale { .. } | RefusedCheckpoint::Ahead | RefusedCheckpoint::NoTimestamp,
            ) => "checkpoint-not-fresh",
            Self::Checkpoint(_) => "checkpoint-false",
            Self::RolledBack { .. } => "log-rolled-back",
            Self::Forked { .. } => "log-forked",
            Self::Proof(_) => "proof-false",
            Self::Block { .. } | Self::BlockEvent { .. } => "block-false",
            Self::Hit(_) => "hit-false",
        }
    }
}

/// What opening a message says, as what was tampered with. Failures of our own files are none of it.
pub(crate) fn of_opening(error: OpenError) -> Result<Tampering, std::io::Error> {
    Ok(match error {
        OpenError::Header(error) => Tampering::HeaderMalformed(error),
        OpenError::Announcement(_) => Tampering::Announcement("no message can fulfil it"),
        OpenError::Mismatch(error) => Tampering::HeaderMismatch(error),
        OpenError::WrongKey | OpenError::Cipher => Tampering::WrongKey,
        OpenError::HeaderTampered => Tampering::HeaderTampered,
        OpenError::Frames(FrameError::Read(error)) | OpenError::Write(error) => return Err(error),
        OpenError::Frames(error) => Tampering::BodyFrames(error),
        OpenError::FrameTampered { frame } => Tampering::BodyFrame(frame),
        OpenError::BodyLengthMismatch { announced, found } => Tampering::BodyLength { announced, found },
        // No range is read here; one of another announcement would be of other frames.
        OpenError::FramesRootMismatch | OpenError::RangeOfAnother => Tampering::FramesRoot,
        OpenError::PartsRootMismatch => Tampering::BodyChecksum,
    })
}
