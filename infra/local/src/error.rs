//! What can go wrong on the way to a running local stack. Every message names the cause and what to do next.

use std::io;
use std::path::PathBuf;

/// Why the local stack could not be prepared, started, deployed or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No checkout of chartseal around the current directory.
    #[error("no chartseal checkout found from {start}: run this inside the checkout (the folder with template.yaml)")]
    NoCheckout {
        /// Where the search began.
        start: PathBuf,
    },
    /// Programs the machine lacks, one line for each.
    #[error("missing on this machine:\n{}", .0.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n"))]
    Prerequisites(Vec<String>),
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was tried, as a verb: "read", "create", ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A program could not be started at all.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A program ran and failed; its own output has been shown on standard error.
    #[error("{step} failed ({status}): {advice}")]
    Step {
        /// What was being done.
        step: &'static str,
        /// How the program ended.
        status: String,
        /// What to do next.
        advice: String,
    },
    /// The build ended well but made no binary for some functions.
    #[error("the build made no binary for {}: check the [[bin]] names under functions/", .0.join(", "))]
    MissingBinaries(Vec<String>),
    /// The emulator did not become healthy.
    #[error("the emulator {cause}; its log is {log}, and ends:\n{tail}")]
    EmulatorStart {
        /// What was seen: it exited, or it did not answer in time.
        cause: String,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The emulator did not stop.
    #[error("the emulator at {endpoint} (process group {group}) still runs {waited_s} s after it was killed")]
    EmulatorStop {
        /// Its address.
        endpoint: String,
        /// Its process group.
        group: i32,
        /// How long it was given.
        waited_s: u64,
    },
    /// `AWS_ENDPOINT_URL` names an endpoint that does not answer.
    #[error(
        "AWS_ENDPOINT_URL is {endpoint}, which does not answer ({cause}): start it, or unset AWS_ENDPOINT_URL to use the embedded emulator"
    )]
    EndpointUnreachable {
        /// The address given.
        endpoint: String,
        /// The last failure.
        cause: String,
    },
    /// `CHARTSEAL_STACK` names no kind of stack.
    #[error(
        "CHARTSEAL_STACK is {found}: it is embedded (or nothing) for the emulator as a process, docker for the emulator in a container, or \
         aws for a real account"
    )]
    UnknownStack {
        /// Its value.
        found: String,
    },
    /// Two variables ask for two stacks.
    #[error(
        "CHARTSEAL_STACK is {stack}, and {other} names another stack: unset {other}, or unset CHARTSEAL_STACK to use it"
    )]
    TwoStacks {
        /// The value of `CHARTSEAL_STACK`.
        stack: String,
        /// The other variable.
        other: &'static str,
    },
    /// `CHARTSEAL_IMAGE` without a container.
    #[error(
        "CHARTSEAL_IMAGE names an image, but no container is asked for: set CHARTSEAL_STACK=docker too, or unset it"
    )]
    ImageWithoutDocker,
    /// An image of neither emulator that we know how to start.
    #[error(
        "CHARTSEAL_IMAGE is {found}: its name has neither `ministack` nor `localstack` in it, so how to start it is not known; tag it so"
    )]
    UnknownImage {
        /// Its name.
        found: String,
    },
    /// `requirements.txt` does not pin the emulator.
    #[error("{path} has no line `ministack[full]==VERSION`: the image is named after that version")]
    NoPin {
        /// The file.
        path: PathBuf,
    },
    /// No container engine answers.
    #[error(
        "CHARTSEAL_STACK is docker, but no container engine answers:\n{}\n\
         Start one (Debian and Ubuntu: `apt install docker.io`, then `systemctl start docker`), name its socket in DOCKER_HOST \
         (`unix:///run/docker.sock`), or unset CHARTSEAL_STACK to use the embedded emulator",
        .tried.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n")
    )]
    NoEngine {
        /// Each address that was asked, and what came of it.
        tried: Vec<String>,
    },
    /// The image's emulator cannot run the whole stack.
    #[error(
        "a vault cannot be deployed in {image}: LocalStack's community image has no API Gateway v2, and runs functions only in further containers. \
         The contract of the adapters runs there: `cargo test -p chartseal-infra --test contract`. For everything, unset CHARTSEAL_IMAGE"
    )]
    NoApi {
        /// The image.
        image: String,
    },
    /// `CHARTSEAL_STACK=aws` where an emulator is needed.
    #[error(
        "CHARTSEAL_STACK is aws: on a real account the contract of the adapters runs, and nothing else here: \
         `cargo test -p chartseal-infra --test contract`. A vault on AWS is deployed with SAM (docs/DEPLOY.md)"
    )]
    NotOnAws,
    /// `CHARTSEAL_STACK_FILE` names a file that describes no stack.
    #[error(
        "CHARTSEAL_STACK_FILE is {path}, which describes no stack ({source}): `cargo xtask up` writes one, or unset it"
    )]
    StackFile {
        /// The file.
        path: PathBuf,
        /// Why it is not what was expected.
        source: serde_json::Error,
    },
    /// A stack that stays is already up.
    #[error("a local stack is already up at {endpoint}: use it, or stop it first with `cargo xtask down`")]
    AlreadyUp {
        /// Its address.
        endpoint: String,
    },
    /// CloudFormation, S3 or a bridge refused the deployment.
    #[error("deploying {stack_name} failed: {cause}\n{advice}")]
    Deploy {
        /// The stack.
        stack_name: String,
        /// The first failure, as the service told it.
        cause: String,
        /// What to do next.
        advice: String,
    },
    /// A question to the running stack (logs, an invocation) failed.
    #[error("asking the stack for {question} failed: {cause}")]
    Ask {
        /// What was asked.
        question: String,
        /// The service's answer.
        cause: String,
    },
    /// One of our own scripts answered something that is not its JSON.
    #[error("{script} gave an answer that cannot be read ({source}): {answer}")]
    Answer {
        /// The script.
        script: &'static str,
        /// The start of what it printed.
        answer: String,
        /// Why it is not what was expected.
        source: serde_json::Error,
    },
}

impl Error {
    /// For `map_err`: a failure on a file or folder.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// For `map_err`: a program that cannot be started.
    pub(crate) fn spawn(program: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let program = program.into();
        move |source| Self::Spawn { program, source }
    }
}
