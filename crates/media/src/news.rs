//! What the media side has to tell the sessions.

use salon_core::{MeetingId, PeerId, TrackId};

/// Something that a session has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A track whose transport is gone: nothing will come of it any more. Never left out.
    Lost { meeting: MeetingId, peer: PeerId, track: TrackId },
    /// Somebody speaks. Left out when there is too much to tell.
    Speaks { meeting: MeetingId, peer: PeerId },
}
