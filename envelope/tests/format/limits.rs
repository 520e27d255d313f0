//! Limits: what is too large is refused, with bounded memory, and what fails to read or write says so.

use std::io::{self, Read, Write};

use chartseal_envelope::{
    Context, DataKey, FrameBytes, Header, MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_PROVIDER_ID_BYTES,
    MAX_PROVIDER_INFO_BYTES, MAX_RECORD_BYTES, MAX_TENANT_BYTES, MAX_WRAPPED_KEY_BYTES, OpenError, Opening, SealError,
    Sealing, WrappedKey, body_bytes, open, seal,
};

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

/// The largest plaintext whose body still fits, and one byte more. The source is a stream, so nothing is held but a frame.
#[test]
fn a_body_fits_one_upload_or_is_refused() {
    let frame_bytes = FrameBytes::try_from(1024 * 1024).unwrap();
    let largest = MAX_BODY_BYTES - 64 * 32 - 8;
    assert_eq!(body_bytes(largest, frame_bytes), MAX_BODY_BYTES);
    let fixture = Fixture::new();
    let sealing = fixture.sealing(frame_bytes);
    let sealed = seal(&sealing, io::repeat(7).take(largest), io::sink()).unwrap();
    assert_eq!((sealed.body_bytes, sealed.plaintext_bytes), (MAX_BODY_BYTES, largest));
    sealed.announcement().check().unwrap();
    let refused = seal(&sealing, io::repeat(7).take(largest + 1), io::sink());
    assert!(matches!(refused, Err(SealError::BodyTooLarge)), "{refused:?}");
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the record is too large: its body would have more than 67108864 bytes"
    );
}

/// A source that never ends is refused at the limit, not read for ever.
#[test]
fn an_endless_record_is_refused() {
    let fixture = Fixture::new();
    let refused = seal(&fixture.sealing(FrameBytes::DEFAULT), io::repeat(0), io::sink());
    assert!(matches!(refused, Err(SealError::BodyTooLarge)), "{refused:?}");
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
