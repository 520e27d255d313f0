//! What a person does with a vault, from their own machine: keep a wallet, sign commands, encrypt before anything leaves, and check
//! everything that comes back.
//!
//! In scope: wallets, the HTTP client, uploads, downloads, searches and requests. The binary `chartseal` is a thin face of this library.
//! Not in scope: anything a server runs. This crate links no server code, so a check made here does not rest on the vault's word.
//!
//! ```no_run
//! use chartseal_cli::{Client, Invitation, Person, Vault, Wallet};
//!
//! let operator = Client::new(Vault::discover("https://vault.example")?, Wallet::generate()?);
//! let invited = operator.invite(None, 7)?;
//! let invitation: Invitation = invited.invitation;
//! let mut ann = Client::new(Vault::new(invitation.vault.clone())?, Wallet::generate()?);
//! let who = Person { organisation: "St. Anna", name: "Ann", phone: "+43 1 1", email: None };
//! ann.register(&invitation, &who)?;
//! # Ok::<(), chartseal_cli::Error>(())
//! ```
#![forbid(unsafe_code)]

mod access;
mod announcement;
mod audited_log;
mod blocks;
mod client;
mod clock;
mod content;
mod difference;
mod download;
mod error;
mod export;
mod heads;
mod http;
mod invitation;
mod ledger;
pub mod media;
mod nameless;
mod opening;
mod patience;
mod people;
mod pipe;
mod progress;
mod receipt;
mod records;
mod s3_error;
mod search;
mod state;
mod tampering;
mod transfers;
mod upload;
mod vault;
pub mod wallet;

pub use access::{CheckedRequest, NewRequest};
pub use audited_log::AuditedLog;
pub use blocks::SealedBlock;
pub use client::{Answer, Call, Client, SignedCommand, Taken};
pub use content::Content;
pub use difference::{Change, Difference, Standing, difference};
pub use download::unfinished::{Noted, UnfinishedDownload};
pub use download::{Download, DownloadOf};
pub use error::{Error, Exit, printable};
pub use export::{ExportKey, Exported, KeyFile};
pub use heads::{Heads, Which, machine_s};
pub use http::RawAnswer;
pub use invitation::{Invitation, InvitationError};
pub use ledger::{MAX_RECEIPT_BYTES, ProvenEvent, read_event, read_receipts, verify_proof_file};
pub use patience::Patience;
pub use people::{CheckedProvider, Invited, KnownParty, Person};
pub use progress::{Progress, Silent, Stage};
pub use records::CheckedRecord;
pub use search::{Found, Hit};
pub use state::{STATE_VARIABLE, State};
pub use tampering::Tampering;
pub use transfers::Transfers;
pub use upload::{Created, NewRecord, Spooled, Unfinished, Uploaded};
pub use vault::{Vault, VaultPin};
pub use wallet::{Identity, Passphrase, Wallet, WalletError, WalletFile, WalletHead};
