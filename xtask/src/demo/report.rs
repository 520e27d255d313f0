//! What happened, step by step: printed as it happens, written as JSON at the end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::Failure;

/// The deployment's step; `bench` looks it up.
pub const DEPLOY: &str = "deploy template.yaml";

/// Characters of a leaf hash that are printed; the report has all of it.
const SHOWN_LEAF: usize = 16;

/// One step that was done.
struct Step {
    name: String,
    took: Duration,
    event: Option<String>,
}

/// A record's way from one hospital to the other.
pub struct Shared {
    /// The file's name.
    pub file: String,
    /// Its id in the vault.
    pub record: String,
    /// SHA-256 of the file before it was encrypted.
    pub original_sha256: String,
    /// SHA-256 of the file that the requester decrypted.
    pub decrypted_sha256: String,
}

/// The report of a run.
#[derive(Default)]
pub struct Report {
    /// Base address of the API.
    pub api: String,
    /// Records that went all the way.
    pub shared: Vec<Shared>,
    steps: Vec<Step>,
    preparation: Duration,
    failure: Option<(Option<String>, String, String)>,
    ok: bool,
}

impl Report {
    /// Runs a step that makes no event.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let started = Instant::now();
        let value = work().map_err(|failure| failure.in_step(name))?;
        self.done(name, started.elapsed(), None, "");
        Ok(value)
    }

    /// Runs a step that installs or builds: what a machine does once is told apart.
    pub fn preparation<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let value = self.step(name, work)?;
        self.preparation += self.steps.last().map(|step| step.took).unwrap_or_default();
        Ok(value)
    }

    /// Runs a step and prints what it says; the event's leaf hash comes with it.
    pub fn event_step<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<(T, Option<String>, String), Failure>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let (value, event, remark) = work().map_err(|failure| failure.in_step(name))?;
        self.done(name, started.elapsed(), event, &remark);
        Ok(value)
    }

    /// Notes a step and prints it.
    pub fn done(&mut self, name: &str, took: Duration, event: Option<String>, remark: &str) {
        println!("{}", line(name, took, event.as_deref(), remark));
        self.steps.push(Step { name: name.to_owned(), took, event });
    }

    /// Notes how it ended.
    pub fn ended(&mut self, outcome: &Result<(), Failure>) {
        self.ok = outcome.is_ok();
        self.failure =
            outcome.as_ref().err().map(|failure| (failure.step.clone(), failure.cause.clone(), failure.advice.clone()));
    }

    /// Time of everything but installing and building.
    pub fn after_build(&self) -> Duration {
        self.steps.iter().map(|step| step.took).sum::<Duration>().saturating_sub(self.preparation)
    }

    /// Time of the deployment.
    pub fn deployment(&self) -> Option<Duration> {
        self.steps.iter().find(|step| step.name == DEPLOY).map(|step| step.took)
    }

    /// The report as `--json` writes it.
    pub fn to_json(&self) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| json!({"name": step.name, "ms": rounded_ms(step.took), "event": step.event}))
            .collect();
        let records: Vec<Value> = self
            .shared
            .iter()
            .map(|shared| {
                json!({
                    "file": shared.file,
                    "record": shared.record,
                    "original_sha256": shared.original_sha256,
                    "decrypted_sha256": shared.decrypted_sha256,
                })
            })
            .collect();
        let first = self.shared.first();
        let mut report = json!({
            "ok": self.ok,
            "api": self.api,
            "steps": steps,
            "original_sha256": first.map(|shared| &shared.original_sha256),
            "decrypted_sha256": first.map(|shared| &shared.decrypted_sha256),
            "records": records,
        });
        if let Some((step, cause, advice)) = &self.failure {
            report["error"] = json!({"step": step, "cause": cause, "to_do": advice});
        }
        report
    }

    /// The last words of a run that went well.
    pub fn summary(&self) -> String {
        format!(
            "{} records encrypted, shared and decrypted; every SHA-256 equals its original's. {:.1} s after the build, {:.1} s of it deploying.\nFiles and wallets of this run are in .local/demo.",
            self.shared.len(),
            self.after_build().as_secs_f64(),
            self.deployment().unwrap_or_default().as_secs_f64(),
        )
    }
}

fn rounded_ms(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e4).round() / 10.0
}

fn line(name: &str, took: Duration, event: Option<&str>, remark: &str) -> String {
    let event = event.map(|leaf| leaf.get(..SHOWN_LEAF).unwrap_or(leaf)).unwrap_or_default();
    format!(
        "{:>7.2} s  {event:<SHOWN_LEAF$}  {name}{}{remark}",
        took.as_secs_f64(),
        if remark.is_empty() { "" } else { ": " }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_went_well() {
        let mut report = Report { api: "http://a".to_owned(), ..Report::default() };
        report.done("install and build", Duration::from_secs(100), None, "");
        report.preparation = Duration::from_secs(100);
        report.done(DEPLOY, Duration::from_millis(2500), None, "");
        report.done("upload", Duration::from_micros(1_234_567), Some("ab".repeat(32)), "scan.png");
        report.shared.push(Shared {
            file: "scan.png".to_owned(),
            record: "R".to_owned(),
            original_sha256: "11".to_owned(),
            decrypted_sha256: "11".to_owned(),
        });
        report.ended(&Ok(()));
        let json = report.to_json();
        assert_eq!(json["ok"], true);
        assert_eq!(json["steps"][2], json!({"name": "upload", "ms": 1234.6, "event": "ab".repeat(32)}));
        assert_eq!((&json["original_sha256"], &json["decrypted_sha256"]), (&json!("11"), &json!("11")));
        assert!(json.get("error").is_none());
        assert_eq!(report.after_build(), Duration::from_micros(3_734_567));
        assert_eq!(report.deployment(), Some(Duration::from_millis(2500)));
    }

    #[test]
    fn a_failure_names_its_step_and_is_in_the_report() {
        let mut report = Report::default();
        let outcome = report.step("register", || Err::<(), _>(Failure::new("refused", "ask the operator")));
        report.ended(&outcome);
        let json = report.to_json();
        assert_eq!(json["ok"], false);
        assert_eq!(json["error"], json!({"step": "register", "cause": "refused", "to_do": "ask the operator"}));
        assert_eq!(json["original_sha256"], Value::Null);
    }

    #[test]
    fn a_line_has_time_event_and_remark() {
        let leaf = "0123456789abcdef0123456789abcdef";
        assert_eq!(
            line("search", Duration::from_millis(1500), Some(leaf), "3 hits"),
            "   1.50 s  0123456789abcdef  search: 3 hits"
        );
        assert_eq!(line("stop", Duration::ZERO, None, ""), "   0.00 s                    stop");
    }
}
