//! How people and things look to somebody in the session: peers, those who wait, polls, stores, the stage, other rooms.
//! Invariant: a view is made for one who may see it, and holds nothing that one may not.
//! Next: `message.rs`, in which they are told.

use std::collections::BTreeSet;

use crate::event::{PeerJoined, StageWish};
use crate::ids::{MeetingId, ParticipantId, PeerId, PollId, PresetId};
use crate::preset::Recorder;
use crate::record::{self, Poll, Record, Stored};

/// A peer as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    pub peer: PeerId,
    pub participant: ParticipantId,
    pub custom_participant_id: String,
    pub name: String,
    pub picture: Option<String>,
    pub preset: PresetId,
    pub preset_name: String,
    pub hidden: bool,
    pub recorder: Recorder,
    pub stage: Stage,
    pub waiting: bool,
}

impl PeerView {
    pub(super) fn of(peer: &record::Peer) -> Self {
        Self { stage: Stage::of(peer), ..Self::before_joining(&peer.who) }
    }

    /// Somebody who is not in yet, and wishes nothing.
    pub(super) fn before_joining(who: &PeerJoined) -> Self {
        Self {
            peer: who.peer.clone(),
            participant: who.participant.clone(),
            custom_participant_id: who.custom_participant_id.clone(),
            name: who.name.clone(),
            picture: who.picture.clone(),
            preset: who.preset.clone(),
            preset_name: who.preset_name.clone(),
            hidden: who.hidden,
            recorder: who.recorder,
            stage: if who.on_stage { Stage::On } else { Stage::Off },
            waiting: false,
        }
    }
}

/// Someone who waits, as those who may admit see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingView {
    pub peer: PeerId,
    pub participant: ParticipantId,
    pub custom_participant_id: String,
    pub name: String,
    pub picture: Option<String>,
    pub preset_name: String,
}

/// A poll as one person may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollView {
    pub id: PollId,
    pub question: String,
    pub options: Vec<OptionView>,
    pub anonymous: bool,
    pub hide_votes: bool,
    /// Who asked; a name only for a call of the API.
    pub by_name: String,
    pub by: Option<ParticipantId>,
    /// Those who voted. Of an anonymous poll nobody but the one who looks: a client finds itself here.
    pub voted: Vec<ParticipantId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionView {
    pub text: String,
    pub count: u64,
    pub votes: Vec<(ParticipantId, String)>,
}

impl PollView {
    /// What `viewer` may see.
    pub(super) fn of(poll: &Poll, viewer: Option<&ParticipantId>) -> Self {
        let asked = &poll.asked;
        let has_voted = viewer.is_some_and(|viewer| poll.votes.contains_key(viewer));
        let counted = !asked.hide_votes || has_voted;
        let named = counted && !asked.anonymous;
        let mut options: Vec<OptionView> = asked
            .options
            .iter()
            .zip(&poll.counts)
            .map(|(text, count)| OptionView { text: text.clone(), count: if counted { *count } else { 0 }, votes: Vec::new() })
            .collect();
        if named {
            for (voter, vote) in &poll.votes {
                options[vote.option].votes.push((voter.clone(), vote.name.clone()));
            }
        }
        let voted = if asked.anonymous {
            viewer.filter(|_| has_voted).cloned().into_iter().collect()
        } else {
            poll.votes.keys().cloned().collect()
        };
        Self {
            id: asked.poll.clone(),
            question: asked.question.clone(),
            options,
            anonymous: asked.anonymous,
            hide_votes: asked.hide_votes,
            by_name: asked.by_name.clone(),
            by: asked.by.clone(),
            voted,
        }
    }
}

/// Keys of a store that changed, or that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreView {
    pub store: String,
    pub items: Vec<(String, Stored)>,
}

/// Where a peer is in relation to the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    On,
    /// Called up: it may step on.
    Approved,
    Requested,
    Off,
}

impl Stage {
    pub(super) fn of(peer: &record::Peer) -> Self {
        match peer.stage_wish {
            _ if peer.who.on_stage => Self::On,
            Some(StageWish::CalledUp) => Self::Approved,
            Some(StageWish::Asks) => Self::Requested,
            None => Self::Off,
        }
    }
}

/// Someone who asks for the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageRequest {
    pub peer: PeerId,
    pub participant: ParticipantId,
    pub name: String,
}

/// How a peer is selected now; it says everything, whatever was told before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    pub peer: PeerId,
    /// Its place in the order of those who spoke, from 0.
    pub place: Option<usize>,
    /// Everyone has to see it.
    pub compulsory: bool,
}

/// Whom a client is to show first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selections {
    /// Those who spoke, the last ones first.
    pub speakers: Vec<PeerId>,
    /// Those whom everyone has to see.
    pub compulsory: Vec<PeerId>,
}

/// The meetings that belong together, and who is in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedView {
    /// The one they were made in.
    pub parent: RoomView,
    /// The others, oldest first.
    pub meetings: Vec<RoomView>,
}

/// A meeting among connected ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomView {
    pub id: MeetingId,
    pub title: String,
    pub people: Vec<PersonView>,
}

/// Somebody in a connected meeting, once however many devices they came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonView {
    pub participant: ParticipantId,
    pub custom_participant_id: String,
    pub name: String,
    pub picture: Option<String>,
    pub preset: PresetId,
}

impl ConnectedView {
    /// What somebody in `own` sees who may not go elsewhere: which meetings there are, and who is in this one.
    pub fn from_inside(&self, own: &MeetingId) -> Self {
        let of = |room: &RoomView| match room.id == *own {
            true => room.clone(),
            false => RoomView { people: Vec::new(), ..room.clone() },
        };
        Self { parent: of(&self.parent), meetings: self.meetings.iter().map(of).collect() }
    }
}

/// Those in a live session as others are told of them, in the order of joining: not hidden people, and no robots.
pub fn people_of(record: &Record) -> Vec<PersonView> {
    let mut known = BTreeSet::new();
    let shown = record.present().filter(|peer| !peer.who.hidden && !peer.is_robot());
    shown.filter(|peer| known.insert(peer.who.participant.clone())).map(PersonView::of).collect()
}

impl PersonView {
    pub(super) fn of(peer: &record::Peer) -> Self {
        let who = &peer.who;
        Self {
            participant: who.participant.clone(),
            custom_participant_id: who.custom_participant_id.clone(),
            name: who.name.clone(),
            picture: who.picture.clone(),
            preset: who.preset.clone(),
        }
    }
}
