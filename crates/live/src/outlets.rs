//! All that a session's task knows of the world outside.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use salon_core::event::RecordingEnd;
use salon_core::session::{Media, MeetingFacts, Message};
use salon_core::{MeetingId, PeerId, RecordingId, TrackId};

/// Has a recording stop, and why.
pub type StopRecording = Arc<dyn Fn(&RecordingId, &RecordingEnd) + Send + Sync>;

/// Where what a session decides goes.
#[derive(Clone)]
pub struct Outlets {
    pub media: Arc<dyn Orders>,
    /// Has a recording stop: it was asked to, or its session is over.
    pub stop_recording: StopRecording,
    /// A message as it is sent to sockets. One to many is encoded once.
    pub frame: fn(&Message, &MeetingFacts) -> Bytes,
    /// A session of that node is gone on with here: others may want to know.
    pub moved: Arc<dyn Fn(&str) + Send + Sync>,
}

/// What the media side is told.
pub trait Orders: Send + Sync {
    /// Does what a session decided.
    fn obey(&self, meeting: &MeetingId, order: Media);
    /// Takes down everything that a peer has.
    fn forget(&self, meeting: &MeetingId, peer: &PeerId);
    /// Takes down everything of a meeting.
    fn take_down(&self, meeting: &MeetingId);
    /// The tracks of a meeting whose media come in, also those of a run before that this one goes on with.
    fn flowing(&self, meeting: &MeetingId) -> Vec<TrackId>;
    /// A session is gone on with that had these people and tracks, with whether they are paused: those that come in, or may at
    /// other nodes. Of those that do not it is told soon.
    fn may_flow(&self, meeting: &MeetingId, people: Vec<(PeerId, Vec<(TrackId, bool)>)>) -> Vec<TrackId>;
    /// These peers published on connections that died so long ago.
    fn cut_off(&self, meeting: &MeetingId, peers: Vec<PeerId>, ago: Duration);
}
