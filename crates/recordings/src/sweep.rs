//! Deletes the files of recordings whose time is over.
//! Invariant: the bytes go before the row says so, so a sweep that is cut off is finished by the next.

use salon_core::Timestamp;

use crate::desk::Parts;
use crate::keep::folder_of;

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
    parts.store.forget_recordings().await?;
    Ok(left)
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
