//! The five things a session asks of the world: remember, tell, change media, stop recording, hang up.
//! Next: `message.rs`, what is told.

use crate::event::{Event, RecordingEnd};
use crate::ids::{ParticipantId, PeerId, RecordingId, SessionId, TrackId};
use crate::notice::Notice;
use crate::session::message::Message;

/// What the world is asked to do. An output may leave only after the events emitted before it are durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Append to the record of this session, and with it what those outside are to be told.
    Remember { session: SessionId, event: Event, notices: Vec<Notice> },
    /// Tell one peer.
    Send { to: PeerId, message: Message },
    /// Change what the media server forwards.
    Media(Media),
    /// Have this recording stop, because of this.
    StopRecording { recording: RecordingId, why: RecordingEnd },
    /// This peer has no more business here: let it read what it was told, then close its socket for good. It may have
    /// no socket, or one that has not joined yet.
    Hangup { peer: PeerId },
}

/// What the media server is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// Stop taking this track in.
    CloseTrack { track: TrackId },
    /// Take it in, but pass nothing on (or pass on again).
    PauseTrack { track: TrackId, paused: bool },
    /// Take down all media connections of a peer.
    CloseTransports { peer: PeerId },
    /// Count the media connections of somebody, under whatever peers, as those of one who is in the session, or is not.
    Inside { participant: ParticipantId, inside: bool },
}
