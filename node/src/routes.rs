//! What is answered on which path. Reading is as a client of static tiles expects it (c2sp.org/tlog-tiles), hashes only.
//!
//! | path | what |
//! |---|---|
//! | `POST /add-checkpoint` | [`crate::submission`] |
//! | `GET /<origin hash>/checkpoint` | the checkpoint that this witness has cosigned last, with the log's line and its own (c2sp.org/tlog-witness, "Monitor Retrieval Mechanism"); 404 before the first one |
//! | `GET /checkpoint` | the newest verified checkpoint; 404 before the first one |
//! | `GET /tile/<level>/<index>[.p/<width>]` | a tile of it |
//! | `GET /blocks/<height>` | a block's seal and leaf hashes, as the vault shows it |
//! | `GET /status` | what the node says of itself |

use std::time::Duration;

use bytes::Bytes;
use chartseal_events::Hash;
use chartseal_events::encoding::base64url;
use chartseal_events::wire::LedgerBlock;
use chartseal_ledger::tile::TileAddress;
use http_body_util::Full;
use hyper::body::Body as _;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};

use crate::copy::CopyError;
use crate::journal::{self, Level};
use crate::node::Node;
use crate::submission::{self, Reply};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// When somebody who was told to come again should.
const RETRY_AFTER_S: &str = "2";

/// What an answer is.
pub type Answer = Response<Full<Bytes>>;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// That a checkpoint be cosigned.
    AddCheckpoint,
    /// The checkpoint that was cosigned last, of the log whose origin has this hash.
    Cosigned(Hash),
    /// The checkpoint that was verified last.
    Checkpoint,
    /// A tile.
    Tile(TileAddress),
    /// A block, by its height.
    Block(u64),
    /// How the node is.
    Status,
}

impl Asked {
    /// What a method and path ask for, or the answer that it is nothing.
    pub fn of(method: &Method, path: &str) -> Result<Self, Box<Answer>> {
        let (asked, allowed) = match path {
            "/add-checkpoint" => (Self::AddCheckpoint, "POST"),
            "/checkpoint" => (Self::Checkpoint, "GET, HEAD"),
            "/status" => (Self::Status, "GET, HEAD"),
            _ if path.starts_with("/tile/") => {
                let address = path[1..].parse().map_err(|_| Box::new(refused_body(400, "not the path of a tile")))?;
                (Self::Tile(address), "GET, HEAD")
            }
            _ if path.ends_with("/checkpoint") => {
                let hash = path[1..].strip_suffix("/checkpoint").and_then(|hex| hex.parse().ok());
                (Self::Cosigned(hash.ok_or_else(|| Box::new(refused_body(404, "there is nothing here")))?), "GET, HEAD")
            }
            _ => {
                let digits = path
                    .strip_prefix("/blocks/")
                    .ok_or_else(|| Box::new(refused_body(404, "there is nothing here")))?;
                let height = digits.parse::<u64>().ok().filter(|height| height.to_string() == digits);
                (Self::Block(height.ok_or_else(|| Box::new(refused_body(400, "not a block's height")))?), "GET, HEAD")
            }
        };
        if allowed.split(", ").any(|allowed| allowed == method.as_str()) {
            return Ok(asked);
        }
        let mut answer = refused_body(405, "not with this method");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        Err(Box::new(answer))
    }
}

/// Answers. May wait.
pub fn answer(asked: &Asked, body: &[u8], node: &Node, follow_timeout: Duration) -> Answer {
    let found = match asked {
        Asked::AddCheckpoint => return of_reply(submission::add_checkpoint(node, body, follow_timeout)),
        Asked::Checkpoint => {
            Ok(node.checkpoint().map(|note| answer_of(200, TEXT, note, &[(CACHE_CONTROL, "no-cache")])))
        }
        Asked::Cosigned(origin) => Ok(cosigned(node, *origin)),
        Asked::Status => Ok(Some(answer_of(200, JSON, format!("{}\n", node.status()), &[(CACHE_CONTROL, "no-store")]))),
        Asked::Tile(address) => tile(node, *address),
        Asked::Block(height) => block(node, *height),
    };
    match found {
        Ok(Some(answer)) => answer,
        Ok(None) => refused_body(404, "not here, or not yet"),
        Err(error) => {
            journal::line(Level::Error, "copy", [("error", error.to_string().into())]);
            refused_body(500, "the copy cannot be read")
        }
    }
}

fn cosigned(node: &Node, origin: Hash) -> Option<Answer> {
    if Hash::of(&[node.log().name().as_bytes()]) != origin {
        return None;
    }
    let text = node.witness()?.note()?.to_string();
    Some(answer_of(200, TEXT, text, &[(CACHE_CONTROL, "no-cache")]))
}

fn tile(node: &Node, address: TileAddress) -> Result<Option<Answer>, CopyError> {
    let bytes = node.copy().tile(address)?;
    Ok(bytes.map(|bytes| answer_of(200, BYTES, bytes, &[(CACHE_CONTROL, FOR_EVER)])))
}

fn block(node: &Node, height: u64) -> Result<Option<Answer>, CopyError> {
    let Some((seal, leaves)) = node.copy().block(height)? else { return Ok(None) };
    let block = LedgerBlock { height, seal: base64url(&seal.to_bytes()), leaves };
    // A struct of strings and numbers always serialises.
    let bytes = serde_json::to_vec(&block).unwrap_or_default();
    Ok(Some(answer_of(200, JSON, bytes, &[(CACHE_CONTROL, FOR_EVER)])))
}

fn of_reply(reply: Reply) -> Answer {
    let status = reply.status();
    match reply {
        Reply::Cosigned(line) => answer_of(status, TEXT, line, &[]),
        Reply::Conflict(size) => answer_of(status, "text/x.tlog.size", format!("{size}\n"), &[]),
        Reply::Malformed(what) | Reply::Proof(what) => refused_body(status, &what),
        Reply::NotSigned => refused_body(status, "the log's key has not signed this"),
        Reply::UnknownLog => refused_body(status, "this node cosigns no such log"),
        Reply::Unsound(code) => refused_body(
            status,
            &format!("the log was found to be unsound ({code}), and is not cosigned any more: see /status"),
        ),
        Reply::Later(what) => answer_of(status, TEXT, format!("{what}\n"), &[(RETRY_AFTER, RETRY_AFTER_S)]),
    }
}

/// A refusal, in words.
pub fn refused_body(status: u16, what: &str) -> Answer {
    answer_of(status, TEXT, format!("{what}\n"), &[])
}

/// The same answer to a HEAD.
pub fn without_body(answer: Answer) -> Answer {
    let (mut head, body) = answer.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.insert(CONTENT_LENGTH, length.into());
    }
    Response::from_parts(head, Full::new(Bytes::new()))
}

fn answer_of(
    status: u16,
    content_type: &'static str,
    body: impl Into<Bytes>,
    headers: &[(HeaderName, &'static str)],
) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    // Unwrap safety: all statuses stand in this crate, and are statuses.
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    let fields = answer.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    fields.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    for (name, value) in headers {
        fields.insert(name.clone(), HeaderValue::from_static(value));
    }
    answer
}
