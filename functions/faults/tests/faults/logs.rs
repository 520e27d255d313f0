//! Invariant 9, the log's part: a story with many faults is told, and what functions logged of it has no words of people, no search tokens, no task
//! tokens and no addresses.

use std::cell::RefCell;

use chartseal_infra::telemetry::recorded;

use crate::cast::WORDS;
use crate::chance::tell;
use crate::check::Stock;
use crate::story::token;
use crate::sweep::run;
use crate::world::World;

thread_local! {
    /// The log of this thread's story, while somebody wants it.
    static LOG: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a function once, and keeps its line where a log is kept.
pub async fn invocation<T>(work: impl Future<Output = T> + Send) -> T {
    if LOG.with_borrow(Option::is_none) {
        return work.await;
    }
    let (done, line) = recorded(work).await;
    LOG.with_borrow_mut(|log| log.get_or_insert_default().extend([line.to_string(), "\n".to_owned()]));
    done
}

#[test]
fn logs_say_nothing_of_people() {
    LOG.set(Some(String::new()));
    let end = run(async { Stock::of(&World::told(None).await).without_the_vault() });
    run(tell(7, &end)).unwrap_or_else(|(group, breach)| panic!("\"{group}\": {breach}"));
    let log = LOG.take().expect("a log");
    // The log is the log of this: commands, refusals, failures, the sweeper, the workflow.
    for said in [
        "\"events.appended\":",
        "\"outcome\":\"refused\"",
        "\"outcome\":\"failed\"",
        "\"sweep.healed\":",
        "\"operation\":\"verify\"",
    ] {
        assert!(log.contains(said), "nobody logged {said}");
    }
    let tokens = (1..=5).map(|number| token(number).to_string());
    let secrets = ["memory://", "token 1 of"].map(str::to_owned);
    for word in WORDS.iter().map(|word| (*word).to_owned()).chain(tokens).chain(secrets) {
        let line = log.lines().find(|line| line.contains(&word));
        assert_eq!(line, None, "{word:?} is in the log");
    }
}
