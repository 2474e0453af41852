//! What the record says of two people: when they were there, and when the speaker had a microphone or camera, switched on. Pure.
//! A microphone is the peer's own: the sound of a shared screen is another track.

use std::collections::BTreeMap;

use salon_core::event::{Actor, TrackKind};
use salon_core::permission::Source;
use salon_core::{Event, EventBody, PeerId, Timestamp, TrackId};

use super::question::{Medium, Question};

/// Who switched something off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Off {
    /// The speaker itself.
    Itself,
    /// Somebody else in the session.
    Peer(PeerId),
    /// A call of the REST API.
    Api,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    SpeakerAway,
    ListenerAway,
    /// Told of neither bucket: it counts for each of the two.
    BothAway,
    NotPublished,
    Off(Off),
}

pub(super) struct Story {
    /// Each moment from which on something holds; `None`: both were there, and it was on.
    changes: Vec<(Timestamp, Option<State>)>,
    /// The speaker's tracks of the kind, the last one first.
    tracks: Vec<String>,
}

/// Whether an event of a record says anything of these two: others need not be held.
pub fn is_told(body: &EventBody, speaker: &PeerId, listener: &PeerId) -> bool {
    match body {
        EventBody::PeerJoined(who) => who.peer == *speaker || who.peer == *listener,
        EventBody::PeerReconnected { peer } | EventBody::PeerDisconnected { peer, .. } | EventBody::PeerLeft { peer, .. } => {
            peer == speaker || peer == listener
        }
        EventBody::TrackPublished { peer, .. }
        | EventBody::TrackUnpublished { peer, .. }
        | EventBody::TrackPaused { peer, .. }
        | EventBody::Silenced { peer, .. } => peer == speaker,
        EventBody::SessionEnded { .. } => true,
        _ => false,
    }
}

#[derive(Default)]
struct Now {
    speaker: bool,
    listener: bool,
    /// Whether each of the speaker's tracks of the kind is off, and by whom.
    tracks: BTreeMap<TrackId, Option<Off>>,
    /// Who else switched it off, until it is on again: the speaker's client then says the same by itself, or publishes anew what
    /// is off (seen in web SDK 2.0.2).
    off_by: Option<Off>,
}

impl Now {
    fn state(&self) -> Option<State> {
        if !self.speaker && !self.listener {
            return Some(State::BothAway);
        }
        if !self.speaker {
            return Some(State::SpeakerAway);
        }
        if !self.listener {
            return Some(State::ListenerAway);
        }
        if self.tracks.is_empty() {
            return Some(State::NotPublished);
        }
        // Several of a kind: one that is on is enough.
        let mut off = self.tracks.values();
        if off.clone().any(Option::is_none) {
            return None;
        }
        off.find_map(Clone::clone).map(State::Off)
    }
}

impl Story {
    pub fn of(question: &Question<'_>, events: &[Event]) -> Self {
        let mut story = Self { changes: Vec::new(), tracks: Vec::new() };
        let mut now = Now::default();
        for event in events {
            let at = story.apply(question, &mut now, event);
            story.set(at, now.state());
        }
        story
    }

    /// Takes an event in; answers with when what it says was so.
    fn apply(&mut self, question: &Question<'_>, now: &mut Now, event: &Event) -> Timestamp {
        let Question { speaker, listener, medium, .. } = question;
        let mut there = |peer: &PeerId, is_there: bool| {
            if peer == *speaker {
                now.speaker = is_there;
            }
            if peer == *listener {
                now.listener = is_there;
            }
        };
        let kind = match medium {
            Medium::Sound => TrackKind::Audio,
            Medium::Picture => TrackKind::Video,
        };
        match &event.body {
            EventBody::PeerJoined(who) => there(&who.peer, true),
            EventBody::PeerReconnected { peer } => there(peer, true),
            EventBody::PeerDisconnected { peer, seen } => {
                there(peer, false);
                return *seen;
            }
            EventBody::PeerLeft { peer, left_at, .. } => {
                there(peer, false);
                if peer == *speaker {
                    now.tracks.clear();
                    now.off_by = None;
                }
                return *left_at;
            }
            EventBody::TrackPublished { peer, track } if peer == *speaker && track.kind == kind && !track.screen_share => {
                if !track.paused {
                    now.off_by = None;
                }
                let off = track.paused.then(|| now.off_by.clone().unwrap_or(Off::Itself));
                now.tracks.insert(track.id.clone(), off);
                self.tracks.retain(|known| known != track.id.as_str());
                self.tracks.insert(0, track.id.to_string());
            }
            EventBody::TrackUnpublished { peer, track } if peer == *speaker => {
                now.tracks.remove(track);
            }
            EventBody::TrackPaused { peer, track, paused, by } if peer == *speaker => {
                if let Some(off) = now.tracks.get_mut(track) {
                    now.off_by = match who(by, speaker) {
                        _ if !paused => None,
                        Off::Itself => now.off_by.take(),
                        other => Some(other),
                    };
                    *off = paused.then(|| now.off_by.clone().unwrap_or(Off::Itself));
                }
            }
            EventBody::Silenced { peer, source, by }
                if peer == *speaker && *source == Source::of(kind, false) && !matches!(who(by, speaker), Off::Itself) =>
            {
                now.off_by = Some(who(by, speaker));
                now.tracks.values_mut().for_each(|off| *off = now.off_by.clone());
            }
            EventBody::SessionEnded { ended_at, .. } => {
                (now.speaker, now.listener) = (false, false);
                return *ended_at;
            }
            _ => {}
        }
        event.at
    }

    /// From then on this holds. What was found out late takes back what was thought since.
    fn set(&mut self, at: Timestamp, state: Option<State>) {
        if self.changes.last().is_some_and(|(_, last)| *last == state) {
            return;
        }
        while self.changes.last().is_some_and(|(since, _)| *since >= at && *since != Timestamp(i64::MIN)) {
            self.changes.pop();
        }
        if self.changes.last().is_none_or(|(_, last)| *last != state) {
            self.changes.push((at, state));
        }
    }

    /// The speaker's tracks of the kind, by id.
    pub fn tracks(&self) -> impl Iterator<Item = &str> {
        self.tracks.iter().map(String::as_str)
    }

    /// What held for most of this time, if that was not that both were there and it was on; before the record begins nobody
    /// was there.
    pub fn most_of(&self, (from, to): (Timestamp, Timestamp)) -> Option<State> {
        let mut spans: BTreeMap<Option<State>, i64> = BTreeMap::new();
        let before = (Timestamp(i64::MIN), Some(State::BothAway));
        let begins = std::iter::once(&before).chain(&self.changes);
        let ends = self.changes.iter().map(|(at, _)| *at).chain(std::iter::once(Timestamp(i64::MAX)));
        for ((begin, state), end) in begins.zip(ends) {
            let held = end.min(to).since((*begin).max(from));
            *spans.entry(state.clone()).or_default() += held;
        }
        let on = spans.remove(&None).unwrap_or(0);
        let off: i64 = spans.values().sum();
        if off <= on {
            return None;
        }
        if let Some(both) = spans.remove(&Some(State::BothAway)).filter(|both| *both > 0) {
            *spans.entry(Some(State::SpeakerAway)).or_default() += both;
            *spans.entry(Some(State::ListenerAway)).or_default() += both;
        }
        // The first of equals: the ladder's order.
        let most = spans.values().copied().max()?;
        spans.into_iter().find(|(_, held)| *held == most)?.0
    }
}

fn who(by: &Actor, speaker: &PeerId) -> Off {
    match by {
        Actor::Api => Off::Api,
        Actor::Peer(peer) if peer == speaker => Off::Itself,
        Actor::Peer(peer) => Off::Peer(peer.clone()),
    }
}
