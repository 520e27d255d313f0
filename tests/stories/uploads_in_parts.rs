//! Bodies of more than 64 MiB, by the calls themselves: what is announced in parts is sent in parts, and nothing else ever counts.

use std::io::{Read as _, Seek as _};
use std::time::Instant;

use chartseal_cli::{Call, Created, Spooled};
use chartseal_events::command::RecordDownload;
use chartseal_events::limits::PART_BYTES;
use chartseal_events::wire::{
    CompleteRequest, CompletedUpload, PartDigest, PartsPlan, PartsRequest, PartsResponse, PresignedCall, Problem,
    ReleasedDownload,
};
use chartseal_events::{Bytes, Code, Hash, StreamId};
use chartseal_tests::people::PATIENCE;
use chartseal_tests::{Hands, Hospital, Stack, sample};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// A record's body of two parts, announced.
struct Large<'a> {
    stack: &'a Stack,
    anna: Hospital,
    created: Created,
    spooled: Spooled,
    /// The bytes of each part.
    parts: [Vec<u8>; 2],
    /// The key of the object to be.
    key: String,
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

/// A POST with a person's read token.
fn post<T: DeserializeOwned>(stack: &Stack, by: &Hospital, path: &str, body: &impl Serialize) -> Result<T, String> {
    let token = by.read_token("POST", path);
    let request = agent().post(format!("{}{path}", stack.api)).header("authorization", format!("Bearer {token}"));
    let json = serde_json::to_vec(body).expect("JSON");
    let mut answer = request.header("content-type", "application/json").send(json).expect("an answer");
    let bytes = answer.body_mut().read_to_vec().expect("read");
    if answer.status() == 200 {
        return Ok(serde_json::from_slice(&bytes).expect("the route's document"));
    }
    Err(serde_json::from_slice::<Problem>(&bytes).expect("a problem").code)
}

/// Sends a part to its address; the status.
fn put(call: &PresignedCall, bytes: &[u8]) -> u16 {
    let mut request = agent().put(&call.url);
    for (name, value) in call.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length")) {
        request = request.header(name, value);
    }
    request.send(bytes).expect("an answer").status().as_u16()
}

fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

impl<'a> Large<'a> {
    fn announced(stack: &'a Stack) -> Self {
        let anna = Hospital::verified(stack, "St. Anna");
        let created = anna.create_record().expect("created");
        let file = sample(usize::try_from(PART_BYTES).expect("fits"));
        let mut spooled = created.spool(std::fs::File::open(file.path()).expect("opened")).expect("encrypted");
        let mut body = Vec::new();
        spooled.body.rewind().and_then(|()| spooled.body.read_to_end(&mut body)).expect("read");
        let rest = body.split_off(usize::try_from(PART_BYTES).expect("fits"));
        let mut large = Self { stack, anna, created, spooled, parts: [body, rest], key: String::new() };
        large.announce();
        large
    }

    /// Announces the body, or announces it again.
    fn announce(&mut self) {
        let tokens = self.anna.record_tokens(&[]).expect("tokens");
        let announced = self.anna.announce(&self.created, &self.spooled, "application/dicom", &tokens, None);
        let announced = announced.expect("announced");
        assert!(announced.answer.upload.is_none(), "no one PUT");
        assert_eq!(announced.answer.parts, Some(PartsPlan { part_bytes: PART_BYTES, count: 2 }));
        self.key = format!("records/{}/1/{}", self.created.record, announced.event.place.seq);
    }

    fn message_id(&self) -> Bytes<32> {
        Bytes(self.spooled.sealed.message_id)
    }

    /// Asks for the addresses of these parts, with these bytes.
    fn ask(&self, by: &Hospital, upload_id: Option<&str>, parts: &[(u32, &[u8])]) -> Result<PartsResponse, String> {
        let parts = parts.iter().map(|(number, bytes)| PartDigest { number: *number, sha256: sha256(bytes) });
        let asked = PartsRequest {
            version: 1,
            message_id: self.message_id(),
            upload_id: upload_id.map(str::to_owned),
            parts: parts.collect(),
        };
        post(self.stack, by, &format!("/records/{}/upload/parts", self.created.record), &asked)
    }

    fn both(&self) -> [(u32, &[u8]); 2] {
        [(1, &self.parts[0]), (2, &self.parts[1])]
    }

    fn complete(&self, by: &Hospital, upload_id: &str) -> Result<CompletedUpload, String> {
        let asked = CompleteRequest { version: 1, message_id: self.message_id(), upload_id: upload_id.to_owned() };
        post(self.stack, by, &format!("/records/{}/upload/complete", self.created.record), &asked)
    }

    /// The types of the record's events after its announcement.
    fn settled(&self) -> Vec<&'static str> {
        let shown = self.anna.record(self.created.record).expect("shown").sound;
        let events = &shown.events[&StreamId::Record(self.created.record)];
        events.iter().skip(2).map(|event| event.outcome.typ()).collect()
    }
}

fn call(answer: &PartsResponse, index: usize) -> &PresignedCall {
    answer.parts[index].call.as_ref().expect("an address")
}

/// Refused with this code.
fn refuses<T: std::fmt::Debug>(answer: Result<T, String>, code: Code) {
    assert_eq!(answer.expect_err("refused"), code.name());
}

#[test]
fn a_large_body_is_sent_in_parts_and_comes_back_whole() {
    let stack = Stack::usual();
    let large = Large::announced(stack);
    let (anna, key, hands) = (&large.anna, &large.key, Hands(stack));
    let benedikt = Hospital::verified(stack, "St. Benedikt");
    refuses(large.ask(&benedikt, None, &large.both()), Code::NotFound);
    assert!(hands.unfinished_uploads(key).is_empty(), "a stranger begins nothing");

    let begun = large.ask(anna, None, &large.both()).expect("addresses");
    let id = begun.upload_id.as_str();
    let [first, second] = &large.parts;
    let mut flipped = second.clone();
    flipped[0] ^= 1;
    assert!((400..500).contains(&put(call(&begun, 1), &flipped)), "other bytes");
    assert!((400..500).contains(&put(call(&begun, 1), &second[1..])), "fewer bytes");
    assert!((400..500).contains(&put(call(&begun, 0), second)), "another part's bytes");
    assert_eq!(put(call(&begun, 1), second), 200);
    refuses(large.complete(anna, id), Code::UploadIncomplete);
    refuses(large.complete(&benedikt, id), Code::NotFound);
    refuses(large.complete(anna, "another-upload"), Code::UploadUnknown);

    // Later, somebody asks what is still to be sent, and gets a fresh address for it.
    let again = large.ask(anna, Some(id), &large.both()).expect("addresses");
    assert_eq!((again.upload_id.as_str(), again.parts[1].call.is_none()), (id, true), "the second part is there");
    assert!(call(&again, 0).expires_at >= call(&begun, 0).expires_at);
    assert_eq!(put(call(&again, 0), first), 200);
    assert!(hands.objects(key).is_empty(), "parts are no object");
    assert_eq!(large.settled(), [""; 0]);

    for _ in 0..2 {
        assert_eq!(large.complete(anna, id).expect("completed").state, "stored");
    }
    anna.wait_uploaded(large.created.record, 1, &large.spooled.sealed.message_id).expect("committed");
    assert_eq!(large.complete(anna, id).expect("completed before").state, "stored");
    refuses(large.ask(anna, Some(id), &large.both()), Code::VersionUploaded);
    assert_eq!(large.settled(), ["record.uploaded.v1"]);
    assert!(hands.unfinished_uploads(key).is_empty());

    let download = RecordDownload { record: large.created.record, version: 1 };
    let path = format!("/records/{}/download", large.created.record);
    let released = anna.send::<ReleasedDownload>(&Call::new(&path, download)).expect("released").answer.download;
    let mut answer = agent().get(&released.url).call().expect("an answer");
    let limit = 2 * PART_BYTES;
    let body = answer.body_mut().with_config().limit(limit).read_to_vec().expect("read");
    assert!(body == large.parts.concat(), "every byte, in order");
    hands.delete_object(key);
}

#[test]
fn what_was_put_together_of_other_parts_never_counts() {
    let stack = Stack::usual();
    let large = Large::announced(stack);
    let (anna, key, hands) = (&large.anna, &large.key, Hands(stack));
    // The vault cannot know the parts of a body that it has not seen: any digest gets an address. What counts is all of them together.
    let mut other = large.parts[1].clone();
    other[0] ^= 1;
    let parts = [(1, large.parts[0].as_slice()), (2, other.as_slice())];
    let begun = large.ask(anna, None, &parts).expect("addresses");
    assert_eq!(put(call(&begun, 0), &large.parts[0]), 200);
    assert_eq!(put(call(&begun, 1), &other), 200);
    refuses(large.complete(anna, &begun.upload_id), Code::UploadIncomplete);

    // Somebody who may write to the bucket puts them together after all.
    hands.complete_upload(key, &begun.upload_id);
    assert_eq!(hands.objects(key), [key.as_str()]);
    let created = json!({"detail-type": "Object Created", "detail": {"object": {"key": key}}});
    hands.invoke("commit", &created);
    assert_eq!(large.settled(), [""; 0], "never committed");
    refuses(large.complete(anna, &begun.upload_id), Code::UploadMismatch);
    hands.delete_object(key);
}

#[test]
fn unfinished_uploads_end_with_their_announcement() {
    let stack = Stack::hasty();
    let mut large = Large::announced(stack);
    let hands = Hands(stack);
    let begun = large.ask(&large.anna, None, &large.both()).expect("addresses");
    assert_eq!(put(call(&begun, 1), &large.parts[1]), 200);
    // The answer to another beginning was lost.
    large.ask(&large.anna, None, &large.both()[1..]).expect("addresses");
    assert_eq!(hands.unfinished_uploads(&large.key).len(), 2);

    let deadline = Instant::now() + PATIENCE;
    while large.settled() != ["record.upload-expired.v1"] {
        assert!(Instant::now() < deadline, "it never expired");
        hands.invoke("sweeper", &json!({}));
    }
    assert!(hands.unfinished_uploads(&large.key).is_empty(), "aborted");
    assert_eq!(put(call(&begun, 1), &large.parts[1]) / 100, 4, "its addresses are over");
    refuses(large.complete(&large.anna, &begun.upload_id), Code::UploadExpired);
    refuses(large.ask(&large.anna, Some(&begun.upload_id), &large.both()), Code::UploadExpired);

    // Announced again, the same run is sent anew.
    large.announce();
    refuses(large.ask(&large.anna, Some(&begun.upload_id), &large.both()), Code::UploadUnknown);
    let again = large.ask(&large.anna, None, &large.both()).expect("addresses");
    assert_eq!(put(call(&again, 1), &large.parts[1]), 200);
}
