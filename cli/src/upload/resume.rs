//! An upload from beginning to end, over as many runs of the program as it takes.
//!
//! What was reached stands in a slot of the state folder: the ciphertext and a journal. It is gone on with if the file is still the one that was
//! encrypted; a file that was edited is a new encryption run for the same version, and what is of no use is put aside. The slot's name is a keyed
//! hash of what is uploaded, so that no path, label or term can be read or guessed from it.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};

use chartseal_envelope::{FrameBytes, SealError, body_bytes};
use chartseal_events::wire::AnnouncedUpload;
use chartseal_events::{Code, Event, Hash, Id, Outcome, StreamId};
use chartseal_ledger::terms::Token;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::journal::{Journal, Run};
use super::parts::Parts;
use super::slot_key::SlotKey;
use super::{Created, NewRecord, Spooled, Uploaded, unfinished};
use crate::client::Client;
use crate::error::Error;
use crate::progress::{Counted, Progress, Stage};
use crate::records::CheckedRecord;
use crate::state::{BODY, JOURNAL, Slot};
use crate::tampering::Tampering;

/// How often a run is announced for a fresh address.
const MAX_ADDRESSES: u32 = 4;
/// How much of a file is read at once.
const READ_BYTES: usize = 256 * 1024;

/// What a file becomes.
#[derive(Clone, Copy)]
enum Target {
    NewRecord,
    VersionOf(Id),
}

/// One file on its way.
struct Job<'a> {
    client: &'a Client,
    target: Target,
    new: &'a NewRecord<'a>,
    tokens: &'a [Token],
    slot: &'a Slot,
    key: &'a SlotKey,
    progress: &'a dyn Progress,
    /// What this run of the program did itself, and need not take for another's.
    created_here: Cell<bool>,
    encrypted_here: Cell<bool>,
}

/// What an earlier run of the program left.
enum Found {
    /// Nothing of use.
    Nothing,
    /// A version with a data key.
    Keyed(Journal, Box<Created>),
    /// Ciphertext of this very file, and the file's SHA-256.
    Encrypted(Journal, Hash),
    /// It was all done, and only the last answer was not seen.
    Arrived(Box<Uploaded>),
}

impl Client {
    /// Uploads a file as a new record; goes on where an earlier run of the program stopped.
    pub fn upload(&self, new: &NewRecord<'_>, progress: &dyn Progress) -> Result<Uploaded, Error> {
        self.upload_to(Target::NewRecord, new, progress)
    }

    /// Uploads a file as a new version of one's own record; goes on where an earlier run of the program stopped.
    pub fn upload_version(&self, record: Id, new: &NewRecord<'_>, progress: &dyn Progress) -> Result<Uploaded, Error> {
        self.upload_to(Target::VersionOf(record), new, progress)
    }

    fn upload_to(&self, target: Target, new: &NewRecord<'_>, progress: &dyn Progress) -> Result<Uploaded, Error> {
        // Before anything is created: a record that is never announced would stand open for ever.
        let file = new.checked_file()?;
        let tokens = self.record_tokens(new.terms)?;
        let slots = self.transfers.state.slots(unfinished::UPLOADS)?;
        unfinished::sweep(&slots);
        crate::download::unfinished::sweep_state(&self.transfers.state);
        let key = &SlotKey::of(self.wallet.signing_key());
        let name = self.slot_name(key, target, new, &tokens)?;
        let slot = slots.claim(&name)?.ok_or(Error::UploadBusy)?;
        let (created_here, encrypted_here) = Default::default();
        let tokens = &tokens;
        let slot_ref = &slot;
        let job =
            Job { client: self, target, new, tokens, slot: slot_ref, key, progress, created_here, encrypted_here };
        let uploaded = job.run(&file)?;
        slot.remove();
        Ok(uploaded)
    }

    /// The slot of what is uploaded: a keyed hash, so that a stolen folder answers no guesses.
    fn slot_name(&self, key: &SlotKey, target: Target, new: &NewRecord<'_>, tokens: &[Token]) -> Result<String, Error> {
        let path = new.path.canonicalize().map_err(Error::file(new.path))?;
        let target = match target {
            Target::NewRecord => String::new(),
            Target::VersionOf(record) => record.to_string(),
        };
        let kid = self.wallet.kid().to_string();
        let mut tokens: Vec<_> = tokens.iter().map(Token::to_string).collect();
        tokens.sort();
        let tokens = tokens.join(" ");
        let label = new.label.map(|label| format!("label {label}")).unwrap_or_default();
        let pin = self.vault.pin();
        let fields: [&[u8]; 7] = [
            &pin.genesis.0,
            kid.as_bytes(),
            target.as_bytes(),
            path.as_os_str().as_encoded_bytes(),
            new.media_type.as_bytes(),
            label.as_bytes(),
            tokens.as_bytes(),
        ];
        Ok(key.mac("slot", &fields).to_string())
    }
}

impl Job<'_> {
    fn run(&self, file: &File) -> Result<Uploaded, Error> {
        match self.once(file) {
            // Once more, from what is of use.
            Err(Error::SpoolDamaged) => self.forget_run()?,
            Err(error) if error.is_refusal(Code::UploadMismatch) => self.forget_run()?,
            Err(error) if error.is_refusal(Code::TooManyAnnouncements) => self.slot.clear()?,
            // By which run, the evidence tells: this one, or one of the file as it was before.
            Err(error) if error.is_refusal(Code::VersionUploaded) => return self.once(file),
            outcome => return outcome,
        }
        self.progress.note("what was encrypted earlier is of no use: the file is encrypted again");
        self.once(file)
    }

    fn forget_run(&self) -> Result<(), Error> {
        let Some(mut journal) = Journal::read(self.slot, self.key)? else { return self.slot.clear() };
        journal.run = None;
        journal.write(self.slot, self.key)
    }

    fn once(&self, file: &File) -> Result<Uploaded, Error> {
        let (mut journal, sha256) = match self.take_up(file)? {
            Found::Arrived(uploaded) => return Ok(*uploaded),
            Found::Encrypted(journal, sha256) => (journal, sha256),
            Found::Keyed(journal, created) => self.encrypt(journal, &created, file)?,
            Found::Nothing => {
                let created = self.create()?;
                let now_ms = self.client.vault.now_ms();
                let journal = Journal::new(self.client.vault.pin(), self.client.wallet.kid(), &created, now_ms);
                journal.write(self.slot, self.key)?;
                self.encrypt(journal, &created, file)?
            }
        };
        self.deliver(&mut journal)?;
        let run = journal.run.as_ref().ok_or(Error::SpoolDamaged)?;
        let (arrived, event) = self.client.wait_arrived(journal.record, journal.version)?;
        if arrived == run.announcement.message_id.0 {
            return Ok(self.uploaded(&journal, run, sha256, event));
        }
        // Another run of this version, signed by one of our own people: of somebody who took it over, or of this program with the file as it was before.
        Err(Error::refusal(Code::VersionUploaded))
    }

    fn create(&self) -> Result<Created, Error> {
        match self.target {
            Target::NewRecord => self.client.create_record(),
            Target::VersionOf(record) => match self.client.create_version(record) {
                Err(error) if error.is_refusal(Code::VersionOpen) && self.client.transfers.take_over => {
                    // Not created here: what was begun elsewhere may still arrive before this does.
                    return self.take_over(record);
                }
                created => created,
            },
        }
        .inspect(|_| self.created_here.set(true))
    }

    /// The latest version of a record, which nothing has arrived of: another encryption run of it, under its own data key. The vault allows several
    /// runs of a version, and takes the one that arrives first.
    fn take_over(&self, record: Id) -> Result<Created, Error> {
        let checked = self.client.record(record)?;
        let state = checked.record()?;
        if Some(state.owner) != self.client.wallet.provider() {
            return Err(Tampering::NotTheOwner.into());
        }
        let latest = u32::try_from(state.versions.len()).ok().and_then(|number| Some((number, state.version(number)?)));
        let (number, version) = latest.ok_or(Tampering::NotShown("the version"))?;
        if version.current().is_some() {
            return Err(Error::refusal(Code::VersionUploaded));
        }
        let event = created_event(&checked, record, number).ok_or(Tampering::NotShown("the version"))?;
        let (key, wrapped_key) = self.client.owner_keys(record, number, &version.wrapped_sha256)?;
        let context = self.client.context(record, number)?;
        self.progress.note(&format!("record {record} version {number} was begun elsewhere: it is made of this file"));
        Ok(Created { record, version: number, key, wrapped_key, context, event })
    }

    /// Encrypts into the slot, and writes down that it is done once the ciphertext is durable.
    fn encrypt(&self, mut journal: Journal, created: &Created, file: &File) -> Result<(Journal, Hash), Error> {
        // Half a ciphertext only takes room, perhaps the last there was.
        let spooled = self.spool(created, file).inspect_err(|_| self.slot.discard(BODY))?;
        self.encrypted_here.set(true);
        journal.run = Some(Run::new(&journal, self.new.media_type, &spooled.sealed, &spooled.sha256, self.key));
        journal.write(self.slot, self.key)?;
        Ok((journal, spooled.sha256))
    }

    fn spool(&self, created: &Created, mut file: &File) -> Result<Spooled, Error> {
        let failed = || Error::file(self.new.path);
        let before = file.metadata().map_err(failed())?;
        file.seek(SeekFrom::Start(0)).map_err(failed())?;
        let body = self.slot.create(BODY)?;
        self.progress.begin(Stage::Encrypt, before.len(), 0);
        let plaintext = Counted::new(file, self.progress);
        let spooled = created.spool_into(body, plaintext);
        self.progress.end();
        let kept = || Error::spool(self.slot.file(BODY));
        let spooled = spooled.map_err(|error| match error {
            Error::Seal(SealError::Write(source)) => kept()(source),
            Error::Seal(SealError::Read(source)) => failed()(source),
            other => other,
        });
        let spooled = spooled.map_err(|error| error.needing(body_bytes(before.len(), FrameBytes::DEFAULT)))?;
        // Half of one state and half of another is no record.
        let after = file.metadata().map_err(failed())?;
        let modified = after.modified().ok() != before.modified().ok();
        if modified || after.len() != before.len() || spooled.sealed.plaintext_bytes != before.len() {
            return Err(Error::FileChanged(self.new.path.to_owned()));
        }
        spooled.body.sync_all().map_err(kept())?;
        Ok(spooled)
    }

    /// Announces and sends, until the store has all of it.
    fn deliver(&self, journal: &mut Journal) -> Result<(), Error> {
        for last in (0..MAX_ADDRESSES).map(|round| round + 1 == MAX_ADDRESSES) {
            let run = journal.run.as_ref().ok_or(Error::SpoolDamaged)?;
            let (tokens, label) = (self.tokens, self.new.label);
            let sent = match self.client.announce_run(&run.announcement, &run.header(), tokens, label) {
                Ok(announced) => self.send(journal, &announced.event, &announced.answer),
                Err(error) => Err(error),
            };
            match sent {
                Err(Error::UploadExpired) if !last => {}
                Err(error) if error.is_refusal(Code::UploadExpired) && !last => {}
                Err(error) if error.is_refusal(Code::NotAnnounced) && !last => {}
                sent => return sent,
            }
        }
        Err(Error::UploadExpired)
    }

    fn send(&self, journal: &mut Journal, event: &Event, answer: &AnnouncedUpload) -> Result<(), Error> {
        let Outcome::RecordAnnounced(outcome) = &event.outcome else {
            return Err(Tampering::ReceiptOutcome(event.place).into());
        };
        let run = journal.run.as_mut().ok_or(Error::SpoolDamaged)?;
        run.expires_at_ms = Some(outcome.expires_at);
        let (body_bytes, parts_root) = (run.announcement.body_bytes, run.announcement.parts_root.0);
        let single = run.parts.len() == 1;
        journal.write(self.slot, self.key)?;
        match (&answer.upload, &answer.parts) {
            (Some(call), None) if single => {
                let body = self.slot.open(BODY)?.ok_or(Error::SpoolDamaged)?;
                let is_whole = || super::is_whole(&body, parts_root).map_err(Error::spool(self.slot.file(BODY)));
                self.client.put_body(call, &body, body_bytes, self.progress, is_whole)
            }
            (None, Some(plan)) if !single => {
                let Self { client, slot, key, progress, .. } = *self;
                Parts { client, slot, key, journal, progress }.send(plan)
            }
            _ => Err(Tampering::AnswerDiffers("how the body is sent").into()),
        }
    }

    /// Looks at what is in the slot, and holds it to the vault's evidence and to the file.
    fn take_up(&self, file: &File) -> Result<Found, Error> {
        let found = if let Some(journal) = Journal::read(self.slot, self.key)? {
            self.hold_to_evidence(journal, file)?
        } else {
            if self.slot.file(JOURNAL).exists() {
                self.progress.note("what an earlier run left was changed or cannot be read: it is begun anew");
            }
            Found::Nothing
        };
        if matches!(found, Found::Nothing) {
            self.slot.clear()?;
        }
        Ok(found)
    }

    fn hold_to_evidence(&self, mut journal: Journal, file: &File) -> Result<Found, Error> {
        let Some(checked) = self.look_up(&journal)? else { return Ok(Found::Nothing) };
        let version = checked.record()?.version(journal.version);
        let wrapped = journal
            .wrapped_key()
            .filter(|key| version.is_some_and(|version| Hash::of(&[key.ciphertext()]) == version.wrapped_sha256));
        let (Some(version), Some(wrapped_key)) = (version, wrapped) else { return Ok(Found::Nothing) };
        let (record, number) = (journal.record, journal.version);
        let anew = self.client.transfers.fresh && !self.encrypted_here.get();
        let same = if anew { None } else { self.same_file(&journal, file)? };
        if let Some((announced, uploaded_at)) = version.current() {
            let stream = StreamId::Record(record);
            let event = checked.sound.event(&stream, uploaded_at.seq).ok_or(Tampering::NotShown("the upload"))?;
            return Ok(match (&journal.run, same) {
                (Some(run), Some(sha256)) if run.announcement.message_id == announced.announcement.message_id => {
                    self.progress.note(&format!("record {record} version {number} had arrived already"));
                    Found::Arrived(Box::new(self.uploaded(&journal, run, sha256, event.clone())))
                }
                _ => {
                    self.progress.note(&format!("record {record} version {number} arrived as the file was before"));
                    Found::Nothing
                }
            });
        }
        if let Some(sha256) = same {
            self.progress.note(&format!("resuming: record {record} version {number} was begun earlier"));
            return Ok(Found::Encrypted(journal, sha256));
        }
        if journal.run.take().is_some() {
            self.progress
                .note("the file was changed, its ciphertext is not whole any more, or it is to be sent afresh: it is encrypted again for the same record");
            journal.write(self.slot, self.key)?;
        }
        let event = created_event(&checked, record, number).ok_or(Tampering::NotShown("the version"))?;
        let key = self.client.owner_key(record, number, &version.wrapped_sha256)?;
        let context = self.client.context(record, number)?;
        let created = Created { record, version: number, key, wrapped_key, context, event };
        Ok(Found::Keyed(journal, Box::new(created)))
    }

    /// The record of a journal that is this wallet's, at this vault.
    fn look_up(&self, journal: &Journal) -> Result<Option<CheckedRecord>, Error> {
        let (vault, wallet) = (&self.client.vault, &self.client.wallet);
        let ours =
            (&*journal.origin, journal.genesis, journal.kid) == (vault.origin(), vault.pin().genesis, wallet.kid());
        if !ours {
            return Ok(None);
        }
        match self.client.record(journal.record) {
            Ok(checked) => {
                Ok(Some(checked.record()?.owner).filter(|owner| Some(*owner) == wallet.provider()).map(|_| checked))
            }
            Err(error) if error.is_refusal(Code::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file's SHA-256, if there is a whole ciphertext and the file is the one that it was made of. Sizes first: they are cheap.
    fn same_file(&self, journal: &Journal, mut file: &File) -> Result<Option<Hash>, Error> {
        let Some(run) = &journal.run else { return Ok(None) };
        let failed = || Error::file(self.new.path);
        let spooled = self.slot.open(BODY)?.and_then(|body| body.metadata().ok()).map(|metadata| metadata.len());
        let size = file.metadata().map_err(failed())?.len();
        if spooled != Some(run.announcement.body_bytes) || size != run.plaintext_bytes {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(0)).map_err(failed())?;
        self.progress.begin(Stage::Compare, size, 0);
        let read = sha256_of(Counted::new(file, self.progress));
        self.progress.end();
        let sha256 = read.map_err(failed())?;
        Ok(Some(sha256).filter(|sha256| run.is_of(sha256, self.key)))
    }

    fn uploaded(&self, journal: &Journal, run: &Run, sha256: Hash, event: Event) -> Uploaded {
        Uploaded {
            record: journal.record,
            version: journal.version,
            sha256,
            plaintext_bytes: run.plaintext_bytes,
            resumed: !self.created_here.get(),
            event,
        }
    }
}

/// The SHA-256 of a plaintext, which stays nowhere in memory.
fn sha256_of(mut plaintext: impl Read) -> io::Result<Hash> {
    let mut buffer = Zeroizing::new(vec![0; READ_BYTES]);
    let mut digest = Sha256::new();
    loop {
        match plaintext.read(&mut buffer) {
            Ok(0) => return Ok(Hash(digest.finalize().into())),
            Ok(read) => digest.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn created_event(checked: &CheckedRecord, record: Id, version: u32) -> Option<Event> {
    let events = checked.sound.events.get(&StreamId::Record(record))?;
    let created =
        |event: &&Event| matches!(&event.outcome, Outcome::RecordCreated(created) if created.version == version);
    events.iter().find(created).cloned()
}
