//! The way from a request to a live session: its task here, its row if another node has it, or nothing.
//! Invariant: a moment that goes into an answer is in the heartbeat file before the answer leaves, so that minutes told
//! do not shrink after a crash.
//! Next: `hub.rs`.

use salon_core::{MeetingId, ParticipantId, Summary, Timestamp};
use salon_store::{Meeting, NODE_DEAD_MS, SessionRow};

use crate::app::App;
use crate::hub::Handle;
use crate::rest::error::ApiError;
use crate::signaling::room;

/// The present, fit to be told.
pub fn told_now(app: &App) -> Result<Timestamp, ApiError> {
    told(app, app.clock.now())
}

/// A moment that is told, written down first.
pub fn told(app: &App, at: Timestamp) -> Result<Timestamp, ApiError> {
    let written = app.heartbeat.beat(at);
    written.map(|()| at).map_err(|error| {
        let cause = format_args!("the heartbeat file cannot be written: {error}").to_string();
        ApiError::unavailable("The live state cannot be told right now; try again").because(cause)
    })
}

/// The moment up to which the minutes of a stored session count: now, or when its owner was last alive.
pub fn counted_until(row: &SessionRow, now: Timestamp) -> Timestamp {
    if now.since(row.owner_seen_at) > NODE_DEAD_MS { row.owner_seen_at.max(row.summary.updated_at) } else { now }
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
        Some(_) => Ok(Some(app.hub.open(&room::facts(meeting)).await?)),
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

/// The moment at which a summary is read: not before what it already holds.
pub fn read_at(summary: &Summary, now: Timestamp) -> Timestamp {
    now.max(summary.updated_at)
}
