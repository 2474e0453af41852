//! How good a peer's call was over time: `/sessions/{session_id}/peers/{peer_id}/quality`, Salon's own beside the contract.
//! Every list has one value for each step, null where nothing is known; a figure of which nothing is known in the whole
//! time is left out. Rates are in bit/s, shares between 0 and 1, scores between 1 and 5.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::quality::MediaKind;

/// A peer's call, step by step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QualityOverTime {
    /// The session's id.
    pub session_id: String,
    /// The peer's id.
    pub peer_id: String,
    /// When the first step begins.
    pub from: String,
    /// When the last step ends.
    pub to: String,
    /// Seconds of a step.
    pub step: u32,
    /// How many steps there are, and so values in each list.
    pub steps: u32,
    /// From coming in until the first sound of somebody was sent to it, in milliseconds; from when it was offered, if that was
    /// later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub first_sound_after_ms: Option<i64>,
    /// The same of the first picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub first_picture_after_ms: Option<i64>,
    /// Its connection to the server.
    pub line: LineOverTime,
    /// What came from it.
    pub publishing: Vec<TrackOverTime>,
    /// What was sent to it.
    pub receiving: Vec<TrackOverTime>,
}

/// A list with a value for each step, or nothing at all.
type Steps<T> = Option<Vec<Option<T>>>;

/// A peer's connection over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LineOverTime {
    /// To the server and back, the longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rtt_ms: Steps<u32>,
    /// What it was thought to carry, the least.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub available_bitrate: Steps<u64>,
    /// Share of packets to it that did not arrive the first time, the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub packet_loss: Steps<f64>,
}

/// A track over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrackOverTime {
    /// The track's id, which clients call producer.
    pub track_id: String,
    /// Of what was sent to it: whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub from_peer_id: Option<String>,
    pub kind: MediaKind,
    /// Of a screen share.
    pub screen_share: bool,
    /// When the first of it was sent to this peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub first_sent_at: Option<String>,
    /// How it was in a word: `clear`, `small_gaps`, `hard_to_follow`, `broken` of sound; `smooth`, `small_or_uneven`,
    /// `stops_now_and_then`, `keeps_stopping` of pictures; `nothing`, `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub word: Steps<String>,
    /// The most telling reason why it was so: `line`, `not_allowed`, `nothing_sent`, `nothing_yet`, `unanswered`, `paused`,
    /// `not_sent`, `asked_for`, `one_size`, `best`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub because: Steps<String>,
    /// The mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub score: Steps<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub worst_score: Steps<f64>,
    /// Payload, in bit/s; pauses count as time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub bitrate: Steps<u64>,
    /// Packets that came, or were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub packets: Steps<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub packets_lost: Steps<u32>,
    /// The most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub packet_loss: Steps<f64>,
    /// The most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jitter_ms: Steps<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub frames_per_second: Steps<u32>,
    /// Of the largest picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub width: Steps<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub height: Steps<u32>,
    /// How long it stood still.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub frozen_ms: Steps<u32>,
    /// Of a microphone: the share of time with a voice in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub voice: Steps<f64>,
    /// Of a microphone: the loudest it was; 0 is the most, -127 digital silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub level_dbov: Steps<i32>,
}

/// `GET sessions/{session_id}/peers/{peer_id}/quality`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QualityOverTimeQuery {
    /// From this moment on; the beginning of the session if absent.
    #[param(format = "date-time")]
    pub from: Option<String>,
    /// Up to this moment; the end of the session, or now, if absent.
    #[param(format = "date-time")]
    pub to: Option<String>,
    /// Seconds of a step: 15, 60 or 300; of what is put together the worst is told, and the mean of scores.
    pub step: Option<u32>,
}
