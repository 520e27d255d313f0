//! What one test makes for itself, and removes at its end: tables, a bucket, keys, a role, a state machine.
//!
//! On an emulator nothing would need removing. It is done there all the same, so that the path that spends somebody's money is tried on every run.
//! Removal goes by name and takes what is not there for removed: what was half made when a test failed goes, too.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableStatus,
};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration,
};
use aws_sdk_sfn::types::ExecutionStatus;
use aws_smithy_async::time::SystemTimeSource;
use chartseal_infra::aws::Tables;

use crate::ground::{Ground, element};

const IAM: &str = "2010-05-08";
/// The tables, as their names end.
const TABLES: [&str; 8] = ["events", "private", "keys", "search-keys", "index", "work", "blocks", "sealed"];
/// How long AWS may take until everybody knows of a new table or role: seconds, as a rule.
const SETTLES: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(200);
/// The shortest time that a key can be on its way out.
const KEY_DAYS: i32 = 7;
/// What services call something that is not there.
const ABSENT: [&str; 5] =
    ["ResourceNotFoundException", "NoSuchBucket", "NotFoundException", "StateMachineDoesNotExist", "NoSuchEntity"];

/// What was made so far. Dropped, it is removed.
pub struct Made {
    config: SdkConfig,
    things: Things,
}

#[derive(Default)]
struct Things {
    name: String,
    keys: Vec<String>,
    role: String,
    state_machine: String,
}

impl Made {
    /// Makes everything, as `template.yaml` does, and waits until it can be used.
    pub async fn make(config: &SdkConfig) -> Self {
        // From here on a failure removes what there is.
        let mut made = Self { config: config.clone(), things: Things { name: unique(), ..Things::default() } };
        let name = made.things.name.clone();
        create_tables(config, &name).await;
        create_bucket(config, &name).await;
        create_bucket(config, &made.log_bucket()).await;
        made.things.role = create_role(&name);
        let kms = aws_sdk_kms::Client::new(config);
        let signs = kms.create_key().key_spec(KeySpec::EccNistEdwards25519).key_usage(KeyUsageType::SignVerify);
        for call in [kms.create_key(), kms.create_key(), signs] {
            let key = call.description(&name).send().await.expect("a key").key_metadata.expect("metadata");
            let arn = key.arn.expect("an ARN");
            made.things.keys.push(arn.clone());
            // KMS, too, knows of a new key only after a while.
            settled("a key is known", async || kms.describe_key().key_id(&arn).send().await).await;
        }
        let sfn = aws_sdk_sfn::Client::new(config);
        made.things.state_machine = create_workflow(&sfn, &name, &made.things.role).await;
        made
    }

    /// The name that all of it begins with; the bucket's is just this.
    pub fn name(&self) -> &str {
        &self.things.name
    }

    /// For data, for search, and for the log.
    pub fn keys(&self) -> [&str; 3] {
        [0, 1, 2].map(|index| self.things.keys[index].as_str())
    }

    pub fn state_machine(&self) -> &str {
        &self.things.state_machine
    }

    /// Of the log's files.
    pub fn log_bucket(&self) -> String {
        log_bucket(&self.things.name)
    }

    /// A client of the buckets, past the adapters.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        s3(&self.config)
    }

    pub fn tables(&self) -> Tables {
        tables(&self.things.name)
    }

    /// A client configuration with the role's own credentials, once it has its rights.
    pub async fn as_role(&self, config: &SdkConfig) -> SdkConfig {
        // The functions' configuration leaves the clock to the clients; this provider wants it named.
        let timed = config.to_builder().time_source(SystemTimeSource::new()).build();
        let provider =
            AssumeRoleProvider::builder(&self.things.role).session_name("contract").configure(&timed).build().await;
        let role = config.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
        let client = s3(&role);
        settled("the role may list its bucket", async || {
            client.list_objects_v2().bucket(&self.things.name).max_keys(1).send().await
        })
        .await;
        role
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let (config, things) = (self.config.clone(), std::mem::take(&mut self.things));
        // A destructor cannot wait in the runtime that it runs in.
        let failures = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(remove(&config, &things))
        });
        let failures = failures.join().unwrap_or_else(|_| vec!["removing panicked".to_owned()]);
        if failures.is_empty() {
            return;
        }
        let told = format!("not removed, and on AWS still to be paid for: {}", failures.join("; "));
        // A second panic would end the program before the other tests removed theirs.
        if thread::panicking() { eprintln!("{told}") } else { panic!("{told}") }
    }
}

/// Another name each time, good for tables and buckets.
pub fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    format!("chartseal-contract-{nanos}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Asks until it is so; what is new on AWS is known everywhere only after a while.
async fn settled<T, E: Debug>(what: &str, ask: impl AsyncFn() -> Result<T, E>) -> T {
    let deadline = Instant::now() + SETTLES;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if Instant::now() > deadline => panic!("{what}: not within {} s: {error:?}", SETTLES.as_secs()),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

fn log_bucket(name: &str) -> String {
    format!("{name}-log")
}

fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let by_path = config.endpoint_url().is_some();
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(by_path).build())
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

fn tables(name: &str) -> Tables {
    let named = |table: &str| Some(format!("{name}-{table}"));
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

/// The tables as `template.yaml` makes them, ready for use.
pub async fn create_tables(config: &SdkConfig, name: &str) -> Tables {
    use ScalarAttributeType::{N, S};
    let client = aws_sdk_dynamodb::Client::new(config);
    let by_time: Key<'_> = &[("hour", S), ("moment", S)];
    for table in TABLES {
        let key: Key<'_> = match table {
            "keys" => &[("record", S)],
            "search-keys" => &[("epoch", N)],
            "index" => &[("list", S), ("moment", S)],
            "work" => &[("item", S), ("part", S)],
            "blocks" => &[("log", S), ("height", N)],
            "sealed" => &[("item", S)],
            _ => &[("stream", S), ("seq", N)],
        };
        create_table(&client, &format!("{name}-{table}"), key, (table == "events").then_some(by_time)).await;
    }
    for table in TABLES {
        settled("a table is active", async || {
            let found = client.describe_table().table_name(format!("{name}-{table}")).send().await;
            let status = found.map_err(|error| format!("{error:?}"))?.table.and_then(|table| table.table_status);
            if status == Some(TableStatus::Active) { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await;
    }
    tables(name)
}

async fn create_bucket(config: &SdkConfig, name: &str) {
    let client = s3(config);
    let region = config.region().expect("a region").as_ref();
    // The first region of all is the one that must not be named.
    let elsewhere = (region != "us-east-1").then(|| {
        CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build()
    });
    client.create_bucket().bucket(name).set_create_bucket_configuration(elsewhere).send().await.expect("a bucket");
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(name).versioning_configuration(versions).send().await.expect("versions");
}

/// A role with the functions' rights on the bucket, for this account and the workflow alone. (The emulator checks presigned calls of roles alone.)
fn create_role(name: &str) -> String {
    let Ground { account, region, .. } = Ground::get();
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObjectVersion",
            "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
         "Resource": format!("arn:aws:s3:::{name}/records/*")},
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
         "Resource": format!("arn:aws:s3:::{name}")},
        {"Effect": "Allow", "Action": "dynamodb:PutItem",
         "Resource": format!("arn:aws:dynamodb:{region}:{account}:table/{name}-work")}]});
    let (trust, policy) = (trust.to_string(), policy.to_string());
    let made = iam(&[("Action", "CreateRole"), ("RoleName", name), ("AssumeRolePolicyDocument", &trust)]);
    iam(&[("Action", "PutRolePolicy"), ("RoleName", name), ("PolicyName", "contract"), ("PolicyDocument", &policy)]);
    element(&made, "Arn").expect("a role has an ARN").to_owned()
}

fn iam(form: &[(&str, &str)]) -> String {
    let (status, said) = Ground::get().call("iam", IAM, form);
    assert_eq!(status, 200, "IAM refuses {:?}: {said}", form[0]);
    said
}

/// A workflow that puts its task token where the vault's own does, and waits.
async fn create_workflow(client: &aws_sdk_sfn::Client, name: &str, role: &str) -> String {
    let definition = serde_json::json!({"StartAt": "Await", "States": {"Await": {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken",
        "Parameters": {"TableName": format!("{name}-work"), "Item": {
            "item": {"S.$": "States.Format('task/{}', $.request)"}, "part": {"S": "token"}, "value": {"S.$": "$$.Task.Token"}}},
        "End": true}}});
    let machine = settled("the workflow may take its role", async || {
        client.create_state_machine().name(name).role_arn(role).definition(definition.to_string()).send().await
    });
    machine.await.state_machine_arn
}

/// What could not be removed, and why.
struct Failures(Vec<String>);

impl Failures {
    /// Notes a failure, unless what was to be removed is not there.
    fn note<T, E: ProvideErrorMetadata + Debug>(&mut self, what: &str, result: Result<T, SdkError<E>>) -> Option<T> {
        match result {
            Ok(answer) => Some(answer),
            Err(error) if error.code().is_some_and(|code| ABSENT.contains(&code)) => None,
            Err(error) => {
                self.0.push(format!("{what}: {error:?}"));
                None
            }
        }
    }
}

async fn remove(config: &SdkConfig, made: &Things) -> Vec<String> {
    let mut failures = Failures(Vec::new());
    if !made.state_machine.is_empty() {
        remove_workflow(&aws_sdk_sfn::Client::new(config), &made.state_machine, &mut failures).await;
    }
    let dynamodb = aws_sdk_dynamodb::Client::new(config);
    for table in TABLES.map(|table| format!("{}-{table}", made.name)) {
        failures.note(&table, dynamodb.delete_table().table_name(&table).send().await);
    }
    for bucket in [made.name.clone(), log_bucket(&made.name)] {
        remove_bucket(&s3(config), &bucket, &mut failures).await;
    }
    let kms = aws_sdk_kms::Client::new(config);
    for key in &made.keys {
        failures.note(key, kms.schedule_key_deletion().key_id(key).pending_window_in_days(KEY_DAYS).send().await);
    }
    if !made.role.is_empty() {
        let policy = [("Action", "DeleteRolePolicy"), ("RoleName", made.name.as_str()), ("PolicyName", "contract")];
        for form in [&policy[..], &[("Action", "DeleteRole"), ("RoleName", made.name.as_str())]] {
            let (status, said) = Ground::get().call("iam", IAM, form);
            if status != 200 && !element(&said, "Code").is_some_and(|code| ABSENT.contains(&code)) {
                failures.0.push(format!("role {}: {status} {said}", made.name));
            }
        }
    }
    failures.0
}

/// An execution that waits for its token would keep the workflow for a year.
async fn remove_workflow(client: &aws_sdk_sfn::Client, machine: &str, failures: &mut Failures) {
    let waiting = client.list_executions().state_machine_arn(machine).status_filter(ExecutionStatus::Running);
    let waiting = failures.note("executions", waiting.send().await).map(|found| found.executions).unwrap_or_default();
    for execution in waiting {
        let arn = execution.execution_arn;
        failures.note(&arn, client.stop_execution().execution_arn(&arn).send().await);
    }
    failures.note(machine, client.delete_state_machine().state_machine_arn(machine).send().await);
}

/// Only an empty bucket can be deleted: versions, markers and unfinished uploads go first.
async fn remove_bucket(client: &aws_sdk_s3::Client, bucket: &str, failures: &mut Failures) {
    loop {
        let found = client.list_object_versions().bucket(bucket).send().await;
        let Some(found) = failures.note(bucket, found) else { return };
        let versions = found.versions().iter().map(|one| (one.key.clone(), one.version_id.clone()));
        let markers = found.delete_markers().iter().map(|one| (one.key.clone(), one.version_id.clone()));
        for (key, version) in versions.chain(markers) {
            let call = client.delete_object().bucket(bucket).set_key(key).set_version_id(version);
            if failures.note(bucket, call.send().await).is_none() {
                return;
            }
        }
        if found.is_truncated != Some(true) {
            break;
        }
    }
    let uploads = failures.note(bucket, client.list_multipart_uploads().bucket(bucket).send().await);
    for upload in uploads.and_then(|found| found.uploads).unwrap_or_default() {
        let call = client.abort_multipart_upload().bucket(bucket).set_key(upload.key);
        failures.note(bucket, call.set_upload_id(upload.upload_id).send().await);
    }
    failures.note(bucket, client.delete_bucket().bucket(bucket).send().await);
}
