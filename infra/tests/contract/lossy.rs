//! Answers that are lost on the way: a proxy before the emulator passes chosen writes on and hangs up instead of answering.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chartseal_infra::aws::DynamoStore;
use chartseal_infra::ports::{Append, BlockStore as _, EventStore as _, Race, StoreError};

use crate::blocks::block_after;
use crate::emulated::{config_at, create_tables, endpoint, unique};
use crate::subject::{AT_MS, event, place, private, record, single};

struct Lossy {
    url: String,
    /// Answers to writes that are still to be lost.
    to_lose: Arc<AtomicUsize>,
    /// Writes that were passed on.
    writes: Arc<AtomicUsize>,
}

impl Lossy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (to_lose, writes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counters = (to_lose.clone(), writes.clone());
        // The thread ends with the test program.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (to_lose, writes) = counters.clone();
                thread::spawn(move || serve(&client, &to_lose, &writes));
            }
        });
        Self { url, to_lose, writes }
    }

    async fn store(&self) -> DynamoStore {
        let direct = config_at(&endpoint().url).await;
        let tables = create_tables(&direct, &unique()).await;
        DynamoStore::new(&config_at(&self.url).await, tables)
    }

    fn lose(&self, answers: usize) {
        self.to_lose.store(answers, Ordering::SeqCst);
    }
}

/// Passes requests on until the client hangs up, or we do.
fn serve(client: &TcpStream, to_lose: &AtomicUsize, writes: &AtomicUsize) {
    let mut from_client = BufReader::new(client);
    while let Some((head, body)) = message(&mut from_client) {
        let target = headers(&head).remove("x-amz-target").unwrap_or_default();
        let mut server = TcpStream::connect(endpoint().url.trim_start_matches("http://")).expect("the emulator");
        server.write_all(head.as_bytes()).and_then(|()| server.write_all(&body)).expect("passes on");
        let (answer_head, answer_body) = message(&mut BufReader::new(&server)).expect("an answer");
        if target.ends_with(".PutItem") || target.ends_with(".TransactWriteItems") {
            writes.fetch_add(1, Ordering::SeqCst);
            let lose = to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if lose.is_ok() {
                return;
            }
        }
        let mut to_client = client;
        if to_client.write_all(answer_head.as_bytes()).and_then(|()| to_client.write_all(&answer_body)).is_err() {
            return;
        }
    }
}

/// The head, with its empty line, and the body of an HTTP/1.1 message with a content length.
pub fn message(from: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = headers(&head).get("content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Header fields, with their names in small letters.
pub fn headers(head: &str) -> BTreeMap<String, String> {
    let pairs = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

fn appends() -> [Append; 2] {
    let together = Append {
        events: vec![event(record(2), 0, "a"), event(record(3), 0, "b")],
        at_ms: AT_MS,
        private: private("because"),
        keys: Vec::new(),
    };
    [single(event(record(1), 0, "alone"), AT_MS), together]
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_recognised() {
    let proxy = Lossy::start();
    let store = proxy.store().await;
    for append in appends() {
        let before = proxy.writes.load(Ordering::SeqCst);
        proxy.lose(1);
        store.append(&append).await.expect("the second attempt meets the first one's event");
        assert_eq!(proxy.writes.load(Ordering::SeqCst) - before, 2);
        for event in &append.events {
            assert_eq!(store.load(&event.at.stream).await.expect("loads"), std::slice::from_ref(event));
        }
    }
}

#[tokio::test]
async fn a_write_whose_every_answer_is_lost_is_looked_for() {
    let proxy = Lossy::start();
    let store = proxy.store().await;
    for append in appends() {
        proxy.lose(usize::MAX);
        store.append(&append).await.expect("it stands there");
        let mut rival = append.clone();
        rival.events[0] = event(rival.events[0].at.stream, 0, "somebody else's");
        let result = store.append(&rival).await;
        assert!(
            matches!(result, Err(StoreError::Conflict(at)) if at == place(rival.events[0].at.stream, 0)),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn a_block_whose_answer_is_lost_is_recognised() {
    let proxy = Lossy::start();
    let store = proxy.store().await;
    let block = block_after(None, AT_MS, 3);
    proxy.lose(1);
    assert_eq!(store.put_block(&block).await.expect("the second attempt meets the first one's"), Race::Won);
    let next = block_after(Some(&block), AT_MS, 3);
    proxy.lose(usize::MAX);
    assert_eq!(store.put_block(&next).await.expect("it stands there"), Race::Won);
    let rival = block_after(Some(&block), AT_MS + 9, 3);
    assert_eq!(store.put_block(&rival).await.expect("another one stands there"), Race::Lost);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_unavailable() {
    // A port that was free a moment ago, and that nobody listens on now.
    let url = format!("http://{}", TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address"));
    let tables = create_tables(&config_at(&endpoint().url).await, &unique()).await;
    let store = DynamoStore::new(&config_at(&url).await, tables);
    for append in appends() {
        let result = store.append(&append).await;
        assert!(matches!(result, Err(StoreError::Unavailable { service: "DynamoDB", .. })), "{result:?}");
    }
    assert!(matches!(store.load(&record(1)).await, Err(StoreError::Unavailable { .. })));
}
