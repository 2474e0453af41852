//! Putting people out of more than the one session that somebody named.

use salon_core::event::Actor;
use salon_core::{MeetingId, ParticipantId};
use salon_store::Store;

use crate::flows::failed::Failed;
use crate::flows::live_task::live_task;
use salon_live::Hub;

/// Ends the sessions of a family but for one; answers with how many people were put out.
pub async fn end_others(hub: &Hub, store: &Store, parent: &MeetingId, but: &MeetingId) -> Result<usize, Failed> {
    let rooms = store.connected_meetings(parent).await?.into_iter().map(|room| room.id);
    let mut kicked = 0;
    for meeting in [parent.clone()].into_iter().chain(rooms).filter(|meeting| meeting != but) {
        let Some(handle) = hub.find(meeting.as_str()) else { continue };
        kicked += handle.call(|session, now| session.kick_all(now, &Actor::Api)).await?.unwrap_or(0);
    }
    Ok(kicked)
}

/// Removes a deleted participant from wherever they are in.
pub async fn remove_deleted(hub: &Hub, store: &Store, meeting: &MeetingId, participant: &ParticipantId) -> Result<(), Failed> {
    let Some(meeting) = store.meeting_of(meeting).await? else { return Ok(()) };
    if let Some(handle) = live_task(hub, &meeting.id).await? {
        let participant = participant.clone();
        handle.call(move |session, now| session.delete_participant(now, &participant)).await?;
    }
    Ok(())
}
