//! What peers are told, each kind of news with what it says.
//! Next: `view.rs`, how what is told looks.

use std::fmt;
use std::sync::Arc;

use crate::event::RecordingKind;
use crate::ids::{ChatId, MeetingId, ParticipantId, PeerId, RecordingId};
use crate::permission::Changes;
use crate::record::ChatMessage;
use crate::session::view::{ConnectedView, PeerView, PollView, Selected, Stage, StageRequest, StoreView, WaitingView};
use crate::time::Timestamp;
use crate::track::Track;

/// What peers are told.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    PeerJoined(PeerView),
    PeerLeft(PeerView),
    /// The peer has its media connections and may be subscribed to.
    MediaJoined(PeerView),
    MediaLeft(PeerId),
    TrackPublished {
        peer: PeerId,
        track: Track,
    },
    /// `by` is the peer that did it; `None` for the API, or for someone the others do not see.
    TrackToggled {
        peer: PeerId,
        track: Track,
        by: Option<PeerId>,
    },
    TrackUnpublished {
        peer: PeerId,
        track: Track,
    },
    Renamed {
        peer: PeerId,
        name: String,
    },
    /// You were removed.
    Kicked,
    /// The session ended for everyone.
    Ended,
    /// All who wait, for those who may let them in.
    WaitingList(Vec<WaitingView>),
    Admitted,
    Denied,
    Broadcast(Broadcast),
    Chat(ChatNews),
    /// A poll as this peer may see it: `new`, or with another vote.
    Poll {
        poll: Arc<PollView>,
        new: bool,
    },
    /// Somebody else wrote these keys, or deleted them.
    Store {
        news: Arc<StoreView>,
        deleted: bool,
    },
    /// This peer is pinned for everyone, or nobody is.
    Pinned(Option<PeerId>),
    Stage(StageNews),
    Connected(ConnectedNews),
    Recording {
        recording: RecordingId,
        kind: RecordingKind,
        news: RecordingNews,
    },
    /// Somebody said this.
    Transcript(Arc<Spoken>),
    Livestream(LivestreamNews),
    /// What this participant, whose peer is told, may do from now on.
    PermissionsChanged {
        participant: ParticipantId,
        changes: Changes,
    },
    /// How these peers are selected now, for clients that cannot show everyone.
    Selected(Vec<Selected>),
}

/// An application's message; Salon does not look inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Broadcast {
    /// The application's name for it.
    pub kind: String,
    /// JSON as the SDK sends it.
    pub payload: Vec<u8>,
    /// The sender's clock, passed on unchanged.
    pub timestamp: u64,
    /// The client's own addressing, passed on unchanged.
    pub ids: Vec<String>,
}

/// What somebody said, as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    pub peer: PeerId,
    pub participant: ParticipantId,
    pub custom_participant_id: String,
    pub name: String,
    pub text: String,
    /// When they began to say it.
    pub at: Timestamp,
    /// It is not whole, and takes the place of what was told of it before.
    pub is_partial: bool,
}

/// What peers are told of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordingNews {
    /// It runs, for the first time or again.
    Running,
    Paused,
    /// It is over, or came to nothing and why.
    Stopped {
        error: Option<String>,
    },
}

/// What peers are told of a livestream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LivestreamNews {
    /// What is to be streamed comes from elsewhere, and is waited for.
    Awaited { livestream: RecordingId },
    /// It can be watched, there.
    Live { livestream: RecordingId, playback_url: String },
    /// It is over; none of those who have not heard of one.
    Stopped { livestream: Option<RecordingId> },
    /// It came to nothing, or to an end that nobody wanted.
    Failed { livestream: RecordingId, error: String },
    /// So many watch.
    Viewers(u64),
}

/// What peers are told about chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatNews {
    Said(Arc<ChatMessage>),
    Edited(Arc<ChatMessage>),
    /// Pinned, or not any more.
    Pinned(Arc<ChatMessage>),
    Deleted(ChatId),
}

/// What is told about the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageNews {
    Status {
        peer: PeerId,
        participant: ParticipantId,
        stage: Stage,
    },
    /// You may step on.
    Granted,
    /// You may not.
    Denied,
    /// All who ask, for those who decide.
    Requests(Vec<StageRequest>),
}

/// What peers are told of connected meetings.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectedNews {
    /// All of them, with the people in them.
    Rooms(Arc<ConnectedView>),
    /// These were made, or have another title.
    Changed(Arc<Vec<(MeetingId, String)>>),
    Deleted(Arc<Vec<(MeetingId, String)>>),
    /// Leave, and come into that meeting with this.
    Go {
        meeting: MeetingId,
        ticket: Ticket,
    },
}

/// What lets a client into the meeting it is sent to. Made outside, and not to be written down.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(pub String);

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}
