//! Why a subscriber gets of a track what it gets: something to count and compare, and a sentence for people who look after
//! calls.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::cap::Beyond;

/// Why this layer, or nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    pub because: Because,
    pub goes: Goes,
}

/// What decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Because {
    /// The client has not answered the offer of this track yet.
    Unanswered,
    Paused,
    /// The publisher has sent nothing since it offered the track.
    NothingYet,
    /// The publisher has stopped sending.
    NothingSent,
    /// What was asked for, or the best, is more than the publisher's preset allows.
    NotAllowed {
        asked: Option<String>,
        beyond: Beyond,
    },
    /// The subscriber's line carries no more; so many bit/s, if that is known.
    Line {
        carries: Option<u64>,
    },
    AskedFor(String),
    /// What was asked for the publisher does not send.
    NotSent(String),
    OneSize,
    /// Nothing was asked for, and nothing better comes.
    Best,
}

impl Because {
    /// The same in a word that never changes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Paused => "paused",
            Self::NothingYet => "nothing_yet",
            Self::NothingSent => "nothing_sent",
            Self::NotAllowed { .. } => "not_allowed",
            Self::Line { .. } => "line",
            Self::AskedFor(_) => "asked_for",
            Self::NotSent(_) => "not_sent",
            Self::OneSize => "one_size",
            Self::Best => "best",
        }
    }
}

/// What goes out; layers in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Goes {
    Nothing,
    Out {
        layer: Cow<'static, str>,
    },
    /// Nothing until a key frame of this layer comes.
    Waits {
        layer: Cow<'static, str>,
    },
    /// This one until a key frame of the next one comes.
    After {
        current: Cow<'static, str>,
        layer: Cow<'static, str>,
    },
}

impl Reason {
    pub fn nothing(because: Because) -> Self {
        Self { because, goes: Goes::Nothing }
    }
}

/// Such as `the half-size layer: the line carries 600 kbit/s`.
impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let because = &self.because;
        match &self.goes {
            Goes::Nothing if matches!(because, Because::NothingYet | Because::NothingSent) => write!(f, "{because}"),
            Goes::Nothing => write!(f, "nothing: {because}"),
            Goes::Out { layer } => write!(f, "{layer}: {because}"),
            Goes::Waits { layer } => write!(f, "waits for a key frame; then {layer}: {because}"),
            Goes::After { current, layer } => {
                write!(f, "{current} until a key frame of the next one; then {layer}: {because}")
            }
        }
    }
}

impl Display for Because {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered => f.write_str("the client has not answered the offer yet"),
            Self::Paused => f.write_str("the track is paused"),
            Self::NothingYet => f.write_str("nothing came from the publisher yet"),
            Self::NothingSent => f.write_str("nothing comes from the publisher"),
            Self::NotAllowed { asked: Some(asked), beyond } => write!(f, "of {asked} {beyond}"),
            Self::NotAllowed { asked: None, beyond } => write!(f, "{beyond}"),
            Self::Line { carries: Some(carries) } => write!(f, "the line carries {} kbit/s", carries / 1_000),
            Self::Line { carries: None } => f.write_str("the line carries too little"),
            Self::AskedFor(asked) => write!(f, "{asked} was asked for"),
            Self::NotSent(asked) => write!(f, "{asked} is not sent by the publisher"),
            Self::OneSize => f.write_str("it comes in one size"),
            Self::Best => f.write_str("the best that comes"),
        }
    }
}
