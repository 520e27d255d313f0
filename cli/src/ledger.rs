//! The ledger as a client sees it: what the log's key has signed, and the file that proves an event with nothing but that key.
//!
//! In scope: asking the vault for checkpoint and proof, and believing neither before it verifies. Not in scope: following the whole log (an auditor's work).

use std::path::Path;
use std::time::Duration;

use chartseal_events::encoding::from_base64url;
use chartseal_events::event::StoredEvent;
use chartseal_events::limits::MAX_EVENT_BYTES;
use chartseal_events::wire::{LedgerProof, Receipt};
use chartseal_events::{Event, EventRef, Hash};
use chartseal_ledger::event_proof::{EventProof, EventProofError, Proven};
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::{Accepted, Policy, RefusedCheckpoint};
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tlog_proof::MAX_TLOG_PROOF_BYTES;
use chartseal_ledger::tree::Proof;

use crate::error::Error;
use crate::heads::Which;
use crate::http::RawAnswer;
use crate::patience::Patience;
use crate::receipt;
use crate::tampering::Tampering;
use crate::vault::Vault;

/// Longest line of a file of receipts: an event, as a JSON string, with its place and leaf hash.
pub const MAX_RECEIPT_BYTES: usize = 2 * MAX_EVENT_BYTES + 1024;
/// The waits between two looks for a proof; they double.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LONGEST_LOOK: Duration = Duration::from_secs(3);

/// A proof that has been checked, and the event that it proves.
#[derive(Debug, Clone)]
pub struct ProvenEvent {
    /// The event, read from the bytes that are proven.
    pub event: Event,
    /// Where it stands in the log, since when, and who says so.
    pub proven: Proven,
}

impl Vault {
    /// The key that signs this vault's log, as its genesis event names it.
    pub fn log_key(&self) -> Result<VerifierKey, Error> {
        let genesis = self.genesis()?;
        let key = VerifierKey::new(self.origin(), SignatureType::Ed25519, &genesis.log_key.0);
        key.map_err(|_| Tampering::NotShown("a log key that can be one").into())
    }

    /// The newest checkpoint, however old it is; none before the first block. Nothing is remembered of it: [`crate::Heads`] does.
    pub fn checkpoint(&self, policy: &Policy) -> Result<Option<Accepted>, Error> {
        Ok(self.head(Which::Newest, policy, None)?.map(|(_, accepted)| accepted))
    }

    /// The bytes of the newest checkpoint. Who signed them has not been looked at.
    pub(crate) fn checkpoint_note(&self) -> Result<Option<Vec<u8>>, Error> {
        let Some(answer) = self.look("/ledger/checkpoint")? else { return Ok(None) };
        if answer.status != 200 {
            return Err(Error::Undocumented { status: answer.status });
        }
        Ok(Some(answer.body))
    }

    /// The proof of a receipt's event; none as long as it is not sealed.
    pub fn prove(&self, policy: &Policy, receipt: &Receipt) -> Result<Option<(EventProof, ProvenEvent)>, Error> {
        receipt::event_of(receipt)?;
        let Some(answer) = self.look(&format!("/ledger/proof/{}", receipt.leaf))? else { return Ok(None) };
        let proof = event_proof(answer.read()?, &receipt.body)?;
        let proven = verified(&proof, policy)?;
        if proven.event.leaf == receipt.leaf { Ok(Some((proof, proven))) } else { Err(other_event()) }
    }

    /// Waits until a receipt's event is sealed, and enough witnesses have cosigned that; gives its proof.
    pub fn wait_proof(
        &self,
        policy: &Policy,
        receipt: &Receipt,
        timeout: Duration,
    ) -> Result<(EventProof, ProvenEvent), Error> {
        let mut looks = Patience { total: timeout, first_wait: FIRST_LOOK, longest_wait: LONGEST_LOOK }.begin();
        loop {
            let (what, last) = match self.prove(policy, receipt) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => ("the sealing", "not in the ledger yet"),
                // The log's part is done; witnesses take their time.
                Err(Error::Tampered(Tampering::Proof(EventProofError::Checkpoint(RefusedCheckpoint::Quorum {
                    ..
                })))) => ("the cosigning", "in the ledger; too few witnesses have cosigned that"),
                Err(error) => return Err(error),
            };
            if !looks.wait() {
                return Err(Error::Waited { what, waited_s: timeout.as_secs(), last: last.into() });
            }
        }
    }

    /// What the ledger answers; none where it does not have it.
    pub(crate) fn look(&self, path: &str) -> Result<Option<RawAnswer>, Error> {
        let (answer, _) = self.call("GET", path, None, None)?;
        match answer.code() {
            Some(chartseal_events::Code::NotFound) => Ok(None),
            Some(_) => answer.read::<serde_json::Value>().map(|_| None),
            None => Ok(Some(answer)),
        }
    }
}

fn other_event() -> Error {
    Tampering::NotShown("the event that was asked for").into()
}

fn event_proof(answer: LedgerProof, body: &str) -> Result<EventProof, Tampering> {
    let path = |hashes: &[Hash]| {
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        Proof::from_bytes(&bytes).map_err(|_| Tampering::Proof(EventProofError::Extra))
    };
    let seal = from_base64url(&answer.seal).map_err(|_| Tampering::Proof(EventProofError::Extra))?;
    Ok(EventProof {
        body: body.as_bytes().to_vec(),
        index: answer.index,
        inclusion: path(&answer.inclusion)?,
        seal: Seal::from_bytes(&seal).map_err(|error| Tampering::Proof(error.into()))?,
        seal_inclusion: path(&answer.seal_inclusion)?,
        checkpoint: answer.checkpoint,
    })
}

fn verified(proof: &EventProof, policy: &Policy) -> Result<ProvenEvent, Tampering> {
    let proven = proof.verify(policy).map_err(Tampering::Proof)?;
    let event = read_event(&proof.body).ok_or(Tampering::NotShown("an event in the bytes that are proven"))?;
    Ok(ProvenEvent { event, proven })
}

/// The event of these bytes, at the place that they name. Neither place nor signature is checked.
pub fn read_event(body: &[u8]) -> Option<Event> {
    let body = String::from_utf8(body.to_vec()).ok()?;
    let document: serde_json::Value = serde_json::from_str(&body).ok()?;
    let place = EventRef { stream: document["stream"].as_str()?.parse().ok()?, seq: document["seq"].as_u64()? };
    StoredEvent::new(place, body).open().ok()
}

/// Checks a proof file. Makes no call: the policy's keys are all that is trusted.
pub fn verify_proof_file(path: &Path, policy: &Policy) -> Result<ProvenEvent, Error> {
    let bytes = bounded(path, MAX_TLOG_PROOF_BYTES)?;
    let proof = EventProof::parse(&bytes).map_err(Tampering::Proof)?;
    Ok(verified(&proof, policy)?)
}

/// The receipts of a file, one to a line as `--receipts` keeps them. Each is what it says: its hash is the hash of its bytes, which are an event.
pub fn read_receipts(path: &Path) -> Result<Vec<Receipt>, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let fits = line.len() <= MAX_RECEIPT_BYTES;
            let read = if fits { serde_json::from_str::<Receipt>(line).ok() } else { None };
            let receipt = read.ok_or_else(|| Error::ReceiptFile { path: path.to_owned(), line: number })?;
            receipt::event_of(&receipt)?;
            Ok(receipt)
        })
        .collect()
}

fn bounded(path: &Path, most: usize) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(Error::file(path))?;
    // One byte more than there may be: whoever reads it then says that it is too long.
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(Error::file(path))?;
    Ok(bytes)
}
