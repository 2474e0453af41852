//! A track: something a peer publishes, as people see it.
//! Where its packets go is the media server's business; it is known there by its id alone.
//! Next: `permission.rs`, who may publish what.

use crate::ids::TrackId;

/// Something a peer publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    pub id: TrackId,
    pub kind: TrackKind,
    /// The screen, or the sound that goes with it.
    pub screen_share: bool,
    pub paused: bool,
    /// For example `video/VP8`; empty if the client did not say.
    pub mime_type: String,
    /// The client's own JSON, passed on unchanged.
    pub app_data: String,
    /// The media connection it comes in on; opaque here.
    pub transport: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrackKind {
    Audio,
    Video,
}
