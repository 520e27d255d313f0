//! A provider's day: two hospitals and an operator, each with their own wallet, on the released command line.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::Failure;
use crate::wallets::Wallets;

use super::report::{Report, Shared};
use super::samples::{self, Sample, sha256};

/// How long the vault's index may take.
const WAIT_LIMIT: Duration = Duration::from_mins(1);

/// How often it is asked.
const POLL: Duration = Duration::from_millis(250);

/// A hospital and the person who acts for it.
struct Hospital {
    wallet: &'static str,
    organisation: &'static str,
    person: &'static str,
    phone: &'static str,
}

/// Has the records.
const ANNA: Hospital = Hospital {
    wallet: "st-anna",
    organisation: "St. Anna Hospital",
    person: "Dr. Ines Moser",
    phone: "+43 1 5550 1371",
};

/// Needs them.
const RIVER: Hospital = Hospital {
    wallet: "riverside",
    organisation: "Riverside Clinic",
    person: "Dr. Tomas Birk",
    phone: "+43 1 5550 8264",
};

/// Plays the day.
pub fn play(report: &mut Report, api: &str, wallets: &Wallets, records: &[Sample]) -> Result<(), Failure> {
    report.event_step("the operator connects to the vault", || {
        let answer = wallets.connect_operator(api)?;
        Ok(((), answer.leaf(), "its genesis event is pinned".to_owned()))
    })?;
    for hospital in [&ANNA, &RIVER] {
        join(report, wallets, hospital)?;
    }
    let mut uploaded = Vec::new();
    for sample in records {
        uploaded.push((sample, upload(report, wallets, sample)?));
    }
    search(report, wallets, &samples::query(records), &uploaded)?;
    for (sample, record) in uploaded {
        let shared = share(report, wallets, sample, record)?;
        report.shared.push(shared);
    }
    Ok(())
}

/// Invited, registered, verified.
fn join(report: &mut Report, wallets: &Wallets, hospital: &Hospital) -> Result<(), Failure> {
    let Hospital { wallet, organisation, person, phone } = hospital;
    let invitation = report.event_step(&format!("the operator invites {organisation}"), || {
        let answer = wallets.run("operator", &["provider", "invite", "--note", organisation])?;
        Ok((answer.text("invitation")?, answer.leaf(), String::new()))
    })?;
    report.event_step(&format!("{person} makes a wallet"), || {
        let file = wallets.file(wallet);
        wallets.run(wallet, &["wallet".as_ref(), "create".as_ref(), "--out".as_ref(), file.as_os_str()])?;
        Ok(((), None, String::new()))
    })?;
    let provider = report.event_step(&format!("{organisation} registers"), || {
        let register = ["provider", "register", "--invitation", &invitation, "--organisation", organisation];
        let answer = wallets.run(wallet, &[&register[..], &["--name", person, "--phone", phone]].concat())?;
        let provider = answer.text("provider")?;
        Ok((provider.clone(), answer.leaf(), format!("cloud ID {provider}, pending")))
    })?;
    report.event_step(&format!("the operator verifies {organisation}"), || {
        let answer = wallets.run("operator", &["provider", "verify", &provider])?;
        Ok(((), answer.leaf(), String::new()))
    })
}

/// Encrypts and uploads a file; returns its record's id.
fn upload(report: &mut Report, wallets: &Wallets, sample: &Sample) -> Result<String, Failure> {
    report.event_step(&format!("St. Anna encrypts and uploads {}", sample.name()), || {
        let path = sample.path.to_string_lossy();
        let mut arguments = vec!["record", "upload", &path, "--type", sample.kind, "--label", &sample.label];
        arguments.extend(["--media-type", sample.media_type]);
        for term in &sample.terms {
            arguments.extend(["--term", term]);
        }
        let answer = wallets.run(ANNA.wallet, &arguments)?;
        let record = answer.text("record")?;
        Ok((record.clone(), answer.leaf(), format!("record {record}")))
    })
}

/// The other hospital searches until the postings of every record are there.
fn search(report: &mut Report, wallets: &Wallets, query: &str, uploaded: &[(&Sample, String)]) -> Result<(), Failure> {
    report.event_step(&format!("Riverside searches {query}"), || {
        let answer = until("every record is found", || {
            let answer = wallets.run(RIVER.wallet, &["search", query])?;
            let hits = answer.texts("record");
            let all = uploaded.iter().all(|(_, record)| hits.contains(record));
            Ok(if all { Ok(answer) } else { Err(format!("{} hits", hits.len())) })
        })?;
        Ok(((), answer.leaf(), format!("{} hits; the vault saw no word of it", answer.texts("record").len())))
    })
}

/// Requested, verified by the workflow, approved, downloaded, checked, decrypted, compared.
fn share(report: &mut Report, wallets: &Wallets, sample: &Sample, record: String) -> Result<Shared, Failure> {
    let name = sample.name();
    let request = report.event_step(&format!("Riverside requests {name}"), || {
        let justification = "The patient was admitted here after a fall; earlier findings decide on imaging.";
        let create = ["request", "create", &record, "--purpose", "TREAT", "--justification", justification];
        let answer = wallets.run(RIVER.wallet, &create)?;
        let request = answer.text("request")?;
        Ok((request.clone(), answer.leaf(), format!("request {request}, purpose of use TREAT")))
    })?;
    report.event_step(&format!("the workflow verifies the request for {name}"), || {
        let status = ["request", "status", &request, "--wait", "verified"];
        Ok(((), wallets.run(RIVER.wallet, &status)?.leaf(), String::new()))
    })?;
    report.event_step(&format!("the operator approves the request for {name}"), || {
        let answer = wallets.run("operator", &["request", "approve", &request, "--wait"])?;
        Ok(((), answer.leaf(), String::new()))
    })?;
    // Two files may have one name; two records never have one id.
    let file = wallets.folder().join(format!("{record}-{name}"));
    let decrypted_sha256 =
        report.event_step(&format!("Riverside receives the key, downloads and decrypts {name}"), || {
            let out = file.to_string_lossy();
            let answer = wallets.run(RIVER.wallet, &["record", "download", "--request", &request, "--out", &out])?;
            let bytes = fs::read(&file)
                .map_err(|error| Failure::new(format!("{out}: {error}"), "the client said it wrote this file"))?;
            let sha256 = sha256(&bytes);
            let said = answer.text("sha256")?;
            if said != sha256 {
                let cause = format!("the client says SHA-256 {said}, its file has {sha256}");
                return Err(Failure::new(cause, "mend the client: it must report what it wrote"));
            }
            let remark = format!("{} bytes; checked {}", bytes.len(), answer.list("checks").join(", "));
            Ok((sha256, answer.leaf(), remark))
        })?;
    report.event_step(&format!("compare {name} with the original"), || {
        if decrypted_sha256 != sample.sha256 {
            let cause = format!("SHA-256 {decrypted_sha256}, the original's is {}", sample.sha256);
            return Err(Failure::new(cause, "this must never happen: keep .local/demo and report it"));
        }
        Ok(((), None, format!("SHA-256 {decrypted_sha256}")))
    })?;
    Ok(Shared { file: name, record, original_sha256: sample.sha256.clone(), decrypted_sha256 })
}

/// Asks until the answer is there. The inner error says how far it is.
fn until<T>(what: &str, mut ask: impl FnMut() -> Result<Result<T, String>, Failure>) -> Result<T, Failure> {
    let started = Instant::now();
    loop {
        match ask()? {
            Ok(there) => return Ok(there),
            Err(so_far) if started.elapsed() > WAIT_LIMIT => {
                let cause = format!("waited {} s until {what}; last seen: {so_far}", WAIT_LIMIT.as_secs());
                let advice = "run it again with --keep; .local/run has the log of the functions";
                return Err(Failure::new(cause, advice));
            }
            Err(_) => thread::sleep(POLL),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use serde_json::Value;

    use super::*;

    /// Speaks as the client does, of a vault where everything goes well; keeps "uploads" beside its wallets.
    const CLIENT: &str = r#"#!/bin/sh
folder=$(dirname "$2"); [ "$1 $3 $5" = "--wallet --passphrase-file --json" ] || exit 64
who=$(basename "$2" .wallet); shift 5; said="$who $1 $2"; event='"event":{"stream":"s","seq":1,"leaf":"1eaf"}'
case "$said" in
  "operator operator connect") echo "{$event}" ;;
  "operator provider invite") echo "{\"provider\":\"P\",\"invitation\":\"I\",$event}" ;;
  *" wallet create") : >"$4"; echo '{"wallet":"w"}' ;;
  *" provider register") echo "{\"provider\":\"P\",$event}" ;;
  "operator provider verify") echo "{$event}" ;;
  "st-anna record upload") n=$(ls "$folder" | grep -c '^blob'); cp "$3" "$folder/blob$n"
    echo "{\"records\":[{\"record\":\"$n\",$event}]}" ;;
  "riverside search patient:"*) echo "{\"hits\":[$(ls "$folder" | sed -n 's/^blob\(.*\)/{"record":"\1"}/p' | paste -sd,)],\"event\":\"ca11\"}" ;;
  "riverside request create") echo "{\"request\":\"$3\",$event}" ;;
  "riverside request status") [ "$4 $5" = "--wait verified" ] && echo "{\"state\":\"verified\",$event}" ;;
  "operator request approve") echo "{$event}" ;;
  "riverside record download") cp "$folder/blob$4" "$6"; TAMPER
    echo "{\"sha256\":\"$(sha256sum <"$6" | cut -c1-64)\",\"checks\":[\"links\"],$event}" ;;
  *) echo "unknown: $said" >&2; exit 2 ;;
esac
"#;

    /// Plays the day with a client that does `tamper` to each file it decrypted.
    fn day(name: &str, tamper: &str) -> (Result<(), Failure>, Value) {
        let folder = std::env::temp_dir().join(format!("chartseal-xtask-{name}-{}", std::process::id()));
        let wallets = Wallets::create(&folder, &folder).expect("a writable temporary folder");
        fs::write(wallets.client(), CLIENT.replace("TAMPER", tamper)).expect("ours");
        fs::set_permissions(wallets.client(), fs::Permissions::from_mode(0o755)).expect("ours");
        let files: Vec<PathBuf> = ["one.txt", "two.dcm"].iter().map(|file| folder.join(file)).collect();
        for file in &files {
            fs::write(file, file.to_string_lossy().as_bytes()).expect("ours");
        }
        let records = samples::given(&files).expect("they exist").expect("there are two");
        let mut report = Report::default();
        let outcome = play(&mut report, "http://127.0.0.1:9", &wallets, &records);
        report.ended(&outcome);
        fs::remove_dir_all(folder).expect("ours");
        (outcome, report.to_json())
    }

    #[test]
    fn a_day_ends_with_every_record_decrypted() {
        let (outcome, report) = day("day", ":");
        outcome.expect("the client does as it should");
        assert_eq!(report["ok"], true);
        assert_eq!(report["records"].as_array().map(Vec::len), Some(2));
        assert_eq!(report["original_sha256"], report["decrypted_sha256"]);
        let events: Vec<_> = report["steps"].as_array().expect("steps").iter().map(|step| &step["event"]).collect();
        assert!(events.iter().any(|event| *event == "ca11"), "the search is an event: {events:?}");
        assert_eq!(events.iter().filter(|event| event.as_str() == Some("1eaf")).count(), 17);
    }

    #[test]
    fn a_day_that_decrypts_something_else_fails_where_it_does() {
        let (outcome, report) = day("tampered", r#"echo more >>"$6""#);
        let failure = outcome.expect_err("the file is another one");
        assert_eq!(failure.step.as_deref(), Some("compare one.txt with the original"));
        assert_eq!((&report["ok"], &report["decrypted_sha256"]), (&Value::Bool(false), &Value::Null));
    }

    #[test]
    fn what_the_client_refuses_is_told_with_its_words() {
        let (outcome, _) = day("refused", "echo 'no live grant' >&2; exit 4");
        let failure = outcome.expect_err("the client refused").to_string();
        assert!(failure.contains("receives the key") && failure.contains("no live grant"), "{failure}");
    }

    #[test]
    fn waiting_ends_with_the_answer() {
        let mut asked = 0;
        let answer = until("asked twice", || {
            asked += 1;
            Ok(if asked == 2 { Ok("there") } else { Err("not yet".to_owned()) })
        });
        assert_eq!((answer.ok(), asked), (Some("there"), 2));
    }
}
