//! The Events table: first which streams there are, then each of them, read consistently, folded, and decided again.

use std::collections::BTreeSet;

use chartseal_events::event::{EventRef, StoredEvent};
use chartseal_events::evidence::{rerun, view_at};
use chartseal_events::state::{FoldError, History};
use chartseal_events::{Event, Hash, Outcome, StreamId};
use chartseal_infra::aws::{Place, Raw, RawItem};
use chartseal_infra::layout;
use chartseal_infra::ports::StoreError;
use futures_util::StreamExt as _;

use crate::account::{Account, Entry, Thing};
use crate::past::Past;
use crate::report::{Flaw, Report};
use crate::tables::{SWEEP_MS, each_page, key_text, number, text};
use crate::{Reading, Round, named, rules};

/// The attributes of an event's item.
const ATTRIBUTES: [&str; 6] = ["at", "body", "hour", "moment", "seq", "stream"];

/// Reads all streams, and puts down what they account for.
pub(crate) async fn read(round: &Round<'_>, account: &mut Account, report: &mut Report) -> Result<(), StoreError> {
    let mut streams = BTreeSet::new();
    let table = account.place(Thing::Event).to_owned();
    each_page(round, Place::Events, |items| {
        for item in items {
            match text(&item, "stream").and_then(|name| name.parse::<StreamId>().ok()) {
                Some(stream) => {
                    streams.insert(stream);
                }
                None => report.foreign(
                    Thing::Event,
                    &table,
                    &key_text(&item, &["stream", "seq"]),
                    "no stream has that name",
                ),
            }
        }
    })
    .await?;
    // The vault's stream is looked for whether it is there or not.
    streams.insert(StreamId::Vault);
    let past = Past::new(round.inventory);
    account.origin = begin(round, &past, account, report).await?;
    let reads = streams.into_iter().map(|stream| async move { (stream, round.inventory.stream(&stream).await) });
    let mut reads = futures_util::stream::iter(reads).buffered(round.settings.at_once as usize);
    let mut read = 0;
    while let Some((stream, items)) = reads.next().await {
        let items = items?;
        read += items.len() as u64;
        round.tell(Reading::Items(Place::Events), read);
        one(stream, &items, &past, account, report).await?;
    }
    Ok(())
}

/// The genesis event: everything goes back to it. Gives the vault's origin.
async fn begin(
    round: &Round<'_>,
    past: &Past<'_>,
    account: &mut Account,
    report: &mut Report,
) -> Result<Option<String>, StoreError> {
    let place = EventRef { stream: StreamId::Vault, seq: 0 };
    let table = account.place(Thing::Event).to_owned();
    let items = round.inventory.stream(&place.stream).await?;
    let Some(first) = items.first().and_then(|item| stored(place.stream, item)).filter(|first| first.at == place)
    else {
        report.find(Thing::Event, Flaw::Missing, &table, &named(place), "there is no genesis event");
        return Ok(None);
    };
    if round.settings.genesis.is_some_and(|genesis| genesis != first.leaf) || past.at(place).await?.is_none() {
        let what = "it is not the genesis event of the vault that was to be audited";
        report.find(Thing::Event, Flaw::Changed, &table, &named(place), what);
    }
    Ok(match first.open() {
        Ok(Event { outcome: Outcome::Genesis(genesis), at_ms, .. }) => {
            let swept = Entry::always(place).from(account.late(at_ms.saturating_add(SWEEP_MS)));
            account.expect(Thing::Cursor, "cursor\0sweep", swept);
            account.search_key = Some(Hash::of(&[&genesis.search_key.0]));
            account.ledger.begin(&genesis);
            Some(genesis.origin)
        }
        _ => None,
    })
}

/// An item of this stream as a stored event; none where it has no place or no body.
pub(crate) fn stored(stream: StreamId, item: &RawItem) -> Option<StoredEvent> {
    let Some(Raw::Bytes(body)) = item.get("body") else { return None };
    let body = String::from_utf8(body.clone()).ok()?;
    Some(StoredEvent::new(EventRef { stream, seq: number(item, "seq")? }, body))
}

/// One stream: its items, its links, its decisions.
async fn one(
    stream: StreamId,
    items: &[RawItem],
    past: &Past<'_>,
    account: &mut Account,
    report: &mut Report,
) -> Result<(), StoreError> {
    let table = account.place(Thing::Event).to_owned();
    *report.streams.entry(stream.kind()).or_default() += 1;
    account.lengths.insert(stream, items.len() as u64);
    if !items.is_empty() {
        account.note_found(Thing::Event, &named(EventRef { stream, seq: 0 }));
    }
    items.iter().filter_map(|item| stored(stream, item)).for_each(|event| account.ledger.note(&event));
    let mut before = History::empty(stream);
    let mut whole = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let rest = items.len() - index;
        let Some(event) = stored(stream, item) else {
            let what = "it is no event's item: its number or its body is missing";
            report.wrong(Thing::Event, Flaw::Damaged, &table, &key_text(item, &["stream", "seq"]), what);
            give_up(stream, rest - 1, account, report);
            return Ok(());
        };
        let place = named(event.at);
        let (next, _) = before.next();
        if event.at.seq != next {
            let missing = named(EventRef { stream, seq: next });
            report.find(Thing::Event, Flaw::Missing, &table, &missing, format!("the stream goes on with {place}"));
            give_up(stream, rest, account, report);
            return Ok(());
        }
        let previous = before.clone();
        let opened = match before.apply(&event) {
            Ok(opened) => opened,
            Err(error) => {
                let flaw = match error {
                    FoldError::Event(..) => Flaw::Damaged,
                    FoldError::Link(_) => Flaw::Unlinked,
                    FoldError::Impossible(_) => Flaw::Impossible,
                };
                report.wrong(Thing::Event, flaw, &table, &place, format!("{error}; what follows was not looked at"));
                give_up(stream, rest - 1, account, report);
                return Ok(());
            }
        };
        *report.events.entry(opened.outcome.typ()).or_default() += 1;
        let filed = check_filing(item, &opened, account, report);
        let decided = filed && check_decision(&opened, &previous, past, account, report).await?;
        if decided {
            report.accounted(Thing::Event);
        }
        rules::of_event(&opened, account);
        whole.push(opened);
    }
    rules::of_stream(&before, &whole, account, report);
    Ok(())
}

/// The rest of a stream cannot be judged, nor what belongs to it.
fn give_up(stream: StreamId, rest: usize, account: &mut Account, report: &mut Report) {
    account.broken.insert(stream);
    report.unjudged(Thing::Event, rest as u64);
}

/// Whether the item's other attributes are those that follow from the body.
fn check_filing(item: &RawItem, event: &Event, account: &mut Account, report: &mut Report) -> bool {
    let (hour, moment) = (layout::hour(event.at_ms, &event.leaf), layout::moment(event.at_ms, event.place));
    let by_time = [hour.as_str(), "\0", moment.as_str()].concat();
    account.expect(Thing::ByTime, by_time, Entry::always(event.place));
    let right = number::<u64>(item, "at") == Some(event.at_ms)
        && text(item, "hour") == Some(&hour)
        && text(item, "moment") == Some(&moment)
        && item.keys().eq(ATTRIBUTES);
    if !right {
        let what = "`at`, `hour` or `moment` is not what follows from the body, or there are further attributes";
        report.wrong(Thing::Event, Flaw::Changed, account.place(Thing::Event), &named(event.place), what);
    }
    right
}

/// Whether the event's command and history lead to this event again.
async fn check_decision(
    event: &Event,
    before: &History,
    past: &Past<'_>,
    account: &Account,
    report: &mut Report,
) -> Result<bool, StoreError> {
    let (place, table) = (named(event.place), account.place(Thing::Event));
    if let Some(command) = &event.command
        && !matches!(before.commands.find(command), Ok(None))
    {
        let what = "the stream had taken this command, or another one under its `jti`, before";
        report.wrong(Thing::Event, Flaw::Repeated, table, &place, what);
        return Ok(false);
    }
    let Some(origin) = account.origin.as_deref() else { return Ok(true) };
    let mut seen = Vec::with_capacity(event.seen.len());
    for head in &event.seen {
        let relied = EventRef { stream: head.0, seq: head.1 };
        if account.broken.contains(&relied.stream) {
            report.unjudged(Thing::Event, 1);
            return Ok(false);
        }
        let Some(history) = past.at(relied).await? else {
            let what = format!("it relies on {relied}, which is not there as it says");
            report.wrong(Thing::Event, Flaw::Undecidable, table, &place, what);
            return Ok(false);
        };
        seen.push(history);
    }
    let decided = view_at(event, before.clone(), seen).and_then(|view| rerun(event, &view, origin).map(drop));
    let Err(error) = decided else { return Ok(true) };
    let flaw = match error {
        chartseal_events::evidence::Unsound::OtherOutcome(_) => Flaw::Undue,
        _ => Flaw::Undecidable,
    };
    report.wrong(Thing::Event, flaw, table, &place, error.to_string());
    Ok(false)
}
