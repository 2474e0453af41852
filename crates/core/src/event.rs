//! What happened in a session: the numbered events that are its only durable truth.
//! Invariant: events of a session are numbered 1, 2, 3 …, their times never fall, and the first is `SessionStarted`.
//! An event says what was decided, never what was asked; folding needs no rule and cannot fail.
//! Next: `record.rs` folds them; the store keeps them under stable names of its own.

use crate::ids::{AppId, ChatId, MeetingId, ParticipantId, PeerId, PollId, PresetId, RecordingId, SessionId, TrackId};
use crate::permission::{Changes, Source};
use crate::preset::Recorder;
use crate::time::Timestamp;
pub use crate::track::{Track, TrackKind};

/// One entry of a session's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Position in the record, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    pub body: EventBody,
}

/// What an [`Event`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    SessionStarted(SessionStarted),
    /// A peer is in: it counts from `Event::at`. Also written when a peer that had left comes in again.
    PeerJoined(PeerJoined),
    /// The connection broke; the peer was last seen at `seen`. It no longer counts as live, and has the grace
    /// time to come back.
    PeerDisconnected {
        peer: PeerId,
        seen: Timestamp,
    },
    /// It came back in time, as the same peer.
    PeerReconnected {
        peer: PeerId,
    },
    /// It is out. `left_at` is when it was last known to be there, which may be before the event.
    PeerLeft {
        peer: PeerId,
        left_at: Timestamp,
        reason: LeaveReason,
    },
    PeerRenamed {
        peer: PeerId,
        name: String,
        /// Somebody else gave it this name: what its own client calls it counts no more.
        by_other: bool,
    },
    TrackPublished {
        peer: PeerId,
        track: Track,
    },
    /// `by` tells a peer's own mute from somebody else's, which holds until the peer itself has said what it sends: its
    /// client may never have heard of it.
    TrackPaused {
        peer: PeerId,
        track: TrackId,
        paused: bool,
        by: Actor,
    },
    TrackUnpublished {
        peer: PeerId,
        track: TrackId,
    },
    /// Somebody else switched this off while there was nothing to pause, because the client was away: what it publishes of
    /// it is off. Of the peer's own accord: it has heard of that.
    Silenced {
        peer: PeerId,
        source: Source,
        by: Actor,
    },
    /// People without leave to mute others may, or may no longer, switch their own microphones on.
    UnmuteForbidden {
        forbidden: bool,
    },
    /// Someone who had to wait was let in for the rest of the session.
    ParticipantAdmitted {
        participant: ParticipantId,
    },
    /// Someone was put out: whoever has to wait waits again, whether or not they were let in before.
    ParticipantDismissed {
        participant: ParticipantId,
    },
    ChatSent(ChatSent),
    /// Said in an earlier session of this meeting, which keeps its chat. All of these follow the start.
    ChatKept(ChatKept),
    ChatEdited {
        message: ChatId,
        content: ChatContent,
    },
    ChatPinned {
        message: ChatId,
        pinned: bool,
        by: PeerId,
    },
    /// What it said stays in the events before this one; the fold has forgotten it.
    ChatDeleted {
        message: ChatId,
        by: PeerId,
    },
    PollCreated(PollCreated),
    PollVoted {
        poll: PollId,
        participant: ParticipantId,
        /// The voter's name at the time.
        name: String,
        /// Place of the chosen option, from 0.
        option: usize,
    },
    StoreSet {
        store: String,
        author: PeerId,
        items: Vec<StoreItem>,
    },
    /// With `None` the whole store.
    StoreDeleted {
        store: String,
        keys: Option<Vec<String>>,
    },
    /// This peer is pinned for everyone; with `None` nobody is any more.
    PeerPinned {
        peer: Option<PeerId>,
    },
    StageChanged {
        peer: PeerId,
        on_stage: bool,
    },
    /// How far a peer is that is not on stage: it asks, was called up, or (`None`) neither any more.
    StageWished {
        peer: PeerId,
        wish: Option<StageWish>,
    },
    /// These permissions of a participant are no longer as its preset has them.
    PermissionsChanged {
        participant: ParticipantId,
        by: PeerId,
        changes: Changes,
    },
    /// People are in connected meetings, so the session lives on with nobody in; or no longer.
    HeldOpen {
        held: bool,
    },
    /// Somebody wants it recorded; nothing is yet.
    RecordingInvoked(RecordingInvoked),
    /// From here on it is.
    RecordingBegan {
        recording: RecordingId,
    },
    RecordingPaused {
        recording: RecordingId,
    },
    RecordingResumed {
        recording: RecordingId,
    },
    /// It is to stop; what is said until it has may still be in it.
    RecordingStopping {
        recording: RecordingId,
        why: RecordingEnd,
    },
    /// Its last moment is recorded, or it came to nothing. What becomes of its files is in no record.
    RecordingStopped {
        recording: RecordingId,
        why: RecordingEnd,
        /// What people are told of one that failed.
        error: Option<String>,
    },
    /// The meeting was deleted: whoever is still in at `leave_by` is put out, and with nobody in it is over at once.
    MeetingDeleted {
        leave_by: Timestamp,
    },
    SessionEnded {
        ended_at: Timestamp,
        reason: EndReason,
    },
}

impl EventBody {
    /// The peer who is shown otherwise after it: where they are, their name, what they publish, whether they are on stage.
    /// What people say, vote and store shows nobody otherwise.
    pub fn shows_otherwise(&self) -> Option<&PeerId> {
        use EventBody::{
            PeerDisconnected, PeerLeft, PeerReconnected, PeerRenamed, Silenced, StageChanged, StageWished, TrackPaused,
            TrackPublished, TrackUnpublished,
        };
        match self {
            EventBody::PeerJoined(who) => Some(&who.peer),
            PeerDisconnected { peer, .. }
            | PeerReconnected { peer }
            | PeerLeft { peer, .. }
            | PeerRenamed { peer, .. }
            | TrackPublished { peer, .. }
            | TrackPaused { peer, .. }
            | TrackUnpublished { peer, .. }
            | Silenced { peer, .. }
            | StageChanged { peer, .. }
            | StageWished { peer, .. } => Some(peer),
            _ => None,
        }
    }

    /// Whether those who watch the people of a session need it: it shows somebody otherwise, or is the session's first or
    /// last. The fold of these events alone has the same people, sums and `people_seq` as that of all.
    pub fn is_of_people(&self) -> bool {
        let is_an_end = matches!(self, EventBody::SessionStarted(_) | EventBody::SessionEnded { .. });
        is_an_end || self.shows_otherwise().is_some()
    }
}

/// The facts of a session that never change while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStarted {
    pub session: SessionId,
    pub meeting: MeetingId,
    pub app: AppId,
    /// The meeting's title at the start; empty if it has none.
    pub title: String,
    /// How long the session lives on with nobody in, in milliseconds.
    pub keep_alive_ms: i64,
    /// When the first participant joined; the record was made at `Event::at`, not earlier.
    pub started_at: Timestamp,
    /// Of a connected meeting: what it is connected to.
    pub parent: Option<Parent>,
}

/// The meeting that a connected meeting was made in, and lives beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub meeting: MeetingId,
    /// Its live session when that of the connected meeting began.
    pub session: Option<SessionId>,
}

/// Who a peer is, as it was on joining.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerJoined {
    pub peer: PeerId,
    pub participant: ParticipantId,
    pub custom_participant_id: String,
    pub name: String,
    pub picture: Option<String>,
    pub preset: PresetId,
    pub preset_name: String,
    pub hidden: bool,
    pub recorder: Recorder,
    pub on_stage: bool,
    /// Of somebody moved here from a connected meeting: the participant there whom this one stands for.
    pub origin: Option<ParticipantId>,
}

/// A message of the chat, as it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSent {
    pub message: ChatId,
    pub peer: PeerId,
    pub author: ParticipantId,
    /// The author's name at the time.
    pub name: String,
    /// Of a private message: whom it is between, the author among them. Empty if it is for everyone.
    pub parties: Vec<ParticipantId>,
    pub content: ChatContent,
}

/// A message of an earlier session, as it stood at the end of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatKept {
    pub sent: ChatSent,
    /// The session in which it was said.
    pub said_in: SessionId,
    pub said_at: Timestamp,
    pub pinned: bool,
    pub edited: bool,
}

/// What a message of the chat says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatContent {
    pub kind: ChatKind,
    /// The text, the address of an image, or the client's own JSON; passed on unchanged.
    pub payload: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChatKind {
    Text,
    Image,
    File,
    /// An application's own mixture.
    Custom,
}

/// A question put to everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollCreated {
    pub poll: PollId,
    pub question: String,
    pub options: Vec<String>,
    /// Who chose what is not told.
    pub anonymous: bool,
    /// Counts are told only to those who have voted.
    pub hide_votes: bool,
    pub by_name: String,
    /// `None` is the API.
    pub by: Option<ParticipantId>,
}

/// One key of a shared store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreItem {
    pub key: String,
    /// JSON; Salon does not look inside.
    pub payload: String,
}

/// A recording as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingInvoked {
    pub recording: RecordingId,
    pub kind: RecordingKind,
    pub by: RecordedBy,
    /// How long it may run once it has begun, pauses included, in milliseconds.
    pub max_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingKind {
    /// One picture of everybody, with all sounds.
    Composite,
    /// The sound of each, in a file of its own.
    Track,
    /// One picture of everybody, with all sounds, for whoever watches meanwhile.
    Livestream,
}

/// Who has something recorded, or no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedBy {
    /// A call of the REST API with an account's key.
    Api,
    Participant(ParticipantId),
    /// The meeting itself, which is recorded from its start on.
    Meeting,
}

/// Why a recording stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordingEnd {
    Asked(RecordedBy),
    /// It ran as long as it may.
    TimeIsUp,
    SessionOver,
    Failed,
}

/// How far somebody is on the way to the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageWish {
    /// Has asked to be let on.
    Asks,
    /// Somebody who decides has called it up.
    CalledUp,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    Peer(PeerId),
    /// A call of the REST API.
    Api,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// Left on purpose.
    Left,
    /// The connection broke and did not come back in time.
    Lost,
    /// Removed by a host or the API.
    Kicked,
    /// The participant was deleted.
    Deleted,
    /// The session ended for everyone.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Nobody was in for the keep-alive time.
    AllLeft,
    /// A host or the API ended it for everyone, or its meeting was deleted.
    Closed,
}
