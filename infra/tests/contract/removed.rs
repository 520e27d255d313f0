//! The path to a real account, as far as it can be walked without one: what is asked for and absent fails, and where it is there, nothing stays.
//!
//! An emulator of its own stands for AWS, with a user who has credentials like anybody's: every call, those that are signed here by hand included, is
//! checked there. It has never been run on AWS itself (docs/TESTING.md).

use std::env;
use std::process::{Command, Output, Stdio};

use aws_config::Region;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_kms::types::KeyState;
use chartseal_infra::aws::config_for;
use chartseal_local::{Emulator, Endpoint, Workspace, install};

use crate::ground::{Ground, element};

/// The tests of one port that need every kind of thing that is made.
const TRIED: &str = "emulator::workflow::";
const IAM: &str = "2010-05-08";

/// This program once more, with `CHARTSEAL_STACK=aws` and nothing of the environment that could lead to credentials.
fn on_aws(variables: &[(&str, &str)]) -> Output {
    let mut other = Command::new(env::current_exe().expect("this program"));
    other.args([TRIED, "--test-threads", "2"]).env_clear().stdin(Stdio::null());
    other.env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR")).env("PATH", env::var_os("PATH").unwrap_or_default());
    for (name, value) in [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_CONFIG_FILE", "/dev/null")] {
        other.env(name, value);
    }
    other.env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null").env("CHARTSEAL_STACK", "aws");
    other.envs(variables.iter().copied()).output().expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn an_account_that_is_asked_for_and_absent_fails_with_what_to_do() {
    let without = on_aws(&[]);
    let told = said(&without);
    assert!(!without.status.success() && told.contains("no region is set: set AWS_REGION"), "{told}");
    let without = on_aws(&[("AWS_REGION", "eu-central-1")]);
    let told = said(&without);
    assert!(!without.status.success() && told.contains("there are no credentials"), "{told}");
    assert!(told.contains("set AWS_PROFILE") && !told.contains("0 failed"), "{told}");
}

#[test]
fn on_an_account_everything_is_made_tried_and_removed() {
    let workspace = Workspace::find().expect("a checkout");
    install(&workspace).expect("the emulator can be installed");
    let emulator = Emulator::start_process(&workspace).expect("it starts");
    let (id, secret) = user(emulator.endpoint());
    let access = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", &secret)];
    let place = [("AWS_REGION", "eu-central-1"), ("AWS_ENDPOINT_URL", &emulator.endpoint().url)];

    let forged = on_aws(&[access[0], ("AWS_SECRET_ACCESS_KEY", "somebody else's"), place[0], place[1]]);
    let told = said(&forged);
    assert!(!forged.status.success() && told.contains("the account does not answer as ours"), "{told}");

    let tried = on_aws(&[access, place].concat());
    let told = said(&tried);
    assert!(tried.status.success() && told.contains("which stands for AWS"), "{told}");
    assert!(told.contains(" passed; 0 failed; 0 ignored"), "{told}");

    let (_, roles) = Ground::of(emulator.endpoint()).call("iam", IAM, &[("Action", "ListRoles")]);
    assert!(roles.contains("ListRolesResult") && !roles.contains("chartseal-contract"), "{roles}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(nothing_stays(&config(emulator.endpoint(), "eu-central-1")));
}

fn config(endpoint: &Endpoint, region: &str) -> SdkConfig {
    let (id, secret) = (&endpoint.access_key_id, &endpoint.secret_access_key);
    let credentials = SharedCredentialsProvider::new(Credentials::new(id, secret, None, None, "contract"));
    config_for(Some(Region::new(region.to_owned())), Some(endpoint.url.clone()), credentials)
}

/// A user who may do everything, but whose signatures are checked. (Those of the emulator's administrator are not.)
fn user(endpoint: &Endpoint) -> (String, String) {
    let administrator = Ground::of(endpoint);
    let call = |form: &[(&str, &str)]| {
        let (status, said) = administrator.call("iam", IAM, form);
        assert_eq!(status, 200, "{said}");
        said
    };
    let name = ("UserName", "somebody");
    let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    call(&[("Action", "CreateUser"), name]);
    call(&[("Action", "PutUserPolicy"), name, ("PolicyName", "everything"), ("PolicyDocument", all)]);
    let key = call(&[("Action", "CreateAccessKey"), name]);
    let part = |element_name| element(&key, element_name).expect("a key").to_owned();
    (part("AccessKeyId"), part("SecretAccessKey"))
}

async fn nothing_stays(config: &SdkConfig) {
    let tables = aws_sdk_dynamodb::Client::new(config).list_tables().send().await.expect("tables");
    assert_eq!(tables.table_names(), [""; 0]);
    let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    let buckets = aws_sdk_s3::Client::from_conf(s3).list_buckets().send().await.expect("buckets");
    assert!(buckets.buckets().is_empty(), "{buckets:?}");
    let machines = aws_sdk_sfn::Client::new(config).list_state_machines().send().await.expect("state machines");
    assert!(machines.state_machines.is_empty(), "{machines:?}");
    let (kms, mut on_their_way) = (aws_sdk_kms::Client::new(config), 0);
    for key in kms.list_keys().send().await.expect("keys").keys() {
        let key = kms.describe_key().key_id(key.key_id().expect("an id")).send().await.expect("a key");
        let state = key.key_metadata.expect("metadata").key_state;
        assert_eq!(state, Some(KeyState::PendingDeletion), "KMS keys go after days");
        on_their_way += 1;
    }
    assert!(on_their_way >= 3, "they were made: {on_their_way}");
}
