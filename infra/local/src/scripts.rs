//! Our own Python scripts: one JSON document in, one JSON document out, progress on standard error.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Endpoint, Error, Workspace};

/// How much of an unreadable answer an error shows, in characters.
const MAX_SHOWN: usize = 400;

/// What a script answers: its result, or the cause of its failure.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer<T> {
    Ok(T),
    Failed { cause: String, advice: String },
}

/// Runs a script of `infra/local` with the virtual environment's Python against `endpoint`.
pub(crate) fn run<Q: Serialize, A: DeserializeOwned>(
    workspace: &Workspace,
    script: &'static str,
    endpoint: &Endpoint,
    question: &Q,
) -> Result<Answer<A>, Error> {
    let python = workspace.python();
    let mut command = Command::new(&python);
    command
        .arg(workspace.scripts_dir().join(script))
        .env_clear()
        .envs(endpoint.environment())
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().map_err(Error::spawn(python.display().to_string()))?;
    let unreadable = |answer: &str, source| {
        let answer = answer.chars().take(MAX_SHOWN).collect();
        Error::Answer { script, answer, source }
    };
    let question = serde_json::to_vec(question).map_err(|source| unreadable("", source))?;
    if let Some(mut input) = child.stdin.take() {
        // A script that ended early says why in its answer; a broken pipe here would hide it.
        let _ended = input.write_all(&question);
    }
    let mut answer = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut answer).map_err(Error::file("read", script))?;
    }
    child.wait().map_err(Error::file("wait for", script))?;
    serde_json::from_str(&answer).map_err(|source| unreadable(&answer, source))
}
