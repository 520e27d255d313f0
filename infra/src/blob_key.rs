//! Names of objects in the bucket. An object has one name, and the name says which announcement it must match.

use std::fmt;
use std::str::FromStr;

use chartseal_events::Id;
use chartseal_events::encoding::EncodingError;

/// The object of an announced upload. Written `records/<record>/<version>/<seq of the announcement>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobKey {
    /// The record.
    pub record: Id,
    /// Its version.
    pub version: u32,
    /// The `seq` of the announcement.
    pub announced: u64,
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "records/{}/{}/{}", self.record, self.version, self.announced)
    }
}

impl FromStr for BlobKey {
    type Err = EncodingError;

    fn from_str(key: &str) -> Result<Self, EncodingError> {
        let error = EncodingError { expected_bytes: 0 };
        let mut parts = key.split('/');
        let mut next = || parts.next().ok_or(error);
        if next()? != "records" {
            return Err(error);
        }
        let record = next()?.parse()?;
        let version = next()?.parse().map_err(|_| error)?;
        let announced = next()?.parse().map_err(|_| error)?;
        let blob = Self { record, version, announced };
        // One object has one key: leading zeros, signs and further parts are refused by comparing.
        if blob.to_string() == key { Ok(blob) } else { Err(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_one_key() {
        let key = "records/01ARZ3NDEKTSV4RRFFQ69G5FAV/2/13";
        let blob: BlobKey = key.parse().expect("a key");
        assert_eq!((blob.version, blob.announced, blob.to_string().as_str()), (2, 13, key));
        for bad in [
            "",
            "records/",
            "record/01ARZ3NDEKTSV4RRFFQ69G5FAV/2/13",
            "records/01ARZ3NDEKTSV4RRFFQ69G5FAV/2",
            "records/01ARZ3NDEKTSV4RRFFQ69G5FAV/2/13/",
            "records/01ARZ3NDEKTSV4RRFFQ69G5FAV/2/13/x",
            "records/01ARZ3NDEKTSV4RRFFQ69G5FAV/02/13",
            "records/01ARZ3NDEKTSV4RRFFQ69G5FAV/+2/13",
            "records/01arz3ndektsv4rrffq69g5fav/2/13",
            "records/01ARZ3NDEKTSV4RRFFQ69G5FAV/4294967296/13",
        ] {
            assert!(bad.parse::<BlobKey>().is_err(), "{bad}");
        }
    }
}
