//! How fast the envelope is: one figure a run, so that another program can take turns with the peers it is compared with.
//!
//!     bench_envelope rate <work> <bytes> <threads> <seconds>    prints MB/s (10^6 plaintext bytes a second, wall clock)
//!     bench_envelope memory <bytes>                             prints the peak of resident memory in KiB, by the operating system
//!
//! `work` is seal-message or open-message (the bare format, header || body, as official SDKs write and read it), upload (what an uploader does:
//! encryption, frames_root and parts' digests), download (the reverse), or sha256 (the limit that digests set): one object on so many threads. What comes
//! out is dropped frame by frame, as `openssl speed` drops it; `<work>-kept` copies it into memory. `<work>-each` gives each thread an object of its own.

use std::io::{self, Read, Write};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use chartseal_envelope::vector_hooks::seal_with_message_id;
use chartseal_envelope::{
    Context, DataKey, FrameBytes, Header, Opening, Sealing, Threads, WrappedKey, open, open_message_on, open_on,
    seal_message_on, seal_on,
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
}

/// Does the work again and again for so long: megabytes a second over all of that time. Several threads begin together and take as long.
fn rate(work: &str, bytes: usize, threads: usize, seconds: f64) -> Result<f64, Failure> {
    let (work, each) = work.strip_suffix("-each").map_or((work, false), |work| (work, true));
    let (objects, inside) = if each || work == "sha256" { (threads, 1) } else { (1, threads) };
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

/// One object's work, on memory that is used again.
fn step(work: &str, bytes: usize, threads: Threads) -> Result<Step, Failure> {
    let fixture = Fixture::new()?;
    let plaintext = vec![0x5a; bytes];
    let (work, kept) = work.strip_suffix("-kept").map_or((work, false), |work| (work, true));
    let mut out = Out(kept.then(|| Vec::with_capacity(bytes + bytes / 64 + 4096)));
    Ok(match work {
        "sha256" => Box::new(move || {
            std::hint::black_box(Sha256::digest(&plaintext));
            Ok(())
        }),
        "seal-message" => Box::new(move || {
            out.clear();
            seal_message_on(threads, &fixture.sealing(), &plaintext[..], &mut out)?;
            Ok(())
        }),
        "open-message" => {
            let mut message = Vec::new();
            seal_message_on(threads, &fixture.sealing(), &plaintext[..], &mut message)?;
            Box::new(move || {
                out.clear();
                let key_of = |_: &Header| Ok::<_, io::Error>(fixture.key.clone());
                open_message_on(threads, &message[..], key_of, &mut out)?;
                Ok(())
            })
        }
        "upload" => Box::new(move || {
            out.clear();
            seal_on(threads, &fixture.sealing(), &plaintext[..], &mut out)?;
            Ok(())
        }),
        "download" => {
            let mut body = Vec::new();
            let sealed = seal_on(threads, &fixture.sealing(), &plaintext[..], &mut body)?;
            let announcement = sealed.announcement();
            Box::new(move || {
                out.clear();
                let opening = Opening {
                    key: &fixture.key,
                    header: &sealed.header,
                    context: &fixture.context,
                    announcement: &announcement,
                };
                open_on(threads, &opening, &body[..], &mut out)?;
                Ok(())
            })
        }
        other => return Err(format!("no such work: {other}").into()),
    })
}

/// Where results go: nowhere, or into memory that is used again.
struct Out(Option<Vec<u8>>);

impl Out {
    fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Some(kept) => kept.extend_from_slice(bytes),
            None => drop(std::hint::black_box(bytes.first())),
        }
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
    let opening =
        Opening { key: &fixture.key, header: &sealed.header, context: &fixture.context, announcement: &announcement };
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
