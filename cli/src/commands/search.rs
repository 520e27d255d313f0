//! `chartseal search`.

use clap::Args;
use serde_json::json;

use super::Answered;
use crate::output::{self, Output};
use crate::session::Session;

/// Find records of other providers. The vault sees tokens, never the words.
#[derive(Debug, Args)]
#[command(
    after_help = "Facets: patient, type, code, body, modality, date, provider, keyword. A date is YYYY, YYYY-MM or YYYY-MM-DD.\n\nExample:\n  chartseal --wallet bob.wallet search 'modality:mri AND (body:brain OR body:neck)'"
)]
pub struct Arguments {
    /// Terms `facet:value`, joined by AND, OR and brackets.
    query: String,
}

pub fn run(arguments: &Arguments, session: &Session, output: &Output) -> Answered {
    let found = session.client()?.search(&arguments.query)?;
    if found.hits.is_empty() {
        output.say("nothing was found");
    }
    for found in &found.hits {
        let hit = &found.hit;
        let (record, version, owner) = (hit.record, hit.version, hit.owner);
        output.say(format!("{record} version {version}, of {owner}"));
        output.say(format!(
            "  {}, {} bytes, {}",
            chartseal_cli::printable(&hit.media_type),
            hit.body_bytes,
            output::time(hit.at)
        ));
    }
    let hits: Vec<_> = found
        .hits
        .iter()
        .map(|found| {
            let hit = &found.hit;
            json!({
                "record": hit.record,
                "version": hit.version,
                "owner": hit.owner,
                "media_type": hit.media_type,
                "body_bytes": hit.body_bytes,
                "at": hit.at,
                "event": output::event(&found.event),
            })
        })
        .collect();
    Ok(json!({ "hits": hits, "event": output::event(&found.event) }))
}
