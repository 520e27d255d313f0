//! The HTTP server: connections, limits, and how it ends. What is answered is [`crate::routes`]'.
//!
//! Everything is bounded: connections, the bytes of a head and of a body, the time for each, and how long a connection lives. Requests are answered on threads
//! that may wait (a disk, a lock); the runtime's one thread only moves bytes.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::journal::{self, Level};
use crate::node::Node;
use crate::request::MAX_REQUEST_BYTES;
use crate::routes::{self, Asked};

/// Most connections at a time. The next one waits for its turn.
const MAX_CONNECTIONS: usize = 128;
/// Most threads that answer. More than may wait for the copy, so that reading goes on meanwhile.
const MAX_THREADS: usize = 32;
/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Most fields of a head.
const MAX_HEADERS: usize = 64;
/// How long a head may take, and a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection lives.
const CONNECTION_LIFE: Duration = Duration::from_mins(5);
/// How long what is being answered may take when the server ends.
const GRACE: Duration = Duration::from_secs(10);
/// The pause after an accept that failed, for want of descriptors above all.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server that is bound, and not running yet.
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    listener: TcpListener,
}

impl Server {
    /// Binds an address.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(MAX_THREADS).build()?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        Ok(Self { runtime, listener })
    }

    /// Where it is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until SIGTERM or SIGINT.
    pub fn run(self, node: &Arc<Node>, follow_timeout: Duration) -> io::Result<()> {
        let Self { runtime, listener } = self;
        runtime.block_on(async {
            let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            let ended = async move {
                tokio::select! { _ = term.recv() => "SIGTERM", _ = int.recv() => "SIGINT" }
            };
            let signal = serve(&listener, node, follow_timeout, ended).await;
            journal::line(Level::Info, "stopped", [("signal", signal.into())]);
            Ok(())
        })
    }
}

/// Accepts until `ended` is, then lets go of each connection as soon as it has its answer.
async fn serve<T>(
    listener: &TcpListener,
    node: &Arc<Node>,
    follow_timeout: Duration,
    ended: impl Future<Output = T>,
) -> T {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (end, ending) = watch::channel(false);
    let mut ended = pin!(ended);
    let outcome = loop {
        let next = async {
            // Unwrap safety: the semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.unwrap();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            outcome = &mut ended => break outcome,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let (node, ending) = (Arc::clone(node), ending.clone());
                tokio::spawn(async move {
                    connection(stream, node, follow_timeout, ending).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    };
    node.stop();
    let _ = end.send(true);
    // Unwrap safety: a small number.
    let everybody = places.acquire_many(u32::try_from(MAX_CONNECTIONS).unwrap());
    let _ = timeout(GRACE, everybody).await;
    outcome
}

async fn connection(stream: TcpStream, node: Arc<Node>, follow_timeout: Duration, mut ending: watch::Receiver<bool>) {
    let answering = service_fn(move |request| answer(request, Arc::clone(&node), follow_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), answering);
    let mut connection = pin!(connection);
    tokio::select! {
        // Whoever is gone, is gone: there is nobody to tell.
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(CONNECTION_LIFE) => {}
        _ = ending.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GRACE, connection).await;
}

async fn answer(
    request: Request<Incoming>,
    node: Arc<Node>,
    follow_timeout: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let asked = match Asked::of(&head.method, head.uri.path()) {
        Ok(asked) => asked,
        Err(refused) => return Ok(*refused),
    };
    let mut bytes = Bytes::new();
    if asked == Asked::AddCheckpoint {
        match timeout(BODY_TIMEOUT, Limited::new(body, MAX_REQUEST_BYTES).collect()).await {
            Ok(Ok(collected)) => bytes = collected.to_bytes(),
            Ok(Err(_)) => {
                return Ok(routes::refused_body(413, "the body is longer than any such request, or broke off"));
            }
            Err(_) => return Ok(routes::refused_body(408, "the body did not come in time")),
        }
    }
    let head_only = head.method == hyper::Method::HEAD;
    let answered = tokio::task::spawn_blocking(move || routes::answer(&asked, &bytes, &node, follow_timeout)).await;
    let response = answered.unwrap_or_else(|_| routes::refused_body(500, "the node failed"));
    Ok(if head_only { routes::without_body(response) } else { response })
}
