//! Operators, auditors and providers: inviting, registering, verifying, suspending, and who may be an operator or an auditor.

use chartseal_events::command::{
    AuditorAdd, AuditorRemove, OperatorAdd, OperatorRemove, ProviderInvite, ProviderRegister, ProviderSuspend,
    ProviderVerify,
};
use chartseal_events::decide::code_hash;
use chartseal_events::evidence::Sound;
use chartseal_events::private::PrivatePart;
use chartseal_events::wire::{Accepted, ProviderProfile, Registered};
use chartseal_events::{Bytes, Event, Hash, Id, Outcome, StreamId, Thumbprint};

use crate::client::{Call, Client, Taken, random, steadily};
use crate::error::Error;
use crate::invitation::Invitation;
use crate::opening;
use crate::tampering::Tampering;
use crate::wallet::{Identity, Member};

const DAY_MS: u64 = 24 * 3_600_000;

/// An invitation that was made.
#[derive(Debug, Clone)]
pub struct Invited {
    /// What the organisation gets.
    pub invitation: Invitation,
    /// `provider.invited.v1`
    pub event: Event,
}

/// Who registers an organisation. All of it is private.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// The organisation's name.
    pub organisation: &'a str,
    /// The person's name.
    pub name: &'a str,
    /// The person's phone.
    pub phone: &'a str,
    /// The person's email address.
    pub email: Option<&'a str>,
}

/// A provider whose evidence has been checked and says what the profile says.
#[derive(Debug, Clone)]
pub struct CheckedProvider {
    /// What the vault shows.
    pub profile: ProviderProfile,
    /// The leaf hash of the provider's last event: a decision names it.
    pub head: Hash,
    /// What is proven.
    pub sound: Sound,
}

impl CheckedProvider {
    /// A private value of its registration, which its wallet signed a commitment to.
    pub fn private(&self, name: &str) -> Option<&str> {
        self.profile.private.get(name).map(|private| private.value.as_str())
    }

    /// The last event of its stream.
    pub fn last_event(&self) -> Option<&Event> {
        self.sound.events.get(&StreamId::Provider(self.profile.provider))?.last()
    }
}

/// A provider as the other party of a request knows it: what it says of itself, held to what it signed, its keys, and who vouched for it.
#[derive(Debug, Clone)]
pub struct KnownParty {
    /// Its cloud ID.
    pub provider: Id,
    /// The organisation's name; none where it was erased.
    pub organisation: Option<String>,
    /// The name of the person who registered it; none where it was erased.
    pub name: Option<String>,
    /// The person's Ed25519 public key.
    pub sign_key: Bytes<32>,
    /// The person's X25519 public key.
    pub seal_key: Bytes<32>,
    /// `provider.registered.v1`, signed by that key.
    pub registered: Event,
    /// The last `provider.verified.v1`, signed by an operator; none where nobody has vouched for it.
    pub verified: Option<Event>,
}

impl KnownParty {
    /// From evidence, and values that its registration must commit to.
    pub(crate) fn of(provider: Id, private: &PrivatePart, sound: &Sound) -> Result<Self, Tampering> {
        const WHO: Tampering = Tampering::NotShown("who a party is");
        let registration = sound.view.provider(provider).and_then(|proven| proven.registration).ok_or(WHO)?;
        let stream = StreamId::Provider(provider);
        let registered = sound.event(&stream, registration.seq).ok_or(WHO)?.clone();
        opening::check_all(&registered, private)?;
        let staff = sound.view.staff(registration.staff).ok_or(WHO)?;
        let events = sound.events.get(&stream).map(Vec::as_slice).unwrap_or_default();
        let verified = events.iter().rfind(|event| matches!(event.outcome, Outcome::ProviderVerified(_)));
        let value = |name: &str| private.get(name).map(|private| private.value.clone());
        Ok(Self {
            provider,
            organisation: value("organisation"),
            name: value("name"),
            sign_key: staff.sign_key,
            seal_key: staff.seal_key,
            registered,
            verified: verified.cloned(),
        })
    }
}

impl Client {
    /// Checks that the vault is the pinned one and that this wallet is one of its operators' or auditors' now. Returns the genesis event.
    pub fn connect_operator(&self) -> Result<Event, Error> {
        let sound = self.vault.accept(&self.vault.health()?)?;
        let operators = sound.view.operators().ok_or(Tampering::NotShown("the vault's operators"))?;
        let kid = self.wallet.thumbprint();
        let is_known = operators.keys.contains_key(&kid) || operators.auditors.contains_key(&kid);
        if !self.wallet.is_operator() || !is_known {
            return Err(Error::WrongWallet("the wallet of an operator or an auditor of this vault"));
        }
        Ok(sound.event(&StreamId::Vault, 0).ok_or(Tampering::OtherVault)?.clone())
    }

    /// Makes another key an operator's.
    pub fn add_operator(&self, sign_key: Bytes<32>) -> Result<Event, Error> {
        self.send::<Accepted>(&Call::new("/operators", OperatorAdd { sign_key })).map(|taken| taken.event)
    }

    /// Takes an operator's rights away.
    pub fn remove_operator(&self, operator: Thumbprint, reason: &str) -> Result<Event, Error> {
        let path = format!("/operators/{operator}/remove");
        let call = Call::new(&path, OperatorRemove { operator });
        self.send::<Accepted>(&call.private(&[("reason", reason)])).map(|taken| taken.event)
    }

    /// Makes a key an auditor's: it may read what operators read.
    pub fn add_auditor(&self, sign_key: Bytes<32>) -> Result<Event, Error> {
        self.send::<Accepted>(&Call::new("/auditors", AuditorAdd { sign_key })).map(|taken| taken.event)
    }

    /// Takes an auditor's rights away.
    pub fn remove_auditor(&self, auditor: Thumbprint, reason: &str) -> Result<Event, Error> {
        let path = format!("/auditors/{auditor}/remove");
        let call = Call::new(&path, AuditorRemove { auditor });
        self.send::<Accepted>(&call.private(&[("reason", reason)])).map(|taken| taken.event)
    }

    /// Invites an organisation.
    pub fn invite(&self, note: Option<&str>, days: u64) -> Result<Invited, Error> {
        let code = Bytes(random()?);
        let invite = ProviderInvite {
            code_hash: code_hash(&code.0),
            // A minute less than asked for, so that the longest invitation is within its bound on both clocks.
            expires_at: self.vault.now_ms() + (days * DAY_MS).saturating_sub(60_000),
        };
        let private: Vec<_> = note.map(|note| ("note", note)).into_iter().collect();
        let taken = self.send::<Accepted>(&Call::new("/invitations", invite).private(&private))?;
        let StreamId::Provider(provider) = taken.event.place.stream else {
            return Err(Tampering::ReceiptOutcome(taken.event.place).into());
        };
        let invitation = Invitation { vault: self.vault.pin().clone(), provider, code };
        Ok(Invited { invitation, event: taken.event })
    }

    /// Registers an organisation with this wallet, which knows from then on who it is.
    pub fn register(&mut self, invitation: &Invitation, who: &Person<'_>) -> Result<Taken<Registered>, Error> {
        if self.wallet.identity != (Identity::Staff { member: None }) {
            return Err(Error::WrongWallet("a new wallet, made by `chartseal wallet create`"));
        }
        // A vault that is not the invitation's should be noticed before names are sent to it.
        self.vault.genesis()?;
        let register = ProviderRegister {
            provider: invitation.provider,
            code: invitation.code,
            sign_key: self.wallet.sign_key(),
            seal_key: self.wallet.seal_key(),
        };
        let mut private = vec![("organisation", who.organisation), ("name", who.name), ("phone", who.phone)];
        private.extend(who.email.map(|email| ("email", email)));
        let taken = self.send::<Registered>(&Call::new("/providers", register).private(&private))?;
        // The receipt check has compared the event's person with the one that follows from the command.
        let Outcome::ProviderRegistered(registered) = &taken.event.outcome else {
            return Err(Tampering::ReceiptOutcome(taken.event.place).into());
        };
        if taken.answer.provider != invitation.provider || taken.answer.staff != registered.staff {
            return Err(Tampering::AnswerDiffers("the provider's or the person's id").into());
        }
        let member = Member { kid: registered.staff, provider: invitation.provider };
        self.wallet.identity = Identity::Staff { member: Some(member) };
        self.wallet.vault = Some(self.vault.pin().clone());
        Ok(taken)
    }

    /// A provider's public profile.
    pub fn show_provider(&self, provider: Id) -> Result<CheckedProvider, Error> {
        steadily(|| self.look_at_provider(provider))
    }

    fn look_at_provider(&self, provider: Id) -> Result<CheckedProvider, Error> {
        let profile: ProviderProfile = self.read(&format!("/providers/{provider}"))?;
        let sound = self.vault.verify(&profile.evidence)?;
        let proven = sound.view.provider(provider).ok_or(Tampering::NotShown("the provider"))?;
        if profile.provider != provider || profile.status != proven.status.name() {
            return Err(Tampering::AnswerDiffers("the provider's status").into());
        }
        if profile.sign_key != proven.registration.map(|registration| registration.sign_key) {
            return Err(Tampering::AnswerDiffers("the provider's signing key").into());
        }
        if let Some(registration) = proven.registration {
            let registered = sound.event(&StreamId::Provider(provider), registration.seq);
            opening::check_all(registered.ok_or(Tampering::NotShown("the registration"))?, &profile.private)?;
        } else if !profile.private.is_empty() {
            return Err(Tampering::PrivateValue.into());
        }
        if let Some(seal_key) = profile.seal_key {
            let staff = proven.registration.and_then(|registration| sound.view.staff(registration.staff));
            if staff.is_none_or(|staff| staff.seal_key != seal_key) {
                return Err(Tampering::AnswerDiffers("the provider's encryption key").into());
            }
        }
        let head = sound.view.history(&StreamId::Provider(provider)).and_then(|history| history.head);
        let head = head.ok_or(Tampering::NotShown("the provider"))?.leaf;
        Ok(CheckedProvider { profile, head, sound })
    }

    /// Vouches for a provider, as it was looked at.
    pub fn verify_provider(&self, looked_at: &CheckedProvider) -> Result<Event, Error> {
        let provider = looked_at.profile.provider;
        let path = format!("/providers/{provider}/verify");
        let call = Call::new(&path, ProviderVerify { provider, head: looked_at.head });
        self.send::<Accepted>(&call).map(|taken| taken.event)
    }

    /// Suspends a provider.
    pub fn suspend_provider(&self, provider: Id, reason: &str) -> Result<Event, Error> {
        let path = format!("/providers/{provider}/suspend");
        let call = Call::new(&path, ProviderSuspend { provider });
        self.send::<Accepted>(&call.private(&[("reason", reason)])).map(|taken| taken.event)
    }
}
