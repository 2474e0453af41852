//! One connection of a participant over its time in a session: when it was here, and what of that counts.
//! Invariant: `share` follows from the peer alone, so the record's sums can be kept by exchanging old shares for new.
//! Next: `summary.rs` adds the shares up.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Actor, LeaveReason, PeerJoined, StageWish, Track};
use crate::ids::TrackId;
use crate::permission::Source;
use crate::preset::Recorder;
use crate::record::summary::Share;
use crate::time::Timestamp;

/// One connection of a participant, past or present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it is, as of its last coming in; the name is kept current.
    pub who: PeerJoined,
    /// Position in the order of first joining, from 0.
    pub order: u64,
    pub first_joined_at: Timestamp,
    pub presence: Presence,
    /// Time spent here before the current stay, in milliseconds.
    pub earlier_ms: i64,
    pub tracks: BTreeMap<TrackId, Track>,
    /// What others switched off, as long as the peer itself has not said since what it sends of it.
    pub silenced: BTreeSet<Source>,
    /// What others switched off and the peer has not switched on again, also once it has said that it is off: clients repeat that
    /// by themselves (seen in web SDK 2.0.2).
    pub off_by_others: BTreeSet<Source>,
    /// Asks for the stage, or was called up.
    pub stage_wish: Option<StageWish>,
    /// It was put out while its connection was broken, so its client cannot have heard of it.
    pub put_out_unheard: bool,
    /// Somebody else gave it its name in this stay.
    pub named_by_other: bool,
    /// Its comings and goings, in order: the times it joined, and the times it left.
    pub stays: Vec<(Timestamp, Option<Timestamp>)>,
    /// The part of `earlier_ms` that counts: it may have been hidden in one stay and visible in another.
    counted_ms: i64,
    /// Counted in any stay.
    ever_counted: bool,
    /// Its name when it came in this time, if it has had another since.
    came_as: Option<String>,
}

/// Where a peer is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Here, since then.
    Connected {
        since: Timestamp,
    },
    /// Its connection broke; it may come back. Last seen at `seen`, noticed at `noticed`.
    Disconnected {
        since: Timestamp,
        seen: Timestamp,
        noticed: Timestamp,
    },
    Left {
        at: Timestamp,
        reason: LeaveReason,
    },
}

impl Peer {
    /// Someone who has not come in yet; `join` follows.
    pub(super) fn new(who: PeerJoined, order: u64, at: Timestamp) -> Self {
        Self {
            who,
            order,
            first_joined_at: at,
            presence: Presence::Left { at, reason: LeaveReason::Left },
            earlier_ms: 0,
            tracks: BTreeMap::new(),
            silenced: BTreeSet::new(),
            off_by_others: BTreeSet::new(),
            stage_wish: None,
            put_out_unheard: false,
            named_by_other: false,
            stays: Vec::new(),
            counted_ms: 0,
            ever_counted: false,
            came_as: None,
        }
    }

    /// One of the product's own robots, which record or stream what people do. It is nobody: no session begins, goes on
    /// or is counted for its sake.
    pub fn is_robot(&self) -> bool {
        self.who.recorder != Recorder::None
    }

    /// Counts as live and consumes minutes: a person others can see. One who is hidden does not, but begins sessions and
    /// keeps them going like anybody.
    pub fn counts(&self) -> bool {
        !self.who.hidden && !self.is_robot()
    }

    /// Whether others are told about this peer: hidden people are not shown; hidden robots are, because clients tell
    /// from them that a recording or livestream runs (presets.md, web SDK 2.0.2).
    pub fn is_announced(&self) -> bool {
        !self.who.hidden || matches!(self.who.recorder, Recorder::Recorder | Recorder::Livestreamer)
    }

    /// What it was called when it came in this time.
    pub fn came_as(&self) -> &str {
        self.came_as.as_deref().unwrap_or(&self.who.name)
    }

    pub fn is_connected(&self) -> bool {
        matches!(self.presence, Presence::Connected { .. })
    }

    /// Connected, or broken off and still within its grace.
    pub fn is_present(&self) -> bool {
        !matches!(self.presence, Presence::Left { .. })
    }

    /// When it left for good; `None` while it is present.
    pub fn left_at(&self) -> Option<Timestamp> {
        match self.presence {
            Presence::Left { at, .. } => Some(at),
            _ => None,
        }
    }

    /// When it was last known to be here, if that is past: it left then, or broke off and has not come back.
    pub fn last_seen(&self) -> Option<Timestamp> {
        match self.presence {
            Presence::Connected { .. } => None,
            Presence::Disconnected { seen, .. } => Some(seen),
            Presence::Left { at, .. } => Some(at),
        }
    }

    /// Milliseconds it has been here up to `now`. A broken connection stands still where it was last seen.
    pub fn duration_ms(&self, now: Timestamp) -> i64 {
        self.earlier_ms
            + match self.presence {
                Presence::Connected { since } => now.since(since),
                Presence::Disconnected { since, seen, .. } => seen.since(since),
                Presence::Left { .. } => 0,
            }
    }

    pub(super) fn join(&mut self, who: PeerJoined, at: Timestamp) {
        self.leave(at, LeaveReason::Left);
        self.who = who;
        self.named_by_other = false;
        self.came_as = None;
        self.presence = Presence::Connected { since: at };
        self.stays.push((at, None));
        self.ever_counted |= self.counts();
    }

    pub(super) fn rename(&mut self, name: &str, by_other: bool) {
        let before = std::mem::replace(&mut self.who.name, name.to_owned());
        self.came_as.get_or_insert(before);
        self.named_by_other = by_other;
    }

    pub(super) fn disconnect(&mut self, seen: Timestamp, noticed: Timestamp) {
        if let Presence::Connected { since } = self.presence {
            self.presence = Presence::Disconnected { since, seen: seen.max(since), noticed };
        }
    }

    pub(super) fn reconnect(&mut self) {
        if let Presence::Disconnected { since, .. } = self.presence {
            self.presence = Presence::Connected { since };
        }
    }

    /// One of its tracks is paused, or no longer.
    pub(super) fn pause(&mut self, track: &TrackId, paused: bool, by: &Actor) {
        let Some(track) = self.tracks.get_mut(track) else { return };
        track.paused = paused;
        let source = Source::of(track.kind, track.screen_share);
        match (paused, self.is_itself(by)) {
            (true, true) => _ = self.silenced.remove(&source),
            (true, false) => self.silence(source, by),
            (false, is_itself) => {
                self.off_by_others.remove(&source);
                if is_itself {
                    self.silenced.remove(&source);
                }
            }
        }
    }

    pub(super) fn publish(&mut self, track: &Track) {
        if !track.paused {
            self.off_by_others.remove(&Source::of(track.kind, track.screen_share));
        }
        self.tracks.insert(track.id.clone(), track.clone());
    }

    /// Somebody else switched off what comes of this source; by itself: it has said so.
    pub(super) fn silence(&mut self, source: Source, by: &Actor) {
        if self.is_itself(by) {
            self.silenced.remove(&source);
            self.off_by_others.remove(&source);
        } else {
            self.silenced.insert(source);
            self.off_by_others.insert(source);
        }
    }

    fn is_itself(&self, by: &Actor) -> bool {
        matches!(by, Actor::Peer(peer) if *peer == self.who.peer)
    }

    /// Does nothing to a peer that is not present.
    pub(super) fn leave(&mut self, left_at: Timestamp, reason: LeaveReason) {
        let since = match self.presence {
            Presence::Connected { since } | Presence::Disconnected { since, .. } => since,
            Presence::Left { .. } => return,
        };
        let put_out = matches!(reason, LeaveReason::Kicked | LeaveReason::Deleted);
        self.put_out_unheard = put_out && matches!(self.presence, Presence::Disconnected { .. });
        let stay_ms = left_at.since(since);
        self.earlier_ms += stay_ms;
        if self.counts() {
            self.counted_ms += stay_ms;
        }
        self.presence = Presence::Left { at: left_at, reason };
        self.tracks.clear();
        self.silenced.clear();
        self.off_by_others.clear();
        self.stage_wish = None;
        if let Some(stay) = self.stays.last_mut() {
            stay.1 = Some(left_at);
        }
    }

    /// What this peer adds to the sums of its session.
    pub(super) fn share(&self) -> Share {
        let mut share = Share { participants: u32::from(self.ever_counted), settled_ms: self.counted_ms, ..Share::default() };
        match self.presence {
            Presence::Connected { since } if self.counts() => {
                share.live = 1;
                share.live_since_ms = since.0;
            }
            Presence::Disconnected { since, seen, .. } if self.counts() => share.settled_ms += seen.since(since),
            _ => {}
        }
        share
    }
}
