//! What two nodes tell each other of producers, in order and without loss: who watches what, which layers are wanted, what
//! became of it. The node that watches gives each stream its name.
//! Next: `../relay.rs` acts on it.

use serde::{Deserialize, Serialize};

use crate::sdp::Format;
use crate::{ProducerId, RoomId};

/// For the relay of another node; whoever carries it does not look into it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct News(pub(super) Word);

/// The name of a layer, as its publisher gave it.
pub(super) type Name = Option<String>;

/// What comes in of a producer, with its bit/s.
pub(super) type Layers = Vec<(Name, u64)>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Word {
    // From the node that watches.
    Watch {
        stream: u64,
        producer: ProducerId,
        room: RoomId,
        /// Of pictures that went over an earlier connection: these layers, from their last key frame on.
        layers: Vec<Name>,
    },
    /// Of pictures: these layers, and no others.
    Want {
        stream: u64,
        layers: Vec<Name>,
    },
    KeyFrame {
        stream: u64,
        layer: Name,
    },
    Unwatch {
        stream: u64,
    },

    // From the node of the publisher.
    Begin {
        stream: u64,
        told: Told,
    },
    /// What comes in there.
    Alive {
        streams: Vec<(u64, Layers)>,
    },
    Paused {
        stream: u64,
        paused: bool,
    },
    Anew {
        stream: u64,
    },
    /// It has ended, or never was.
    Ended {
        stream: u64,
    },
}

/// What a mirror needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub format: Format,
    /// The name of its media stream.
    pub of: String,
    pub screen_share: bool,
    pub paused: bool,
    pub layers: Vec<Name>,
}
