//! Keys, notes, checkpoints, policies and proof files that must be refused, and the failure of each.

use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::tree::{Leaves, consistency};
use serde_json::{Value, json};

use crate::golden_cases::policy;
use crate::hostile_cases::{case, with};
use crate::sample::{Log, Party, clock, log, witness};

/// When the heads were cosigned.
const COSIGNED_S: u64 = 1_764_028_900;

pub fn cases() -> Vec<Value> {
    [keys(), policies(), notes(), checkpoints(), signatures(), freshness(), extensions(), files(), event_proofs()]
        .concat()
}

fn keys() -> Vec<Value> {
    let vkey = log().key.to_string();
    let named = |name: &str, meaning: &str, failure: &str, key: String| {
        case(&format!("key-{name}"), meaning, "key", failure, json!({"key": key}))
    };
    let id = log().key.id().to_string();
    let material = vkey.rsplit('+').next().unwrap_or_default().to_owned();
    let upper = vkey.replacen(&id, &id.to_uppercase(), 1);
    let with_material = |bytes: &[u8]| {
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        format!("vault.example+{id}+{text}")
    };
    vec![
        named("two-parts", "No key material", "key-malformed", format!("vault.example+{id}")),
        named("base64", "Material that is not base64", "key-malformed", format!("vault.example+{id}+****")),
        named("base64-odd", "A letter too many", "key-malformed", format!("{vkey}A")),
        named("empty-material", "No type", "key-malformed", format!("vault.example+{id}+")),
        named("no-name", "No name", "key-name", format!("+{id}+{material}")),
        named("space", "A name with a space", "key-name", format!("vault example+{id}+{material}")),
        named("type-ecdsa", "ECDSA", "key-type", with_material(&[&[2][..], log().key.public_key()].concat())),
        named("type-ml-dsa", "ML-DSA-44, which is not known here", "key-type", with_material(&[6; 1313])),
        named("short", "31 bytes", "key-public-key", with_material(&[1; 32])),
        named(
            "small-order",
            "A key under which anything verifies",
            "key-public-key",
            with_material(&[&[1][..], &[0; 32]].concat()),
        ),
        named("other-id", "Another key's id", "key-id", vkey.replacen(&id, "01234567", 1)),
        named("upper-case-id", "An id in capitals", "key-id", upper),
        named("other-name", "An id of another name", "key-id", vkey.replacen("vault", "vaults", 1)),
    ]
}

fn policies() -> Vec<Value> {
    let good = policy(2);
    let named = |name: &str, meaning: &str, failure: &str, policy: Value| {
        case(&format!("policy-{name}"), meaning, "policy", failure, json!({"policy": policy}))
    };
    let w = |number: u8| witness(number).key.to_string();
    let alias = VerifierKey::new("alias.example", SignatureType::Cosignature, witness(0).key.public_key()).unwrap();
    vec![
        named("log-cosigns", "A cosigner's key as the log's", "policy-key-type", with(&good, "log", w(0))),
        named(
            "witness-plain",
            "A plain key as a witness's",
            "policy-key-type",
            with(&good, "witnesses", json!([log().key.to_string(), w(1)])),
        ),
        named(
            "witness-twice",
            "A witness who stands twice",
            "policy-twice",
            with(&good, "witnesses", json!([w(0), w(0)])),
        ),
        named(
            "witness-alias",
            "One key under two names",
            "policy-twice",
            with(&good, "witnesses", json!([w(0), alias.to_string()])),
        ),
        named(
            "clock-is-witness",
            "The log's clock as a witness",
            "policy-twice",
            with(&good, "witnesses", json!([w(0), clock().key.to_string()])),
        ),
        named("quorum-4-of-3", "More than there are", "policy-quorum", with(&good, "quorum", 4)),
    ]
}

fn note() -> String {
    Log::golden().note(&[(&clock(), COSIGNED_S), (&witness(0), COSIGNED_S)]).to_string()
}

fn accept(name: &str, meaning: &str, failure: &str, note: &str) -> Value {
    case(name, meaning, "accept", failure, json!({"policy": policy(1), "note": note}))
}

fn notes() -> Vec<Value> {
    let good = note();
    let (text, lines) = good.rsplit_once("\n\n").unwrap();
    let line = lines.lines().next().unwrap();
    let many = "— stranger.example AAAAAQI=\n".repeat(65);
    let latin = [text.as_bytes(), b"\n\n\xff\xfe\n"].concat();
    let mut all = vec![
        accept("note-empty", "Nothing", "note-unsigned", ""),
        accept("note-no-signatures", "The text alone", "note-unsigned", &format!("{text}\n")),
        accept("note-blank-end", "An empty line, and nothing after it", "note-unsigned", &format!("{text}\n\n")),
        accept(
            "note-carriage-returns",
            "Lines that end as on another system",
            "note-characters",
            &good.replace('\n', "\r\n"),
        ),
        accept("note-tab", "A tab", "note-characters", &good.replacen("— ", "—\t", 1)),
        accept("note-no-last-newline", "No newline at the end", "note-signature-line", good.trim_end()),
        accept("note-text-at-end", "Text after the signatures", "note-signature-line", &format!("{good}text\n")),
        accept("note-hyphen", "A hyphen for the dash", "note-signature-line", &good.replacen('—', "-", 1)),
        accept(
            "note-two-spaces",
            "Two spaces",
            "note-signature-line",
            &good.replacen("— vault.example ", "— vault.example  ", 1),
        ),
        accept(
            "note-plus-in-name",
            "A plus sign in a name",
            "note-signature-line",
            &good.replacen("— vault", "— va+lt", 1),
        ),
        accept(
            "note-base64-unpadded",
            "Base64 without its padding",
            "note-signature-line",
            &good.replacen("=\n", "\n", 2),
        ),
        accept(
            "note-id-alone",
            "A key id without a signature",
            "note-signature-line",
            &format!("{text}\n\n{line}\n— stranger.example AAAAAQ==\n"),
        ),
        accept("note-65-signatures", "A signature too many", "note-signatures", &format!("{text}\n\n{many}")),
    ];
    let input = json!({"policy": policy(1), "note_hex": hex::encode(latin)});
    all.push(case("note-not-utf8", "Bytes that are no text", "accept", "note-characters", input));
    all
}

/// What the log signed as it stands here, right or wrong.
fn signed(text: &str) -> String {
    use ed25519_dalek::Signer;
    let signature = log().signing.sign(text.as_bytes()).to_bytes();
    let bytes = [&log().key.id().0[..], &signature].concat();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    format!("{text}\n— vault.example {base64}\n")
}

fn checkpoints() -> Vec<Value> {
    let good = Log::golden().checkpoint(297).text();
    let root = good.lines().nth(2).unwrap().to_owned();
    let wrong = |name: &str, meaning: &str, failure: &str, text: String| {
        accept(&format!("checkpoint-{name}"), meaning, failure, &signed(&text))
    };
    vec![
        wrong("extension", "An extension line", "checkpoint-lines", format!("{good}more\n")),
        wrong("empty-line", "An empty line at the end", "checkpoint-lines", format!("{good}\n")),
        wrong("two-lines", "No root", "checkpoint-lines", "vault.example\n297\n".into()),
        wrong("no-origin", "No origin", "checkpoint-origin", format!("\n297\n{root}\n")),
        wrong("size-leading-0", "A leading zero", "checkpoint-size", good.replacen("297", "0297", 1)),
        wrong("size-plus", "A plus sign", "checkpoint-size", good.replacen("297", "+297", 1)),
        wrong("size-negative", "Below zero", "checkpoint-size", good.replacen("297", "-297", 1)),
        wrong(
            "size-63-bits",
            "More leaves than any tree",
            "checkpoint-size",
            good.replacen("297", "9223372036854775808", 1),
        ),
        wrong(
            "size-65-bits",
            "A number beyond all",
            "checkpoint-size",
            good.replacen("297", "18446744073709551616", 1),
        ),
        wrong("root-unpadded", "Base64 without its padding", "checkpoint-root", good.replacen('=', "", 1)),
        wrong("root-short", "31 bytes", "checkpoint-root", format!("vault.example\n297\n{}==\n", &root[..42])),
        wrong("root-of-nothing", "An empty log with leaves' root", "checkpoint-root", good.replacen("297", "0", 1)),
        wrong("origin-other", "Another log", "origin", good.replacen("vault", "fault", 1)),
        wrong("origin-case", "Another spelling of the log", "origin", good.replacen("vault", "Vault", 1)),
        wrong("origin-space", "The log, and a space", "origin", good.replacen("example", "example ", 1)),
    ]
}

fn signatures() -> Vec<Value> {
    let log_only = Log::golden().note(&[]).to_string();
    let good = note();
    let lines: Vec<&str> = good.lines().collect();
    let text = lines[..3].join("\n");
    let other = Log::of(&[(5, 1)]).note(&[(&witness(0), COSIGNED_S)]).to_string();
    let elsewhere = other.lines().last().unwrap();
    let stranger = Party { signing: witness(7).signing, key: witness(0).key };
    let mut forged = Log::golden().note(&[]);
    let by_stranger = {
        use ed25519_dalek::Signer;
        stranger.signing.sign(forged.cosignature_message(COSIGNED_S).as_bytes()).to_bytes()
    };
    assert!(forged.cosign(&stranger.key, COSIGNED_S, &by_stranger).is_err());
    let bytes = [&stranger.key.id().0[..], &COSIGNED_S.to_be_bytes(), &by_stranger].concat();
    let impostor = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let known = witness(0).key.name().to_owned();
    let short = format!(
        "— {known} {}",
        base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            [&witness(0).key.id().0[..], &[0; 71]].concat()
        )
    );
    let noted = |lines: &[&str]| format!("{text}\n\n{}\n", lines.join("\n"));
    vec![
        accept("signed-by-witness-alone", "The log has not signed", "not-signed", &noted(&[lines[5], lines[6]])),
        accept("signed-by-nobody-known", "A stranger alone", "not-signed", &noted(&["— stranger.example AAAAAQI="])),
        accept(
            "signed-size-changed",
            "A size that the log did not sign",
            "signature-invalid",
            &good.replacen("297", "298", 1),
        ),
        accept(
            "signed-by-impostor",
            "A witness's name and id over another key's signature",
            "signature-invalid",
            &format!("{log_only}— {known} {impostor}\n"),
        ),
        accept(
            "signed-elsewhere",
            "A cosignature of another head",
            "signature-invalid",
            &format!("{log_only}{elsewhere}\n"),
        ),
        accept("signed-short", "A cosignature of 71 bytes", "signature-invalid", &format!("{log_only}{short}\n")),
        accept("signed-twice", "A witness's line twice", "signature-twice", &format!("{good}{}\n", lines[6])),
        accept("signed-log-twice", "The log's line twice", "signature-twice", &noted(&[lines[4], lines[4], lines[6]])),
        accept("signed-too-few", "No witness, where one must", "quorum", &log_only),
        accept(
            "signed-clock-for-witness",
            "The clock's cosignature is no witness's",
            "quorum",
            &noted(&[lines[4], lines[5]]),
        ),
    ]
}

fn freshness() -> Vec<Value> {
    let fresh = |name: &str, meaning: &str, failure: &str, note: String, now_s: u64| {
        case(
            &format!("fresh-{name}"),
            meaning,
            "accept",
            failure,
            json!({"policy": policy(0), "note": note, "now_s": now_s}),
        )
    };
    let ahead = Log::golden().note(&[(&witness(1), COSIGNED_S + 60), (&clock(), COSIGNED_S - 200)]).to_string();
    vec![
        fresh("never", "Nobody says when", "no-timestamp", Log::golden().note(&[]).to_string(), COSIGNED_S),
        fresh("stale", "151 seconds old", "stale", note(), COSIGNED_S + 151),
        fresh("ahead", "6 seconds ahead", "ahead", note(), COSIGNED_S - 6),
        fresh("ahead-does-not-help", "One is ahead, the other stale", "stale", ahead, COSIGNED_S),
    ]
}

fn extensions() -> Vec<Value> {
    let golden = Log::golden();
    let proof = consistency::prove(6, 297, &Leaves(&golden.leaves)).unwrap();
    let fork = Log::of(&[(1, 3), (2, 1), (3, 290)]);
    let (older, newer) = (golden.checkpoint(6).text(), golden.checkpoint(297).text());
    let named = |name: &str, meaning: &str, failure: &str, older: &str, newer: &str| {
        let input = json!({"older": older, "newer": newer, "proof": proof});
        case(&format!("extends-{name}"), meaning, "extends", failure, input)
    };
    vec![
        named("other-log", "Of another log", "other-log", &older, &newer.replacen("vault", "fault", 1)),
        named("rolled-back", "Smaller than the last one seen", "shrunk", &newer, &older),
        named("fork", "With another past", "old-root-mismatch", &fork.checkpoint(6).text(), &newer),
        named("rewritten", "As large as the last one seen", "length", &older, &fork.checkpoint(6).text()),
    ]
}

fn file() -> String {
    let log = Log::golden();
    log.event_proof(2, 100, &log.note(&[(&witness(0), COSIGNED_S)])).to_file().to_string()
}

fn files() -> Vec<Value> {
    let good = file();
    let named = |name: &str, meaning: &str, failure: &str, file: String| {
        case(&format!("file-{name}"), meaning, "tlog-proof", failure, json!({"file": file}))
    };
    let mut lines: Vec<&str> = good.lines().collect();
    let (extra, index) = (lines[1].to_owned(), lines[2].to_owned());
    lines.swap(1, 2);
    let exchanged = lines.join("\n");
    let hash = lines[3];
    vec![
        named("empty", "Nothing", "file-header", String::new()),
        named("version-2", "A version of later days", "file-header", good.replacen("@v1", "@v2", 1)),
        named("header-spaces", "A space after the first line", "file-header", good.replacen("@v1", "@v1 ", 1)),
        named("carriage-returns", "Lines that end as on another system", "file-header", good.replace('\n', "\r\n")),
        named("extra-empty", "An extra line without data", "file-extra", good.replacen(&extra, "extra ", 1)),
        named("extra-base64", "Extra data that are not base64", "file-extra", good.replacen("extra ", "extra *", 1)),
        named("extra-twice", "Two extra lines", "file-index", good.replacen(&index, &extra, 1)),
        named("exchanged", "The index before the extra data", "file-inclusion", exchanged),
        named("no-index", "No index", "file-index", good.replacen(&format!("{index}\n"), "", 1)),
        named("index-leading-0", "A leading zero", "file-index", good.replacen("index 1", "index 01", 1)),
        named(
            "index-64-bits",
            "An index that no tree has",
            "file-index",
            good.replacen(&index, "index 18446744073709551615", 1),
        ),
        named(
            "hash-unpadded",
            "A hash without its padding",
            "file-inclusion",
            good.replacen(hash, hash.trim_end_matches('='), 1),
        ),
        named("hash-short", "A hash of 30 bytes", "file-inclusion", good.replacen(hash, &hash[..40], 1)),
        named(
            "64-hashes",
            "A hash too many for any tree",
            "file-inclusion",
            good.replacen(hash, &vec![hash; 64].join("\n"), 1),
        ),
        named(
            "no-checkpoint",
            "No checkpoint",
            "file-checkpoint",
            good.split("\n\n").next().unwrap().to_owned() + "\n",
        ),
        named(
            "empty-checkpoint",
            "An empty line, and nothing after it",
            "file-checkpoint",
            good.split("\n\n").next().unwrap().to_owned() + "\n\n",
        ),
    ]
}

fn event_proofs() -> Vec<Value> {
    let log = Log::golden();
    let good = log.event_proof(2, 100, &log.note(&[(&witness(0), COSIGNED_S)]));
    let named =
        |name: &str, meaning: &str, failure: &str, alter: &dyn Fn(&mut chartseal_ledger::event_proof::EventProof)| {
            let mut proof = good.clone();
            alter(&mut proof);
            let input = json!({"policy": policy(1), "file": proof.to_file().to_string()});
            case(&format!("event-proof-{name}"), meaning, "event-proof", failure, input)
        };
    let extra = |name: &str, meaning: &str, failure: &str, alter: &dyn Fn(&mut Vec<u8>)| {
        let mut file = good.to_file();
        file.extra.iter_mut().for_each(alter);
        let input = json!({"policy": policy(1), "file": file.to_string()});
        case(&format!("event-proof-{name}"), meaning, "event-proof", failure, input)
    };
    vec![
        named("other-body", "One letter of the event changed", "event-inclusion", &|proof| proof.body[8] ^= 1),
        named("space-after-body", "A space after the event", "event-inclusion", &|proof| proof.body.push(b' ')),
        named("other-index", "The next place in the block", "event-inclusion", &|proof| proof.index += 1),
        named("seal-as-event", "The place of the block's seal", "other-block", &|proof| proof.index = 296),
        named("block-before", "The header of the block before", "other-block", &|proof| {
            proof.seal = log.blocks[1].seal;
        }),
        named("seal-path", "The event's path for the header", "seal-inclusion", &|proof| {
            proof.seal_inclusion = proof.inclusion.clone();
        }),
        named("checkpoint-changed", "A head that was not signed", "signature-invalid", &|proof| {
            proof.checkpoint = proof.checkpoint.replacen("297", "296", 1);
        }),
        named("too-few-witnesses", "The log's signature alone", "quorum", &|proof| {
            proof.checkpoint = log.note(&[]).to_string();
        }),
        extra("other-version", "Extra data of another version", "extra", &|extra| extra[17] = b'2'),
        extra("extra-cut", "Extra data that end in the header's path", "extra", &|extra| extra.truncate(200)),
        extra("seal-time", "Another time in the header", "seal-inclusion", &|extra| extra[19 + 49] ^= 1),
        extra("seal-version", "A header of a later version", "seal", &|extra| extra[20] = 2),
        extra("no-body", "No event", "body", &|extra| extra.truncate(150 + usize::from(extra[149]) * 32)),
    ]
}
