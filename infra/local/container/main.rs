//! Holds one container with an emulator, for as long as its parent lives.
//!
//! The parent (`src/emulator.rs`) writes a [`Plan`] as the first line of standard input and keeps the other end open: when it closes, whatever the
//! reason, the container is removed and this program ends. The line "stay" lets it outlive the parent; SIGTERM ends it then. What the
//! container logs goes to standard output, which is the emulator's log. Nothing is reused, and there is no second container that cleans up:
//! containers whose holder was killed are removed at the next start.
#![forbid(unsafe_code)]

mod engine;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use chartseal_local::{HOLDER_LABEL, Plan};
use testcontainers::core::logs::LogFrame;
use testcontainers::core::{CopyDataSource, IntoContainerPort};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use engine::{Containers, Failure, loopback, own_label};

/// How long one start may take, the pull of an image included.
const START_LIMIT: Duration = Duration::from_mins(10);
/// The line that lets this program outlive its parent.
const STAY: &str = "stay";

/// What the parent says.
enum Word {
    Plan(String),
    Stay,
    Gone,
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Failure::System { what: "start the runtime", source: error }),
    };
    match runtime.block_on(hold()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> ExitCode {
    eprintln!("{failure}");
    ExitCode::FAILURE
}

/// Starts the container, waits for a reason to end it, removes it.
async fn hold() -> Result<(), Failure> {
    let mut parent = listen();
    let Some(Word::Plan(line)) = parent.recv().await else { return Err(Failure::NoPlan) };
    let plan: Plan = serde_json::from_str(&line).map_err(|source| Failure::BadPlan { source })?;
    let containers = Containers::connect().await?;
    containers.remove_abandoned().await?;
    if let Some(wanted) = &plan.requirements {
        containers.must_be_built_from(&plan.image, wanted).await?;
    }
    let name = format!("chartseal-{}-{}", std::process::id(), plan.port);
    let ended = run(&plan, &name, &containers, &mut parent).await;
    // A container that was made but did not start is there too.
    let removed = containers.remove(&name).await;
    ended.and(removed)
}

/// Runs until somebody wants the end, or it comes by itself.
async fn run(
    plan: &Plan,
    name: &str,
    containers: &Containers,
    parent: &mut mpsc::UnboundedReceiver<Word>,
) -> Result<(), Failure> {
    let signal_of = |kind| signal(kind).map_err(|source| Failure::System { what: "listen for signals", source });
    let (mut terminated, mut interrupted) = (signal_of(SignalKind::terminate())?, signal_of(SignalKind::interrupt())?);
    // A stack that stays outlives the terminal it was started from.
    let _hung_up = signal_of(SignalKind::hangup())?;
    let request = request(plan, name)?;
    let lives = async {
        let _container: ContainerAsync<GenericImage> = request.start().await?;
        containers.wait(name).await
    };
    tokio::pin!(lives);
    loop {
        tokio::select! {
            ended = &mut lives => return ended,
            _ = terminated.recv() => return Ok(()),
            _ = interrupted.recv() => return Ok(()),
            word = parent.recv() => if let Some(Word::Gone) = word { return Ok(()) },
        }
    }
}

/// The container, as testcontainers starts it.
fn request(plan: &Plan, name: &str) -> Result<ContainerRequest<GenericImage>, Failure> {
    let (repository, tag) = match plan.image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (plan.image.as_str(), "latest"),
    };
    let mut image = GenericImage::new(repository, tag);
    if let Some(entrypoint) = &plan.entrypoint {
        image = image.with_entrypoint(entrypoint);
    }
    let bindings = loopback(plan.port);
    let mut request = image
        .with_cmd(plan.arguments.clone())
        .with_container_name(name)
        .with_label(HOLDER_LABEL, own_label())
        .with_startup_timeout(START_LIMIT)
        .with_mapped_port(plan.port, plan.port.tcp())
        // Published to this machine alone: anybody who reaches an emulator is its administrator.
        .with_host_config_modifier(move |host| host.port_bindings = Some(bindings.clone()))
        .with_log_consumer(log);
    for (variable, value) in &plan.environment {
        request = request.with_env_var(variable, value);
    }
    for (there, here) in &plan.files {
        let content = std::fs::read(here).map_err(|source| Failure::File { path: here.clone(), source })?;
        request = request.with_copy_to(there.clone(), CopyDataSource::Data(content));
    }
    Ok(request)
}

/// What the container says goes where the emulator's process would say it.
fn log(frame: &LogFrame) {
    let mut output = io::stdout().lock();
    // A log that cannot be written is no reason to end the emulator.
    let _lost = output.write_all(frame.bytes()).and_then(|()| output.flush());
}

/// Reads the parent's lines on a thread of its own: a read of standard input cannot be given up.
fn listen() -> mpsc::UnboundedReceiver<Word> {
    let (speaker, hears) = mpsc::unbounded_channel();
    thread::spawn(move || {
        let mut lines = io::stdin().lock().lines().map_while(Result::ok);
        let Some(plan) = lines.next() else { return };
        let _nobody_hears = speaker.send(Word::Plan(plan));
        let last = if lines.any(|line| line.trim() == STAY) { Word::Stay } else { Word::Gone };
        let _nobody_hears = speaker.send(last);
        // The end of this thread would end the conversation, too.
        loop {
            thread::park();
        }
    });
    hears
}
