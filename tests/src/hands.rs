//! Hands behind the vault's back: what only an administrator of the cloud account can do. The stories use them to look, and to do harm.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chartseal_local::Endpoint;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Stack;
use crate::lines::Invocation;

/// An administrator's hands on a stack.
#[derive(Debug, Clone, Copy)]
pub struct Hands<'a>(pub &'a Stack);

/// One thing that one role was tried on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Attempt {
    /// Whose role.
    pub function: String,
    /// The IAM action.
    pub action: String,
    /// The template's resource, with what is meant of it.
    pub place: String,
    /// The call of the SDK.
    pub operation: String,
    /// Whether the template's policies allow it.
    pub granted: bool,
    /// Whether the deployed role was allowed it.
    pub allowed: bool,
}

/// An event source mapping that is gone.
#[derive(Debug)]
pub struct Forgotten(Value);

impl Hands<'_> {
    /// Does one thing (`tests/hands.py` lists them) and returns what came of it.
    pub fn try_do(self, question: &Value) -> Result<Value, String> {
        self.ask("tests/hands.py", question)
    }

    /// Asks a script of ours, in the local stack's Python.
    fn ask(self, script: &str, question: &Value) -> Result<Value, String> {
        let stack = self.0;
        let script = stack.workspace.root().join(script);
        let mut child = Command::new(stack.workspace.python())
            .arg(script)
            .envs(stack.endpoint.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the local stack's Python runs");
        child.stdin.take().expect("piped").write_all(question.to_string().as_bytes()).expect("asked");
        let output = child.wait_with_output().expect("it ends");
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).expect("JSON"))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn act(self, question: &Value) -> Value {
        self.try_do(question).unwrap_or_else(|error| panic!("{:.300}: {error}", question.to_string()))
    }

    /// Does many things, one after the other, and gives what came of each.
    pub fn all(self, deeds: &[Value]) -> Vec<Value> {
        let answers = self.act(&json!({"do": "together", "deeds": deeds}));
        serde_json::from_value(answers).expect("a list")
    }

    /// All items of a table (a stack output), as DynamoDB has them, with bytes as hex.
    pub fn items(self, table: &str) -> Vec<Value> {
        let items = self.act(&json!({"do": "table-items", "table": self.0.output(table)}));
        serde_json::from_value(items).expect("a list")
    }

    /// The endpoint with the credentials of a new role that may do what a policy says, and nothing else.
    pub fn with_policy(self, role: &str, policy: &str) -> Endpoint {
        let given = self.act(&json!({"do": "credentials", "role": role, "policy": policy}));
        let text = |name: &str| given[name].as_str().expect("a credential").to_owned();
        Endpoint {
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretAccessKey"),
            session_token: Some(text("SessionToken")),
            ..self.0.endpoint.clone()
        }
    }

    /// Whether these functions are woken by the stream, the bucket or the clock.
    pub fn hints(self, functions: &[&str], on: bool) {
        let functions: Vec<&String> = functions.iter().map(|name| &self.0.outputs.functions[*name]).collect();
        self.act(&json!({"do": "hints", "functions": functions, "on": on}));
    }

    /// Deletes what gives a function the events table's stream: what is written now, it never hears of.
    pub fn forget_stream(self, function: &str) -> Forgotten {
        Forgotten(self.act(&json!({"do": "forget-stream", "function": self.0.outputs.functions[function]})))
    }

    /// Gives it back, from the latest record on.
    pub fn recall_stream(self, forgotten: &Forgotten) {
        self.act(&json!({"do": "recall-stream", "mapping": forgotten.0}));
    }

    /// How many items each table has, and how many object versions the bucket.
    pub fn inventory(self) -> Value {
        let tables = ["EventsTable", "PrivateTable", "KeysTable"].map(|name| self.0.output(name).to_owned());
        self.act(&json!({"do": "inventory", "tables": tables, "bucket": self.0.output("BlobBucket")}))
    }

    /// Replaces text in an event's stored bytes.
    pub fn forge_event(self, stream: &str, seq: u64, from: &str, to: &str) {
        let table = self.0.output("EventsTable");
        self.act(&json!({"do": "forge-event", "table": table, "stream": stream, "seq": seq, "from": from, "to": to}));
    }

    /// Flips one bit of an item's binary attribute in the keys table.
    pub fn flip_key_item(self, prefix: &str, attribute: &str, index: usize) {
        let table = self.0.output("KeysTable");
        let question = json!({"do": "flip", "table": table, "prefix": prefix, "attribute": attribute, "index": index});
        self.act(&question);
    }

    /// Puts other bytes over an object.
    pub fn overwrite(self, prefix: &str) {
        self.act(&json!({"do": "overwrite", "bucket": self.0.output("BlobBucket"), "prefix": prefix}));
    }

    /// Deletes every version of an object for good.
    pub fn delete_object(self, prefix: &str) {
        self.act(&json!({"do": "delete-object", "bucket": self.0.output("BlobBucket"), "prefix": prefix}));
    }

    /// The keys of the objects under a prefix.
    pub fn objects(self, prefix: &str) -> Vec<String> {
        let keys = self.act(&json!({"do": "objects", "bucket": self.0.output("BlobBucket"), "prefix": prefix}));
        serde_json::from_value(keys).expect("strings")
    }

    /// The ids of the unfinished uploads in parts under a prefix.
    pub fn unfinished_uploads(self, prefix: &str) -> Vec<String> {
        let ids = self.act(&json!({"do": "uploads", "bucket": self.0.output("BlobBucket"), "prefix": prefix}));
        serde_json::from_value(ids).expect("strings")
    }

    /// Puts an upload together of whatever parts it has, past the function that looks at them.
    pub fn complete_upload(self, key: &str, upload: &str) {
        let bucket = self.0.output("BlobBucket");
        self.act(&json!({"do": "complete", "bucket": bucket, "key": key, "upload": upload}));
    }

    /// The status of a request's execution of the approval workflow.
    pub fn execution(self, request: &str) -> String {
        let status =
            self.act(&json!({"do": "execution", "machine": self.0.output("ApprovalWorkflow"), "name": request}));
        status.as_str().expect("a status").to_owned()
    }

    /// Starts an execution of the approval workflow by hand; its ARN.
    pub fn start_execution(self, name: &str, input: &Value) -> String {
        let machine = self.0.output("ApprovalWorkflow");
        let arn = self.act(&json!({"do": "start-execution", "machine": machine, "name": name, "input": input}));
        arn.as_str().expect("an ARN").to_owned()
    }

    /// The token that a request's execution waits with, or waited with.
    pub fn task_token(self, request: &str) -> Option<String> {
        let place = format!("task/{request}");
        let items = self.items("WorkTable");
        let item = items.iter().find(|item| item["item"]["S"] == *place)?;
        Some(item["value"]["S"].as_str().expect("a token").to_owned())
    }

    /// Tells the execution that waits with this token that the request is approved, for so many seconds.
    pub fn approve_task(self, token: &str, seconds: u64) {
        self.act(&json!({"do": "decide-task", "token": token, "seconds": seconds}));
    }

    /// How an execution stands, and the states that it came to, each with when it did, in seconds since it began.
    pub fn passed(self, execution: &str) -> (String, Vec<(String, f64)>) {
        let passed = self.act(&json!({"do": "passed", "execution": execution}));
        let states = serde_json::from_value(passed["states"].clone()).expect("states");
        (passed["status"].as_str().expect("a status").to_owned(), states)
    }

    /// Invokes a function.
    pub fn invoke(self, function: &str, payload: &Value) -> Value {
        let name = &self.0.outputs.functions[function];
        self.act(&json!({"do": "invoke", "function": name, "payload": payload}))
    }

    /// Deploys a program as a function that is no part of the stack. It has the role of one that can do next to nothing.
    pub fn put_function(self, name: &str, program: &Path, variables: &Value, timeout_s: u64) {
        let like = &self.0.outputs.functions["healthz"];
        self.act(&json!({"do": "put-function", "name": name, "program": program, "like": like, "variables": variables, "timeout_s": timeout_s}));
    }

    /// An HTTP API before a function that is no part of the stack; its address.
    pub fn put_api(self, name: &str) -> String {
        let id = self.act(&json!({"do": "put-api", "function": name}));
        format!("{}/_aws/execute-api/{}/$default", self.0.endpoint.url, id.as_str().expect("an id"))
    }

    /// Invokes a function that is no part of the stack: the kind of error, if it is one, and what came.
    pub fn call(self, name: &str, payload: &Value) -> (Option<String>, String) {
        let given = self.act(&json!({"do": "call", "function": name, "payload": payload}));
        (given["error"].as_str().map(str::to_owned), given["payload"].as_str().expect("text").to_owned())
    }

    /// What a function's role may do of a list of `[service, operation, arguments]`: true or false for each.
    pub fn may(self, function: &str, attempts: &Value) -> Vec<bool> {
        let name = &self.0.outputs.functions[function];
        let answer = self.act(&json!({"do": "may", "function": name, "attempts": attempts}));
        serde_json::from_value(answer).expect("booleans")
    }

    /// Everything that each function's role was tried on, with what the template grants (`tests/rights.py`). Needs an uploaded record and a request.
    pub fn rights(self) -> Vec<Attempt> {
        let question = json!({"template": self.0.workspace.template(), "functions": self.0.outputs.functions});
        let rows = self.ask("tests/rights.py", &question).unwrap_or_else(|error| panic!("rights: {error}"));
        serde_json::from_value(rows).expect("attempts")
    }

    /// Opens header || body with the official SDK, through KMS; the plaintext's SHA-256, hex.
    pub fn stored_body(self, key: &str) -> Vec<u8> {
        let body = self.act(&json!({"do": "body", "bucket": self.0.output("BlobBucket"), "key": key}));
        hex::decode(body.as_str().expect("hex")).expect("hex")
    }

    /// A message header from the keys table.
    pub fn header(self, prefix: &str) -> Vec<u8> {
        let header = self.act(
            &json!({"do": "binary", "table": self.0.output("KeysTable"), "prefix": prefix, "attribute": "header"}),
        );
        hex::decode(header.as_str().expect("hex")).expect("hex")
    }

    /// Every invocation that the log knows of, with what the function wrote.
    pub fn invocations(self) -> Vec<Invocation> {
        let invocations = self.act(&json!({"do": "invocations", "functions": self.0.outputs.functions}));
        serde_json::from_value(invocations).expect("invocations")
    }

    /// The same of one function.
    pub fn invocations_of(self, function: &str) -> Vec<Invocation> {
        self.invocations_as(function, &self.0.outputs.functions[function])
    }

    /// The same of a function by the name that Lambda has for it.
    pub fn invocations_as(self, function: &str, physical: &str) -> Vec<Invocation> {
        let invocations = self.act(&json!({"do": "invocations", "functions": {function: physical}}));
        serde_json::from_value(invocations).expect("invocations")
    }

    /// How many invocations of each function began, and no line anywhere is theirs: its process died in the middle of them, or before it had started.
    pub fn cut_short(self) -> BTreeMap<String, u64> {
        let counts = self.act(&json!({"do": "cut-short", "functions": self.0.outputs.functions}));
        serde_json::from_value(counts).expect("counts")
    }

    /// Everything that anybody without a right to private values could come to see: bodies of events, names and metadata of objects, names, inputs
    /// and outputs of executions of the workflow.
    pub fn in_the_open(self) -> String {
        let (events, bucket) = (self.0.output("EventsTable"), self.0.output("BlobBucket"));
        let machine = self.0.output("ApprovalWorkflow");
        let text = self.act(&json!({"do": "in-the-open", "events": events, "bucket": bucket, "machine": machine}));
        text.as_str().expect("text").to_owned()
    }

    /// Invokes functions with any payloads, one after the other; whether each was answered, or failed.
    pub fn invoke_all(self, invocations: &[(&str, Value)]) -> Vec<bool> {
        let named = invocations.iter().map(|(function, payload)| (&self.0.outputs.functions[*function], payload));
        let answered = self.act(&json!({"do": "invoke-all", "invocations": named.collect::<Vec<_>>()}));
        serde_json::from_value(answered).expect("booleans")
    }

    /// Everything the functions logged, for a search of what must never be there.
    pub fn logs(self) -> String {
        let functions: Vec<_> = self.0.outputs.functions.values().collect();
        self.act(&json!({"do": "logs", "functions": functions})).as_str().expect("text").to_owned()
    }
}
