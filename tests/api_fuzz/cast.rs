//! The people and objects that the fuzzing starts from, as its Python reads them. The wallets' secret keys are in it: they open nothing but a vault
//! that is gone with the test.

use chartseal_cli::{Client, Wallet};
use chartseal_events::command::{Announcement, SUITE};
use chartseal_events::encoding::base64url;
use chartseal_events::limits::PART_BYTES;
use chartseal_events::{Bytes, Hash, Id};
use chartseal_tests::people::PATIENCE;
use chartseal_tests::{Hospital, Stack, log, sample};
use serde_json::{Value, json};

/// Invitations that are there to be used.
const INVITATIONS: usize = 12;

/// Makes all of it.
pub fn gathered(stack: &Stack) -> Value {
    log::begun(&stack.vault());
    let [owner, stranger, asker, grantee, victim] =
        ["Owner", "Stranger", "Asker", "Grantee", "Victim"].map(|name| Hospital::verified(stack, name));
    let [pending, other_victim] = ["Pending", "Other victim"].map(|name| Hospital::pending(stack, name));
    let own: Vec<Id> = (0..3).map(|_| owner.keep(sample(10).path(), &[]).record).collect();
    let operator = stack.operator();
    let spare: Vec<Wallet> = (0..3).map(|_| Wallet::generate_operator().expect("a wallet")).collect();
    for wallet in &spare {
        operator.add_operator(wallet.sign_key()).expect("added");
    }
    let auditors: Vec<Wallet> = (0..3).map(|_| Wallet::generate_operator().expect("a wallet")).collect();
    for wallet in &auditors {
        operator.add_auditor(wallet.sign_key()).expect("added");
    }
    let auditor = Client::new(stack.vault(), Wallet::generate_operator().expect("a wallet"));
    operator.add_auditor(auditor.wallet.sign_key()).expect("added");
    json!({
        "api": stack.api,
        "origin": stack.vault().origin(),
        "genesis": stack.vault().pin().genesis,
        "wallets": {
            "owner": wallet(&owner), "stranger": wallet(&stranger), "asker": wallet(&asker),
            "grantee": wallet(&grantee), "pending": wallet(&pending), "operator": wallet(&operator),
            "auditor": wallet(&auditor),
        },
        "records": own,
        "own_records": own,
        "to_approve": undecided(stack, &asker, own[0]),
        "to_deny": undecided(stack, &asker, own[1]),
        "grants": own[..2].iter().map(|record| {
            json!({"request": grantee.granted(stack, *record), "record": record})
        }).collect::<Vec<_>>(),
        "victims": [victim.id(), other_victim.id()],
        "operators": spare.iter().map(|wallet| wallet.thumbprint().to_string()).collect::<Vec<_>>(),
        "auditors": auditors.iter().map(|wallet| wallet.thumbprint().to_string()).collect::<Vec<_>>(),
        "invitations": (0..INVITATIONS).map(|_| invitation(&operator)).collect::<Vec<_>>(),
        "drafts": (0..3).map(|_| draft(&owner, false)).collect::<Vec<_>>(),
        "large": large(&owner),
    })
}

fn wallet(client: &Client) -> Value {
    let wallet = &client.wallet;
    let seed = hex::encode(wallet.signing_key().to_bytes());
    json!({"seed": seed, "kid": wallet.kid().to_string(), "act": wallet.provider()})
}

/// Requests that the workflow has let pass, for operators to decide on.
fn undecided(stack: &Stack, asker: &Hospital, record: Id) -> Vec<Id> {
    let ask = || {
        let request = asker.ask(record);
        stack.operator().wait_request(request, "verified", PATIENCE).expect("verified");
        request
    };
    (0..8).map(|_| ask()).collect()
}

fn invitation(operator: &Client) -> Value {
    let invitation = operator.invite(None, 1).expect("invited").invitation;
    json!({"provider": invitation.provider, "code": invitation.code})
}

/// A record of which nothing was announced, with an announcement that is good for it; a large one is of two parts.
fn draft(owner: &Hospital, large: bool) -> Value {
    let created = owner.create_record().expect("created");
    let sealed = created.spool(&b"a draft"[..]).expect("encrypted").sealed;
    let frame_bytes = sealed.frame_bytes.get();
    // Whole frames and an empty last one.
    let frames = PART_BYTES / u64::from(frame_bytes);
    let two_parts = frames * u64::from(frame_bytes + 32) + 40;
    let announcement = Announcement {
        record: created.record,
        version: 1,
        media_type: "text/plain".to_owned(),
        suite: SUITE.to_owned(),
        message_id: Bytes(sealed.message_id),
        commitment: Bytes(sealed.commitment),
        frame_bytes,
        body_bytes: if large { two_parts } else { sealed.body_bytes },
        frames_root: Hash(sealed.frames_root),
        parts_root: Hash(sealed.parts_root),
    };
    json!({"announcement": announcement, "header": base64url(&sealed.header)})
}

/// A record of which a body in parts is announced.
fn large(owner: &Hospital) -> Value {
    let draft = draft(owner, true);
    let announcement: Announcement = serde_json::from_value(draft["announcement"].clone()).expect("an announcement");
    let (record, message_id) = (announcement.record, announcement.message_id);
    let signed = owner.sign(announcement, &[("tokens", &base64url(&[7; 32]))]).expect("signed");
    let header =
        chartseal_events::encoding::from_base64url(draft["header"].as_str().expect("text")).expect("base64url");
    let answer = owner.post(&format!("/records/{record}/upload"), &signed, Some(&header)).expect("an answer");
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    json!({"record": record, "message_id": message_id})
}
