//! Asking one witness: the request, what it answers, and the proof that it needs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_infra::head::{self, Head};
use chartseal_infra::ports::{BlockStore, Cosignatures, LogFiles, StoreError};
use chartseal_infra::witnesses::Witness;
use chartseal_ledger::note::{SignatureError, SignatureLine, VerifierKey};
use chartseal_ledger::tree::{Proof, consistency};

use crate::Cosigning;
use crate::net::{Answer, Net, NetError};

/// How often a witness is asked in a run: once more when its answer says from which size on it wants the proof.
const MAX_ASKS: u32 = 2;

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
pub enum NotCosigned {
    /// It did not answer, or with too much.
    #[error(transparent)]
    Net(#[from] NetError),
    /// It refused, or answered with what is no answer.
    #[error("it answered {0}")]
    Status(u16),
    /// 409 without a size, or with one that we had said.
    #[error("it answered 409, and no other size than it was asked with")]
    Size,
    /// It knows the size that it was told of another size, twice.
    #[error("it wants a proof from yet another size on")]
    Unsettled,
    /// It has seen a larger log than is published.
    #[error("it has seen a log of {known} leaves, and {published} are published: was the log rolled back?")]
    Ahead {
        /// The size that the witness knows.
        known: u64,
        /// The published one.
        published: u64,
    },
    /// No line of this witness in its answer, or two.
    #[error("its answer has no line of its own, or more than one")]
    Line,
    /// A line that is not its signature.
    #[error("its line: {0}")]
    Signature(#[source] SignatureError),
    /// A service of ours failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a witness said.
#[derive(Debug)]
pub enum Said {
    /// It has cosigned.
    Cosigned(SignatureLine),
    /// It knows a newer checkpoint, which has been published meanwhile.
    Overtaken,
}

/// The body of `add-checkpoint`.
pub fn request(known: u64, proof: &Proof, note: &str) -> String {
    let mut body = format!("old {known}\n");
    for hash in proof.hashes() {
        // Writing to a string cannot fail.
        let _ = writeln!(body, "{}", STANDARD.encode(hash.0));
    }
    body.push('\n');
    body.push_str(note);
    body
}

/// The witness's line of an answer. Others' lines are not looked at.
fn line_of(body: &[u8], key: &VerifierKey) -> Result<SignatureLine, NotCosigned> {
    let text = std::str::from_utf8(body).map_err(|_| NotCosigned::Line)?;
    let lines = text.strip_suffix('\n').ok_or(NotCosigned::Line)?.split('\n').map(SignatureLine::parse);
    let lines = lines.collect::<Option<Vec<_>>>().ok_or(NotCosigned::Line)?;
    let mut own = lines.into_iter().filter(|line| line.id() == key.id() && line.name() == key.name());
    match (own.next(), own.next()) {
        (Some(line), None) => Ok(line),
        _ => Err(NotCosigned::Line),
    }
}

/// The size of a 409, in its one spelling.
fn size_of(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    let digits = text.strip_suffix('\n').unwrap_or(text);
    digits.parse::<u64>().ok().filter(|size| size.to_string() == digits)
}

impl<B: BlockStore, S: Cosignatures, F: LogFiles, N: Net> Cosigning<'_, B, S, F, N> {
    /// The consistency proofs from these sizes on, as far as they are not beyond the head.
    pub(crate) async fn proofs(
        &self,
        head: &Head,
        sizes: impl Iterator<Item = u64>,
    ) -> Result<BTreeMap<u64, Proof>, StoreError> {
        let size = head.checkpoint.size();
        let sizes: Vec<u64> = sizes.map(|known| known.min(size)).collect();
        let spans: Vec<_> = sizes.iter().flat_map(|known| consistency::spans(*known, size)).collect();
        let tiles = head.tiles(self.files, &head.checkpoint, &spans).await?;
        let prove = |known: u64| Ok((known, consistency::prove(known, size, &tiles).map_err(|_| head::unproven())?));
        sizes.into_iter().map(prove).collect()
    }

    /// Asks a witness that is thought to know the log up to this size.
    pub(crate) async fn ask(
        &self,
        witness: &Witness,
        head: &Head,
        known: u64,
        proofs: &BTreeMap<u64, Proof>,
    ) -> Result<Said, NotCosigned> {
        let size = head.checkpoint.size();
        let mut known = known.min(size);
        for _ in 0..MAX_ASKS {
            let body = if let Some(proof) = proofs.get(&known) {
                request(known, proof, &head.note)
            } else {
                let mut proofs = self.proofs(head, [known].into_iter()).await?;
                let proof = proofs.remove(&known).ok_or_else(head::unproven)?;
                request(known, &proof, &head.note)
            };
            let Answer { status, body } = self.net.post(&format!("{}/add-checkpoint", witness.url), body).await?;
            match status {
                200 => return line_of(&body, &witness.key).map(Said::Cosigned),
                409 => match size_of(&body) {
                    Some(other) if other > size => return self.ahead(other, size).await,
                    Some(other) if other != known => known = other,
                    _ => return Err(NotCosigned::Size),
                },
                status => return Err(NotCosigned::Status(status)),
            }
        }
        Err(NotCosigned::Unsettled)
    }

    /// A witness knows more than was published when the run began: that is another run's doing, or the log was rolled back.
    async fn ahead(&self, known: u64, published: u64) -> Result<Said, NotCosigned> {
        match head::published(self.files).await? {
            Some((_, now)) if now.size() >= known => Ok(Said::Overtaken),
            _ => Err(NotCosigned::Ahead { known, published }),
        }
    }
}
