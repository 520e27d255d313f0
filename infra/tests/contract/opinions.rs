//! Second opinions: the real adapters on implementations of DynamoDB and KMS that have nothing to do with the emulator.
//!
//! In scope: the tables in DynamoDB Local, which is Amazon's own (`dynamodb_local`); the keys in winterbaume's KMS, which authenticates its
//! ciphertexts and runs in this process; what the adapters rely on beyond the ports' contract (`semantics`, `reads`, `tampering`); and answers that
//! no implementation here gives, in the shape that AWS documents (`refusals`). docs/TESTING.md says what differs.

mod dated;
mod dynamodb_local;
mod reads;
mod refusals;
mod scripted;
mod sealing;
mod semantics;
mod tampering;

use std::collections::BTreeMap;

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use chartseal_events::Id;
use chartseal_infra::aws::{
    DynamoStore, KmsDataKeyOpener, KmsDataKeys, KmsLogKey, KmsLogSigner, KmsSearchKeys, SystemClock, Tables, config_for,
};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::Clock as _;
use winterbaume_core::MockAws;
use winterbaume_kms::KmsService;

use crate::emulated::{create_tables, unique};
use crate::subject::Subject;

/// Runs each test on the opinions named with it.
macro_rules! on {
    ($($test:ident: $($opinion:ident),+;)+) => {
        $(mod $test {
            $(#[tokio::test]
            async fn $opinion() {
                super::$test(&crate::opinions::Opinion::$opinion().await).await;
            })+
        })+
    };
}
use on;

const ORIGIN: &str = "opinions.example";
/// Items of a transaction that DynamoDB Local takes.
const LOCAL_PUTS: usize = 10;

/// The real adapters of tables and symmetric keys. A test that asks for another port fails.
pub struct Opinion {
    config: SdkConfig,
    kms_config: SdkConfig,
    tables: Tables,
    search_table: String,
    store: DynamoStore,
    data_keys: KmsDataKeys,
    opener: KmsDataKeyOpener,
    search_keys: KmsSearchKeys,
}

async fn symmetric_key(client: &aws_sdk_kms::Client) -> String {
    client.create_key().send().await.expect("a key").key_metadata.expect("metadata").arn.expect("an ARN")
}

impl Opinion {
    /// Tables in DynamoDB Local, keys in winterbaume's KMS: an account of its own.
    pub async fn second() -> Self {
        let kms = MockAws::builder().with_service(KmsService::new()).build();
        let kms_config = config_at(None).to_builder().http_client(kms.http_client()).build();
        let config = config_at(Some(dynamodb_local::url()));
        let store = |tables| DynamoStore::with_client(dated::client(&config), tables).with_puts_per_call(LOCAL_PUTS);
        Self::new(config.clone(), kms_config, store).await
    }

    /// The emulator, which is asked the same questions.
    pub async fn emulator() -> Self {
        let config = crate::emulated::config_at(&crate::emulated::endpoint().url).await;
        Self::new(config.clone(), config.clone(), |tables| DynamoStore::new(&config, tables)).await
    }

    async fn new(config: SdkConfig, kms_config: SdkConfig, store: impl Fn(Tables) -> DynamoStore) -> Self {
        let name = unique();
        let tables = create_tables(&config, &name).await;
        let search_table = format!("{name}-search-keys");
        let kms = aws_sdk_kms::Client::new(&kms_config);
        let (record_key, search_key) = (symmetric_key(&kms).await, symmetric_key(&kms).await);
        let store = store(tables.clone());
        let search_keys = KmsSearchKeys::with_clients(kms, store.client().clone(), search_key, &search_table, ORIGIN);
        let data_keys = KmsDataKeys::new(&kms_config, &record_key);
        let opener = KmsDataKeyOpener::new(&kms_config, record_key);
        Self { config, kms_config, tables, search_table, store, data_keys, opener, search_keys }
    }

    /// A client of the tables, past the adapters.
    fn client(&self) -> &aws_sdk_dynamodb::Client {
        self.store.client()
    }

    /// The name of the table of events.
    fn events(&self) -> &str {
        self.tables.events.as_deref().expect("made above")
    }
}

/// The functions' own configuration, aimed at an address.
fn config_at(url: Option<String>) -> SdkConfig {
    let credentials = SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "opinions"));
    config_for(Some(Region::new("us-east-1")), url, credentials)
}

impl Subject for Opinion {
    type Store = DynamoStore;
    type Blobs = MemoryVault;
    type Keys = KmsDataKeys;
    type Opener = KmsDataKeyOpener;
    type SearchKeys = KmsSearchKeys;
    type Log = KmsLogKey;
    type Signer = KmsLogSigner;
    type Files = MemoryVault;
    type Workflow = MemoryVault;

    fn store(&self) -> &DynamoStore {
        &self.store
    }
    fn blobs(&self) -> &MemoryVault {
        panic!("second opinions have no bucket")
    }
    fn keys(&self) -> &KmsDataKeys {
        &self.data_keys
    }
    fn opener(&self) -> &KmsDataKeyOpener {
        &self.opener
    }
    fn search_keys(&self) -> &KmsSearchKeys {
        &self.search_keys
    }
    fn log(&self) -> &KmsLogKey {
        panic!("second opinions have no Ed25519 keys")
    }
    fn signer(&self) -> &KmsLogSigner {
        panic!("second opinions have no Ed25519 keys")
    }
    fn files(&self) -> &MemoryVault {
        panic!("second opinions have no bucket")
    }
    fn workflow(&self) -> &MemoryVault {
        panic!("second opinions have no workflows")
    }
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms()
    }
    fn http(&self, _: &str, _: &str, _: &BTreeMap<String, String>, _: &[u8]) -> (u16, Vec<u8>) {
        panic!("second opinions have no bucket")
    }
    async fn waiting(&self, _: Id) -> String {
        panic!("second opinions have no workflows")
    }
    async fn started(&self, _: Id) -> usize {
        panic!("second opinions have no workflows")
    }
}
