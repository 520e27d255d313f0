//! The copy: what it hands out is right, what was changed in it is noticed, and it can be replayed from.

use chartseal_events::event::leaf_hash;
use chartseal_events::{EventRef, StreamId};
use chartseal_ledger::tile::TileAddress;
use chartseal_ledger::tree::{consistency, inclusion, subtree_hash};
use chartseal_replay::source::CopySource;
use chartseal_replay::testing::{Log, Mix, Served, log_verifier};
use chartseal_replay::{Copy, CopyError, Replay};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::read;

/// A log of some thousand leaves: full tiles, and a second level.
fn mixed() -> Served {
    let mut mix = Mix::new(5);
    while mix.world.open.len() < 1_500 {
        mix.go_on();
    }
    let bodies: Vec<String> = mix.world.open.iter().map(|event| event.body.clone()).collect();
    Served::sealed(&bodies.chunks(100).map(<[String]>::to_vec).collect::<Vec<_>>())
}

fn replayed(served: &mut Served) -> Copy {
    let mut replay = super::replay();
    let report = replay.run(served, &()).expect("a report");
    assert!(report.sound, "{:?}", report.findings);
    replay.into_copy()
}

#[test]
fn it_has_everything_and_proves_it() {
    let mut served = mixed();
    let copy = replayed(&mut served);
    let mut leaves = Vec::new();
    for (height, (block, bodies)) in (0_u64..).zip(&served.blocks) {
        assert_eq!(copy.public_block(height).expect("read").as_ref(), Some(block));
        assert_eq!(copy.bodies(height).expect("read").as_ref(), Some(bodies));
        for (body, leaf) in bodies.iter().zip(&block.leaves) {
            let index = leaves.len() as u64;
            assert_eq!(copy.body(index).expect("read").as_ref(), Some(body));
            assert_eq!(copy.index_of(read(body).place).expect("read"), Some(index));
            assert_eq!(copy.index_of_leaf(leaf).expect("read"), Some(index));
            leaves.push(*leaf);
        }
        leaves.push(copy.block(height).expect("read").expect("there").seal.leaf_hash());
    }
    let size = leaves.len() as u64;
    assert_eq!((copy.size(), copy.judged_size().expect("read"), copy.root()), (size, size, subtree_hash(&leaves)));
    assert_eq!(copy.block(served.blocks.len() as u64).expect("read"), None);
    assert_eq!(copy.index_of(EventRef { stream: StreamId::Vault, seq: 9 }).expect("read"), None);

    for old in [1, 2, 3, 100, 101, 255, 256, 257, 1_000, size - 1, size] {
        let root = copy.root_at(old).expect("read").expect("there");
        assert_eq!(root, subtree_hash(&leaves[..usize::try_from(old).expect("small")]));
        let proof = copy.consistency(old, size).expect("read").expect("there");
        consistency::verify(&proof, old, root, size, copy.root()).expect("proven");
        let index = old - 1;
        let proof = copy.inclusion(index, size).expect("read").expect("there");
        let leaf = leaves[usize::try_from(index).expect("small")];
        inclusion::verify(&proof, index, leaf, size, copy.root()).expect("proven");
    }
    assert_eq!(copy.consistency(1, size + 1).expect("read"), None);
    assert_eq!(copy.inclusion(size, size).expect("read"), None);
    assert_eq!(copy.root_at(size + 1).expect("read"), None);

    let tile = |path: &str| copy.tile(path.parse::<TileAddress>().expect("a path")).expect("read");
    assert_eq!(tile("tile/0/001").as_deref(), Some(&leaves[256..512]));
    assert_eq!(tile("tile/0/001.p/7").as_deref(), Some(&leaves[256..263]));
    let full = size / 256;
    let ragged = size % 256;
    assert_eq!(
        tile(&format!("tile/0/{full:03}.p/{ragged}")).as_deref(),
        Some(&leaves[leaves.len() - usize::try_from(ragged).expect("small")..])
    );
    assert_eq!(tile(&format!("tile/0/{full:03}.p/{}", ragged + 1)), None);
    assert_eq!(tile(&format!("tile/0/{full:03}")), None);
    assert_eq!(tile(&format!("tile/1/000.p/{full}")).map(|hashes| hashes[1]), Some(subtree_hash(&leaves[256..512])));
}

#[test]
fn it_is_a_source_itself() {
    let mut served = mixed();
    let copy = replayed(&mut served);
    let mut source = CopySource::new(copy.snapshot());
    let again = super::replay().run(&mut source, &()).expect("a report");
    assert!(again.sound);
    assert_eq!((again.size, again.root, again.map_root), (copy.size(), copy.root(), copy.map_root()));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let whole = Served::of_every_type(30);
    let mut served = whole.clone();
    served.note = Some(whole.notes[0].clone());
    let mut replay = super::replay();
    replay.run(&mut served, &()).expect("a report");
    let before = replay.copy().snapshot();
    let size = before.size();
    replay.run(&mut whole.clone(), &()).expect("a report");
    assert!(replay.copy().size() > size);
    assert_eq!((before.size(), before.block(1).expect("read")), (size, None));
}

#[test]
fn it_is_of_one_log() {
    let folder = tempfile::tempdir().expect("a folder");
    Replay::new(Copy::open(folder.path()).expect("new"), &log_verifier(), Log::policy()).expect("claimed");
    let other = chartseal_ledger::note::VerifierKey::new(
        "other.example",
        chartseal_ledger::note::SignatureType::Ed25519,
        log_verifier().public_key(),
    )
    .expect("a key");
    let policy = chartseal_ledger::policy::Policy::new(other.clone(), None, vec![], 0).expect("a policy");
    let refused = Replay::new(Copy::open(folder.path()).expect("there"), &other, policy);
    assert!(matches!(refused, Err(CopyError::OtherLog(_))));
}

/// Changes a copy's file.
type Change = Box<dyn Fn(&Database)>;

/// Whoever can write the file can change it. What is relied on afterwards is looked at.
#[test]
#[allow(clippy::too_many_lines, reason = "a table of changes")]
fn what_was_changed_on_disk_is_noticed_where_it_is_relied_on() {
    const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");
    const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
    const TILES: TableDefinition<'_, (u8, u64), &[u8]> = TableDefinition::new("tiles");
    const PAGES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("pages");
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    const PLACES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("places");
    let whole = Served::of_every_type(30);
    let half = whole.notes.len() / 2;
    let first_run = |db: &Database| {
        let table = db.begin_read().expect("read").open_table(BODIES).expect("table");
        table.get(0).expect("read").expect("there").value().to_vec()
    };
    let changes: Vec<(&str, Change)> = vec![
        ("nothing", Box::new(|_| {})),
        (
            "a body, which is folded again",
            Box::new(move |db| {
                let mut run = first_run(db);
                // A letter of the nonce of the vault's first event.
                let at = run.windows(9).position(|bytes| bytes == b"\"nonce\":\"").expect("there") + 12;
                run[at] = if run[at] == b'A' { b'B' } else { b'A' };
                let write = db.begin_write().expect("write");
                write.open_table(BODIES).expect("table").insert(0, &run[..]).expect("insert");
                write.commit().expect("commit");
            }),
        ),
        (
            "a body left out",
            Box::new(|db| {
                let write = db.begin_write().expect("write");
                write.open_table(BODIES).expect("table").remove(0).expect("remove");
                write.commit().expect("commit");
            }),
        ),
        (
            "a place left out",
            Box::new(|db| {
                let write = db.begin_write().expect("write");
                write
                    .open_table(PLACES)
                    .expect("table")
                    .remove(&b"vault\0\0\0\0\0\0\0\0\0"[..])
                    .expect("remove")
                    .expect("there");
                write.commit().expect("commit");
            }),
        ),
        (
            "the map's first page",
            Box::new(|db| {
                let write = db.begin_write().expect("write");
                {
                    let mut pages = write.open_table(PAGES).expect("table");
                    let mut page = pages.get("p").expect("read").expect("there").value().to_vec();
                    page[40] ^= 1;
                    pages.insert("p", &page[..]).expect("insert");
                }
                write.commit().expect("commit");
            }),
        ),
        (
            "the edge",
            Box::new(|db| {
                let write = db.begin_write().expect("write");
                {
                    let mut meta = write.open_table(META).expect("table");
                    let mut edge = meta.get("edge").expect("read").expect("there").value().to_vec();
                    edge[9] ^= 1;
                    meta.insert("edge", &edge[..]).expect("insert");
                }
                write.commit().expect("commit");
            }),
        ),
        (
            "the checkpoint",
            Box::new(|db| {
                let write = db.begin_write().expect("write");
                {
                    let mut meta = write.open_table(META).expect("table");
                    let note =
                        String::from_utf8(meta.get("checkpoint").expect("read").expect("there").value().to_vec());
                    let forged = note.expect("text").replacen('\n', "\n1", 1);
                    meta.insert("checkpoint", forged.as_bytes()).expect("insert");
                }
                write.commit().expect("commit");
            }),
        ),
        (
            "the last block",
            Box::new(move |db| {
                let write = db.begin_write().expect("write");
                write.open_table(BLOCKS).expect("table").remove(half as u64).expect("remove").expect("there");
                write.commit().expect("commit");
            }),
        ),
    ];
    for (what, change) in changes {
        let folder = tempfile::tempdir().expect("a folder");
        let mut served = whole.clone();
        served.note = Some(whole.notes[half].clone());
        let open = || {
            let copy = Copy::open(folder.path())?;
            Replay::new(copy, &log_verifier(), Log::policy())
        };
        assert!(open().expect("new").run(&mut served, &()).expect("a report").sound);
        let db = Database::open(folder.path().join("log.redb")).expect("a database");
        assert!(db.begin_read().expect("read").open_table(TILES).is_ok(), "the names are these");
        change(&db);
        drop(db);
        let gone_on = open().and_then(|mut replay| {
            let failed = |failure| match failure {
                chartseal_replay::Failure::Copy(error) => error,
                other => panic!("{what}: {other}"),
            };
            replay.run(&mut whole.clone(), &()).map_err(failed)
        });
        match gone_on {
            Ok(report) => assert!(what == "nothing" && report.sound, "{what}: {:?}", report.findings),
            Err(error) => assert_eq!((error.code(), what == "nothing"), ("copy-damaged", false), "{what}: {error}"),
        }
    }
    // What is not relied on is noticed by whoever reads it, and by a replay of the copy.
    let copy = replayed(&mut whole.clone());
    let body = copy.body(3).expect("read").expect("there");
    assert_eq!(copy.index_of_leaf(&leaf_hash(body.as_bytes())).expect("read"), Some(3));
}
