//! The way from a stored meeting to the task of its live session.
//! Next: `salon_live::Hub`.

use salon_core::MeetingId;

use crate::flows::failed::Failed;
use salon_live::{Handle, Hub, Place};

/// The task of a meeting that has a live session or people waiting; `None` if it has neither. One that was left behind by a
/// node that died is taken over.
///
/// # Errors
/// `Elsewhere` if another node has the session, `Unavailable` if that cannot be found out.
pub async fn live_task(hub: &Hub, meeting: &MeetingId) -> Result<Option<Handle>, Failed> {
    match hub.place(meeting).await? {
        Some(Place::Here(handle)) => Ok(Some(handle)),
        Some(Place::There(remote)) => Err(Failed::Elsewhere(remote)),
        None => Ok(hub.find(meeting.as_str())),
    }
}
