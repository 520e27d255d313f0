//! The bucket that fails when a test says so, and counts what it was asked. Presigning is no call of S3: it is not counted, and never fails.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use super::lost;
use crate::ports::{Aborted, BlobHead, Blobs, Completion, Part, PartsUpload, Presigned, StoreError, StoredPart};

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlobCall {
    /// [`Blobs::head`]
    Head,
    /// [`Blobs::delete`]
    Delete,
    /// [`Blobs::count_uploads`]
    Count,
    /// [`Blobs::begin_upload`]
    Begin,
    /// [`Blobs::stored_parts`]
    List,
    /// [`Blobs::complete_upload`]
    Complete,
    /// [`Blobs::abort_uploads`]
    Abort,
}

/// What is lost of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The call: nothing is done.
    Call,
    /// The answer: it is done, and nobody hears of it.
    Answer,
}

/// A bucket that fails at chosen calls. Clones share counts and faults.
#[derive(Clone)]
pub struct FaultyBlobs<B> {
    blobs: B,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    calls: BTreeMap<BlobCall, usize>,
    faults: BTreeMap<BlobCall, VecDeque<Lost>>,
}

impl<B> FaultyBlobs<B> {
    /// Fails nothing yet.
    pub fn new(blobs: B) -> Self {
        Self { blobs, plan: Arc::default() }
    }

    /// The next call of this kind that has no fault yet meets this one.
    pub fn lose(&self, call: BlobCall, lost: Lost) {
        self.plan().faults.entry(call).or_default().push_back(lost);
    }

    /// How many calls of each kind there were since this was asked last.
    pub fn take_calls(&self) -> BTreeMap<BlobCall, usize> {
        std::mem::take(&mut self.plan().calls)
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        // Unwrap safety: a panic while the lock is held has failed the test already.
        self.plan.lock().expect("a test panicked inside the twin")
    }

    async fn call<T>(
        &self,
        call: BlobCall,
        done: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let fault = {
            let mut plan = self.plan();
            *plan.calls.entry(call).or_default() += 1;
            plan.faults.get_mut(&call).and_then(VecDeque::pop_front)
        };
        match fault {
            None => done.await,
            Some(Lost::Call) => Err(lost()),
            Some(Lost::Answer) => {
                done.await?;
                Err(lost())
            }
        }
    }
}

impl<B: Blobs> Blobs for FaultyBlobs<B> {
    async fn presign_put(
        &self,
        key: &str,
        size_bytes: u64,
        sha256: [u8; 32],
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        self.blobs.presign_put(key, size_bytes, sha256, now_ms, life_s).await
    }

    async fn presign_get(
        &self,
        key: &str,
        version_id: &str,
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        self.blobs.presign_get(key, version_id, now_ms, life_s).await
    }

    async fn head(&self, key: &str) -> Result<Option<BlobHead>, StoreError> {
        self.call(BlobCall::Head, self.blobs.head(key)).await
    }

    async fn delete(&self, key: &str, version_id: &str) -> Result<(), StoreError> {
        self.call(BlobCall::Delete, self.blobs.delete(key, version_id)).await
    }

    async fn count_uploads(&self, key: &str, most: usize) -> Result<usize, StoreError> {
        self.call(BlobCall::Count, self.blobs.count_uploads(key, most)).await
    }

    async fn begin_upload(&self, key: &str) -> Result<String, StoreError> {
        self.call(BlobCall::Begin, self.blobs.begin_upload(key)).await
    }

    async fn presign_part(
        &self,
        upload: PartsUpload<'_>,
        part: &Part,
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        self.blobs.presign_part(upload, part, now_ms, life_s).await
    }

    async fn stored_parts(
        &self,
        upload: PartsUpload<'_>,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<StoredPart>>, StoreError> {
        self.call(BlobCall::List, self.blobs.stored_parts(upload, numbers)).await
    }

    async fn complete_upload(&self, upload: PartsUpload<'_>, parts: &[StoredPart]) -> Result<Completion, StoreError> {
        self.call(BlobCall::Complete, self.blobs.complete_upload(upload, parts)).await
    }

    async fn abort_uploads(&self, key: &str) -> Result<Aborted, StoreError> {
        self.call(BlobCall::Abort, self.blobs.abort_uploads(key)).await
    }
}
