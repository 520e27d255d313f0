//! c2sp.org/tlog-witness and the reading half of c2sp.org/tlog-tiles, as somebody else's client meets them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chartseal_events::Hash;
use chartseal_ledger::note::{Note, VerifierKey};
use chartseal_ledger::policy::{Freshness, Policy, RefusedCheckpoint};
use chartseal_node::config::{Kind, Mode};

use crate::double::{Log, Vault, base64, config};
use crate::process::{Running, call, make, serve};

fn log(blocks: usize) -> Log {
    let mut log = Log::new();
    (0..blocks).for_each(|height| log.grow(3 + height, "event"));
    log
}

/// A checkpoint with the lines of an answer, as tlog-witness proposes to read them.
fn joined(checkpoint: &str, lines: &str, log: &Log, witness: &VerifierKey) {
    let policy = Policy::new(log.key(), None, vec![witness.clone()], 1).expect("a policy");
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let note = format!("{checkpoint}{lines}");
    policy.accept_fresh(note.as_bytes(), now_s, Freshness::DEFAULT).expect("cosigned now");
}

#[test]
fn each_answer_is_the_one_that_the_specification_names() {
    let log = log(5);
    let folder = tempfile::tempdir().expect("a folder");
    let key = make(folder.path(), "witness.example/one", &log, serve(Vault::of(log.clone())));
    let node = Running::start(folder.path(), &[]);
    let (two, four) = (log.size(2), log.size(4));
    let post = |body: &str| node.post(body).expect("an answer");

    let empty = log.sign_text(&format!("vault.example\n0\n{}\n", base64(Hash([5; 32]))));
    assert_eq!(post(&format!("old 0\n\n{empty}")).status, 422, "a size of 0 with another root than the empty tree's");
    let unsigned = empty.replace("— vault.example ", "— vault.example.org ");
    assert_eq!(post(&format!("old 0\n\n{unsigned}")).status, 400);
    let first = post(&log.request(0, 2));
    assert_eq!((first.status, first.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert!(first.body.starts_with("— witness.example/one ") && first.body.ends_with('\n'));
    assert_eq!(first.body.lines().count(), 1);
    joined(&log.checkpoint(2), &first.body, &log, &key);

    // 409: another old size, the one that counts in the body.
    for old in [0, 1, two + 1] {
        let answer = post(&log.request(old, 4));
        assert_eq!(answer.status, 409, "{old}");
        assert_eq!((answer.header("content-type"), &*answer.body), (Some("text/x.tlog.size"), &*format!("{two}\n")));
    }
    // 422: a proof that is another's, too short, too long; one for what has none.
    let request = log.request(two, 4);
    let hash = base64(Hash([5; 32]));
    let first_hash = request.lines().nth(1).expect("a hash").to_owned();
    for bad in [
        request.replacen(&first_hash, &hash, 1),
        request.replacen(&format!("{first_hash}\n"), "", 1),
        request.replacen(&first_hash, &format!("{first_hash}\n{hash}"), 1),
        log.request(two, 2).replacen("\n\n", &format!("\n{hash}\n\n"), 1),
    ] {
        assert_eq!(post(&bad).status, 422, "{bad}");
    }
    // 400: an old size above the checkpoint's; and what is no such body.
    let backwards = log.request(two, 4).replacen(&format!("old {two}"), &format!("old {}", four + 1), 1);
    assert_eq!(post(&backwards).status, 400);
    for bad in ["", "old 1", "old 01\n\n", "old 0\n\nno note\n", &request.replacen('\n', "\r\n", 1)] {
        assert_eq!(
            call("POST", &format!("http://{}/add-checkpoint", node.address), bad.as_bytes())
                .map_or(0, |answer| answer.status),
            400,
            "{bad:?}"
        );
    }
    // 404: another origin, signed or not. 403: no line, another's line, a spoilt line of the log's key.
    assert_eq!(post(&request.replace("vault.example", "other.example")).status, 404);
    let unsigned = request.replace("— vault.example ", "— vault.example.org ");
    let line = request.lines().last().expect("a line").to_owned();
    let spoilt = request.replace(&line, &line.replacen('A', "B", 1));
    for bad in [unsigned, spoilt] {
        assert_eq!(post(&bad).status, 403, "{bad}");
    }
    // A size of 0 with another root than the empty tree's: 400 and 409 come first.
    let empty = log.sign_text(&format!("vault.example\n0\n{hash}\n"));
    assert_eq!(post(&format!("old {two}\n\n{empty}")).status, 400);
    assert_eq!(post(&format!("old 0\n\n{empty}")).status, 409);
    // Strangers' lines do not matter.
    let with_strangers = format!("{request}— stranger.example AAAAAAAA\n");
    let second = post(&with_strangers);
    assert_eq!(second.status, 200, "{second:?}");
    joined(&log.checkpoint(4), &second.body, &log, &key);
    // The same once more: another time, or the same line.
    let again = post(&log.request(four, 4));
    assert_eq!(again.status, 200);
    joined(&log.checkpoint(4), &again.body, &log, &key);
    assert_eq!(node.status()["cosigned"]["size"], four);
    let answers = node.status()["answers"].clone();
    assert_eq!((&answers["200"], &answers["422"], &answers["404"]), (&3.into(), &5.into(), &1.into()), "{answers}");
}

#[test]
fn a_checkpoint_ahead_of_the_copy_is_followed_or_put_off() {
    let log = log(6);
    let vault = Vault::of(log.clone());
    vault.shown().blocks = 2;
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path(), "witness.example/one", &log, serve(vault.clone()));
    // It would look again in an hour only.
    let node = Running::start(folder.path(), &["--poll-s", "3600", "--follow-timeout-ms", "300"]);
    node.wait("two blocks", |status| status["size"] == log.size(2));
    // The vault does not show yet what it has signed.
    let early = node.post(&log.request(0, 4)).expect("an answer");
    assert_eq!((early.status, early.header("retry-after")), (503, Some("2")), "{early:?}");
    vault.shown().blocks = 4;
    assert_eq!(node.post(&log.request(0, 4)).expect("an answer").status, 200, "looked at once");
    vault.shown().silent = true;
    let silent = node.post(&log.request(log.size(4), 6)).expect("an answer");
    assert_eq!(silent.status, 503);
    node.wait("silent", |status| status["state"] == "vault-silent");
    assert_eq!(
        node.post(&log.request(log.size(4), 4)).expect("an answer").status,
        200,
        "what is verified is cosigned still"
    );
}

#[test]
fn the_copy_is_read_as_static_tiles() {
    let log = log(40);
    let folder = tempfile::tempdir().expect("a folder");
    let address = serve(Vault::of(log.clone()));
    config(Kind::Mirror, Mode::HashesOnly, &log, &format!("http://{address}")).create(folder.path()).expect("written");
    let node = Running::start_as("mirror", folder.path(), &[]);
    let size = log.size(40);
    node.wait("all", |status| status["size"] == size);
    assert_eq!((&node.status()["kind"], &node.status()["cosigned"]), (&"mirror".into(), &serde_json::Value::Null));
    let checkpoint = node.get("/checkpoint");
    assert_eq!((checkpoint.status, checkpoint.body.as_str()), (200, &*log.checkpoint(40)));
    assert_eq!(checkpoint.header("cache-control"), Some("no-cache"));
    assert_eq!(checkpoint.header("content-type"), Some("text/plain; charset=utf-8"));
    let tile = node.get("/tile/0/000");
    assert_eq!((tile.status, tile.header("content-length")), (200, Some("8192")));
    assert_eq!(tile.header("content-type"), Some("application/octet-stream"));
    assert!(tile.header("cache-control").is_some_and(|value| value.contains("immutable")));
    assert_eq!(node.get("/tile/1/000.p/1").header("content-length"), Some("32"));
    let partial = format!("/tile/0/{:03}.p/{}", size / 256, size % 256);
    assert_eq!(node.get(&partial).status, 200);
    let block: serde_json::Value = serde_json::from_str(&node.get("/blocks/7").body).expect("JSON");
    assert_eq!((block["height"].as_u64(), block["leaves"].as_array().map(Vec::len)), (Some(7), Some(10)));
    for (path, status) in [
        ("/", 404),
        ("/blocks/40", 404),
        ("/blocks/07", 400),
        ("/blocks/x", 400),
        ("/tile/0/0", 400),
        ("/tile/0/000.p/0", 400),
        ("/tile/0/999", 404),
        ("/tile/8/000", 400),
        ("/tile/entries/000", 400),
        (&*format!("/tile/0/{:03}.p/{}", size / 256, size % 256 + 1), 404),
        ("/add-checkpoint", 405),
    ] {
        assert_eq!(node.get(path).status, status, "{path}");
    }
    let posted = call("POST", &format!("http://{}/status", node.address), b"x").expect("an answer");
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    let head = call("HEAD", &format!("http://{}/tile/0/000", node.address), &[]).expect("an answer");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("8192"), 0));
    assert_eq!(node.post(&log.request(0, 3)).expect("an answer").status, 404, "a mirror cosigns nothing");
}

#[test]
fn greed_and_slowness_are_bounded_and_a_signal_ends_it() {
    let log = log(3);
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path(), "witness.example/one", &log, serve(Vault::of(log.clone())));
    let mut node = Running::start(folder.path(), &[]);
    node.wait("all", |status| status["size"] == log.size(3));
    // A body that says it is longer than any; and one that does not say so.
    let mut stream = TcpStream::connect(node.address).expect("connected");
    let head = "POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sent");
    let filler = vec![b'o'; 64 * 1024];
    while stream.write_all(&filler).is_ok() {}
    let mut stream = TcpStream::connect(node.address).expect("connected");
    stream.write_all(b"POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").expect("sent");
    let chunk = [format!("{:x}\r\n", filler.len()).as_bytes(), &filler, b"\r\n"].concat();
    let sent = (0..1000).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(sent < 1000, "somebody read 64 MB");
    // A head that never ends in fields.
    let mut stream = TcpStream::connect(node.address).expect("connected");
    stream.write_all(b"GET /status HTTP/1.1\r\n").expect("sent");
    let mut fields = (0..10_000).map(|field| format!("x-{field}: {}\r\n", "y".repeat(100)));
    assert!(!fields.all(|field| stream.write_all(field.as_bytes()).is_ok()), "somebody read a megabyte of fields");
    // Many that say nothing at all do not keep out the next one for ever.
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(node.address).expect("connected")).collect();
    assert_eq!(node.get("/status").status, 200);
    // Somebody who has begun a request does not hold up the end.
    let mut half = TcpStream::connect(node.address).expect("connected");
    half.write_all(b"POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nold").expect("sent");
    let began = Instant::now();
    let (code, journal) = node.terminate();
    assert_eq!(code, Some(0), "{journal}");
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
    assert!(
        journal.lines().last().is_some_and(|line| line.contains("\"stopped\"") && line.contains("SIGTERM")),
        "{journal}"
    );
    assert!(!journal.contains(crate::process::PASSPHRASE));
    drop(idle);
    let mut rest = String::new();
    let _ = half.read_to_string(&mut rest);
}

#[test]
fn a_witness_shows_its_own_line_with_those_that_came() {
    let log = log(4);
    let folder = tempfile::tempdir().expect("a folder");
    let key = make(folder.path(), "witness.example/one", &log, serve(Vault::of(log.clone())));
    let node = Running::start(folder.path(), &[]);
    node.wait("all", |status| status["size"] == log.size(4));
    let own = |note: &str| Note::parse(note.as_bytes()).expect("a note").signed_by(&key).expect("one line at most");
    let monitored = format!("/{}/checkpoint", Hash::of(&[b"vault.example"]));
    assert_eq!(own(&node.get("/checkpoint").body), None, "not cosigned yet");
    assert_eq!(node.get(&monitored).status, 404);
    assert_eq!(node.post(&log.request(0, 3)).expect("an answer").status, 200);
    assert_eq!(own(&node.get("/checkpoint").body), None, "another one");
    // C2SP's way to see what a witness has cosigned.
    let cosigned = node.get(&monitored);
    assert_eq!((cosigned.status, cosigned.body.lines().count()), (200, 6));
    assert!(own(&cosigned.body).is_some() && cosigned.body.starts_with(&log.checkpoint(3)));
    assert_eq!(node.get(&monitored.to_uppercase().replace("CHECKPOINT", "checkpoint")).status, 404);
    assert_eq!(node.get(&format!("/{}/checkpoint", Hash::ZERO)).status, 404);
    assert_eq!(node.post(&log.request(log.size(3), 4)).expect("an answer").status, 200);
    assert!(own(&node.get("/checkpoint").body).is_some());
}

#[test]
fn three_nodes_and_a_quorum_of_two() {
    let log = log(3);
    let vault = Vault::of(log.clone());
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let address = serve(vault.clone());
    let keys: Vec<_> = folders
        .iter()
        .enumerate()
        .map(|(number, folder)| make(folder.path(), &format!("witness.example/{number}"), &log, address))
        .collect();
    let mut nodes: Vec<_> = folders.iter().map(node_of).collect();
    let policy = Policy::new(log.key(), None, keys, 2).expect("a policy");
    let gather = |nodes: &[Running], log: &Log, old: u64, blocks: usize| {
        let lines: String = nodes
            .iter()
            .filter_map(|node| node.post(&log.request(old, blocks)).ok().filter(|answer| answer.status == 200))
            .map(|answer| answer.body)
            .collect();
        policy.accept(format!("{}{lines}", log.checkpoint(blocks)).as_bytes())
    };
    assert_eq!(gather(&nodes, &log, 0, 2).expect("all three").witnesses.len(), 3);
    nodes[1].kill();
    assert_eq!(gather(&nodes, &log, log.size(2), 3).expect("two of three").witnesses.len(), 2);
    // The vault forks, and shows each branch to somebody: only one branch gets two of the three.
    nodes[2].kill();
    let (mut one, mut other) = (log.clone(), log.clone());
    one.grow(4, "event");
    other.grow(4, "another");
    vault.shown().log = one.clone();
    vault.shown().blocks = 4;
    let old = log.size(3);
    let second = node_of(&folders[1]);
    let gone_on = second.post(&one.request(log.size(2), 4)).expect("an answer");
    assert_eq!(gone_on.status, 200, "{gone_on:?}");
    let gone_on = nodes[0].post(&one.request(old, 4)).expect("an answer");
    assert_eq!(gone_on.status, 200, "{gone_on:?}");
    vault.shown().log = other.clone();
    nodes[2] = node_of(&folders[2]);
    // The third one is shown the other branch: it cannot know, and cosigns it; that is why two are asked for.
    let misled = nodes[2].post(&other.request(old, 4)).expect("an answer");
    assert_eq!(misled.status, 200, "{misled:?} {}", nodes[2].status());
    let shown = policy.accept(format!("{}{}", other.checkpoint(4), misled.body).as_bytes());
    assert!(matches!(shown, Err(RefusedCheckpoint::Quorum { required: 2, found: 1 })), "{shown:?}");
    for node in [&nodes[0], &second] {
        assert_eq!(node.post(&other.request(old, 4)).expect("an answer").status, 409);
        node.wait("unsound", |status| status["state"] == "unsound" && status["finding"]["code"] == "fork");
        // From then on nothing: not even its own branch.
        assert_eq!(node.post(&one.request(one.size(4), 4)).expect("an answer").status, 410);
    }
    // Whoever brings the first branch to the third one has the evidence, too.
    assert_eq!(nodes[2].post(&one.request(old, 4)).expect("an answer").status, 409);
    nodes[2].wait("unsound", |status| status["finding"]["evidence"].as_array().map(Vec::len) == Some(2));
}

/// One that looks at the vault only when it is asked, so that nothing depends on when it does.
fn node_of(folder: &tempfile::TempDir) -> Running {
    Running::start(folder.path(), &["--poll-s", "3600", "--follow-timeout-ms", "2000"])
}
