//! The fold: what a session's numbered events add up to.
//! Owns who was and is here, what they publish, and the sums behind counts and minutes.
//! Invariant: equal events give an equal `Record`, whoever folds them; an event costs the same however many came.
//! Decides nothing and refuses nothing; `session.rs` does, before it writes an event.
//! Next: `record/peer.rs` for one peer, `record/summary.rs` for the small copy of the answer that readers hold.

mod chat;
mod peer;
mod polls;
mod recordings;
mod stores;
mod summary;

#[cfg(test)]
mod tests;

pub use chat::{Chat, ChatMessage};
pub use peer::{Peer, Presence};
pub use polls::{Poll, Polls, Vote};
pub use recordings::{Recording, RecordingState, Recordings};
pub use stores::{Stored, Stores};
pub use summary::Summary;

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{EndReason, Event, EventBody, LeaveReason, PeerJoined, SessionStarted};
use crate::ids::{ParticipantId, PeerId};
use crate::permission::Changes;
use crate::preset::Recorder;
use crate::time::Timestamp;

/// Everything that is durably known about one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub started: SessionStarted,
    /// When the record was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Number of the last event folded in.
    pub seq: u64,
    /// Number of the last of them that shows somebody otherwise, or of the first or last event of all.
    pub people_seq: u64,
    /// Everyone who ever joined, by connection. To be read only: the sums below are kept in step by [`Record::apply`].
    pub peers: BTreeMap<PeerId, Peer>,
    /// People let in from the waiting room for the rest of the session, or until they are put out.
    pub admitted: BTreeSet<ParticipantId>,
    /// People who were put out since they were last let in, and when.
    pub dismissed: BTreeMap<ParticipantId, Timestamp>,
    /// People without leave to mute others may not switch their microphones on.
    pub unmute_forbidden: bool,
    /// What was changed of people's permissions.
    pub permissions: BTreeMap<ParticipantId, Changes>,
    /// People are in connected meetings: the session is not over though nobody is in.
    pub held_open: bool,
    /// The meeting is deleted, and this is when the last of those in must be out.
    pub leave_by: Option<Timestamp>,
    /// What was said in writing.
    pub chat: Chat,
    pub polls: Polls,
    pub stores: Stores,
    /// What is being recorded.
    pub recordings: Recordings,
    /// Who is pinned for everyone, and is gone with that peer.
    pinned: Option<PeerId>,
    /// The most peers that ever counted at once.
    pub max_concurrent: u32,
    /// When the last person left, while nobody but robots is here.
    pub emptied_at: Option<Timestamp>,
    pub ended: Option<Ended>,
    // What `peers` adds up to, so that no question walks over everyone who ever came.
    sums: summary::Share,
    /// Those who are present, by their order of first joining.
    present: BTreeMap<u64, PeerId>,
    /// How many of them are people.
    people: usize,
    /// When it was last held open no more.
    released_at: Timestamp,
    /// How often each participant came in, and how many of them are people.
    entries: BTreeMap<ParticipantId, usize>,
    people_ever: usize,
    /// The latest moment at which a person left.
    last_left_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub at: Timestamp,
    pub reason: EndReason,
}

impl Record {
    /// Begins the fold with the first event of a session; `None` if that is not `SessionStarted`.
    pub fn begin(first: &Event) -> Option<Self> {
        let EventBody::SessionStarted(started) = &first.body else { return None };
        Some(Self {
            started: started.clone(),
            created_at: first.at,
            updated_at: first.at,
            seq: first.seq,
            people_seq: first.seq,
            peers: BTreeMap::new(),
            admitted: BTreeSet::new(),
            dismissed: BTreeMap::new(),
            unmute_forbidden: false,
            permissions: BTreeMap::new(),
            held_open: false,
            leave_by: None,
            chat: Chat::default(),
            polls: Polls::default(),
            stores: Stores::default(),
            recordings: Recordings::default(),
            pinned: None,
            max_concurrent: 0,
            emptied_at: None,
            ended: None,
            sums: summary::Share::default(),
            present: BTreeMap::new(),
            people: 0,
            released_at: Timestamp::default(),
            entries: BTreeMap::new(),
            people_ever: 0,
            last_left_at: Timestamp::default(),
        })
    }

    /// Folds a whole record; `None` if it is empty or does not begin with `SessionStarted`.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut events = events.into_iter();
        let mut record = Self::begin(events.next()?)?;
        for event in events {
            record.apply(event);
        }
        Some(record)
    }

    /// Folds the next event in. An event about somebody unknown changes nothing.
    pub fn apply(&mut self, event: &Event) {
        self.seq = event.seq;
        self.updated_at = self.updated_at.max(event.at);
        match &event.body {
            EventBody::SessionStarted(_) => {}
            EventBody::PeerJoined(who) => self.join(who, event.at),
            EventBody::PeerDisconnected { peer, seen } => self.change(peer, |peer| peer.disconnect(*seen, event.at)),
            EventBody::PeerReconnected { peer } => self.change(peer, Peer::reconnect),
            EventBody::PeerLeft { peer, left_at, reason } => self.leave(peer, *left_at, *reason),
            EventBody::PeerRenamed { peer, name, by_other } => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.rename(name, *by_other);
                }
            }
            EventBody::TrackPublished { peer, track } => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.publish(track);
                }
            }
            EventBody::TrackPaused { peer, track, paused, by } => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.pause(track, *paused, by);
                }
            }
            EventBody::Silenced { peer, source, by } => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.silence(*source, by);
                }
            }
            EventBody::TrackUnpublished { peer, track } => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.tracks.remove(track);
                }
            }
            EventBody::UnmuteForbidden { forbidden } => self.unmute_forbidden = *forbidden,
            EventBody::ParticipantAdmitted { participant } => {
                self.dismissed.remove(participant);
                self.admitted.insert(participant.clone());
            }
            EventBody::ParticipantDismissed { participant } => {
                self.admitted.remove(participant);
                self.dismissed.insert(participant.clone(), event.at);
            }
            EventBody::ChatSent(sent) => self.chat.send(sent, event.at),
            EventBody::ChatKept(kept) => self.chat.keep(kept),
            EventBody::ChatEdited { message, content } => self.chat.edit(message, content),
            EventBody::ChatPinned { message, pinned, .. } => self.chat.pin(message, *pinned),
            EventBody::ChatDeleted { message, .. } => self.chat.delete(message),
            EventBody::PollCreated(asked) => self.polls.ask(asked),
            EventBody::PollVoted { poll, participant, name, option } => {
                self.polls.vote(poll, participant, name, *option);
            }
            EventBody::StoreSet { store, author, items } => self.stores.set(store, author, items, event.at),
            EventBody::StoreDeleted { store, keys } => self.stores.delete(store, keys.as_deref()),
            EventBody::PeerPinned { peer } => self.pinned.clone_from(peer),
            EventBody::StageChanged { peer, on_stage } => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.who.on_stage = *on_stage;
                    peer.stage_wish = None;
                }
            }
            EventBody::StageWished { peer, wish } => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.stage_wish = *wish;
                }
            }
            EventBody::PermissionsChanged { participant, changes, .. } => {
                self.permissions.entry(participant.clone()).or_default().merge(changes);
            }
            EventBody::HeldOpen { held } => {
                self.held_open = *held;
                self.released_at = event.at;
            }
            EventBody::RecordingInvoked(asked) => self.recordings.invoke(asked, event.at),
            EventBody::RecordingBegan { recording } => self.recordings.begin(recording, event.at),
            EventBody::RecordingPaused { recording } => self.recordings.pause(recording, true),
            EventBody::RecordingResumed { recording } => self.recordings.pause(recording, false),
            EventBody::RecordingStopping { recording, why } => self.recordings.stopping(recording, why, event.at),
            EventBody::RecordingStopped { recording, .. } => self.recordings.stop(recording),
            EventBody::MeetingDeleted { leave_by } => self.leave_by = Some(*leave_by),
            EventBody::SessionEnded { ended_at, reason } => {
                self.ended = Some(Ended { at: *ended_at, reason: *reason });
                self.people_seq = event.seq;
            }
        }
        if event.body.shows_otherwise().is_some_and(|peer| self.peers.contains_key(peer)) {
            self.people_seq = event.seq;
        }
    }

    fn join(&mut self, who: &PeerJoined, at: Timestamp) {
        let entries = self.entries.entry(who.participant.clone()).or_default();
        self.people_ever += usize::from(*entries == 0 && who.recorder == Recorder::None);
        *entries += 1;
        let order = self.peers.len() as u64;
        self.peers.entry(who.peer.clone()).or_insert_with(|| Peer::new(who.clone(), order, at));
        self.change(&who.peer, |peer| peer.join(who.clone(), at));
    }

    fn leave(&mut self, peer: &PeerId, left_at: Timestamp, reason: LeaveReason) {
        let Some(found) = self.peers.get(peer).filter(|peer| peer.is_present()) else { return };
        if !found.is_robot() {
            self.last_left_at = self.last_left_at.max(left_at);
        }
        self.change(peer, |peer| peer.leave(left_at, reason));
        if self.pinned.as_ref() == Some(peer) {
            self.pinned = None;
        }
    }

    /// Changes where a peer is: the one place where the sums follow.
    fn change(&mut self, id: &PeerId, change: impl FnOnce(&mut Peer)) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let is_here = |peer: &Peer| peer.is_present() && !peer.is_robot();
        let (before, was_here) = (peer.share(), is_here(peer));
        change(peer);
        self.sums.exchange(before, peer.share());
        self.people = self.people + usize::from(is_here(peer)) - usize::from(was_here);
        // Not simply when the last one left: one who was lost left when last seen, and another may have left after that.
        self.emptied_at = match self.people {
            0 if was_here => Some(self.last_left_at),
            0 => self.emptied_at,
            _ => None,
        };
        if peer.is_present() {
            self.present.insert(peer.order, id.clone());
        } else {
            self.present.remove(&peer.order);
        }
        self.max_concurrent = self.max_concurrent.max(self.sums.live);
    }

    /// Who is pinned for everyone.
    pub fn pinned(&self) -> Option<&PeerId> {
        self.pinned.as_ref()
    }

    /// Peers that count and are connected.
    pub fn live(&self) -> u32 {
        self.sums.live
    }

    /// Those who are connected or within their grace, in the order of first joining.
    pub fn present(&self) -> impl Iterator<Item = &Peer> {
        self.present.values().filter_map(|peer| self.peers.get(peer))
    }

    /// How many are connected or within their grace, robots among them.
    pub fn present_count(&self) -> usize {
        self.present.len()
    }

    /// How many people are connected or within their grace, hidden ones among them.
    pub fn people_count(&self) -> usize {
        self.people
    }

    /// How often this participant came in, on all devices; what the record holds grows with it.
    pub fn entries_of(&self, participant: &ParticipantId) -> usize {
        self.entries.get(participant).copied().unwrap_or(0)
    }

    /// How many people ever came in, hidden ones among them.
    pub fn people_ever(&self) -> usize {
        self.people_ever
    }

    /// When the session is over if nobody comes; `None` while people are here or in a connected meeting, or if it has
    /// ended. That of a deleted meeting has an end in any case.
    pub fn over_at(&self) -> Option<Timestamp> {
        if self.ended.is_some() {
            return None;
        }
        let emptied_at = (self.people == 0).then(|| self.emptied_at.unwrap_or(self.created_at));
        if let Some(leave_by) = self.leave_by {
            return Some(emptied_at.unwrap_or(leave_by));
        }
        let emptied_at = emptied_at.filter(|_| !self.held_open)?;
        Some(emptied_at.max(self.released_at).plus_ms(self.started.keep_alive_ms))
    }

    /// The small copy of the answer, from which any later moment is arithmetic.
    pub fn summary(&self) -> Summary {
        Summary {
            session: self.started.session.clone(),
            meeting: self.started.meeting.clone(),
            app: self.started.app.clone(),
            parent_session: self.started.parent.as_ref().and_then(|parent| parent.session.clone()),
            title: self.started.title.clone(),
            seq: self.seq,
            keep_alive_ms: self.started.keep_alive_ms,
            started_at: self.started.started_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            ended_at: self.ended.map(|ended| ended.at),
            live: self.sums.live,
            max_concurrent: self.max_concurrent,
            participants: self.sums.participants,
            settled_ms: self.sums.settled_ms,
            live_since_ms: self.sums.live_since_ms,
        }
    }
}
