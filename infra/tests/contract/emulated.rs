//! The real adapters on the emulator or on a real account (`ground.rs`), with tables, bucket, keys, role and state machine of their own, which are
//! removed at the end of each test (`made.rs`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chartseal_events::Id;
use chartseal_infra::aws::{
    DynamoStore, KmsClockKey, KmsDataKeyOpener, KmsDataKeys, KmsLogKey, KmsLogSigner, KmsSearchKeys, S3Blobs,
    S3LogFiles, SfnWorkflow, SystemClock,
};
use chartseal_infra::ports::{Clock as _, WorkList as _, Workflow as _};

use crate::ground::{Ground, agent};
pub use crate::ground::{config_at, endpoint};
use crate::made::Made;
pub use crate::made::{create_tables, unique};
use crate::subject::Subject;

const ORIGIN: &str = "contract.example";

pub struct Emulated {
    store: DynamoStore,
    blobs: S3Blobs,
    keys: KmsDataKeys,
    opener: KmsDataKeyOpener,
    search_keys: KmsSearchKeys,
    log: KmsLogKey,
    signer: KmsLogSigner,
    files: S3LogFiles,
    workflow: SfnWorkflow,
    sfn: aws_sdk_sfn::Client,
    /// Removed when this is dropped.
    made: Made,
}

impl Emulated {
    pub async fn new() -> Self {
        let config = Ground::get().config();
        let made = Made::make(&config).await;
        let [record_key, search_key, log_key] = made.keys();
        Self {
            store: DynamoStore::new(&config, made.tables()),
            blobs: S3Blobs::new(&made.as_role(&config).await, made.name()),
            keys: KmsDataKeys::new(&config, record_key),
            opener: KmsDataKeyOpener::new(&config, record_key),
            search_keys: KmsSearchKeys::new(&config, search_key, format!("{}-search-keys", made.name()), ORIGIN),
            log: KmsLogKey::new(&config, log_key),
            signer: KmsLogSigner::new(&config, log_key),
            files: S3LogFiles::new(&config, made.log_bucket()),
            workflow: SfnWorkflow::new(&config, made.state_machine()),
            sfn: aws_sdk_sfn::Client::new(&config),
            made,
        }
    }

    /// The clock's key, for which any Ed25519 key does.
    pub fn clock(&self) -> KmsClockKey {
        let [_, _, key] = self.made.keys();
        KmsClockKey::new(&Ground::get().config(), key)
    }

    /// Puts these bytes into the log's bucket, past the adapter.
    pub async fn put_log_file(&self, key: &str, bytes: &[u8]) {
        let call = self.made.s3().put_object().bucket(self.made.log_bucket()).key(key);
        call.body(bytes.to_vec().into()).send().await.expect("puts");
    }

    /// Kind, caching and length of a file of the log.
    pub async fn log_file(&self, key: &str) -> (String, String, i64) {
        let call = self.made.s3().head_object().bucket(self.made.log_bucket()).key(key);
        let head = call.send().await.expect("it is there");
        (
            head.content_type.unwrap_or_default(),
            head.cache_control.unwrap_or_default(),
            head.content_length.unwrap_or(-1),
        )
    }
}

impl Subject for Emulated {
    type Store = DynamoStore;
    type Blobs = S3Blobs;
    type Keys = KmsDataKeys;
    type Opener = KmsDataKeyOpener;
    type SearchKeys = KmsSearchKeys;
    type Log = KmsLogKey;
    type Signer = KmsLogSigner;
    type Files = S3LogFiles;
    type Workflow = SfnWorkflow;

    fn store(&self) -> &DynamoStore {
        &self.store
    }
    fn blobs(&self) -> &S3Blobs {
        &self.blobs
    }
    fn keys(&self) -> &KmsDataKeys {
        &self.keys
    }
    fn opener(&self) -> &KmsDataKeyOpener {
        &self.opener
    }
    fn search_keys(&self) -> &KmsSearchKeys {
        &self.search_keys
    }
    fn log(&self) -> &KmsLogKey {
        &self.log
    }
    fn signer(&self) -> &KmsLogSigner {
        &self.signer
    }
    fn files(&self) -> &S3LogFiles {
        &self.files
    }
    fn workflow(&self) -> &SfnWorkflow {
        &self.workflow
    }
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms()
    }

    fn http(&self, method: &str, url: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> (u16, Vec<u8>) {
        let headers = headers.iter().filter(|(name, _)| *name != "content-length");
        let mut answer = match method {
            "PUT" => headers.fold(agent().put(url), |call, (name, value)| call.header(name, value)).send(body),
            "GET" => headers.fold(agent().get(url), |call, (name, value)| call.header(name, value)).call(),
            _ => panic!("no test sends a {method}"),
        }
        .expect("S3 answers");
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_vec().expect("a body");
        (status, if status < 300 { body } else { Vec::new() })
    }

    async fn waiting(&self, request: Id) -> String {
        self.workflow.start(request, None).await.expect("starts");
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(token) = self.store.task_token(request).await.expect("reads") {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the workflow of {request} does not wait");
    }

    async fn started(&self, request: Id) -> usize {
        let list =
            self.sfn.list_executions().state_machine_arn(self.made.state_machine()).send().await.expect("executions");
        list.executions.iter().filter(|execution| execution.name == request.to_string()).count()
    }
}
