//! Announcements, and leave to upload.

use chartseal_envelope::{DataKey, WrappedKey};
use chartseal_events::command::Announcement;
use chartseal_events::encoding::base64url;
use chartseal_events::limits::{MAX_RECORD_BODY_BYTES, PART_BYTES};
use chartseal_events::wire::{AnnouncedUpload, PresignedCall};
use chartseal_events::{Bytes, Code, EventRef, Id, Observation, Outcome, StreamId};
use chartseal_http::Incoming;
use chartseal_http::testing::{Body, Wallet, document};
use chartseal_infra::BlobKey;
use chartseal_infra::ports::{KeyItem, KeyTable as _};

use crate::{Story, UPLOAD_EXPIRY_MS};

/// Tokens of so many different terms.
fn tokens(count: u8) -> String {
    (0..count).map(|index| base64url(&[index; 32])).collect::<Vec<_>>().join(" ")
}

/// The one PUT that a body is sent by.
fn one_put(announced: &AnnouncedUpload) -> PresignedCall {
    assert!(announced.parts.is_none(), "either one PUT or parts");
    announced.upload.clone().expect("a PUT")
}

impl Story {
    fn announce(&self, wallet: &Wallet, body: &Body) -> Incoming {
        self.announce_as(wallet, body, body.announcement.clone(), &tokens(2), &body.header_text())
    }

    fn announce_as(
        &self,
        wallet: &Wallet,
        body: &Body,
        announcement: Announcement,
        tokens: &str,
        header: &str,
    ) -> Incoming {
        let path = format!("/records/{}/upload", body.record);
        let private = [("tokens", tokens), ("label", "an X-ray")];
        self.stage.post_with_header(wallet, &path, announcement, &private, header)
    }

    fn put(&self, upload: &PresignedCall, body: &[u8]) -> u16 {
        self.stage.vault.http(&upload.method, &upload.url, &upload.headers, body).status
    }
}

#[tokio::test]
async fn what_was_announced_can_be_uploaded_once_and_nothing_else() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    let announced: AnnouncedUpload = document(&story.call(&story.announce(&story.owner, &body)).await, 201);
    assert_eq!(announced.event.stream, StreamId::Record(body.record));
    let upload = &one_put(&announced);
    assert_eq!(upload.expires_at, story.stage.now_ms() + 900_000, "15 minutes");
    assert_eq!(story.put(upload, b"other bytes"), 403, "another length");
    let mut flipped = body.bytes.clone();
    flipped[0] ^= 1;
    assert_eq!(story.put(upload, &flipped), 400, "other bytes of the same length");
    assert_eq!(story.put(upload, &body.bytes), 200);
    assert_eq!(story.put(upload, &body.bytes), 412, "once");
    assert_eq!(
        story.stage.vault.blob_keys(),
        [BlobKey { record: body.record, version: 1, announced: announced.event.seq }.to_string()]
    );

    let header = story.stage.vault.header(body.record, 1, &body.announcement.message_id).await.expect("memory");
    assert_eq!(header.as_deref(), Some(body.header.as_slice()), "kept beside the record");
    let place = EventRef { stream: announced.event.stream, seq: announced.event.seq };
    let private = story.stage.private(place).await;
    assert!(private.contains(&("tokens".to_owned(), tokens(2))), "kept beside the event: {private:?}");
    assert!(!announced.event.body.contains("X-ray"), "and never in it");
}

#[tokio::test]
async fn the_same_announcement_gets_a_fresh_url_while_it_is_waited_for() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    let announce = story.announce(&story.owner, &body);
    let first: AnnouncedUpload = document(&story.call(&announce).await, 201);
    story.stage.vault.advance(60_000);
    let again: AnnouncedUpload = document(&story.call(&announce).await, 200);
    assert_eq!(again.event, first.event);
    assert!(one_put(&again).expires_at > one_put(&first).expires_at);
    // Another command with the same announcement, as a client sends it that has lost the first one.
    story.stage.vault.advance(50 * 60_000);
    let later: AnnouncedUpload = document(&story.call(&story.announce(&story.owner, &body)).await, 200);
    assert_eq!(later.event, first.event);
    let deadline = story.stage.now_ms() - 51 * 60_000 + UPLOAD_EXPIRY_MS;
    assert!(one_put(&later).expires_at <= deadline, "no longer than it is waited for");
    assert_eq!(story.put(&one_put(&later), &body.bytes), 200);
}

#[tokio::test]
async fn an_announcement_that_expired_is_made_again() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    let announce = story.announce(&story.owner, &body);
    let first: AnnouncedUpload = document(&story.call(&announce).await, 201);
    story.stage.vault.advance(100_000);
    let same_minute = story.stage.now_ms();
    story.stage.vault.advance(UPLOAD_EXPIRY_MS - 100_000);
    story.stage.observed(Observation::ObjectMissing { record: body.record, announced: first.event.seq }).await;
    story.stage.vault.set_now(same_minute);
    assert_eq!(story.refused(&announce).await, Code::UploadExpired, "the very same command");
    story.stage.vault.advance(UPLOAD_EXPIRY_MS);
    let second: AnnouncedUpload = document(&story.call(&story.announce(&story.owner, &body)).await, 201);
    assert_ne!(second.event.seq, first.event.seq);

    // The same encryption run with another header: what is kept stays.
    story.stage.vault.advance(UPLOAD_EXPIRY_MS);
    let mut other = body.header.clone();
    *other.last_mut().expect("a tag") ^= 1;
    let forged = story.announce_as(&story.owner, &body, body.announcement.clone(), &tokens(1), &base64url(&other));
    assert_eq!(story.refused(&forged).await, Code::HeaderMismatch);
}

#[tokio::test]
async fn an_uploaded_version_is_closed() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    let announce = story.announce(&story.owner, &body);
    let announced: AnnouncedUpload = document(&story.call(&announce).await, 201);
    story.stage.found(&body, announced.event.seq).await;
    assert_eq!(story.refused(&announce).await, Code::VersionUploaded, "the same command");
    assert_eq!(story.refused(&story.announce(&story.owner, &body)).await, Code::VersionUploaded, "another one");
}

#[tokio::test]
async fn only_the_owner_announces() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    let other = story.stage.hospital("Mercy").await;
    assert_eq!(story.refused(&story.announce(&other, &body)).await, Code::NotFound);
    // A stranger learns nothing from the header's check either.
    let bad = story.announce_as(&other, &body, body.announcement.clone(), &tokens(1), "AAAA");
    assert_eq!(story.refused(&bad).await, Code::NotFound);
    assert_eq!(story.refused(&story.announce(&story.stage.operator, &body)).await, Code::NotMember);
    story.stage.suspended(story.owner.provider()).await;
    assert_eq!(story.refused(&story.announce(&story.owner, &body)).await, Code::ProviderSuspended);
}

#[tokio::test]
async fn a_header_fits_its_record_and_its_announcement() {
    let story = Story::begin().await;
    let (record, key, wrapped) = story.stage.created(&story.owner).await;
    let body = Body::seal(record, 1, &key, &wrapped, b"a record");
    let refused = async |what: &str, header: &[u8], announcement: &Announcement| {
        let call = story.announce_as(&story.owner, &body, announcement.clone(), &tokens(1), &base64url(header));
        assert_eq!(story.refused(&call).await, Code::HeaderMismatch, "{what}");
    };
    let good = &body.announcement;
    refused("nothing", &[], good).await;
    refused("cut off", &body.header[..body.header.len() - 1], good).await;
    refused("something behind it", &[body.header.as_slice(), &[0]].concat(), good).await;
    let mut suite = body.header.clone();
    suite[2] = 0x14;
    refused("another suite", &suite, good).await;
    let elsewhere = Body::seal(Id::from_parts(1, [1; 10]), 1, &key, &wrapped, b"a record");
    refused("another record's", &elsewhere.header, &Announcement { record, ..elsewhere.announcement }).await;
    let version = Body::seal(record, 2, &key, &wrapped, b"a record");
    refused("another version's", &version.header, &Announcement { version: 1, ..version.announcement }).await;
    let arn = "arn:aws:kms:us-east-1:000000000000:key/another";
    for (what, wrapped) in [
        ("another KMS key", WrappedKey::kms(arn, wrapped.ciphertext())),
        ("another key provider", WrappedKey::of("raw", wrapped.provider_info(), wrapped.ciphertext())),
        ("another wrapped key", WrappedKey::kms(arn, &[7; 80])),
    ] {
        let other = Body::seal(record, 1, &key, &wrapped.expect("a wrapped key"), b"a record");
        refused(what, &other.header, &other.announcement).await;
    }
    refused("another message id", &body.header, &Announcement { message_id: Bytes([1; 32]), ..good.clone() }).await;
    refused("another commitment", &body.header, &Announcement { commitment: Bytes([1; 32]), ..good.clone() }).await;
    refused("another frame length", &body.header, &Announcement { frame_bytes: 1024 * 1024, ..good.clone() }).await;
    let another_key = Body::seal(record, 1, &DataKey::from_bytes([9; 32]), &wrapped, b"a record");
    refused("another run's header", &another_key.header, good).await;

    let text = story.announce_as(&story.owner, &body, good.clone(), &tokens(1), "not base64url!");
    assert_eq!(story.refused(&text).await, Code::HeaderMismatch);
    let (command, private) = story.stage.command(&story.owner, good.clone(), &[("tokens", &tokens(1))]);
    let none = story.stage.submit(&format!("/records/{record}/upload"), &command, &private, None);
    assert_eq!(story.refused(&none).await, Code::MalformedJson, "no header at all");
    assert_eq!(story.call(&story.announce(&story.owner, &body)).await.status, 201);
}

#[tokio::test]
async fn tokens_are_few_different_and_32_bytes_each() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    let with =
        |tokens: &str| story.announce_as(&story.owner, &body, body.announcement.clone(), tokens, &body.header_text());
    assert_eq!(story.refused(&with(&tokens(33))).await, Code::TooManyTerms);
    let doubled = format!("{} {}", tokens(1), tokens(1));
    for bad in ["", " ", "tuberculosis", &doubled, &tokens(2).replace(' ', ","), &format!("{} ", tokens(1))] {
        assert_eq!(story.refused(&with(bad)).await, Code::BadField, "{bad:?}");
    }
    let path = format!("/records/{}/upload", body.record);
    let header = body.header_text();
    let none = story.stage.post_with_header(&story.owner, &path, body.announcement.clone(), &[], &header);
    assert_eq!(story.refused(&none).await, Code::MalformedCommand, "no tokens at all");
    assert_eq!(story.call(&with(&tokens(32))).await.status, 201);
}

#[tokio::test]
async fn an_announcement_has_bounds() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    let good = &body.announcement;
    for (announcement, code) in [
        (Announcement { body_bytes: MAX_RECORD_BODY_BYTES + 1, ..good.clone() }, Code::UploadTooLarge),
        (Announcement { body_bytes: 3, ..good.clone() }, Code::BadField),
        (Announcement { frame_bytes: 1000, ..good.clone() }, Code::BadField),
        (Announcement { suite: "0578".to_owned(), ..good.clone() }, Code::BadField),
        (Announcement { media_type: "Text/Plain; x=1".to_owned(), ..good.clone() }, Code::BadField),
        (Announcement { version: 0, ..good.clone() }, Code::BadField),
        (Announcement { version: 2, ..good.clone() }, Code::NotFound),
        (Announcement { record: Id::from_parts(1, [1; 10]), ..good.clone() }, Code::PathMismatch),
    ] {
        let call = story.announce_as(&story.owner, &body, announcement.clone(), &tokens(1), &body.header_text());
        assert_eq!(story.refused(&call).await, code, "{announcement:?}");
    }
}

/// Body lengths that frames of 64 KiB can have, around the largest of one PUT.
const OF_ONE_PUT: u64 = PART_BYTES;
const OF_PARTS: u64 = PART_BYTES + 1_000;

#[tokio::test]
async fn a_large_body_is_sent_in_parts_that_are_begun_later() {
    let story = Story::begin().await;
    for (body_bytes, count) in [(OF_ONE_PUT, None), (OF_PARTS, Some(2)), (10 * PART_BYTES, Some(10))] {
        let body = story.stage.sealed(&story.owner, b"a record").await;
        let large = Announcement { body_bytes, ..body.announcement.clone() };
        let announce = story.announce_as(&story.owner, &body, large, &tokens(1), &body.header_text());
        let answer: AnnouncedUpload = document(&story.call(&announce).await, 201);
        let plan = answer.parts.as_ref().map(|plan| (plan.part_bytes, plan.count));
        assert_eq!((plan, answer.upload.is_none()), (count.map(|count| (PART_BYTES, count)), count.is_some()));
        let again: AnnouncedUpload = document(&story.call(&announce).await, 200);
        assert_eq!((again.event, again.parts), (answer.event, answer.parts));
    }
    assert!(story.stage.vault.unfinished_uploads().is_empty());
}

#[tokio::test]
async fn a_body_is_waited_for_by_its_parts_and_a_day_at_most() {
    let story = Story::begin().await;
    for (body_bytes, window_ms) in
        [(OF_ONE_PUT, UPLOAD_EXPIRY_MS), (OF_PARTS, 2 * UPLOAD_EXPIRY_MS), (MAX_RECORD_BODY_BYTES, 24 * 3_600_000)]
    {
        let body = story.stage.sealed(&story.owner, b"a record").await;
        let large = Announcement { body_bytes, ..body.announcement.clone() };
        let announce = story.announce_as(&story.owner, &body, large, &tokens(1), &body.header_text());
        let answer: AnnouncedUpload = document(&story.call(&announce).await, 201);
        let event = answer.event.stored().open().expect("an event");
        let Outcome::RecordAnnounced(outcome) = event.outcome else { panic!("not announced") };
        assert_eq!(outcome.expires_at, story.stage.now_ms() + window_ms);
    }
}

#[tokio::test]
async fn a_key_table_that_was_changed_is_noticed() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    story.stage.vault.set_key(KeyItem::Wrapped { record: body.record, version: 1, wrapped: vec![1; 72] });
    assert_eq!(story.refused(&story.announce(&story.owner, &body)).await, Code::Internal);
}
