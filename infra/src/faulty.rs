//! The twin that fails when a test says so. [`Faulty`] wraps whatever has ports and has them itself; a [`Plan`] says which call meets which [`Fault`].
//! Twins may share one plan: then it counts the calls of a whole story, whichever port they are of.
//!
//! In scope: every call of every port, reads too. Out of scope: what the vault does about it, and the clock, which never fails.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use chartseal_events::StreamId;
//! use chartseal_infra::faulty::{Call, Fault, Faulty};
//! use chartseal_infra::memory::MemoryVault;
//! use chartseal_infra::ports::EventStore as _;
//!
//! let store = Faulty::new(MemoryVault::new());
//! store.plan().fail_next(Call::Load, Fault::Before);
//! assert!(store.load(&StreamId::Vault).await.is_err());
//! assert!(store.load(&StreamId::Vault).await.is_ok());
//! assert_eq!(store.plan().take_calls(), [Call::Load, Call::Load]);
//! # });
//! ```

/// `call!(self, Append, (append = append.clone()) port => port.append(&append))`: the values are kept for the call, and for each time it is made.
macro_rules! call {
    ($twin:ident, $call:ident, ($($kept:ident = $value:expr),*) $port:ident => $done:expr) => {{
        $(let $kept = $value;)*
        $twin
            .call(Call::$call, move |$port| {
                $(let $kept = $kept.clone();)*
                async move { $done.await }
            })
            .await
    }};
}

mod call;
mod ledger;
mod plan;
mod ports;

use std::future::Future;
use std::pin::Pin;

use crate::ports::{Append, EventStore, StoreError};

pub use call::Call;
pub use plan::Plan;

/// Something that is done in its own time.
pub type Deed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What happens to a call.
pub enum Fault {
    /// It fails and did not take effect.
    Before,
    /// It takes effect, and the answer is lost, whatever it was.
    After,
    /// It fails, and takes effect later: before the call that is this many calls further on, or when [`Plan::land`] says so.
    Late(usize),
    /// It takes effect twice, as when somebody on the way sends it again; the second answer counts.
    Twice,
    /// Somebody else is quicker: this is done first.
    Overtaken(Deed),
    /// It is slow and succeeds: the first is done before it takes effect, the second after that and before its good answer is there.
    Slow(Deed, Deed),
    /// A batch breaks off in the middle, because this tells the port so: some of it takes effect, and it fails.
    InPart(Deed),
}

impl Fault {
    /// Somebody else's append takes effect first.
    ///
    /// # Panics
    /// When the time has come, where that append fails.
    pub fn overtaken_by<S: EventStore + Clone + 'static>(store: &S, append: Append) -> Self {
        let store = store.clone();
        Self::Overtaken(Box::pin(async move { store.append(&append).await.expect("the quicker one is taken") }))
    }

    /// The word for it in a report.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Late(_) => "late",
            Self::Twice => "twice",
            Self::Overtaken(_) => "overtaken",
            Self::Slow(..) => "slow",
            Self::InPart(_) => "in part",
        }
    }
}

/// The error of a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a test took the answer away")]
pub struct AnswerLost;

/// Ports that fail at chosen calls. Clones share the plan.
#[derive(Clone)]
pub struct Faulty<P> {
    port: P,
    plan: Plan,
}

impl<P> Faulty<P> {
    /// Fails nothing yet.
    pub fn new(port: P) -> Self {
        Self::with(port, Plan::default())
    }

    /// Fails what this plan says.
    pub const fn with(port: P, plan: Plan) -> Self {
        Self { port, plan }
    }

    /// What fails, and what was called.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl<P: Clone + Send + Sync + 'static> Faulty<P> {
    /// Makes a call, or what the plan makes of it.
    async fn call<T, D, F>(&self, call: Call, done: D) -> Result<T, StoreError>
    where
        D: Fn(P) -> F + Send,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (fault, landing) = self.plan.meet(call);
        for deed in landing {
            deed.await;
        }
        let port = || self.port.clone();
        match fault {
            None => done(port()).await,
            Some(Fault::Before) => Err(lost()),
            Some(Fault::After) => {
                drop(done(port()).await);
                Err(lost())
            }
            Some(Fault::Late(calls)) => {
                let late = done(port());
                self.plan.put_under_way(calls, Box::pin(async move { drop(late.await) }));
                Err(lost())
            }
            Some(Fault::Twice) => {
                drop(done(port()).await);
                done(port()).await
            }
            Some(Fault::Overtaken(first) | Fault::InPart(first)) => {
                first.await;
                done(port()).await
            }
            Some(Fault::Slow(before, after)) => {
                before.await;
                let answer = done(port()).await;
                after.await;
                answer
            }
        }
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable { service: "the failing twin", source: Box::new(AnswerLost) }
}
