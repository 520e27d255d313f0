//! A liar between a person and the vault: an HTTP proxy that hands everything on, and changes what it is told to. It speaks for a vault that lies, a
//! bad network, and a bucket whose bytes have changed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Changes an answer's body, given the path that was asked for.
pub type Lie = dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync;

/// What passed by: a call and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// What was sent.
    pub body: Vec<u8>,
    /// What was answered.
    pub answer: Vec<u8>,
}

/// A proxy to one address on this machine.
#[derive(Debug)]
pub struct Liar {
    /// The proxied API.
    pub api: String,
    heard: Arc<Mutex<Vec<Exchange>>>,
}

impl Liar {
    /// Stands before `api` and changes answers by `lie`. Presigned addresses in answers are led through it, too.
    pub fn before(api: &str, lie: impl Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let (upstream, base) = split(api);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let here = listener.local_addr().expect("bound").to_string();
        let proxied = format!("http://{here}{base}");
        let lie: Arc<Lie> = Arc::new(lie);
        let heard = Arc::default();
        let ears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (upstream, here, lie) = (upstream.clone(), here.clone(), Arc::clone(&lie));
                let ears = Arc::clone(&ears);
                // A connection that breaks is the client's to notice.
                std::thread::spawn(move || serve(connection, &upstream, &here, &*lie, &ears));
            }
        });
        Self { api: proxied, heard }
    }

    /// Everything that passed by so far.
    pub fn heard(&self) -> Vec<Exchange> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `http://host:port/base` as host:port and /base.
fn split(api: &str) -> (String, String) {
    let rest = api.strip_prefix("http://").expect("an address on this machine");
    let at = rest.find('/').unwrap_or(rest.len());
    (rest[..at].to_owned(), rest[at..].to_owned())
}

/// One request and its answer; the connection is closed after it.
fn serve(client: TcpStream, upstream: &str, here: &str, lie: &Lie, ears: &Mutex<Vec<Exchange>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (start, mut headers) = head(&mut reader)?;
    let path = start.split(' ').nth(1)?.to_owned();
    let length = headers
        .iter()
        .find_map(|(name, value)| name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?);
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;

    // Presigned addresses are signed for the real host.
    for (name, value) in &mut headers {
        if name.eq_ignore_ascii_case("host") {
            upstream.clone_into(value);
        }
    }
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("connection"));
    headers.push(("Connection".to_owned(), "close".to_owned()));
    let mut server = TcpStream::connect(upstream).ok()?;
    write_message(&mut server, &start, &headers, &body)?;

    let mut answer = BufReader::new(server);
    let authorization =
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| value.clone());
    let (status, mut headers) = head(&mut answer)?;
    let sent = body;
    let mut body = Vec::new();
    answer.read_to_end(&mut body).ok()?;
    if headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("transfer-encoding") && value.contains("chunked")) {
        body = unchunked(&body)?;
    }
    if let Ok(text) = std::str::from_utf8(&body) {
        body = text.replace(&format!("http://{upstream}"), &format!("http://{here}")).into_bytes();
    }
    let method = start.split(' ').next().unwrap_or_default().to_owned();
    let exchange = Exchange { method, path: path.clone(), authorization, body: sent, answer: body.clone() };
    ears.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    let body = lie(&path, body);
    // What answers a HEAD has no body, and states the length of another one.
    let is_head = start.starts_with("HEAD ");
    let length = |name: &str| name.eq_ignore_ascii_case("content-length") && !is_head;
    let ours = |name: &str| ["transfer-encoding", "connection"].iter().any(|drop| name.eq_ignore_ascii_case(drop));
    headers.retain(|(name, _)| !length(name) && !ours(name));
    if !is_head {
        headers.push(("Content-Length".to_owned(), body.len().to_string()));
    }
    headers.push(("Connection".to_owned(), "close".to_owned()));
    let mut client = client;
    write_message(&mut client, &status, &headers, &body)
}

type Headers = Vec<(String, String)>;

fn head(reader: &mut impl std::io::BufRead) -> Option<(String, Headers)> {
    let mut start = String::new();
    reader.read_line(&mut start).ok()?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            return (!start.is_empty()).then(|| (start.trim_end().to_owned(), headers));
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn write_message(stream: &mut TcpStream, start: &str, headers: &Headers, body: &[u8]) -> Option<()> {
    let mut message = format!("{start}\r\n");
    for (name, value) in headers {
        message.extend([name, ": ", value, "\r\n"]);
    }
    message.push_str("\r\n");
    stream.write_all(message.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    stream.flush().ok()
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        bytes.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim_end().split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}
