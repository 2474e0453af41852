//! Every bound of a session on one page, each with its reason and what raising or lowering it does.
//! Bounds that operators may change are fields of `Limits`; the rest are constants.
//! Next: `session.rs` enforces them.

/// Longest display name, in characters. Longer names break layouts; the client truncates far earlier.
pub const MAX_NAME_CHARS: usize = 256;

/// Longest `app_data` of a track, in bytes. The SDK sends about 60 (web SDK 2.0.2); it is passed on to everyone.
pub const MAX_APP_DATA_BYTES: usize = 4096;

/// Longest mime type or transport id of a track, in bytes. `video/rtx` and UUIDs are far shorter; both are passed on.
pub const MAX_TRACK_LABEL_BYTES: usize = 128;

/// Tracks one peer may publish at once: microphone, camera, screen and its sound, with as many again to spare
/// for a client that republishes before it closes.
pub const MAX_TRACKS_PER_PEER: usize = 8;

/// Longest broadcast payload, in bytes. Each is copied to every peer of the meeting.
pub const MAX_BROADCAST_BYTES: usize = 16 * 1024;

/// Longest broadcast type, in bytes.
pub const MAX_BROADCAST_TYPE_BYTES: usize = 256;

/// Addressees one broadcast may name, each of at most [`crate::ids::MAX_ID_LEN`] bytes. The list is passed on to all of
/// them, so the work grows with its square.
pub const MAX_BROADCAST_IDS: usize = 500;

/// Broadcast messages of one participant in one second (product limit "5 per second").
pub const BROADCASTS_PER_SECOND: u32 = 5;

/// What an operator may change about sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long a peer whose connection broke may come back as the same peer, in milliseconds. Longer keeps
    /// ghosts in the picture, shorter makes people fall out of calls on bad lines.
    pub grace_ms: i64,
    /// Peers in one session at once, waiting ones and those within their grace included. Each costs every other a push
    /// on joining.
    pub max_peers: usize,
    /// How often peers may come into one session, the same one again included. The record of them all is held in
    /// memory: this bounds it. It bounds the people admitted from the waiting room as well.
    pub max_peers_ever: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { grace_ms: 15_000, max_peers: 2_000, max_peers_ever: 50_000 }
    }
}
