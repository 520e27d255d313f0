//! What is seen of a provider. Itself and operators see all of it, in whatever state it is; auditors the same without how to reach its people; other
//! verified providers a verified one's name and keys; to everybody else it does not exist.

use chartseal_events::private::PrivatePart;
use chartseal_events::state::{Provider, ProviderStatus};
use chartseal_events::wire::ProviderProfile;
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
    let Sight { in_any_state, contact } = sight(caller, id)?;
    let stream = StreamId::Provider(id);
    let view = road::look(&vault.events, [stream], now_ms).await?;
    let shown = |provider: &&Provider| in_any_state || provider.status == ProviderStatus::Verified;
    let provider = view.provider(id).filter(shown).ok_or(Code::NotFound)?;
    Answer::ok(&profile(vault, provider, contact, now_ms).await?)
}

/// What a caller sees of a provider beyond what others see of a verified one.
struct Sight {
    /// Also where it is not verified.
    in_any_state: bool,
    /// Name, phone and email of who registered it.
    contact: bool,
}

fn sight(caller: Caller, id: Id) -> Result<Sight, Failure> {
    match caller {
        Caller::Operator(_) => Ok(Sight { in_any_state: true, contact: true }),
        Caller::Auditor(_) => Ok(Sight { in_any_state: true, contact: false }),
        Caller::Staff { provider, .. } if provider == id => Ok(Sight { in_any_state: true, contact: true }),
        Caller::Staff { .. } => {
            caller.reader().map(|_| Sight { in_any_state: false, contact: false }).map_err(Failure::from)
        }
    }
}

async fn profile<E: EventStore, C: Clock>(
    vault: &Register<E, C>,
    provider: &Provider,
    contact: bool,
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
    let (view, mut private, evidence) = try_join3(view, private, evidence_closure(&vault.events, streams)).await?;
    private.retain(|name, _| contact || name == "organisation");
    let staff = provider.registration.and_then(|registration| view.staff(registration.staff));
    Ok(ProviderProfile {
        provider: provider.id,
        status: provider.status.name().to_owned(),
        sign_key: staff.map(|staff| staff.sign_key),
        seal_key: staff.map(|staff| staff.seal_key),
        private,
        evidence,
    })
}
