//! What must come of each operation, for everybody and every object. One line of the table is one operation on one object.

use chartseal_events::Code;

use super::cast::{Caller, On};

/// How a caller says who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A signed command in the body.
    Command,
    /// A read token.
    Read,
    /// Not at all.
    Anyone,
}

/// What an attempt is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// This status, and no problem.
    Taken(u16),
    /// A problem with this code and its status.
    Refused(Code),
}

use Expect::{Refused, Taken};

const OK: Expect = Taken(200);
const MADE: Expect = Taken(201);
const PENDING: Expect = Refused(Code::ProviderPending);
const SUSPENDED: Expect = Refused(Code::ProviderSuspended);
const HIDDEN: Expect = Refused(Code::NotFound);
const NO_MEMBER: Expect = Refused(Code::NotMember);
const NO_OPERATOR: Expect = Refused(Code::NotOperator);
const NO_AUDITOR: Expect = Refused(Code::NotAuditor);
const UNKNOWN: Expect = Refused(Code::UnknownSigner);

/// An operation on an object.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Method and path, as the document has them.
    pub operation: &'static str,
    /// What it is tried on.
    pub on: On,
    /// How callers say who they are.
    pub access: Access,
    /// What becomes of those who are not who they say, in the order of [`Caller::ALL`].
    unknown: [Expect; 5],
    /// What becomes of everybody else: pending, suspended, stranger, owner, asker, grantee, operator.
    known: [Expect; 7],
    /// What becomes of an auditor, who reads what operators read, and commands nothing.
    auditor: Expect,
}

impl Row {
    /// What the caller is answered with.
    pub fn expected(&self, caller: Caller) -> Expect {
        if caller == Caller::Auditor {
            return self.auditor;
        }
        let others = Caller::ALL.iter().filter(|one| **one != Caller::Auditor);
        let place = others.into_iter().position(|one| *one == caller).expect("one of all");
        self.unknown.get(place).copied().unwrap_or_else(|| self.known[place - self.unknown.len()])
    }
}

/// A read: nobody, unregistered, forger, impostor, misdirected.
fn read(operation: &'static str, on: On, known: [Expect; 7]) -> Row {
    let unknown = [Code::MissingToken, Code::UnknownSigner, Code::SignatureInvalid, Code::NotMember, Code::TokenTarget];
    Row { operation, on, access: Access::Read, unknown: unknown.map(Refused), known, auditor: known[6] }
}

/// A command. A misdirected one names another object than its path or, where the path names none, is of another type than its path takes.
fn command(operation: &'static str, on: On, known: [Expect; 7]) -> Row {
    let misdirected = if operation.contains('{') { Code::PathMismatch } else { Code::WrongCommand };
    let unknown = [Code::MalformedJson, Code::UnknownSigner, Code::SignatureInvalid, Code::NotMember, misdirected];
    Row { operation, on, access: Access::Command, unknown: unknown.map(Refused), known, auditor: NO_MEMBER }
}

/// A command for operators alone.
fn governing(operation: &'static str, on: On, operator: Expect) -> Row {
    Row { auditor: NO_OPERATOR, ..command(operation, on, all_but_operators(NO_OPERATOR, operator)) }
}

/// A registration: by a new key that has the invitation's code, and by nobody in the name of somebody else.
fn registering(on: On, new_key: Expect) -> Row {
    let row = command("POST /providers", on, all_but_operators(UNKNOWN, new_key));
    let [nobody, .., misdirected] = row.unknown;
    // Whose key it is elsewhere says nothing: who has the code registers with the key that signs.
    Row { unknown: [nobody, new_key, UNKNOWN, UNKNOWN, misdirected], auditor: new_key, ..row }
}

fn all_but_operators(others: Expect, operator: Expect) -> [Expect; 7] {
    let mut known = [others; 7];
    known[6] = operator;
    known
}

/// What is for anybody, and the same for everybody.
const LEDGER: [&str; 4] =
    ["GET /ledger/checkpoint", "GET /ledger/tile/{tile}", "GET /ledger/blocks/{height}", "GET /ledger/proof/{leaf}"];

/// The table. What changes an object comes last in its row, and has the object for itself.
pub fn rows() -> Vec<Row> {
    let mut rows = vec![Row {
        operation: "GET /healthz",
        on: On::Vault,
        access: Access::Anyone,
        unknown: [OK; 5],
        known: [OK; 7],
        auditor: OK,
    }];
    let for_anybody = |operation, answer| Row {
        operation,
        on: On::Vault,
        access: Access::Anyone,
        unknown: [answer; 5],
        known: [answer; 7],
        auditor: answer,
    };
    rows.extend(LEDGER.map(|operation| for_anybody(operation, OK)));
    // This stack has no witnesses; the story `witnessed` has.
    rows.push(for_anybody("GET /ledger/cosigned", HIDDEN));
    let known = [PENDING, SUSPENDED, NO_AUDITOR, NO_AUDITOR, NO_AUDITOR, NO_AUDITOR, OK];
    rows.push(read("GET /ledger/blocks/{height}/events/{first}", On::Vault, known));
    rows.extend(people());
    rows.extend(records());
    rows.extend(uploads());
    rows.extend(requests());
    rows.extend(searches());
    rows
}

#[rustfmt::skip]
fn people() -> Vec<Row> {
    vec![
        governing("POST /invitations", On::Vault, MADE),
        governing("POST /operators", On::Spare, MADE),
        governing("POST /operators/{kid}/remove", On::NoOperator, HIDDEN),
        governing("POST /operators/{kid}/remove", On::Spare, MADE),
        governing("POST /auditors", On::SpareAuditor, MADE),
        governing("POST /auditors/{kid}/remove", On::NoOperator, HIDDEN),
        governing("POST /auditors/{kid}/remove", On::SpareAuditor, MADE),
        registering(On::RightCode, MADE),
        registering(On::WrongCode, Refused(Code::WrongCode)),
        registering(On::NoProvider, HIDDEN),
        //                                               pending  suspended  stranger owner   asker   grantee operator
        read("GET /providers/{id}", On::OwnersProfile,    [PENDING, SUSPENDED, OK,     OK,     OK,     OK,     OK]),
        read("GET /providers/{id}", On::PendingProfile,   [OK,      SUSPENDED, HIDDEN, HIDDEN, HIDDEN, HIDDEN, OK]),
        read("GET /providers/{id}", On::SuspendedProfile, [PENDING, OK,        HIDDEN, HIDDEN, HIDDEN, HIDDEN, OK]),
        read("GET /providers/{id}", On::NoProvider,       [PENDING, SUSPENDED, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN]),
        governing("POST /providers/{id}/verify", On::OwnersProfile, Refused(Code::AlreadyVerified)),
        governing("POST /providers/{id}/verify", On::NoProvider, HIDDEN),
        governing("POST /providers/{id}/verify", On::ToVerify, MADE),
        governing("POST /providers/{id}/suspend", On::SuspendedProfile, Refused(Code::AlreadySuspended)),
        governing("POST /providers/{id}/suspend", On::NoProvider, HIDDEN),
        governing("POST /providers/{id}/suspend", On::ToSuspend, MADE),
    ]
}

#[rustfmt::skip]
fn records() -> Vec<Row> {
    //                     pending  suspended  stranger owner   asker   grantee operator
    let owners =          [PENDING, SUSPENDED, HIDDEN, MADE,   HIDDEN, HIDDEN, NO_MEMBER];
    let somebody_elses =  [PENDING, SUSPENDED, HIDDEN, HIDDEN, HIDDEN, HIDDEN, NO_MEMBER];
    let operators =       [PENDING, SUSPENDED, HIDDEN, HIDDEN, HIDDEN, HIDDEN, OK];
    let nobodys =         [PENDING, SUSPENDED, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN];
    let mut rows = vec![
        read("GET /records", On::Vault,        [PENDING, SUSPENDED, OK,     OK,     OK,     OK,     OK]),
        command("POST /records", On::Vault,    [PENDING, SUSPENDED, MADE,   MADE,   MADE,   MADE,   NO_MEMBER]),
        read("GET /records/{id}", On::Shared,  [PENDING, SUSPENDED, HIDDEN, OK,     HIDDEN, OK,     OK]),
        read("GET /records/{id}", On::Foreign, operators),
        read("GET /records/{id}", On::SuspendedRecord, operators),
        read("GET /records/{id}", On::NoRecord, nobodys),
    ];
    for operation in ["POST /records/{id}/key", "POST /records/{id}/download", "POST /records/{id}/versions"] {
        rows.push(command(operation, On::Shared, owners));
        for on in [On::Foreign, On::SuspendedRecord, On::NoRecord] {
            rows.push(command(operation, on, somebody_elses));
        }
    }
    rows
}

#[rustfmt::skip]
fn uploads() -> Vec<Row> {
    //                                pending  suspended  stranger owner  asker   grantee operator
    let owners = |made: Expect|      [PENDING, SUSPENDED, HIDDEN, made,   HIDDEN, HIDDEN, NO_MEMBER];
    let mut rows = vec![
        command("POST /records/{id}/upload", On::Shared, owners(Refused(Code::VersionUploaded))),
        command("POST /records/{id}/upload", On::Draft, owners(MADE)),
        read("POST /records/{id}/upload/parts", On::Large, owners(OK)),
        // No upload has the id that is named.
        read("POST /records/{id}/upload/complete", On::Large, owners(Refused(Code::UploadUnknown))),
    ];
    for on in [On::Foreign, On::SuspendedRecord, On::NoRecord] {
        rows.push(command("POST /records/{id}/upload", on, owners(HIDDEN)));
        rows.push(read("POST /records/{id}/upload/parts", on, owners(HIDDEN)));
        rows.push(read("POST /records/{id}/upload/complete", on, owners(HIDDEN)));
    }
    rows
}

#[rustfmt::skip]
fn requests() -> Vec<Row> {
    const OWN: Expect = Refused(Code::OwnRecord);
    const WAITS: Expect = Refused(Code::NotApproved);
    const DECIDED: Expect = Refused(Code::AlreadyDecided);
    //                    pending  suspended  stranger owner   asker   grantee operator
    let nobodys =        [PENDING, SUSPENDED, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN];
    let somebody_elses = [PENDING, SUSPENDED, HIDDEN, HIDDEN, HIDDEN, HIDDEN, NO_MEMBER];
    let ask = "POST /records/{id}/requests";
    let mut rows = vec![
        read("GET /requests", On::Vault,              [PENDING, SUSPENDED, OK,     OK,     OK,     OK,     OK]),
        read("GET /requests/{id}", On::Undecided,     [PENDING, SUSPENDED, HIDDEN, OK,     OK,     HIDDEN, OK]),
        read("GET /requests/{id}", On::Granted,       [PENDING, SUSPENDED, HIDDEN, OK,     HIDDEN, OK,     OK]),
        read("GET /requests/{id}", On::SuspendedGrant,[PENDING, SUSPENDED, HIDDEN, OK,     HIDDEN, HIDDEN, OK]),
        read("GET /requests/{id}", On::Elsewhere,     [PENDING, SUSPENDED, HIDDEN, HIDDEN, HIDDEN, HIDDEN, OK]),
        read("GET /requests/{id}", On::NoRequest, nobodys),
    ];
    for operation in ["POST /requests/{id}/key", "POST /requests/{id}/download"] {
        rows.extend([
            command(operation, On::Granted,           [PENDING, SUSPENDED, HIDDEN, HIDDEN, HIDDEN, MADE,   NO_MEMBER]),
            command(operation, On::Undecided,         [PENDING, SUSPENDED, HIDDEN, HIDDEN, WAITS,  HIDDEN, NO_MEMBER]),
            command(operation, On::GrantedForForeign, somebody_elses),
            command(operation, On::SuspendedGrant, somebody_elses),
            command(operation, On::Elsewhere, somebody_elses),
            command(operation, On::NoRequest, somebody_elses),
        ]);
    }
    rows.extend([
        governing("POST /requests/{id}/approve", On::Granted, DECIDED),
        governing("POST /requests/{id}/approve", On::NoRequest, HIDDEN),
        governing("POST /requests/{id}/approve", On::ToApprove, MADE),
        governing("POST /requests/{id}/deny", On::Granted, DECIDED),
        governing("POST /requests/{id}/deny", On::NoRequest, HIDDEN),
        governing("POST /requests/{id}/deny", On::ToDeny, MADE),
        // Everybody who is verified may ask for what has been uploaded. What has not been does not exist for others.
        command(ask, On::Shared,   [PENDING, SUSPENDED, MADE,   OWN,    MADE,   MADE,   NO_MEMBER]),
        command(ask, On::Foreign,  [PENDING, SUSPENDED, MADE,   MADE,   MADE,   MADE,   NO_MEMBER]),
        command(ask, On::Large,    [PENDING, SUSPENDED, HIDDEN, OWN,    HIDDEN, HIDDEN, NO_MEMBER]),
        command(ask, On::NoRecord, somebody_elses),
    ]);
    rows
}

#[rustfmt::skip]
fn searches() -> Vec<Row> {
    vec![
        //                                   pending  suspended  stranger owner asker grantee operator
        command("POST /search", On::Vault,  [PENDING, SUSPENDED, MADE, MADE, MADE, MADE, NO_MEMBER]),
        read("POST /tokens", On::Vault,     [PENDING, SUSPENDED, OK,   OK,   OK,   OK,   NO_MEMBER]),
    ]
}
