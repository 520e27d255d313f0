//! What the lies are told about: a small history, sealed as a vault would, and how a finding is held against what is expected.

use std::collections::HashMap;

use chartseal_events::command::SearchPerform;
use chartseal_events::event::leaf_hash;
use chartseal_events::state::View;
use chartseal_events::{Command, Draft, Id, Outcome, StreamId};
use chartseal_replay::testing::{Person, Served, World};
use chartseal_replay::{Report, Rule};

use super::read;

pub const BLOCK: usize = 8;

/// A vault with two providers, a record that was asked for, and a provider that was suspended.
pub struct Scene {
    pub world: World,
    pub ann: Person,
    pub bob: Person,
    pub carol: Person,
    pub record: Id,
    pub request: Id,
}

pub fn scene() -> Scene {
    let mut world = World::new();
    let [ann, bob, carol] = [10, 11, 12].map(|number| world.member(number));
    let record = world.uploaded(&ann);
    world.run(&bob, SearchPerform {}).expect("search");
    world.suspend(carol.provider());
    world.now_ms += 600_000;
    let request = world.request(&bob, record);
    Scene { world, ann, bob, carol, record, request }
}

impl Scene {
    pub fn bodies(&self) -> Vec<String> {
        self.world.open.iter().map(|event| event.body.clone()).collect()
    }

    /// Ends soundly.
    pub fn ended(mut self) -> Self {
        self.world.approve(self.request).expect("approved");
        self.world.fetch(&self.bob.clone(), self.request, self.record);
        self
    }

    /// Writes an event with this outcome after what its stream has, whatever `decide` says, and having seen what `view` has.
    pub fn forge(&mut self, view: &View, stream: StreamId, outcome: impl Into<Outcome>, command: Option<&Command>) {
        let draft = Draft { stream, outcome: outcome.into() };
        self.world.append(view, &[draft], command).expect("it can happen");
    }

    pub fn views(&self, command: &Command) -> View {
        self.world.view(command.reads().expect("reads"))
    }
}

/// Seals bodies in blocks, as the vault would.
pub fn sealed(bodies: &[String]) -> Served {
    let blocks: Vec<Vec<String>> = bodies.chunks(BLOCK).map(<[String]>::to_vec).collect();
    Served::sealed(&blocks)
}

/// Makes links and `seen` right again after bodies were changed: `prev` and `seen` are the vault's own words, which nobody has signed.
pub fn relinked(before: &[String], after: &[String]) -> Vec<String> {
    let mut renamed: HashMap<String, String> = HashMap::new();
    let hash = |body: &str| leaf_hash(body.as_bytes()).to_string();
    before
        .iter()
        .zip(after)
        .map(|(before, after)| {
            let mut body = after.clone();
            for (old, new) in &renamed {
                body = body.replace(old, new);
            }
            if body != *before {
                renamed.insert(hash(before), hash(&body));
            }
            body
        })
        .collect()
}

/// The place in the log of the event at a position.
pub fn index(position: usize) -> u64 {
    (position + position / BLOCK) as u64
}

/// The position of the first event of a type.
pub fn first(bodies: &[String], typ: &str) -> usize {
    bodies.iter().position(|body| read(body).outcome.typ() == typ).expect("there is one")
}

pub fn expect(what: &str, report: &Report, rule: Rule, position: Option<usize>) {
    if let Some(position) = position {
        return expect_all(what, report, &[(rule, position)]);
    }
    let found: Vec<(Rule, Option<u64>)> = report.findings.iter().map(|found| (found.rule, found.index)).collect();
    assert_eq!(found, [(rule, None)], "{what}: {:?}", report.findings);
    assert!(!report.sound && report.unjudged > 0, "{what}");
}

pub fn expect_all(what: &str, report: &Report, expected: &[(Rule, usize)]) {
    assert!(!report.sound, "{what}: passed");
    let found: Vec<(Rule, Option<u64>)> = report.findings.iter().map(|found| (found.rule, found.index)).collect();
    let expected: Vec<_> = expected.iter().map(|(rule, position)| (*rule, Some(index(*position)))).collect();
    assert_eq!(found, expected, "{what}: {:?}", report.findings);
    let ends = expected.iter().any(|(rule, _)| rule.ends_replay());
    assert_eq!(report.unjudged > 0, ends, "{what}: says what was not judged");
}
