//! The command line: which stack, and how it is judged.

use std::fs;
use std::io;
use std::path::PathBuf;

use chartseal_audit::Settings;
use chartseal_events::Hash;
use chartseal_infra::aws::StoreNames;
use clap::Parser;
use serde_json::Value;

const AFTER: &str = "\
The events say what must be there: every stream is folded, every signature verified, every decision made again. The ledger's blocks are followed, and
must have sealed exactly these events. Then every item of every table, every object version and every unfinished upload is checked off. Nothing is written, and no private value is printed.

Which stack: a file with the stack's outputs, or the names one by one.
  aws cloudformation describe-stacks --stack-name chartseal > stack.json
  chartseal audit --store --outputs stack.json

Credentials and region come from the environment alone (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, and
AWS_ENDPOINT_URL for an emulator); `aws configure export-credentials --format env` prints those of a profile. An auditor needs to read the tables and
the buckets, and nothing else: docs/AUDIT.md has the policy.

Exit codes:
  0  sound: every item is accounted for, and everything is there
  2  the command line was wrong
  3  not sound: there are findings
  4  the store could not be read: nothing was judged";

/// Account for everything that a vault's tables and buckets hold.
#[derive(Debug, Parser)]
#[command(name = "chartseal-audit", version, after_help = AFTER)]
pub struct Options {
    /// The stack's outputs: what `aws cloudformation describe-stacks` answers, or a JSON object of names and values.
    #[arg(long, value_name = "FILE")]
    outputs: Option<PathBuf>,
    /// The Events table.
    #[arg(long, value_name = "TABLE", env = "EVENTS_TABLE")]
    events: Option<String>,
    /// The Private table.
    #[arg(long, value_name = "TABLE", env = "PRIVATE_TABLE")]
    private: Option<String>,
    /// The Keys table.
    #[arg(long, value_name = "TABLE", env = "KEYS_TABLE")]
    keys: Option<String>,
    /// The SearchKeys table.
    #[arg(long, value_name = "TABLE", env = "SEARCH_KEYS_TABLE")]
    search_keys: Option<String>,
    /// The Index table.
    #[arg(long, value_name = "TABLE", env = "INDEX_TABLE")]
    index: Option<String>,
    /// The Work table.
    #[arg(long, value_name = "TABLE", env = "WORK_TABLE")]
    work: Option<String>,
    /// The ledger's Blocks table.
    #[arg(long, value_name = "TABLE", env = "BLOCKS_TABLE")]
    blocks: Option<String>,
    /// The ledger's Sealed table.
    #[arg(long, value_name = "TABLE", env = "SEALED_TABLE")]
    sealed: Option<String>,
    /// The bucket of bodies.
    #[arg(long, value_name = "BUCKET", env = "BLOB_BUCKET")]
    bucket: Option<String>,
    /// The ledger's bucket.
    #[arg(long, value_name = "BUCKET", env = "LEDGER_BUCKET")]
    ledger_bucket: Option<String>,
    /// The leaf hash of the vault's genesis event, if the vault must be this one.
    #[arg(long, value_name = "HASH")]
    genesis: Option<Hash>,
    /// How late the vault's workers may be before something is a finding.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    grace_seconds: u64,
    /// How many segments of a table, and how many streams, are read at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    at_once: u32,
    /// Read every body, too, and hold its bytes against the announced digests. Otherwise what S3 states of it is believed.
    #[arg(long)]
    blobs: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Why it is not clear which stack is meant.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    File(PathBuf, #[source] io::Error),
    /// It is something else.
    #[error("{0} holds no stack's outputs: it must be what `aws cloudformation describe-stacks` answers")]
    Outputs(PathBuf),
    /// Names are missing.
    #[error("it is not said which {0} to audit: name a file of outputs (--outputs), or each of them")]
    Missing(String),
}

impl Options {
    /// How the audit is made.
    pub fn settings(&self) -> Settings {
        Settings {
            grace_ms: self.grace_seconds.saturating_mul(1000),
            genesis: self.genesis,
            at_once: self.at_once,
            bodies: self.blobs,
        }
    }

    /// The names of tables and buckets. What is named by itself goes before the file.
    pub fn names(&self) -> Result<StoreNames, StackError> {
        let outputs = match &self.outputs {
            Some(path) => read(path)?,
            None => Value::Null,
        };
        let mut missing = Vec::new();
        let mut name = |given: &Option<String>, output: &'static str| {
            let found = given.clone().or_else(|| outputs[output].as_str().map(str::to_owned));
            found.unwrap_or_else(|| {
                missing.push(output);
                String::new()
            })
        };
        let names = StoreNames {
            events: name(&self.events, "EventsTable"),
            private: name(&self.private, "PrivateTable"),
            keys: name(&self.keys, "KeysTable"),
            search_keys: name(&self.search_keys, "SearchKeysTable"),
            index: name(&self.index, "IndexTable"),
            work: name(&self.work, "WorkTable"),
            blocks: name(&self.blocks, "BlocksTable"),
            sealed: name(&self.sealed, "SealedTable"),
            bucket: name(&self.bucket, "BlobBucket"),
            ledger_bucket: name(&self.ledger_bucket, "LedgerBucket"),
        };
        if missing.is_empty() { Ok(names) } else { Err(StackError::Missing(missing.join(", "))) }
    }
}

/// The outputs as one object of names and values.
fn read(path: &PathBuf) -> Result<Value, StackError> {
    let text = fs::read_to_string(path).map_err(|error| StackError::File(path.clone(), error))?;
    let value: Value = serde_json::from_str(&text).map_err(|_| StackError::Outputs(path.clone()))?;
    let listed = value["Stacks"][0]["Outputs"].as_array().or_else(|| value.as_array());
    let Some(listed) = listed else {
        return if value.is_object() { Ok(value) } else { Err(StackError::Outputs(path.clone())) };
    };
    Ok(listed
        .iter()
        .filter_map(|output| Some((output["OutputKey"].as_str()?.to_owned(), output["OutputValue"].clone())))
        .collect())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn options(outputs: &str) -> Options {
        Options::parse_from(["chartseal-audit", "--outputs", outputs, "--bucket", "mine", "--ledger-bucket", "log"])
    }

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn outputs_are_read_in_the_forms_that_tools_print() {
        let folder = std::env::temp_dir().join(format!("chartseal-audit-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let tables = ["Events", "Private", "Keys", "SearchKeys", "Index", "Work", "Blocks", "Sealed"];
        let tables = tables.map(|table| format!("{table}Table"));
        let listed: Vec<Value> =
            tables.iter().map(|name| serde_json::json!({"OutputKey": name, "OutputValue": name})).collect();
        let flat: Value = tables.iter().map(|name| (name.clone(), Value::from(name.as_str()))).collect();
        for (file, content) in [
            ("described", serde_json::json!({"Stacks": [{"Outputs": listed}]})),
            ("listed", Value::from(listed.clone())),
            ("flat", flat),
        ] {
            let path = folder.join(file);
            fs::write(&path, content.to_string()).expect("written");
            let names = options(&path.display().to_string()).names().expect(file);
            assert_eq!((names.search_keys.as_str(), names.bucket.as_str()), ("SearchKeysTable", "mine"), "{file}");
        }
        fs::write(folder.join("none"), "{}").expect("written");
        let error = options(&folder.join("none").display().to_string()).names().expect_err("no names");
        assert!(error.to_string().contains("EventsTable, PrivateTable"), "{error}");
        fs::remove_dir_all(&folder).expect("removed");
    }
}
