//! Deletes the files of recordings whose time is over, and folders of jobs that nobody sees to any more.
//! Invariant: the bytes go before the row says so, so a sweep that is cut off is finished by the next.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use salon_core::{RecordingId, Timestamp};
use salon_store::DAY_MS;

use crate::desk::Parts;
use crate::keep::{clear, folder_of, parts_of};
use crate::left::is_for_workers;

/// Recordings looked up in one go.
const BATCH: u32 = 100;

/// Deletes the files of all that are over at `now`; answers with how many could not be deleted.
///
/// # Errors
/// The store does not answer.
pub async fn once(parts: &Parts, now: Timestamp) -> salon_store::Result<usize> {
    let (mut left, mut after) = (0, None);
    loop {
        let over = parts.store.recordings_over(now, after.as_ref(), BATCH).await?;
        for recording in &over {
            match parts.files.delete_all(&folder_of(&recording.id)).await {
                Ok(()) => {
                    parts.store.edit_recording(&recording.id, now, |recording| recording.is_kept = false).await?;
                }
                Err(error) => {
                    tracing::debug!(recording.id = %recording.id, %error, "a recording cannot be deleted");
                    left += 1;
                }
            }
        }
        let is_last = over.len() < BATCH as usize;
        after = over.into_iter().last();
        if is_last {
            break;
        }
    }
    left += erased(parts).await?;
    folders(parts, now).await?;
    parts.store.forget_recordings().await?;
    Ok(left)
}

/// Deletes folders of jobs that are over, or another node's, in which nothing has changed for a day: what a worker that came back late
/// has left.
async fn folders(parts: &Parts, now: Timestamp) -> salon_store::Result<()> {
    let place = parts.settings.folder.clone();
    let old = tokio::task::spawn_blocking(move || old_folders(&place, now)).await.unwrap_or_default();
    for (id, folder) in old {
        if !parts.stops.knows(&id) && !is_wanted(parts, &id).await? {
            tracing::info!(recording.id = %id, "what was left of it here is deleted");
            clear(&folder).await;
        }
    }
    Ok(())
}

/// Whether this node is to go on with it, or has something that can be watched.
async fn is_wanted(parts: &Parts, id: &RecordingId) -> salon_store::Result<bool> {
    if let Some(recording) = parts.store.recording(id).await? {
        // Until then whoever has its folder takes it, if its node does not come back.
        let is_mine = recording.node == parts.hub.name() || !is_for_workers(&recording.config);
        return Ok(recording.is_unfinished() && is_mine);
    }
    let livestream = parts.store.livestream(id).await?;
    Ok(livestream.is_some_and(|livestream| livestream.is_active() || livestream.is_kept))
}

fn old_folders(place: &Path, now: Timestamp) -> Vec<(RecordingId, PathBuf)> {
    let changed = |path: &Path| path.metadata().and_then(|about| about.modified()).ok();
    let is_old = |folder: &Path| {
        let parts = (1..=parts_of(folder)).filter_map(|part| changed(&folder.join(part.to_string())));
        let last = parts.chain(changed(folder)).max().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        last.is_some_and(|at| now.0 - i64::try_from(at.as_millis()).unwrap_or(i64::MAX) > DAY_MS)
    };
    let folders = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |folder: PathBuf| Some((RecordingId::parse(folder.file_name()?.to_str()?).ok()?, folder));
    folders.filter(|folder| folder.is_dir()).filter_map(named).filter(|(_, folder)| is_old(folder)).collect()
}

/// Deletes the files of those who were erased.
async fn erased(parts: &Parts) -> salon_store::Result<usize> {
    let (mut left, mut after) = (0, None);
    loop {
        let files = parts.store.erased_files(after.as_ref(), BATCH).await?;
        for file in &files {
            let (id, name) = file;
            match parts.files.delete(&format!("{}/{name}", folder_of(id))).await {
                Ok(()) => parts.store.forget_erased_file(file).await?,
                Err(error) => {
                    tracing::debug!(recording.id = %id, %error, "a voice cannot be deleted");
                    left += 1;
                }
            }
        }
        if files.len() < BATCH as usize {
            return Ok(left);
        }
        after = files.into_iter().last();
    }
}
