//! A running program of another implementation: one JSON request a line, one JSON answer a line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::Error;

/// The program; it ends when this is dropped.
pub struct Oracle {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts a program. What it writes to standard error is shown.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Error> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(Error::Speak)?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Ended);
        };
        Ok(Self { child, requests, answers: BufReader::new(answers) })
    }

    /// Asks; a refusal of the implementation is [`Error::Said`].
    pub fn ask(&mut self, request: &Value) -> Result<Value, Error> {
        writeln!(self.requests, "{request}").map_err(Error::Speak)?;
        let mut line = String::new();
        if self.answers.read_line(&mut line).map_err(Error::Speak)? == 0 {
            return Err(Error::Ended);
        }
        let answer: Value = serde_json::from_str(&line).map_err(|_| Error::Answer(line))?;
        match answer["error"].as_str() {
            Some(error) => Err(Error::Said(error.to_owned())),
            None => Ok(answer),
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may have ended already; either way it is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
