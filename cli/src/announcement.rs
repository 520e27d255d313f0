//! The announcement in its two forms: as a signed command has it, and as the envelope measures a message. Here is the one place that knows both.

use chartseal_envelope::{Announcement as Measured, FrameBytes, SUITE, Sealed};
use chartseal_events::command::{Announcement, SUITE as SUITE_TEXT};
use chartseal_events::{Bytes, Hash, Id};

use crate::tampering::Tampering;

/// What the uploader signs.
pub(crate) fn to_sign(record: Id, version: u32, media_type: &str, sealed: &Sealed) -> Announcement {
    Announcement {
        record,
        version,
        media_type: media_type.to_owned(),
        suite: SUITE_TEXT.to_owned(),
        message_id: Bytes(sealed.message_id),
        commitment: Bytes(sealed.commitment),
        frame_bytes: sealed.frame_bytes.get(),
        body_bytes: sealed.body_bytes,
        frames_root: Hash(sealed.frames_root),
        parts_root: Hash(sealed.parts_root),
    }
}

/// What a message is held to.
pub(crate) fn to_check(signed: &Announcement) -> Result<Measured, Tampering> {
    if signed.suite != SUITE_TEXT {
        return Err(Tampering::Announcement("another algorithm suite"));
    }
    let frame_bytes = FrameBytes::try_from(signed.frame_bytes)
        .map_err(|_| Tampering::Announcement("a frame length out of bounds"))?;
    let measured = Measured {
        suite: SUITE,
        message_id: signed.message_id.0,
        commitment: signed.commitment.0,
        frame_bytes,
        body_bytes: signed.body_bytes,
        frames_root: signed.frames_root.0,
        parts_root: signed.parts_root.0,
    };
    measured.check().map_err(|_| Tampering::Announcement("no message can fulfil it"))?;
    Ok(measured)
}
