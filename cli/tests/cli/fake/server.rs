//! HTTP/1.1, as little of it as the client uses: one request for each connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use super::routes;
use super::{Fault, Store};

/// A request as it came.
pub struct Request {
    pub method: String,
    pub target: String,
    pub authorization: Option<String>,
    pub body: Vec<u8>,
}

/// Starts answering; the thread ends with the process.
pub fn serve(store: Arc<Mutex<Store>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let api = format!("http://{}", listener.local_addr().expect("bound"));
    let base = api.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // A client that went away is no failure of the server.
            let _ = answer(&connection, &store, &base);
        }
    });
    api
}

fn answer(mut connection: &TcpStream, store: &Mutex<Store>, base: &str) -> std::io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(connection);
    let Some(request) = read(&mut reader)? else { return Ok(()) };
    let mut store = store.lock().expect("no test panicked with it");
    store.calls.push((request.method.clone(), request.target.clone()));
    let fault = if request.method == "POST" { store.faults.pop_front() } else { None };
    let (status, body) = match fault {
        Some(Fault::Dropped) => return Ok(()),
        Some(Fault::Unavailable) => (503, b"busy".to_vec()),
        Some(Fault::AnswerLost) => {
            routes::handle(&mut store, &request, base);
            return Ok(());
        }
        None => routes::handle(&mut store, &request, base),
    };
    let date = httpdate::fmt_http_date(
        UNIX_EPOCH + Duration::from_millis(store.now_ms().saturating_add_signed(store.date_off_ms)),
    );
    drop(store);
    let head =
        format!("HTTP/1.1 {status} X\r\ndate: {date}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    connection.write_all(head.as_bytes())?;
    connection.write_all(&body)
}

fn read(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut request =
        Request { method: method.to_owned(), target: target.to_owned(), authorization: None, body: Vec::new() };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "authorization" => request.authorization = Some(value.to_owned()),
            "transfer-encoding" => panic!("the client sends lengths: presigned calls sign them"),
            _ => {}
        }
    }
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}
