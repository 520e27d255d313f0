//! Limits: what is too large is refused, with bounded memory, and what fails to read or write says so.

use std::io::{self, Read, Write};

use chartseal_envelope::vector_hooks::seal_within;
use chartseal_envelope::{
    Announcement, AnnouncementError, Context, DataKey, FrameBytes, Header, MAX_BODY_BYTES, MAX_HEADER_BYTES,
    MAX_PROVIDER_ID_BYTES, MAX_PROVIDER_INFO_BYTES, MAX_RECORD_BYTES, MAX_TENANT_BYTES, MAX_WRAPPED_KEY_BYTES,
    OpenError, Opening, PART_BYTES, SealError, Sealing, WrappedKey, body_bytes, open, seal,
};
use sha2::{Digest, Sha256};

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Fixture {
    key: DataKey,
    context: Context,
    wrapped_key: WrappedKey,
}

impl Fixture {
    fn new() -> Self {
        Self {
            key: DataKey::generate().unwrap(),
            context: Context::new("vault.example", "R", 1).unwrap(),
            wrapped_key: WrappedKey::kms("arn", b"wrapped").unwrap(),
        }
    }

    fn sealing(&self, frame_bytes: FrameBytes) -> Sealing<'_> {
        Sealing { key: &self.key, context: &self.context, wrapped_key: &self.wrapped_key, frame_bytes }
    }
}

/// The largest plaintext whose body still fits, and one byte more. The limit is a smaller one than the vault's, which nobody could wait for.
#[test]
fn a_body_fits_the_limit_or_is_refused() {
    let frame_bytes = FrameBytes::try_from(1024 * 1024).unwrap();
    let limit = 64 * 1024 * 1024;
    let largest = limit - 64 * 32 - 8;
    assert_eq!(body_bytes(largest, frame_bytes), limit);
    let fixture = Fixture::new();
    let sealing = fixture.sealing(frame_bytes);
    let sealed = seal_within(limit, &sealing, io::repeat(7).take(largest), io::sink()).unwrap();
    assert_eq!((sealed.body_bytes, sealed.plaintext_bytes), (limit, largest));
    sealed.announcement().check().unwrap();
    let refused = seal_within(limit, &sealing, io::repeat(7).take(largest + 1), io::sink());
    assert!(matches!(refused, Err(SealError::BodyTooLarge)), "{refused:?}");
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the record is too large: its body would have more than 671088640000 bytes"
    );
}

/// A source that never ends is refused at the limit, not read for ever.
#[test]
fn an_endless_record_is_refused() {
    let fixture = Fixture::new();
    let refused = seal_within(1 << 24, &fixture.sealing(FrameBytes::DEFAULT), io::repeat(0), io::sink());
    assert!(matches!(refused, Err(SealError::BodyTooLarge)), "{refused:?}");
}

/// What is announced is held to the vault's own limit: 10,000 parts of 64 MiB.
#[test]
fn an_announcement_has_the_vaults_limit() {
    let fixture = Fixture::new();
    let sealed = seal(&fixture.sealing(FrameBytes::DEFAULT), &b"x"[..], io::sink()).unwrap();
    let stride = u64::from(FrameBytes::DEFAULT.get()) + 32;
    let announced = |body_bytes| Announcement { body_bytes, ..sealed.announcement() }.check();
    let possible = (MAX_BODY_BYTES - 40) / stride * stride + 40;
    assert_eq!(MAX_BODY_BYTES, 10_000 * 64 * 1024 * 1024);
    assert_eq!(announced(possible), Ok(()));
    let found = possible + stride;
    assert_eq!(announced(found), Err(AnnouncementError::BodyTooLarge { found }));
}

/// Parts end where S3's parts do, wherever frames end.
#[test]
fn a_body_of_several_parts_has_their_digests() {
    let frame_bytes = FrameBytes::try_from(1024 * 1024).unwrap();
    let fixture = Fixture::new();
    let mut body = Vec::new();
    let sealed = seal(&fixture.sealing(frame_bytes), io::repeat(7).take(2 * PART_BYTES), &mut body).unwrap();
    let expected: Vec<[u8; 32]> = body.chunks(64 * 1024 * 1024).map(|part| Sha256::digest(part).into()).collect();
    assert_eq!(expected.len(), 3);
    assert_eq!(sealed.parts, expected);
    assert_eq!(sealed.parts_root, <[u8; 32]>::from(Sha256::digest(expected.concat())));
    let announcement = sealed.announcement();
    let opening =
        Opening { key: &fixture.key, header: &sealed.header, context: &fixture.context, announcement: &announcement };
    open(&opening, &body[..], io::sink()).unwrap();
    let lie = Announcement { parts_root: Sha256::digest(&body).into(), ..announcement };
    let error = open(&Opening { announcement: &lie, ..opening }, &body[..], io::sink()).unwrap_err();
    assert_eq!(error.code(), "parts-root-mismatch");
}

#[test]
fn a_header_with_every_field_at_its_limit_is_within_the_limit() {
    let context = Context::new("t".repeat(MAX_TENANT_BYTES), "r".repeat(MAX_RECORD_BYTES), u32::MAX).unwrap();
    let wrapped_key = WrappedKey::of(
        &"p".repeat(MAX_PROVIDER_ID_BYTES),
        &[b'i'; MAX_PROVIDER_INFO_BYTES],
        &[b'c'; MAX_WRAPPED_KEY_BYTES],
    )
    .unwrap();
    let key = DataKey::generate().unwrap();
    let sealing = Sealing { key: &key, context: &context, wrapped_key: &wrapped_key, frame_bytes: FrameBytes::DEFAULT };
    let sealed = seal(&sealing, io::empty(), io::sink()).unwrap();
    assert!(sealed.header.len() <= MAX_HEADER_BYTES);
    let header = Header::parse(&sealed.header).unwrap();
    assert_eq!((header.context(), header.wrapped_key()), (&context, &wrapped_key));
}

#[test]
fn failures_of_files_say_which_side_failed() {
    let fixture = Fixture::new();
    let sealing = fixture.sealing(FrameBytes::DEFAULT);
    assert!(matches!(seal(&sealing, Failing, io::sink()), Err(SealError::Read(_))));
    assert!(matches!(seal(&sealing, &b"x"[..], Failing), Err(SealError::Write(_))));

    let mut body = Vec::new();
    let sealed = seal(&sealing, &b"x"[..], &mut body).unwrap();
    let announcement = sealed.announcement();
    let opening =
        Opening { key: &fixture.key, header: &sealed.header, context: &fixture.context, announcement: &announcement };
    assert_eq!(open(&opening, Failing, io::sink()).unwrap_err().code(), "read-failed");
    assert!(matches!(open(&opening, &body[..], Failing), Err(OpenError::Write(_))));
}

/// Nothing of a frame is written before its tag was verified.
#[test]
fn plaintext_comes_only_from_authenticated_frames() {
    let fixture = Fixture::new();
    let frame_bytes = FrameBytes::try_from(65_536).unwrap();
    let mut body = Vec::new();
    let sealed = seal(&fixture.sealing(frame_bytes), io::repeat(7).take(3 * 65_536), &mut body).unwrap();
    body[65_568 + 16 + 70] ^= 1;
    let announcement = sealed.announcement();
    let opening =
        Opening { key: &fixture.key, header: &sealed.header, context: &fixture.context, announcement: &announcement };
    let mut written = Vec::new();
    let error = open(&opening, &body[..], &mut written).unwrap_err();
    assert!(matches!(error, OpenError::FrameTampered { frame: 2 }), "{error}");
    assert!(written == vec![7; 65_536], "only the first frame");
}
