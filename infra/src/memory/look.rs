//! Everything that a vault holds, for whoever checks it as a whole.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::private::PrivatePart;
use chartseal_events::{EventRef, Hash, Id};

use super::MemoryVault;
use crate::layout::{due, index_entry};
use crate::ports::{BlobHead, Checksum, Due, IndexEntry};

impl MemoryVault {
    /// The private values that stand beside events.
    pub fn private_parts(&self) -> BTreeMap<EventRef, PrivatePart> {
        self.world().private.clone()
    }

    /// The whole index: the name of each list, as it stands in the table, with its entries, oldest first.
    pub fn index(&self) -> BTreeMap<String, Vec<IndexEntry>> {
        let mut lists: BTreeMap<String, Vec<IndexEntry>> = BTreeMap::new();
        for ((list, moment), version) in &self.world().index {
            lists.entry(list.clone()).or_default().extend(index_entry(moment, *version));
        }
        lists
    }

    /// Everything that is due at whatever time, the next first.
    pub fn due_items(&self) -> Vec<Due> {
        self.world().due.iter().filter_map(|moment| due(moment)).collect()
    }

    /// The task token that is kept for each request.
    pub fn task_tokens(&self) -> BTreeMap<Id, String> {
        self.world().task_tokens.iter().map(|(request, (_, token))| (*request, token.clone())).collect()
    }

    /// The task tokens that a workflow waits with.
    pub fn waiting(&self) -> BTreeSet<String> {
        self.world().waiting.clone()
    }

    /// Every version of every object, by key and in the order they came. An object whose bytes a test only said to be there has those of the others.
    pub fn blob_heads(&self) -> BTreeMap<String, Vec<BlobHead>> {
        let world = self.world();
        let mut heads: BTreeMap<String, Vec<BlobHead>> = BTreeMap::new();
        for (key, blobs) in world.blobs.iter().filter(|(_, blobs)| !blobs.is_empty()) {
            heads.insert(key.clone(), blobs.iter().map(super::blobs::Blob::head).collect());
        }
        heads
    }

    /// How many terms each provider had evaluated in each minute.
    pub fn token_counts(&self) -> BTreeMap<(Id, u64), u32> {
        self.world().token_counts.clone()
    }

    /// The epochs of the search keys that are kept, and the public key of each.
    pub fn search_keys(&self) -> BTreeMap<u32, chartseal_events::Bytes<32>> {
        self.world().search_keys.iter().map(|(epoch, (_, public_key))| (*epoch, *public_key)).collect()
    }
}

impl super::blobs::Blob {
    /// What S3 says of it.
    pub(super) fn head(&self) -> BlobHead {
        let (size_bytes, checksum) = match &self.assembled {
            Some(assembled) => (assembled.size_bytes, assembled.checksum),
            None => (self.bytes.len() as u64, Checksum::Whole(Hash::of(&[&self.bytes]).0)),
        };
        BlobHead { size_bytes, checksum: Some(checksum), version_id: self.version_id.clone() }
    }
}
