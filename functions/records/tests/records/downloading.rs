//! The owner's download of its own record.

use chartseal_envelope::{Announcement, Context, FrameBytes, Opening, open};
use chartseal_events::command::RecordDownload;
use chartseal_events::encoding::from_base64url;
use chartseal_events::wire::ReleasedDownload;
use chartseal_events::{Code, Id};
use chartseal_http::Incoming;
use chartseal_http::testing::{ORIGIN, Wallet, document, refused};

use crate::Story;

impl Story {
    fn download(&self, wallet: &Wallet, record: Id, version: u32) -> Incoming {
        let path = format!("/records/{record}/download");
        self.stage.post(wallet, &path, RecordDownload { record, version }, &[])
    }
}

#[tokio::test]
async fn an_owner_downloads_checks_and_opens_its_record() {
    let story = Story::begin().await;
    let body = story.stage.uploaded(&story.owner, b"a record").await;
    let call = story.download(&story.owner, body.record, 1);
    let released: ReleasedDownload = document(&story.call(&call).await, 201);
    let get = &released.download;
    let found = story.stage.vault.http(&get.method, &get.url, &get.headers, &[]);
    assert_eq!((found.status, &found.body), (200, &body.bytes));

    // As a client does it: from the evidence alone to the plaintext.
    let sound = released.evidence.verify(&story.stage.genesis).expect("sound");
    let record = sound.view.record(body.record).expect("there");
    let (announced, _) = record.version(1).and_then(|version| version.current()).expect("uploaded");
    let stated = &announced.announcement;
    let announcement = Announcement {
        suite: chartseal_envelope::SUITE,
        message_id: stated.message_id.0,
        commitment: stated.commitment.0,
        frame_bytes: FrameBytes::try_from(stated.frame_bytes).expect("a frame"),
        body_bytes: stated.body_bytes,
        frames_root: stated.frames_root.0,
        parts_root: stated.parts_root.0,
    };
    let header = from_base64url(&released.header).expect("base64url");
    let context = Context::new(ORIGIN, body.record.to_string(), 1).expect("a context");
    let opening = Opening { key: &body.key, header: &header, context: &context, announcement: &announcement };
    let mut plaintext = Vec::new();
    open(&opening, found.body.as_slice(), &mut plaintext).expect("opens");
    assert_eq!(plaintext, b"a record");

    let again: ReleasedDownload = document(&story.call(&call).await, 200);
    assert_eq!(again.event, released.event);
}

#[tokio::test]
async fn only_the_owner_and_only_what_is_there() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    assert_eq!(story.refused(&story.download(&story.owner, body.record, 1)).await, Code::NotUploaded);
    let uploaded = story.stage.uploaded(&story.owner, b"another").await.record;
    let other = story.stage.hospital("Mercy").await;
    assert_eq!(story.refused(&story.download(&other, uploaded, 1)).await, Code::NotFound);
    assert_eq!(story.refused(&story.download(&story.stage.operator, uploaded, 1)).await, Code::NotMember);
    assert_eq!(story.refused(&story.download(&story.owner, uploaded, 2)).await, Code::NotFound);
    assert_eq!(story.refused(&story.download(&story.owner, uploaded, 0)).await, Code::BadField);
    let elsewhere =
        Incoming { path: format!("/records/{}/download", body.record), ..story.download(&story.owner, uploaded, 1) };
    assert_eq!(story.refused(&elsewhere).await, Code::PathMismatch);
}

#[tokio::test]
async fn a_shredded_record_releases_nothing() {
    let story = Story::begin().await;
    let body = story.stage.uploaded(&story.owner, b"a record").await;
    story.stage.vault.shred(body.record);
    let answer = story.call(&story.download(&story.owner, body.record, 1)).await;
    assert_eq!(refused(&answer), Code::Internal);
}
