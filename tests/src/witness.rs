//! A witness on this machine (c2sp.org/tlog-witness), honest or not: it checks one log's signature and that each checkpoint extends the last one, and no
//! more. The node that follows the log's content is another program; whoever asks either needs its address and its vkey alone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{Note, SignatureType, VerifierKey};
use chartseal_ledger::tree::Proof;
use ed25519_dalek::{Signer as _, SigningKey};

/// What a witness does when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// What it should.
    Honest,
    /// It takes the call and says nothing.
    Hangs,
    /// It signs with another key, under its own name and id.
    WrongKey,
    /// It signs another text.
    WrongText,
    /// It answers with what is no line.
    Garbage,
    /// It answers with more than anybody reads.
    Endless,
    /// It sends the caller elsewhere.
    Redirects,
    /// It answers 409 with this.
    Conflict(&'static str),
    /// It refuses.
    Refuses(u16),
    /// It signs twice.
    Twice,
}

/// What a witness has seen and done.
#[derive(Debug)]
struct State {
    manner: Manner,
    last: Option<Checkpoint>,
    asked: usize,
    cosigned: usize,
}

/// A witness that listens on a port of this machine, as long as the process lives.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Its address.
    pub url: String,
    /// The key that it cosigns with.
    pub key: VerifierKey,
    secret: SigningKey,
    log: Arc<OnceLock<VerifierKey>>,
    state: Arc<Mutex<State>>,
}

impl Witness {
    /// Begins to listen. The number makes its key. Of which log, it is told later: a stack names its witnesses before its log has a key.
    pub fn start(number: u8, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let secret = SigningKey::from_bytes(&[number; 32]);
        let public = secret.verifying_key().to_bytes();
        let key = VerifierKey::new(&format!("w{number}.example"), SignatureType::Cosignature, &public).expect("a key");
        let state = Arc::new(Mutex::new(State { manner, last: None, asked: 0, cosigned: 0 }));
        let witness = Self { url, key, secret, log: Arc::default(), state };
        let serving = witness.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let witness = serving.clone();
                std::thread::spawn(move || witness.serve(connection));
            }
        });
        witness
    }

    /// Tells it which log it is a witness of.
    pub fn know(&self, log: &VerifierKey) {
        self.log.get_or_init(|| log.clone());
    }

    /// As the stack's parameter `Witnesses` has it.
    pub fn parameter(&self) -> String {
        format!("{} {}", self.url, self.key)
    }

    /// From now on it behaves so.
    pub fn behave(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// It forgets all that it has seen, as after the loss of its disk.
    pub fn forget(&self) {
        self.state().last = None;
    }

    /// How often it was asked, and how often it has cosigned.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.asked, state.cosigned)
    }

    /// The size that it has seen.
    pub fn seen(&self) -> Option<u64> {
        self.state().last.as_ref().map(Checkpoint::size)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut connection: TcpStream) {
        let Some((target, body)) = read(&connection) else { return };
        let manner = {
            let mut state = self.state();
            state.asked += 1;
            state.manner
        };
        if manner == Manner::Hangs {
            // Until the caller goes away.
            let _ = connection.read(&mut [0]);
            return;
        }
        let (status, headers, answer) = match target.as_str() {
            "POST /add-checkpoint" => self.answer(manner, &body),
            _ => (404, "", "nothing here\n".to_owned()),
        };
        let head =
            format!("HTTP/1.1 {status} .\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", answer.len());
        // Whoever does not wait for the answer does not get it.
        let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(answer.as_bytes()));
    }

    fn answer(&self, manner: Manner, body: &str) -> (u16, &'static str, String) {
        match manner {
            Manner::Garbage => (200, "", "\u{2014} w1.example AAAA\nno line\n".to_owned()),
            Manner::Endless => (200, "", "\u{2014} ".repeat(100_000)),
            Manner::Redirects => (307, "location: /add-checkpoint\r\n", String::new()),
            Manner::Conflict(text) => (409, "content-type: text/x.tlog.size\r\n", text.to_owned()),
            Manner::Refuses(status) => (status, "", "no\n".to_owned()),
            Manner::Honest | Manner::WrongKey | Manner::WrongText | Manner::Twice | Manner::Hangs => {
                match self.check(body) {
                    Ok(note) => (200, "", self.lines(manner, &note)),
                    Err(refusal) => refusal,
                }
            }
        }
    }

    /// The note, if it is the log's and extends what was seen; then it is what was seen.
    fn check(&self, body: &str) -> Result<Note, (u16, &'static str, String)> {
        let refused = |status: u16| move || (status, "", format!("{status}\n"));
        let (proof, note) = body.split_once("\n\n").ok_or_else(refused(400))?;
        let mut lines = proof.split('\n');
        let old: u64 =
            lines.next().and_then(|line| line.strip_prefix("old ")?.parse().ok()).ok_or_else(refused(400))?;
        let hashes: Option<Vec<Vec<u8>>> = lines.map(|line| STANDARD.decode(line).ok()).collect();
        let proof = Proof::from_bytes(&hashes.ok_or_else(refused(400))?.concat()).map_err(|_| refused(400)())?;
        let note = Note::parse(note.as_bytes()).map_err(|_| refused(400)())?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|_| refused(400)())?;
        let log = self.log.get().filter(|log| log.name() == checkpoint.origin()).ok_or_else(refused(404))?;
        note.signed_by(log).ok().flatten().ok_or_else(refused(403))?;
        let mut state = self.state();
        let seen = state.last.as_ref().map_or(0, Checkpoint::size);
        if old != seen {
            return Err((409, "content-type: text/x.tlog.size\r\n", format!("{seen}\n")));
        }
        if old > checkpoint.size() {
            return Err(refused(400)());
        }
        if let Some(last) = &state.last {
            checkpoint.extends(last, &proof).map_err(|_| refused(422)())?;
        }
        state.last = Some(checkpoint);
        state.cosigned += 1;
        Ok(note)
    }

    fn lines(&self, manner: Manner, note: &Note) -> String {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let at_s = since.as_secs();
        let mut message = note.cosignature_message(at_s);
        if manner == Manner::WrongText {
            message.push('x');
        }
        let secret = if manner == Manner::WrongKey { &SigningKey::from_bytes(&[0xEE; 32]) } else { &self.secret };
        let signature = secret.sign(message.as_bytes()).to_bytes();
        let material = [&self.key.id().0[..], &at_s.to_be_bytes(), &signature].concat();
        let line = format!("\u{2014} {} {}\n", self.key.name(), STANDARD.encode(material));
        // Others' lines are nobody's business.
        let other = "\u{2014} somebody.example AAAAAAAAAAAAAAAA\n";
        if manner == Manner::Twice { line.repeat(2) } else { format!("{other}{line}") }
    }
}

/// A request's method with its target, and its body.
fn read(connection: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(connection);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let target = first.rsplit_once(' ')?.0.to_owned();
    Some((target, String::from_utf8(body).ok()?))
}

/// Whether the stack's functions cannot reach a witness on this machine: in a container the loopback interface is another one, and a vault speaks plain HTTP to
/// nobody else. Says so.
pub fn out_of_reach() -> bool {
    let in_container = std::env::var("CHARTSEAL_STACK").is_ok_and(|stack| stack == "docker");
    if in_container {
        eprintln!("NOT RUN: functions in a container cannot reach witnesses on this machine's loopback interface");
    }
    in_container
}
