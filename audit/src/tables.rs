//! The other tables, a page at a time: every item is looked for in the account.

use std::str::FromStr;

use chartseal_envelope::Header;
use chartseal_events::private::{self, PrivatePart};
use chartseal_events::{Bytes, EventRef, Hash, Id, StreamId};
use chartseal_infra::aws::{Place, Raw, RawItem};
use chartseal_infra::layout;
use chartseal_infra::ports::{IndexList, StoreError};
use futures_util::TryStreamExt as _;

use crate::account::{Account, Entry, Item, Thing};
use crate::report::{Flaw, Report};
use crate::{Reading, Round, ledger, named, rules};

/// Events of the last half minute are left to the consumer, and the sweeper comes every minute and may take one.
pub(crate) const SWEEP_MS: u64 = 150_000;

/// Private before Index: a record's postings follow from its tokens.
pub(crate) async fn read(round: &Round<'_>, account: &mut Account, report: &mut Report) -> Result<(), StoreError> {
    for (place, check) in [
        (Place::ByTime, by_time as fn(&RawItem, &mut Account, &mut Report)),
        (Place::Private, private_values),
        (Place::Keys, key),
        (Place::SearchKeys, search_key),
        (Place::Index, posting),
        (Place::Work, work),
        (Place::Sealed, ledger::sealed::item),
    ] {
        if place == Place::SearchKeys
            && let Some(public) = account.search_key
        {
            let genesis = EventRef { stream: StreamId::Vault, seq: 0 };
            account.expect(Thing::SearchKey, "1", Entry::always(genesis).holding(public));
        }
        each_page(round, place, |items| {
            account.read_ms = (round.clock)();
            for item in &items {
                check(item, account, report);
            }
        })
        .await?;
    }
    Ok(())
}

/// Reads a place in parallel segments, and gives each page to `take`.
pub(crate) async fn each_page(
    round: &Round<'_>,
    place: Place,
    mut take: impl FnMut(Vec<RawItem>),
) -> Result<(), StoreError> {
    let segments = round.settings.at_once.max(1);
    let pages = (0..segments).map(|segment| {
        Box::pin(futures_util::stream::try_unfold(Some(None), move |state| async move {
            let Some(start) = state else { return Ok::<_, StoreError>(None) };
            let (items, next) = round.inventory.scan(place, segment, segments, start).await?;
            Ok(Some((items, next.map(Some))))
        }))
    });
    let mut pages = futures_util::stream::select_all(pages);
    let mut read = 0;
    while let Some(items) = pages.try_next().await? {
        read += items.len() as u64;
        round.tell(Reading::Items(place), read);
        take(items);
    }
    Ok(())
}

fn by_time(item: &RawItem, account: &mut Account, report: &mut Report) {
    let name = match (text(item, "hour"), text(item, "moment")) {
        (Some(hour), Some(moment)) => [hour, "\0", moment].concat(),
        _ => key_text(item, &["hour", "moment"]),
    };
    let stream = text(item, "moment").and_then(layout::parse_moment).map(|(_, event)| event.stream);
    account.check_off(&Item { thing: Thing::ByTime, name: &name, stream }, None, report);
}

fn private_values(item: &RawItem, account: &mut Account, report: &mut Report) {
    let place = account.place(Thing::Private).to_owned();
    let stream = text(item, "stream").and_then(|name| name.parse::<StreamId>().ok());
    let (Some(stream), Some(seq)) = (stream, number(item, "seq")) else {
        report.foreign(Thing::Private, &place, &key_text(item, &["stream", "seq"]), "no event has that place");
        return;
    };
    let event = EventRef { stream, seq };
    let part: Option<PrivatePart> = text(item, "fields").and_then(|fields| serde_json::from_str(fields).ok());
    let (Some(part), 3) = (part, item.len()) else {
        report.wrong(Thing::Private, Flaw::Damaged, &place, &named(event), "its `fields` cannot be read");
        account.note_found(Thing::Private, &named(event));
        return;
    };
    if part.is_empty() && account.has(event) {
        let tally = report.tally(Thing::Private);
        tally.read += 1;
        tally.erased += 1;
        account.note_found(Thing::Private, &named(event));
        return;
    }
    if let Some(posts) = account.posts.get(&event).copied() {
        let tokens = part.get("tokens").map_or("", |tokens| &tokens.value);
        let moment = layout::moment(posts.at_ms, event);
        for token in tokens.split(' ').filter_map(|token| token.parse::<Bytes<32>>().ok()) {
            let name = rules::posting(&IndexList::Token(token.to_string()), &moment);
            let entry = Entry::always(event).holding(rules::version(posts.version));
            account.expect(Thing::Posting, name, entry.within(posts.from_ms, posts.until_ms));
        }
    }
    let content = rules::commitments(&private::commitments(&part));
    account.check_off(
        &Item { thing: Thing::Private, name: &named(event), stream: Some(stream) },
        Some(content),
        report,
    );
}

fn key(item: &RawItem, account: &mut Account, report: &mut Report) {
    let place = account.place(Thing::Header).to_owned();
    let name = text(item, "record").unwrap_or_default();
    let stream = name.split('/').next().and_then(|record| record.parse::<Id>().ok()).map(StreamId::Record);
    let value = |attribute: &str| match item.get(attribute) {
        Some(Raw::Bytes(bytes)) if item.len() == 2 => Some(bytes.as_slice()),
        _ => None,
    };
    match (name.split('/').count(), value("wrapped"), value("header")) {
        (2, Some(wrapped), None) => {
            account.check_off(&Item { thing: Thing::WrappedKey, name, stream }, Some(Hash::of(&[wrapped])), report);
        }
        (3, None, Some(header)) => {
            let ours = |header: &Header| {
                let (tenant, context) = (header.context().tenant(), header.context());
                Some(tenant) == account.origin.as_deref()
                    && name.starts_with(&format!("{}/{}/", context.record(), context.version()))
            };
            let content = Header::parse(header).ok().filter(ours).map(|header| {
                let wrapped = Hash::of(&[header.wrapped_key().ciphertext()]);
                rules::header_of(header.message_id(), header.commitment(), header.frame_bytes(), &wrapped)
            });
            account.check_off(&Item { thing: Thing::Header, name, stream }, content, report);
        }
        _ => report.foreign(Thing::Header, &place, &key_text(item, &["record"]), "neither a wrapped key nor a header"),
    }
}

fn search_key(item: &RawItem, account: &mut Account, report: &mut Report) {
    let name = key_text(item, &["epoch"]);
    let public = match (item.get("public"), item.get("wrapped")) {
        (Some(Raw::Bytes(public)), Some(Raw::Bytes(_))) => Some(Hash::of(&[public])),
        _ => None,
    };
    account.check_off(&Item { thing: Thing::SearchKey, name: &name, stream: None }, public, report);
}

fn posting(item: &RawItem, account: &mut Account, report: &mut Report) {
    let place = account.place(Thing::Posting).to_owned();
    let (Some(list), Some(moment), Some(version)) =
        (text(item, "list"), text(item, "moment"), number::<u32>(item, "version"))
    else {
        report.foreign(Thing::Posting, &place, &key_text(item, &["list", "moment"]), "no entry of a list");
        return;
    };
    let name = [list, "\0", moment].concat();
    let stream = layout::parse_moment(moment).map(|(_, event)| event.stream);
    account.check_off(&Item { thing: Thing::Posting, name: &name, stream }, Some(rules::version(version)), report);
}

fn work(item: &RawItem, account: &mut Account, report: &mut Report) {
    let place = account.place(Thing::Due).to_owned();
    let name = key_text(item, &["item", "part"]);
    let (kind, rest) = text(item, "item").and_then(|item| item.split_once('/')).unwrap_or_default();
    let part = text(item, "part").unwrap_or_default();
    match (kind, rest, part) {
        ("due", shard, moment) => due(&name, shard, moment, account, report),
        ("task", request, "token") => {
            let stream = request.parse::<Id>().ok().map(StreamId::Request);
            match stream.filter(|stream| account.lengths.contains_key(stream)) {
                Some(_) => report.accounted(Thing::Task),
                None => report.wrong(Thing::Task, Flaw::Orphan, &place, &name, "there is no such request"),
            }
        }
        ("rate", rest, "tokens") => {
            let provider = rest.split_once('/').and_then(|(provider, minute)| {
                minute.parse::<u64>().ok()?;
                provider.parse::<Id>().ok()
            });
            match provider.filter(|provider| account.providers.contains(provider)) {
                Some(_) => report.accounted(Thing::Rate),
                None => report.wrong(Thing::Rate, Flaw::Orphan, &place, &name, "there is no such provider"),
            }
        }
        _ if text(item, "item") == Some("cursor") && part == "sweep" => {
            account.note_found(Thing::Cursor, &name);
            let at_ms = number::<u64>(item, "value").unwrap_or_default();
            if account.late(at_ms.saturating_add(SWEEP_MS)) <= account.now_ms || at_ms > account.late(account.read_ms) {
                report.wrong(Thing::Cursor, Flaw::Overdue, &place, &name, format!("the sweeper stands at {at_ms}"));
            } else {
                report.accounted(Thing::Cursor);
            }
        }
        _ => report.foreign(Thing::Due, &place, &name, "no work of the vault's"),
    }
}

/// Something due: of an event, in its shard, not late.
fn due(name: &str, shard: &str, moment: &str, account: &mut Account, report: &mut Report) {
    let place = account.place(Thing::Due).to_owned();
    let due = layout::due(moment).filter(|due| layout::due_shard(due.event).to_string() == shard);
    let Some(due) = due.filter(|due| account.has(due.event)) else {
        report.wrong(
            Thing::Due,
            Flaw::Orphan,
            &place,
            name,
            "it is due on account of no event, or stands in another's shard",
        );
        return;
    };
    account.note_found(Thing::Due, &named(due.event));
    if account.late(due.at_ms) <= account.now_ms {
        report.wrong(Thing::Due, Flaw::Overdue, &place, name, format!("it was due at {}", due.at_ms));
    } else {
        report.accounted(Thing::Due);
    }
}

/// A string attribute.
pub(crate) fn text<'a>(item: &'a RawItem, name: &str) -> Option<&'a str> {
    match item.get(name) {
        Some(Raw::Text(text)) => Some(text),
        _ => None,
    }
}

/// A number attribute.
pub(crate) fn number<N: FromStr>(item: &RawItem, name: &str) -> Option<N> {
    match item.get(name) {
        Some(Raw::Number(digits)) => digits.parse().ok(),
        _ => None,
    }
}

/// An item's key in words.
pub(crate) fn key_text(item: &RawItem, attributes: &[&str]) -> String {
    let words: Vec<&str> = attributes
        .iter()
        .map(|name| match item.get(*name) {
            Some(Raw::Text(text) | Raw::Number(text)) => text.as_str(),
            _ => "?",
        })
        .collect();
    words.join("\0")
}
