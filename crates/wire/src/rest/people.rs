//! Who is in a live session: `/meetings/{meeting_id}/active-session/people`, and what its stream says. Salon's own beside the
//! contract. Invariant: the people of a snapshot, with the changes after it applied, are those of a later snapshot.
//! What is not known is left out.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::number;
use super::quality::{PublishedTrack, ReceivedTrack};

/// Who is in a live session, as of one event of its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct People {
    /// The session's id.
    pub session_id: String,
    /// The meeting's id.
    pub meeting_id: String,
    /// The number of the last event of the record that changed something here, in this session.
    pub seq: u64,
    /// The moment up to which minutes are counted.
    pub at: String,
    /// When the first peer joined.
    pub started_at: String,
    /// Sum of the peers' time in the session up to `at`, in minutes, as `active-session` tells it.
    #[serde(with = "number")]
    pub minutes_consumed: f64,
    #[serde(flatten)]
    pub counts: Counts,
    /// Those who are in or may come back yet, in the order of first joining.
    pub people: Vec<Person>,
    /// Those who wait to be let in. Not part of the record, so `seq` says nothing of them; absent where another node has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub waiting: Option<Vec<Waiting>>,
    /// How good the calls of those are whose calls are looked at, over the last quarter of a minute. Not part of the record
    /// either; absent where another node has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub quality: Option<Vec<PersonQuality>>,
    /// In a stream that was there before the session began at another node: only that one knows who waits and how good calls are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub elsewhere: Option<bool>,
    /// There are more people: ask for those `after` this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_after: Option<u64>,
    /// In a stream: forget what was known before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reset: Option<bool>,
}

/// How good the call of one device is. What is not known, or not there, is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PersonQuality {
    pub peer_id: String,
    /// The worst of what it hears.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sound_in: Option<Judged>,
    /// What it sends, as it reaches the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sound_out: Option<Judged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub picture_in: Option<Judged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub picture_out: Option<Judged>,
    /// To the server and back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtt_ms: Option<u32>,
    /// Share of packets to the device that did not arrive the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub packet_loss: Option<f64>,
    /// What the line to the device is thought to carry, in bit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub available_bitrate: Option<u64>,
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Judged {
    /// Sound: `clear`, `small_gaps`, `hard_to_follow`, `broken`. Pictures: `smooth`, `small_or_uneven`, `stops_now_and_then`,
    /// `keeps_stopping`. Either: `nothing` came although it was not switched off.
    pub word: String,
    /// Mean opinion score, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub score: Option<f64>,
    /// Of pictures: the most telling reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub because: Option<String>,
}

/// `event: quality` of a stream: of those whose words are others now. It has no number, because it is not in the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QualityNews {
    pub quality: Vec<PersonQuality>,
}

/// What the people add up to. At any later moment `t`, in milliseconds since 1970, they have spent
/// `settled_ms + live_participants * t - live_since_sum_ms` milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// How many are connected and count.
    pub live_participants: u64,
    /// The highest it ever was.
    pub max_concurrent_participants: u64,
    /// How many ever counted.
    pub total_participants: u64,
    /// The time of those who do not count on, in milliseconds.
    pub settled_ms: i64,
    /// The sum of the moments since which the others are here.
    pub live_since_sum_ms: i64,
}

/// One device of somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The peer's id.
    pub peer_id: String,
    /// The participant's id: several devices may have the same.
    pub participant_id: String,
    /// The caller's own id for the person.
    pub custom_participant_id: String,
    /// Name in this session.
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub picture: Option<String>,
    pub preset_name: String,
    /// Place among all who ever came, from 0. It never changes.
    pub order: u64,
    pub state: PersonState,
    /// Others see it, so it is in all counts.
    pub counts: bool,
    /// Others do not see it.
    pub hidden: bool,
    /// One of the product's own, which records or streams.
    pub robot: bool,
    /// When it first came.
    pub joined_at: String,
    /// When it came this time.
    pub since: String,
    /// When it was last seen, while its connection is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_seen_at: Option<String>,
    /// When it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub left_at: Option<String>,
    /// Why it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<LeftBecause>,
    pub stage: OnStage,
    /// Absent if nothing is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub microphone: Option<Device>,
    /// Absent if nothing is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub camera: Option<Device>,
    /// Absent if nothing is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub screen: Option<Device>,
    /// Its lines in detail, with `fields=tracks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tracks: Option<Tracks>,
}

/// Where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PersonState {
    Connected,
    /// The connection is broken, and may come back.
    Grace,
    /// In a change: it is not in the list any more.
    Left,
}

/// Why somebody left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeftBecause {
    /// On purpose.
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

/// Whether somebody is on stage, or on the way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStage {
    On,
    Off,
    /// Has a hand up.
    Asks,
    CalledUp,
}

/// What somebody publishes from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    pub state: OnOrOff,
    /// Who switched it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub by: Option<SwitchedBy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnOrOff {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SwitchedBy {
    Itself,
    /// A host, or the API.
    Other,
}

/// What goes over the lines of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tracks {
    /// What comes from it.
    pub publishing: Vec<PublishedTrack>,
    /// What goes to it.
    pub receiving: Vec<ReceivedTrack>,
}

/// Somebody who waits to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    pub peer_id: String,
    pub participant_id: String,
    pub custom_participant_id: String,
    pub display_name: String,
    pub preset_name: String,
}

/// `event: change` of a stream: what one event of the record changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeopleChange {
    /// The session's id.
    pub session_id: String,
    /// The event's number.
    pub seq: u64,
    /// The number of the event of this stream before it: whoever has another has missed something.
    pub prev: u64,
    /// When it was decided.
    pub at: String,
    pub kind: ChangeKind,
    #[serde(flatten)]
    pub counts: Counts,
    /// Takes the place of whoever has the same `peer_id`; with the state `left` nobody does.
    pub person: Person,
}

/// What happened to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    PeerJoined,
    PeerDisconnected,
    PeerReconnected,
    PeerLeft,
    PeerRenamed,
    TrackPublished,
    TrackPaused,
    TrackResumed,
    TrackUnpublished,
    Silenced,
    StageChanged,
    StageWished,
}

/// `event: door` of a stream: who waits now. It has no number, because it is not in the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Door {
    pub waiting: Vec<Waiting>,
}

/// `event: ended` of a stream: the session is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeopleEnded {
    /// The session's id.
    pub session_id: String,
    pub seq: u64,
    pub prev: u64,
    pub ended_at: String,
    pub reason: EndedBecause,
    #[serde(flatten)]
    pub counts: Counts,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBecause {
    /// Nobody was in for the keep-alive time.
    AllLeft,
    /// A host or the API ended it.
    Closed,
}

/// `event: bye` of a stream: the last thing it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bye {
    pub reason: ByeBecause,
    /// Coming back with the last id is of use.
    pub resume: bool,
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ByeBecause {
    /// The client did not read what it was sent.
    TooSlow,
    KeyRevoked,
    /// The node stops; another, or its next run, goes on.
    Shutdown,
    /// The record cannot be read right now.
    Unavailable,
}

/// How to ask who is in.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PeopleQuery {
    /// One device only.
    pub peer_id: Option<String>,
    /// At most so many people.
    #[param(minimum = 1, maximum = 2_000, default = 200)]
    pub limit: Option<u32>,
    /// Those after this place: the `next_after` of the answer before.
    pub after: Option<u64>,
    /// `tracks`: what goes over the lines of each device.
    pub fields: Option<String>,
}

/// How to watch.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PeopleStreamQuery {
    /// The id of the last event that arrived; the header `Last-Event-ID` goes before it.
    pub after: Option<String>,
    /// Stay while no session is live, and for the next one.
    pub wait: Option<bool>,
}
