//! What a replay came to.

use std::collections::BTreeMap;

use chartseal_events::Hash;
use chartseal_ledger::note::VerifierKey;
use chartseal_ledger::policy::Accepted;
use serde::Serialize;

use crate::copy::{Copy, CopyError};
use crate::finding::Finding;

/// What a replay came to. It is of everything that is in the copy, not of the last run alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// Whether nothing is wrong, and everything that was signed has been judged.
    pub sound: bool,
    /// How many leaves the newest accepted checkpoint has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The witnesses that have cosigned it, as far as they were asked for.
    pub witnesses: Vec<String>,
    /// How many blocks were judged.
    pub blocks: u64,
    /// How many events were judged.
    pub events: u64,
    /// How many streams they are in.
    pub streams: u64,
    /// How many of each type.
    pub types: BTreeMap<String, u64>,
    /// The map's root after them.
    pub map_root: Hash,
    /// Events that were written together with others which are not sealed yet.
    pub waiting: Vec<String>,
    /// What is wrong, in the log's order.
    pub findings: Vec<Finding>,
    /// How many leaves could not be judged, because the replay ended before them.
    pub unjudged: u64,
}

impl Report {
    pub(crate) fn of(
        copy: &Copy,
        log: &VerifierKey,
        accepted: Option<&Accepted>,
        last: Vec<Finding>,
    ) -> Result<Self, CopyError> {
        let state = copy.state()?;
        let mut findings = copy.findings()?;
        findings.extend(last);
        let judged = copy.judged_size()?;
        let signed = accepted.map_or(0, |accepted| accepted.checkpoint.size()).max(copy.size());
        let unjudged = signed.saturating_sub(judged);
        Ok(Self {
            origin: log.name().to_owned(),
            sound: findings.is_empty() && unjudged == 0,
            size: copy.size(),
            root: copy.root(),
            witnesses: accepted.map(|accepted| accepted.witnesses.clone()).unwrap_or_default(),
            blocks: state.judged,
            events: judged.saturating_sub(state.judged),
            streams: state.streams,
            map_root: state.map_root,
            waiting: state.halves.values().map(|half| half.place().to_string()).collect(),
            types: state.types,
            findings,
            unjudged,
        })
    }
}
