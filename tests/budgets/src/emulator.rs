//! Tables, bucket, keys and a workflow of one's own on the emulator: the shared stack's (`CHARTSEAL_STACK_FILE`), that of `AWS_ENDPOINT_URL`, or one that is
//! started here. What is made here is as `template.yaml` makes it, as far as it costs anything; a test holds the two together.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use chartseal_infra::aws::{Tables, config_for};
use chartseal_local::{Emulator, Endpoint, Workspace, install, prerequisites};
use serde_json::{Value, json};

/// Names the file that describes the shared stack.
const STACK_FILE: &str = "CHARTSEAL_STACK_FILE";

/// A table's key: attributes and their types, partition key first.
pub type Key = &'static [(&'static str, ScalarAttributeType)];

/// A table, as far as it matters here.
#[derive(Debug)]
pub struct TableShape {
    /// The end of its name.
    pub name: &'static str,
    /// Its logical id in `template.yaml`.
    pub resource: &'static str,
    /// Its key.
    pub key: Key,
    /// The key of its index `by_time`, which projects keys alone.
    pub by_time: Option<Key>,
}

/// The tables.
pub const TABLES: &[TableShape] = &[
    TableShape {
        name: "events",
        resource: "EventsTable",
        key: &[("stream", ScalarAttributeType::S), ("seq", ScalarAttributeType::N)],
        by_time: Some(&[("hour", ScalarAttributeType::S), ("moment", ScalarAttributeType::S)]),
    },
    TableShape {
        name: "private",
        resource: "PrivateTable",
        key: &[("stream", ScalarAttributeType::S), ("seq", ScalarAttributeType::N)],
        by_time: None,
    },
    TableShape { name: "keys", resource: "KeysTable", key: &[("record", ScalarAttributeType::S)], by_time: None },
    TableShape {
        name: "search-keys",
        resource: "SearchKeysTable",
        key: &[("epoch", ScalarAttributeType::N)],
        by_time: None,
    },
    TableShape {
        name: "index",
        resource: "IndexTable",
        key: &[("list", ScalarAttributeType::S), ("moment", ScalarAttributeType::S)],
        by_time: None,
    },
    TableShape {
        name: "work",
        resource: "WorkTable",
        key: &[("item", ScalarAttributeType::S), ("part", ScalarAttributeType::S)],
        by_time: None,
    },
    TableShape {
        name: "blocks",
        resource: "BlocksTable",
        key: &[("log", ScalarAttributeType::S), ("height", ScalarAttributeType::N)],
        by_time: None,
    },
    TableShape { name: "sealed", resource: "SealedTable", key: &[("item", ScalarAttributeType::S)], by_time: None },
];

/// Where the workflow leaves its task tokens: a table of nobody's, so that no write of the workflow's own is taken for one of the vault's.
pub const TOKENS: TableShape =
    TableShape { name: "tokens", resource: "", key: &[("request", ScalarAttributeType::S)], by_time: None };

/// What a vault stands on.
#[derive(Debug)]
pub struct Ground {
    /// The beginning of every name.
    pub name: String,
    /// The ARN of the key that wraps data keys.
    pub record_key: String,
    /// The ARN of the key that wraps search keys.
    pub search_key: String,
    /// The ARN of the ledger's key.
    pub log_key: String,
    /// The ARN of the key of the ledger's clock.
    pub clock_key: String,
    /// The ARN of the workflow.
    pub workflow: String,
}

/// Where the emulator is. One that is started here ends with the process: it holds a pipe to us.
fn endpoint() -> &'static Endpoint {
    static PLACE: OnceLock<(Endpoint, Option<Emulator>)> = OnceLock::new();
    let (endpoint, _) = PLACE.get_or_init(|| {
        if let Ok(file) = std::env::var(STACK_FILE) {
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{STACK_FILE} is {file}: {error}"));
            let mut stack: Value = serde_json::from_str(&text).expect("the stack file is JSON");
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

/// The functions' own configuration, aimed at the emulator, as its administrator. Without time limits and repetitions: on a busy machine those would be
/// counted, and what fails here shall fail.
pub fn config() -> SdkConfig {
    let endpoint = endpoint();
    let (id, secret, token) = (&endpoint.access_key_id, &endpoint.secret_access_key, endpoint.session_token.clone());
    let credentials = SharedCredentialsProvider::new(Credentials::new(id, secret, token, None, "budgets"));
    let config = config_for(Some(Region::new(endpoint.region.clone())), Some(endpoint.url.clone()), credentials);
    config.to_builder().timeout_config(TimeoutConfig::disabled()).retry_config(RetryConfig::disabled()).build()
}

impl Ground {
    /// Makes everything anew. The tables are made by `recorded`, so that who records knows of them.
    pub async fn make(plain: &SdkConfig, recorded: &SdkConfig) -> Self {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
        let name = format!("budgets-{nanos}");
        let dynamo = aws_sdk_dynamodb::Client::new(recorded);
        for table in TABLES {
            create_table(&dynamo, &name, table).await;
        }
        create_table(&aws_sdk_dynamodb::Client::new(plain), &name, &TOKENS).await;
        create_bucket(plain, &name).await;
        let kms = aws_sdk_kms::Client::new(plain);
        Self {
            record_key: symmetric_key(&kms).await,
            search_key: symmetric_key(&kms).await,
            log_key: signing_key(&kms).await,
            clock_key: signing_key(&kms).await,
            workflow: create_workflow(&aws_sdk_sfn::Client::new(plain), &name).await,
            name,
        }
    }

    /// The full name of a table.
    pub fn table(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// The tables as an adapter wants them.
    pub fn tables(&self) -> Tables {
        let named = |name| Some(self.table(name));
        Tables {
            events: named("events"),
            private: named("private"),
            keys: named("keys"),
            index: named("index"),
            work: named("work"),
            blocks: named("blocks"),
            sealed: named("sealed"),
        }
    }
}

fn key_schema(key: Key) -> Vec<KeySchemaElement> {
    let kinds = [KeyType::Hash, KeyType::Range];
    let elements = key.iter().zip(kinds).map(|((name, _), kind)| {
        KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().expect("complete")
    });
    elements.collect()
}

async fn create_table(client: &aws_sdk_dynamodb::Client, name: &str, table: &TableShape) {
    let attributes = table.key.iter().chain(table.by_time.unwrap_or_default()).map(|(name, kind)| {
        AttributeDefinition::builder().attribute_name(*name).attribute_type(kind.clone()).build().expect("complete")
    });
    let index = table.by_time.map(|key| {
        let projection = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let index = GlobalSecondaryIndex::builder().index_name("by_time").set_key_schema(Some(key_schema(key)));
        vec![index.projection(projection).build().expect("complete")]
    });
    let call = client.create_table().table_name(format!("{name}-{}", table.name));
    let call = call.billing_mode(BillingMode::PayPerRequest).set_attribute_definitions(Some(attributes.collect()));
    let call = call.set_key_schema(Some(key_schema(table.key))).set_global_secondary_indexes(index);
    call.send().await.expect("a table");
}

async fn create_bucket(config: &SdkConfig, name: &str) {
    let client = s3(config);
    client.create_bucket().bucket(name).send().await.expect("a bucket");
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(name).versioning_configuration(versions).send().await.expect("versions");
}

/// A client of S3 that addresses buckets by path.
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}

async fn symmetric_key(client: &aws_sdk_kms::Client) -> String {
    client.create_key().send().await.expect("a key").key_metadata.expect("metadata").arn.expect("an ARN")
}

async fn signing_key(client: &aws_sdk_kms::Client) -> String {
    let call = client.create_key().key_spec(KeySpec::EccNistEdwards25519).key_usage(KeyUsageType::SignVerify);
    call.send().await.expect("a key").key_metadata.expect("metadata").arn.expect("an ARN")
}

/// A workflow that leaves its task token in a table, and waits.
async fn create_workflow(client: &aws_sdk_sfn::Client, name: &str) -> String {
    let table = format!("{name}-{}", TOKENS.name);
    let definition = json!({"StartAt": "Await", "States": {"Await": {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken",
        "Parameters": {"TableName": table, "Item": {"request": {"S.$": "$.request"}, "value": {"S.$": "$$.Task.Token"}}},
        "End": true}}});
    let machine =
        client.create_state_machine().name(name).role_arn(create_role(name)).definition(definition.to_string());
    machine.send().await.expect("a state machine").state_machine_arn
}

/// The workflow's role. IAM speaks forms, so no SDK.
fn create_role(name: &str) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"}]});
    let (trust, policy) = (trust.to_string(), policy.to_string());
    iam(&[("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", &trust)]);
    iam(&[("Action", "PutRolePolicy"), ("RoleName", name), ("PolicyName", "budgets"), ("PolicyDocument", &policy)]);
    format!("arn:aws:iam::000000000000:role/{name}")
}

fn iam(form: &[(&str, &str)]) {
    let credential = format!("{}/20261123/us-east-1/iam/aws4_request", endpoint().access_key_id);
    let authorization = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
    let form = form.iter().copied().chain([("Version", "2010-05-08")]);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let answer =
        agent.post(&endpoint().url).header("authorization", authorization).send_form(form).expect("IAM answers");
    assert_eq!(answer.status(), 200, "IAM refuses a role");
}
