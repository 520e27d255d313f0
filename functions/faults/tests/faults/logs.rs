//! Invariant 9, the log's part: a story with many faults is told, and what functions logged of it has no words of people, no search tokens, no task
//! tokens and no addresses.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::cast::WORDS;
use crate::chance::tell;
use crate::check::Stock;
use crate::story::token;
use crate::sweep::run;
use crate::world::World;

/// The log, in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn logs_say_nothing_of_people() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let end = run(async { Stock::of(&World::told(None).await).without_the_vault() });
        run(tell(7, &end)).unwrap_or_else(|(group, breach)| panic!("\"{group}\": {breach}"));
    });
    let log = String::from_utf8(std::mem::take(&mut *log.0.lock().expect("the log"))).expect("UTF-8");
    // The log is the log of this: commands, the sweeper, failures.
    for said in ["\"answered\"", "\"swept\"", "\"failed\"", "\"task done\""] {
        assert!(log.contains(said), "nobody logged {said}");
    }
    let tokens = (1..=5).map(|number| token(number).to_string());
    let secrets = ["memory://", "token 1 of"].map(str::to_owned);
    for word in WORDS.iter().map(|word| (*word).to_owned()).chain(tokens).chain(secrets) {
        let line = log.lines().find(|line| line.contains(&word));
        assert_eq!(line, None, "{word:?} is in the log");
    }
}
