//! A second opinion: another implementation of DynamoDB is asked what the same calls consume. It has to know `ReturnConsumedCapacity` for items of any size
//! (dynalite does, which was made by comparing it with the real one). Of one that knows no transactions, each put is asked for by itself, and counted twice.
//!
//! dynalite 4.0.0 counts nothing for an index's entries, nor for a query that finds nothing. (DynamoDB does: "Queries that do not return results consume the minimum
//! number of read capacity units", API reference, `Query`.) So writes are compared without their entries, which the emulator is asked about in every run, and such queries are not compared.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::call::{Call, Service};
use crate::recorder::consumed_units;

/// What came of it.
#[derive(Debug, Default)]
pub struct Compared {
    /// How many calls were compared.
    pub calls: usize,
    /// Where the other one says something else.
    pub disputed: Vec<String>,
}

/// Why it has no opinion.
#[derive(Debug, thiserror::Error)]
pub enum OpinionError {
    /// It does not answer.
    #[error("it does not answer: {0}")]
    Http(#[from] ureq::Error),
    /// It does not do as it is asked.
    #[error("it answers {action} with {status}: {body}")]
    Refused {
        /// What was asked.
        action: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        body: Value,
    },
}

/// Repeats the calls of DynamoDB in order, and compares what they consume.
pub fn compare(history: &[Call], url: &str) -> Result<Compared, OpinionError> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let (mut compared, mut indexed) = (Compared::default(), BTreeSet::new());
    for call in history.iter().filter(|call| call.service == Service::DynamoDb && call.status == 200) {
        let theirs = match call.action.as_str() {
            "CreateTable" => {
                if call.asked.get("GlobalSecondaryIndexes").is_some() {
                    indexed.insert(call.asked["TableName"].to_string());
                }
                ask(&agent, url, &call.action, &call.asked)?;
                wait_for_table(&agent, url, &call.asked["TableName"])?;
                continue;
            }
            "Query" if call.answered["Count"] == 0 => continue,
            "TransactWriteItems" => transaction(&agent, url, &call.asked)?,
            action => units(&agent, url, action, &call.asked)?,
        };
        compared.calls += 1;
        let ours = call.units.read + call.units.write - entries(&call.asked, &indexed);
        if theirs.is_none_or(|theirs| (theirs - ours).abs() > f64::EPSILON) {
            compared.disputed.push(format!("{}: they say {theirs:?}, the rules {ours}: {}", call.action, call.asked));
        }
    }
    Ok(compared)
}

/// How many entries of an index a call of these stories makes: one for each put into a table that has one. No event is ever written over.
fn entries(asked: &Value, indexed: &BTreeSet<String>) -> f64 {
    let in_transaction = asked["TransactItems"].as_array().into_iter().flatten().map(|write| &write["Put"]);
    let puts = std::iter::once(asked).chain(in_transaction).filter(|put| put.get("Item").is_some());
    puts.filter(|put| indexed.contains(&put["TableName"].to_string())).map(|_| 1.0).sum()
}

fn units(agent: &ureq::Agent, url: &str, action: &str, asked: &Value) -> Result<Option<f64>, OpinionError> {
    Ok(consumed_units(&ask(agent, url, action, asked)?["ConsumedCapacity"]))
}

/// Each put twice.
fn transaction(agent: &ureq::Agent, url: &str, asked: &Value) -> Result<Option<f64>, OpinionError> {
    let mut sum = Some(0.0);
    for write in asked["TransactItems"].as_array().into_iter().flatten() {
        let one = units(agent, url, "PutItem", &write["Put"])?;
        sum = sum.zip(one).map(|(sum, one)| sum + 2.0 * one);
    }
    Ok(sum)
}

fn wait_for_table(agent: &ureq::Agent, url: &str, name: &Value) -> Result<(), OpinionError> {
    for _ in 0..100 {
        let described = ask(agent, url, "DescribeTable", &json!({"TableName": name}))?;
        if described["Table"]["TableStatus"] == "ACTIVE" {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Err(OpinionError::Refused { action: "CreateTable".to_owned(), status: 200, body: Value::Null })
}

fn ask(agent: &ureq::Agent, url: &str, action: &str, asked: &Value) -> Result<Value, OpinionError> {
    let mut asked = asked.clone();
    if !action.ends_with("Table") {
        asked["ReturnConsumedCapacity"] = "INDEXES".into();
    }
    let authorization =
        "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
    let call = agent.post(url).header("content-type", "application/x-amz-json-1.0");
    let call = call.header("x-amz-target", format!("DynamoDB_20120810.{action}"));
    let call = call.header("x-amz-date", "20261123T060000Z").header("authorization", authorization);
    let mut answer = call.send(asked.to_string())?;
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_str(&answer.body_mut().read_to_string()?).unwrap_or_default();
    if status == 200 { Ok(body) } else { Err(OpinionError::Refused { action: action.to_owned(), status, body }) }
}
