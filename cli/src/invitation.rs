//! Invitations: `chartseal-invite-v1.` and base64url of a JSON object. It carries the vault's address, what it is proven back to, and a code that
//! is good for one registration; an operator hands it over by whatever way reaches the right person.

use std::fmt;
use std::str::FromStr;

use chartseal_events::encoding::{base64url, from_base64url};
use chartseal_events::{Bytes, Hash, Id, strict};
use serde::{Deserialize, Serialize};

use crate::vault::VaultPin;

const PREFIX: &str = "chartseal-invite-v1.";
/// Longest invitation.
const MAX_INVITATION_BYTES: usize = 4096;

/// Text that is no invitation. It is not repeated: it may hold a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is not an invitation")]
pub struct InvitationError;

/// An invitation to register. Its `Debug` does not show the code.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The vault.
    pub vault: VaultPin,
    /// The cloud ID that waits for the organisation.
    pub provider: Id,
    /// Good for one registration.
    pub code: Bytes<16>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    api: String,
    origin: String,
    genesis: Hash,
    provider: Id,
    code: Bytes<16>,
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VaultPin { api, origin, genesis } = self.vault.clone();
        let text = Text { api, origin, genesis, provider: self.provider, code: self.code };
        let json = serde_json::to_vec(&text).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", base64url(&json))
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invitation({}, code ..)", self.provider)
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    fn from_str(text: &str) -> Result<Self, InvitationError> {
        let encoded = text.trim().strip_prefix(PREFIX).filter(|rest| rest.len() <= MAX_INVITATION_BYTES);
        let json = from_base64url(encoded.ok_or(InvitationError)?).map_err(|_| InvitationError)?;
        let Text { api, origin, genesis, provider, code } = strict::parse(&json).map_err(|_| InvitationError)?;
        Ok(Self { vault: VaultPin { api, origin, genesis }, provider, code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_survives_its_text_and_hides_its_code() {
        let vault = VaultPin { api: "https://v.example".into(), origin: "v.example".into(), genesis: Hash([4; 32]) };
        let invitation = Invitation { vault, provider: Id::from_parts(1, [2; 10]), code: Bytes([0x5a; 16]) };
        let text = invitation.to_string();
        assert_eq!(format!(" {text}\n").parse(), Ok(invitation.clone()));
        assert!(!format!("{invitation:?}").contains(&invitation.code.to_string()));
        for bad in ["", "chartseal-invite-v1.", &text[1..], &text[..text.len() - 3], &text.replace("v1", "v2")] {
            assert_eq!(bad.parse::<Invitation>(), Err(InvitationError), "{bad}");
        }
    }
}
