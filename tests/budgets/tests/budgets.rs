//! Each operation asks of AWS what its budget says, no more and no less; and every operation has one.

use std::collections::BTreeSet;

use chartseal_budgets::budget::{Budget, Budgets, verdict};
use chartseal_budgets::emulator::TABLES;
use chartseal_budgets::story;
use chartseal_budgets::table::is_route;
use chartseal_budgets::vault::{Measured, Vault, disputed};
use chartseal_events::{Outcome, StreamId};
use chartseal_infra::ports::EventStore as _;
use chartseal_local::{Operation, operations};

const OPENAPI: &str = include_str!("../../../docs/openapi.json");
const TEMPLATE: &str = include_str!("../../../template.yaml");

/// Types of events in streams from which nothing ever follows: the consumer does not even read them.
const UNREAD: &[&str] = &["vault.", "operator.", "auditor.", "provider.", "staff.", "search."];

#[tokio::test]
async fn every_operation_keeps_to_its_budget() {
    let measured = Box::pin(story::measured()).await;
    assert_eq!(disputed(&measured), Vec::<String>::new(), "the emulator counts write units otherwise");
    let differences = Budgets::read().expect("the budget file").differences(&Budgets::of(&measured));
    assert!(differences.is_empty(), "{}", verdict(&differences));
    is_complete(&measured);
}

/// Every operation of the API, and every type of event, has a row; and no row is of anything else.
fn is_complete(measured: &[Measured]) {
    let operations: BTreeSet<String> =
        operations(OPENAPI).expect("an OpenAPI document").iter().map(Operation::name).collect();
    let names = measured.iter().map(|row| row.name.split(", ").next().unwrap_or_default().to_owned());
    let (routes, others): (BTreeSet<String>, BTreeSet<String>) = names.partition(|name| is_route(name));
    assert_eq!(
        routes, operations,
        "an operation without a row, or a row without an operation: tests/budgets/src/story"
    );

    let consumed: BTreeSet<&str> = others.iter().filter_map(|name| name.strip_prefix("consumer ")).collect();
    let read = Outcome::TYPES.iter().copied().filter(|typ| !UNREAD.iter().any(|stream| typ.starts_with(stream)));
    assert_eq!(consumed, read.collect(), "a type of event that the consumer is never woken by here");

    let woken: BTreeSet<&str> = others.iter().filter_map(|name| name.split(' ').next()).collect();
    assert_eq!(woken, BTreeSet::from(["commit", "consumer", "genesis", "seal", "sweeper", "workflow"]));
    for task in ["verify", "await", "wait-over"] {
        assert!(others.contains(&format!("workflow {task}")), "the workflow's task {task}");
    }
}

#[tokio::test]
async fn a_call_more_is_noticed() {
    let vault = Box::pin(Vault::new()).await;
    vault.genesis().await;
    let (name, situation) = ("GET /healthz", "the vault's stream has 1 event");
    let asked = vault.stage.send("GET", "/healthz", Vec::new());
    let function = vault.healthz();
    let work = async {
        let answer = chartseal_http::testing::call(&function, &asked).await;
        // The call too many.
        vault.store.load(&StreamId::Vault).await.expect("the stream");
        ((), answer.json.len())
    };
    vault.measure(name, situation, work).await;
    let file = Budgets::read().expect("the budget file");
    let only = |budget: &Budget| Budgets([(name.to_owned(), budget.clone())].into());
    let differences = only(&file.0[name]).differences(&Budgets::of(&vault.into_measured()));
    let said = verdict(&differences);
    for line in ["calls of DynamoDB Query grew from 1 to 2", "read units grew from 1 to 2", "rounds grew from 1 to 2"] {
        assert!(said.contains(&format!("{name}: {line}")), "{said}");
    }
    assert!(said.contains("chartseal-budgets -- calls"), "{said}");
}

/// The tables here are the template's, as far as they cost anything: keys, indexes, and nothing projected but keys.
#[test]
fn the_tables_are_the_templates() {
    let resources = TEMPLATE.matches("Type: AWS::DynamoDB::Table").count();
    assert_eq!(resources, TABLES.len(), "template.yaml has other tables than emulator.rs");
    for table in TABLES {
        let begin = TEMPLATE.find(&format!("\n  {}:\n", table.resource)).expect("a table of that name");
        let rest = &TEMPLATE[begin + 1..];
        let described = &rest[..rest.find("\n\n").unwrap_or(rest.len())];
        let schema = |key: &[(&str, _)]| {
            let kinds = ["HASH", "RANGE"];
            let elements =
                key.iter().zip(kinds).map(|((name, _), kind)| format!("{{AttributeName: {name}, KeyType: {kind}}}"));
            format!("KeySchema: [{}]", elements.collect::<Vec<_>>().join(", "))
        };
        assert!(described.contains(&schema(table.key)), "the key of {}: {described}", table.resource);
        assert_eq!(described.matches("IndexName").count(), usize::from(table.by_time.is_some()), "{}", table.resource);
        if let Some(key) = table.by_time {
            assert!(described.contains("IndexName: by_time") && described.contains(&schema(key)), "{described}");
            assert!(described.contains("Projection: {ProjectionType: KEYS_ONLY}"), "{described}");
        }
    }
}
