//! Deletes what is over: files whose time has come, uploads that never came, and what a dead server left half-written.
//! Invariant: the bytes go before the row that knows them, so a sweep that is cut off is finished by the next.

use std::path::Path;
use std::time::{Duration, SystemTime};

use salon_core::Timestamp;
use salon_store::{DAY_MS, Store};
use tokio_util::sync::CancellationToken;

use crate::objects::{Files, folder_of};

/// How often it is looked. Rarer keeps dead files longer.
const EVERY: Duration = Duration::from_secs(600);

/// How long an upload may take once its link is over. What is older and not there never will be.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(3_600);

/// Files deleted in one go.
const BATCH: u32 = 200;

/// Sweeps until the node stops.
pub async fn sweep(files: Files, store: Store, now: impl Fn() -> Timestamp, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        match stop.run_until_cancelled(once(&files, &store, now())).await {
            None | Some(Ok(0)) => {}
            Some(Ok(left)) => tracing::warn!(files = left, "files that are over cannot be deleted; it is tried again later"),
            Some(Err(error)) => tracing::warn!(%error, "files that are over cannot be looked for right now"),
        }
    }
}

/// Deletes everything that is over at `now`; several nodes may do so at once. Answers with how many files could not be
/// deleted: they keep no other, and the next sweep tries again.
///
/// # Errors
/// The store does not answer.
pub async fn once(files: &Files, store: &Store, now: Timestamp) -> anyhow::Result<usize> {
    let kept_since = Some(i64::from(files.keep_days)).filter(|days| *days > 0).map(|days| now.plus_ms(-days * DAY_MS));
    let given_up = now.plus_ms(-(GIVEN_UP_AFTER.as_millis() as i64));
    let (mut left, mut after) = (0, None);
    loop {
        let over = store.chat_files_over(now, given_up, kept_since, after.as_ref(), BATCH).await?;
        for file in &over {
            match files.delete_all(&folder_of(&file.id)).await {
                Ok(()) => store.delete_chat_file(&file.id).await?,
                Err(error) => {
                    tracing::debug!(file.id = %file.id, %error, "a file cannot be deleted");
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
    if let Some(folder) = files.folder.clone() {
        tokio::task::spawn_blocking(move || clear_half_written(&folder)).await?;
    }
    Ok(left)
}

/// What is being written has a `#` and a number at the end of its name. Cut off, it is deleted at once, but not if the
/// server itself dies.
fn clear_half_written(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            clear_half_written(&path);
            continue;
        }
        let half_written = path.file_name().is_some_and(|name| name.to_string_lossy().contains('#'));
        let age = about.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
        if half_written && age > GIVEN_UP_AFTER {
            let _ = std::fs::remove_file(&path);
            // Goes only if it is empty now.
            let _ = path.parent().map(std::fs::remove_dir);
        }
    }
}
