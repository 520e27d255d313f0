//! The bodies' part of the story: object versions that are gone, others, or nobody's, and bytes that are not those that S3 states.

use std::time::Duration;

use chartseal_audit::Settings;
use chartseal_local::Endpoint;
use chartseal_tests::{Hands, Liar, audit_as};
use serde_json::json;

use super::{Harm, Scene};

/// A body whose bytes are others than S3 states of it: only who reads them notices.
pub fn other_bytes(scene: &Scene, bodies: Settings) {
    let stack = scene.stack;
    let object = format!("/{}/{}?", scene.table("BlobBucket"), scene.object(3));
    let liar = Liar::before(&stack.endpoint.url, move |path, mut body| {
        if let Some(byte) = body.last_mut().filter(|_| path.starts_with(&object)) {
            *byte ^= 1;
        }
        body
    });
    let endpoint = Endpoint { url: liar.api.clone(), ..stack.endpoint.clone() };
    let report = audit_as(&endpoint, stack, bodies, Duration::ZERO).expect("the store can be read");
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.code.as_str(), finding.item.as_str())).collect();
    let [("object-changed", item)] = found[..] else { panic!("{}", report.in_words()) };
    assert!(item.starts_with(&scene.object(3)), "{item}");
}

pub fn harm(scene: &Scene, harm: &mut Harm) {
    let bucket = scene.table("BlobBucket");
    harm.deeds.push(json!({"do": "delete-object", "bucket": bucket, "prefix": scene.object(11)}));
    harm.expect("object-missing", scene.object(11));
    // What S3 calls them is known when it is done.
    let open = format!("records/{}/1/1", scene.open);
    let done = [
        ("object-orphan", "put-object", "nonsense".to_owned(), "version"),
        ("object-orphan", "put-object", scene.object(8), "version"),
        ("object-changed", "put-object", open, "version"),
        ("delete-marker-orphan", "mark-deleted", scene.object(12), "version"),
        ("upload-orphan", "begin-upload", scene.object(8), "upload"),
    ];
    let deeds = done
        .each_ref()
        .map(|(_, deed, key, _)| json!({"do": deed, "bucket": bucket, "key": key, "body": "other bytes"}));
    let answers = Hands(scene.stack).all(&deeds);
    for ((code, _, key, word), answer) in done.into_iter().zip(answers) {
        harm.expect(code, format!("{key} {word} {}", answer.as_str().expect("an id")));
    }
}
