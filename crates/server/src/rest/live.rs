//! The way from a request to a live session: its task here, its row if another node has it, or nothing.
//! Invariant: a moment that goes into an answer is in the heartbeat file before the answer leaves, so that minutes told
//! do not shrink after a crash.
//! Next: `salon_live::Hub`.

use salon_core::{MeetingId, ParticipantId, Timestamp};
use salon_live::{Handle, Told};
use salon_store::Meeting;

use crate::app::App;
use crate::rest::error::ApiError;
use crate::signaling::room;

/// A moment that is told, written down first.
pub fn told(app: &App, at: Timestamp) -> Result<Told, ApiError> {
    app.alive.tell(at).map_err(|error| {
        let cause = format_args!("the heartbeat file cannot be written: {error}").to_string();
        ApiError::unavailable("The live state cannot be told right now; try again").because(cause)
    })
}

/// The task of a meeting that has a live session or people waiting; `None` if it has neither.
///
/// # Errors
/// 503 if another node has the session, or the store does not answer.
pub async fn task(app: &App, meeting: &Meeting) -> Result<Option<Handle>, ApiError> {
    if let Some(handle) = app.hub.find(meeting.id.as_str()) {
        return Ok(Some(handle));
    }
    match app.store.live_session_of(&meeting.id).await? {
        None => Ok(None),
        // Left behind by a run that died, or live on another node; the hub takes over what may be taken over.
        Some(_) => Ok(Some(app.hub.open(&room::facts(meeting)).await?.here()?)),
    }
}

/// Removes a deleted participant from wherever they are in.
pub async fn remove(app: &App, meeting: &MeetingId, participant: &ParticipantId) -> Result<(), ApiError> {
    let Some(meeting) = app.store.meeting_of(meeting).await? else { return Ok(()) };
    if let Some(handle) = task(app, &meeting).await? {
        let participant = participant.clone();
        handle.call(move |session, now| session.delete_participant(now, &participant)).await?;
    }
    Ok(())
}
