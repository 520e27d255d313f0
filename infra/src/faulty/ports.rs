//! Every port of the twin: each call with its arguments kept, so that it can be made later, or twice.

use std::ops::RangeInclusive;

use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Bytes, EventRef, Id, StreamId};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Call, Faulty};
use crate::ports::{
    Aborted, Append, BlobHead, Blobs, Clock, Completion, DataKeyOpener, DataKeyPair, DataKeys, Due, EventStore, Index,
    IndexEntry, IndexList, KeyContext, KeyTable, LogKey, Page, Part, PartsUpload, Presigned, SearchKeyVault,
    StoreError, StoredPart, WorkList, Workflow,
};

impl<P: EventStore + Clone + 'static> EventStore for Faulty<P> {
    async fn load(&self, stream: &StreamId) -> Result<Vec<StoredEvent>, StoreError> {
        let stream = *stream;
        call!(self, Load, () port => port.load(&stream))
    }

    async fn load_tail(&self, stream: &StreamId, since_ms: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let stream = *stream;
        call!(self, LoadTail, () port => port.load_tail(&stream, since_ms))
    }

    async fn load_from(&self, stream: &StreamId, first_seq: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let stream = *stream;
        call!(self, LoadFrom, () port => port.load_from(&stream, first_seq, limit))
    }

    async fn fetch(&self, places: &[EventRef]) -> Result<Vec<Option<StoredEvent>>, StoreError> {
        call!(self, Fetch, (places = places.to_vec()) port => port.fetch(&places))
    }

    async fn append(&self, append: &Append) -> Result<(), StoreError> {
        call!(self, Append, (append = append.clone()) port => port.append(&append))
    }

    async fn private(&self, place: &EventRef) -> Result<PrivatePart, StoreError> {
        let place = *place;
        call!(self, Private, () port => port.private(&place))
    }

    async fn by_time(&self, from_ms: u64, to_ms: u64) -> Result<Vec<EventRef>, StoreError> {
        call!(self, ByTime, () port => port.by_time(from_ms, to_ms))
    }
}

impl<P: KeyTable + Clone + 'static> KeyTable for Faulty<P> {
    async fn wrapped(&self, record: Id, version: u32) -> Result<Option<Vec<u8>>, StoreError> {
        call!(self, Wrapped, () port => port.wrapped(record, version))
    }

    async fn header(&self, record: Id, version: u32, message_id: &Bytes<32>) -> Result<Option<Vec<u8>>, StoreError> {
        let message_id = *message_id;
        call!(self, Header, () port => port.header(record, version, &message_id))
    }
}

impl<P: Index + Clone + 'static> Index for Faulty<P> {
    async fn add(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        call!(self, AddEntries, (entries = entries.to_vec()) port => port.add(&entries))
    }

    async fn remove(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        call!(self, RemoveEntries, (entries = entries.to_vec()) port => port.remove(&entries))
    }

    async fn page(&self, list: &IndexList, cursor: Option<&str>, limit: u32) -> Result<Page<IndexEntry>, StoreError> {
        call!(self, Page, (list = list.clone(), cursor = cursor.map(str::to_owned)) port => {
            port.page(&list, cursor.as_deref(), limit)
        })
    }
}

impl<P: WorkList + Clone + 'static> WorkList for Faulty<P> {
    async fn put_task_token(&self, request: Id, token: &str, attempt: &str) -> Result<(), StoreError> {
        call!(self, PutTaskToken, (token = token.to_owned(), attempt = attempt.to_owned()) port => {
            port.put_task_token(request, &token, &attempt)
        })
    }

    async fn task_token(&self, request: Id) -> Result<Option<String>, StoreError> {
        call!(self, TaskToken, () port => port.task_token(request))
    }

    async fn add_due(&self, due: Due) -> Result<(), StoreError> {
        call!(self, AddDue, () port => port.add_due(due))
    }

    async fn due(&self, until_ms: u64, limit: u32) -> Result<Vec<Due>, StoreError> {
        call!(self, Due, () port => port.due(until_ms, limit))
    }

    async fn remove_due(&self, due: Due) -> Result<(), StoreError> {
        call!(self, RemoveDue, () port => port.remove_due(due))
    }

    async fn sweep_cursor(&self) -> Result<Option<u64>, StoreError> {
        call!(self, SweepCursor, () port => port.sweep_cursor())
    }

    async fn set_sweep_cursor(&self, at_ms: u64) -> Result<(), StoreError> {
        call!(self, SetSweepCursor, () port => port.set_sweep_cursor(at_ms))
    }

    async fn count_tokens(&self, provider: Id, minute: u64, amount: u32, limit: u32) -> Result<bool, StoreError> {
        call!(self, CountTokens, () port => port.count_tokens(provider, minute, amount, limit))
    }
}

impl<P: Blobs + Clone + 'static> Blobs for Faulty<P> {
    async fn presign_put(
        &self,
        key: &str,
        size_bytes: u64,
        sha256: [u8; 32],
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        call!(self, PresignPut, (key = key.to_owned()) port => port.presign_put(&key, size_bytes, sha256, now_ms, life_s))
    }

    async fn presign_get(
        &self,
        key: &str,
        version_id: &str,
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        call!(self, PresignGet, (key = key.to_owned(), version_id = version_id.to_owned()) port => {
            port.presign_get(&key, &version_id, now_ms, life_s)
        })
    }

    async fn head(&self, key: &str) -> Result<Option<BlobHead>, StoreError> {
        call!(self, Head, (key = key.to_owned()) port => port.head(&key))
    }

    async fn delete(&self, key: &str, version_id: &str) -> Result<(), StoreError> {
        call!(self, Delete, (key = key.to_owned(), version_id = version_id.to_owned()) port => {
            port.delete(&key, &version_id)
        })
    }

    async fn count_uploads(&self, key: &str, most: usize) -> Result<usize, StoreError> {
        call!(self, CountUploads, (key = key.to_owned()) port => port.count_uploads(&key, most))
    }

    async fn begin_upload(&self, key: &str) -> Result<String, StoreError> {
        call!(self, BeginUpload, (key = key.to_owned()) port => port.begin_upload(&key))
    }

    async fn presign_part(
        &self,
        upload: PartsUpload<'_>,
        part: &Part,
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        let part = *part;
        call!(self, PresignPart, (key = upload.key.to_owned(), id = upload.id.to_owned()) port => {
            port.presign_part(PartsUpload { key: &key, id: &id }, &part, now_ms, life_s)
        })
    }

    async fn stored_parts(
        &self,
        upload: PartsUpload<'_>,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<StoredPart>>, StoreError> {
        call!(self, StoredParts, (key = upload.key.to_owned(), id = upload.id.to_owned(), wanted = numbers) port => {
            port.stored_parts(PartsUpload { key: &key, id: &id }, wanted)
        })
    }

    async fn complete_upload(&self, upload: PartsUpload<'_>, parts: &[StoredPart]) -> Result<Completion, StoreError> {
        call!(self, CompleteUpload, (key = upload.key.to_owned(), id = upload.id.to_owned(), all = parts.to_vec()) port => {
            port.complete_upload(PartsUpload { key: &key, id: &id }, &all)
        })
    }

    async fn abort_uploads(&self, key: &str) -> Result<Aborted, StoreError> {
        call!(self, AbortUploads, (key = key.to_owned()) port => port.abort_uploads(&key))
    }
}

impl<P: DataKeys + Clone + 'static> DataKeys for Faulty<P> {
    fn key_arn(&self) -> &str {
        self.port.key_arn()
    }

    async fn generate(&self, context: &KeyContext) -> Result<DataKeyPair, StoreError> {
        call!(self, Generate, (context = context.clone()) port => port.generate(&context))
    }
}

impl<P: DataKeyOpener + Clone + 'static> DataKeyOpener for Faulty<P> {
    fn key_arn(&self) -> &str {
        self.port.key_arn()
    }

    async fn unwrap(&self, context: &KeyContext, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        call!(self, Unwrap, (context = context.clone(), wrapped = wrapped.to_vec()) port => {
            port.unwrap(&context, &wrapped)
        })
    }
}

impl<P: SearchKeyVault + Clone + 'static> SearchKeyVault for Faulty<P> {
    async fn keep(&self, epoch: u32, key: &[u8; 32], public_key: &Bytes<32>) -> Result<Bytes<32>, StoreError> {
        let public_key = *public_key;
        call!(self, Keep, (key = Zeroizing::new(*key)) port => port.keep(epoch, &key, &public_key))
    }

    async fn open(&self, epoch: u32) -> Result<Option<Zeroizing<[u8; 32]>>, StoreError> {
        call!(self, Open, () port => port.open(epoch))
    }
}

impl<P: LogKey + Clone + 'static> LogKey for Faulty<P> {
    async fn public_key(&self) -> Result<Bytes<32>, StoreError> {
        call!(self, PublicKey, () port => port.public_key())
    }
}

impl<P: Workflow + Clone + 'static> Workflow for Faulty<P> {
    async fn start(&self, request: Id, trace: Option<Id>) -> Result<(), StoreError> {
        call!(self, Start, () port => port.start(request, trace))
    }

    async fn tell(&self, task_token: &str, output: &Value) -> Result<bool, StoreError> {
        call!(self, Tell, (task_token = task_token.to_owned(), output = output.clone()) port => {
            port.tell(&task_token, &output)
        })
    }
}

impl<P: Clock> Clock for Faulty<P> {
    fn now_ms(&self) -> u64 {
        self.port.now_ms()
    }
}
