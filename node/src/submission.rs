//! `add-checkpoint`: the order of c2sp.org/tlog-witness' checks, and the one that it does not know: that this node's own copy is verified up to there.
//!
//! The text is the one of July 2026. Version 1.0.0 has 409 where the size is the same and the root another, and says nothing of a size of 0.
//!
//! | status | when |
//! |---|---|
//! | 400 | the body is none, or the old size is larger than the checkpoint's |
//! | 404 | another origin than the log's; or the node is a mirror |
//! | 403 | the log's key has not signed |
//! | 409 | the old size is not the one that was cosigned last, which is the body (`text/x.tlog.size`) |
//! | 422 | the consistency proof does not verify; the same size has another root; a size of 0 has another root than the empty tree's |
//! | 410 | the log was found to be unsound, for ever: see `/status` (not of C2SP's) |
//! | 503 | the copy is not verified up to there yet, or the vault is in trouble: `Retry-After` (not of C2SP's) |
//! | 200 | the cosignature's line |

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_ledger::checkpoint::{Checkpoint, CheckpointError};

use crate::clock;
use crate::journal::{self, Level};
use crate::node::{ExamineError, Node, Waited};
use crate::request::AddCheckpoint;
use crate::witness::{CosignError, Refusal};

/// Most requests that wait for the copy at a time; one more is told to come again.
const MAX_WAITING: usize = 16;

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 200, with the line.
    Cosigned(String),
    /// 400.
    Malformed(String),
    /// 403.
    NotSigned,
    /// 404.
    UnknownLog,
    /// 409, with the size.
    Conflict(u64),
    /// 410, with the finding's code.
    Unsound(String),
    /// 422.
    Proof(String),
    /// 503.
    Later(String),
}

impl Reply {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Cosigned(_) => 200,
            Self::Malformed(_) => 400,
            Self::NotSigned => 403,
            Self::UnknownLog => 404,
            Self::Conflict(_) => 409,
            Self::Unsound(_) => 410,
            Self::Proof(_) => 422,
            Self::Later(_) => 503,
        }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OldSize => Self::Malformed(refusal.to_string()),
            Refusal::Size { size } => Self::Conflict(size),
            Refusal::Root { .. } | Refusal::Proof(_) => Self::Proof(refusal.to_string()),
        }
    }
}

impl From<ExamineError> for Reply {
    fn from(error: ExamineError) -> Self {
        match error {
            ExamineError::Unsound(code) => Self::Unsound(code),
            ExamineError::Copy(error) => {
                journal::line(Level::Error, "copy", [("error", error.to_string().into())]);
                Self::Later("the copy cannot be read".to_owned())
            }
        }
    }
}

/// Answers a body. Waits for the copy at most so long.
pub fn add_checkpoint(node: &Node, body: &[u8], follow_timeout: Duration) -> Reply {
    let began = Instant::now();
    let reply = answer(node, body, follow_timeout).unwrap_or_else(|reply| reply);
    node.count(reply.status());
    if let Reply::Cosigned(_) = reply {
        let size = node.witness().map_or(0, |witness| witness.size());
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        journal::line(Level::Info, "cosigned", [("log.size", size.into()), ("duration_ms", took_ms.into())]);
    }
    reply
}

fn answer(node: &Node, body: &[u8], follow_timeout: Duration) -> Result<Reply, Reply> {
    if node.witness().is_none() {
        return Err(Reply::UnknownLog);
    }
    // 1. The form; whose log it is; that its key has signed.
    let request = AddCheckpoint::parse(body).map_err(|error| Reply::Malformed(error.to_string()))?;
    if request.note.text().lines().next() != Some(node.log().name()) {
        return Err(Reply::UnknownLog);
    }
    let checkpoint = Checkpoint::parse(request.note.text());
    let is_signed = matches!(request.note.signed_by(node.log()), Ok(Some(_)));
    let checkpoint = checkpoint.map_err(|error| match error {
        CheckpointError::Root if is_signed && is_of_empty_tree(request.note.text()) => {
            of_wrong_empty_tree(node, &request)
        }
        other => Reply::Malformed(other.to_string()),
    })?;
    if !is_signed {
        return Err(Reply::NotSigned);
    }
    // 2. What was signed may be evidence, whatever becomes of the request.
    let examined = node.examine(&request.note, &checkpoint);
    // 3. Old size and proof. Under the lock once more in 5: somebody may have been quicker.
    if let Some(witness) = node.witness() {
        witness.check(request.old_size, &checkpoint, &request.proof)?;
    }
    examined?;
    // 4. The content, up to there.
    wait(node, &checkpoint, follow_timeout)?;
    node.examine(&request.note, &checkpoint)?;
    // 5. Check, keep, and only then say it.
    let Some(mut witness) = node.witness() else { return Err(Reply::UnknownLog) };
    let AddCheckpoint { old_size, proof, note } = &request;
    match witness.cosign(*old_size, note, &checkpoint, proof, clock::now_s()) {
        Ok(line) => Ok(Reply::Cosigned(line)),
        Err(CosignError::Refused(refusal)) => Err(refusal.into()),
        Err(error @ (CosignError::Clock { .. } | CosignError::State(_))) => {
            journal::line(Level::Error, "not cosigned", [("error", error.to_string().into())]);
            Err(Reply::Later(error.to_string()))
        }
    }
}

/// Whether it says a size of 0 and a root, although not the right one.
fn is_of_empty_tree(text: &str) -> bool {
    let mut lines = text.lines().skip(1);
    let is_root = |line: &str| STANDARD.decode(line).is_ok_and(|bytes| bytes.len() == 32);
    lines.next() == Some("0") && lines.next().is_some_and(is_root)
}

/// The order of the specification also there: the old size comes first.
fn of_wrong_empty_tree(node: &Node, request: &AddCheckpoint) -> Reply {
    let size = node.witness().map_or(0, |witness| witness.size());
    match request.old_size {
        0 if size == 0 => Reply::Proof(CheckpointError::Root.to_string()),
        0 => Refusal::Size { size }.into(),
        _ => Refusal::OldSize.into(),
    }
}

fn wait(node: &Node, checkpoint: &Checkpoint, timeout: Duration) -> Result<(), Reply> {
    let place = WAITING.fetch_add(1, Ordering::Relaxed);
    let timeout = if place < MAX_WAITING { timeout } else { Duration::ZERO };
    let waited = node.wait_verified(checkpoint.size(), timeout);
    WAITING.fetch_sub(1, Ordering::Relaxed);
    match waited {
        Waited::Verified => Ok(()),
        Waited::Unsound(code) => Err(Reply::Unsound(code)),
        Waited::Trouble(code) => Err(Reply::Later(format!("something is wrong at the vault: {code}"))),
        Waited::TimeOver => Err(Reply::Later("this node's copy is not verified up to there yet".to_owned())),
    }
}
