//! The people of the matrix and what they have: made once, through the front door.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};

use chartseal_cli::{Client, Wallet};
use chartseal_events::command::{Announcement, SUITE};
use chartseal_events::limits::PART_BYTES;
use chartseal_events::{Bytes, Hash, Id, Thumbprint};
use chartseal_tests::people::PATIENCE;
use chartseal_tests::{Hospital, Stack, sample};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// No token, no command.
    Nobody,
    /// A wallet that nobody ever registered.
    Unregistered,
    /// The stranger, signing as the owner's person.
    Forger,
    /// The stranger, saying that they act for the owner.
    Impostor,
    /// The owner, with what they signed for another method, path, object or type.
    Misdirected,
    /// A provider that nobody has verified.
    Pending,
    /// A provider with a record and a live grant of its own, suspended since.
    Suspended,
    /// A verified provider that has to do with nothing.
    Stranger,
    /// The owner of the shared record.
    Owner,
    /// Who has asked for the shared record; nobody has decided.
    Asker,
    /// Who has a live grant on the shared record.
    Grantee,
    /// An auditor of the vault.
    Auditor,
    /// An operator of the vault.
    Operator,
}

impl Caller {
    /// Everybody, in the order in which they try. Operators come last: what they do changes the object.
    pub const ALL: [Self; 13] = [
        Self::Nobody,
        Self::Unregistered,
        Self::Forger,
        Self::Impostor,
        Self::Misdirected,
        Self::Pending,
        Self::Suspended,
        Self::Stranger,
        Self::Owner,
        Self::Asker,
        Self::Grantee,
        Self::Auditor,
        Self::Operator,
    ];
}

/// What an operation is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// Nothing in particular.
    Vault,
    /// An operator to be.
    Spare,
    /// An auditor to be.
    SpareAuditor,
    /// No operator, and no auditor.
    NoOperator,
    /// An open invitation, with its code.
    RightCode,
    /// An open invitation, with another code.
    WrongCode,
    /// The owner itself.
    OwnersProfile,
    /// The pending provider itself.
    PendingProfile,
    /// The suspended provider itself.
    SuspendedProfile,
    /// Another pending provider, for an operator to verify.
    ToVerify,
    /// Another verified provider, for an operator to suspend.
    ToSuspend,
    /// No provider.
    NoProvider,
    /// The owner's uploaded record.
    Shared,
    /// The owner's record of which nothing was announced.
    Draft,
    /// The owner's record of which a body in parts was announced.
    Large,
    /// The suspended provider's record.
    SuspendedRecord,
    /// A record of somebody else altogether.
    Foreign,
    /// No record.
    NoRecord,
    /// The asker's request.
    Undecided,
    /// The asker's request that an operator approves.
    ToApprove,
    /// The asker's request that an operator denies.
    ToDeny,
    /// The grantee's request.
    Granted,
    /// The grantee's request, in a command that names a record it is not for.
    GrantedForForeign,
    /// The suspended provider's granted request for the shared record.
    SuspendedGrant,
    /// A request between others, for the foreign record.
    Elsewhere,
    /// No request.
    NoRequest,
}

/// What an object is to the person an operation is for: the owner of profiles and records, and whoever asked for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Their own.
    Own,
    /// Somebody else's.
    Anothers,
    /// One that a live grant is for.
    Shared,
    /// One that does not exist.
    Nonexistent,
}

impl On {
    /// What kinds of object it is.
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Vault | Self::RightCode | Self::WrongCode | Self::GrantedForForeign => &[],
            Self::OwnersProfile | Self::Draft | Self::Large | Self::Undecided | Self::ToApprove | Self::ToDeny => {
                &[Kind::Own]
            }
            Self::Shared | Self::Granted => &[Kind::Own, Kind::Shared],
            Self::Spare
            | Self::SpareAuditor
            | Self::PendingProfile
            | Self::SuspendedProfile
            | Self::ToVerify
            | Self::ToSuspend
            | Self::SuspendedRecord
            | Self::Foreign
            | Self::SuspendedGrant
            | Self::Elsewhere => &[Kind::Anothers],
            Self::NoOperator | Self::NoProvider | Self::NoRecord | Self::NoRequest => &[Kind::Nonexistent],
        }
    }
}

/// Everybody and everything.
pub struct Cast<'a> {
    /// Where all of it is.
    pub stack: &'a Stack,
    /// An operator to be.
    pub spare: Wallet,
    /// An auditor to be.
    pub spare_auditor: Wallet,
    /// The announcement of the draft, with its header.
    pub announcement: (Announcement, Vec<u8>),
    /// The announced run of the large record.
    pub large_run: Bytes<32>,
    clients: BTreeMap<Caller, Client>,
    ids: BTreeMap<On, Id>,
    heads: BTreeMap<On, Hash>,
}

impl<'a> Cast<'a> {
    /// Invites, registers, uploads, asks and decides, until everybody is who they are to be.
    pub fn gathered(stack: &'a Stack) -> Self {
        chartseal_tests::log::begun(&stack.vault());
        let [stranger, owner, asker, grantee, suspended] =
            ["Stranger", "Owner", "Asker", "Grantee", "Suspended"].map(|name| Hospital::verified(stack, name));
        let pending = Hospital::pending(stack, "Pending");
        let unregistered = Client::new(stack.vault(), Wallet::generate().expect("a wallet"));
        let draft = owner.create_record().expect("created");
        let spooled = draft.spool(&b"a draft"[..]).expect("encrypted");
        let announcement = announcement(draft.record, &spooled.sealed);
        let (large, large_run) = large(&owner);
        let mut cast = Self {
            stack,
            spare: Wallet::generate_operator().expect("a wallet"),
            spare_auditor: Wallet::generate_operator().expect("a wallet"),
            announcement: (announcement, spooled.sealed.header.clone()),
            large_run,
            clients: BTreeMap::new(),
            ids: BTreeMap::from([
                (On::Draft, draft.record),
                (On::Large, large),
                (On::Shared, owner.keep(sample(10).path(), &[]).record),
                (On::SuspendedRecord, suspended.keep(sample(10).path(), &[]).record),
                (On::OwnersProfile, owner.id()),
                (On::PendingProfile, pending.id()),
                (On::SuspendedProfile, suspended.id()),
            ]),
            heads: BTreeMap::new(),
        };
        cast.others();
        cast.requests(&asker, &grantee, &suspended);
        stack.operator().suspend_provider(suspended.id(), "an inspection").expect("suspended");
        let hospitals = [
            (Caller::Pending, pending),
            (Caller::Suspended, suspended),
            (Caller::Stranger, stranger),
            (Caller::Owner, owner),
            (Caller::Asker, asker),
            (Caller::Grantee, grantee),
        ];
        cast.clients.extend(hospitals.map(|(caller, hospital)| (caller, hospital.client)));
        cast.clients.insert(Caller::Unregistered, unregistered);
        let auditor = Wallet::generate_operator().expect("a wallet");
        stack.operator().add_auditor(auditor.sign_key()).expect("added");
        cast.clients.insert(Caller::Auditor, Client::new(stack.vault(), auditor));
        cast.clients.insert(Caller::Operator, stack.operator());
        cast
    }

    /// Those who do not call: there to be looked at, verified, suspended.
    fn others(&mut self) {
        let stack = self.stack;
        let to_verify = Hospital::pending(stack, "To verify");
        let head = stack.operator().show_provider(to_verify.id()).expect("shown").head;
        let [to_suspend, keeper, reader] =
            ["To suspend", "Keeper", "Reader"].map(|name| Hospital::verified(stack, name));
        let foreign = keeper.keep(sample(10).path(), &[]).record;
        self.ids.insert(On::Elsewhere, reader.granted(stack, foreign));
        self.ids.extend([(On::ToVerify, to_verify.id()), (On::ToSuspend, to_suspend.id()), (On::Foreign, foreign)]);
        self.heads.insert(On::ToVerify, head);
        self.ids.extend([On::NoProvider, On::NoRecord, On::NoRequest].map(|on| (on, nobodys())));
    }

    fn requests(&mut self, asker: &Hospital, grantee: &Hospital, suspended: &Hospital) {
        let (stack, shared) = (self.stack, self.id(On::Shared));
        for on in [On::Undecided, On::ToApprove, On::ToDeny] {
            let request = asker.ask(shared);
            let looked_at = stack.operator().wait_request(request, "verified", PATIENCE).expect("verified");
            self.heads.insert(on, looked_at.view.head);
            self.ids.insert(on, request);
        }
        let live = grantee.granted(stack, shared);
        self.ids.extend([(On::Granted, live), (On::GrantedForForeign, live)]);
        self.ids.insert(On::SuspendedGrant, suspended.granted(stack, shared));
    }

    /// The id of what there is an id of.
    pub fn id(&self, on: On) -> Id {
        *self.ids.get(&on).unwrap_or_else(|| panic!("{on:?} has no id"))
    }

    /// The head that an operator looked at; of what nobody decides on, some head.
    pub fn head(&self, on: On) -> Hash {
        self.heads.get(&on).copied().unwrap_or(Hash([1; 32]))
    }

    /// The key of the operator or auditor that is to be removed.
    pub fn operator(&self, on: On) -> Thumbprint {
        match on {
            On::Spare => self.spare.thumbprint(),
            On::SpareAuditor => self.spare_auditor.thumbprint(),
            _ => Thumbprint::of(&Bytes([7; 32])),
        }
    }

    /// The record that a request is for.
    pub fn record_of(&self, request: On) -> Id {
        match request {
            On::Elsewhere | On::GrantedForForeign => self.id(On::Foreign),
            _ => self.id(On::Shared),
        }
    }

    /// Somebody's client; the wallet of who calls in another's name.
    pub fn client(&self, caller: Caller) -> &Client {
        let caller = match caller {
            Caller::Forger | Caller::Impostor => Caller::Stranger,
            Caller::Nobody | Caller::Misdirected => Caller::Owner,
            caller => caller,
        };
        &self.clients[&caller]
    }
}

/// An id that nothing has.
fn nobodys() -> Id {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    Id::from_parts(1, [COUNT.fetch_add(1, Ordering::Relaxed); 10])
}

/// A record of which a body in parts is announced, and never sent.
fn large(owner: &Hospital) -> (Id, Bytes<32>) {
    let created = owner.create_record().expect("created");
    let spooled = created.spool(&b"a large one's first frame"[..]).expect("encrypted");
    let mut announcement = announcement(created.record, &spooled.sealed);
    // Whole frames and an empty last one, in two parts.
    let frames = PART_BYTES / u64::from(announcement.frame_bytes);
    announcement.body_bytes = frames * u64::from(announcement.frame_bytes + 32) + 40;
    let signed = owner.sign(announcement, &[("tokens", &a_token())]).expect("signed");
    let path = format!("/records/{}/upload", created.record);
    let answer = owner.post(&path, &signed, Some(&spooled.sealed.header)).expect("an answer");
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    (created.record, Bytes(spooled.sealed.message_id))
}

/// A search token, as good as any.
pub fn a_token() -> String {
    chartseal_events::encoding::base64url(&[7; 32])
}

fn announcement(record: Id, sealed: &chartseal_envelope::Sealed) -> Announcement {
    Announcement {
        record,
        version: 1,
        media_type: "text/plain".to_owned(),
        suite: SUITE.to_owned(),
        message_id: Bytes(sealed.message_id),
        commitment: Bytes(sealed.commitment),
        frame_bytes: sealed.frame_bytes.get(),
        body_bytes: sealed.body_bytes,
        frames_root: Hash(sealed.frames_root),
        parts_root: Hash(sealed.parts_root),
    }
}
