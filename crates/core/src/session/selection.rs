//! The order of those who spoke, front first, which lives as long as the connections do.
//! Invariant: whoever is in the order has a microphone, so somebody who steps off stage or breaks off for good is out.
//! Next: `selecting.rs`, who is told of it.

use std::collections::BTreeSet;

use crate::ids::PeerId;
use crate::limits::MAX_SPEAKERS;
use crate::session::carried::Carried;
use crate::time::Timestamp;

/// The shortest time between two changes of the front, in milliseconds. Lower makes the picture jump at every cough,
/// higher shows the one who stopped talking.
const MIN_FRONT_MS: i64 = 1_500;

/// One who goes on speaking keeps the front for so long though somebody else speaks as well. Lower makes two who talk
/// at once flicker, higher lets a noisy room keep the front.
const MAX_FRONT_MS: i64 = 4_000;

/// Without a word for so long, in milliseconds, the one at the front has stopped speaking. Voices are heard five times a
/// second.
const PAUSE_MS: i64 = 600;

/// The shortest time between two changes behind the front, in milliseconds: it bounds what a heated debate costs. Who is
/// passed over is heard again at once.
const MIN_CHANGE_MS: i64 = 300;

/// Among the first so many nobody moves forward but to the front: clients show them all anyway.
const NEAR_FRONT: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Those who spoke, the last ones first.
    pub order: Vec<PeerId>,
    /// When the front changed last, and when anything did.
    front_since: Option<Timestamp>,
    changed_at: Option<Timestamp>,
    /// When the one at the front was last heard.
    pub front_heard: Timestamp,
    /// Those who were selected, but are not any more. A client that was away may not have heard of that. The gone among
    /// them may come back; they are as many as ever came at most.
    pub former: BTreeSet<PeerId>,
}

impl Selection {
    /// What another process goes on with.
    pub fn carry(&self, carried: &mut Carried) {
        carried.spoke = self.order.clone();
        carried.former = self.former.iter().cloned().collect();
        (carried.front_since, carried.changed_at) = (self.front_since, self.changed_at);
        carried.front_heard = self.front_heard;
    }

    pub fn take_up(&mut self, carried: Carried) {
        let Carried { spoke, former, front_since, changed_at, front_heard, .. } = carried;
        *self = Self { order: spoke, former: former.into_iter().collect(), front_since, changed_at, front_heard };
    }

    /// Takes out somebody who is gone; clients that are here do so by themselves (seen in web SDK 2.0.2).
    pub fn leave(&mut self, peer: &PeerId, compulsory: bool) {
        if self.take_out(peer) || compulsory {
            self.former.insert(peer.clone());
        }
    }

    /// Whether it was in the order.
    pub fn take_out(&mut self, peer: &PeerId) -> bool {
        if self.order.first() == Some(peer) {
            // Nobody has been told of the one who moves up: its next word is news.
            self.front_since = None;
        }
        let before = self.order.len();
        self.order.retain(|other| other != peer);
        self.order.len() < before
    }

    /// Where somebody who speaks now goes in the order, if that is elsewhere.
    pub fn place(&self, now: Timestamp, peer: &PeerId) -> Option<usize> {
        let Some(since) = self.front_since else { return Some(0) };
        let is_front = self.order.first() == Some(peer);
        let front_ms = now.since(since);
        let paused = now.since(self.front_heard) >= PAUSE_MS;
        if !is_front && front_ms >= MIN_FRONT_MS && (paused || front_ms >= MAX_FRONT_MS) {
            return Some(0);
        }
        let settled = self.changed_at.is_none_or(|at| now.since(at) >= MIN_CHANGE_MS);
        let is_near = self.order.iter().take(NEAR_FRONT).any(|other| other == peer);
        (settled && !is_near).then_some(1)
    }

    /// Puts somebody there; answers with the one who falls off the end.
    pub fn put(&mut self, now: Timestamp, peer: &PeerId, place: usize) -> Option<PeerId> {
        self.order.retain(|other| other != peer);
        self.order.insert(place.min(self.order.len()), peer.clone());
        self.former.remove(peer);
        self.changed_at = Some(now);
        if place == 0 {
            self.front_since = Some(now);
            self.front_heard = now;
        }
        (self.order.len() > MAX_SPEAKERS).then(|| self.order.pop()).flatten()
    }
}
