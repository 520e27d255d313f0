//! The real adapters on the emulator, with tables, bucket, keys, role and state machine of their own.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_smithy_async::time::SystemTimeSource;
use chartseal_events::Id;
use chartseal_infra::aws::{
    DynamoStore, KmsDataKeyOpener, KmsDataKeys, KmsLogKey, KmsSearchKeys, S3Blobs, SfnWorkflow, SystemClock, Tables,
    config_for,
};
use chartseal_infra::ports::{Clock as _, WorkList as _, Workflow as _};
use chartseal_local::{Emulator, Endpoint, Workspace, install, prerequisites};

use crate::subject::Subject;

const STACK_FILE: &str = "CHARTSEAL_STACK_FILE";
const ORIGIN: &str = "contract.example";

/// Where the emulator is. One that is started here ends with the process: it holds a pipe to us.
pub fn endpoint() -> &'static Endpoint {
    static PLACE: OnceLock<(Endpoint, Option<Emulator>)> = OnceLock::new();
    let (endpoint, _) = PLACE.get_or_init(|| {
        if let Ok(file) = std::env::var(STACK_FILE) {
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{STACK_FILE} is {file}: {error}"));
            let mut stack: serde_json::Value = serde_json::from_str(&text).expect("the stack file is JSON");
            let endpoint: Endpoint =
                serde_json::from_value(stack["endpoint"].take()).expect("the stack file has an endpoint");
            endpoint.reach().expect("the stack answers");
            return (endpoint, None);
        }
        if let Some(endpoint) = Endpoint::from_environment() {
            endpoint.reach().expect("the endpoint of AWS_ENDPOINT_URL answers");
            return (endpoint, None);
        }
        prerequisites().expect("this machine has what the emulator needs");
        let workspace = Workspace::find().expect("a checkout");
        install(&workspace).expect("the emulator can be installed");
        let emulator = Emulator::start(&workspace).expect("the emulator starts");
        (emulator.endpoint().clone(), Some(emulator))
    });
    endpoint
}

/// The functions' own configuration, aimed at an address.
pub async fn config_at(url: &str) -> SdkConfig {
    let endpoint = endpoint();
    let (id, secret, token) = (&endpoint.access_key_id, &endpoint.secret_access_key, endpoint.session_token.clone());
    let credentials = SharedCredentialsProvider::new(Credentials::new(id, secret, token, None, "contract"));
    config_for(Some(Region::new(endpoint.region.clone())), Some(url.to_owned()), credentials)
}

pub struct Emulated {
    store: DynamoStore,
    blobs: S3Blobs,
    keys: KmsDataKeys,
    opener: KmsDataKeyOpener,
    search_keys: KmsSearchKeys,
    log: KmsLogKey,
    workflow: SfnWorkflow,
    sfn: aws_sdk_sfn::Client,
    state_machine: String,
}

impl Emulated {
    pub async fn new() -> Self {
        let config = config_at(&endpoint().url).await;
        let name = unique();
        let tables = create_tables(&config, &name).await;
        create_bucket(&config, &name).await;
        let role = create_role(&name);
        let kms = aws_sdk_kms::Client::new(&config);
        let (record_key, search_key) = (symmetric_key(&kms).await, symmetric_key(&kms).await);
        let log_key = kms.create_key().key_spec(KeySpec::EccNistEdwards25519).key_usage(KeyUsageType::SignVerify);
        let log_key = log_key.send().await.expect("a log key").key_metadata.expect("metadata").arn.expect("an ARN");
        let sfn = aws_sdk_sfn::Client::new(&config);
        let state_machine = create_workflow(&sfn, &name, &role).await;
        Self {
            store: DynamoStore::new(&config, tables),
            blobs: S3Blobs::new(&as_role(&config, &role).await, &name),
            keys: KmsDataKeys::new(&config, &record_key),
            opener: KmsDataKeyOpener::new(&config, record_key),
            search_keys: KmsSearchKeys::new(&config, search_key, format!("{name}-search-keys"), ORIGIN),
            log: KmsLogKey::new(&config, log_key),
            workflow: SfnWorkflow::new(&config, &state_machine),
            sfn,
            state_machine,
        }
    }
}

/// Another name each time, good for tables and buckets.
pub fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    format!("contract-{nanos}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

type Key<'a> = &'a [(&'a str, ScalarAttributeType)];

fn key_schema(key: Key<'_>) -> Vec<KeySchemaElement> {
    let kinds = [KeyType::Hash, KeyType::Range];
    let elements = key.iter().zip(kinds).map(|((name, _), kind)| {
        KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().expect("complete")
    });
    elements.collect()
}

async fn create_table(client: &aws_sdk_dynamodb::Client, name: &str, key: Key<'_>, by_time: Option<Key<'_>>) {
    let attributes = key.iter().chain(by_time.unwrap_or_default()).map(|(name, kind)| {
        AttributeDefinition::builder().attribute_name(*name).attribute_type(kind.clone()).build().expect("complete")
    });
    let index = by_time.map(|key| {
        let projection = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let index = GlobalSecondaryIndex::builder().index_name("by_time").set_key_schema(Some(key_schema(key)));
        vec![index.projection(projection).build().expect("complete")]
    });
    let call = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let call = call.set_attribute_definitions(Some(attributes.collect())).set_key_schema(Some(key_schema(key)));
    call.set_global_secondary_indexes(index).send().await.expect("a table");
}

/// The tables as `template.yaml` makes them.
pub async fn create_tables(config: &SdkConfig, name: &str) -> Tables {
    use ScalarAttributeType::{N, S};
    let client = aws_sdk_dynamodb::Client::new(config);
    let named = |table: &str| format!("{name}-{table}");
    let place: Key<'_> = &[("stream", S), ("seq", N)];
    create_table(&client, &named("events"), place, Some(&[("hour", S), ("moment", S)])).await;
    create_table(&client, &named("private"), place, None).await;
    create_table(&client, &named("keys"), &[("record", S)], None).await;
    create_table(&client, &named("search-keys"), &[("epoch", N)], None).await;
    create_table(&client, &named("index"), &[("list", S), ("moment", S)], None).await;
    create_table(&client, &named("work"), &[("item", S), ("part", S)], None).await;
    Tables {
        events: Some(named("events")),
        private: Some(named("private")),
        keys: Some(named("keys")),
        index: Some(named("index")),
        work: Some(named("work")),
    }
}

async fn create_bucket(config: &SdkConfig, name: &str) {
    let client =
        aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build());
    client.create_bucket().bucket(name).send().await.expect("a bucket");
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(name).versioning_configuration(versions).send().await.expect("versions");
}

pub async fn symmetric_key(client: &aws_sdk_kms::Client) -> String {
    client.create_key().send().await.expect("a key").key_metadata.expect("metadata").arn.expect("an ARN")
}

/// A role with the functions' rights on the bucket. (The emulator checks presigned calls of roles alone.) IAM speaks forms, so no SDK.
fn create_role(name: &str) -> String {
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObjectVersion",
            "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
         "Resource": format!("arn:aws:s3:::{name}/records/*")},
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
         "Resource": format!("arn:aws:s3:::{name}")},
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"}]});
    let (trust, policy) = (trust.to_string(), policy.to_string());
    iam(&[("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", &trust)]);
    iam(&[("Action", "PutRolePolicy"), ("RoleName", name), ("PolicyName", "contract"), ("PolicyDocument", &policy)]);
    format!("arn:aws:iam::000000000000:role/{name}")
}

fn iam(form: &[(&str, &str)]) {
    let credential = format!("{}/20261123/us-east-1/iam/aws4_request", endpoint().access_key_id);
    let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
    let form = form.iter().copied().chain([("Version", "2010-05-08")]);
    let answer =
        agent().post(&endpoint().url).header("authorization", authorization).send_form(form).expect("IAM answers");
    assert_eq!(answer.status(), 200, "IAM refuses a role");
}

async fn as_role(config: &SdkConfig, role: &str) -> SdkConfig {
    // The functions' configuration leaves the clock to the clients; this provider wants it named.
    let timed = config.to_builder().time_source(SystemTimeSource::new()).build();
    let provider = AssumeRoleProvider::builder(role).session_name("contract").configure(&timed).build().await;
    config.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

/// A workflow that puts its task token where the vault's own does, and waits.
async fn create_workflow(client: &aws_sdk_sfn::Client, name: &str, role: &str) -> String {
    let definition = serde_json::json!({"StartAt": "Await", "States": {"Await": {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken",
        "Parameters": {"TableName": format!("{name}-work"), "Item": {
            "item": {"S.$": "States.Format('task/{}', $.request)"}, "part": {"S": "token"}, "value": {"S.$": "$$.Task.Token"}}},
        "End": true}}});
    let machine = client.create_state_machine().name(name).role_arn(role).definition(definition.to_string());
    machine.send().await.expect("a state machine").state_machine_arn
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

impl Subject for Emulated {
    type Store = DynamoStore;
    type Blobs = S3Blobs;
    type Keys = KmsDataKeys;
    type Opener = KmsDataKeyOpener;
    type SearchKeys = KmsSearchKeys;
    type Log = KmsLogKey;
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
        let list = self.sfn.list_executions().state_machine_arn(&self.state_machine).send().await.expect("executions");
        list.executions.iter().filter(|execution| execution.name == request.to_string()).count()
    }
}
