//! Streams: one ordered, hash-linked list of events for each thing that lives.

use std::fmt;
use std::str::FromStr;

use crate::encoding::{EncodingError, serde_as_text};
use crate::id::Id;

/// How many streams one provider's searches of a day spread over, so that a busy hospital does not race with itself.
pub const SEARCH_SHARDS: u8 = 16;

/// The name of a stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// The vault itself: genesis, operators.
    Vault,
    /// An organisation.
    Provider(Id),
    /// A person of an organisation.
    Staff(Id),
    /// A record with its versions.
    Record(Id),
    /// A request for access, with the keys and downloads that follow from it.
    Request(Id),
    /// The searches of one provider on one day (UTC, yyyymmdd).
    Search {
        /// Who searched.
        provider: Id,
        /// The day, yyyymmdd.
        day: u32,
        /// 0 to [`SEARCH_SHARDS`] - 1.
        shard: u8,
    },
}

impl StreamId {
    /// The part before the first slash.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Provider(_) => "provider",
            Self::Staff(_) => "staff",
            Self::Record(_) => "record",
            Self::Request(_) => "request",
            Self::Search { .. } => "search",
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault => f.write_str("vault"),
            Self::Provider(id) | Self::Staff(id) | Self::Record(id) | Self::Request(id) => {
                write!(f, "{}/{id}", self.kind())
            }
            Self::Search { provider, day, shard } => write!(f, "search/{provider}/{day:08}/{shard}"),
        }
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for StreamId {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        let error = EncodingError { expected_bytes: 0 };
        if text == "vault" {
            return Ok(Self::Vault);
        }
        let (kind, rest) = text.split_once('/').ok_or(error)?;
        let stream = match kind {
            "provider" => Self::Provider(rest.parse()?),
            "staff" => Self::Staff(rest.parse()?),
            "record" => Self::Record(rest.parse()?),
            "request" => Self::Request(rest.parse()?),
            "search" => {
                let mut parts = rest.split('/');
                let mut next = || parts.next().ok_or(error);
                let provider = next()?.parse()?;
                let day = next()?.parse().map_err(|_| error)?;
                let shard = next()?.parse().map_err(|_| error)?;
                Self::Search { provider, day, shard }
            }
            _ => return Err(error),
        };
        // One stream has one name: leading zeros, signs and further parts are refused by comparing.
        let canonical =
            stream.to_string() == text && !matches!(stream, Self::Search { shard, .. } if shard >= SEARCH_SHARDS);
        if canonical { Ok(stream) } else { Err(error) }
    }
}

serde_as_text!(for StreamId;);

/// The UTC day of a time, as yyyymmdd (Howard Hinnant's civil-from-days).
pub fn day_of(at_ms: u64) -> u32 {
    let z = at_ms / 86_400_000 + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    u32::try_from(year * 10_000 + month * 100 + day).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_one_name() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        for good in ["vault".to_owned(), format!("record/{id}"), format!("search/{id}/20261123/15")] {
            assert_eq!(good.parse::<StreamId>().expect("a stream").to_string(), good);
        }
        for bad in [
            String::new(),
            "vault/".to_owned(),
            format!("records/{id}"),
            format!("record/{id}/1"),
            format!("record/{}", id.to_lowercase()),
            format!("search/{id}/20261123/16"),
            format!("search/{id}/20261123/05"),
            format!("search/{id}/20261123/5/x"),
        ] {
            assert!(bad.parse::<StreamId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn days_are_calendar_days() {
        assert_eq!(day_of(0), 19_700_101);
        assert_eq!(day_of(951_782_400_000), 20_000_229);
        assert_eq!(day_of(1_795_391_999_999), 20_261_122);
        assert_eq!(day_of(1_795_392_000_000), 20_261_123);
    }
}
