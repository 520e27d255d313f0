//! Whole stories with many faults at once, by chance: hints lost and doubled, calls late, rivals in between. A seed tells a story again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Instant;

use chartseal_infra::faulty::{Fault, Plan};

use crate::check::{Breach, Stock, check, check_drained, check_evidence};
use crate::kind::{Kind, Rival};
use crate::story::story;
use crate::sweep::{run, say};
use crate::world::{Hints, How, World};

/// Names a seed of an earlier run.
const SEED: &str = "CHARTSEAL_FAULT_SEED";
/// Stories in a run without it.
const STORIES: usize = 12;
/// Two of them under faults; what the second puts off is done in the third, and what that finds to be due in the fourth.
const ROUNDS: usize = 4;
/// Of so many calls one meets a fault.
const ONE_IN: u64 = 10;

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

#[test]
fn stories_with_many_faults_come_to_the_same_end() {
    let started = Instant::now();
    let seeds: Vec<u64> = match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().unwrap_or_else(|_| panic!("{SEED} is not a number: {seed}"))],
        Err(_) => (0..STORIES).map(|_| RandomState::new().build_hasher().finish()).collect(),
    };
    let end = run(async { Stock::of(&World::told(None).await).without_the_vault() });
    let mut faults = 0;
    for seed in seeds {
        match run(tell(seed, &end)) {
            Ok(struck) => {
                say(&format!("{SEED}={seed}: {struck} faults"));
                faults += struck;
            }
            Err((group, breach)) => panic!("{SEED}={seed} tells it again: \"{group}\": {breach}"),
        }
    }
    say(&format!("{faults} faults by chance in {:.1} s", started.elapsed().as_secs_f64()));
    assert!(faults > 0, "nothing failed");
}

/// A story under faults; gives their number.
pub async fn tell(seed: u64, end: &Stock) -> Result<usize, (&'static str, Breach)> {
    let (mut world, mut dice, mut struck) = (World::new(), Dice(seed), 0);
    for group in story() {
        let sent = world.prepare(&group);
        let hints = match dice.below(5) {
            0 => Hints::Lost,
            1 => Hints::Doubled,
            _ => Hints::Delivered,
        };
        let (plan, mut of_calls) = (Plan::default(), Dice(dice.next()));
        let rival = Rival { vault: world.vault.clone(), sent: sent.clone() };
        plan.choose(move |call| {
            if of_calls.below(ONE_IN) > 0 {
                return None;
            }
            let kind = Kind::ALL[usize::try_from(of_calls.below(Kind::ALL.len() as u64)).expect("few")];
            Some(match kind {
                Kind::LateSoon => Fault::Late(usize::try_from(of_calls.below(20)).expect("few")),
                // Before there is a vault nobody else does anything.
                Kind::OvertakenByAll if of_calls.below(3) == 0 => {
                    Fault::Overtaken(rival.bystander(1_000_000 + of_calls.below(1_000_000_000)))
                }
                kind if kind.suits(call) => kind.fault(&rival),
                _ => Fault::Before,
            })
        });
        let how = How { patience: 6, rounds: ROUNDS, faulty_rounds: 2, ..How::faulty(plan, hints) };
        let done = world.go(&group, sent.as_ref(), &how).await;
        struck += how.plan.take_struck().len();
        // The next one waits for what was uploaded.
        let done = if done.is_ok() { world.settle().await.and_then(|()| check(&mut world)) } else { done };
        done.map_err(|breach| (group.name, breach))?;
    }
    let ended = async {
        let genesis = world.known.genesis.expect("heard of");
        check_evidence(&genesis, &world.vault.events())?;
        Stock::of(&world).without_the_vault().same(end)?;
        check_drained(world).await
    };
    ended.await.map_err(|breach| ("the end", breach))?;
    Ok(struck)
}
