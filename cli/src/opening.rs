//! Private values, held to what somebody signed: the vault shows them, and cannot put others in their place.

use chartseal_events::Event;
use chartseal_events::private::{PrivatePart, PrivateValue};

use crate::tampering::Tampering;

/// Checks that the command of an event commits to this value under this name.
pub(crate) fn check(event: &Event, name: &str, value: &PrivateValue) -> Result<(), Tampering> {
    let committed = event.command.as_ref().and_then(|command| command.private.get(name));
    if committed == Some(&value.commitment()) { Ok(()) } else { Err(Tampering::PrivateValue) }
}

/// Checks all of them.
pub(crate) fn check_all(event: &Event, part: &PrivatePart) -> Result<(), Tampering> {
    part.iter().try_for_each(|(name, value)| check(event, name, value))
}
