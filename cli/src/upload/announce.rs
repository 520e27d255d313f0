//! Announcing a run, also again: for a fresh address, or by a later run of the program, whose command is another one than the vault has.

use chartseal_events::command::Announcement;
use chartseal_events::wire::AnnouncedUpload;
use chartseal_events::{Event, Kid};
use chartseal_ledger::terms::Token;

use crate::client::{Call, Client, Taken};
use crate::error::Error;
use crate::receipt;
use crate::tampering::Tampering;

impl Client {
    /// Announces a run, perhaps not for the first time: while the vault waits for it, the answer has the event of the first announcement.
    pub(super) fn announce_run(
        &self,
        signed: &Announcement,
        header: &[u8],
        tokens: &[Token],
        label: Option<&str>,
    ) -> Result<Taken<AnnouncedUpload>, Error> {
        let tokens = tokens.iter().map(Token::to_string).collect::<Vec<_>>().join(" ");
        let mut private = vec![("tokens", tokens.as_str())];
        private.extend(label.map(|label| ("label", label)));
        let path = format!("/records/{}/upload", signed.record);
        let call = Call { path: &path, action: signed.clone().into(), private: &private, header: Some(header) };
        let (answer, resent, sent) = self.exchange(&call)?;
        let answer: AnnouncedUpload = answer.read()?;
        let event = match receipt::check(&answer.event, &sent.command) {
            Err(Tampering::ReceiptCommand(_)) => self.earlier_announcement(&answer, signed)?,
            checked => checked?,
        };
        self.keep(&answer.event)?;
        Ok(Taken { answer, event, resent })
    }

    /// The event of an earlier announcement of the very same run. That it is one, and that somebody of the record's owner signed it, is shown by
    /// the record's evidence, not by the receipt.
    fn earlier_announcement(&self, answer: &AnnouncedUpload, signed: &Announcement) -> Result<Event, Error> {
        let event = receipt::announcing(&answer.event, signed)?;
        let checked = self.record(signed.record)?;
        let shown = checked.sound.event(&event.place.stream, event.place.seq);
        if shown.is_none_or(|shown| shown.leaf != event.leaf) {
            return Err(Tampering::NotShown("the earlier announcement").into());
        }
        let record = checked.record()?;
        let run = record.version(signed.version).and_then(|version| version.announced.get(&event.place.seq));
        let run = run.filter(|run| run.announcement == *signed).ok_or(Tampering::ReceiptOutcome(event.place))?;
        let by_owner = match run.by {
            Kid::Person(person) => checked.sound.view.staff(person).is_some_and(|staff| staff.provider == record.owner),
            Kid::Key(_) => false,
        };
        if by_owner && self.wallet.provider() == Some(record.owner) {
            Ok(event)
        } else {
            Err(Tampering::NotTheOwner.into())
        }
    }
}
