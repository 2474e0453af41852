//! Why one person could not hear or see another: `/sessions/{session_id}/between`, Salon's own beside the contract.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The answer, rung by rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Between {
    /// The session's id.
    pub session_id: String,
    pub speaker: BetweenWhom,
    pub listener: BetweenWhom,
    pub kind: BetweenKind,
    pub from: String,
    pub to: String,
    /// What held for most of that time.
    pub verdict: BetweenHeld,
    /// All rungs, in the order in which they are tried.
    pub rungs: Vec<BetweenRung>,
    /// Seconds of a step.
    pub step: u32,
    /// When the first step begins.
    pub steps_from: String,
    /// The rung of each step.
    pub steps: Vec<String>,
    /// When somebody was named by an id of the caller's: the pairs of their devices, those that were in together for the longest
    /// first. The first is the one that is judged here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pairs: Option<Vec<BetweenPair>>,
}

/// A device of the listener's and one of the speaker's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BetweenPair {
    pub listener_peer_id: String,
    pub speaker_peer_id: String,
    /// How long both were in, in the time that was asked about.
    pub together_ms: i64,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BetweenWhom {
    pub peer_id: String,
    pub participant_id: String,
    pub display_name: String,
}

/// What should have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BetweenKind {
    #[default]
    Sound,
    Picture,
}

/// What held, in a sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BetweenHeld {
    /// Such as `switched_off`, in a word that never changes.
    pub rung: String,
    pub text: String,
    /// The first moment at which it held, and the last.
    pub from: String,
    pub to: String,
    /// Of the time asked for.
    pub share: f64,
}

/// A rung of the ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BetweenRung {
    pub rung: String,
    pub holds: BetweenHolds,
    /// Where it held; there may be several of one rung, such as two people who each switched something off.
    pub held: Vec<BetweenHeld>,
}

/// What is known of a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BetweenHolds {
    Held,
    RuledOut,
    /// Nothing that was come to says so, or too little was measured.
    NotKnown,
}

/// `GET sessions/{session_id}/between`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BetweenQuery {
    /// The peer that should have heard or seen.
    pub listener: Option<String>,
    /// The peer that should have been heard or seen.
    pub speaker: Option<String>,
    /// Instead of `listener`: whoever has this id of the caller's.
    pub listener_custom_participant_id: Option<String>,
    /// Instead of `speaker`: whoever has this id of the caller's.
    pub speaker_custom_participant_id: Option<String>,
    /// From this moment on; the beginning of the session if absent.
    #[param(format = "date-time")]
    pub from: Option<String>,
    /// Up to this moment; the end of the session, or now, if absent.
    #[param(format = "date-time")]
    pub to: Option<String>,
    /// Sound if absent.
    #[param(inline)]
    pub kind: Option<BetweenKind>,
}
