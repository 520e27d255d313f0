//! How fast the envelope is: one figure a run, so that another program can take turns with the peers it is compared with.
//!
//!     bench_envelope rate <work> <bytes> <threads> <seconds>    prints MB/s (10^6 plaintext bytes a second, wall clock)
//!     bench_envelope memory <bytes>                             prints the peak of resident memory in KiB, by the operating system
//!
//! `work` is seal-message or open-message (the bare format, header || body, as official SDKs write and read it), upload (what an uploader does:
//! encryption, frames_root and parts' digests), download (the reverse), or sha256 (the limit that digests set): one object on so many threads. What comes
//! out is dropped frame by frame, as `openssl speed` drops it. `<work>-into` makes it where it is kept, in memory that is used again; `<work>-fresh` in
//! memory that is new each time, so that the operating system's work for new pages is in it. `<work>-each` gives each thread an object of its own.

use std::io::{self, Read, Write};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use chartseal_envelope::vector_hooks::seal_with_message_id;
use chartseal_envelope::{
    Announcement, Context, DataKey, FrameBytes, Header, Opening, Sealing, Threads, WrappedKey, open, open_into,
    open_message_into, open_message_on, open_on, seal_into, seal_message_into, seal_message_on, seal_on,
};
use sha2::{Digest, Sha256};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rate", work, bytes, threads, seconds] => {
            println!("{:.1}", rate(work, bytes.parse()?, threads.parse()?, seconds.parse()?)?);
        }
        ["memory", bytes] => println!("{}", memory(bytes.parse()?)?),
        _ => return Err("usage: rate <work> <bytes> <threads> <seconds> | memory <bytes>".into()),
    }
    Ok(())
}

/// What a record's keys are in this program.
struct Fixture {
    key: DataKey,
    context: Context,
    wrapped_key: WrappedKey,
}

impl Fixture {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            key: DataKey::from_bytes([7; 32]),
            context: Context::new("vault.example", "01JDB3YQ7X0000000000000000", 1)?,
            wrapped_key: WrappedKey::kms("arn:aws:kms:eu-central-1:111122223333:key/bench", &[1; 184])?,
        })
    }

    fn sealing(&self) -> Sealing<'_> {
        Sealing {
            key: &self.key,
            context: &self.context,
            wrapped_key: &self.wrapped_key,
            frame_bytes: FrameBytes::DEFAULT,
        }
    }

    fn opening<'a>(&'a self, header: &'a [u8], announcement: &'a Announcement) -> Opening<'a> {
        Opening { key: &self.key, header, context: &self.context, announcement }
    }
}

/// Does the work again and again for so long: megabytes a second over all of that time. Several threads begin together and take as long.
fn rate(work: &str, bytes: usize, threads: usize, seconds: f64) -> Result<f64, Failure> {
    let (work, each) = work.strip_suffix("-each").map_or((work, false), |work| (work, true));
    let (objects, inside) =
        if each || matches!(work, "sha256" | "copy-into" | "copy-fresh") { (threads, 1) } else { (1, threads) };
    let begin = Barrier::new(objects);
    let rates = thread::scope(|scope| {
        let measure = || -> Result<f64, Failure> {
            let mut step = step(work, bytes, Threads::new(inside))?;
            step()?;
            begin.wait();
            measured(&mut *step, bytes, Duration::from_secs_f64(seconds))
        };
        let others: Vec<_> = (1..objects).map(|_| scope.spawn(measure)).collect();
        let own = measure();
        let joined = others.into_iter().map(|other| other.join().unwrap_or_else(|_| Err("a thread panicked".into())));
        std::iter::once(own).chain(joined).collect::<Result<Vec<f64>, _>>()
    })?;
    Ok(rates.iter().sum())
}

fn measured(step: &mut dyn FnMut() -> Result<(), Failure>, bytes: usize, time: Duration) -> Result<f64, Failure> {
    let (began, mut done) = (Instant::now(), 0_u32);
    while began.elapsed() < time {
        step()?;
        done += 1;
    }
    let megabytes = f64::from(done) * f64::from(u32::try_from(bytes)?) / 1e6;
    Ok(megabytes / began.elapsed().as_secs_f64())
}

type Step = Box<dyn FnMut() -> Result<(), Failure>>;

/// One object's work.
fn step(work: &str, bytes: usize, threads: Threads) -> Result<Step, Failure> {
    let (work, result) = match work.rsplit_once('-') {
        Some((work, "into")) => (work, Keeps::Reused),
        Some((work, "fresh")) => (work, Keeps::Fresh),
        _ => (work, Keeps::Nothing),
    };
    let fixture = Fixture::new()?;
    let plaintext = vec![0x5a; bytes];
    Ok(match (work, result) {
        ("sha256", Keeps::Nothing) => Box::new(move || {
            std::hint::black_box(Sha256::digest(&plaintext));
            Ok(())
        }),
        ("copy", keeps) => {
            let mut out = Vec::new();
            Box::new(move || {
                keeps.prepare(&mut out);
                if out.len() != plaintext.len() {
                    out = vec![0; plaintext.len()];
                }
                out.copy_from_slice(&plaintext);
                std::hint::black_box(&out);
                Ok(())
            })
        }
        (work, Keeps::Nothing) => streaming(work, threads, fixture, plaintext)?,
        (work, keeps) => in_memory(work, threads, fixture, plaintext, keeps)?,
    })
}

/// What becomes of a result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// It is dropped frame by frame.
    Nothing,
    /// It lies in memory that is used again.
    Reused,
    /// It lies in memory that was not there before.
    Fresh,
}

impl Keeps {
    fn prepare(self, out: &mut Vec<u8>) {
        if self == Self::Fresh {
            *out = Vec::new();
        }
    }
}

/// Through readers and writers; what is written is dropped.
fn streaming(work: &str, threads: Threads, fixture: Fixture, plaintext: Vec<u8>) -> Result<Step, Failure> {
    let out = || Dropped;
    Ok(match work {
        "seal-message" => Box::new(move || {
            seal_message_on(threads, &fixture.sealing(), &plaintext[..], out())?;
            Ok(())
        }),
        "open-message" => {
            let mut message = Vec::new();
            seal_message_into(threads, &fixture.sealing(), &plaintext, &mut message)?;
            Box::new(move || {
                open_message_on(threads, &message[..], |_| Ok::<_, io::Error>(fixture.key.clone()), out())?;
                Ok(())
            })
        }
        "upload" => Box::new(move || {
            seal_on(threads, &fixture.sealing(), &plaintext[..], out())?;
            Ok(())
        }),
        "download" => {
            let mut body = Vec::new();
            let sealed = seal_into(threads, &fixture.sealing(), &plaintext, &mut body)?;
            Box::new(move || {
                open_on(threads, &fixture.opening(&sealed.header, &sealed.announcement()), &body[..], out())?;
                Ok(())
            })
        }
        other => return Err(format!("no such work: {other}").into()),
    })
}

/// From memory into memory.
fn in_memory(
    work: &str,
    threads: Threads,
    fixture: Fixture,
    plaintext: Vec<u8>,
    keeps: Keeps,
) -> Result<Step, Failure> {
    let mut out = Vec::new();
    Ok(match work {
        "seal-message" => Box::new(move || {
            keeps.prepare(&mut out);
            Ok(seal_message_into(threads, &fixture.sealing(), &plaintext, &mut out)?)
        }),
        "open-message" => {
            let mut message = Vec::new();
            seal_message_into(threads, &fixture.sealing(), &plaintext, &mut message)?;
            Box::new(move || {
                keeps.prepare(&mut out);
                open_message_into(threads, &message, |_: &Header| Ok::<_, io::Error>(fixture.key.clone()), &mut out)?;
                Ok(())
            })
        }
        "upload" => Box::new(move || {
            keeps.prepare(&mut out);
            seal_into(threads, &fixture.sealing(), &plaintext, &mut out)?;
            Ok(())
        }),
        "download" => {
            let mut body = Vec::new();
            let sealed = seal_into(threads, &fixture.sealing(), &plaintext, &mut body)?;
            Box::new(move || {
                keeps.prepare(&mut out);
                open_into(threads, &fixture.opening(&sealed.header, &sealed.announcement()), &body, &mut out)?;
                Ok(())
            })
        }
        other => return Err(format!("no such work: {other}").into()),
    })
}

/// Where results go that nobody keeps.
struct Dropped;

impl Write for Dropped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        std::hint::black_box(bytes.first());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Seals a record of so many bytes, and once more through a pipe into a reader that opens it; nothing of it is kept.
fn memory(bytes: u64) -> Result<u64, Failure> {
    let fixture = Fixture::new()?;
    let sealing = fixture.sealing();
    let record = || io::repeat(0x5a).take(bytes);
    // The message id of a benchmark whose ciphertext nobody keeps: what is announced must be known before it is opened.
    let sealed = seal_with_message_id(&sealing, [1; 32], record(), io::sink())?;
    let announcement = sealed.announcement();
    let opening = fixture.opening(&sealed.header, &announcement);
    let (reader, mut writer) = io::pipe()?;
    thread::scope(|scope| -> Result<(), Failure> {
        let other = scope.spawn(move || -> Result<(), Failure> {
            seal_with_message_id(&sealing, [1; 32], record(), &mut writer)?;
            Ok(writer.flush()?)
        });
        let opened = open(&opening, reader, io::sink())?;
        other.join().unwrap_or_else(|_| Err("the sealer panicked".into()))?;
        if opened.plaintext_bytes == bytes { Ok(()) } else { Err("another length came out".into()) }
    })?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")?.trim().parse().ok());
    peak.ok_or_else(|| "the operating system does not say".into())
}
