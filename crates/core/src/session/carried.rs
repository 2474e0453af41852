//! What connections have that are handed to another process: all that is beside the record.
//! Next: `going_on.rs`, which takes it and goes on with it.

use crate::ids::{MeetingId, PeerId, TrackId};
use crate::session::view::WaitingView;
use crate::time::Timestamp;

/// What a live session has beside its record and its connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Those who spoke, the last ones first; those who were selected before them; when the front changed, and anything; when the
    /// front was heard.
    pub spoke: Vec<PeerId>,
    pub former: Vec<PeerId>,
    pub front_since: Option<Timestamp>,
    pub changed_at: Option<Timestamp>,
    pub front_heard: Timestamp,
    /// Tracks of before a connection broke, and until when they stay.
    pub leftovers: Vec<(PeerId, Timestamp, Vec<TrackId>)>,
    /// Until when the disconnected may come back.
    pub grace: Vec<(PeerId, Timestamp)>,
}

/// How a connection stands in its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is in.
    In {
        media: bool,
        listed: bool,
        share_refused: bool,
        missed_since: Option<Timestamp>,
        sent_to: Option<(MeetingId, Timestamp)>,
    },
    /// It waits to be let in, at this place, perhaps for no more than somebody who may let it in.
    Waits { place: u64, view: WaitingView, for_a_host: bool },
}
