//! The heads that are shown: the newest checkpoint with all that is said of it, and the newest one that enough witnesses have cosigned.

use chartseal_infra::head;
use chartseal_infra::ports::{Cosignatures, Cosigned, Heard, LogFiles, StoreError};
use chartseal_infra::witnesses::Witnesses;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{Note, SignatureLine};

use crate::Timekeeper;

/// A checkpoint to show.
#[derive(Debug)]
pub(crate) struct Shown {
    pub note: Note,
    pub checkpoint: Checkpoint,
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { what: what.to_owned() }
}

/// A note that was published or cosigned.
pub(crate) fn read(note: &str, what: &str) -> Result<Shown, StoreError> {
    let note = Note::parse(note.as_bytes()).map_err(|_| damaged(what))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|_| damaged(what))?;
    Ok(Shown { note, checkpoint })
}

fn cosigned(cosigned: &Cosigned) -> Result<Shown, StoreError> {
    read(&cosigned.note, "the cosigned checkpoint")
}

/// What the witnesses have said, where there are any: without, nothing is asked.
pub(crate) async fn heard(
    index: &impl Cosignatures,
    witnesses: &Witnesses,
) -> Result<(Option<Cosigned>, Vec<Option<Heard>>), StoreError> {
    if witnesses.all().is_empty() {
        return Ok((None, Vec::new()));
    }
    let ids: Vec<_> = witnesses.all().iter().map(|witness| witness.key.id()).collect();
    index.heard(&ids).await
}

/// The published checkpoint as the log has signed it; none before the first.
async fn published(files: &impl LogFiles) -> Result<Option<Shown>, StoreError> {
    let found = head::published(files).await?;
    found.map(|(note, _)| read(&note, "the published checkpoint")).transpose()
}

/// Puts under the newest checkpoint what is said of it: the witnesses' lines for the same text, and when it was the newest.
pub(crate) async fn complete(
    shown: &mut Shown,
    witnesses: &Witnesses,
    heard: Vec<Option<Heard>>,
    clock: &impl Timekeeper,
) {
    for (witness, heard) in witnesses.all().iter().zip(heard) {
        let Some(heard) = heard.filter(|heard| heard.size == shown.checkpoint.size()) else { continue };
        if let Some(line) = SignatureLine::parse(&heard.line) {
            // A line over another text is of another head of this size: whoever follows the witness sees that. Here it counts for nothing.
            let _ = shown.note.put(&witness.key, line);
        }
    }
    clock.cosign(&mut shown.note).await;
}

/// The newest checkpoint, with all that is said of it; none before the first.
pub(crate) async fn newest(
    files: &impl LogFiles,
    index: &impl Cosignatures,
    witnesses: &Witnesses,
    clock: &impl Timekeeper,
) -> Result<Option<Shown>, StoreError> {
    let Some(mut shown) = published(files).await? else { return Ok(None) };
    let (_, heard) = heard(index, witnesses).await?;
    complete(&mut shown, witnesses, heard, clock).await;
    Ok(Some(shown))
}

/// The newest checkpoint that enough witnesses have cosigned; none while there is none. Where it is the newest of all, it says so as that does.
pub(crate) async fn newest_cosigned(
    files: &impl LogFiles,
    index: &impl Cosignatures,
    witnesses: &Witnesses,
    clock: &impl Timekeeper,
) -> Result<Option<Shown>, StoreError> {
    let (Some(found), heard) = heard(index, witnesses).await? else { return Ok(None) };
    let mut shown = cosigned(&found)?;
    if published(files).await?.is_some_and(|newest| newest.note.text() == shown.note.text()) {
        complete(&mut shown, witnesses, heard, clock).await;
    }
    Ok(Some(shown))
}

/// The checkpoint that a proof of a leaf of this block is made against: the newest cosigned one, where that covers the block, else the newest of all.
pub(crate) async fn for_proof(
    newest: Shown,
    block_size: u64,
    found: Option<Cosigned>,
    heard: Vec<Option<Heard>>,
    witnesses: &Witnesses,
    clock: &impl Timekeeper,
) -> Result<Shown, StoreError> {
    let covers = |found: &Cosigned| (block_size..newest.checkpoint.size()).contains(&found.size);
    if let Some(found) = found.as_ref().filter(|found| covers(found)) {
        return cosigned(found);
    }
    let mut newest = newest;
    complete(&mut newest, witnesses, heard, clock).await;
    Ok(newest)
}
