//! Lists: `?cursor=` and `?limit=`. A cursor is opaque and holds none of a user's data.

use chartseal_events::{Code, Refusal};

use crate::Incoming;

/// Items of a page where none are asked for.
pub const DEFAULT_PAGE: u32 = 20;
/// Most items of a page.
pub const MAX_PAGE: u32 = 100;
/// Longest cursor.
pub const MAX_CURSOR_BYTES: usize = 512;

/// Which page of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging<'a> {
    /// Where to go on.
    pub cursor: Option<&'a str>,
    /// How many items at most.
    pub limit: u32,
}

impl<'a> Paging<'a> {
    /// Reads the query.
    pub fn of(incoming: &'a Incoming) -> Result<Self, Refusal> {
        let cursor = incoming.query.get("cursor").map(String::as_str);
        if cursor.is_some_and(|cursor| cursor.len() > MAX_CURSOR_BYTES) {
            return Err(Refusal::field(Code::BadField, "cursor"));
        }
        let limit = match incoming.query.get("limit") {
            None => DEFAULT_PAGE,
            Some(text) => {
                let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
                limit.ok_or(Refusal::field(Code::BadField, "limit"))?
            }
        };
        Ok(Self { cursor, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_bounds() {
        let limit = |text: &str| {
            let query = [("limit".to_owned(), text.to_owned())].into();
            Paging::of(&Incoming { query, ..Incoming::default() }).map(|paging| paging.limit).map_err(|r| r.code)
        };
        assert_eq!(Paging::of(&Incoming::default()), Ok(Paging { cursor: None, limit: DEFAULT_PAGE }));
        assert_eq!(limit("1"), Ok(1));
        assert_eq!(limit("100"), Ok(100));
        for bad in ["0", "101", "-1", "", "ten", "99999999999"] {
            assert_eq!(limit(bad), Err(Code::BadField), "{bad}");
        }
        let query = [("cursor".to_owned(), "x".repeat(MAX_CURSOR_BYTES + 1))].into();
        assert!(Paging::of(&Incoming { query, ..Incoming::default() }).is_err());
    }
}
