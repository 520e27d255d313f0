//! Brings the published checkpoint to the stack's witnesses, and keeps what they cosign.
//!
//! Woken by the bucket when a checkpoint is published, and every minute. A run takes the newest checkpoint, whatever woke it, asks those witnesses that have
//! not cosigned it yet, all at once, and keeps each line that is the witness's own over this text. Whoever hangs, lies or is down holds up nobody: a checkpoint
//! is kept as cosigned as soon as enough have. What is known of a witness is a hint; its own answer teaches better.
//!
//! In scope: that, on ports. Not in scope: believing the log (a witness does, and every reader), serving what is kept (`functions/ledger-api`).
//! Source: c2sp.org/tlog-witness, `add-checkpoint`.
#![forbid(unsafe_code)]

mod ask;
mod net;
mod woken;

use chartseal_infra::head::{self, Head};
use chartseal_infra::ports::{BlockStore, Cosignatures, Cosigned, Heard, LogFiles, StoreError};
use chartseal_infra::telemetry::{fields, note as log};
use chartseal_infra::witnesses::{Witness, Witnesses};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{Note, SignatureLine};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

pub use ask::{NotCosigned, Said, request};
pub use net::{Answer, Https, MAX_ANSWER_BYTES, Net, NetError, TIMEOUT};
pub use woken::Woken;

/// What a run works on.
#[derive(Debug)]
pub struct Cosigning<'a, B, S, F, N> {
    /// The blocks.
    pub blocks: &'a B,
    /// What witnesses have said.
    pub index: &'a S,
    /// Tiles and the checkpoint.
    pub files: &'a F,
    /// The way to the witnesses.
    pub net: &'a N,
    /// The vault's name.
    pub origin: &'a str,
    /// Who is asked.
    pub witnesses: &'a Witnesses,
    /// How many of them must have cosigned.
    pub quorum: usize,
}

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Witnesses that were asked.
    pub asked: usize,
    /// Those that did not cosign.
    pub failed: usize,
    /// How many have cosigned the checkpoint, now or before.
    pub cosigned: usize,
}

/// A run that came to an end before its work did.
#[derive(Debug, thiserror::Error)]
pub enum Uncosigned {
    /// What is published is another log's.
    #[error("the published checkpoint is of another log than the vault's")]
    OtherLog,
    /// A service failed, or what is stored is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The checkpoint that witnesses are asked about, and whose lines are under it by now.
struct Gathered {
    note: Note,
    size: u64,
    cosigned: usize,
    /// How many had when it was kept as cosigned last.
    kept: u64,
}

impl<B: BlockStore, S: Cosignatures, F: LogFiles, N: Net> Cosigning<'_, B, S, F, N> {
    /// Has the newest checkpoint cosigned.
    pub async fn run(&self) -> Result<Report, Uncosigned> {
        let witnesses = self.witnesses.all();
        if witnesses.is_empty() {
            return Ok(Report::default());
        }
        let Some((text, checkpoint)) = head::published(self.files).await? else { return Ok(Report::default()) };
        if checkpoint.origin() != self.origin {
            return Err(Uncosigned::OtherLog);
        }
        let ids: Vec<_> = witnesses.iter().map(|witness| witness.key.id()).collect();
        let (cosigned, said) = self.index.heard(&ids).await?;
        let mut gathered = Gathered::of(&text, &checkpoint, cosigned.as_ref())?;
        let open: Vec<(&Witness, u64)> = witnesses
            .iter()
            .zip(&said)
            .filter(|(witness, heard)| !gathered.has(witness, heard.as_ref()))
            .map(|(witness, heard)| (witness, heard.as_ref().map_or(0, |heard| heard.size)))
            .collect();
        let mut report = Report { asked: open.len(), ..Report::default() };
        self.keep(&mut gathered).await?;
        if !open.is_empty() {
            let head = Head::of(text, checkpoint, self.blocks).await?;
            report.failed = self.ask_all(&head, open, &mut gathered).await?;
        }
        report.cosigned = gathered.cosigned;
        log::set(&fields::COSIGN_WITNESSES, report.cosigned);
        log::set(&fields::COSIGN_FAILED, report.failed);
        log::set(&fields::COSIGN_WITHOUT_QUORUM, u8::from(report.cosigned < self.quorum));
        Ok(report)
    }

    /// Asks all of them at once, and keeps what each says when it says it. Gives how many did not cosign.
    async fn ask_all(
        &self,
        head: &Head,
        open: Vec<(&Witness, u64)>,
        gathered: &mut Gathered,
    ) -> Result<usize, Uncosigned> {
        let proofs = self.proofs(head, open.iter().map(|(_, known)| *known)).await?;
        let asks = open.into_iter().map(|(witness, known)| {
            let proofs = &proofs;
            async move { (witness, self.ask(witness, head, known, proofs).await) }
        });
        let mut asks: FuturesUnordered<_> = asks.collect();
        let mut failed = 0;
        while let Some((witness, said)) = asks.next().await {
            let taken = match said {
                Ok(Said::Cosigned(line)) => gathered.take(witness, line),
                Ok(Said::Overtaken) => continue,
                Err(error) => Err(error),
            };
            match taken {
                Ok(line) => {
                    self.index.put_heard(witness.key.id(), &Heard { size: gathered.size, line }).await?;
                    self.keep(gathered).await?;
                }
                Err(NotCosigned::Store(error)) => return Err(error.into()),
                Err(error) => {
                    failed += 1;
                    log::other_failed(&witness.key.name(), &error);
                }
            }
        }
        Ok(failed)
    }

    /// Keeps the checkpoint as cosigned, once enough have, and again when more have.
    async fn keep(&self, gathered: &mut Gathered) -> Result<(), StoreError> {
        let witnesses = gathered.cosigned as u64;
        if gathered.cosigned < self.quorum || witnesses <= gathered.kept {
            return Ok(());
        }
        let note = gathered.note.to_string();
        self.index.put_cosigned(&Cosigned { size: gathered.size, witnesses, note }).await?;
        gathered.kept = witnesses;
        Ok(())
    }
}

impl Gathered {
    fn of(text: &str, checkpoint: &Checkpoint, kept: Option<&Cosigned>) -> Result<Self, StoreError> {
        let damaged = |_| StoreError::Damaged { what: "the published checkpoint".to_owned() };
        let note = Note::parse(text.as_bytes()).map_err(damaged)?;
        let kept = kept.filter(|kept| kept.size == checkpoint.size()).map_or(0, |kept| kept.witnesses);
        Ok(Self { note, size: checkpoint.size(), cosigned: 0, kept })
    }

    /// Whether a witness has cosigned this checkpoint already; then its line is under it.
    fn has(&mut self, witness: &Witness, heard: Option<&Heard>) -> bool {
        let line = heard.filter(|heard| heard.size == self.size).and_then(|heard| SignatureLine::parse(&heard.line));
        let has = line.is_some_and(|line| self.note.put(&witness.key, line).is_ok());
        self.cosigned += usize::from(has);
        has
    }

    /// Takes a witness's line, if it is its own over this text.
    fn take(&mut self, witness: &Witness, line: SignatureLine) -> Result<String, NotCosigned> {
        let text = line.to_string();
        self.note.put(&witness.key, line).map_err(NotCosigned::Signature)?;
        self.cosigned += 1;
        Ok(text)
    }
}
