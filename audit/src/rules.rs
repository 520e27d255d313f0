//! What each event says must be there beside it: the only place that knows what follows from what. It mirrors `functions/reactions` and the sweeper,
//! and says how long after an event each of its consequences may take.

use chartseal_events::command::Announcement;
use chartseal_events::event::Outcome;
use chartseal_events::private::Commitments;
use chartseal_events::state::{AnnouncedStatus, History, Record, Request, RequestState, State};
use chartseal_events::{Event, EventRef, Hash, StreamId};
use chartseal_infra::BlobKey;
use chartseal_infra::layout;
use chartseal_infra::ports::{Checksum, IndexList};

use crate::account::{Account, Body, Entry, Posts, Thing};
use crate::named;
use crate::report::{Flaw, Report};

/// How long after an announcement's end an object or an unfinished upload may still come and be removed: the sweeper looks once more after 30
/// minutes, when no presigned URL is alive.
const LATE_MS: u64 = 30 * 60_000;

/// What an event says by itself.
pub(crate) fn of_event(event: &Event, account: &mut Account) {
    let place = event.place;
    if let Some(command) = &event.command
        && !command.private.is_empty()
        // A registration leads to two events; its private values stand beside the first.
        && !matches!(event.outcome, Outcome::StaffAdded(_))
    {
        let entry = Entry::always(place).holding(commitments(&command.private));
        account.expect(Thing::Private, named(place), entry);
    }
    match (&event.outcome, place.stream) {
        (Outcome::RecordCreated(created), StreamId::Record(record)) => {
            let name = format!("{record}/{}", created.version);
            account.expect(Thing::WrappedKey, name, Entry::always(place).holding(created.wrapped_sha256));
            if created.version == 1 {
                list(event, &[IndexList::Records, IndexList::RecordsOf(created.owner)], account);
            }
        }
        (Outcome::AccessRequested(asked), StreamId::Request(_)) => {
            let (by, of) = (IndexList::RequestsOf(asked.requester), IndexList::RequestsOf(asked.owner));
            list(event, &[IndexList::Requests, by, of], account);
        }
        (Outcome::ProviderInvited(_), StreamId::Provider(provider)) => {
            account.providers.insert(provider);
        }
        _ => {}
    }
}

/// What a whole stream says, in the state that it has come to.
pub(crate) fn of_stream(history: &History, events: &[Event], account: &mut Account, report: &mut Report) {
    match &history.state {
        Some(State::Record(record)) => of_record(record, history, account, report),
        Some(State::Request(request)) => of_request(request, events, account, report),
        Some(State::Provider(_)) => {
            for event in events {
                if let Outcome::ProviderRegistered(registered) = &event.outcome {
                    // Both were written together.
                    let staff = EventRef { stream: StreamId::Staff(registered.staff), seq: 0 };
                    account.expect(Thing::Event, named(staff), Entry::always(event.place));
                }
            }
        }
        _ => {}
    }
}

fn list(event: &Event, lists: &[IndexList], account: &mut Account) {
    let moment = layout::moment(event.at_ms, event.place);
    for list in lists {
        let name = posting(list, &moment);
        let entry = Entry::always(event.place).holding(version(0)).from(account.late(event.at_ms));
        account.expect(Thing::Posting, name, entry);
    }
}

fn of_record(record: &Record, history: &History, account: &mut Account, report: &mut Report) {
    let latest = record.latest_uploaded().map(|(version, _)| version);
    let last_ms = record.versions.iter().filter_map(|version| Some(version.uploaded.as_ref()?.at_ms)).max();
    for (number, version) in (1u32..).zip(&record.versions) {
        for (seq, run) in &version.announced {
            let place = EventRef { stream: history.stream, seq: *seq };
            let announced = &run.announcement;
            let name = format!("{}/{number}/{}", record.id, announced.message_id);
            let content = header(announced, &version.wrapped_sha256);
            account.expect(Thing::Header, name, Entry::always(place).holding(content));
            let uploaded = version.uploaded.as_ref().filter(|uploaded| uploaded.announced == *seq);
            let end_ms = uploaded.map_or(run.expires_at_ms, |uploaded| uploaded.at_ms.max(run.expires_at_ms));
            let key = BlobKey { record: record.id, version: number, announced: *seq }.to_string();
            let until_ms = account.late(end_ms + LATE_MS);
            let body = Body {
                announced: place,
                size_bytes: announced.body_bytes,
                checksum: Checksum::announced(announced),
                frame_bytes: announced.frame_bytes,
                frames_root: announced.frames_root,
                parts_root: announced.parts_root,
                pinned: uploaded.map(|uploaded| uploaded.version_id.clone()),
                until_ms,
                in_parts: announced.parts().is_some(),
                found: false,
            };
            account.bodies.insert(key, body);
            if let Some(uploaded) = uploaded {
                let (from_ms, until_ms) = if latest == Some(number) {
                    (Some(account.late(uploaded.at_ms)), None)
                } else {
                    (None, last_ms.map(|at_ms| account.late(at_ms)))
                };
                account.posts.insert(place, Posts { at_ms: run.at_ms, version: number, from_ms, until_ms });
            }
            if run.status == AnnouncedStatus::Pending {
                open(place, run.at_ms, run.expires_at_ms, account, report, "the announced body");
            }
        }
    }
}

fn of_request(request: &Request, events: &[Event], account: &mut Account, report: &mut Report) {
    let stream = StreamId::Request(request.id);
    let asked = EventRef { stream, seq: 0 };
    match request.state {
        RequestState::Requested | RequestState::Verified => {
            open(asked, request.at_ms, request.asked.expires_at, account, report, "the request");
            let late_ms = account.late(request.at_ms);
            if request.state == RequestState::Requested && late_ms <= account.now_ms {
                let what = "nobody has verified its requester: its workflow was not started, or stands still";
                report.find(Thing::Grant, Flaw::Overdue, account.place(Thing::Grant), &named(asked), what);
            }
        }
        RequestState::Approved { until_ms } => {
            let approved = events.iter().find(|event| matches!(event.outcome, Outcome::AccessApproved(_)));
            if let Some(approved) = approved {
                open(approved.place, approved.at_ms, until_ms, account, report, "the grant");
            }
        }
        RequestState::Denied | RequestState::Undecided | RequestState::Over => {}
    }
}

/// Something that is open until a time: something due must be noted, and when it is over an event must say so.
fn open(place: EventRef, since_ms: u64, end_ms: u64, account: &mut Account, report: &mut Report, what: &str) {
    let late_ms = account.late(end_ms);
    if late_ms <= account.now_ms {
        let what = format!("{what} is over since {end_ms}, and no event says so");
        report.find(Thing::Grant, Flaw::Overdue, account.place(Thing::Grant), &named(place), what);
    } else {
        let entry = Entry::always(place).from(account.late(since_ms));
        account.expect(Thing::Due, named(place), entry);
    }
}

/// The name of an entry of a list.
pub(crate) fn posting(list: &IndexList, moment: &str) -> String {
    [layout::list_name(list).as_str(), "\0", moment].concat()
}

/// The hash of a posting's version.
pub(crate) fn version(version: u32) -> Hash {
    Hash::of(&[&version.to_be_bytes()])
}

/// The hash of a private part's commitments: names and values, in order.
pub(crate) fn commitments(commitments: &Commitments) -> Hash {
    let parts: Vec<&[u8]> =
        commitments.iter().flat_map(|(name, value)| [name.as_bytes(), b"\0".as_slice(), &value.0]).collect();
    Hash::of(&parts)
}

/// The hash of what a header must say.
pub(crate) fn header(announced: &Announcement, wrapped_sha256: &Hash) -> Hash {
    header_of(&announced.message_id.0, &announced.commitment.0, announced.frame_bytes, wrapped_sha256)
}

/// The same of a header that was read.
pub(crate) fn header_of(message_id: &[u8; 32], commitment: &[u8; 32], frame_bytes: u32, wrapped_sha256: &Hash) -> Hash {
    Hash::of(&[message_id, commitment, &frame_bytes.to_be_bytes(), &wrapped_sha256.0])
}
