//! Why an exchange could not take place, or did not give what it should.

use std::io;
use std::path::PathBuf;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An implementation could not be installed.
    #[error("it could not be installed: {0}")]
    Install(#[from] chartseal_local::Error),
    /// The SDK for Rust could not be built; cargo's own words have been shown.
    #[error("the program of the official SDK for Rust could not be built: cargo ended with {0}")]
    Build(std::process::ExitStatus),
    /// A program could not be started, or a pipe to it broke.
    #[error("the other program cannot be spoken to: {0}")]
    Speak(#[source] io::Error),
    /// A program ended in the middle of a conversation; its own words have been shown.
    #[error("the other program ended instead of answering")]
    Ended,
    /// The other implementation refused; what it said.
    #[error("it said: {0}")]
    Said(String),
    /// What must be refused was accepted.
    #[error("a changed message was opened")]
    Accepted,
    /// Something came back that is not what went in.
    #[error("{0} came back as another")]
    Differs(&'static str),
    /// A file of the exchange.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The other program answered in a form this one does not know.
    #[error("the answer {0} has another form than expected")]
    Answer(String),
    /// We could not seal.
    #[error("we could not seal: {0}")]
    Seal(#[from] chartseal_envelope::SealError),
    /// We could not open.
    #[error("we could not open: {0}")]
    Open(#[from] chartseal_envelope::OpenError),
    /// Their header is not one that we read.
    #[error("we could not read the header: {0}")]
    Header(#[from] chartseal_envelope::HeaderError),
    /// Their body is not one that we read.
    #[error("we could not read the body: {0}")]
    Frames(#[from] chartseal_envelope::FrameError),
    /// No random bytes for a key.
    #[error(transparent)]
    Entropy(#[from] chartseal_envelope::EntropyError),
    /// The data key does not come out of its wrapping.
    #[error("the data key could not be wrapped or unwrapped: {0}")]
    Wrapping(#[from] chartseal_envelope::RawAesError),
    /// Their message is not one that we open.
    #[error("we could not open the message: {0}")]
    Message(#[from] chartseal_envelope::MessageError<chartseal_envelope::RawAesError>),
}

impl Error {
    /// For `map_err`: a failure on a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
