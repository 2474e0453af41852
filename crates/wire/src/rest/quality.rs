//! How good a live session is: `/meetings/{meeting_id}/active-session/quality`, Salon's own beside the contract.
//! Rates are in bit/s, shares between 0 and 1, scores between 1 and 5. What is not known is left out, never 0.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What people of a live session get of each other, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionQuality {
    /// The session's id.
    pub session_id: String,
    /// When this was so.
    pub at: String,
    /// Those who are in, with all their devices.
    pub participants: Vec<ParticipantQuality>,
}

/// Somebody who is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParticipantQuality {
    /// The participant's id.
    pub id: String,
    /// The caller's own id for the person.
    pub custom_participant_id: String,
    /// Name in this session.
    pub display_name: String,
    /// Each device.
    pub peers: Vec<PeerQuality>,
}

/// One device of somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerQuality {
    /// The peer's id.
    pub id: String,
    /// To the server and back, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtt_ms: Option<f64>,
    /// What the line to the device is estimated to carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub available_bitrate: Option<u64>,
    /// Share of packets to the device that did not arrive the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub packet_loss: Option<f64>,
    /// What comes from the device.
    pub publishing: Vec<PublishedTrack>,
    /// What goes to the device.
    pub receiving: Vec<ReceivedTrack>,
}

/// Sound or pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    Audio,
    Video,
}

/// A track as it comes in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PublishedTrack {
    /// The track's id, which clients call producer.
    pub track_id: String,
    pub kind: MediaKind,
    /// Of a screen share.
    pub screen_share: bool,
    /// Switched off.
    pub paused: bool,
    /// Mean opinion score, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub score: Option<f64>,
    /// How long there was a voice in it so far, in milliseconds; of a microphone that says how loud it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub spoken_ms: Option<u64>,
    /// How loud it is now: 0 is the most, -127 digital silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub level_dbov: Option<i8>,
    /// Key frames asked of the publisher.
    pub key_frame_requests: u32,
    /// What the device was told to send at most, because nobody takes more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub told_to_send_at_most: Option<u64>,
    /// Its simulcast layers, or the only one.
    pub layers: Vec<PublishedLayer>,
}

/// One quality of a track as it comes in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PublishedLayer {
    /// `f`, `h`, `q`; absent without simulcast.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rid: Option<String>,
    /// Packets come.
    pub active: bool,
    pub bitrate: u64,
    pub packets: u64,
    /// Packets that never came, with what was sent again.
    pub packets_lost: u64,
    /// The share of them over the last seconds.
    pub packet_loss: f64,
    pub jitter_ms: f64,
    /// Of pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub frames_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub width: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub height: Option<u16>,
    /// Why it goes to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refused: Option<String>,
}

/// A track as it goes to one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReceivedTrack {
    /// The track's id.
    pub track_id: String,
    /// The peer it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub from_peer_id: Option<String>,
    pub kind: MediaKind,
    /// Of a screen share.
    pub screen_share: bool,
    /// Switched off by its owner or a host.
    pub paused: bool,
    /// Something is being forwarded.
    pub active: bool,
    /// The layer that is forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rid: Option<String>,
    /// The layer that the device asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub wanted_rid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub width: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub height: Option<u16>,
    /// Why this layer, in words.
    pub reason: String,
    /// What decided, in a word that never changes: `line`, `not_allowed`, `nothing_sent`, `nothing_yet`, `unanswered`,
    /// `paused`, `not_sent`, `asked_for`, `one_size`, `best`.
    pub because: String,
    pub bitrate: u64,
    pub packets: u64,
    /// Of pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub frames_per_second: Option<f64>,
    /// Packets that did not arrive the first time, as the device counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub packets_lost: Option<u64>,
    /// The share of them in its last reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub packet_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jitter_ms: Option<f64>,
    /// Times in which the device had nothing to show although the publisher sent.
    pub freezes: u32,
    /// How long all of them took.
    pub frozen_ms: u64,
    /// Key frames the device asked for.
    pub key_frame_requests: u32,
    pub packets_resent: u32,
    /// Mean opinion score, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub score: Option<f64>,
}
