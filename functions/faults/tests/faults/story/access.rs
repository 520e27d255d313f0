//! Who asks for Ann's record: Bob, who gets it for an hour; Cyd, who is denied, asks again and is not answered.

use chartseal_events::command::{AccessApprove, AccessDeny, AccessRequest, KeyIssue, RequestDownload, SearchPerform};
use chartseal_events::purpose::Purpose;
use chartseal_events::wire::{Accepted, IssuedKey, ReleasedDownload, RequestPage, RequestView, SearchResults};
use chartseal_events::{Code, StreamId};
use chartseal_http::Incoming;
use chartseal_ledger::terms::TokenQuery;

use super::records::{open, token};
use super::{Group, call, nothing, outside, refused};
use crate::cast::{Cast, decoded, read};
use crate::functions::DECISION_S;

const GRANT_S: u64 = 3_600;

pub fn approved() -> Vec<Group> {
    vec![
        call("bob searches", "POST /search", search, |cast, json| {
            let hits = read::<SearchResults>(json).hits;
            let found: Vec<_> = hits.iter().map(|hit| (hit.record, hit.version)).collect();
            assert_eq!(found, [(cast.ids["scan"], 2)]);
        }),
        call(
            "bob asks for the record",
            "POST /records/{id}/requests",
            |cast| ask(cast, "bob"),
            |cast, json| asked(cast, json, "bob's"),
        ),
        call(
            "bob lists his requests",
            "GET /requests",
            |cast| cast.read("bob", "GET", "/requests", ""),
            |_, json| {
                assert_eq!(read::<RequestPage>(json).requests.len(), 1);
            },
        ),
        call(
            "an operator looks at it",
            "GET /requests/{id}",
            |cast| show(cast, "bob's"),
            |cast, json| shown(cast, json, "bob's"),
        ),
        refused(
            "bob would approve it himself",
            "POST /requests/{id}/approve",
            |cast| approve(cast, "bob", "bob's"),
            Code::NotOperator,
        ),
        refused("bob is too early", "POST /requests/{id}/key", |cast| key(cast, "bob", "bob's"), Code::NotApproved),
        call(
            "an operator approves",
            "POST /requests/{id}/approve",
            |cast| approve(cast, "second operator", "bob's"),
            nothing,
        ),
        call(
            "bob fetches the key",
            "POST /requests/{id}/key",
            |cast| key(cast, "bob", "bob's"),
            |cast, json| {
                let issued: IssuedKey = read(json);
                open(cast, "bob", &issued.sealed_key, (cast.ids["scan"], 2), Some(cast.ids["bob's"]));
            },
        ),
        call("bob downloads", "POST /requests/{id}/download", download, |cast, json| {
            let released: ReleasedDownload = read(json);
            assert_eq!(decoded(&released.header), cast.bodies["v2"].header);
        }),
    ]
}

pub fn denied() -> Vec<Group> {
    vec![
        call(
            "cyd asks, too",
            "POST /records/{id}/requests",
            |cast| ask(cast, "cyd"),
            |cast, json| asked(cast, json, "cyd's"),
        ),
        call(
            "an operator looks at cyd's",
            "GET /requests/{id}",
            |cast| show(cast, "cyd's"),
            |cast, json| shown(cast, json, "cyd's"),
        ),
        call("an operator denies it", "POST /requests/{id}/deny", deny, nothing),
        refused("cyd gets no key", "POST /requests/{id}/key", |cast| key(cast, "cyd", "cyd's"), Code::RequestDenied),
        call(
            "cyd asks once more",
            "POST /records/{id}/requests",
            |cast| ask(cast, "cyd"),
            |cast, json| asked(cast, json, "cyd's second"),
        ),
    ]
}

pub fn over() -> Vec<Group> {
    vec![
        outside("grants and requests come to their ends", |vault, _| vault.advance(DECISION_S * 1000)),
        refused("bob's time is over", "POST /requests/{id}/key", |cast| key(cast, "bob", "bob's"), Code::GrantOver),
        refused(
            "cyd was never answered",
            "POST /requests/{id}/key",
            |cast| key(cast, "cyd", "cyd's second"),
            Code::RequestExpired,
        ),
    ]
}

fn search(cast: &mut Cast) -> Incoming {
    let query = TokenQuery::new(vec![vec![token(2), token(5)], vec![token(1)]]).expect("a query");
    cast.post("bob", "/search", SearchPerform {}, &[("query", &query.to_json())])
}

fn ask(cast: &mut Cast, who: &str) -> Incoming {
    let record = cast.ids["scan"];
    let ask = AccessRequest { record, version: 2, purpose: Purpose::Treatment, grant_seconds: GRANT_S };
    cast.post(who, &format!("/records/{record}/requests"), ask, &[("justification", "justified-because of Zacharias")])
}

fn asked(cast: &mut Cast, json: &str, name: &'static str) {
    let StreamId::Request(id) = read::<Accepted>(json).event.stream else { panic!("a request's stream") };
    cast.ids.insert(name, id);
}

fn show(cast: &mut Cast, name: &str) -> Incoming {
    let path = format!("/requests/{}", cast.ids[name]);
    cast.read("operator", "GET", &path, "")
}

fn shown(cast: &mut Cast, json: &str, name: &'static str) {
    let view: RequestView = read(json);
    assert_eq!(view.state, "verified");
    cast.hashes.insert(name, view.head);
}

fn approve(cast: &mut Cast, who: &str, name: &str) -> Incoming {
    let (request, head) = (cast.ids[name], cast.hashes[name]);
    let private = [("comment", "reasoned-because of need")];
    cast.post(who, &format!("/requests/{request}/approve"), AccessApprove { request, head }, &private)
}

fn deny(cast: &mut Cast) -> Incoming {
    let (request, head) = (cast.ids["cyd's"], cast.hashes["cyd's"]);
    let private = [("reason", "reasoned-because of doubt")];
    cast.post("operator", &format!("/requests/{request}/deny"), AccessDeny { request, head }, &private)
}

fn key(cast: &mut Cast, who: &str, name: &str) -> Incoming {
    let (request, record) = (cast.ids[name], cast.ids["scan"]);
    cast.post(who, &format!("/requests/{request}/key"), KeyIssue { request, record }, &[])
}

fn download(cast: &mut Cast) -> Incoming {
    let (request, record) = (cast.ids["bob's"], cast.ids["scan"]);
    cast.post("bob", &format!("/requests/{request}/download"), RequestDownload { request, record }, &[])
}
