//! What grows: a record's whole stream travels as evidence, so what touches a record costs more the more has happened to it.

use chartseal_events::command::RecordDownload;
use chartseal_events::decide::{Writing, write};
use chartseal_events::wire::{RecordView, ReleasedDownload};
use chartseal_events::{Bytes, Cause, Decision, Facts, Id, StreamId, decide};
use chartseal_http::testing::Wallet;
use chartseal_infra::ports::{Append, EventStore as _};
use chartseal_infra::road;

use crate::story::{self, upload};
use crate::vault::{Measured, Vault};

/// How many times the record was downloaded by its owner before.
pub const DOWNLOADS: [u32; 4] = [0, 10, 100, 1_000];

/// Measures what reads a record that was downloaded so many times.
pub async fn measured() -> Vec<Measured> {
    let vault = Vault::new().await;
    let people = story::arrived(&vault).await;
    let owner = &people.owner;
    let record = upload(&vault, owner).await;
    let mut downloads = 0;
    for wanted in DOWNLOADS {
        downloaded(&vault, owner, record, wanted - downloads).await;
        downloads = wanted;
        let situation = format!("{wanted} downloads before");
        let asked = vault.stage.get(owner, &format!("/records/{record}"));
        let name = ("GET /records/{id}", situation.as_str());
        let _: RecordView = vault.measure_call(name, &vault.records(), &asked, 200).await;
        let action = RecordDownload { record, version: 1 };
        let asked = vault.stage.post(owner, &format!("/records/{record}/download"), action, &[]);
        let name = ("POST /records/{id}/download", situation.as_str());
        let _: ReleasedDownload = vault.measure_call(name, &vault.records(), &asked, 201).await;
        downloads += 1;
    }
    vault.into_measured()
}

/// So many downloads, as the function would have written them: decided on a view that is kept, because reading the stream for each is what is so dear.
async fn downloaded(vault: &Vault, owner: &Wallet, record: Id, times: u32) {
    let stream = StreamId::Record(record);
    let streams = [StreamId::Staff(owner.person()), StreamId::Provider(owner.provider()), stream];
    let mut view = road::look(&vault.store, streams, vault.stage.now_ms()).await.expect("the streams");
    for number in 0..times {
        let (command, _) = vault.stage.command(owner, RecordDownload { record, version: 1 }, &[]);
        let at_ms = vault.stage.now_ms();
        let decided = decide(&view, Cause::Command(&command), &Facts::default(), at_ms).expect("allowed");
        let Decision::Append(drafts) = decided else { panic!("a new command") };
        let nonces = vec![Bytes(u128::from(number).to_be_bytes()); drafts.len()];
        let writing = Writing { at_ms, nonces: &nonces, command: Some(&command) };
        let events = write(&view, &drafts, writing).expect("an event");
        view = applied(&view, &events);
        vault.store.append(&Append { events, at_ms, ..Append::default() }).await.expect("appended");
    }
}

fn applied(view: &chartseal_events::View, events: &[chartseal_events::event::StoredEvent]) -> chartseal_events::View {
    let histories = view.histories().map(|history| {
        let (stream, mut history) = (history.stream, history.clone());
        for event in events.iter().filter(|event| event.at.stream == stream) {
            history.apply(event).expect("the next event");
        }
        history
    });
    chartseal_events::View::new(histories.collect::<Vec<_>>())
}
