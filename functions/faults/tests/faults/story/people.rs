//! Operators and providers: how they come, and how they go.

use chartseal_events::command::{
    AuditorAdd, AuditorRemove, OperatorAdd, OperatorRemove, ProviderInvite, ProviderRegister, ProviderSuspend,
    ProviderVerify, RecordCreate,
};
use chartseal_events::decide::code_hash;
use chartseal_events::wire::{Accepted, Health, ProviderProfile, Registered};
use chartseal_events::{Bytes, Code, Kid, StreamId};
use chartseal_http::Incoming;

use super::{Group, call, nothing, refused};
use crate::cast::{Cast, read};

const CODE: [u8; 16] = [0xC0; 16];

pub fn beginning() -> Vec<Group> {
    vec![
        call(
            "anybody asks for the vault",
            "GET /healthz",
            |cast| cast.send("GET", "/healthz", ""),
            |cast, json| {
                cast.hashes.insert("genesis", read::<Health>(json).genesis.expect("begun"));
            },
        ),
        call("an operator adds another", "POST /operators", add_operator, nothing),
        call("an operator adds an auditor", "POST /auditors", add_auditor, nothing),
        call("ann is invited", "POST /invitations", invite, |cast, json| invited(cast, json, "ann")),
        call("bob is invited", "POST /invitations", invite, |cast, json| invited(cast, json, "bob")),
        call("cyd is invited", "POST /invitations", invite, |cast, json| invited(cast, json, "cyd")),
        call(
            "ann registers",
            "POST /providers",
            |cast| register(cast, "ann", "ann"),
            |cast, json| {
                registered(cast, json, "ann");
            },
        ),
        call(
            "bob registers",
            "POST /providers",
            |cast| register(cast, "bob", "bob"),
            |cast, json| {
                registered(cast, json, "bob");
            },
        ),
        refused(
            "cyd comes with ann's invitation",
            "POST /providers",
            |cast| register(cast, "cyd", "ann"),
            Code::InvitationUsed,
        ),
        call(
            "cyd registers",
            "POST /providers",
            |cast| register(cast, "cyd", "cyd"),
            |cast, json| {
                registered(cast, json, "cyd");
            },
        ),
        refused(
            "ann is not verified yet",
            "POST /records",
            |cast| cast.post("ann", "/records", RecordCreate {}, &[]),
            Code::ProviderPending,
        ),
        refused(
            "an auditor commands nothing",
            "POST /invitations",
            |cast| {
                let code_hash = code_hash(&CODE);
                let invite = ProviderInvite { code_hash, expires_at: cast.now_ms + 86_400_000 };
                cast.post("auditor", "/invitations", invite, &[])
            },
            Code::NotOperator,
        ),
        call("an operator looks at ann", "GET /providers/{id}", look_at_ann, |_, json| {
            assert_eq!(read::<ProviderProfile>(json).status, "pending");
        }),
        call("ann is verified", "POST /providers/{id}/verify", |cast| verify(cast, "ann"), nothing),
        call("bob is verified", "POST /providers/{id}/verify", |cast| verify(cast, "bob"), nothing),
        call("cyd is verified", "POST /providers/{id}/verify", |cast| verify(cast, "cyd"), nothing),
    ]
}

pub fn end() -> Vec<Group> {
    vec![
        call("cyd is suspended", "POST /providers/{id}/suspend", suspend_cyd, nothing),
        refused(
            "cyd may do nothing any more",
            "POST /records",
            |cast| cast.post("cyd", "/records", RecordCreate {}, &[]),
            Code::ProviderSuspended,
        ),
        call("the auditor goes", "POST /auditors/{kid}/remove", remove_auditor, nothing),
        refused(
            "the auditor sees nothing any more",
            "GET /providers/{id}",
            |cast| {
                let path = format!("/providers/{}", cast.ids["ann"]);
                cast.read("auditor", "GET", &path, "")
            },
            Code::UnknownSigner,
        ),
        call("the second operator goes", "POST /operators/{kid}/remove", remove_operator, nothing),
    ]
}

fn add_operator(cast: &mut Cast) -> Incoming {
    let sign_key = cast.wallets["second operator"].sign_key();
    cast.post("operator", "/operators", OperatorAdd { sign_key }, &[])
}

fn remove_operator(cast: &mut Cast) -> Incoming {
    let operator = cast.wallets["second operator"].thumbprint();
    let path = format!("/operators/{operator}/remove");
    cast.post("operator", &path, OperatorRemove { operator }, &[("reason", "reasoned-because of age")])
}

fn add_auditor(cast: &mut Cast) -> Incoming {
    let sign_key = cast.wallets["auditor"].sign_key();
    cast.post("operator", "/auditors", AuditorAdd { sign_key }, &[])
}

fn remove_auditor(cast: &mut Cast) -> Incoming {
    let auditor = cast.wallets["auditor"].thumbprint();
    let path = format!("/auditors/{auditor}/remove");
    cast.post("operator", &path, AuditorRemove { auditor }, &[("reason", "reasoned-because it is over")])
}

fn invite(cast: &mut Cast) -> Incoming {
    let invite = ProviderInvite { code_hash: code_hash(&CODE), expires_at: cast.now_ms + 86_400_000 };
    cast.post("operator", "/invitations", invite, &[("note", "noted-as trustworthy")])
}

fn invited(cast: &mut Cast, json: &str, who: &'static str) {
    let StreamId::Provider(id) = read::<Accepted>(json).event.stream else { panic!("a provider's stream") };
    cast.ids.insert(who, id);
}

fn register(cast: &mut Cast, who: &str, invitation: &str) -> Incoming {
    let wallet = &cast.wallets[who];
    let register = ProviderRegister {
        provider: cast.ids[invitation],
        code: Bytes(CODE),
        sign_key: wallet.sign_key(),
        seal_key: wallet.seal_key(),
    };
    let private = [("organisation", "Zacharias Hospital"), ("name", "Zacharias"), ("phone", "0190-555")];
    cast.post(who, "/providers", register, &private)
}

fn registered(cast: &mut Cast, json: &str, who: &'static str) {
    let registered: Registered = read(json);
    cast.hashes.insert(who, registered.event.leaf);
    let wallet = cast.wallets.get_mut(who).expect("a wallet");
    wallet.kid = Kid::Person(registered.staff);
    wallet.act = Some(registered.provider);
}

fn look_at_ann(cast: &mut Cast) -> Incoming {
    let path = format!("/providers/{}", cast.ids["ann"]);
    cast.read("operator", "GET", &path, "")
}

fn verify(cast: &mut Cast, who: &str) -> Incoming {
    let (provider, head) = (cast.ids[who], cast.hashes[who]);
    cast.post("operator", &format!("/providers/{provider}/verify"), ProviderVerify { provider, head }, &[])
}

fn suspend_cyd(cast: &mut Cast) -> Incoming {
    let provider = cast.ids["cyd"];
    let path = format!("/providers/{provider}/suspend");
    cast.post("operator", &path, ProviderSuspend { provider }, &[("reason", "reasoned-because of an audit")])
}
