//! How an announced body is cut for its upload: one PUT up to 64 MiB, parts of 64 MiB above. It follows from the announced length alone.

use super::Announcement;
use crate::limits::PART_BYTES;

impl Announcement {
    /// How many parts the body is sent in; none where one PUT takes it.
    pub fn parts(&self) -> Option<u32> {
        if self.body_bytes <= PART_BYTES {
            return None;
        }
        // A body of more parts than fit here is never accepted.
        Some(u32::try_from(self.body_bytes.div_ceil(PART_BYTES)).unwrap_or(u32::MAX))
    }

    /// Bytes of a part, counted from 1; none where the body has no such part.
    pub fn part_bytes(&self, number: u32) -> Option<u64> {
        if number > self.parts()? {
            return None;
        }
        let before = u64::from(number.checked_sub(1)?) * PART_BYTES;
        Some((self.body_bytes - before).min(PART_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_PARTS, MAX_RECORD_BODY_BYTES};

    fn of(body_bytes: u64) -> Announcement {
        let zeros = "A".repeat(43);
        let announcement = serde_json::json!({
            "record": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "version": 1, "media_type": "text/plain", "suite": "0478",
            "message_id": zeros, "commitment": zeros, "frame_bytes": 65536, "body_bytes": body_bytes,
            "frames_root": "00".repeat(32), "parts_root": "00".repeat(32),
        });
        serde_json::from_value(announcement).expect("an announcement")
    }

    #[test]
    fn parts_are_whole_but_for_the_last() {
        for (body_bytes, parts, last) in [
            (PART_BYTES + 1, 2, 1),
            (2 * PART_BYTES, 2, PART_BYTES),
            (2 * PART_BYTES + 7, 3, 7),
            (MAX_RECORD_BODY_BYTES, MAX_PARTS, PART_BYTES),
        ] {
            let announcement = of(body_bytes);
            assert_eq!(announcement.parts(), Some(parts));
            assert_eq!(announcement.part_bytes(1), Some(PART_BYTES));
            assert_eq!(announcement.part_bytes(parts), Some(last));
            assert_eq!((announcement.part_bytes(0), announcement.part_bytes(parts + 1)), (None, None));
            let total: u64 = (1..=parts).filter_map(|number| announcement.part_bytes(number)).sum();
            assert_eq!(total, body_bytes);
        }
    }

    #[test]
    fn what_one_put_takes_has_no_parts() {
        for body_bytes in [0, 40, PART_BYTES] {
            let announcement = of(body_bytes);
            assert_eq!((announcement.parts(), announcement.part_bytes(1)), (None, None));
        }
    }
}
