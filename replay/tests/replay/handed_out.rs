//! A vault that hands out otherwise than it has sealed, or signs otherwise than before. Each lie is found under its name.

use chartseal_events::command::SearchPerform;
use chartseal_ledger::tree::EMPTY_ROOT;
use chartseal_replay::testing::{Log, Served};
use chartseal_replay::{Finding, Rule};

use super::report;
use super::scene::{expect, relinked, scene, sealed};

#[test]
fn the_scene_itself_is_sound() {
    for bodies in [scene().bodies(), scene().ended().bodies()] {
        let report = report(&mut sealed(&bodies));
        assert_eq!(report.findings, []);
        assert!(report.sound);
        assert_eq!(relinked(&bodies, &bodies), bodies);
    }
}

/// Changes what is handed out.
type Change = fn(&mut Served);
/// The same, with what was made before.
type Show = Box<dyn Fn(&mut Served)>;

/// What is handed out is not what was sealed.
#[test]
fn what_is_handed_out_otherwise_is_found() {
    let good = sealed(&scene().ended().bodies());
    let cases: [(&str, Change, Rule, Option<usize>); 14] = [
        (
            "a byte of a body",
            |served| served.blocks[1].1[3] = served.blocks[1].1[3].replace("\"v\":1", "\"v\":2"),
            Rule::Leaf,
            Some(11),
        ),
        ("two bodies of a block changed places", |served| served.blocks[1].1.swap(0, 1), Rule::Leaf, Some(8)),
        ("a body is missing", |served| drop(served.blocks[1].1.pop()), Rule::Bodies, None),
        ("a body too many", |served| served.blocks[1].1.push("{}".to_owned()), Rule::Bodies, None),
        ("bodies are not handed out", |served| served.blocks[2].1.clear(), Rule::Bodies, None),
        ("the last block is not handed out", |served| drop(served.blocks.pop()), Rule::Withheld, None),
        ("a block in the middle is left out", |served| drop(served.blocks.remove(1)), Rule::Chain, None),
        ("two blocks changed places", |served| served.blocks.swap(1, 2), Rule::Chain, None),
        ("a leaf of a block", |served| served.blocks[1].0.leaves[0] = EMPTY_ROOT, Rule::Chain, None),
        ("a byte of a header", |served| served.blocks[1].0.seal[45] ^= 1, Rule::Chain, None),
        ("a header's form", |served| served.blocks[1].0.seal[0] = 1, Rule::Chain, None),
        ("another last header", |served| served.blocks.last_mut().expect("some").0.seal[94] ^= 1, Rule::Root, None),
        ("a checkpoint of more", |served| served.note = Some(Log::sign(1_000, EMPTY_ROOT)), Rule::Withheld, None),
        ("a checkpoint within a block", |served| served.note = Some(Log::sign(4, EMPTY_ROOT)), Rule::Withheld, None),
    ];
    for (what, change, rule, position) in cases {
        let mut served = good.clone();
        change(&mut served);
        let report = report(&mut served);
        expect(what, &report, rule, position);
    }
    assert!(report(&mut good.clone()).sound);
}

#[test]
fn a_checkpoint_that_nobody_signed_is_refused() {
    let mut served = sealed(&scene().bodies());
    let note = String::from_utf8(served.note.clone().expect("signed")).expect("text");
    for (what, bad) in [
        ("another size", note.replacen('\n', "\n1", 1)),
        ("no signature", note.split_once("\n\n").expect("two parts").0.to_owned() + "\n"),
        ("another log's", note.replace("vault.example", "other.example")),
        ("nothing", String::new()),
    ] {
        served.note = Some(bad.into_bytes());
        let report = report(&mut served);
        assert_eq!(report.findings.iter().map(|found| found.rule).collect::<Vec<_>>(), [Rule::Checkpoint], "{what}");
        assert!(!report.sound && report.blocks == 0);
    }
}

#[test]
fn a_log_that_goes_back_or_becomes_another_is_found() {
    let good = sealed(&scene().ended().bodies());
    let mut other_world = scene();
    for _ in 0..20 {
        other_world.world.run(&other_world.ann.clone(), SearchPerform {}).expect("search");
    }
    let other = sealed(&other_world.ended().bodies());
    let middle = good.notes[1].clone();

    let cases: Vec<(&str, Show, Rule)> = vec![
        ("an older checkpoint", Box::new(move |served| served.note = Some(middle.clone())), Rule::RolledBack),
        ("no checkpoint", Box::new(|served| served.note = None), Rule::RolledBack),
        (
            "another root of the same size",
            {
                let size = good.blocks.iter().map(|(_, bodies)| bodies.len() as u64 + 1).sum();
                Box::new(move |served| served.note = Some(Log::sign(size, EMPTY_ROOT)))
            },
            Rule::Fork,
        ),
        ("another root of a smaller size", Box::new(|served| served.note = Some(Log::sign(9, EMPTY_ROOT))), Rule::Fork),
        ("another log, which is longer", Box::new(move |served| *served = other.clone()), Rule::Chain),
    ];
    for (what, change, rule) in cases {
        let mut replay = super::replay();
        assert!(replay.run(&mut good.clone(), &()).expect("a report").sound);
        let mut served = good.clone();
        change(&mut served);
        let report = replay.run(&mut served, &()).expect("a report");
        let found: Vec<Rule> = report.findings.iter().map(|found| found.rule).collect();
        assert_eq!(found, [rule], "{what}: {:?}", report.findings);
        assert!(!report.sound, "{what}");
        // It stays with what it knew, and goes on from there.
        assert!(replay.run(&mut good.clone(), &()).expect("a report").sound, "{what}");
    }
}

#[test]
fn every_rule_has_a_name_of_its_own_and_is_said_with_its_place() {
    let mut codes: Vec<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Rule::ALL.len());
    let bodies = scene().bodies();
    let mut served = sealed(&bodies);
    served.blocks[1].1[2] = "{}".to_owned();
    let finding: Finding = report(&mut served).findings.remove(0);
    assert_eq!(finding.to_string(), "leaf in block 1, index 11: the body is not the one that was sealed");
    let json = serde_json::to_value(&finding).expect("JSON");
    assert_eq!(json["rule"], "leaf");
    assert_eq!(serde_json::from_value::<Finding>(json).expect("read back"), finding);
}
