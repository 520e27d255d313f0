//! The local stack as the commands use it: prepared, started, described in a file, left up, taken down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chartseal_local::{Error, LocalStack, Options, Witness, Workspace, build, install, prerequisites};
use serde_json::{Value, json};

use crate::process::{Failure, root};
use crate::wallets::Wallets;
use crate::witnesses;

/// Where `up` keeps wallets and the stack's description.
const UP_FOLDER: &str = ".local/up";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let advice = match &error {
            Error::Prerequisites(_) => "install what is listed, then run it again".to_owned(),
            Error::Step { advice, .. } => advice.clone(),
            Error::NoEngine { .. } => "one that is asked for and absent is never skipped".to_owned(),
            Error::NotOnAws | Error::NoApi { .. } => "docs/TESTING.md says what runs where".to_owned(),
            Error::Deploy { advice, cause, stack_name } => {
                return Self::new(format!("deploying {stack_name} failed: {cause}"), advice.clone());
            }
            _ => "mend that, then run it again; logs of the emulator are in .local/run".to_owned(),
        };
        Self::new(error.to_string(), advice)
    }
}

/// The checkout with everything in it that a stack needs, and the folder of released binaries.
pub fn prepare() -> Result<(Workspace, PathBuf), Failure> {
    prerequisites()?;
    let workspace = Workspace::find()?;
    // What is absent is told before minutes of building.
    LocalStack::asked_for(&workspace)?;
    install(&workspace)?;
    let binaries = build(&workspace)?;
    Ok((workspace, binaries))
}

/// Starts and deploys a stack whose first operator holds this key.
pub fn start(workspace: &Workspace, binaries: &Path, operator_key: &str) -> Result<LocalStack, Failure> {
    let options = Options::new(binaries.to_path_buf()).with("OperatorKeys", operator_key);
    Ok(LocalStack::start(workspace, &options)?)
}

/// What deploying took, of the time that starting took.
pub fn deploy_time(stack: &LocalStack) -> Duration {
    let total_ms = stack.outputs().timings_ms.get("total").copied().unwrap_or_default();
    Duration::from_secs_f64(total_ms.max(0.0) / 1e3)
}

/// What another process needs to use a running stack (`CHARTSEAL_STACK_FILE`).
pub fn describe(stack: &LocalStack, wallets: &Wallets) -> Value {
    json!({
        "endpoint": stack.endpoint(),
        "api": stack.api(),
        "outputs": stack.outputs(),
        "operator_wallet": wallets.file("operator"),
        "passphrase_file": wallets.passphrase_file(),
        "client": wallets.client(),
    })
}

/// Writes the description into a folder and returns its path.
pub fn write_description(folder: &Path, description: &Value) -> Result<PathBuf, Failure> {
    let path = folder.join("stack.json");
    fs::write(&path, format!("{description:#}\n"))
        .map_err(|error| Failure::new(format!("{}: {error}", path.display()), "is the folder yours to write?"))?;
    Ok(path)
}

/// Writes the environment in which functions run outside the emulator, as `cargo lambda watch --env-file` reads it.
fn write_environment(folder: &Path, variables: &BTreeMap<String, String>) -> Result<(), Failure> {
    let path = folder.join("functions.env");
    let lines: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    fs::write(&path, lines.concat())
        .map_err(|error| Failure::new(format!("{}: {error}", path.display()), "is the folder yours to write?"))
}

/// Leaves a stack up and says how to use it.
pub fn leave_up(stack: &mut LocalStack, wallets: &Wallets) -> Result<(), Failure> {
    let description = describe(stack, wallets);
    write_description(wallets.folder(), &description)?;
    write_environment(wallets.folder(), &stack.function_environment()?)?;
    stack.detach()?;
    println!("{}", usage(stack.api(), wallets));
    Ok(())
}

/// One stack at a time can stay: another one's record must not be lost.
pub fn none_is_up() -> Result<(), Failure> {
    match LocalStack::attach(&Workspace::find()?)? {
        None => Ok(()),
        Some(stack) => {
            let advice = "use it, or end it with `cargo xtask down`";
            Err(Failure::new(format!("a stack is up already: {}", stack.api()), advice))
        }
    }
}

/// `cargo xtask up`.
pub fn up(witnesses: usize) -> Result<(), Failure> {
    none_is_up()?;
    let (workspace, binaries) = prepare()?;
    let wallets = Wallets::create(&root().join(UP_FOLDER), &binaries)?;
    let mut stack = start(&workspace, &binaries, &wallets.create_operator()?)?;
    wallets.connect_operator(stack.api())?;
    let witnesses = witnesses::start(witnesses, &workspace, &mut stack, &wallets, Options::new(binaries))
        .inspect_err(|_| witnesses::stop(wallets.folder()))?;
    leave_up(&mut stack, &wallets)?;
    if !witnesses.is_empty() {
        println!("{}", watched(&witnesses, &wallets));
    }
    Ok(())
}

fn watched(witnesses: &[Witness], wallets: &Wallets) -> String {
    let each = witnesses.iter().map(|witness| format!("  {}/status  {}\n", witness.url, witness.key));
    let keys = witnesses.iter().map(|witness| format!(" --witness {}", witness.key));
    format!(
        "\n{} witnesses judge every event, and more than half of them must cosign a head ({}/witness-*.log):\n{}\n\
         The newest head that they have cosigned:\n  {} --wallet {} --passphrase-file {} ledger checkpoint{} --quorum {}",
        witnesses.len(),
        wallets.folder().display(),
        each.collect::<String>(),
        wallets.client().display(),
        wallets.file("operator").display(),
        wallets.passphrase_file().display(),
        keys.collect::<String>(),
        witnesses.len() / 2 + 1,
    )
}

/// `cargo xtask down`.
pub fn down() -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    match LocalStack::attach(&workspace)? {
        Some(stack) => {
            let api = stack.api().to_owned();
            stack.stop()?;
            println!("stopped {api}");
        }
        None => println!("no stack is up"),
    }
    // Its wallets know a vault that is no more, and its witnesses a log.
    let folder = root().join(UP_FOLDER);
    witnesses::stop(&folder);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .map_err(|error| Failure::new(format!("{}: {error}", folder.display()), "remove the folder by hand"))?;
    }
    Ok(())
}

fn usage(api: &str, wallets: &Wallets) -> String {
    let call = format!(
        "{} --wallet {} --passphrase-file {}",
        wallets.client().display(),
        wallets.file("operator").display(),
        wallets.passphrase_file().display()
    );
    format!(
        "\n\
         The stack is up and stays up.\n\
         \n\
         API      {api}\n\
         wallets  {folder} (operator.wallet; the passphrase is in the file `passphrase`)\n\
         stack    {folder}/stack.json (for tests: CHARTSEAL_STACK_FILE)\n\
         env      {folder}/functions.env (for functions outside: cargo lambda watch --env-file)\n\
         \n\
         Try:\n\
         \x20 curl '{api}/healthz'\n\
         \x20 {call} provider invite --note 'St. Anna'\n\
         \x20 {call} request list\n\
         \n\
         End it with: cargo xtask down",
        folder = wallets.folder().display(),
    )
}
