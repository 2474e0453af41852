//! A meeting and those made in it, as they are stored.
//! Invariant: nothing is found in a family that is not of it.

use salon_core::session::{MeetingFacts, Refusal};
use salon_store::{Meeting, Store};

use crate::flows::failed::Failed;

pub struct Family {
    pub parent: Meeting,
    pub rooms: Vec<Meeting>,
}

impl Family {
    /// The family of a meeting, whether it is the parent or one of the others.
    pub async fn of(store: &Store, facts: MeetingFacts) -> Result<Self, Failed> {
        let parent = store.meeting_of(facts.head_of_family()).await?.ok_or(Refusal::UnknownMeeting)?;
        let rooms = store.connected_meetings(&parent.id).await?;
        Ok(Self { parent, rooms })
    }

    pub fn find(&self, id: &str) -> Result<&Meeting, Refusal> {
        let mut all = [&self.parent].into_iter().chain(&self.rooms);
        all.find(|meeting| meeting.id.as_str() == id).ok_or(Refusal::UnknownMeeting)
    }
}
