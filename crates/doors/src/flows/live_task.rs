//! The way from a stored meeting to the task of its live session.
//! Next: `salon_live::Hub`.

use salon_store::{Meeting, Store};

use crate::flows::facts::facts;
use crate::flows::failed::Failed;
use salon_live::{Handle, Hub};

/// The task of a meeting that has a live session or people waiting; `None` if it has neither.
///
/// # Errors
/// `Unavailable` if another node has the session, `Store` if the store does not answer.
pub async fn live_task(hub: &Hub, store: &Store, meeting: &Meeting) -> Result<Option<Handle>, Failed> {
    if let Some(handle) = hub.find(meeting.id.as_str()) {
        return Ok(Some(handle));
    }
    match store.live_session_of(&meeting.id).await? {
        None => Ok(None),
        // Left behind by a run that died, or live on another node; the hub takes over what may be taken over.
        Some(_) => Ok(Some(hub.open(&facts(meeting)).await?.here()?)),
    }
}
