//! A record in the words of answers.

use chartseal_events::private::PrivateValue;
use chartseal_events::state::{Announced, AnnouncedStatus, Record, Version};
use chartseal_events::wire::RecordVersionView;
use chartseal_events::{EventRef, StreamId};
use chartseal_http::Failure;
use chartseal_infra::ports::EventStore;
use futures_util::future::try_join_all;

/// A record's versions, oldest first; the newest `labels` of them with their labels, which are for the owner alone.
pub(crate) async fn versions<S: EventStore>(
    store: &S,
    record: &Record,
    labels: usize,
    now_ms: u64,
) -> Result<Vec<RecordVersionView>, Failure> {
    let unlabelled = record.versions.len().saturating_sub(labels);
    let views = (1u32..).zip(&record.versions).enumerate().map(|(index, (number, version))| async move {
        let run = shown_run(version, now_ms);
        let label = match run {
            Some((seq, _)) if index >= unlabelled => {
                label(store, EventRef { stream: StreamId::Record(record.id), seq }).await?
            }
            _ => None,
        };
        Ok::<_, Failure>(version_view(number, version, run.map(|(_, run)| run), label))
    });
    try_join_all(views).await
}

async fn label<S: EventStore>(store: &S, announcement: EventRef) -> Result<Option<PrivateValue>, Failure> {
    let private = store.private(&announcement).await?;
    Ok(private.get("label").cloned())
}

/// The encryption run that a version is known by: the one that is there, else the latest that is waited for.
fn shown_run(version: &Version, now_ms: u64) -> Option<(u64, &Announced)> {
    if let Some(uploaded) = &version.uploaded {
        return version.announced.get(&uploaded.announced).map(|run| (uploaded.announced, run));
    }
    let waited_for = |run: &Announced| run.status == AnnouncedStatus::Pending && now_ms < run.expires_at_ms;
    version.announced.iter().rev().find(|(_, run)| waited_for(run)).map(|(seq, run)| (*seq, run))
}

fn version_view(
    number: u32,
    version: &Version,
    run: Option<&Announced>,
    label: Option<PrivateValue>,
) -> RecordVersionView {
    let state = match (&version.uploaded, run) {
        (Some(_), _) => "uploaded",
        (None, Some(_)) => "announced",
        (None, None) => "open",
    };
    RecordVersionView {
        version: number,
        state: state.to_owned(),
        created_at: version.created_at_ms,
        uploaded_at: version.uploaded.as_ref().map(|uploaded| uploaded.at_ms),
        media_type: run.map(|run| run.announcement.media_type.clone()),
        body_bytes: run.map(|run| run.announcement.body_bytes),
        label,
    }
}
