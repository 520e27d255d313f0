//! Every pinned body, byte for byte, against the digests that its announcement states: those of its frames and those of its parts, in one pass.
//! (Without this, what S3 states of a body is believed: it was checked when the body came.)

use std::io::{self, Read};

use chartseal_envelope::{FrameBytes, MeasuredBody};
use chartseal_infra::aws::{Bucket, Inventory};
use chartseal_infra::ports::StoreError;
use tokio::sync::mpsc;

use crate::account::{Account, Body, Thing};
use crate::report::{Flaw, Report};
use crate::{Reading, Round};

/// Pieces of a body that wait to be measured.
const PIECES: usize = 16;
/// How often a body is read whose bytes end too early on their way.
const MAX_TRIES: u32 = 3;

/// Reads those that were found in the bucket.
pub(crate) async fn read(round: &Round<'_>, account: &Account, report: &mut Report) -> Result<(), StoreError> {
    let mut read = 0;
    for (key, body) in account.bodies.iter().filter(|(_, body)| body.found) {
        let Some(version_id) = &body.pinned else { continue };
        let measured = measured(round.inventory, key, version_id, body).await?;
        read += body.size_bytes;
        round.tell(Reading::Bytes, read);
        let announced = MeasuredBody {
            body_bytes: body.size_bytes,
            frames_root: body.frames_root.0,
            parts_root: body.parts_root.0,
        };
        report.bodies_read += 1;
        if measured != Some(announced) {
            let what = format!("its bytes are not those that {} announced", body.announced);
            let name = format!("{key} version {version_id}");
            report.find(Thing::Object, Flaw::Changed, account.place(Thing::Object), &name, what);
        }
    }
    Ok(())
}

/// What a body's bytes come to; none where they are no frames.
async fn measured(
    inventory: &Inventory,
    key: &str,
    version_id: &str,
    body: &Body,
) -> Result<Option<MeasuredBody>, StoreError> {
    let Ok(frame_bytes) = FrameBytes::try_from(body.frame_bytes) else { return Ok(None) };
    let mut tries = 0;
    loop {
        tries += 1;
        match measure(inventory, key, version_id, frame_bytes).await {
            Err(_) if tries < MAX_TRIES => {}
            ended => return ended,
        }
    }
}

async fn measure(
    inventory: &Inventory,
    key: &str,
    version_id: &str,
    frame_bytes: FrameBytes,
) -> Result<Option<MeasuredBody>, StoreError> {
    let Some(mut object) = inventory.open(Bucket::Bodies, key, version_id).await? else { return Ok(None) };
    let (pieces, received) = mpsc::channel(PIECES);
    let pieces_of = Pieces { received, piece: io::Cursor::default() };
    let measuring = tokio::task::spawn_blocking(move || MeasuredBody::of(frame_bytes, pieces_of).ok());
    loop {
        match object.next().await {
            // Who measures stops at the first byte that is no frame's.
            Ok(Some(piece)) => {
                if pieces.send(piece).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                drop(pieces);
                // What was read so far says nothing.
                let _ = measuring.await;
                return Err(error);
            }
        }
    }
    drop(pieces);
    Ok(measuring.await.unwrap_or_default())
}

/// Pieces as one stream of bytes.
struct Pieces {
    received: mpsc::Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.received.blocking_recv() {
                Some(piece) => self.piece = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}
