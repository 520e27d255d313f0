//! How it ends: what is there when nothing is due any more, and whether two worlds came to the same.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::state::{AnnouncedStatus, RequestState, State};
use chartseal_events::{EventRef, Id, Outcome, StreamId};
use chartseal_infra::BlobKey;

use super::sound::check_sound;
use super::{Breach, Invariant, check};
use crate::world::World;

/// Everything that a vault holds, but for times, nonces, counters, what is still under way, and objects that nobody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    streams: BTreeMap<String, Vec<&'static str>>,
    index: BTreeMap<String, BTreeSet<(String, u64, u32)>>,
    keys: BTreeSet<String>,
    private: BTreeSet<String>,
    objects: BTreeMap<String, usize>,
    workflows: BTreeSet<String>,
    told: BTreeSet<String>,
}

impl Stock {
    /// Of a world, with the ids that clients know by their names there: two runs of a story make different ids.
    pub fn of(world: &World) -> Self {
        let mut names: Vec<(String, &str)> = world.cast.ids.iter().map(|(name, id)| (id.to_string(), *name)).collect();
        for (name, wallet) in &world.cast.wallets {
            if wallet.act.is_some() {
                names.push((wallet.person().to_string(), *name));
            }
        }
        for (name, body) in &world.cast.bodies {
            names.push((body.announcement.message_id.to_string(), *name));
        }
        let renamed = |text: String| names.iter().fold(text, |text, (id, name)| text.replace(id.as_str(), name));
        let vault = &world.vault;
        let mut streams: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
        let mut pinned = BTreeSet::new();
        for event in vault.events() {
            let stream = event.at.stream;
            // Which of a provider's search streams it is, a random id says.
            let name = match stream {
                StreamId::Search { provider, .. } => format!("search/{provider}"),
                stream => stream.to_string(),
            };
            let opened = world.known.open(&event);
            let outcome = opened.as_ref().map(|checked| &checked.event.outcome);
            if let (Some(Outcome::RecordUploaded(uploaded)), StreamId::Record(record)) = (outcome, stream) {
                let key = BlobKey { record, version: uploaded.version, announced: uploaded.announced };
                pinned.insert(key.to_string());
            }
            let typ = outcome.map_or("(unreadable)", Outcome::typ);
            streams.entry(renamed(name)).or_default().push(typ);
        }
        let entries = |entries: Vec<chartseal_infra::ports::IndexEntry>| {
            entries
                .into_iter()
                .map(|entry| (renamed(entry.event.stream.to_string()), entry.event.seq, entry.version))
                .collect()
        };
        let index = vault.index().into_iter().filter(|(_, list)| !list.is_empty());
        let keys = vault.keys().into_iter().map(|key| match key {
            chartseal_infra::ports::KeyItem::Wrapped { record, version, .. } => format!("{record}/{version}"),
            chartseal_infra::ports::KeyItem::Header { record, version, message_id, .. } => {
                format!("{record}/{version}/{message_id}")
            }
        });
        let place = |place: EventRef| match place.stream {
            StreamId::Search { provider, .. } => format!("search/{provider}"),
            _ => place.to_string(),
        };
        // What nobody waits for goes sooner or later; `check_drained` looks after that.
        let heads = vault.blob_heads().into_iter().filter(|(key, _)| pinned.contains(key));
        let of_token = |token: &str| token.rsplit(' ').next().unwrap_or_default().to_owned();
        Self {
            index: index.map(|(name, list)| (renamed(name), entries(list))).collect(),
            keys: keys.map(renamed).collect(),
            private: vault.private_parts().into_keys().map(|at| renamed(place(at))).collect(),
            objects: heads.map(|(key, heads)| (renamed(key), heads.len())).collect(),
            workflows: vault.workflow_starts().into_iter().map(|id: Id| renamed(id.to_string())).collect(),
            told: vault
                .told()
                .iter()
                .map(|(token, output)| renamed(format!("{}: {}", of_token(token), output["decision"])))
                .collect(),
            streams,
        }
    }

    /// Without the vault's own stream, to which bystanders write.
    pub fn without_the_vault(mut self) -> Self {
        self.streams.remove("vault");
        self.private.retain(|place| !place.starts_with("vault#"));
        self
    }

    /// Whether another world came to the same.
    pub fn same(&self, other: &Self) -> Result<(), Breach> {
        if self == other {
            return Ok(());
        }
        let lines = |stock: &Self| format!("{stock:#?}").lines().map(str::trim).map(str::to_owned).collect::<Vec<_>>();
        let (found, expected) = (lines(self), lines(other));
        let only = |these: &[String], those: &[String]| {
            these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>().join(" ")
        };
        let sizes = format!("{} lines for {}", found.len(), expected.len());
        let what = format!("{sizes}; here alone {}; missing {}", only(&found, &expected), only(&expected, &found));
        Err(Breach::new(Invariant::End, what))
    }
}

/// Lets all deadlines pass. Then nothing is open, and nothing is left that nobody needs.
pub async fn check_drained(mut world: World) -> Result<(), Breach> {
    world.drain().await?;
    check(&mut world)?;
    let vault = &world.vault;
    if let Some((key, _)) = vault.unfinished_uploads().first() {
        return Err(Breach::new(Invariant::Orphans, format!("an unfinished upload of {key}")));
    }
    let (_, view) = check_sound(&world.known, &vault.events())?;
    let mut pinned: BTreeMap<String, String> = BTreeMap::new();
    for history in view.histories() {
        let stream = history.stream;
        match &history.state {
            Some(State::Record(record)) => {
                for (number, version) in (1u32..).zip(&record.versions) {
                    if version.announced.values().any(|run| run.status == AnnouncedStatus::Pending) {
                        return Err(Breach::new(Invariant::Due, format!("{stream}: something is still waited for")));
                    }
                    if let Some(uploaded) = &version.uploaded {
                        let key = BlobKey { record: record.id, version: number, announced: uploaded.announced };
                        pinned.insert(key.to_string(), uploaded.version_id.clone());
                    }
                }
            }
            Some(State::Request(request))
                if request.state.is_open() || matches!(request.state, RequestState::Approved { .. }) =>
            {
                return Err(Breach::new(Invariant::Due, format!("{stream} has not ended")));
            }
            _ => {}
        }
    }
    for (key, heads) in vault.blob_heads() {
        let ids: Vec<&str> = heads.iter().map(|head| head.version_id.as_str()).collect();
        if pinned.get(&key).is_none_or(|id| ids != [id.as_str()]) {
            return Err(Breach::new(Invariant::Orphans, format!("{key}: {ids:?}")));
        }
    }
    Ok(())
}
