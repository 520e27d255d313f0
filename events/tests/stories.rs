//! Given what happened, when somebody asks, then this follows: every decision, and every refusal it can come to.

mod world;

use chartseal_events::command::{
    AccessApprove, AuditorAdd, AuditorRemove, Claims, KeyIssue, OperatorAdd, OperatorRemove, ProviderInvite,
    ProviderRegister, ProviderVerify, RecordCreate, RecordDownload, RecordKey, RecordVersion, RequestDownload,
    SearchPerform,
};
use chartseal_events::decide::code_hash;
use chartseal_events::event::{AccessExpired, ExpiryReason, KeyIssued, StoredEvent};
use chartseal_events::limits::{MAX_ANNOUNCEMENTS, MAX_AUDITORS};
use chartseal_events::state::{ProviderStatus, RequestState};
use chartseal_events::{Action, Bytes, Code, Command, Hash, Id, Kid, Observation, Outcome, StreamId, Thumbprint};
use world::{ORIGIN, Person, World, outcome, required_private};

fn refused(result: Result<StoredEvent, Code>) -> Code {
    result.expect_err("a refusal")
}

#[test]
fn a_provider_is_invited_registers_and_is_verified() {
    let mut world = World::new();
    let provider = world.invite();
    let status = |world: &World| world.view([StreamId::Provider(provider)]).provider(provider).expect("begun").status;
    assert_eq!(status(&world), ProviderStatus::Invited);
    assert_eq!(refused(world.verify(provider)), Code::NotRegistered);
    assert_eq!(refused(world.suspend(provider)), Code::NotRegistered);

    let (person, command) = world.register_command(provider, 10);
    let registered = world.take(&command).expect("registered");
    assert_eq!(status(&world), ProviderStatus::Pending);
    assert_eq!(registered.open().expect("an event").outcome.typ(), "provider.registered.v1");
    let staff = world.view([StreamId::Staff(person.id())]);
    assert_eq!(staff.staff(person.id()).expect("a person").provider, provider);
    assert_eq!(refused(world.run(&person, RecordCreate {})), Code::ProviderPending);

    world.verify(provider).expect("verified");
    assert_eq!(refused(world.verify(provider)), Code::AlreadyVerified);
    world.run(&person, RecordCreate {}).expect("allowed now");

    world.suspend(provider).expect("suspended");
    assert_eq!(refused(world.suspend(provider)), Code::AlreadySuspended);
    assert_eq!(refused(world.run(&person, RecordCreate {})), Code::ProviderSuspended);
    world.verify(provider).expect("reinstated");
    world.run(&person, RecordCreate {}).expect("allowed again");
}

#[test]
fn an_invitation_is_for_one_holder_of_its_code_and_for_a_time() {
    let mut world = World::new();
    let operator = world.operator.clone();
    let provider = world.invite();
    let person = Person::new(10);
    let with = |code: u8| ProviderRegister {
        provider,
        code: Bytes([code; 16]),
        sign_key: person.public(),
        seal_key: person.seal_key,
    };
    assert_eq!(refused(world.run(&person, with(6))), Code::WrongCode);
    let other_key = ProviderRegister { sign_key: Person::new(11).public(), ..with(5) };
    assert_eq!(refused(world.run(&person, other_key)), Code::UnknownSigner, "kid is the new key's thumbprint");
    let member = world.member(20);
    assert_eq!(refused(world.run(&member, with(5))), Code::UnknownSigner, "nobody registers a key that is not theirs");
    let own = ProviderRegister { sign_key: member.public(), ..with(5) };
    assert_eq!(refused(world.run(&member, own)), Code::UnknownSigner, "a person signs as nobody new");
    let nowhere = ProviderRegister { provider: Id::from_parts(1, [1; 10]), ..with(5) };
    assert_eq!(refused(world.run(&person, nowhere)), Code::NotFound);

    let late = world.invite();
    world.now_ms += 86_400_000;
    assert_eq!(refused(world.run(&person, ProviderRegister { provider: late, ..with(5) })), Code::InvitationExpired);
    world.now_ms -= 86_400_000;

    world.run(&person, with(5)).expect("registered");
    assert_eq!(
        refused(world.run(&Person::new(12), ProviderRegister { sign_key: Person::new(12).public(), ..with(5) })),
        Code::InvitationUsed
    );
    assert_eq!(
        refused(world.run(&Person::new(12), ProviderRegister { sign_key: Person::new(12).public(), ..with(7) })),
        Code::WrongCode
    );

    let far = ProviderInvite { code_hash: code_hash(&[1; 16]), expires_at: world.now_ms + 40 * 86_400_000 };
    assert_eq!(refused(world.run(&operator, far)), Code::BadField);
    let past = ProviderInvite { code_hash: code_hash(&[1; 16]), expires_at: world.now_ms };
    assert_eq!(refused(world.run(&operator, past)), Code::BadField);
}

#[test]
fn a_person_begins_once_whatever_a_new_key_signs() {
    let mut world = World::new();
    let (one, other) = (world.invite(), world.invite());
    let person = Person::new(10);
    let register = |provider| ProviderRegister {
        provider,
        code: Bytes([5; 16]),
        sign_key: person.public(),
        seal_key: person.seal_key,
    };
    let first = world.sign(&person, register(one));
    world.take(&first).expect("registered");
    // The same key and `jti`, so the same person's id, at another provider.
    let action = register(other).into();
    let second = Command::sign(person.kid, first.claims.clone(), action, &required_private(&first.action), &person.key);
    assert_eq!(refused(world.take(&second)), Code::JtiReused);
    assert!(world.evidence().verify(&world.genesis()).is_ok());
}

#[test]
fn only_operators_govern_and_only_members_keep_records() {
    let mut world = World::new();
    let operator = world.operator.clone();
    let member = world.member(10);
    let stranger = Person::new(99);
    let head = world.head(StreamId::Provider(member.provider()));
    let govern: [Action; 3] = [
        ProviderInvite { code_hash: Hash([1; 32]), expires_at: world.now_ms + 60_000 }.into(),
        ProviderVerify { provider: member.provider(), head }.into(),
        OperatorAdd { sign_key: stranger.public() }.into(),
    ];
    for action in govern {
        assert_eq!(refused(world.run(&member, action.clone())), Code::NotOperator);
        assert_eq!(refused(world.run(&stranger, action)), Code::UnknownSigner);
    }
    assert_eq!(refused(world.run(&operator, RecordCreate {})), Code::NotMember);
    let nobody = Person { kid: Kid::Person(Id::from_parts(3, [3; 10])), ..member.clone() };
    assert_eq!(refused(world.run(&nobody, RecordCreate {})), Code::UnknownSigner);
    let other = world.member(11);
    let astray = Person { act: other.act, ..member.clone() };
    assert_eq!(refused(world.run(&astray, RecordCreate {})), Code::NotMember, "acts for another provider");
    let forged = Person { key: other.key.clone(), ..member };
    assert_eq!(refused(world.run(&forged, RecordCreate {})), Code::SignatureInvalid);
}

#[test]
fn operators_come_and_go_but_one_stays() {
    let mut world = World::new();
    let operator = world.operator.clone();
    let second = Person::new(20);
    let remove = |person: &Person| OperatorRemove { operator: Thumbprint::of(&person.public()) };
    assert_eq!(refused(world.run(&operator, remove(&operator))), Code::LastOperator);
    assert_eq!(refused(world.run(&operator, remove(&second))), Code::NotFound);
    world.run(&operator, OperatorAdd { sign_key: second.public() }).expect("added");
    assert_eq!(refused(world.run(&second, OperatorAdd { sign_key: second.public() })), Code::OperatorExists);
    world.run(&second, remove(&operator)).expect("removed");
    assert_eq!(refused(world.run(&operator, OperatorAdd { sign_key: operator.public() })), Code::UnknownSigner);
}

#[test]
fn auditors_come_and_go_and_command_nothing() {
    let mut world = World::new();
    let operator = world.operator.clone();
    let member = world.member(10);
    let (auditor, second) = (Person::new(20), Person::new(21));
    let add = |person: &Person| AuditorAdd { sign_key: person.public() };
    let remove = |person: &Person| AuditorRemove { auditor: Thumbprint::of(&person.public()) };
    for action in [Action::from(add(&auditor)), remove(&auditor).into()] {
        assert_eq!(refused(world.run(&member, action.clone())), Code::NotOperator);
        assert_eq!(refused(world.run(&auditor, action)), Code::UnknownSigner);
    }
    assert_eq!(refused(world.run(&operator, remove(&auditor))), Code::NotFound);
    world.run(&operator, add(&auditor)).expect("added");
    assert_eq!(refused(world.run(&operator, add(&auditor))), Code::AuditorExists);

    // One key has one role.
    assert_eq!(refused(world.run(&operator, OperatorAdd { sign_key: auditor.public() })), Code::AuditorExists);
    assert_eq!(refused(world.run(&operator, add(&operator))), Code::OperatorExists);
    assert_eq!(
        refused(world.run(&operator, OperatorRemove { operator: Thumbprint::of(&auditor.public()) })),
        Code::NotFound
    );
    assert_eq!(refused(world.run(&operator, remove(&operator))), Code::NotFound);

    // Nothing that an auditor signs is done.
    let invite = ProviderInvite { code_hash: Hash([1; 32]), expires_at: world.now_ms + 60_000 };
    let governing = [Action::from(invite), add(&second).into(), remove(&auditor).into()];
    for action in governing.into_iter().chain([OperatorAdd { sign_key: second.public() }.into()]) {
        assert_eq!(refused(world.run(&auditor, action)), Code::NotOperator);
    }
    assert_eq!(refused(world.run(&auditor, RecordCreate {})), Code::NotMember);

    world.run(&operator, remove(&auditor)).expect("removed");
    assert_eq!(refused(world.run(&auditor, RecordCreate {})), Code::UnknownSigner);
    world.run(&operator, add(&auditor)).expect("added again");
    world.run(&operator, remove(&auditor)).expect("removed again");
    world.run(&operator, OperatorAdd { sign_key: auditor.public() }).expect("an operator now");
}

#[test]
fn a_vault_has_so_many_auditors() {
    let mut world = World::new();
    let operator = world.operator.clone();
    for seed in 0..u8::try_from(MAX_AUDITORS).expect("few") {
        world.run(&operator, AuditorAdd { sign_key: Person::new(100 + seed).public() }).expect("added");
    }
    let one_more = AuditorAdd { sign_key: Person::new(99).public() };
    assert_eq!(refused(world.run(&operator, one_more)), Code::BadField);
}

#[test]
fn a_repeated_command_meets_its_own_event_and_a_changed_one_is_refused() {
    let mut world = World::new();
    let member = world.member(10);
    let command = world.sign(&member, RecordCreate {});
    let first = world.take(&command).expect("created");
    let count = world.count();
    assert_eq!(world.take(&command).expect("the same"), first);
    assert_eq!(world.count(), count, "nothing twice");

    let record = world.uploaded(&member);
    let key = |version| Action::from(RecordKey { record, version });
    let command = world.sign(&member, key(1));
    world.take(&command).expect("issued");
    let claims = Claims { aud: ORIGIN.to_owned(), ..command.claims.clone() };
    let download = Action::from(RecordDownload { record, version: 1 });
    let changed = Command::sign(member.kid, claims, download, &required_private(&key(1)), &member.key);
    assert_eq!(refused(world.take(&changed)), Code::JtiReused);
}

#[test]
fn a_record_is_announced_uploaded_and_versioned() {
    let mut world = World::new();
    let ann = world.member(10);
    let bob = world.member(11);
    let record = world.create(&ann);
    assert_eq!(refused(world.run(&ann, RecordDownload { record, version: 1 })), Code::NotUploaded);
    assert_eq!(refused(world.run(&ann, World::announcement(record, 2, 1))), Code::NotFound);
    assert_eq!(refused(world.run(&bob, World::announcement(record, 1, 1))), Code::NotFound, "another's record");

    let announced = world.run(&ann, World::announcement(record, 1, 1)).expect("announced");
    assert_eq!(refused(world.run(&ann, RecordVersion { record })), Code::VersionOpen, "it may still arrive");
    let again = world.run(&ann, World::announcement(record, 1, 1)).expect("the same run: a new URL, no new event");
    assert_eq!(announced, again);
    let mut lie = World::announcement(record, 1, 1);
    lie.body_bytes += 1;
    assert_eq!(refused(world.run(&ann, lie)), Code::BadField, "one message id, two runs");
    let rerun = world.run(&ann, World::announcement(record, 1, 2)).expect("another run");

    let uploaded = world.found(record, rerun.at.seq).expect("uploaded");
    assert_eq!(world.found(record, rerun.at.seq).expect("twice"), uploaded);
    assert_eq!(refused(world.found(record, announced.at.seq)), Code::VersionUploaded, "the first to arrive counts");
    assert_eq!(refused(world.run(&ann, World::announcement(record, 1, 3))), Code::VersionUploaded);
    let other_version = Observation::ObjectFound { record, announced: rerun.at.seq, version_id: "other".to_owned() };
    assert_eq!(refused(world.observe(&other_version)), Code::VersionUploaded);
    let missing = Observation::ObjectMissing { record, announced: announced.at.seq };
    world.observe(&missing).expect("the loser is written off at once");

    world.run(&ann, RecordVersion { record }).expect("version 2");
    assert_eq!(refused(world.run(&bob, RecordVersion { record })), Code::NotFound);
    let view = world.view([StreamId::Record(record)]);
    assert_eq!(view.record(record).expect("begun").latest_uploaded().expect("one").0, 1);
    assert_eq!(view.record(record).expect("begun").versions.len(), 2);

    let key = outcome(&world.run(&ann, RecordKey { record, version: 1 }).expect("the owner's key"));
    assert_eq!(key, KeyIssued { record, version: 1, seal_key: ann.seal_key }.into());
    assert_eq!(refused(world.run(&bob, RecordKey { record, version: 1 })), Code::NotFound);
    assert_eq!(refused(world.run(&ann, RecordKey { record, version: 3 })), Code::NotFound);
}

#[test]
fn a_version_that_was_given_up_does_not_bar_the_next() {
    let mut world = World::new();
    let ann = world.member(10);
    let record = world.uploaded(&ann);
    world.run(&ann, RecordVersion { record }).expect("version 2, never announced");
    world.run(&ann, RecordVersion { record }).expect("version 3");
    world.run(&ann, World::announcement(record, 3, 3)).expect("announced");
    assert_eq!(refused(world.run(&ann, RecordVersion { record })), Code::VersionOpen, "it may still arrive");
    world.now_ms += 3_600_000;
    world.run(&ann, RecordVersion { record }).expect("version 4: nobody waits for 3 any more");
    let announced = world.run(&ann, World::announcement(record, 4, 4)).expect("announced").at.seq;
    world.found(record, announced).expect("uploaded");
    let view = world.view([StreamId::Record(record)]);
    assert_eq!(view.record(record).expect("begun").latest_uploaded().expect("one").0, 4);
}

#[test]
fn an_upload_that_never_comes_expires() {
    let mut world = World::new();
    let ann = world.member(10);
    let record = world.create(&ann);
    let announced = world.run(&ann, World::announcement(record, 1, 1)).expect("announced").at.seq;
    let missing = Observation::ObjectMissing { record, announced };
    assert_eq!(refused(world.observe(&missing)), Code::NotUploaded, "there is time yet");
    world.now_ms += 3_600_000;
    world.observe(&missing).expect("expired");
    assert_eq!(refused(world.observe(&missing)), Code::UploadExpired);
    assert_eq!(refused(world.found(record, announced)), Code::UploadExpired, "too late");
    for run in 2..=u8::try_from(MAX_ANNOUNCEMENTS).expect("small") {
        world.run(&ann, World::announcement(record, 1, run)).expect("announced again");
    }
    assert_eq!(refused(world.run(&ann, World::announcement(record, 1, 200))), Code::TooManyAnnouncements);
}

#[test]
fn a_request_is_verified_approved_and_leads_to_key_and_download() {
    let mut world = World::new();
    let (ann, bob) = (world.member(10), world.member(11));
    let operator = world.operator.clone();
    let record = world.uploaded(&ann);
    assert_eq!(refused(world.run(&ann, World::ask(record))), Code::OwnRecord);
    let open = world.create(&ann);
    assert_eq!(
        refused(world.run(&bob, World::ask(open))),
        Code::NotFound,
        "what is not uploaded is not there for others"
    );

    let request = world.request(&bob, record);
    let key = KeyIssue { request, record };
    assert_eq!(refused(world.approve(&operator, request)), Code::NotVerifiedYet);
    assert_eq!(refused(world.run(&bob, key.clone())), Code::NotApproved);
    world.check(&bob, request).expect("verified");
    assert_eq!(refused(world.check(&bob, request)), Code::AlreadyDecided);
    let stale = world.streams[&StreamId::Request(request)][0].leaf;
    assert_eq!(refused(world.run(&operator, AccessApprove { request, head: stale })), Code::HeadMoved);
    assert_eq!(refused(world.approve(&bob, request)), Code::NotOperator);

    world.approve(&operator, request).expect("approved");
    assert_eq!(refused(world.approve(&operator, request)), Code::AlreadyDecided);
    assert_eq!(refused(world.deny(&operator, request)), Code::AlreadyDecided);
    let issued = outcome(&world.run(&bob, key.clone()).expect("issued"));
    assert_eq!(issued, KeyIssued { record, version: 1, seal_key: bob.seal_key }.into());
    world.run(&bob, RequestDownload { request, record }).expect("released");
    assert_eq!(refused(world.run(&ann, key.clone())), Code::NotFound, "another's request");
    let elsewhere = KeyIssue { request, record: open };
    assert_eq!(refused(world.run(&bob, elsewhere)), Code::NotFound);

    let issue = world.sign(&bob, key.clone());
    world.take(&issue).expect("issued");
    world.now_ms += 3_600_000;
    let over = world.sign(&bob, key);
    assert_eq!(refused(world.take(&over)), Code::GrantOver);
    let expired = outcome(&world.observe(&Observation::DeadlineReached { request }).expect("over"));
    assert_eq!(expired, AccessExpired { reason: ExpiryReason::GrantOver }.into());
    assert_eq!(refused(world.observe(&Observation::DeadlineReached { request })), Code::AlreadyDecided);
}

#[test]
fn a_repeated_key_command_releases_nothing_once_the_provider_is_suspended() {
    let mut world = World::new();
    let (ann, bob) = (world.member(10), world.member(11));
    let operator = world.operator.clone();
    let record = world.uploaded(&ann);
    let request = world.checked_request(&bob, record);
    world.approve(&operator, request).expect("approved");
    let issue = world.sign(&bob, KeyIssue { request, record });
    world.take(&issue).expect("issued");
    world.suspend(bob.provider()).expect("suspended");
    assert_eq!(refused(world.take(&issue)), Code::ProviderSuspended);
}

#[test]
fn a_request_can_be_denied_or_run_out() {
    let mut world = World::new();
    let (ann, bob) = (world.member(10), world.member(11));
    let operator = world.operator.clone();
    let record = world.uploaded(&ann);
    let state =
        |world: &World, request| world.view([StreamId::Request(request)]).request(request).expect("begun").state;

    let denied = world.checked_request(&bob, record);
    world.deny(&operator, denied).expect("denied");
    assert_eq!(state(&world, denied), RequestState::Denied);
    assert_eq!(refused(world.run(&bob, KeyIssue { request: denied, record })), Code::RequestDenied);

    let early = world.request(&bob, record);
    world.deny(&operator, early).expect("can be denied before the requester is verified");

    let waiting = world.checked_request(&bob, record);
    let deadline = Observation::DeadlineReached { request: waiting };
    assert_eq!(refused(world.observe(&deadline)), Code::NotApproved, "there is time yet");
    world.now_ms += 3_600_000;
    assert_eq!(
        refused(world.approve(&operator, waiting)),
        Code::RequestExpired,
        "late, although nobody has written it down"
    );
    let expired = outcome(&world.observe(&deadline).expect("expired"));
    assert_eq!(expired, AccessExpired { reason: ExpiryReason::Undecided }.into());
    assert_eq!(refused(world.approve(&operator, waiting)), Code::RequestExpired);
    assert_eq!(refused(world.run(&bob, KeyIssue { request: waiting, record })), Code::RequestExpired);
}

#[test]
fn a_requester_who_cannot_be_verified_is_denied_by_the_vault() {
    let mut world = World::new();
    let (ann, bob) = (world.member(10), world.member(11));
    let record = world.uploaded(&ann);
    let request = world.request(&bob, record);
    world.suspend(bob.provider()).expect("suspended");
    let denied = world.check(&bob, request).expect("decided");
    assert!(matches!(outcome(&denied), Outcome::AccessDenied(_)));
    assert!(denied.open().expect("an event").command.is_none());
}

#[test]
fn nobody_decides_on_their_own_request() {
    let mut world = World::new();
    let ann = world.member(10);
    let operator = world.operator.clone();
    let record = world.uploaded(&ann);
    // One and the same wallet is a hospital's and an operator's.
    let both = world.member(11);
    world.run(&operator, OperatorAdd { sign_key: both.public() }).expect("added");
    let request = world.checked_request(&both, record);
    let as_operator = Person { kid: Kid::Key(Thumbprint::of(&both.public())), act: None, ..both };
    assert_eq!(refused(world.approve(&as_operator, request)), Code::ApproverIsRequester);
    assert_eq!(refused(world.deny(&as_operator, request)), Code::ApproverIsRequester);
    world.approve(&operator, request).expect("another operator can");
}

#[test]
fn searches_are_events() {
    let mut world = World::new();
    let ann = world.member(10);
    let command = world.sign(&ann, SearchPerform {});
    let event = world.take(&command).expect("performed");
    assert_eq!(event.at.stream, command.search_stream().expect("one"));
    assert_eq!(world.take(&command).expect("repeated"), event);
}

#[test]
fn what_is_signed_for_elsewhere_or_at_another_time_is_refused() {
    let mut world = World::new();
    let ann = world.member(10);
    let command = world.sign(&ann, RecordCreate {});
    let part = required_private(&command.action);
    let with = |claims: Claims| Command::sign(ann.kid, claims, command.action.clone(), &part, &ann.key);
    let code = |command: &Command, now_ms| command.admit(ORIGIN, now_ms, &part).map_err(|refusal| refusal.code);
    let now = world.now_ms;
    assert_eq!(code(&command, now), Ok(()));
    assert_eq!(code(&command, now + 121_000), Err(Code::ClockSkew));
    assert_eq!(code(&command, now - 121_000), Err(Code::ClockSkew));
    assert_eq!(
        code(&with(Claims { aud: "elsewhere".into(), ..command.claims.clone() }), now),
        Err(Code::WrongAudience)
    );
    let old = Claims { jti: Id::from_parts(now - 200_000, [0; 10]), ..command.claims.clone() };
    assert_eq!(code(&with(old), now), Err(Code::BadJti));
}
