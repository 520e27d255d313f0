//! A service that gives the answers a test writes, and keeps what it was asked: for refusals that no implementation here gives.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_config::SdkConfig;
use serde_json::Value;

use super::config_at;
use crate::lossy::{headers, message};

/// A status and a JSON body.
pub type Answer = (u16, String);

/// One call: the operation, and what was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub operation: String,
    pub question: Value,
}

pub struct Scripted {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    /// Answers every call by its operation and by how many there were of it before.
    pub fn start(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (asked.clone(), Arc::new(answer));
        // The thread ends with the test program.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (kept, answer) = (kept.clone(), answer.clone());
                thread::spawn(move || serve(&client, &kept, &*answer));
            }
        });
        Self { url, asked }
    }

    /// The functions' own configuration, aimed at this.
    pub fn config(&self) -> SdkConfig {
        config_at(Some(self.url.clone()))
    }

    /// Every call so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// How often an operation was asked for.
    pub fn count(&self, operation: &str) -> usize {
        self.asked().iter().filter(|asked| asked.operation == operation).count()
    }
}

fn serve(client: &TcpStream, asked: &Mutex<Vec<Asked>>, answer: &dyn Fn(&str, usize) -> Answer) {
    let mut from_client = BufReader::new(client);
    while let Some((head, body)) = message(&mut from_client) {
        let target = headers(&head).remove("x-amz-target").expect("an operation");
        let operation = target.rsplit('.').next().expect("a name").to_owned();
        let question = serde_json::from_slice(&body).expect("JSON");
        let before = {
            let mut asked = asked.lock().expect("no panic");
            let before = asked.iter().filter(|earlier: &&Asked| earlier.operation == operation).count();
            asked.push(Asked { operation: operation.clone(), question });
            before
        };
        let (status, body) = answer(&operation, before);
        let head = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut to_client = client;
        if to_client.write_all(head.as_bytes()).and_then(|()| to_client.write_all(body.as_bytes())).is_err() {
            return;
        }
    }
}
