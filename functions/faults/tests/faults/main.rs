//! The fault sweep: every function in this process, on a vault in memory whose every call is broken once, in every way. docs/TESTING.md has a section
//! about it.

mod cast;
mod check;
mod functions;
mod machine;
mod story;
mod world;

use crate::check::{Stock, check, check_drained};
use crate::world::{Hints, How, World};
use chartseal_infra::faulty::Plan;

#[tokio::test]
async fn the_story_is_told_without_faults() {
    let mut world = World::new();
    let mut total = 0;
    for group in story::story() {
        let sent = world.prepare(&group);
        let plan = Plan::default();
        let counter = plan.clone();
        let how = How::faulty(plan, Hints::Delivered);
        world.go(&group, sent.as_ref(), &how).await.unwrap_or_else(|breach| panic!("{}: {breach}", group.name));
        check(&mut world).unwrap_or_else(|breach| panic!("{}: {breach}", group.name));
        let started = std::time::Instant::now();
        check_drained(world.fork()).await.unwrap_or_else(|breach| panic!("{}: {breach}", group.name));
        let calls = chartseal_infra::faulty::Call::ALL.iter().map(|call| counter.count(*call)).sum::<usize>();
        total += calls;
        println!("{}: {calls} calls, drained in {:?}", group.name, started.elapsed());
    }
    println!("{total} calls; {:#?}", Stock::of(&world));
}
