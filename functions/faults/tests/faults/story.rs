//! The story: every operation of the API at least once, some of them refused, and every reaction. Each group is one thing that somebody does; what
//! follows from it (stream, object events, workflow, sweeper) follows within the group.

use chartseal_events::Code;
use chartseal_http::Incoming;
use chartseal_infra::memory::MemoryVault;

use crate::cast::Cast;

mod access;
mod people;
mod records;

pub use records::token;

/// Makes the bytes of a call.
pub type Make = fn(&mut Cast) -> Incoming;
/// Learns from the answer to it.
pub type Learn = fn(&mut Cast, &str);

/// What somebody does.
#[derive(Clone, Copy)]
pub enum Act {
    /// The stack is created.
    Genesis,
    /// A client calls, until it has its answer.
    Call {
        /// The operation, as docs/openapi.json has it.
        operation: &'static str,
        /// The call.
        make: Make,
        /// What the client learns from a good answer.
        learn: Learn,
        /// The refusal that is to come; none where the call is to be taken.
        refused: Option<Code>,
    },
    /// A client sends to S3, or time passes.
    Outside(fn(&MemoryVault, &Cast)),
}

/// A part of the story.
#[derive(Clone, Copy)]
pub struct Group {
    pub name: &'static str,
    pub act: Act,
}

/// The whole story.
pub fn story() -> Vec<Group> {
    let mut groups = vec![Group { name: "the stack is created", act: Act::Genesis }];
    groups.extend(people::beginning());
    groups.extend(records::first_version());
    groups.extend(records::second_version_in_parts());
    groups.extend(records::two_runs());
    groups.extend(access::approved());
    groups.extend(access::denied());
    groups.extend(records::never_uploaded());
    groups.extend(access::over());
    groups.extend(people::end());
    groups
}

const fn call(name: &'static str, operation: &'static str, make: Make, learn: Learn) -> Group {
    Group { name, act: Act::Call { operation, make, learn, refused: None } }
}

const fn refused(name: &'static str, operation: &'static str, make: Make, code: Code) -> Group {
    Group { name, act: Act::Call { operation, make, learn: nothing, refused: Some(code) } }
}

const fn outside(name: &'static str, done: fn(&MemoryVault, &Cast)) -> Group {
    Group { name, act: Act::Outside(done) }
}

fn nothing(_: &mut Cast, _: &str) {}
