//! The envelope's speed and memory: its own example (`envelope/examples/bench_envelope.rs`) in turns with `openssl speed`, beside the rate of
//! SHA-256 that the digests allow, and beside the official SDKs.
//!
//! Rates are wall clock. Ours and openssl's are taken in turns, several times, and the best of each counts: whatever else a machine does only makes
//! a rate smaller. The SDKs are measured right before ours, each the best of three.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::{Failure, built, quiet, root, shown};

use super::metric::Metric;

/// How often each rate is taken.
const ROUNDS: usize = 4;
/// How long each time.
const SECONDS: &str = "1";

const KIB_64: u64 = 64 << 10;
const MIB: u64 = 1 << 20;
const MIB_64: u64 = 64 << 20;
const GIB_4: u64 = 4 << 30;

/// Least share of `openssl speed -evp aes-256-gcm`, for objects of 1 MiB and more.
const OPENSSL_SHARE: f64 = 0.8;
/// The same for objects of 64 KiB, each with its own keys and header.
const SMALL_SHARE: f64 = 0.5;
/// Least share of what hashing every byte twice leaves.
const DIGESTS_SHARE: f64 = 0.8;
/// Least multiple of the official SDK for Python.
const PYTHON_TIMES: f64 = 20.0;
/// Least multiple of the official SDK for Rust.
const RUST_TIMES: f64 = 15.0;
/// Most resident memory, by the operating system, with 4 GiB through it.
const MEMORY_LIMIT_MIB: f64 = 64.0;

/// Takes all figures. The SDK for Rust builds for minutes when it is not there yet.
pub fn measure() -> Result<Vec<Metric>, Failure> {
    let build = ["--release", "--package", "chartseal-envelope", "--example", "bench_envelope"];
    let ours = Ours(built(&build, "bench_envelope", "mend envelope/examples/bench_envelope.rs")?);
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(2);
    let mut metrics = Vec::new();
    for direction in [Direction::Seal, Direction::Open] {
        metrics.extend(beside_openssl(&ours, direction, cores)?);
    }
    metrics.extend(beside_digests(&ours, cores)?);
    metrics.extend(beside_sdks(&ours, cores)?);
    let peak_mib = ours.ask(&["memory", &GIB_4.to_string()])? / 1024.0;
    metrics.push(Metric::limited("envelope_memory_4_gib", peak_mib, "MiB", MEMORY_LIMIT_MIB));
    Ok(metrics)
}

#[derive(Clone, Copy)]
enum Direction {
    Seal,
    Open,
}

impl Direction {
    const fn name(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Open => "open",
        }
    }
}

/// The bare message format beside AES-256-GCM alone: one thread, and two.
fn beside_openssl(ours: &Ours, direction: Direction, cores: usize) -> Result<Vec<Metric>, Failure> {
    let name = direction.name();
    let work = format!("{name}-message");
    let each = format!("{work}-each");
    let best = best_of([
        &|| openssl(direction, 1),
        &|| ours.rate(&work, KIB_64, 1),
        &|| ours.rate(&work, MIB, 1),
        &|| ours.rate(&work, MIB_64, 1),
        &|| openssl(direction, cores),
        &|| ours.rate(&each, MIB, cores),
        &|| ours.rate(&work, MIB_64, cores),
        &|| ours.rate(&format!("{work}-into"), MIB_64, 1),
        &|| ours.rate(&format!("{work}-into"), MIB_64, cores),
        &|| ours.rate(&format!("{work}-fresh"), MIB_64, cores),
    ])?;
    let [one, small, mib, large, both, mib_each, large_both, into, into_both, fresh_both] = best;
    let share =
        |what: &str, rate: f64, limit| Metric::at_least(&format!("envelope_{name}_{what}"), rate, "of openssl", limit);
    Ok(vec![
        Metric::told(&format!("openssl_{name}_1_thread"), one, "MB/s"),
        Metric::told(&format!("openssl_{name}_{cores}_processes"), both, "MB/s"),
        Metric::told(&format!("envelope_{name}_64_mib_into_memory"), into_both, "MB/s"),
        Metric::told(&format!("envelope_{name}_64_mib_into_fresh_memory"), fresh_both, "MB/s"),
        share("64_kib_1_thread", small / one, SMALL_SHARE),
        share("1_mib_1_thread", mib / one, OPENSSL_SHARE),
        share("64_mib_1_thread", large / one, OPENSSL_SHARE),
        share("1_mib_on_each_thread", mib_each / both, OPENSSL_SHARE),
        share("64_mib_all_threads", large_both / both, OPENSSL_SHARE),
        share("64_mib_1_thread_into_memory", into / one, OPENSSL_SHARE),
        share("64_mib_all_threads_into_memory", into_both / both, OPENSSL_SHARE),
    ])
}

/// An uploader's and a downloader's whole work beside hashing each byte twice, which it must.
fn beside_digests(ours: &Ours, cores: usize) -> Result<Vec<Metric>, Failure> {
    let work = |work: &'static str| move || ours.rate(work, MIB_64, cores);
    let [sha256, upload, download, upload_into, download_into] = best_of([
        &|| ours.rate("sha256", MIB, cores),
        &work("upload"),
        &work("download"),
        &work("upload-into"),
        &work("download-into"),
    ])?;
    let allowed = sha256 / 2.0;
    Ok(vec![
        Metric::told("sha256_all_threads", sha256, "MB/s"),
        Metric::told("envelope_upload_64_mib", upload, "MB/s"),
        Metric::at_least("envelope_upload", upload / allowed, "of the digests' limit", DIGESTS_SHARE),
        Metric::at_least("envelope_download", download / allowed, "of the digests' limit", DIGESTS_SHARE),
        Metric::at_least("envelope_upload_into_memory", upload_into / allowed, "of the digests' limit", DIGESTS_SHARE),
        Metric::at_least(
            "envelope_download_into_memory",
            download_into / allowed,
            "of the digests' limit",
            DIGESTS_SHARE,
        ),
    ])
}

/// Plaintext bytes of a frame as the SDKs choose them when nobody says otherwise.
const SDK_FRAME_BYTES: &str = "4096";
/// Ours.
const OUR_FRAME_BYTES: &str = "262144";

/// The same bytes through the official SDKs, from memory into memory on both sides; ours on all cores, each of theirs on the one that it uses.
///
/// Both sides use our frame length for what is judged. Our result lies in memory that is used again, which the SDKs have no way to do; what we reach in
/// memory that is new each time, as theirs is, is told. How much faster we are than the SDK for Python as it comes, with frames of 4 KiB, is told.
fn beside_sdks(ours: &Ours, cores: usize) -> Result<Vec<Metric>, Failure> {
    let program =
        built(&["--release", "--package", "chartseal-interop"], "chartseal-interop", "mend envelope/interop")?;
    let as_it_comes = sdks(&program, "python", SDK_FRAME_BYTES)?;
    let with_our_frames = sdks(&program, "python,rust", OUR_FRAME_BYTES)?;
    let [seal, open, seal_fresh, open_fresh] = best_of([
        &|| ours.rate("seal-message-into", MIB_64, cores),
        &|| ours.rate("open-message-into", MIB_64, cores),
        &|| ours.rate("seal-message-fresh", MIB_64, cores),
        &|| ours.rate("open-message-fresh", MIB_64, cores),
    ])?;
    let mut metrics = Vec::new();
    for (direction, rate, fresh) in [("seal", seal, seal_fresh), ("open", open, open_fresh)] {
        let name = |what: &str| format!("envelope_{direction}_beside_{what}");
        let python = rate / peer(&with_our_frames, "Python", direction)?;
        let into_fresh = fresh / peer(&with_our_frames, "Python", direction)?;
        let python_as_it_comes = rate / peer(&as_it_comes, "Python", direction)?;
        let rust = rate / peer(&with_our_frames, "Rust", direction)?;
        let rust_into_fresh = fresh / peer(&with_our_frames, "Rust", direction)?;
        metrics.push(Metric::at_least(&name("python_sdk"), python, "times", PYTHON_TIMES));
        metrics.push(Metric::told(&name("python_sdk_into_fresh_memory"), into_fresh, "times"));
        metrics.push(Metric::told(&name("python_sdk_as_it_comes"), python_as_it_comes, "times"));
        metrics.push(Metric::at_least(&name("rust_sdk"), rust, "times", RUST_TIMES));
        metrics.push(Metric::told(&name("rust_sdk_into_fresh_memory"), rust_into_fresh, "times"));
    }
    Ok(metrics)
}

/// What `chartseal-interop bench` measures of these SDKs.
fn sdks(program: &Path, with: &str, frame_bytes: &str) -> Result<Value, Failure> {
    let file = std::env::temp_dir().join(format!("chartseal-bench-{}.json", std::process::id()));
    let mut command = Command::new(program);
    command.current_dir(root()).args(["bench", "--with", with, "--frame-bytes", frame_bytes, "--json"]).arg(&file);
    let measured = shown(&mut command, "mend envelope/interop").and_then(|()| outcomes(&file));
    // Of no use any more, whatever was in it.
    let _ = fs::remove_file(&file);
    measured
}

fn outcomes(file: &Path) -> Result<Value, Failure> {
    let text = fs::read_to_string(file).map_err(|error| Failure::new(error.to_string(), "is the disk full?"))?;
    serde_json::from_str(&text).map_err(|error| Failure::new(error.to_string(), "mend envelope/interop"))
}

/// A peer's rate in what `chartseal-interop bench` wrote.
fn peer(measured: &Value, sdk: &str, direction: &str) -> Result<f64, Failure> {
    let rows = measured["outcomes"].as_array().into_iter().flatten();
    let mut of_sdk = rows.filter(|row| row["sdk"].as_str().is_some_and(|name| name.ends_with(&format!("({sdk})"))));
    let rate = of_sdk.next().and_then(|row| row[format!("{direction}_mb_s")].as_f64());
    rate.ok_or_else(|| {
        Failure::new(format!("the SDK for {sdk} was not measured"), "mend envelope/interop/src/bench.rs")
    })
}

/// A way to take one rate.
type Taking<'a> = &'a dyn Fn() -> Result<f64, Failure>;

/// Takes each rate in turn, several times; the best of each.
fn best_of<const N: usize>(takings: [Taking<'_>; N]) -> Result<[f64; N], Failure> {
    let mut best = [0_f64; N];
    for _ in 0..ROUNDS {
        for (best, take) in best.iter_mut().zip(takings) {
            *best = best.max(take()?);
        }
    }
    Ok(best)
}

/// The built example.
struct Ours(PathBuf);

impl Ours {
    /// MB/s.
    fn rate(&self, work: &str, bytes: u64, threads: usize) -> Result<f64, Failure> {
        self.ask(&["rate", work, &bytes.to_string(), &threads.to_string(), SECONDS])
    }

    fn ask(&self, arguments: &[&str]) -> Result<f64, Failure> {
        let advice = "mend envelope/examples/bench_envelope.rs";
        let said = quiet(Command::new(&self.0).args(arguments), advice)?.stdout;
        said.trim().parse().map_err(|_| Failure::new(format!("it said {said:?}"), advice))
    }
}

/// MB/s of `openssl speed`, for AES-256-GCM on 1 MiB.
fn openssl(direction: Direction, processes: usize) -> Result<f64, Failure> {
    let mut command = Command::new("openssl");
    command.args(["speed", "-mr", "-elapsed", "-seconds", SECONDS, "-evp", "aes-256-gcm", "-bytes", "1048576"]);
    if matches!(direction, Direction::Open) {
        command.arg("-decrypt");
    }
    if processes > 1 {
        command.args(["-multi", &processes.to_string()]);
    }
    let said = quiet(&mut command, "openssl is the peer of this benchmark: install its command line")?.stdout;
    openssl_rate(&said).ok_or_else(|| Failure::new(format!("it said {said:?}"), "is this OpenSSL 3?"))
}

/// The machine-readable result, bytes a second; of several processes their sum stands last.
fn openssl_rate(said: &str) -> Option<f64> {
    let last = said.lines().rfind(|line| line.starts_with("+F:"))?;
    last.rsplit(':').next()?.parse::<f64>().ok().map(|bytes| bytes / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssl_is_understood() {
        assert_eq!(openssl_rate("+H:1048576\n+F:25:AES-256-GCM:2378170368.00\n"), Some(2_378.170_368));
        let several = "Forked child 0\nGot: +F:25:AES-256-GCM:1.0 from 0\n+F:25:AES-256-GCM:2000000.0\n";
        assert_eq!(openssl_rate(several), Some(2.0));
        assert_eq!(openssl_rate("speed: Unknown option"), None);
    }

    #[test]
    fn a_peer_is_found_or_missed() {
        let measured =
            serde_json::json!({"outcomes": [{"sdk": "aws-esdk 1.2.4 (Rust)", "seal_mb_s": 90.0, "open_mb_s": 120.0}]});
        assert_eq!(peer(&measured, "Rust", "open").ok(), Some(120.0));
        assert!(peer(&measured, "Python", "open").is_err());
    }
}
