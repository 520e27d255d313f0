//! What a replay can find: a rule that the log breaks, where, and in words.

use std::fmt;

use chartseal_events::EventRef;
use serde::{Deserialize, Serialize};

macro_rules! rules {
    ($($(#[$doc:meta])+ $rule:ident = $code:literal, $ends:literal;)*) => {
        /// A rule of the log. Its code never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Rule { $($(#[$doc])+ #[serde(rename = $code)] $rule,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];

            /// Its stable name.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$rule => $code,)* }
            }

            /// Whether nothing after the place can be judged, so that the replay stops there.
            pub const fn ends_replay(self) -> bool {
                match self { $(Self::$rule => $ends,)* }
            }
        }
    };
}

rules! {
    /// The checkpoint cannot be believed: its form, its origin, a signature, too few witnesses.
    Checkpoint = "checkpoint", true;
    /// The vault shows a smaller log than it has signed before.
    RolledBack = "rolled-back", true;
    /// The vault has signed two different logs of one size.
    Fork = "fork", true;
    /// A block that a signed checkpoint counts is not handed out, or the log's size is none that a block ends at.
    Withheld = "withheld", true;
    /// A header is none, or does not follow the one before it, or its events are not those that it seals.
    Chain = "chain", true;
    /// The blocks lead to another root than the log has signed.
    Root = "root", true;
    /// There are more or fewer bodies than events.
    Bodies = "bodies", true;
    /// A body is not the one that was sealed.
    Leaf = "leaf", true;
    /// A body is no event.
    Event = "event", true;
    /// The log does not begin with its own genesis event.
    Genesis = "genesis", true;
    /// A place that was taken before.
    Place = "place", true;
    /// An event whose predecessor in its stream is not sealed before it.
    Gap = "gap", true;
    /// An event that names another predecessor.
    Link = "link", true;
    /// An event that its stream's state does not allow.
    Impossible = "impossible", true;
    /// The map's root is not what the events lead to, or its version is not known.
    Map = "map", true;
    /// It relies on an event that is not sealed before it, or is another.
    Seen = "seen", false;
    /// It relies on a state that was over: the stream had gone on, longer ago than a decision takes.
    Stale = "stale", false;
    /// Its command was taken before in this stream, or another under the same `jti`.
    Repeated = "repeated", false;
    /// Its command's signature does not verify under the key that the streams give.
    Signature = "signature", false;
    /// Its command could not be taken: no right to it, or not in this state.
    Refused = "refused", false;
    /// Its command and history lead to something else.
    Outcome = "outcome", false;
    /// What was written together with it is not in the log, a day later.
    Half = "half", false;
}

/// Something that is wrong with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule is broken.
    pub rule: Rule,
    /// The block's height, where it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// The event's index in the log, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The event's place, as far as it can be told: `stream#seq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// In words.
    pub what: String,
}

impl Finding {
    /// About the log as a whole.
    pub(crate) fn of_log(rule: Rule, what: impl fmt::Display) -> Self {
        Self { rule, height: None, index: None, event: None, what: what.to_string() }
    }

    /// About a block.
    pub(crate) fn of_block(rule: Rule, height: u64, what: impl fmt::Display) -> Self {
        Self { height: Some(height), ..Self::of_log(rule, what) }
    }

    /// About an event.
    pub(crate) fn of_event(rule: Rule, at: At, what: impl fmt::Display) -> Self {
        let event = at.place.map(|place| place.to_string());
        Self { index: Some(at.index), event, ..Self::of_block(rule, at.height, what) }
    }
}

/// Where an event stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub height: u64,
    pub index: u64,
    pub place: Option<EventRef>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule.code())?;
        if let Some(height) = self.height {
            write!(f, " in block {height}")?;
        }
        if let Some(index) = self.index {
            write!(f, ", index {index}")?;
        }
        if let Some(event) = &self.event {
            write!(f, ", {event}")?;
        }
        write!(f, ": {}", self.what)
    }
}
