//! cargo-deny: licences, bans and sources always; advisories where their database can be reached.

use std::process::Command;
use std::time::Duration;

use crate::process::{Failure, last_lines, quiet, root, within};

use super::tools;

/// A clone of the advisory database takes seconds; a network that swallows packets must not hold the check up.
const FETCH_LIMIT: Duration = Duration::from_mins(1);

/// Runs the pinned cargo-deny on deny.toml.
pub fn check() -> Result<String, Failure> {
    let program = tools::cargo_deny()?;
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(root()).args(["--color", "never", "--log-level", "error"]).args(arguments);
        command
    };
    let advice = "choose another crate, or add to deny.toml with a reason";
    quiet(&mut deny(&["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]), advice)?;
    let fetched = within(deny(&["fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0"), FETCH_LIMIT)?;
    if let Some(why) = unreachable(fetched.as_ref().map(|said| (said.status.success(), said.stderr.as_str()))) {
        return Ok(format!("licences, bans, sources; advisories NOT CHECKED, their database was not reachable: {why}"));
    }
    let advice = "update the crate that the advisory names, or say in deny.toml why it does not concern us";
    quiet(&mut deny(&["--offline", "check", "advisories"]), advice)?;
    Ok("licences, bans, sources, advisories".to_owned())
}

/// Why the database was not fetched; `None` if it was.
fn unreachable(fetched: Option<(bool, &str)>) -> Option<String> {
    match fetched {
        Some((true, _)) => None,
        None => Some(format!("no answer within {} s", FETCH_LIMIT.as_secs())),
        Some((false, said)) => {
            let said = last_lines(said);
            let reason = said.lines().find(|line| line.starts_with("fatal:")).or_else(|| said.lines().next());
            Some(reason.unwrap_or("cargo-deny gave no reason").trim().to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failed_fetch_excuses_the_advisories() {
        assert_eq!(unreachable(Some((true, "warning: slow"))), None);
        assert_eq!(unreachable(None).as_deref(), Some("no answer within 60 s"));
        let said = "[ERROR] failed to fetch\nCloning...\nfatal: unable to access: Could not resolve host\n";
        assert_eq!(
            unreachable(Some((false, said))).as_deref(),
            Some("fatal: unable to access: Could not resolve host")
        );
        assert_eq!(unreachable(Some((false, ""))).as_deref(), Some("cargo-deny gave no reason"));
    }
}
