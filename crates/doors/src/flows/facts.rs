//! What a session takes from its meeting.

use salon_core::event::Parent;
use salon_core::session::MeetingFacts;
use salon_store::Meeting;

/// Without the session of its parent: that is asked for when somebody joins.
pub fn facts(meeting: &Meeting) -> MeetingFacts {
    MeetingFacts {
        meeting: meeting.id.clone(),
        app: meeting.app.clone(),
        title: meeting.title.clone().unwrap_or_default(),
        keep_alive_ms: meeting.keep_alive_secs * 1_000,
        persist_chat: meeting.persist_chat,
        parent: meeting.parent.clone().map(|meeting| Parent { meeting, session: None }),
    }
}
