//! The bucket of bodies: every version of every object, every delete marker, every unfinished upload in parts.

use chartseal_events::StreamId;
use chartseal_infra::BlobKey;
use chartseal_infra::aws::{Bucket, ObjectVersion};
use chartseal_infra::ports::{BlobHead, StoreError};
use futures_util::StreamExt as _;

use crate::account::{Account, Thing};
use crate::report::{Flaw, Report};
use crate::{Reading, Round};

pub(crate) async fn read(round: &Round<'_>, account: &mut Account, report: &mut Report) -> Result<(), StoreError> {
    let (mut start, mut read) = (None, 0);
    loop {
        let (versions, next) = round.inventory.object_versions(Bucket::Bodies, start).await?;
        read += versions.len() as u64;
        round.tell(Reading::Objects(Bucket::Bodies), read);
        let heads = versions.into_iter().map(|version| async move {
            if version.is_delete_marker {
                return Ok((version, None));
            }
            let head = round.inventory.head(&version.key, &version.version_id).await?;
            Ok::<_, StoreError>((version, head))
        });
        let mut heads = futures_util::stream::iter(heads).buffered(round.settings.at_once as usize);
        while let Some(found) = heads.next().await {
            let (version, head) = found?;
            object(&version, head.as_ref(), account, report);
        }
        start = next;
        if start.is_none() {
            break;
        }
    }
    let mut start = None;
    loop {
        let (uploads, next) = round.inventory.unfinished_uploads(Bucket::Bodies, start).await?;
        for upload in uploads {
            let name = format!("{} upload {}", upload.key, upload.id);
            let body = account.bodies.get(&upload.key).filter(|body| body.in_parts);
            in_passing(Thing::Upload, &name, body.map(|body| body.until_ms), account, report);
        }
        start = next;
        if start.is_none() {
            return Ok(());
        }
    }
}

fn object(version: &ObjectVersion, head: Option<&BlobHead>, account: &mut Account, report: &mut Report) {
    let place = account.place(Thing::Object).to_owned();
    let ObjectVersion { key, version_id, is_delete_marker } = version;
    let name = format!("{key} version {version_id}");
    if *is_delete_marker {
        report.wrong(
            Thing::DeleteMarker,
            Flaw::Orphan,
            &place,
            &name,
            "the vault deletes versions and leaves no markers",
        );
        return;
    }
    // Deleted between the list and the look.
    let Some(head) = head else { return };
    let record = key.parse::<BlobKey>().ok().map(|key| StreamId::Record(key.record));
    let broken = record.is_some_and(|record| account.broken.contains(&record));
    let Some(body) = account.bodies.get_mut(key) else {
        if broken {
            report.unjudged(Thing::Object, 1);
            return;
        }
        report.wrong(Thing::Object, Flaw::Orphan, &place, &name, "no announcement has that key");
        return;
    };
    let right = head.size_bytes == body.size_bytes && head.checksum == Some(body.checksum);
    let (announced, until_ms) = (body.announced, body.until_ms);
    match &body.pinned {
        Some(pinned) if pinned == version_id => {
            body.found = true;
            if right {
                report.accounted(Thing::Object);
            } else {
                let what = format!("its size or SHA-256 is not what {announced} announced");
                report.wrong(Thing::Object, Flaw::Changed, &place, &name, what);
            }
        }
        Some(pinned) => {
            let what = format!("{announced} was uploaded as version {pinned}: an object is written once");
            report.wrong(Thing::Object, Flaw::Orphan, &place, &name, what);
        }
        // Presigned calls take nothing but what was announced.
        None if !right => {
            let what = format!("its size or SHA-256 is not what {announced} announced");
            report.wrong(Thing::Object, Flaw::Changed, &place, &name, what);
        }
        None => in_passing(Thing::Object, &name, Some(until_ms), account, report),
    }
}

/// Something that is on its way in or out, until a time.
fn in_passing(thing: Thing, name: &str, until_ms: Option<u64>, account: &Account, report: &mut Report) {
    let place = account.place(thing).to_owned();
    match until_ms {
        Some(until_ms) if account.now_ms < until_ms => {
            let tally = report.tally(thing);
            tally.read += 1;
            tally.pending += 1;
            report.wait(thing, name, until_ms);
        }
        Some(_) => report.wrong(thing, Flaw::Orphan, &place, name, "its announcement is over, and it should be gone"),
        None => report.wrong(thing, Flaw::Orphan, &place, name, "no announcement of a body in parts has that key"),
    }
}
