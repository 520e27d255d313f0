//! Messages that go from one implementation to another, and what must come out.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chartseal_envelope::{
    Announcement, Context, DataKey, FrameBytes, Header, Opening, RawAesKey, Sealed, Sealing, open, open_message, seal,
    write_message,
};
use serde_json::{Value, json};

use crate::{Error, Oracle, Party};

/// Frame lengths that we write: the vault's smallest, its default, its largest.
const OUR_FRAMES: [u32; 3] = [65_536, 262_144, 1_048_576];
/// Frame lengths that the SDKs write for us to open: their default, an odd one (Python's takes multiples of 128), and ours.
const THEIR_FRAMES: [u32; 5] = [4096, 99_968, 65_536, 262_144, 1_048_576];
/// Plaintexts that need several parts of 64 MiB, or end exactly at one part less a few frames' overhead.
const LARGE_PLAINTEXTS: [usize; 2] = [64 * 1024 * 1024, 150_000_001];

/// Nothing, one byte, around a frame's border, several frames, and a few MiB.
fn plaintext_lengths(frame_bytes: u32) -> [usize; 8] {
    // Unwrap safety: a frame has at most 1 MiB.
    let frame = usize::try_from(frame_bytes).expect("a short frame");
    [0, 1, frame - 1, frame, frame + 1, 3 * frame, 3 * frame + 17, 5_000_000]
}

/// What is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// We seal, they open.
    Ours,
    /// They seal, we open.
    Theirs,
    /// We seal, somebody changes it, they must refuse.
    OursChanged,
}

impl Direction {
    /// Its name in a table.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ours => "ours, they open",
            Self::Theirs => "theirs, we open",
            Self::OursChanged => "ours changed, they refuse",
        }
    }
}

/// One exchange and its outcome.
#[derive(Debug)]
pub struct Row {
    /// With whom.
    pub party: Party,
    /// Which way.
    pub direction: Direction,
    /// Plaintext bytes of each frame but the last.
    pub frame_bytes: u32,
    /// Plaintext bytes.
    pub plaintext_bytes: usize,
    /// Whether all was as it should be.
    pub outcome: Result<(), Error>,
    /// How long the other implementation took, its files included.
    pub seconds: f64,
}

impl Row {
    /// The row for a program to read.
    pub fn to_json(&self) -> Value {
        json!({
            "sdk": self.party.title(), "direction": self.direction.title(), "frame_bytes": self.frame_bytes,
            "plaintext_bytes": self.plaintext_bytes, "ok": self.outcome.is_ok(), "seconds": self.seconds,
            "failure": self.outcome.as_ref().err().map(ToString::to_string),
        })
    }
}

/// What somebody does to header and body.
type Change = fn(&mut Vec<u8>, &mut Vec<u8>);

/// A conversation with one implementation.
pub struct Exchange {
    party: Party,
    oracle: Oracle,
    folder: PathBuf,
    seconds: f64,
}

/// A message of ours, and what opens it.
struct Ours {
    key: DataKey,
    context: Context,
    sealed: Sealed,
    body: Vec<u8>,
}

impl Exchange {
    /// Over files in `folder`.
    pub fn new(party: Party, oracle: Oracle, folder: &Path) -> Self {
        Self { party, oracle, folder: folder.to_path_buf(), seconds: 0.0 }
    }

    /// Every exchange of ordinary size, and with `large` those of several parts.
    pub fn all(&mut self, large: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for frame_bytes in OUR_FRAMES {
            rows.extend(plaintext_lengths(frame_bytes).map(|bytes| self.ours(frame_bytes, bytes)));
        }
        rows.extend(self.changed());
        if self.party.seals() {
            for frame_bytes in THEIR_FRAMES {
                rows.extend(plaintext_lengths(frame_bytes).map(|bytes| self.theirs(frame_bytes, bytes)));
            }
        }
        if large {
            let frame_bytes = FrameBytes::DEFAULT.get();
            rows.extend(LARGE_PLAINTEXTS.map(|bytes| self.ours(frame_bytes, bytes)));
            if self.party.seals() {
                rows.extend(LARGE_PLAINTEXTS.map(|bytes| self.theirs(frame_bytes, bytes)));
            }
        }
        rows
    }

    /// We seal, they open.
    fn ours(&mut self, frame_bytes: u32, plaintext_bytes: usize) -> Row {
        let outcome = self.they_open_ours(frame_bytes, plaintext_bytes);
        self.row(Direction::Ours, frame_bytes, plaintext_bytes, outcome)
    }

    /// They seal, we open.
    fn theirs(&mut self, frame_bytes: u32, plaintext_bytes: usize) -> Row {
        let outcome = self.we_open_theirs(frame_bytes, plaintext_bytes);
        self.row(Direction::Theirs, frame_bytes, plaintext_bytes, outcome)
    }

    /// Messages of ours with one change each, of two frames.
    fn changed(&mut self) -> Vec<Row> {
        let (frame_bytes, plaintext_bytes) = (OUR_FRAMES[0], 70_000);
        let changes: [Change; 6] = [
            |header, _| header[60] ^= 1,
            |header, _| {
                let commitment = header.len() - 20;
                header[commitment] ^= 1;
            },
            |header, _| *header.last_mut().expect("a tag") ^= 1,
            |_, body| body[50] ^= 1,
            |_, body| *body.last_mut().expect("a tag") ^= 1,
            |_, body| body.truncate(65_536 + 32),
        ];
        let rows = changes.map(|change| {
            let outcome = self.they_refuse(frame_bytes, plaintext_bytes, change);
            self.row(Direction::OursChanged, frame_bytes, plaintext_bytes, outcome)
        });
        rows.into()
    }

    /// How fast they open a message of ours, by their own clock, in megabytes a second.
    pub(crate) fn opening_mb_s(&mut self, frame_bytes: u32, plaintext_bytes: usize) -> Result<f64, Error> {
        let ours = Ours::seal(frame_bytes, &counting_bytes(plaintext_bytes))?;
        let answer = self.open_there(&ours)?;
        let milliseconds = answer["milliseconds"].as_f64().ok_or_else(|| Error::Answer(answer.to_string()))?;
        // A length of bytes in a test is exact in a double.
        #[allow(clippy::cast_precision_loss)]
        let bytes = plaintext_bytes as f64;
        Ok(bytes / 1000.0 / milliseconds)
    }

    fn row(&self, direction: Direction, frame_bytes: u32, plaintext_bytes: usize, outcome: Result<(), Error>) -> Row {
        Row { party: self.party, direction, frame_bytes, plaintext_bytes, outcome, seconds: self.seconds }
    }

    fn ask(&mut self, request: &Value) -> Result<Value, Error> {
        let start = Instant::now();
        let answer = self.oracle.ask(request);
        self.seconds = start.elapsed().as_secs_f64();
        answer
    }

    fn they_open_ours(&mut self, frame_bytes: u32, plaintext_bytes: usize) -> Result<(), Error> {
        let record = counting_bytes(plaintext_bytes);
        let ours = Ours::seal(frame_bytes, &record)?;
        let answer = self.open_there(&ours)?;
        let pairs: serde_json::Map<_, _> =
            ours.context.pairs().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        if answer["context"] != Value::Object(pairs) {
            return Err(Error::Differs("the encryption context"));
        }
        if answer["suite"] != json!(chartseal_envelope::SUITE) {
            return Err(Error::Differs("the suite"));
        }
        if !answer["frame_bytes"].is_null() && answer["frame_bytes"] != json!(frame_bytes) {
            return Err(Error::Differs("the frame length"));
        }
        let opened = self.folder.join("opened");
        if fs::read(&opened).map_err(Error::file(&opened))? != record {
            return Err(Error::Differs("the plaintext"));
        }
        Ok(())
    }

    fn they_refuse(&mut self, frame_bytes: u32, plaintext_bytes: usize, change: Change) -> Result<(), Error> {
        let mut ours = Ours::seal(frame_bytes, &counting_bytes(plaintext_bytes))?;
        self.open_there(&ours)?;
        change(&mut ours.sealed.header, &mut ours.body);
        match self.open_there(&ours) {
            Err(Error::Said(_)) => Ok(()),
            Err(other) => Err(other),
            Ok(_) => Err(Error::Accepted),
        }
    }

    /// Has them open a message of ours to the file `opened`. The SDKs get an exported message and the wrapping key, the portal's reader gets what a
    /// person gets from the vault: header, body, announcement and the released data key.
    fn open_there(&mut self, ours: &Ours) -> Result<Value, Error> {
        let (message, body, opened) =
            (self.folder.join("message"), self.folder.join("body"), self.folder.join("opened"));
        if self.party == Party::Webcrypto {
            fs::write(&body, &ours.body).map_err(Error::file(&body))?;
            return self.ask(&json!({
                "do": "open", "data_key": hex::encode(ours.key.expose()), "header": hex::encode(&ours.sealed.header),
                "announcement": ours.sealed.announcement(), "body": body, "plaintext": opened,
                "context": {
                    "tenant": ours.context.tenant(), "record": ours.context.record(), "version": ours.context.version(),
                },
            }));
        }
        let file = fs::File::create(&message).map_err(Error::file(&message))?;
        write_message(&ours.sealed.header, &ours.body[..], file).map_err(Error::file(&message))?;
        self.ask(&with_wrapping_key(json!({"do": "open", "message": message, "plaintext": opened})))
    }

    fn we_open_theirs(&mut self, frame_bytes: u32, plaintext_bytes: usize) -> Result<(), Error> {
        let (record, context) = (counting_bytes(plaintext_bytes), context());
        let (message, source) = (self.folder.join("message"), self.folder.join("plaintext"));
        fs::write(&source, &record).map_err(Error::file(&source))?;
        let pairs: std::collections::BTreeMap<_, _> = context.pairs().into_iter().collect();
        self.ask(&with_wrapping_key(json!({
            "do": "seal", "plaintext": source, "message": message, "context": pairs, "frame_bytes": frame_bytes,
        })))?;
        let message = fs::read(&message).map_err(Error::file(&message))?;

        // As a whole message, with nothing but the wrapping key.
        let wrapping_key = wrapping_key()?;
        let unwrap = |header: &Header| wrapping_key.unwrap(header.wrapped_key(), header.context());
        let mut opened = Vec::new();
        let header = open_message(&message[..], unwrap, &mut opened)?.header;
        if opened != record {
            return Err(Error::Differs("the plaintext"));
        }
        if header.frame_bytes() != frame_bytes {
            return Err(Error::Differs("the frame length"));
        }
        if *header.context() != context {
            return Err(Error::Differs("the encryption context"));
        }
        as_a_record(&message, &record, &wrapping_key)
    }
}

/// A message of theirs as a vault would give it: header and body apart, held to an announcement.
fn as_a_record(message: &[u8], record: &[u8], wrapping_key: &RawAesKey) -> Result<(), Error> {
    let (header, body) = Header::parse_prefix(message)?;
    let key = wrapping_key.unwrap(header.wrapped_key(), header.context())?;
    // The SDKs also write frames that the vault does not take.
    let frame_bytes = FrameBytes::beyond_vault_limits(header.frame_bytes());
    let announced = Announcement::measure(&header, frame_bytes, body)?;
    if announced.plaintext_bytes() != Some(record.len() as u64) {
        return Err(Error::Differs("the length"));
    }
    let opening = Opening { key: &key, header: header.as_bytes(), context: header.context(), announcement: &announced };
    let mut opened = Vec::new();
    open(&opening, body, &mut opened)?;
    if opened == record { Ok(()) } else { Err(Error::Differs("the plaintext")) }
}

impl Ours {
    fn seal(frame_bytes: u32, record: &[u8]) -> Result<Self, Error> {
        let (key, context, mut body) = (DataKey::generate()?, context(), Vec::new());
        let sealing = Sealing {
            key: &key,
            context: &context,
            wrapped_key: &wrapping_key()?.wrap(&key, &context)?,
            frame_bytes: FrameBytes::beyond_vault_limits(frame_bytes),
        };
        let sealed = seal(&sealing, record, &mut body)?;
        Ok(Self { key, context, sealed, body })
    }
}

/// The key under which data keys are wrapped here. It protects nothing.
const WRAPPING_KEY: [u8; 32] = [0x57; 32];
const NAMESPACE: &str = "chartseal-interop";
const NAME: &str = "interop";

fn wrapping_key() -> Result<RawAesKey, Error> {
    Ok(RawAesKey::new(NAMESPACE, NAME, WRAPPING_KEY)?)
}

fn context() -> Context {
    // Unwrap safety: a good tenant and record.
    Context::new("vault.example", "01JDB3YQ7X0000000000000000", 7).expect("a good context")
}

fn with_wrapping_key(mut request: Value) -> Value {
    request["wrapping_key"] = hex::encode(WRAPPING_KEY).into();
    request["namespace"] = NAMESPACE.into();
    request["name"] = NAME.into();
    request
}

/// Byte i is i modulo 251, so that no two frames are alike.
pub(crate) fn counting_bytes(bytes: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..251).collect();
    period.iter().copied().cycle().take(bytes).collect()
}
