//! A node: the copy, the witness, and what was found, under locks that are held for moments. The follower moves it, the server asks it.
//!
//! In scope: what may be cosigned now, and what the node says of itself. A lock is never held across a call to the vault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{Note, VerifierKey};
use serde_json::{Value, json};

use crate::clock;
use crate::config::Config;
use crate::copy::{CopyError, LogCopy};
use crate::finding::{Finding, Trouble};
use crate::journal::{self, Level};
use crate::witness::{Witness, own_line};

/// What the follower and the server tell each other.
#[derive(Debug, Default)]
struct Shared {
    finding: Option<Finding>,
    trouble: Option<Trouble>,
    verified_size: u64,
    /// Somebody waits for more than is verified.
    wanted: bool,
    stopping: bool,
    /// When the vault answered last, and the size it showed.
    seen: Option<(u64, u64)>,
    /// Why it did not, since when.
    silent: Option<(String, u64)>,
    answers: BTreeMap<u16, u64>,
}

/// A witness or a mirror.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub config: Config,
    folder: PathBuf,
    copy: Mutex<LogCopy>,
    witness: Option<Mutex<Witness>>,
    shared: Mutex<Shared>,
    changed: Condvar,
}

/// Why more is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// It is.
    Verified,
    /// Something is wrong for ever.
    Unsound(String),
    /// Something is wrong now.
    Trouble(String),
    /// The time was over.
    TimeOver,
}

impl Node {
    /// A node that goes on where it was.
    pub fn new(
        config: Config,
        folder: &Path,
        copy: LogCopy,
        witness: Option<Witness>,
    ) -> Result<Self, crate::durable::FileError> {
        let finding = Finding::load(folder)?;
        let shared = Shared { finding, verified_size: copy.verified_size(), ..Shared::default() };
        Ok(Self {
            config,
            folder: folder.to_owned(),
            copy: Mutex::new(copy),
            witness: witness.map(Mutex::new),
            shared: Mutex::new(shared),
            changed: Condvar::new(),
        })
    }

    /// The log's key.
    pub fn log(&self) -> &VerifierKey {
        &self.config.log
    }

    /// The copy.
    pub fn copy(&self) -> MutexGuard<'_, LogCopy> {
        hold(&self.copy)
    }

    /// The witness, if it is one.
    pub fn witness(&self) -> Option<MutexGuard<'_, Witness>> {
        self.witness.as_ref().map(hold)
    }

    /// Looks at a checkpoint that the log's key has signed, from wherever it came: is it of the log that is known here, and does it bear nothing that this
    /// witness has forgotten? What it finds is kept for ever.
    pub fn examine(&self, note: &Note, checkpoint: &Checkpoint) -> Result<(), ExamineError> {
        if let Some(witness) = self.witness() {
            let signed = note.signed_by(witness.verifier()).ok().flatten();
            if signed.is_some_and(|signed| witness.has_forgotten(checkpoint, signed)) {
                let what = "there is a cosignature of this witness that it does not know of: its state is an older one, or its key is used elsewhere";
                return Err(self.found(Finding::new("forgotten", what, vec![note.to_string()])));
            }
            if let (Some(last), Some(own)) = (witness.checkpoint(), witness.note())
                && last.size() == checkpoint.size()
                && last.root() != checkpoint.root()
            {
                let what = format!("the log has signed two roots of {} leaves", last.size());
                return Err(self.found(Finding::fork(what, &own.to_string(), &note.to_string())));
            }
        }
        let copy = self.copy();
        let Some(verified) = copy.verified().filter(|verified| checkpoint.size() <= verified.extent.size) else {
            return Ok(());
        };
        if copy.root_at(checkpoint.size())? != Some(checkpoint.root()) {
            let what = format!(
                "the log has signed a root of {} leaves that its tree of {} leaves has not",
                checkpoint.size(),
                verified.extent.size
            );
            return Err(self.found(Finding::fork(what, &verified.note.to_string(), &note.to_string())));
        }
        Ok(())
    }

    /// Keeps a finding for ever, and tells everybody who waits. The first one stays.
    pub fn found(&self, finding: Finding) -> ExamineError {
        let mut shared = hold(&self.shared);
        let first = shared.finding.get_or_insert_with(|| {
            let fields = [("finding.code", finding.code.clone().into()), ("finding.what", finding.what.clone().into())];
            journal::line(Level::Error, "unsound", fields);
            if let Err(error) = finding.save(&self.folder) {
                journal::line(Level::Error, "finding not kept", [("error", error.to_string().into())]);
            }
            finding
        });
        let code = first.code.clone();
        self.changed.notify_all();
        ExamineError::Unsound(code)
    }

    /// What was found, if anything.
    pub fn finding(&self) -> Option<Finding> {
        hold(&self.shared).finding.clone()
    }

    /// What is wrong now, if anything.
    pub fn trouble(&self) -> Option<Trouble> {
        hold(&self.shared).trouble.clone()
    }

    /// The follower's outcome of a look: something that is not what it must be, or nothing any more.
    pub fn set_trouble(&self, met: Option<(&str, String)>) {
        let mut shared = hold(&self.shared);
        let before = shared.trouble.take();
        shared.trouble = met.map(|(code, what)| {
            let since_ms = before.as_ref().map_or_else(clock::now_ms, |before| before.since_ms);
            Trouble { code: code.to_owned(), what, since_ms }
        });
        match (&before, &shared.trouble) {
            (None, Some(now)) => {
                let fields = [("trouble.code", now.code.clone().into()), ("trouble.what", now.what.clone().into())];
                journal::line(Level::Error, "trouble", fields);
            }
            (Some(before), None) => {
                journal::line(Level::Warn, "trouble over", [("trouble.code", before.code.clone().into())]);
            }
            _ => {}
        }
        // Who waits must hear of it.
        self.changed.notify_all();
    }

    /// The vault answered, and showed this size.
    pub fn saw(&self, size: u64) {
        let mut shared = hold(&self.shared);
        shared.seen = Some((clock::now_ms(), size));
        if shared.silent.take().is_some() {
            journal::line(Level::Info, "vault is back", []);
        }
    }

    /// The vault did not answer.
    pub fn heard_nothing(&self, why: String) {
        let mut shared = hold(&self.shared);
        if shared.silent.is_none() {
            journal::line(Level::Warn, "vault is silent", [("error", why.clone().into())]);
        }
        let since = shared.silent.take().map_or_else(clock::now_ms, |(_, since)| since);
        shared.silent = Some((why, since));
    }

    /// More is verified.
    pub fn moved(&self, size: u64) {
        hold(&self.shared).verified_size = size;
        self.changed.notify_all();
    }

    /// Waits until so much is verified, at most so long, and asks the follower to look at once.
    pub fn wait_verified(&self, size: u64, timeout: Duration) -> Waited {
        let until = Instant::now() + timeout;
        let mut shared = hold(&self.shared);
        loop {
            if let Some(finding) = &shared.finding {
                return Waited::Unsound(finding.code.clone());
            }
            if let Some(trouble) = &shared.trouble {
                let code = trouble.code.clone();
                // The next look may find that it is over.
                shared.wanted = true;
                self.changed.notify_all();
                return Waited::Trouble(code);
            }
            if shared.verified_size >= size {
                return Waited::Verified;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || shared.stopping {
                return Waited::TimeOver;
            }
            shared.wanted = true;
            self.changed.notify_all();
            shared = self.changed.wait_timeout(shared, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The follower's rest: until somebody wants more, the time is over, or the node stops. False: it stops.
    pub fn rest(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut shared = hold(&self.shared);
        while !shared.stopping && !shared.wanted {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            shared = self.changed.wait_timeout(shared, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        shared.wanted = false;
        !shared.stopping
    }

    /// Ends the follower, and whoever waits for it.
    pub fn stop(&self) {
        hold(&self.shared).stopping = true;
        self.changed.notify_all();
    }

    /// Counts an answer of `add-checkpoint`.
    pub fn count(&self, status: u16) {
        *hold(&self.shared).answers.entry(status).or_default() += 1;
    }

    /// The newest verified checkpoint with the lines that it came with and, where this witness has cosigned it, its own.
    pub fn checkpoint(&self) -> Option<String> {
        let note = self.copy().verified()?.note.clone();
        let witness = self.witness();
        let own = witness.as_ref().and_then(|witness| {
            let cosigned = witness.note().filter(|cosigned| cosigned.text() == note.text())?;
            own_line(cosigned, witness.verifier()).map(|line| (line, witness.verifier()))
        });
        let Some((line, key)) = own else { return Some(note.to_string()) };
        // An older line of this witness came with the checkpoint: the newer one takes its place.
        let others = note.signatures().iter().filter(|line| line.name() != key.name() || line.id() != key.id());
        let text = others.fold(format!("{}\n", note.text()), |text, line| format!("{text}{line}\n"));
        Some(format!("{text}{line}\n"))
    }

    /// What the node says of itself.
    pub fn status(&self) -> Value {
        let verified = self.copy().verified().cloned();
        let cosigned = self.witness().map(|witness| {
            let root = witness.checkpoint().map(Checkpoint::root);
            json!({ "key": witness.verifier().to_string(), "size": witness.size(), "root": root, "at_s": witness.timestamp_s() })
        });
        let shared = hold(&self.shared);
        let state = match (&shared.finding, &shared.trouble, &shared.silent, &verified) {
            (Some(_), ..) => "unsound",
            (None, Some(_), ..) => "trouble",
            (None, None, Some(_), _) => "vault-silent",
            (None, None, None, None) => "starting",
            _ => "sound",
        };
        let finding = shared.finding.as_ref();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "kind": self.config.kind,
            "mode": self.config.mode,
            "origin": self.log().name(),
            "log": self.log().to_string(),
            "vault": self.config.vault.api,
            "state": state,
            "size": verified.as_ref().map_or(0, |verified| verified.extent.size),
            "blocks": verified.as_ref().map_or(0, |verified| verified.extent.blocks),
            "root": verified.as_ref().map(|verified| verified.checkpoint.root()),
            "last_seen_ms": shared.seen.map(|(at_ms, _)| at_ms),
            "last_seen_size": shared.seen.map(|(_, size)| size),
            "silent": shared.silent.as_ref().map(|(why, since_ms)| json!({ "what": why, "since_ms": since_ms })),
            "trouble": shared.trouble,
            "finding": finding.map(|finding| json!({ "code": finding.code, "what": finding.what, "at_ms": finding.at_ms, "evidence": finding.evidence })),
            "cosigned": cosigned,
            "answers": shared.answers,
        })
    }
}

/// Why a checkpoint is not one to go on with.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// It was found to be unsound: the finding's code.
    #[error("the log is unsound: {0}")]
    Unsound(String),
    /// The copy cannot say.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

/// A lock that a panic elsewhere does not spoil: what it guards is put in its place whole.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
