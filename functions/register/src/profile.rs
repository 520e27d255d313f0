//! What is seen of a provider. Itself, operators and auditors see all of it, in whatever state it is; other verified providers see a verified one's name and
//! keys; to everybody else it does not exist.

use chartseal_events::private::PrivatePart;
use chartseal_events::state::{Provider, ProviderStatus};
use chartseal_events::wire::{Contact, ProviderProfile};
use chartseal_events::{Code, EventRef, Id, StreamId, View};
use chartseal_http::{Answer, Caller, Failure, Incoming, PathValues, authenticate, evidence_closure};
use chartseal_infra::ports::{Clock, EventStore};
use chartseal_infra::road;
use futures_util::future::try_join3;

use crate::Register;

/// Look at a provider
///
/// A pending or suspended provider may look at itself alone.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/providers/{id}", tag = "providers",
    params(("id" = String, Path, description = "The provider's cloud ID.")),
    responses((status = 200, description = "The provider, with the events behind it.", body = ProviderProfile)),
))]
pub async fn show<E: EventStore, C: Clock>(
    vault: &Register<E, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let caller = authenticate(incoming, &vault.origin, &vault.events, now_ms).await?;
    let id = path.id("id")?;
    let whole = sees_all(caller, id)?;
    let stream = StreamId::Provider(id);
    let view = road::look(&vault.events, [stream], now_ms).await?;
    let shown = |provider: &&Provider| whole || provider.status == ProviderStatus::Verified;
    let provider = view.provider(id).filter(shown).ok_or(Code::NotFound)?;
    Answer::ok(&profile(vault, provider, whole, now_ms).await?)
}

/// Whether the caller sees everything of this provider, or what others see.
fn sees_all(caller: Caller, id: Id) -> Result<bool, Failure> {
    match caller {
        Caller::Operator(_) | Caller::Auditor(_) => Ok(true),
        Caller::Staff { provider, .. } if provider == id => Ok(true),
        Caller::Staff { .. } => caller.reader().map(|_| false).map_err(Failure::from),
    }
}

async fn profile<E: EventStore, C: Clock>(
    vault: &Register<E, C>,
    provider: &Provider,
    whole: bool,
    now_ms: u64,
) -> Result<ProviderProfile, Failure> {
    let stream = StreamId::Provider(provider.id);
    let mut streams = vec![StreamId::Vault, stream];
    streams.extend(provider.registration.map(|registration| StreamId::Staff(registration.staff)));
    let view = async {
        match provider.registration {
            Some(registration) => road::look(&vault.events, [StreamId::Staff(registration.staff)], now_ms).await,
            None => Ok(View::default()),
        }
    };
    let private = async {
        match provider.registration {
            Some(registration) => Ok(vault.events.private(&EventRef { stream, seq: registration.seq }).await?),
            None => Ok(PrivatePart::new()),
        }
    };
    let (view, private, evidence) = try_join3(view, private, evidence_closure(&vault.events, streams)).await?;
    let staff = provider.registration.and_then(|registration| view.staff(registration.staff));
    Ok(ProviderProfile {
        provider: provider.id,
        status: provider.status.name().to_owned(),
        organisation: value(&private, "organisation"),
        sign_key: staff.map(|staff| staff.sign_key),
        seal_key: staff.map(|staff| staff.seal_key),
        contact: if whole { contact(&private) } else { None },
        evidence,
    })
}

fn contact(private: &PrivatePart) -> Option<Contact> {
    Some(Contact { name: value(private, "name")?, phone: value(private, "phone")?, email: value(private, "email") })
}

fn value(private: &PrivatePart, name: &str) -> Option<String> {
    private.get(name).map(|private| private.value.clone())
}
