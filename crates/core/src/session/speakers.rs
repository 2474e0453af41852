//! Who speaks: the order in which clients show people they cannot all show.
//! Owns the order, front first; it lives as long as the connections do.
//! Next: `broadcast.rs`.

use crate::ids::PeerId;
use crate::session::{Message, Refusal, Session};
use crate::time::Timestamp;

/// The shortest time between two changes of the front, in milliseconds. Lower makes the picture jump at every cough,
/// higher shows the one who stopped talking.
const MIN_CHANGE_MS: i64 = 1_500;

#[derive(Debug, Default)]
pub(super) struct Speakers {
    order: Vec<PeerId>,
    changed_at: Option<Timestamp>,
}

impl Speakers {
    pub fn enter(&mut self, peer: &PeerId) {
        if !self.order.contains(peer) {
            self.order.push(peer.clone());
        }
    }

    pub fn leave(&mut self, peer: &PeerId) {
        if self.order.first() == Some(peer) {
            // Nobody has been told of the one who moves up: its next word is news.
            self.changed_at = None;
        }
        self.order.retain(|other| other != peer);
    }
}

impl Session {
    /// Everyone with media in speaking order but `caller` itself, for a client that needs the whole list.
    pub fn speaking_order(&self, caller: &PeerId) -> Vec<PeerId> {
        self.speakers.order.iter().filter(|peer| *peer != caller && self.is_shown(peer)).cloned().collect()
    }

    /// The microphone of `peer` carries a voice now: it moves to the front.
    pub fn handle_voice(&mut self, now: Timestamp, peer: &PeerId) -> Result<(), Refusal> {
        self.tick(now);
        self.caller(peer)?;
        let settled = self.speakers.changed_at.is_none_or(|at| self.now.since(at) >= MIN_CHANGE_MS);
        let new = self.speakers.order.first() != Some(peer) || self.speakers.changed_at.is_none();
        if !settled || !new || !self.speakers.order.contains(peer) || !self.is_shown(peer) {
            return Ok(());
        }
        self.speakers.changed_at = Some(self.now);
        self.speakers.order.retain(|other| other != peer);
        self.speakers.order.insert(0, peer.clone());
        self.send_media(None, &Message::Speaking(peer.clone()));
        Ok(())
    }
}
