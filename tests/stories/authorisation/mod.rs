//! The authorisation matrix: every operation of docs/openapi.json, tried by everybody on their own and on others' objects.
//!
//! `table` says what must come of each attempt, `cast` who the people are and what there is, `calls` how an operation is called. An operation of the
//! document without a row fails the story, so that no new route can be forgotten; so does a row whose operation is gone, one whose way in is not the
//! documented one, and an operation with an object in its path that is not tried on each kind of object (`cast::Kind`).
//! Out of scope: malformed input (`refusals`), what a role of a function may do in AWS (`roles`).

mod calls;
mod cast;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use chartseal_events::wire::{Problem, ProviderProfile, RecordPage, RequestPage};
use chartseal_events::{Code, Id};
use chartseal_local::operations;
use chartseal_tests::Stack;

use calls::Answer;
use cast::{Caller, Cast, Kind, On};
use table::{Access, Expect, Row};

/// An operation as the document has it.
#[derive(Debug)]
struct Documented {
    access: Access,
    /// The statuses it may answer with, with the media type of each.
    answers: BTreeMap<u16, String>,
}

/// Every operation of docs/openapi.json, by method and path.
fn documented(stack: &Stack) -> BTreeMap<String, Documented> {
    let text = std::fs::read_to_string(stack.workspace.root().join("docs/openapi.json")).expect("the document");
    let each = operations(&text).expect("an OpenAPI document").into_iter().map(|operation| {
        let described = &operation.described;
        let read = described["security"].as_array().is_some_and(|ways| !ways.is_empty());
        let schema = &described["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let command = schema == "#/components/schemas/CommandRequest";
        let access = match (read, command) {
            (true, false) => Access::Read,
            (false, true) => Access::Command,
            (false, false) => Access::Anyone,
            (true, true) => panic!("{} has two ways in", operation.name()),
        };
        let answers = described["responses"].as_object().expect("responses").iter();
        let answers = answers.map(|(status, response)| {
            let media_types = response["content"].as_object().expect("content");
            (status.parse().expect("a status"), media_types.keys().next().expect("a media type").clone())
        });
        (operation.name(), Documented { access, answers: answers.collect() })
    });
    each.collect()
}

/// Fails where the table and the document name different operations, or the table has too few objects.
fn compare(operations: &BTreeMap<String, Documented>, rows: &[Row]) {
    let known: BTreeSet<&str> = operations.keys().map(String::as_str).collect();
    let tried: BTreeSet<&str> = rows.iter().map(|row| row.operation).collect();
    let forgotten: Vec<_> = known.difference(&tried).collect();
    let gone: Vec<_> = tried.difference(&known).collect();
    assert!(forgotten.is_empty(), "give these operations rows in tests/stories/authorisation/table.rs: {forgotten:?}");
    assert!(gone.is_empty(), "these operations are in no document: {gone:?}");
    for operation in known {
        let of: Vec<&Row> = rows.iter().filter(|row| row.operation == operation).collect();
        let objects: BTreeSet<On> = of.iter().map(|row| row.on).collect();
        assert_eq!(objects.len(), of.len(), "{operation} is tried twice on the same");
        let missing = untried(operation, &of);
        assert!(missing.is_empty(), "{operation} is not tried on {missing:?}");
        for row in of {
            assert_eq!(row.access, operations[operation].access, "{operation}: the way in");
        }
    }
}

/// The kinds of object that an operation must be tried on: none where its path names no object.
fn demanded(operation: &str) -> &'static [Kind] {
    let last = operation.rsplit('/').next().unwrap_or_default();
    match last {
        _ if !operation.contains('{') => &[],
        // Hashes belong to nobody, and the log as a whole to no provider.
        _ if operation.contains(" /ledger/") => &[],
        // Operators own nothing of what they decide on: all of it is somebody else's.
        "remove" | "verify" | "suspend" | "approve" | "deny" => &[Kind::Anothers, Kind::Nonexistent],
        // No grant is for a profile, nor for what has not been uploaded.
        "parts" | "complete" => &[Kind::Own, Kind::Anothers, Kind::Nonexistent],
        _ if operation.contains("/providers/") => &[Kind::Own, Kind::Anothers, Kind::Nonexistent],
        _ => &[Kind::Own, Kind::Anothers, Kind::Shared, Kind::Nonexistent],
    }
}

/// The demanded kinds of object that no row of an operation is about.
fn untried(operation: &str, rows: &[&Row]) -> Vec<Kind> {
    let demanded = demanded(operation);
    let own = if demanded.contains(&Kind::Own) { Kind::Own } else { Kind::Anothers };
    let kinds = rows.iter().flat_map(|row| row.on.kinds());
    let tried: BTreeSet<Kind> = kinds.map(|kind| if *kind == Kind::Own { own } else { *kind }).collect();
    demanded.iter().copied().filter(|kind| !tried.contains(kind)).collect()
}

#[test]
fn an_authorisation_row_that_is_taken_away_is_missed() {
    let all = table::rows();
    for operation in all.iter().map(|row| row.operation).filter(|operation| operation.contains('{')) {
        let of: Vec<&Row> = all.iter().filter(|row| row.operation == operation).collect();
        assert_eq!(untried(operation, &of), [], "{operation}");
        for kind in demanded(operation) {
            let is = |on: On| {
                let kinds = on.kinds();
                let operators = !demanded(operation).contains(&Kind::Own);
                kinds.contains(kind) || (operators && *kind == Kind::Anothers && kinds.contains(&Kind::Own))
            };
            let fewer: Vec<&Row> = of.iter().copied().filter(|row| !is(row.on)).collect();
            assert!(untried(operation, &fewer).contains(kind), "{operation} without {kind:?}");
        }
    }
}

/// What is wrong with an answer; nothing where it is the expected one and documented.
fn judge(documented: &Documented, answer: &Answer, expected: Expect) -> Option<String> {
    let came = match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) => match Code::from_name(&problem.code) {
            Some(code) if code.status() == answer.status => Expect::Refused(code),
            _ => return Some(format!("a problem that is not documented: {} {}", answer.status, problem.code)),
        },
        Err(_) => Expect::Taken(answer.status),
    };
    if came != expected {
        return Some(format!("{came:?} instead of {expected:?}"));
    }
    match documented.answers.get(&answer.status) {
        None => Some(format!("{} is not documented", answer.status)),
        Some(media_type) if *media_type != answer.media_type => {
            Some(format!("{} comes as {} instead of {media_type}", answer.status, answer.media_type))
        }
        Some(_) => None,
    }
}

#[test]
fn every_operation_answers_everybody_as_the_table_says() {
    let started = Instant::now();
    // A stack of its own: other stories count on their vault's operators.
    let stack = Stack::rough();
    let operations = documented(stack);
    let rows = table::rows();
    compare(&operations, &rows);
    let cast = Cast::gathered(stack);
    let ready = started.elapsed();
    lists_hold_what_is_ones_own(&cast);
    contacts_are_shown_to_few(&cast);

    let mut wrong = Vec::new();
    let mut attempts = 0;
    for row in &rows {
        for caller in Caller::ALL {
            for answer in calls::attempt(&cast, row, caller) {
                attempts += 1;
                if let Some(why) = judge(&operations[row.operation], &answer, row.expected(caller)) {
                    wrong.push(format!("{} on {:?} by {caller:?}: {why}", row.operation, row.on));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {attempts} attempts:\n{}", wrong.len(), wrong.join("\n"));
    // Said, not judged: how long it takes says nothing about who may do what. The bound of the whole suite is the one on time.
    let took = started.elapsed();
    eprintln!("{attempts} attempts on {} operations: {took:.1?}, of it {ready:.1?} for the people", operations.len());
}

/// Two lists are 200 for everybody who may use the vault: here it is what they hold that counts.
fn lists_hold_what_is_ones_own(cast: &Cast<'_>) {
    let records = |caller| -> BTreeSet<Id> {
        let page: RecordPage = cast.client(caller).read("/records?limit=100").expect("a page");
        page.records.into_iter().map(|record| record.record).collect()
    };
    let requests = |caller| -> BTreeSet<Id> {
        let page: RequestPage = cast.client(caller).read("/requests?limit=100").expect("a page");
        page.requests.into_iter().map(|request| request.request).collect()
    };
    let ids = |objects: &[On]| -> BTreeSet<Id> { objects.iter().map(|on| cast.id(*on)).collect() };
    assert_eq!(records(Caller::Stranger), ids(&[]));
    assert_eq!(records(Caller::Grantee), ids(&[]), "a grant makes no owner");
    assert_eq!(records(Caller::Owner), ids(&[On::Shared, On::Draft, On::Large]));
    assert_eq!(requests(Caller::Stranger), ids(&[]));
    let for_shared = [On::Undecided, On::ToApprove, On::ToDeny, On::Granted, On::SuspendedGrant];
    assert_eq!(requests(Caller::Owner), ids(&for_shared), "what others ask of one's records is in the list, too");
    assert_eq!(requests(Caller::Asker), ids(&[On::Undecided, On::ToApprove, On::ToDeny]));
    assert_eq!(requests(Caller::Grantee), ids(&[On::Granted]));
    assert_eq!(records(Caller::Auditor), records(Caller::Operator));
    assert_eq!(requests(Caller::Auditor), requests(Caller::Operator));
}

/// Who looks at a provider sees its contact person only if it is its own, or as an operator.
fn contacts_are_shown_to_few(cast: &Cast<'_>) {
    let shown = |caller| {
        let path = format!("/providers/{}", cast.id(On::OwnersProfile));
        let profile: ProviderProfile = cast.client(caller).read(&path).expect("a profile");
        profile.private.contains_key("name")
    };
    let shown = [Caller::Owner, Caller::Operator, Caller::Auditor, Caller::Stranger, Caller::Grantee].map(shown);
    assert_eq!(shown, [true, true, false, false, false]);
}
