//! Searching: terms are blinded here, evaluated by the vault without learning them, unblinded here under a proof; the vault sees tokens only.

use std::collections::BTreeMap;

use chartseal_events::command::SearchPerform;
use chartseal_events::wire::{SearchHit, SearchResults, TokensRequest, TokensResponse};
use chartseal_events::{Action, Bytes, Event, EventRef, Outcome, StreamId};
use chartseal_ledger::terms::{BlindError, Blinding, OsRng, Query, Term, Token};

use crate::client::{Call, Client};
use crate::error::Error;
use crate::receipt;
use crate::tampering::Tampering;

/// A record that was found, with the signed event it was found by.
#[derive(Debug, Clone)]
pub struct Hit {
    /// What the vault shows of it; equal to what its uploader signed.
    pub hit: SearchHit,
    /// `record.announced.v1`
    pub event: Event,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The records, newest first.
    pub hits: Vec<Hit>,
    /// `search.performed.v1`
    pub event: Event,
}

impl Client {
    /// The tokens of these terms, in their order. Each is proven to be made with the search key of the pinned genesis event.
    pub fn tokens(&self, terms: &[Term]) -> Result<Vec<Token>, Error> {
        let key = self.vault.genesis()?.search_key;
        let (blinding, blinded) = Blinding::new(terms.iter().cloned(), &mut OsRng).map_err(Error::Blind)?;
        let question = TokensRequest { blinded: blinded.into_iter().map(Bytes).collect() };
        let answer: TokensResponse = self.ask("/tokens", &question)?;
        let evaluated: Vec<[u8; 32]> = answer.evaluated.iter().map(|element| element.0).collect();
        blinding.finish(&evaluated, &answer.proof.0, &key.0).map_err(|error| match error {
            BlindError::Unblindable => Error::Blind(error),
            _ => Tampering::Tokens(error).into(),
        })
    }

    /// Searches. Every hit's event is checked; that nothing was left out, the vault does not prove yet.
    pub fn search(&self, query: &str) -> Result<Found, Error> {
        let query = Query::parse(query)?;
        if self.wallet.provider().is_none() {
            return Err(Error::WrongWallet("the wallet of a registered hospital; operators do not search"));
        }
        let terms: Vec<Term> = query.distinct_terms().into_iter().collect();
        let private = query.with_tokens(&self.tokens(&terms)?)?.to_json();
        let call = Call::new("/search", SearchPerform {});
        let taken = self.send::<SearchResults>(&call.private(&[("query", &private)]))?;
        let found = taken.answer.hits.len();
        let said = match &taken.event.outcome {
            Outcome::SearchPerformed(outcome) => usize::try_from(outcome.hits).ok(),
            _ => None,
        };
        // A search that was sent again has its first event and may find more since.
        if said != Some(found) && !taken.resent {
            return Err(Tampering::AnswerDiffers("how many records were found").into());
        }
        let hits = taken.answer.hits.into_iter().map(check_hit).collect::<Result<Vec<_>, _>>()?;
        Ok(Found { hits, event: taken.event })
    }
}

/// Holds a hit to the signed announcement in its event.
fn check_hit(hit: SearchHit) -> Result<Hit, Tampering> {
    let event = receipt::event_of(&hit.event)?;
    let place: EventRef = event.place;
    let (Outcome::RecordAnnounced(_), Some(command)) = (&event.outcome, &event.command) else {
        return Err(Tampering::Hit(place));
    };
    let Action::RecordAnnounce(announced) = &command.action else { return Err(Tampering::Hit(place)) };
    let same = place.stream == StreamId::Record(hit.record)
        && announced.record == hit.record
        && announced.version == hit.version
        && announced.media_type == hit.media_type
        && announced.body_bytes == hit.body_bytes
        && command.claims.act == Some(hit.owner)
        && event.at_ms == hit.at;
    if same { Ok(Hit { hit, event }) } else { Err(Tampering::Hit(place)) }
}

impl Found {
    /// The newest version found of each record.
    pub fn newest(&self) -> BTreeMap<chartseal_events::Id, u32> {
        let mut newest = BTreeMap::new();
        for Hit { hit, .. } in &self.hits {
            let version = newest.entry(hit.record).or_insert(hit.version);
            *version = hit.version.max(*version);
        }
        newest
    }
}
