//! The vault begins, hospitals arrive, and one of them leaves.

use chartseal_events::command::{
    AuditorAdd, AuditorRemove, OperatorAdd, OperatorRemove, ProviderInvite, ProviderRegister, ProviderSuspend,
    ProviderVerify,
};
use chartseal_events::decide::code_hash;
use chartseal_events::wire::{Accepted, Health, ProviderProfile, Registered};
use chartseal_events::{Bytes, Hash, Id, Kid, StreamId};
use chartseal_http::testing::Wallet;

use super::People;
use crate::vault::Vault;

const CODE: [u8; 16] = [0xC0; 16];
const PRIVATE: [(&str, &str); 3] =
    [("organisation", "St. Mary's Hospital"), ("name", "Ann Example"), ("phone", "+49 30 1234567")];

/// The vault begins, and two hospitals are invited, register, and are verified. The first one's way is measured.
pub async fn arrive(vault: &Vault) -> People {
    vault.measure("genesis", "a new stack", async { (vault.genesis().await, 0) }).await;
    vault.measure("genesis, again", "an update of the stack", async { (vault.genesis().await, 0) }).await;
    let asked = vault.stage.send("GET", "/healthz", Vec::new());
    let _: Health =
        vault.measure_call(("GET /healthz", "the vault's stream has 1 event"), &vault.healthz(), &asked, 200).await;

    let owner = hospital(vault, true).await;
    let requester = hospital(vault, false).await;
    let asked = vault.stage.get(&requester, &format!("/providers/{}", owner.provider()));
    let situation = "a verified provider looks at another one; its stream has 3 events";
    let _: ProviderProfile =
        vault.measure_call(("GET /providers/{id}", situation), &vault.register(), &asked, 200).await;
    People { owner, requester }
}

async fn hospital(vault: &Vault, measured: bool) -> Wallet {
    let (stage, operator, register) = (&vault.stage, &vault.stage.operator, vault.register());
    let invite = ProviderInvite { code_hash: code_hash(&CODE), expires_at: stage.now_ms() + 86_400_000 };
    let asked = stage.post(operator, "/invitations", invite, &[("note", "the hospital in the valley")]);
    let invited: Accepted = if measured {
        vault.measure_call(("POST /invitations", "1 operator"), &register, &asked, 201).await
    } else {
        vault.send(&register, &asked, 201).await
    };
    let StreamId::Provider(provider) = invited.event.stream else { panic!("an invitation begins a provider") };

    let wallet = stage.new_wallet();
    let (sign_key, seal_key) = (wallet.sign_key(), wallet.seal_key());
    let action = ProviderRegister { provider, code: Bytes(CODE), sign_key, seal_key };
    let asked = stage.post(&wallet, "/providers", action, &PRIVATE);
    let registered: Registered = if measured {
        vault.measure_call(("POST /providers", "invited"), &register, &asked, 201).await
    } else {
        vault.send(&register, &asked, 201).await
    };

    let verify = ProviderVerify { provider, head: vault.head(StreamId::Provider(provider)).await };
    let asked = stage.post(operator, &format!("/providers/{provider}/verify"), verify, &[]);
    let _: Accepted = if measured {
        vault.measure_call(("POST /providers/{id}/verify", "registered"), &register, &asked, 201).await
    } else {
        vault.send(&register, &asked, 201).await
    };
    Wallet { kid: Kid::Person(registered.staff), act: Some(provider), ..wallet }
}

/// A hospital is suspended; operators and auditors come and go.
pub async fn leave(vault: &Vault, people: &People) {
    let (stage, operator, register) = (&vault.stage, &vault.stage.operator, vault.register());
    let provider: Id = people.requester.provider();
    let path = format!("/providers/{provider}/suspend");
    let asked = stage.post(operator, &path, ProviderSuspend { provider }, &[("reason", "an audit")]);
    let name = ("POST /providers/{id}/suspend", "verified");
    let _: Accepted = vault.measure_call(name, &register, &asked, 201).await;

    let other = Wallet::operator(0xF7);
    let asked = stage.post(operator, "/operators", OperatorAdd { sign_key: other.sign_key() }, &[]);
    let _: Accepted = vault.measure_call(("POST /operators", "1 operator"), &register, &asked, 201).await;
    let path = format!("/operators/{}/remove", other.thumbprint());
    let remove = OperatorRemove { operator: other.thumbprint() };
    let asked = stage.post(operator, &path, remove, &[("reason", "has left")]);
    let removed: Accepted =
        vault.measure_call(("POST /operators/{kid}/remove", "2 operators"), &register, &asked, 201).await;
    assert_ne!(removed.event.leaf, Hash::ZERO);
    let of_others = vec![removed.event.stored().at];
    let situation = "one event of a stream from which nothing follows";
    vault.measure("consumer, other streams", situation, async { (vault.consume(&of_others).await, 0) }).await;

    let auditor = Wallet::operator(0xF8);
    let asked = stage.post(operator, "/auditors", AuditorAdd { sign_key: auditor.sign_key() }, &[]);
    let _: Accepted = vault.measure_call(("POST /auditors", "1 operator"), &register, &asked, 201).await;
    let path = format!("/auditors/{}/remove", auditor.thumbprint());
    let remove = AuditorRemove { auditor: auditor.thumbprint() };
    let asked = stage.post(operator, &path, remove, &[("reason", "the audit is over")]);
    let name = ("POST /auditors/{kid}/remove", "1 operator, 1 auditor");
    let _: Accepted = vault.measure_call(name, &register, &asked, 201).await;
}
