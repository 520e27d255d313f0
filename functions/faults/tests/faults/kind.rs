//! The ways to break a call, and who may be quicker.

use chartseal_events::command::OperatorAdd;
use chartseal_events::{Bytes, EventRef, Hash};
use chartseal_infra::faulty::{Call, Deed, Fault};
use chartseal_infra::memory::{Landing, MemoryVault};
use chartseal_infra::ports::Clock as _;
use ed25519_dalek::SigningKey;

use crate::cast::Cast;
use crate::functions::Functions;
use crate::world::Sent;

/// A way to break a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is lost before it lands.
    Before,
    /// It lands, and the answer is lost.
    After,
    /// It lands twice.
    Twice,
    /// It fails, and lands right before the next call.
    LateAtOnce,
    /// It fails, and lands when a few more calls were made.
    LateSoon,
    /// It fails, and lands when all calls were made.
    LateAtTheEnd,
    /// The same bytes on another connection are quicker; for what is no call of a client, everybody else is.
    OvertakenByItself,
    /// The consumer and the sweeper run first, once for everything there is.
    OvertakenByAll,
    /// It succeeds and is slow: the same bytes on another connection are done after it landed, and before its answer is there.
    SlowToItself,
    /// It succeeds and is slow: the consumer and the sweeper run after it landed, and before its answer is there.
    SlowToAll,
    /// It succeeds and is slow: the same bytes, the consumer and the sweeper are done before it lands, and again before its answer is there.
    SlowBothWays,
    /// Of a batch, the first lands, and it fails.
    FirstOfBatch,
    /// Of a batch, all but the first land, and it fails.
    RestOfBatch,
}

impl Kind {
    pub const ALL: [Self; 13] = [
        Self::Before,
        Self::After,
        Self::Twice,
        Self::LateAtOnce,
        Self::LateSoon,
        Self::LateAtTheEnd,
        Self::OvertakenByItself,
        Self::OvertakenByAll,
        Self::SlowToItself,
        Self::SlowToAll,
        Self::SlowBothWays,
        Self::FirstOfBatch,
        Self::RestOfBatch,
    ];

    /// Whether it is worth trying on this call: a read that lands late has landed nowhere.
    pub const fn suits(self, call: Call) -> bool {
        match self {
            Self::LateAtOnce | Self::LateSoon | Self::LateAtTheEnd => call.writes(),
            Self::FirstOfBatch | Self::RestOfBatch => call.is_batch(),
            _ => true,
        }
    }

    /// Whether it breaks batches alone.
    pub const fn is_in_part(self) -> bool {
        matches!(self, Self::FirstOfBatch | Self::RestOfBatch)
    }

    pub fn fault(self, rival: &Rival) -> Fault {
        match self {
            Self::Before => Fault::Before,
            Self::After => Fault::After,
            Self::Twice => Fault::Twice,
            Self::LateAtOnce => Fault::Late(0),
            Self::LateSoon => Fault::Late(3),
            Self::LateAtTheEnd => Fault::Late(usize::MAX),
            Self::OvertakenByItself => Fault::Overtaken(rival.itself()),
            Self::OvertakenByAll => Fault::Overtaken(rival.all()),
            Self::SlowToItself => Fault::Slow(Box::pin(async {}), rival.itself()),
            Self::SlowToAll => Fault::Slow(Box::pin(async {}), rival.all()),
            Self::SlowBothWays => Fault::Slow(rival.everybody(), rival.everybody()),
            Self::FirstOfBatch => Fault::InPart(rival.cut(Landing::First)),
            Self::RestOfBatch => Fault::InPart(rival.cut(Landing::Rest)),
        }
    }
}

/// Who comes in between: on the vault itself, where nothing fails.
#[derive(Clone)]
pub struct Rival {
    pub vault: MemoryVault,
    pub sent: Option<Sent>,
}

impl Rival {
    fn itself(&self) -> Deed {
        let Some(sent) = self.sent.clone() else { return self.all() };
        let functions = Functions(self.vault.clone());
        Box::pin(async move {
            functions.answer(sent.operation, &sent.incoming).await;
        })
    }

    /// An operator adds another: the vault's own stream moves on, which every decision of an operator has seen.
    pub fn bystander(&self, number: u64) -> Deed {
        let functions = Functions(self.vault.clone());
        let mut cast = Cast::new(self.vault.now_ms());
        cast.count_from(number);
        Box::pin(async move {
            let seed = number.to_be_bytes();
            let sign_key = SigningKey::from_bytes(&Hash::of(&[&seed]).0).verifying_key().to_bytes();
            let add = OperatorAdd { sign_key: Bytes(sign_key) };
            let incoming = cast.post("operator", "/operators", add, &[]);
            functions.answer("POST /operators", &incoming).await;
        })
    }

    /// The same bytes, and then all others.
    fn everybody(&self) -> Deed {
        let (itself, all) = (self.itself(), self.all());
        Box::pin(async move {
            itself.await;
            all.await;
        })
    }

    fn cut(&self, landing: Landing) -> Deed {
        let vault = self.vault.clone();
        Box::pin(async move { vault.cut_next(landing) })
    }

    fn all(&self) -> Deed {
        let vault = self.vault.clone();
        Box::pin(async move {
            let places: Vec<EventRef> = vault.events().iter().map(|event| event.at).collect();
            let objects = vault.blob_keys();
            let functions = Functions(vault);
            for key in objects {
                functions.commit(&key).await.expect("nothing fails here");
            }
            functions.consume(&places).await;
            functions.sweep().await.expect("nothing fails here");
        })
    }
}
