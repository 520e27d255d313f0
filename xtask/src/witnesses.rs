//! Witnesses beside a stack that stays: made and started for `up --witnesses`, found again and ended by `down`.

use std::fs;
use std::path::Path;

use chartseal_local::{LocalStack, Options, Witness, WitnessMaking, Workspace, witness_parameters, witness_program};

use crate::process::Failure;
use crate::wallets::Wallets;

/// What `down` finds them by, beside the wallets.
const RECORD: &str = "witnesses.json";

/// Starts so many witnesses of the stack's log, each of which reads events with an auditor's wallet, and tells the stack about them. More than half of them must
/// have cosigned.
pub fn start(
    count: usize,
    workspace: &Workspace,
    stack: &mut LocalStack,
    wallets: &Wallets,
    options: Options,
) -> Result<Vec<Witness>, Failure> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let program = witness_program(workspace)?;
    let file = wallets.file("auditor");
    let init = ["operator".as_ref(), "init".as_ref(), "--out".as_ref(), file.as_os_str()];
    let key = wallets.run("auditor", &init)?.text("operator_key")?;
    wallets.run("operator", &["operator", "add-auditor", &key])?;
    wallets.run("auditor", &["operator", "connect", "--api", stack.api()])?;
    let mut witnesses = Vec::new();
    for number in 1..=count {
        let (name, folder) = (format!("witness-{number}.local"), wallets.folder().join(format!("witness-{number}")));
        let passphrase_file = wallets.passphrase_file();
        let making = WitnessMaking { folder: &folder, name: &name, wallet: &file, passphrase_file: &passphrase_file };
        // The process stays, as the stack does.
        let (witness, _) = Witness::start(&program, &making)?;
        let path = folder.with_extension("vkey");
        fs::write(&path, format!("{}\n", witness.key)).map_err(unwritable(&path))?;
        witnesses.push(witness);
        // As many as there are, so that `down` finds them if the next one does not start.
        let path = wallets.folder().join(RECORD);
        let record = serde_json::to_string_pretty(&witnesses).unwrap_or_default();
        fs::write(&path, record + "\n").map_err(unwritable(&path))?;
    }
    let mut options = options;
    options.parameters.extend(witness_parameters(&witnesses, count / 2 + 1));
    stack.update(&options)?;
    Ok(witnesses)
}

/// Ends those that `up` has left in this folder.
pub fn stop(folder: &Path) {
    let record = fs::read_to_string(folder.join(RECORD)).unwrap_or_default();
    let witnesses: Vec<Witness> = serde_json::from_str(&record).unwrap_or_default();
    witnesses.iter().for_each(Witness::stop);
}

fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.to_owned();
    move |error| Failure::new(format!("{}: {error}", path.display()), "is the folder yours to write?")
}
