//! How things are named in the tables: lists, moments, cursors, shards. The twins use the same names, so that they sort and page alike.

use chartseal_events::encoding::{base64url, from_base64url};
use chartseal_events::{EventRef, Hash};

use crate::ports::{Due, IndexEntry, IndexList, KeyItem};

/// How many partitions an hour of `by_time` and the due list are spread over.
pub const SHARDS: u8 = 4;
/// Milliseconds of an hour.
pub const HOUR_MS: u64 = 3_600_000;
/// Longest life of a presigned URL: 15 minutes.
pub const MAX_PRESIGN_S: u32 = 15 * 60;
/// S3's header with the SHA-256 of a body, base64.
pub const SHA256_HEADER: &str = "x-amz-checksum-sha256";
/// Most parts that one call of S3 lists.
pub const MAX_LISTED_PARTS: usize = 1_000;
/// The digits of a time: enough until the year 2286.
const MOMENT_DIGITS: usize = 13;

/// The partition of a list.
pub fn list_name(list: &IndexList) -> String {
    match list {
        IndexList::Token(token) => format!("token/{token}"),
        IndexList::RecordsOf(provider) => format!("records/{provider}"),
        IndexList::Records => "records".to_owned(),
        IndexList::RequestsOf(provider) => format!("requests/{provider}"),
        IndexList::Requests => "requests".to_owned(),
    }
}

/// A time as it stands at the beginning of a moment: sorts as the number does.
pub fn instant(at_ms: u64) -> String {
    format!("{at_ms:0MOMENT_DIGITS$}")
}

/// `<time>#<stream>#<seq>`: sorts by time, and names the event.
pub fn moment(at_ms: u64, event: EventRef) -> String {
    format!("{}#{event}", instant(at_ms))
}

/// The time and the event of a moment; none where the text is not one.
pub fn parse_moment(text: &str) -> Option<(u64, EventRef)> {
    let (at, event) = text.split_once('#')?;
    let (stream, seq) = event.rsplit_once('#')?;
    let event = EventRef { stream: stream.parse().ok()?, seq: seq.parse().ok()? };
    let at_ms = at.parse().ok()?;
    // Leading zeros, signs and the like: a moment has one spelling.
    (moment(at_ms, event) == text).then_some((at_ms, event))
}

/// The partition of `by_time` that an event stands in: the UTC hour, and a shard that follows from its hash.
pub fn hour(at_ms: u64, leaf: &Hash) -> String {
    hour_shard(at_ms / HOUR_MS, leaf.0[0] % SHARDS)
}

/// `2026-11-23T06#3`
pub fn hour_shard(hour: u64, shard: u8) -> String {
    let day = chartseal_events::stream::day_of(hour * HOUR_MS);
    format!("{:04}-{:02}-{:02}T{:02}#{shard}", day / 10_000, day / 100 % 100, day % 100, hour % 24)
}

/// Where a list goes on: opaque to callers, and without any of their data.
pub fn cursor(moment: &str) -> String {
    base64url(moment.as_bytes())
}

/// The moment that a cursor of ours stands for.
pub fn parse_cursor(cursor: &str) -> Option<String> {
    let moment = String::from_utf8(from_base64url(cursor).ok()?).ok()?;
    parse_moment(&moment).map(|_| moment)
}

/// An index entry from its moment.
pub fn index_entry(moment: &str, version: u32) -> Option<IndexEntry> {
    parse_moment(moment).map(|(at_ms, event)| IndexEntry { at_ms, event, version })
}

/// The shard of the due list that an event's entries stand in.
pub fn due_shard(event: EventRef) -> u8 {
    Hash::of(&[event.to_string().as_bytes()]).0[0] % SHARDS
}

/// A due entry from its moment.
pub fn due(moment: &str) -> Option<Due> {
    parse_moment(moment).map(|(at_ms, event)| Due { at_ms, event })
}

/// The name of an item of the key table: `<record>/<version>`, and the message id for headers.
pub fn key_name(key: &KeyItem) -> String {
    match key {
        KeyItem::Wrapped { record, version, .. } => format!("{record}/{version}"),
        KeyItem::Header { record, version, message_id, .. } => format!("{record}/{version}/{message_id}"),
    }
}

#[cfg(test)]
mod tests {
    use chartseal_events::{Id, StreamId};

    use super::*;

    #[test]
    fn a_moment_has_one_spelling() {
        let event = EventRef { stream: StreamId::Record(Id::from_parts(7, [1; 10])), seq: 12 };
        let text = moment(1_795_392_000_000, event);
        assert_eq!(parse_moment(&text), Some((1_795_392_000_000, event)));
        for bad in ["", "#", "1795392000000#vault", "1795392000000#vault#+1", "795392000000#vault#1", "x#vault#1"] {
            assert_eq!(parse_moment(bad), None, "{bad}");
        }
        assert_eq!(parse_cursor(&cursor(&text)), Some(text));
        assert_eq!(parse_cursor("not ours"), None);
        assert_eq!(parse_cursor(&cursor("owner=somebody")), None);
    }

    #[test]
    fn hours_are_of_the_calendar() {
        assert_eq!(hour_shard(1_795_392_000_000 / HOUR_MS + 6, 3), "2026-11-23T06#3");
        assert_eq!(hour_shard(1_795_392_000_000 / HOUR_MS - 1, 0), "2026-11-22T23#0");
    }
}
