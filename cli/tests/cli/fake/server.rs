//! HTTP/1.1, as little of it as the client uses: one request for each connection, a thread for each connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use super::routes::{self, Reply};
use super::{Fault, Store};

/// A request as it came.
pub struct Request {
    pub method: String,
    pub target: String,
    pub authorization: Option<String>,
    /// The first byte of a `Range`.
    pub from: Option<usize>,
    pub body: Vec<u8>,
    length: usize,
}

/// Starts answering; the threads end with the process.
pub fn serve(store: Arc<Mutex<Store>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let api = format!("http://{}", listener.local_addr().expect("bound"));
    let base = api.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let (store, base) = (Arc::clone(&store), base.clone());
            std::thread::spawn(move || {
                // A client that went away is no failure of the server.
                let _ = answer(&connection, &store, &base);
            });
        }
    });
    api
}

fn answer(connection: &TcpStream, store: &Mutex<Store>, base: &str) -> std::io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(connection);
    let Some(mut request) = read_head(&mut reader)? else { return Ok(()) };
    let fault = lock(store).fault(&request.method, &request.target);
    // A store that refuses says so before it is sent the body.
    if let Some(Fault::Status(status)) = fault {
        return reply(connection, store, &Reply::of(status, b"refused".to_vec()), None);
    }
    if let Some(Fault::Refused(status, code, message)) = fault {
        let document = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><Token-0>{}</Token-0></Error>",
            "x".repeat(20_000)
        );
        return reply(connection, store, &Reply::of(status, document.into_bytes()), None);
    }
    if let Some(Fault::Cut(bytes)) = fault
        && request.method == "PUT"
    {
        std::io::copy(&mut reader.take(bytes as u64), &mut std::io::sink())?;
        return Ok(());
    }
    request.body.resize(request.length, 0);
    reader.read_exact(&mut request.body)?;
    let handled = |request: &Request| {
        let mut store = lock(store);
        store.called(&request.method, &request.target);
        routes::handle(&mut store, request, base)
    };
    match fault {
        Some(Fault::Dropped) => {
            lock(store).calls.push((request.method, request.target));
            Ok(())
        }
        Some(Fault::AnswerLost) => {
            handled(&request);
            Ok(())
        }
        Some(Fault::Unavailable) => {
            lock(store).calls.push((request.method, request.target));
            reply(connection, store, &Reply::of(503, b"busy".to_vec()), None)
        }
        Some(Fault::RangeIgnored) => {
            request.from = None;
            reply(connection, store, &handled(&request), None)
        }
        Some(Fault::Cut(bytes)) => reply(connection, store, &handled(&request), Some(bytes)),
        Some(Fault::Status(_) | Fault::Refused(..)) | None => reply(connection, store, &handled(&request), None),
    }
}

fn lock(store: &Mutex<Store>) -> std::sync::MutexGuard<'_, Store> {
    store.lock().expect("no test panicked with it")
}

/// Answers; with `cut`, so many bytes of the body and no more.
fn reply(mut connection: &TcpStream, store: &Mutex<Store>, reply: &Reply, cut: Option<usize>) -> std::io::Result<()> {
    let now = {
        let store = lock(store);
        UNIX_EPOCH + Duration::from_millis(store.now_ms().saturating_add_signed(store.date_off_ms))
    };
    let date = httpdate::fmt_http_date(now);
    let Reply { status, body, range } = reply;
    let range = range.as_ref().map(|range| format!("content-range: {range}\r\n")).unwrap_or_default();
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\ndate: {date}\r\n{range}content-length: {length}\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes())?;
    connection.write_all(&body[..cut.unwrap_or(length).min(length)])
}

fn read_head(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        authorization: None,
        from: None,
        body: Vec::new(),
        length: 0,
    };
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => request.length = value.parse().unwrap_or(0),
            "authorization" => request.authorization = Some(value.to_owned()),
            "range" => {
                let from = value.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
                request.from = Some(from.and_then(|from| from.parse().ok()).expect("from a byte on"));
            }
            "transfer-encoding" => panic!("the client sends lengths: presigned calls sign them"),
            _ => {}
        }
    }
    Ok(Some(request))
}
