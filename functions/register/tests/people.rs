//! Operators and providers, from the invitation to the suspension.

use chartseal_events::command::{
    AuditorAdd, AuditorRemove, OperatorAdd, OperatorRemove, ProviderInvite, ProviderRegister, ProviderSuspend,
    ProviderVerify,
};
use chartseal_events::decide::code_hash;
use chartseal_events::private::PrivatePart;
use chartseal_events::wire::{Accepted, ProviderProfile, Registered};
use chartseal_events::{Bytes, Code, EventRef, Hash, Id, Kid, StreamId};
use chartseal_http::testing::{ORIGIN, Stage, Wallet, call, document, refused};
use chartseal_http::{Answer, Incoming};
use chartseal_infra::memory::MemoryVault;
use chartseal_register::Register;

const CODE: [u8; 16] = [5; 16];
const CONTACT: [(&str, &str); 3] = [("organisation", "St. Mary"), ("name", "Ann Example"), ("phone", "+49 30 1")];

struct Story {
    stage: Stage,
    function: Register<MemoryVault, MemoryVault>,
}

impl Story {
    async fn begin() -> Self {
        let stage = Stage::new().await;
        let (events, clock) = (stage.vault.clone(), stage.vault.clone());
        Self { function: Register { origin: ORIGIN.to_owned(), events, clock }, stage }
    }

    async fn call(&self, incoming: &Incoming) -> Answer {
        call(&self.function, incoming).await
    }

    async fn refused(&self, incoming: &Incoming) -> Code {
        let before = self.stage.vault.events().len();
        let code = refused(&self.call(incoming).await);
        assert_eq!(self.stage.vault.events().len(), before, "a refused call leaves nothing behind");
        code
    }

    fn invitation(&self, days: u64) -> ProviderInvite {
        ProviderInvite { code_hash: code_hash(&CODE), expires_at: self.stage.now_ms() + days * 86_400_000 }
    }

    fn invite(&self) -> Incoming {
        self.stage.post(&self.stage.operator, "/invitations", self.invitation(7), &[("note", "by phone")])
    }

    async fn invited(&self) -> Id {
        let accepted: Accepted = document(&self.call(&self.invite()).await, 201);
        match accepted.event.stream {
            StreamId::Provider(id) => id,
            other => panic!("{other}"),
        }
    }

    fn register(&self, provider: Id, code: [u8; 16], wallet: &Wallet) -> Incoming {
        let (sign_key, seal_key) = (wallet.sign_key(), wallet.seal_key());
        let register = ProviderRegister { provider, code: Bytes(code), sign_key, seal_key };
        self.stage.post(wallet, "/providers", register, &CONTACT)
    }

    async fn verify(&self, provider: Id) -> Incoming {
        let head = self.stage.head(StreamId::Provider(provider)).await;
        let path = format!("/providers/{provider}/verify");
        self.stage.post(&self.stage.operator, &path, ProviderVerify { provider, head }, &[])
    }

    fn suspend(&self, provider: Id) -> Incoming {
        let path = format!("/providers/{provider}/suspend");
        self.stage.post(&self.stage.operator, &path, ProviderSuspend { provider }, &[("reason", "an audit")])
    }

    fn show(&self, wallet: &Wallet, provider: Id) -> Incoming {
        self.stage.get(wallet, &format!("/providers/{provider}"))
    }
}

fn shown<'a>(profile: &'a ProviderProfile, name: &str) -> Option<&'a str> {
    profile.private.get(name).map(|private| private.value.as_str())
}

#[tokio::test]
async fn from_an_invitation_to_a_verified_provider() {
    let story = Story::begin().await;
    let provider = story.invited().await;
    let wallet = story.stage.new_wallet();
    let register = story.register(provider, CODE, &wallet);
    let registered: Registered = document(&story.call(&register).await, 201);
    assert_eq!(registered.provider, provider);
    let again: Registered = document(&story.call(&register).await, 200);
    assert_eq!(again, registered, "a repeated registration meets itself");
    let ann = Wallet { kid: Kid::Person(registered.staff), act: Some(provider), ..wallet };
    let stream = StreamId::Provider(provider);
    assert_eq!(story.stage.private(EventRef { stream, seq: 1 }).await.len(), 3);

    let pending: ProviderProfile = document(&story.call(&story.show(&ann, provider)).await, 200);
    assert_eq!((pending.status.as_str(), shown(&pending, "organisation")), ("pending", Some("St. Mary")));
    let verify = story.verify(provider).await;
    let _: Accepted = document(&story.call(&verify).await, 201);
    let verified: ProviderProfile = document(&story.call(&story.show(&ann, provider)).await, 200);
    assert_eq!(verified.status, "verified");
    assert_eq!(verified.seal_key, Some(ann.seal_key()));
    assert_eq!(
        story.stage.vault.types(stream),
        ["provider.invited.v1", "provider.registered.v1", "provider.verified.v1"]
    );
}

#[tokio::test]
async fn who_sees_what_of_a_provider() {
    let story = Story::begin().await;
    let stage = &story.stage;
    let (mary, mercy) = (stage.hospital("St. Mary").await, stage.hospital("Mercy").await);
    let pending = stage.registered("St. Elsewhere").await;

    let public: ProviderProfile = document(&story.call(&story.show(&mercy, mary.provider())).await, 200);
    assert_eq!(shown(&public, "organisation"), Some("St. Mary"));
    assert_eq!((public.sign_key, public.private.len()), (Some(mary.sign_key()), 1));
    let sound = public.evidence.verify(&stage.genesis).expect("sound");
    assert!(sound.view.staff(mary.person()).is_some());

    let whole: ProviderProfile = document(&story.call(&story.show(&stage.operator, mary.provider())).await, 200);
    assert_eq!((shown(&whole, "name"), whole.private.len()), (Some("Ann Example"), 3), "for operators");
    let own: ProviderProfile = document(&story.call(&story.show(&pending, pending.provider())).await, 200);
    assert!(own.private.len() == 3 && own.status == "pending");
    let (invited, _) = stage.invited().await;
    let invited: ProviderProfile = document(&story.call(&story.show(&stage.operator, invited)).await, 200);
    assert_eq!((invited.status.as_str(), invited.sign_key, invited.private.len()), ("invited", None, 0));

    assert_eq!(story.refused(&story.show(&mercy, pending.provider())).await, Code::NotFound, "not verified yet");
    assert_eq!(story.refused(&story.show(&pending, mary.provider())).await, Code::ProviderPending);
    assert_eq!(story.refused(&story.show(&mary, Id::from_parts(1, [1; 10]))).await, Code::NotFound);
    assert_eq!(story.refused(&stage.get(&mary, "/providers/nobody")).await, Code::BadId);
    stage.suspended(mary.provider()).await;
    assert_eq!(story.refused(&story.show(&mercy, mary.provider())).await, Code::NotFound, "suspended");
    let own: ProviderProfile = document(&story.call(&story.show(&mary, mary.provider())).await, 200);
    assert_eq!(own.status, "suspended");
    assert_eq!(story.refused(&story.show(&mary, mercy.provider())).await, Code::ProviderSuspended);
    assert_eq!(
        story.refused(&stage.send("GET", &format!("/providers/{}", mary.provider()), "")).await,
        Code::MissingToken
    );
}

#[tokio::test]
async fn erased_contact_data_leaves_the_rest() {
    let story = Story::begin().await;
    let mary = story.stage.hospital("St. Mary").await;
    let stream = StreamId::Provider(mary.provider());
    story.stage.vault.set_private(EventRef { stream, seq: 1 }, PrivatePart::new());
    let profile: ProviderProfile = document(&story.call(&story.show(&mary, mary.provider())).await, 200);
    assert_eq!((profile.private.len(), profile.status.as_str()), (0, "verified"));
}

#[tokio::test]
async fn an_invitation_is_good_once_and_for_its_time() {
    let story = Story::begin().await;
    let provider = story.invited().await;
    let (ann, bob) = (story.stage.new_wallet(), story.stage.new_wallet());
    assert_eq!(story.refused(&story.register(provider, [6; 16], &ann)).await, Code::WrongCode);
    assert_eq!(story.refused(&story.register(Id::from_parts(1, [1; 10]), CODE, &ann)).await, Code::NotFound);
    let stolen = Wallet { kid: bob.kid, ..ann.clone() };
    assert_eq!(story.refused(&story.register(provider, CODE, &stolen)).await, Code::UnknownSigner, "another's kid");
    assert_eq!(story.call(&story.register(provider, CODE, &ann)).await.status, 201);
    assert_eq!(story.refused(&story.register(provider, CODE, &bob)).await, Code::InvitationUsed);

    let late = story.invited().await;
    story.stage.vault.advance(7 * 86_400_000);
    assert_eq!(story.refused(&story.register(late, CODE, &bob)).await, Code::InvitationExpired);
    for days in [0, 31] {
        let bad = story.stage.post(&story.stage.operator, "/invitations", story.invitation(days), &[]);
        assert_eq!(story.refused(&bad).await, Code::BadField, "{days} days");
    }
}

#[tokio::test]
async fn a_registration_says_who_one_is() {
    let story = Story::begin().await;
    let provider = story.invited().await;
    let wallet = story.stage.new_wallet();
    let good =
        ProviderRegister { provider, code: Bytes(CODE), sign_key: wallet.sign_key(), seal_key: wallet.seal_key() };
    let post = |register: ProviderRegister, private: &[(&str, &str)]| {
        story.stage.post(&wallet, "/providers", register, private)
    };
    assert_eq!(story.refused(&post(good.clone(), &CONTACT[..2])).await, Code::MalformedCommand, "no phone");
    let blank = [("organisation", " "), CONTACT[1], CONTACT[2]];
    assert_eq!(story.refused(&post(good.clone(), &blank)).await, Code::BadField, "a name that is none");
    let weak = ProviderRegister { sign_key: Bytes([0; 32]), ..good.clone() };
    assert_eq!(story.refused(&post(weak, &CONTACT)).await, Code::BadField, "a key that anybody can sign with");
    let none = ProviderRegister { seal_key: Bytes([0; 32]), ..good };
    assert_eq!(story.refused(&post(none, &CONTACT)).await, Code::BadField, "a key that anybody can open");
}

#[tokio::test]
async fn only_operators_invite_verify_and_suspend() {
    let story = Story::begin().await;
    let stage = &story.stage;
    let (mary, pending) = (stage.hospital("St. Mary").await, stage.registered("St. Elsewhere").await);
    let provider = pending.provider();
    let head = stage.head(StreamId::Provider(provider)).await;
    let (verify, suspend) = (format!("/providers/{provider}/verify"), format!("/providers/{provider}/suspend"));
    for wallet in [&mary, &pending] {
        let invite = stage.post(wallet, "/invitations", story.invitation(7), &[]);
        assert_eq!(story.refused(&invite).await, Code::NotOperator);
        let verify = stage.post(wallet, &verify, ProviderVerify { provider, head }, &[]);
        assert_eq!(story.refused(&verify).await, Code::NotOperator);
        let suspend = stage.post(wallet, &suspend, ProviderSuspend { provider }, &[("reason", "x")]);
        assert_eq!(story.refused(&suspend).await, Code::NotOperator);
    }
    let unknown = stage.post(&Wallet::operator(1), "/invitations", story.invitation(7), &[]);
    assert_eq!(story.refused(&unknown).await, Code::UnknownSigner);
}

#[tokio::test]
async fn an_operator_decides_on_what_it_looked_at() {
    let story = Story::begin().await;
    let stage = &story.stage;
    let pending = stage.registered("St. Elsewhere").await.provider();
    let path = format!("/providers/{pending}/verify");
    let outdated = ProviderVerify { provider: pending, head: Hash::ZERO };
    assert_eq!(story.refused(&stage.post(&stage.operator, &path, outdated, &[])).await, Code::HeadMoved);
    let (invited, _) = stage.invited().await;
    assert_eq!(story.refused(&story.verify(invited).await).await, Code::NotRegistered);
    assert_eq!(story.refused(&story.suspend(invited)).await, Code::NotRegistered);

    assert_eq!(story.call(&story.verify(pending).await).await.status, 201);
    assert_eq!(story.refused(&story.verify(pending).await).await, Code::AlreadyVerified);
    assert_eq!(story.call(&story.suspend(pending)).await.status, 201);
    assert_eq!(story.refused(&story.suspend(pending)).await, Code::AlreadySuspended);
    assert_eq!(story.call(&story.verify(pending).await).await.status, 201, "reinstated");
    let nobody = Id::from_parts(1, [1; 10]);
    assert_eq!(story.refused(&story.suspend(nobody)).await, Code::NotFound);
}

#[tokio::test]
async fn operators_come_and_go_but_one_stays() {
    let story = Story::begin().await;
    let stage = &story.stage;
    let second = Wallet::operator(0xA2);
    let staff = stage.registered("St. Mary").await;
    let add = |by: &Wallet, sign_key| stage.post(by, "/operators", OperatorAdd { sign_key }, &[]);
    let remove = |by: &Wallet, whom: &Wallet| {
        let operator = whom.thumbprint();
        let path = format!("/operators/{operator}/remove");
        stage.post(by, &path, OperatorRemove { operator }, &[("reason", "left")])
    };
    assert_eq!(story.refused(&add(&second, second.sign_key())).await, Code::UnknownSigner);
    assert_eq!(story.refused(&remove(&stage.operator, &stage.operator)).await, Code::LastOperator);
    assert_eq!(story.refused(&remove(&stage.operator, &second)).await, Code::NotFound);
    assert_eq!(story.call(&add(&stage.operator, second.sign_key())).await.status, 201);
    assert_eq!(story.refused(&add(&second, second.sign_key())).await, Code::OperatorExists);
    assert_eq!(story.refused(&add(&second, Bytes([0; 32]))).await, Code::BadField);
    assert_eq!(story.call(&remove(&second, &stage.operator)).await.status, 201);
    assert_eq!(story.refused(&add(&stage.operator, Bytes([1; 32]))).await, Code::UnknownSigner, "no operator any more");

    let operator = second.thumbprint();
    let elsewhere = format!("/operators/{}/remove", stage.operator.thumbprint());
    let call = stage.post(&second, &elsewhere, OperatorRemove { operator }, &[("reason", "x")]);
    assert_eq!(story.refused(&call).await, Code::PathMismatch);
    let call = stage.post(&second, "/operators/somebody/remove", OperatorRemove { operator }, &[("reason", "x")]);
    assert_eq!(story.refused(&call).await, Code::BadId);
    let call = stage.post(&staff, "/operators", OperatorAdd { sign_key: staff.sign_key() }, &[]);
    assert_eq!(story.refused(&call).await, Code::NotOperator);
}

#[tokio::test]
async fn auditors_come_and_go_and_see_what_operators_see() {
    let story = Story::begin().await;
    let stage = &story.stage;
    let auditor = Wallet::operator(0xA3);
    let staff = stage.registered("St. Mary").await;
    let add = |by: &Wallet, sign_key| stage.post(by, "/auditors", AuditorAdd { sign_key }, &[]);
    let remove = |by: &Wallet, whom: &Wallet| {
        let auditor = whom.thumbprint();
        let path = format!("/auditors/{auditor}/remove");
        stage.post(by, &path, AuditorRemove { auditor }, &[("reason", "the audit is over")])
    };
    let shown = || story.show(&auditor, staff.provider());
    assert_eq!(refused(&story.call(&shown()).await), Code::UnknownSigner);
    assert_eq!(story.refused(&add(&staff, auditor.sign_key())).await, Code::NotOperator);
    assert_eq!(story.refused(&remove(&stage.operator, &auditor)).await, Code::NotFound);
    assert_eq!(story.call(&add(&stage.operator, auditor.sign_key())).await.status, 201);
    assert_eq!(story.refused(&add(&stage.operator, auditor.sign_key())).await, Code::AuditorExists);
    assert_eq!(story.refused(&add(&stage.operator, stage.operator.sign_key())).await, Code::OperatorExists);
    assert_eq!(story.refused(&add(&stage.operator, Bytes([0; 32]))).await, Code::BadField);
    let as_operator = stage.post(&stage.operator, "/operators", OperatorAdd { sign_key: auditor.sign_key() }, &[]);
    assert_eq!(story.refused(&as_operator).await, Code::AuditorExists);

    // A pending provider is nobody's business but its own, the operators' and the auditors'.
    let profile: ProviderProfile = document(&story.call(&shown()).await, 200);
    let names: Vec<_> = profile.private.keys().map(String::as_str).collect();
    assert_eq!(names, ["organisation"], "an auditor needs no names");
    assert_eq!(story.refused(&add(&auditor, Bytes([1; 32]))).await, Code::NotOperator);
    assert_eq!(story.refused(&remove(&auditor, &auditor)).await, Code::NotOperator);
    let wrong = stage.post(&stage.operator, "/auditors", OperatorAdd { sign_key: auditor.sign_key() }, &[]);
    assert_eq!(story.refused(&wrong).await, Code::WrongCommand);

    let early = shown();
    assert_eq!(story.call(&remove(&stage.operator, &auditor)).await.status, 201);
    assert_eq!(refused(&story.call(&early).await), Code::UnknownSigner, "at once, though the token is good");
}

#[tokio::test]
async fn a_damaged_stream_is_an_error_of_the_vault() {
    let story = Story::begin().await;
    let mary = story.stage.hospital("St. Mary").await;
    let stream = StreamId::Provider(mary.provider());
    story.stage.vault.delete_event(EventRef { stream, seq: 1 });
    assert_eq!(refused(&story.call(&story.suspend(mary.provider())).await), Code::Internal);
    assert_eq!(refused(&story.call(&story.show(&mary, mary.provider())).await), Code::Internal);
}
