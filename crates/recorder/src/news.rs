//! What happens in a meeting as far as a recording goes by it, in one order: people and tracks, packets, orders.
//! Next: `robot.rs` and `receiver.rs`, where it comes from; `tracks.rs` and `composite.rs`, where it goes.

use salon_peer::rtp::Codec;

use crate::job::Order;

/// A stream of packets: which of our connections, and its SSRC there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub connection: u32,
    pub ssrc: u32,
}

/// Somebody in the meeting. What people call themselves is theirs: it is shown, and never part of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The participant's id.
    pub user: String,
    pub custom_id: String,
    pub name: String,
    /// Is seen by all: in a webinar those who only watch are not.
    pub on_stage: bool,
}

impl Person {
    /// Whether this is one of these, by participant ids or custom ids.
    pub fn is_among(&self, ids: &[String]) -> bool {
        ids.iter().any(|id| !id.is_empty() && (*id == self.user || *id == self.custom_id))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    Microphone,
    /// The sound of a screen.
    ScreenSound,
    Camera,
    Screen,
}

impl Source {
    pub fn is_sound(self) -> bool {
        matches!(self, Self::Microphone | Self::ScreenSound)
    }

    pub fn is_screen(self) -> bool {
        matches!(self, Self::Screen | Self::ScreenSound)
    }
}

/// An RTP packet in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its number with roll-overs.
    pub number: u64,
    pub timestamp: u32,
    pub marker: bool,
    /// Microseconds since 1970.
    pub arrived: i64,
    /// Quarters of a turn, clockwise, by which the picture is to be shown, where it says so.
    pub turns: Option<u8>,
    pub payload: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The robot is in the meeting, not for the first time if it says so twice.
    In,
    /// Somebody came, or is called something else now.
    Person {
        peer: String,
        person: Person,
    },
    Left {
        peer: String,
    },
    /// Packets of a track will come on this stream.
    Stream {
        key: Key,
        peer: String,
        source: Source,
        /// Of pictures: how they are encoded.
        codec: Option<Codec>,
        paused: bool,
    },
    /// Switched off or on by its owner or a host.
    Paused {
        key: Key,
        paused: bool,
    },
    /// No more packets come on it.
    Gone {
        key: Key,
    },
    Packet {
        key: Key,
        packet: Packet,
    },
    /// The stream's clock shows `timestamp` at `moment`, in microseconds since 1970.
    Report {
        key: Key,
        timestamp: u32,
        moment: i64,
    },
    /// Everything that had come by this moment, in microseconds since 1970, has been told.
    Read(i64),
    Order(Order),
    /// There will be nothing more.
    Over(Over),
}

/// Why there is nothing more to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The session ended, or the robot was put out of it.
    Ended,
    /// It cannot come in, or cannot come back: why.
    Lost(String),
}
